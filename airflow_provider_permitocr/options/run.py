"""What can be set about a run besides its list, its targets and its ledger."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.lists.image_access import DAY_SECONDS
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.options.validation import check, flag, instance_of, number, optional, whole

_MOST_IN_FLIGHT: Final = 128
_FEWEST_IN_FLIGHT: Final = 4
_SLOW_CALL_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Pace:
    """How fast to call.

    :param max_per_second: requests per second, evenly spaced; may be a fraction.
    :param max_in_flight: maximum requests in flight. Their number follows the rate and the measured latency
        (rate times latency); by default it covers up to three seconds a call, and 128 at most.
    :param phase: when this task's turns come within the interval between two turns, from 0 to 1, to keep out
        of step with other shards' tasks; None: from the first call on.
    :raises ValueError: naming the option.
    """

    max_per_second: float
    max_in_flight: int | None = None
    phase: float | None = None

    def __post_init__(self) -> None:
        check(
            self,
            max_per_second=number(above=0),
            max_in_flight=optional(whole(1)),
            phase=optional(number(least=0, below=1)),
        )

    @property
    def at_once(self) -> int:
        """Most requests in flight, chosen or by default."""
        needed = math.ceil(self.max_per_second * _SLOW_CALL_SECONDS)
        return self.max_in_flight or min(_MOST_IN_FLIGHT, max(_FEWEST_IN_FLIGHT, needed))


@dataclass(frozen=True, kw_only=True)
class CallRetry:
    """How often to call for one image. These limits hold for any order of errors.

    :param attempts: calls for one image in one run; 1 means no retry. Throttled calls are not counted. Nor
        are at most twelve calls that end with a fault of all calls: one before its keys are renewed, one
        while another image's calls confirm such a fault, and, once per image, one that encounters it with up
        to three that confirm it for the account, and six for the connection to the service.
    :param base_seconds: the first wait is drawn from 0 to this; it doubles each time (full jitter).
    :param max_wait_seconds: longest single wait, unless the answer requests a longer one.
    :param max_seconds: no call for an image begins later than this after its first, except for the calls
        that confirm such a fault, which take a minute at most. Time lost to throttled calls is not counted.
    :param max_throttled_seconds: how long throttling may keep a run below half of its pace in total before
        the run stops.
    :raises ValueError: naming the option.
    """

    attempts: int = 3
    base_seconds: float = 1.0
    max_wait_seconds: float = 30.0
    max_seconds: float = 300.0
    max_throttled_seconds: float = 900.0

    def __post_init__(self) -> None:
        seconds = number(least=0, unit="seconds")
        check(
            self,
            attempts=whole(1),
            base_seconds=seconds,
            max_wait_seconds=seconds,
            max_seconds=seconds,
            max_throttled_seconds=seconds,
        )


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How answers are delivered from the ledger, which already has them, to the result table.

    :param rows: rows per delivery.
    :param seconds: longest time between two deliveries.
    :param patience_seconds: how long to wait for a database that is busy, restarts or cannot be reached.
    :raises ValueError: naming the option.
    """

    rows: int = 500
    seconds: float = 5.0
    patience_seconds: float = 120.0

    def __post_init__(self) -> None:
        check(
            self,
            rows=whole(1),
            seconds=number(above=0, unit="seconds"),
            patience_seconds=number(least=0, most=DAY_SECONDS, unit="seconds"),
        )


@dataclass(frozen=True, kw_only=True)
class FailureLimits:
    """When to stop a run because of failures. Images rejected before a call do not count.

    :param stop_after: this many consecutive images with the same error code stop the run;
        None: never.
    :param max_failed_ratio: a larger share of images without fields than this stops the run, from 0 to 1;
        None: never.
    :param min_images: images that must be done before the share counts.
    :raises ValueError: naming the option.
    """

    stop_after: int | None = 50
    max_failed_ratio: float | None = None
    min_images: int = 100

    def __post_init__(self) -> None:
        check(
            self,
            stop_after=optional(whole(1)),
            max_failed_ratio=optional(number(least=0, most=1)),
            min_images=whole(1),
        )


#: Values that an operator accepts as they are.
RUN_RULES: Final = {
    "call_retry": instance_of(CallRetry),
    "batch": instance_of(Batch),
    "max_runs_per_image": whole(1),
    "failure_limits": instance_of(FailureLimits),
    "budget": instance_of(Budget),
    "reuse_identical": flag(),
    "leftovers": flag(),
    "redo": optional(instance_of(Redo)),
}


@dataclass(frozen=True)
class RunOptions:
    """A run's settings besides its source, images, client and targets.

    :param max_runs_per_image: DAG runs that try an image before a transient error counts as failed.
    :param reuse_identical: a picture that was recognized before takes that answer, without a call.
    :param leftovers: continue what earlier runs of the list left.
    :param redo: settled images to recognize again.
    :raises ValueError: naming the option.
    """

    pace: Pace
    call_retry: CallRetry = CallRetry()
    batch: Batch = Batch()
    max_runs_per_image: int = 3
    failure_limits: FailureLimits = FailureLimits()
    budget: Budget = Budget()
    reuse_identical: bool = False
    leftovers: bool = True
    redo: Redo | None = None

    def __post_init__(self) -> None:
        check(self, pace=instance_of(Pace), **RUN_RULES)
