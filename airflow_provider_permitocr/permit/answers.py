"""An answer of the API as the ledger keeps it, and as the columns of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Any, Final

from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, ColumnKind, Record, Value
from airflow_provider_permitocr.permit.flatten import flatten
from airflow_provider_permitocr.permit.privacy import Protection

#: What a protected answer says of itself, beside its columns: what has become of each fact.
_APPLIED: Final = "privacy"
_KINDS: Final = {column.name: column.kind for column in COLUMNS}


class AnswerForm(IntEnum):
    """How an answer is kept."""

    ADOPTED = 0  #: columns of a result table that was taken over
    AS_ANSWERED = 1  #: the API's output fields, under the API's names
    PROTECTED = 2  #: columns of the result as a privacy policy has them, and what that did


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as the ledger keeps it.

    :param values: plain values; days are dates, or text in ISO form once they were JSON.
    :param form: how to read them.
    """

    values: Mapping[str, Any] = field(repr=False)
    form: AnswerForm = AnswerForm.AS_ANSWERED

    def record(self, protection: Protection) -> Record:
        """Return the columns of the result, as the policy of now has them.

        What an earlier policy has dropped does not come back.
        """
        if self.form is AnswerForm.AS_ANSWERED:
            return protection.protect(flatten(self.values))
        columns = {name: _value(_KINDS[name], self.values.get(name)) for name in ANSWER_COLUMNS}
        return protection.protect(columns, self._applied)

    def protected(self, protection: Protection) -> KeptAnswer:
        """Return the answer as the policy has it kept; fields that this version does not know are dropped."""
        if not protection.methods:
            return self
        applied = {_APPLIED: protection.applied(self._applied)}
        return KeptAnswer(self.record(protection) | applied, AnswerForm.PROTECTED)

    @property
    def _applied(self) -> Mapping[str, str]:
        applied = self.values.get(_APPLIED) if self.form is AnswerForm.PROTECTED else None
        return applied or {}


def _value(kind: ColumnKind, value: Any) -> Value:
    """Read a value from JSON, where days are in ISO form."""
    if kind is ColumnKind.DATE and isinstance(value, str):
        return date.fromisoformat(value)
    return bool(value) if kind is ColumnKind.BOOLEAN and value is not None else value
