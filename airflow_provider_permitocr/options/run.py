"""What a user can set about a run. Frozen, and checked where they are made, which is when a DAG is parsed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.redo import Redo

T = TypeVar("T")
_MOST_AT_ONCE: Final = 128
_FEWEST_AT_ONCE: Final = 4
_SLOW_CALL_SECONDS: Final = 3.0
#: What is much longer, or infinite, overflows in the operating system's timers.
_DAY: Final = 86_400
_HOST: Final = re.compile(r"[^\s/\\@?#%*,]+")


def in_order(option: str, given: Iterable[T], what: str) -> tuple[T, ...]:
    """Return what was given for an option that takes a list.

    A set has another order in each process, so that each parse would find another version of the DAG.

    :raises ValueError: for a text, a set and all else that has no order.
    """
    if isinstance(given, list | tuple):
        return tuple(given)
    kind = "one text" if isinstance(given, str) else f"a {type(given).__name__}"
    raise ValueError(f"{option} must be a list of {what}, not {kind}")


@dataclass(frozen=True)
class Pace:
    """How fast to call.

    :param max_per_second: requests per second, evenly spaced; may be a fraction.
    :param max_in_flight: most requests in flight. There are as many as the rate needs at the latency seen,
        rate times latency; by default that may be up to three seconds a call, and 128 at most.
    :param phase: where between two turns those of this task come, from 0 to 1, to keep out of step with the
        tasks of other shards; None: from the first call on.
    """

    max_per_second: float
    max_in_flight: int | None = None
    phase: float | None = None

    def __post_init__(self) -> None:
        if not (self.max_per_second > 0 and math.isfinite(self.max_per_second)):
            raise ValueError(f"max_per_second must be above 0, not {self.max_per_second!r}")
        if self.max_in_flight is not None and not (
            isinstance(self.max_in_flight, int) and self.max_in_flight > 0
        ):
            raise ValueError(
                f"max_in_flight must be a whole number from 1, not {self.max_in_flight!r}; leave it out"
                " for the"
                " default"
            )
        if self.phase is not None and not 0 <= self.phase < 1:
            raise ValueError(f"phase must be from 0 to below 1, not {self.phase!r}")

    @property
    def at_once(self) -> int:
        """Most requests in flight, chosen or by default."""
        needed = math.ceil(self.max_per_second * _SLOW_CALL_SECONDS)
        return self.max_in_flight or min(_MOST_AT_ONCE, max(_FEWEST_AT_ONCE, needed))


@dataclass(frozen=True)
class CallRetry:
    """How often to call for one image. These limits hold whatever errors come in whatever order.

    :param attempts: calls for one image in one run. Throttled calls are not counted. Nor are at most twelve
        that end with a fault of all calls: one before its keys are renewed, one while the calls for
        another image confirm such a fault, and, once per image, one that meets it with up to three that
        confirm it for the account, and six for the way there.
    :param base_seconds: the first wait is drawn from 0 to this; it doubles each time (full jitter).
    :param max_wait_seconds: longest single wait, unless the answer asks for a longer one.
    :param max_seconds: no call for an image begins later than this after its first, except for the calls
        that confirm such a fault, which take a minute at most. Time lost to throttled calls is not counted.
    :param max_throttled_seconds: how long in all the service may hold a run below half of its pace, by
        refusing calls for their rate, before the run gives up.
    """

    attempts: int = 3
    base_seconds: float = 1.0
    max_wait_seconds: float = 30.0
    max_seconds: float = 300.0
    max_throttled_seconds: float = 900.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1 (1 means no retry), not {self.attempts!r}")
        for name in ("base_seconds", "max_wait_seconds", "max_seconds", "max_throttled_seconds"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more seconds, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Batch:
    """How answers are delivered from the ledger to the result table, where they are safe already.

    :param rows: rows per delivery.
    :param seconds: longest time between two deliveries.
    :param patience_seconds: how long to wait for a database that is busy, restarts or cannot be reached.
    """

    rows: int = 500
    seconds: float = 5.0
    patience_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"batch rows must be at least 1, not {self.rows!r}")
        if not self.seconds > 0:
            raise ValueError(f"batch seconds must be above 0, not {self.seconds!r}")
        if not 0 <= self.patience_seconds <= _DAY:
            raise ValueError(
                f"batch patience_seconds must be from 0 to a day ({_DAY}), not {self.patience_seconds!r}"
            )


@dataclass(frozen=True)
class FailureLimits:
    """When going on makes no sense. Images that are rejected before a call do not count.

    :param stop_after: so many images one after the other that end with the same error code stop the run;
        None: never.
    :param max_failed_ratio: a larger share of images without fields than this stops the run, from 0 to 1;
        None: never.
    :param min_images: so many images have to be done before the share counts.
    """

    stop_after: int | None = 50
    max_failed_ratio: float | None = None
    min_images: int = 100

    def __post_init__(self) -> None:
        if self.stop_after is not None and self.stop_after < 1:
            raise ValueError(f"stop_after must be at least 1, or None, not {self.stop_after!r}")
        if self.max_failed_ratio is not None and not 0 <= self.max_failed_ratio <= 1:
            raise ValueError(f"max_failed_ratio must be from 0 to 1, or None, not {self.max_failed_ratio!r}")
        if self.min_images < 1:
            raise ValueError(f"min_images must be at least 1, not {self.min_images!r}")


@dataclass(frozen=True, repr=False)
class ImageAccess(Readable):
    """How images are reached, and made fit for the API.

    :param fetch_images: the worker downloads http(s) URLs, for networks that the API cannot see into;
        otherwise the API is given the URL.
    :param fetch_hosts: the only hosts to download from, redirects included: names or addresses, with a
        leading dot all below a domain, but not the domain itself; only those named may have private
        addresses. None: any public host.
    :param fetch_seconds: longest time for one download, redirects included; a day at most.
    :param storage_conn_id: Airflow connection for files and objects; by default the store's own, such as
        ``aws_default``. A URL that names a connection, as ``s3://conn_id@bucket/key``, goes before it.
    :param presign_cos: the API is given a presigned URL for ``cos://`` images, so that no image bytes pass
        through the worker.
    :param presign_seconds: how long such a URL is good for.
    :param shrink_oversized: images over the site's limit are encoded anew until they fit (extra ``images``);
        otherwise they are rejected.
    :param max_original_bytes: largest image that is read at all, to be converted or shrunk.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("storage_conn_id",)

    fetch_images: bool = False
    fetch_hosts: tuple[str, ...] | None = None
    fetch_seconds: float = 30.0
    storage_conn_id: str | None = None
    presign_cos: bool = False
    presign_seconds: int = 300
    shrink_oversized: bool = False
    max_original_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.fetch_hosts is not None:
            object.__setattr__(self, "fetch_hosts", in_order("fetch_hosts", self.fetch_hosts, "hosts"))
            _check_hosts(self.fetch_hosts)
        for name in ("fetch_seconds", "presign_seconds", "max_original_bytes"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be above 0, not {value!r}")
        if self.fetch_seconds > _DAY:
            raise ValueError(f"fetch_seconds must be a day ({_DAY}) at most, not {self.fetch_seconds!r}")


def _check_hosts(hosts: tuple[str, ...]) -> None:
    if not hosts:
        raise ValueError("fetch_hosts names no host; leave it out for any public one")
    for each in hosts:
        # One colon is a port's, more are an IPv6 address's.
        if not isinstance(each, str) or not _HOST.fullmatch(each) or each.count(":") == 1 or "]:" in each:
            raise ValueError(
                "fetch_hosts must hold hosts such as 'images.example.com', '.example.com' or '10.0.0.7',"
                f" without scheme, port, path or wildcards, not {each!r}"
            )


@dataclass(frozen=True)
class RunOptions:
    """Everything that the pipeline needs to know besides its source, image loader, client and target.

    :param max_runs_per_image: DAG runs that try an image before a transient error counts as failed.
    :param reuse_identical: a picture that was recognized before takes that answer, without a call.
    :param leftovers: take up what earlier runs of the list have left.
    :param redo: images to recognize anew, though they are settled.
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
        if self.max_runs_per_image < 1:
            raise ValueError(f"max_runs_per_image must be at least 1, not {self.max_runs_per_image!r}")
