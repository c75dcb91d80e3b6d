"""One answer of the API: nested and all text, as flat typed columns, and as the ledger keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Any, Final

from airflow_provider_permitocr.permit.api import BACK_FIELD, WARNINGS_FIELD, CardWarning
from airflow_provider_permitocr.permit.columns import (
    ANSWER_COLUMNS,
    BACK_TEXT_COLUMNS,
    COLUMNS,
    FRONT_TEXT_COLUMNS,
    QUALITY_COLUMNS,
    ColumnKind,
    Record,
    Value,
)
from airflow_provider_permitocr.permit.dates import parse_date, parse_period
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.quality.assessment import Assessment, Subject
from airflow_provider_permitocr.permit.quality.kinds import permit_kind, sex_code

_EXAMINED = {
    "warn_photocopy": CardWarning.PHOTOCOPY,
    "warn_recapture": CardWarning.RECAPTURE,
    "warn_photoshopped": CardWarning.PHOTOSHOPPED,
}
#: Metadata of a protected answer, beside its columns: the method applied to each fact.
_APPLIED: Final = "privacy"
#: In the path of each file.
_NOT_IN_BASE64: Final = "."
_PORTRAIT: Final = "Profile"
_NOT_EXAMINED: Final[Record] = dict.fromkeys(QUALITY_COLUMNS)
_KINDS: Final = {column.name: column.kind for column in COLUMNS}


def flatten(fields: Mapping[str, Any]) -> Record:
    """Flatten the API's output fields (``Response`` without its envelope).

    Text that is absent or '' becomes None. A date that cannot be read is None beside its raw text.
    Unknown fields are left out.
    """
    back = fields.get(BACK_FIELD)
    record: Record = {column: _text(fields.get(name)) for column, name in FRONT_TEXT_COLUMNS.items()}
    record |= {
        column: _text(back.get(name)) if isinstance(back, Mapping) else None
        for column, name in BACK_TEXT_COLUMNS.items()
    }
    record["birthday"] = parse_date(_text(fields.get("Birthday")))
    record["valid_from"], record["valid_until"] = parse_period(_text(fields.get("ValidDate")))
    kind = permit_kind(record)
    record["permit_kind"] = kind and kind.value
    record["sex_code"] = sex_code(_as_text(record["sex"]))
    return record | _warnings(fields.get(WARNINGS_FIELD))


def _as_text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def clean_text(text: str) -> str:
    """Replace what databases refuse in text, NUL and lone surrogates, by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text  # not a copy, as portraits are large
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_texts(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Clean each as ``clean_text`` does, in a fraction of the time where none needs it."""
    together = "".join(filter(None, texts))
    # Two halves of a pair that meet between texts change as well: they become one character.
    if clean_text(together) == together:
        return texts
    return [text and clean_text(text) for text in texts]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return clean_text(text.strip()) or None


def _warnings(codes: Any) -> Record:
    if not isinstance(codes, list):
        return dict.fromkeys(("warn_card_infos", *_EXAMINED, "warn_not_enabled"))
    not_enabled = CardWarning.NOT_ENABLED in codes
    # Without the capability, no check was made, so "no photocopy" would be an unfounded claim.
    examined: Record = {name: None if not_enabled else code in codes for name, code in _EXAMINED.items()}
    return {"warn_card_infos": json.dumps(codes), "warn_not_enabled": not_enabled, **examined}


class AnswerForm(IntEnum):
    """How an answer is kept."""

    ADOPTED = 0  #: columns of a result table that was taken over
    AS_ANSWERED = 1  #: the API's output fields, under the API's names
    PROTECTED = 2  #: columns of the result as a privacy policy has them, and what that did


@dataclass(frozen=True)
class Reading:
    """How an answer becomes columns: it is examined, and then protected."""

    assessment: Assessment = Assessment()
    protection: Protection = Protection()

    def reexamined(self, columns: Record, subject: Subject) -> Record:
        """Return the columns of an answer that another image takes.

        What a policy has hidden can't be examined again: the flags of the first image stay.
        """
        if self.protection.methods:
            return columns
        return columns | self.assessment.columns(columns, subject)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as the ledger keeps it.

    :param values: plain values; days are dates, or text in ISO form once they were JSON.
    :param form: how to read them.
    """

    values: Mapping[str, Any] = field(repr=False)
    form: AnswerForm = AnswerForm.AS_ANSWERED

    @classmethod
    def received(cls, fields: Mapping[str, Any]) -> KeptAnswer:
        """Return an answer as the API sent it, but for a portrait that would pass for a file's path.

        An erasure deletes the files that such paths lead to.
        """
        if _NOT_IN_BASE64 in (_text(fields.get(_PORTRAIT)) or ""):
            return cls({name: value for name, value in fields.items() if name != _PORTRAIT})
        return cls(fields)

    def record(self, reading: Reading = Reading(), subject: Subject | None = None) -> Record:
        """Return the columns of the result, as the policy of now has them.

        What an earlier policy has dropped does not come back. An answer that it has hidden keeps its flags.

        :param subject: the image that it is about; None: it is not examined.
        """
        protection = reading.protection
        if self.form is AnswerForm.AS_ANSWERED:
            columns = flatten(self.values)
            columns |= reading.assessment.columns(columns, subject) if subject else _NOT_EXAMINED
        else:
            columns = {name: _value(_KINDS[name], self.values.get(name)) for name in ANSWER_COLUMNS}
        return protection.protect(columns, self._applied) if protection.methods else columns

    def protected(self, reading: Reading, subject: Subject | None = None) -> KeptAnswer:
        """Return the answer under the policy; unknown fields are dropped.

        :param subject: the image that it is about; None: it is not examined.
        """
        protection = reading.protection
        if not protection.methods:
            return self
        applied = {_APPLIED: protection.applied(self._applied)}
        return KeptAnswer(self.record(reading, subject) | applied, AnswerForm.PROTECTED)

    @property
    def permit_kind(self) -> str | None:
        """Kind of the document, if the policy keeps it."""
        columns = flatten(self.values) if self.form is AnswerForm.AS_ANSWERED else self.values
        return _as_text(columns.get("permit_kind"))

    @property
    def _applied(self) -> Mapping[str, str]:
        applied = self.values.get(_APPLIED) if self.form is AnswerForm.PROTECTED else None
        return applied or {}


def _value(kind: ColumnKind, value: Any) -> Value:
    """Read a value from JSON, where days are in ISO form."""
    if kind is ColumnKind.DATE and isinstance(value, str):
        return date.fromisoformat(value)
    return bool(value) if kind is ColumnKind.BOOLEAN and value is not None else value
