"""Does a task get its slots, and do the slots keep the account's quota?"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, ok, wrong
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.readable import is_template

DEFAULT_POOL: Final = "default_pool"
SUGGESTED_POOL: Final = "tencent_permit_ocr"
_INFINITE: Final = -1
_QUOTA, _POOL = "quota", "pool"


@dataclass(frozen=True)
class Rate:
    """What slots mean.

    :param requests_per_slot: requests per second that one slot allows, by the connection.
    :param quota: requests per second that the account may send.
    """

    requests_per_slot: float
    quota: float

    @property
    def slots(self) -> int:
        """Slots that are worth the quota."""
        return max(1, int(self.quota / self.requests_per_slot))

    def of(self, slots: int) -> str:
        """Return how many requests this many slots allow, in words."""
        return f"{slots * self.requests_per_slot:g} requests per second"


def is_bounded(name: str, slots: int) -> bool:
    """Return whether a pool can keep a quota: it has an end, and is not the one that all tasks share."""
    return name != DEFAULT_POOL and slots != _INFINITE


def pool_findings(task: OcrTask, pools: Mapping[str, int], rate: Rate) -> list[Finding]:
    """Check a task's pool, its slots in it and its rate.

    :param pools: slots of every pool that Airflow has.
    """
    found = [*_pool(task, pools, rate), *_max_per_second(task, rate)]
    if found:
        return found
    size = pools[task.pool]
    return [
        ok(
            _POOL,
            f"{task.pool} has {_slots(size)}, worth {rate.of(size)}; this task takes {task.pool_slots}",
        )
    ]


def _pool(task: OcrTask, pools: Mapping[str, int], rate: Rate) -> Iterator[Finding]:
    name, size = task.pool, pools.get(task.pool)
    if is_template(name):
        yield wrong(
            _POOL,
            f"Airflow does not render pool: it searches for one called {name!r}, and the task stays"
            " scheduled forever",
            remedy=f"write the pool's name into the DAG, such as pool={SUGGESTED_POOL!r}",
        )
    elif size is None:
        close = difflib.get_close_matches(name, pools, n=1)
        yield wrong(
            _POOL,
            f"there is no pool {name!r}: the task stays scheduled forever",
            remedy=f"use the pool {close[0]!r}, or create this one" if close else "",
            command=_set_pool(name, rate),
        )
    elif name == DEFAULT_POOL:
        yield wrong(
            _POOL,
            f"runs in {DEFAULT_POOL}, beside tasks of all kinds, so nothing keeps to the account's quota",
            remedy=f"give it pool={SUGGESTED_POOL!r} in the DAG",
            command="" if SUGGESTED_POOL in pools else _set_pool(SUGGESTED_POOL, rate),
        )
    elif size == _INFINITE:
        yield wrong(
            _POOL,
            f"{name} has unlimited slots, so it enforces no quota: all its tasks run at once",
            command=_set_pool(name, rate),
        )
    else:
        yield from _size(task, size, rate)


def _size(task: OcrTask, size: int, rate: Rate) -> Iterator[Finding]:
    name = task.pool
    if task.pool_slots > size:
        may_grow = size < rate.slots
        fewer = f"give it pool_slots={size} or fewer{', or make the pool larger' if may_grow else ''}"
        yield wrong(
            _POOL,
            f"wants {_slots(task.pool_slots)} of {name}, which has {size:,}: stays scheduled forever",
            remedy=fewer if size else "",
            command=_set_pool(name, rate) if may_grow else "",
        )
    if size * rate.requests_per_slot > rate.quota:
        yield wrong(
            _QUOTA,
            f"{name} has {_slots(size)}, worth {rate.of(size)}; the account may send {rate.quota:g}",
            remedy="make the pool smaller, or pass the account's quota with --quota",
            command=_set_pool(name, rate),
        )


def _max_per_second(task: OcrTask, rate: Rate) -> Iterator[Finding]:
    share = task.pool_slots * rate.requests_per_slot
    rates = {each.max_per_second for each in task.variants if each.max_per_second is not None}
    for each in sorted(rates):
        if each > share:
            yield wrong(
                _QUOTA,
                f"max_per_second={each:g} exceeds the {rate.of(task.pool_slots)} that its"
                f" {_slots(task.pool_slots)} of the pool allow: together, tasks would exceed the quota",
                remedy="remove max_per_second, or raise pool_slots to match it",
            )


@dataclass(frozen=True)
class PoolUse:
    """A pool that calls of an account run in.

    :param account: what identifies the account; may be a secret, and is never shown.
    """

    account: str
    pool: str
    slots: int
    requests_per_slot: float


def quota_shared_by_pools(uses: Iterable[PoolUse], quota: float) -> dict[str, Finding]:
    """Find pools that keep to the quota each, but not together.

    :param uses: existing pools that have a limit.
    :return: a finding by pool.
    """
    rates: dict[str, dict[str, float]] = {}
    for use in uses:
        pools = rates.setdefault(use.account, {})
        pools[use.pool] = max(pools.get(use.pool, 0), use.slots * use.requests_per_slot)
    found: dict[str, Finding] = {}
    for pools in rates.values():
        total = sum(pools.values())
        if len(pools) > 1 and total > quota:
            named = ", ".join(f"{name} ({rate:g})" for name, rate in sorted(pools.items()))
            finding = wrong(
                _QUOTA,
                f"calls of one account run in several pools, {named}: together {total:g} requests per second;"
                f" the account may send {quota:g}",
                remedy="run all tasks of the account in one pool, or divide the quota among the pools",
            )
            found |= dict.fromkeys(pools, finding)
    return found


def _slots(number: int) -> str:
    return many(number, "slot")


def _set_pool(name: str, rate: Rate) -> str:
    about = "MainlandPermitOCR, requests per second"
    return f'airflow pools set {shlex.quote(name)} {rate.slots} "{about}"'
