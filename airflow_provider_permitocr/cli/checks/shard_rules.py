"""Do the shards of a list make up the whole of it, and do they run side by side?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Variant, noted, ok, wrong
from airflow_provider_permitocr.options.lists.shard import Shard

_SUBJECT = "shards"
_MOST_NAMED = 5


#: An image list and its result table.
Lists: TypeAlias = "tuple[str, str]"
#: Shards by list, and by the DAG that takes them.
ShardsByList: TypeAlias = "dict[Lists, dict[str, list[str]]]"


def shards_by_list(tasks: Iterable[OcrTask]) -> ShardsByList:
    """Collect the shards of each image list and result table, whichever tasks they are spread over."""
    shards: ShardsByList = {}
    for task in tasks:
        for variant in task.variants:
            if variant.shard is not None:
                shards.setdefault(_lists(variant), {}).setdefault(task.dag_id, []).append(variant.shard)
    return shards


def shard_findings(task: OcrTask, by_list: ShardsByList, pools: Mapping[str, int]) -> list[Finding]:
    """Check the shards that a task takes part in.

    :param by_list: as ``shards_by_list`` of all tasks returns it.
    :param pools: slots of every pool that Airflow has.
    """
    found: list[Finding] = []
    for lists in {_lists(variant): None for variant in task.variants if variant.shard is not None}:
        elsewhere = [
            text for dag_id, texts in by_list[lists].items() if dag_id != task.dag_id for text in texts
        ]
        found += _completeness(by_list[lists][task.dag_id], elsewhere)
    return [*dict.fromkeys(found), *_side_by_side(task, pools)]


def _lists(variant: Variant) -> Lists:
    return repr(variant.source), repr(variant.targets)


def _completeness(texts: Sequence[str], elsewhere: Sequence[str]) -> Iterator[Finding]:
    """Check the shards of one list in one DAG; another DAG may process missing ones."""
    try:
        shards = Counter(Shard.parse(text) for text in texts)
    except ValueError as error:
        yield wrong(_SUBJECT, str(error))
        return
    counts = sorted({shard.of for shard in shards})
    if len(counts) > 1:
        yield wrong(
            _SUBJECT,
            f"the list is split into {' and into '.join(map(str, counts))} at once: images are in two shards",
            remedy=f"use one number for all: shard=shards({counts[-1]})",
        )
        return
    (of,) = counts
    taken = {str(shard) for shard in shards}.union(elsewhere)
    missing = [shard for number in range(1, of + 1) if str(shard := Shard(number, of)) not in taken]
    twice = [shard for shard, count in shards.items() if count > 1]
    if missing:
        yield wrong(
            _SUBJECT,
            f"{_named(missing)} of the list {_are(missing)} left out: images in there are never recognized",
            remedy=f"map over all of them: expand(shard=shards({of}))",
        )
    if twice:
        yield wrong(
            _SUBJECT,
            f"{_named(twice)} of the list {_are(twice)} taken more than once: images in there are paid for"
            " more than once",
            remedy=f"take each once: expand(shard=shards({of}))",
        )
    if not (missing or twice):
        yield ok(_SUBJECT, f"{of} make up the whole list" if of > 1 else "one, the whole list")


def _side_by_side(task: OcrTask, pools: Mapping[str, int]) -> Iterator[Finding]:
    instances = sum(variant.shard is not None for variant in task.variants)
    if instances < 2:
        return
    for name, limit in task.limits.items():
        if limit < instances:
            yield noted(
                _SUBJECT,
                f"{name}={limit} lets only {limit} of the {instances} run at a time",
                remedy=f"raise {name} to {instances}, or make {limit} shards",
            )
    size, each = pools.get(task.pool, 0), task.pool_slots
    if 0 < (room := size // each) < instances:
        fitting = size // instances
        yield noted(
            _SUBJECT,
            f"with pool_slots={each}, {task.pool} has room for {room} of the {instances} at a time",
            remedy=f"give each pool_slots={fitting}" if fitting else "make fewer shards",
        )


def _named(shards: Sequence[Shard]) -> str:
    names = ", ".join(str(each) for each in shards[:_MOST_NAMED])
    return names if len(shards) <= _MOST_NAMED else f"{names} and {len(shards) - _MOST_NAMED} more"


def _are(shards: Sequence[Shard]) -> str:
    return "is" if len(shards) == 1 else "are"
