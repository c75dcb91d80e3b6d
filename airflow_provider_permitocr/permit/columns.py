"""The result table's columns, and with them the API's fields that they hold, declared once.

DataFrame, SQL table and files, the view of documents, what is read of an answer and what the emulator answers
follow from here. A new field that is plain text is a line here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeAlias

#: What a column of the result holds.
Value: TypeAlias = "str | int | float | bool | date | datetime | None"
#: One row of the result, keyed by the names in ``COLUMNS``.
Record: TypeAlias = "dict[str, Value]"


class ColumnKind(StrEnum):
    """What a column holds; ``frame.py`` and ``sql/database/types.py`` each map it to their own types."""

    KEY = "key"
    TEXT = "text"
    LONG_TEXT = "long text"
    DATE = "date"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Column:
    """One column of the result.

    :param api_field: the API's output field, if the column stores it unchanged as text.
    :param longest: maximum length of its values in characters, with room to spare; a table with shorter
        columns is refused before the first call. None: unknown in advance, as for keys and copied columns;
        the table then refuses rows with longer values.
    """

    name: str
    kind: ColumnKind
    comment: str
    api_field: str | None = None
    longest: int | None = None


#: A crop of an image that has 7 MB in base64 at most; in characters.
_PORTRAIT: Final = 2**20
KEY_COLUMNS: Final = ("image_key", "card_side")

_KEYS: Final = (
    Column("image_key", ColumnKind.KEY, "Key of the image in the image list"),
    Column("card_side", ColumnKind.KEY, "Side that was asked for: FRONT or BACK", longest=5),
)
_STATUS: Final = (
    Column(
        "status",
        ColumnKind.TEXT,
        "recognized (has fields), rejected (before any call), failed, retry (tried again), gone (no longer"
        " listed) or erased",
        longest=10,
    ),
    Column(
        "error_code",
        ColumnKind.TEXT,
        "Why there are no fields: the API's code, or this package's for rejected images",
        longest=64,
    ),
    Column(
        "error_message",
        ColumnKind.LONG_TEXT,
        "Explains error_code, without values of the document",
        longest=500,
    ),
)
#: What is printed on a card, in the longer of the API's two languages: the longest document type that it
#: names has 64 characters (tencentcloud.com/document/product/1005, "MainlandPermitOCR").
_FRONT: Final = (
    Column("type", ColumnKind.TEXT, "Document type, as printed", "Type", longest=64),
    Column(
        "permit_kind",
        ColumnKind.TEXT,
        "Document type: taiwan, hong_kong_macao, hong_kong_macao_non_chinese or exit_entry; NULL: unknown",
        longest=32,
    ),
    Column("name", ColumnKind.TEXT, "Name in Chinese", "Name", longest=40),
    Column("english_name", ColumnKind.TEXT, "Name in English", "EnglishName", longest=64),
    Column("sex", ColumnKind.TEXT, "Gender, as printed", "Sex", longest=6),
    Column("sex_code", ColumnKind.TEXT, "Gender: M or F; NULL: unknown", longest=1),
    Column("birthday", ColumnKind.DATE, "Date of birth"),
    Column("birthday_raw", ColumnKind.TEXT, "Date of birth, as printed", "Birthday", longest=16),
    Column(
        "number", ColumnKind.TEXT, "Document number; text, so that leading zeros stay", "Number", longest=20
    ),
    Column("valid_from", ColumnKind.DATE, "First day of validity"),
    Column("valid_until", ColumnKind.DATE, "Last day of validity; NULL beside a valid_from means no end"),
    Column("valid_date", ColumnKind.TEXT, "Validity period, as printed", "ValidDate", longest=32),
    Column("issue_authority", ColumnKind.TEXT, "Issuing authority", "IssueAuthority", longest=64),
    Column("issue_address", ColumnKind.TEXT, "Place of issue", "IssueAddress", longest=32),
    Column(
        "issue_number",
        ColumnKind.TEXT,
        "How many times the permit was issued, as printed",
        "IssueNumber",
        longest=8,
    ),
    Column("nationality", ColumnKind.TEXT, "Nationality of the holder", "Nationality", longest=64),
    Column(
        "profile",
        ColumnKind.LONG_TEXT,
        "Path or URL of the portrait, or the portrait as base64; only if requested",
        "Profile",
        longest=_PORTRAIT,
    ),
)
#: ``Name`` and ``Type`` are missing on the API page, but are in the service's full sample.
_BACK: Final = (
    Column("back_type", ColumnKind.TEXT, "Document type, from the back", "Type", longest=64),
    Column("back_name", ColumnKind.TEXT, "Name, from the back", "Name", longest=40),
    Column("back_id_number", ColumnKind.TEXT, "Hong Kong or Macao identity number", "IDNumber", longest=20),
    Column("back_history_number", ColumnKind.TEXT, "Earlier document number", "HistoryNumber", longest=32),
)
_WARNINGS: Final = (
    Column(
        "warn_card_infos",
        ColumnKind.TEXT,
        "The API's warning codes as a JSON list; NULL: none were sent",
        longest=64,
    ),
    Column("warn_photocopy", ColumnKind.BOOLEAN, "The API warns of a photocopy (-9102); NULL: not examined"),
    Column(
        "warn_recapture",
        ColumnKind.BOOLEAN,
        "The API warns of a picture of a screen (-9103); NULL: not examined",
    ),
    Column(
        "warn_photoshopped",
        ColumnKind.BOOLEAN,
        "The API warns of an edited picture (-9104); NULL: not examined",
    ),
    Column("warn_not_enabled", ColumnKind.BOOLEAN, "The account has no warning capability (-9109)"),
)
_QUALITY: Final = (
    Column(
        "quality_flags",
        ColumnKind.TEXT,
        "Reasons to doubt the fields, and facts such as expired, as a JSON list; NULL: not examined",
        longest=1000,
    ),
    Column("is_doubtful", ColumnKind.BOOLEAN, "Whether a flag says that the reading may be wrong"),
    Column(
        "is_expired",
        ColumnKind.BOOLEAN,
        "Whether the document had expired on the day of the result; NULL: its period was not read",
    ),
    Column(
        "declared_differs",
        ColumnKind.BOOLEAN,
        "Whether a field differs from the declared value; NULL: nothing to compare",
    ),
)
_IMAGE: Final = (
    Column(
        "image_format",
        ColumnKind.TEXT,
        "Format of the image, by its content; NULL: only the API saw it",
        longest=8,
    ),
    Column("image_bytes", ColumnKind.INTEGER, "Size of the original image in bytes"),
    Column("image_width", ColumnKind.INTEGER, "Width of the image in pixels; NULL: only the API saw it"),
    Column("image_height", ColumnKind.INTEGER, "Height of the image in pixels; NULL: only the API saw it"),
    Column(
        "image_prepared",
        ColumnKind.TEXT,
        "How the image was converted before the call; NULL: sent unchanged",
        longest=64,
    ),
    Column(
        "image_digest",
        ColumnKind.TEXT,
        "SHA-256 of the original image; NULL: only the API saw it",
        longest=64,
    ),
    Column(
        "reused_from", ColumnKind.TEXT, "Key of the identical image whose answer was reused; NULL: its own"
    ),
)
_RUN: Final = (
    Column("request_id", ColumnKind.TEXT, "RequestId of the answer, for Tencent Cloud's support", longest=36),
    Column("tries", ColumnKind.INTEGER, "Runs that have tried this version of the image"),
    Column("image_updated_at", ColumnKind.TIMESTAMP, "When the image had last changed, from the image list"),
    Column("processed_at", ColumnKind.TIMESTAMP, "When this result was reached"),
    Column("run_id", ColumnKind.TEXT, "Airflow run that reached this result", longest=64),
)
_ATTEMPT: Final = (
    Column(
        "attempt_status",
        ColumnKind.TEXT,
        "How the last attempt ended; it never replaces an answer",
        longest=10,
    ),
    Column("attempt_code", ColumnKind.TEXT, "Error code of the last attempt", longest=64),
    Column("attempted_at", ColumnKind.TIMESTAMP, "When the last attempt was"),
    Column("version", ColumnKind.INTEGER, "Version of the ledger; a row is never replaced by an older one"),
)
_REVIEW: Final = (
    Column(
        "review_status",
        ColumnKind.TEXT,
        "A person's decision: confirmed, corrected or rejected; NULL: undecided",
        longest=16,
    ),
    Column("reviewed_at", ColumnKind.TIMESTAMP, "When the person decided"),
    Column(
        "corrections",
        ColumnKind.LONG_TEXT,
        "Corrected values by column, as a JSON object; the reading stays unchanged",
    ),
)

FRONT_COLUMNS: Final = tuple(column.name for column in _FRONT)
BACK_COLUMNS: Final = tuple(column.name for column in _BACK)
#: Columns of an answer; all others are about the image, the call and the run.
ANSWER_COLUMNS: Final = tuple(column.name for column in _FRONT + _BACK + _WARNINGS + _QUALITY)
QUALITY_COLUMNS: Final = tuple(column.name for column in _QUALITY)
COLUMNS: Final = _KEYS + _STATUS + _FRONT + _BACK + _WARNINGS + _QUALITY + _IMAGE + _RUN + _ATTEMPT + _REVIEW
COLUMN_NAMES: Final = frozenset(column.name for column in COLUMNS)
FRONT_TEXT_COLUMNS: Final = {column.name: column.api_field for column in _FRONT if column.api_field}
BACK_TEXT_COLUMNS: Final = {column.name: column.api_field for column in _BACK if column.api_field}


def result_columns(carried: Sequence[Column] = ()) -> tuple[Column, ...]:
    """Return all columns of a result.

    :param carried: columns of the image list that are copied into the result.
    :raises ValueError: when one of them has the name of another column.
    """
    names = [column.name for column in (*COLUMNS, *carried)]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the result would have two columns {', '.join(doubled)}; rename what is copied")
    return (*COLUMNS, *carried)
