"""A run's live figures: numbers only, for display, metrics and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Phase(StrEnum):
    """Where a run is."""

    PREPARING = "preparing"  #: list, ledger and targets are checked; no call was made
    RECOGNIZING = "recognizing"
    DELIVERING = "delivering"  #: every call is made; targets and files get the rest


@dataclass(frozen=True, kw_only=True)
class TargetFacts:
    """How far one result table has been filled.

    :param name: its name in the ledger.
    :param delivered: rows that this run has written.
    :param refused: rows that it does not take, of earlier runs too.
    :param is_on_hold: it cannot be written to now; calls continue.
    """

    name: str
    delivered: int = 0
    refused: int = 0
    is_on_hold: bool = False


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run at one moment, in numbers: no keys and no personal data.

    :param total: images to process, as far as they are counted.
    :param skipped: images that were already settled.
    :param statuses: images that this run has finished, by status.
    :param error_codes: images among them without fields, by error code.
    :param calls: requests sent, including retries and throttled ones.
    :param elsewhere: images that another run handled meanwhile.
    :param in_flight: requests in flight now.
    :param quota: requests per second that the run may send.
    :param pace: current requests per second after throttling.
    :param price_per_call: of a billed call; None: unknown.
    :param cap_of_run: maximum calls of the task in this DAG run; None: no cap.
    :param cap_of_day: maximum calls of the account in a day; None: no cap.
    :param at_cap: ``run`` or ``day``: the cap that is reached; None: neither.
    """

    phase: Phase
    total: int = 0
    skipped: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    error_codes: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    billed: int = 0
    throttled: int = 0
    reused: int = 0
    elsewhere: int = 0
    taken_up: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    quota: float = 0.0
    pace: float = 0.0
    targets: tuple[TargetFacts, ...] = ()
    price_per_call: Decimal | None = None
    currency: str | None = None
    cap_of_run: int | None = None
    cap_of_day: int | None = None
    at_cap: str | None = None

    @property
    def done(self) -> int:
        """Images that need nothing more from this run, including those already settled."""
        return self.skipped + sum(self.statuses.values()) + self.elsewhere


@dataclass(frozen=True, kw_only=True)
class TryFacts:
    """What one try of a task has called, by its ledger.

    :param answered: calls that were answered with fields.
    :param began_at: when its first call was written down.
    :param ended_at: when the outcome of its last call was.
    """

    number: int
    calls: int
    billed: int
    answered: int
    began_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class LedgerSums:
    """Sums in a ledger that go beyond one run.

    :param at: time of reading, by the ledger's clock.
    :param timezone: a day begins at midnight in this time zone.
    :param resets_at: when the next day begins.
    :param calls_today: of the account, by all runs that share the ledger.
    :param calls_of_run: of the task in this DAG run, all shards and tries together.
    :param cost_today: cost of the task's billed calls, by currency; '' is an unknown one.
    :param unpriced_today: billed calls of the task whose price is unknown.
    :param left_over: images of the list that earlier runs left, or that are to be retried.
    :param waiting_for_review: images of the list that a person should check; None: not counted.
    :param tries: of this run of the task, or of its shard, oldest first.
    """

    at: datetime
    timezone: str
    day: str
    resets_at: datetime
    calls_today: int = 0
    calls_of_run: int = 0
    billed_today: int = 0
    billed_month: int = 0
    cost_today: Mapping[str, Decimal] = field(default_factory=dict)
    cost_month: Mapping[str, Decimal] = field(default_factory=dict)
    unpriced_today: int = 0
    unpriced_month: int = 0
    left_over: int = 0
    waiting_for_review: int | None = None
    tries: tuple[TryFacts, ...] = ()


class ObservedRun(Protocol):
    """A run that can be looked at from any thread, at any time."""

    def facts(self) -> RunFacts:
        """Return the current figures; only takes a few locks that are held briefly."""
        ...

    def sums(self) -> LedgerSums | None:
        """Read the sums of its ledger; None if there are none yet.

        :raises PermitOcrError: when the ledger cannot be read now.
        """
        ...
