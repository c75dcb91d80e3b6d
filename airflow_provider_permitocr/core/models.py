"""The values that travel through the pipeline, in the order in which they come about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from os import PathLike
from typing import Any, Final, TypeAlias

from airflow_provider_permitocr.core.api import CardSide

#: A reference to an image, or the image itself. See ``core/image_reference.py`` for what is understood.
ImageValue: TypeAlias = "str | bytes | bytearray | memoryview | PathLike[str] | None"
#: What a column of the result holds.
Value: TypeAlias = "str | int | float | bool | date | datetime | None"
#: One row of the result, keyed by the names in ``core/columns.py``.
Record: TypeAlias = "dict[str, Value]"
#: ``(image_key, card_side)``: what identifies a row of the result.
RowKey: TypeAlias = "tuple[str, CardSide]"


class ImageKind(StrEnum):
    """What an image list's image column holds."""

    AUTO = "auto"
    URL = "url"
    PATH = "path"
    BASE64 = "base64"
    DATA_URI = "data_uri"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One line of the image list, without the image itself: that is fetched for those that need a call.

    :param updated_at: when the image last changed, with time zone; None where the list does not say.
    :param source_key: the key as the list's database has it, to fetch the image by.
    """

    image_key: str
    card_side: CardSide = CardSide.FRONT
    updated_at: datetime | None = None
    source_key: Any = field(default=None, repr=False, compare=False)

    @property
    def row_key(self) -> RowKey:
        """What identifies the row of the result."""
        return (self.image_key, self.card_side)


@dataclass(frozen=True, slots=True)
class ImageFault:
    """Why the image list's database does not give a row's image, so that it is rejected.

    :param code: short name for the ``error_code`` column.
    :param message: holds no value of the row.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One line of the image list, with its image.

    :param updated_at: when the image last changed, with time zone; None where the list does not say.
    :param tries: earlier runs that have tried this version of the image.
    :param kind: what ``image`` is, where the list says so.
    :param carried: further columns of the result, by name.
    :param source_key: the key as the list's database has it.
    :param is_redone: asked for anew, so that no answer there is will do.
    :param fault: why there is no image, where the list's database does not give it.
    """

    image_key: str
    image: ImageValue = field(repr=False)
    card_side: CardSide = CardSide.FRONT
    updated_at: datetime | None = None
    tries: int = 0
    kind: ImageKind = ImageKind.AUTO
    carried: Record = field(default_factory=dict, repr=False)
    source_key: Any = field(default=None, repr=False, compare=False)
    is_redone: bool = False
    fault: ImageFault | None = None

    @property
    def row_key(self) -> RowKey:
        """What identifies the row of the result."""
        return (self.image_key, self.card_side)

    @property
    def listed(self) -> ListedImage:
        """The same line of the list without its image."""
        return ListedImage(self.image_key, self.card_side, self.updated_at, self.source_key)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of an image without looking at what it shows.

    :param image_format: by its content, such as JPEG or HEIC.
    :param size: in bytes, as it was found.
    :param prepared: what was done to it before sending, in words; None: nothing.
    :param digest: its SHA-256 as it was found, in hexadecimal; None where only the API sees it.
    """

    image_format: str | None = None
    size: int | None = None
    prepared: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """One call's parameters; exactly one of the two images is given.

    :param image: the file's bytes, PNG or JPEG.
    :param call_id: tells this call from all others; sent along as ``X-TC-TraceId``.
    """

    card_side: CardSide
    ret_profile: bool = False
    image_url: str | None = field(default=None, repr=False)
    image: bytes | None = field(default=None, repr=False)
    facts: ImageFacts = ImageFacts()
    call_id: str = ""

    def __post_init__(self) -> None:
        if (self.image_url is None) == (self.image is None):
            raise ValueError(
                "give either image_url or image: the API ignores one of them where both are sent"
            )


@dataclass(frozen=True, slots=True)
class PermitResponse:
    """A successful answer: the API's output fields under the API's names.

    :param call_id: of the call that it answers.
    """

    fields: Mapping[str, Any] = field(repr=False)
    request_id: str
    call_id: str = field(default="", compare=False)


class Status(StrEnum):
    """How an image ended. All but UNSETTLED ones wait until the image changes, or is asked for again."""

    RECOGNIZED = "recognized"
    REJECTED = "rejected"
    FAILED = "failed"
    RETRY = "retry"
    REDO = "redo"  #: of an attempt alone: asked for again, and not answered yet
    GONE = "gone"  #: to be tried again, but no longer listed


#: Images whose last attempt is one of these are taken up by the next run that lists them.
UNSETTLED: Final = frozenset({Status.RETRY, Status.REDO, Status.GONE})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    :param fields: the flattened columns; empty unless recognized.
    :param facts: what was learnt of the image on the way.
    :param reused_from: key of the image whose answer this is, where no call was made as it is the same.
    :param counts: whether this run counts among the image's tries.
    :param is_verdict: whether the API itself has said so of the image.
    :param answer_id: the call whose answer this is; None unless recognized.
    """

    row: ImageRow
    status: Status
    fields: Record = field(default_factory=dict, repr=False)
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None
    facts: ImageFacts = ImageFacts()
    reused_from: str | None = None
    counts: bool = True
    is_verdict: bool = False
    answer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Previous:
    """What the ledger says already of an image.

    :param status: of the last attempt.
    :param tries: earlier runs that have tried this version of the image.
    :param seen_at: change time of the image that was tried, or else the time of the try.
    """

    status: Status
    tries: int
    seen_at: datetime | None


@dataclass(frozen=True)
class RunSummary:
    """What a run did, in numbers alone: this is what XCom and logs may see.

    :param listed: rows of the image list.
    :param skipped: rows that an earlier run had settled.
    :param statuses: rows written by this run, by status.
    :param error_codes: rows written by this run without fields, by error code.
    :param calls: requests sent, retries and throttled ones included.
    :param throttled: calls that the service refused for their rate.
    :param reused: rows that took the answer of the same picture, without a call.
    :param elsewhere: rows that another run has dealt with meanwhile.
    :param billed: calls that are paid for, as far as is known.
    :param cost: their price in words; None where no price is known.
    :param left: why rows were left for a later run; None: none was.
    :param taken_up: images of earlier runs that these had left, and this run has dealt with.
    :param unread: images of earlier runs that cannot be listed again.
    :param refused: rows that a result table does not take, of this run and earlier ones.
    """

    listed: int
    skipped: int
    statuses: Mapping[str, int]
    error_codes: Mapping[str, int]
    calls: int
    throttled: int
    elapsed_seconds: float
    reused: int = 0
    elsewhere: int = 0
    billed: int = 0
    cost: str | None = None
    left: str | None = None
    taken_up: int = 0
    unread: int = 0
    refused: int = 0

    @property
    def calls_per_second(self) -> float:
        """The rate reached over the whole run; 0 for a run that took no time."""
        return self.calls / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    def __str__(self) -> str:
        statuses = ", ".join(f"{count:,} {status}" for status, count in self.statuses.items())
        return (
            f"{self.listed:,} listed, {self.skipped:,} settled before; {statuses or 'no new rows'};"
            f" {self.calls:,} calls in {self.elapsed_seconds:.1f} s ({self.calls_per_second:.1f}/s),"
            f" {self.throttled:,} throttled, {self.billed:,} billed"
            + (f" ({self.cost})" if self.cost else "")
            + (f"; {self.reused:,} took the answer of the same picture" if self.reused else "")
            + (f"; {self.elsewhere:,} done by another run meanwhile" if self.elsewhere else "")
            + (f"; {self.taken_up:,} of earlier runs among them" if self.taken_up else "")
            + (f"; {self.refused:,} rows refused by a result table" if self.refused else "")
            + (f"; {self.unread:,} of earlier runs cannot be listed again" if self.unread else "")
            + (f"; {self.left}" if self.left else "")
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return {
            "listed": self.listed,
            "skipped": self.skipped,
            "statuses": dict(self.statuses),
            "error_codes": dict(self.error_codes),
            "calls": self.calls,
            "throttled": self.throttled,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "calls_per_second": round(self.calls_per_second, 2),
            "reused": self.reused,
            "elsewhere": self.elsewhere,
            "billed": self.billed,
            "cost": self.cost,
            "left": self.left,
            "taken_up": self.taken_up,
            "unread": self.unread,
            "refused": self.refused,
        }
