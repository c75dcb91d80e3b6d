"""The record of a run's progress: a few kilobytes of plain JSON values, which Airflow's page reads.

``plugins/static/js/record.js`` reads it. A new field is added in both; older records lack it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from airflow_provider_permitocr.engine.progress.facts import LedgerSums, RunFacts, TargetFacts, TryFacts
from airflow_provider_permitocr.engine.progress.timeline import Timeline

#: Raised with a change that an older page would misread.
FORM: Final = 1
#: Further codes and targets are summed up, so that the record stays small in any run.
_MOST_CODES: Final = 30
_MOST_TARGETS: Final = 20
_MOST_TRIES: Final = 10
#: A code or a name that is longer is cut.
_LONGEST: Final = 120
OTHER_CODES: Final = "(others)"
#: Counts of a run, which have the same names here.
_COUNTS: Final = (
    *("total", "done", "skipped", "calls", "billed", "throttled"),
    *("reused", "elsewhere", "taken_up", "in_flight", "max_in_flight"),
)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The constant part of a run's record.

    :param try_number: Airflow's, from 1.
    :param shard: such as ``2/4``.
    :param tables: result tables by the author's names, in the order of the run's targets.
    :param files: locations of result files.
    """

    try_number: int = 1
    shard: str | None = None
    pool: str | None = None
    pool_slots: int | None = None
    tables: Sequence[str] = ()
    files: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class End:
    """How a run has ended.

    :param why: the kind of error that ended it; None: it succeeded.
    :param code: the API's code, if one ended it.
    """

    why: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Reporting:
    """What reporting has taken of a run.

    :param seconds: that its thread was busy, or waited for an answer.
    :param cpu_seconds: of these, that it computed: what calls could not use.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def plus(self, seconds: float, cpu_seconds: float) -> Reporting:
        """Return this with more."""
        return Reporting(self.seconds + seconds, self.cpu_seconds + cpu_seconds)


def as_record(
    recorded: Recorded,
    facts: RunFacts,
    timeline: Timeline,
    *,
    started_at: datetime,
    now: datetime,
    reporting: Reporting = Reporting(),
    sums: LedgerSums | None = None,
    end: End | None = None,
) -> dict[str, Any]:
    """Return the record as plain JSON values.

    :param started_at: when the run began, by the worker's clock, as ``now`` is.
    :param end: None while it runs.
    """
    state = "running" if end is None else "failed" if end.why else "done"
    return {
        "form": FORM,
        "state": state,
        "why": end.why if end else None,
        "why_code": _cut(end.code) if end and end.code else None,
        "phase": facts.phase.value,
        "started_at": _time(started_at),
        "at": _time(now),
        "try_number": recorded.try_number,
        "shard": recorded.shard,
        "pool": recorded.pool,
        "pool_slots": recorded.pool_slots,
        **{name: getattr(facts, name) for name in _COUNTS},
        "statuses": dict(facts.statuses),
        "error_codes": _fewer(facts.error_codes),
        "flags": _fewer(facts.flags),
        "quota": round(facts.quota, 3),
        "pace": round(facts.pace, 3),
        "price": _amount(facts.price_per_call),
        "currency": facts.currency,
        "caps": {"run": facts.cap_of_run, "day": facts.cap_of_day, "reached": facts.at_cap},
        "targets": _targets(facts.targets, recorded.tables),
        "files": [_cut(each) for each in recorded.files[:_MOST_TARGETS]],
        "sums": _sums(sums) if sums else None,
        "reporting": {
            "seconds": round(reporting.seconds, 3),
            "cpu_seconds": round(reporting.cpu_seconds, 3),
        },
        "points": timeline.columns(),
    }


def _targets(targets: Sequence[TargetFacts], tables: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": _cut(target.name),
            "table": tables[number] if number < len(tables) else None,
            "delivered": target.delivered,
            "refused": target.refused,
            "on_hold": target.is_on_hold,
        }
        for number, target in enumerate(targets[:_MOST_TARGETS])
    ]


def _sums(sums: LedgerSums) -> dict[str, Any]:
    """Return all that is known, under the names that it has here."""
    return {
        **vars(sums),
        "at": _time(sums.at),
        "resets_at": _time(sums.resets_at),
        "cost_today": {name: _amount(cost) for name, cost in sums.cost_today.items()},
        "cost_month": {name: _amount(cost) for name, cost in sums.cost_month.items()},
        "tries": [_try(each) for each in sums.tries[-_MOST_TRIES:]],
    }


def _try(facts: TryFacts) -> dict[str, Any]:
    return {
        **vars(facts),
        "began_at": facts.began_at and _time(facts.began_at),
        "ended_at": facts.ended_at and _time(facts.ended_at),
    }


def _fewer(counts: Mapping[str, int]) -> dict[str, int]:
    """Keep the most frequent entries, and sum up the rest."""
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = {_cut(name): count for name, count in by_count[:_MOST_CODES]}
    rest = sum(count for _, count in by_count[_MOST_CODES:])
    return kept | ({OTHER_CODES: rest} if rest else {})


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
