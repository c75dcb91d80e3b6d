"""The values of the pipeline, in the order in which they are created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from os import PathLike
from typing import Any, Final, TypeAlias

from airflow_provider_permitocr.options.lists.image_list import ImageKind
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status

#: A reference to an image, or the image itself. See ``images/reference.py`` for accepted forms.
ImageValue: TypeAlias = "str | bytes | bytearray | memoryview | PathLike[str] | None"
#: ``(image_key, card_side)``: what identifies a row of the result.
RowKey: TypeAlias = "tuple[str, CardSide]"


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One line of the image list, without its image, which is only fetched if it needs a call.

    :param updated_at: when the image last changed, with time zone; None if the list has no change times.
    :param source_key: the key as the list's database stores it, to fetch the image by.
    """

    image_key: str
    card_side: CardSide = CardSide.FRONT
    updated_at: datetime | None = None
    source_key: Any = field(default=None, repr=False, compare=False)

    @property
    def row_key(self) -> RowKey:
        """Key of the result row."""
        return (self.image_key, self.card_side)


@dataclass(frozen=True, slots=True)
class ImageFault:
    """Why a row's image cannot be read from the image list's database, so that it is rejected.

    :param code: short name for the ``error_code`` column.
    :param message: without values of the row.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One line of the image list, with its image.

    :param updated_at: when the image last changed, with time zone; None if the list has no change times.
    :param tries: earlier runs that have tried this version of the image.
    :param kind: what ``image`` is, if the list says so.
    :param carried: additional columns of the result, by name, protected by the privacy policy.
    :param declared: columns among them that answers are compared with, as the list has them; empty if no
        policy changes them.
    :param source_key: the key as the list's database stores it.
    :param is_redone: requested again, so existing answers are not used.
    :param fault: why there is no image, if the list's database cannot provide it.
    """

    image_key: str
    image: ImageValue = field(repr=False)
    card_side: CardSide = CardSide.FRONT
    updated_at: datetime | None = None
    tries: int = 0
    kind: ImageKind = ImageKind.AUTO
    carried: Record = field(default_factory=dict, repr=False)
    declared: Record = field(default_factory=dict, repr=False)
    source_key: Any = field(default=None, repr=False, compare=False)
    is_redone: bool = False
    fault: ImageFault | None = None

    @property
    def row_key(self) -> RowKey:
        """Key of the result row."""
        return (self.image_key, self.card_side)

    @property
    def listed(self) -> ListedImage:
        """The same line of the list without its image."""
        return ListedImage(self.image_key, self.card_side, self.updated_at, self.source_key)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known about an image without recognizing it.

    :param image_format: by its content, such as JPEG or HEIC.
    :param size: of the original, in bytes.
    :param prepared: how it was converted before sending, in words; None: unchanged.
    :param digest: SHA-256 of the original, in hexadecimal; None if only the API sees it.
    :param width: in pixels, of the original, or else as sent.
    :param height: in pixels, of the same.
    """

    image_format: str | None = None
    size: int | None = None
    prepared: str | None = None
    digest: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def without_identity(self) -> ImageFacts:
        """The same without what finds the image again: its digest and its size."""
        return ImageFacts(self.image_format, prepared=self.prepared)

    @property
    def columns(self) -> dict[str, str | int | None]:
        """The same by the names of columns, of results and of ledgers."""
        return {column: getattr(self, name) for column, name in _FACT_COLUMNS.items()}

    @classmethod
    def of_columns(cls, row: Mapping[str, Any]) -> ImageFacts:
        """Return what a row has of it by the names of columns; what the row lacks is not known."""
        return cls(**{name: row.get(column) for column, name in _FACT_COLUMNS.items()})


#: Fields by their columns.
_FACT_COLUMNS: Final = {
    "image_format": "image_format",
    "image_bytes": "size",
    "image_prepared": "prepared",
    "image_digest": "digest",
    "image_width": "width",
    "image_height": "height",
}


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """One call's parameters; exactly one of the two images is given.

    :param image: the file's bytes, PNG or JPEG.
    :param call_id: identifies this call; sent as ``X-TC-TraceId``.
    """

    card_side: CardSide
    with_portrait: bool = False
    image_url: str | None = field(default=None, repr=False)
    image: bytes | None = field(default=None, repr=False)
    facts: ImageFacts = ImageFacts()
    call_id: str = ""

    def __post_init__(self) -> None:
        if (self.image_url is None) == (self.image is None):
            raise ValueError("give either image_url or image, not both: the API ignores one of them")


@dataclass(frozen=True, slots=True)
class UnfitImage:
    """An image that cannot be sent, so that no call is made for it.

    :param status: ``rejected`` if the API would refuse it until it changes, or ``retry``.
    :param code: short name for the ``error_code`` column.
    :param counts: whether this run counts as a try: not if the image could not be reached, for instance
        because its host is down.
    """

    status: Status
    code: str
    message: str
    facts: ImageFacts = ImageFacts()
    counts: bool = True


@dataclass(frozen=True, slots=True)
class PermitResponse:
    """A successful answer: the API's output fields under the API's names.

    :param call_id: of the call that it answers.
    """

    fields: Mapping[str, Any] = field(repr=False)
    request_id: str
    call_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one image.

    :param fields: the flattened columns; empty unless recognized.
    :param facts: facts learned about the image.
    :param reused_from: key of the identical image whose answer was reused instead of a call.
    :param counts: whether this run counts as a try.
    :param is_verdict: whether the API itself reported this about the image.
    :param answer_id: the call that got the answer; None unless recognized.
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

    @property
    def is_doubtful(self) -> bool | None:
        """Whether a quality flag doubts the fields; None if they were not examined."""
        doubtful = self.fields.get("is_doubtful")
        return doubtful if isinstance(doubtful, bool) else None

    @property
    def flags(self) -> tuple[str, ...]:
        """The quality flags of the fields."""
        flags = self.fields.get("quality_flags")
        return tuple(json.loads(flags)) if isinstance(flags, str) else ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that other images with the same bytes may take.

    :param image_key: of the image that was called for.
    :param fields: the flattened columns.
    :param request_id: the service's ``RequestId`` of that call.
    :param answer_id: that call.
    """

    image_key: str
    fields: Record = field(repr=False)
    request_id: str | None = None
    answer_id: str = ""


@dataclass(frozen=True, slots=True)
class Previous:
    """What the ledger already has about an image.

    :param status: of the last attempt.
    :param tries: earlier runs that have tried this version of the image.
    :param seen_at: change time of the image that was tried, or else the time of the try.
    """

    status: Status
    tries: int
    seen_at: datetime | None


class Left(StrEnum):
    """Why an image was left: nothing is recorded about it, so a later run takes it."""

    STOPPED = "stopped"  #: the run was asked to stop, or its ledger cannot be written
    CAPPED = "capped"  #: no more calls are allowed
    HELD = "held"  #: another run is calling for it
    SETTLED = "settled"  #: another run has dealt with it since it was looked up
