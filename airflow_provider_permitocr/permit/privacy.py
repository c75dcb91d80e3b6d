"""Which facts a document has, and what a policy makes of each: kept, dropped, or replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record, Value
from airflow_provider_permitocr.permit.replacement import (
    SAID,
    Keys,
    Method,
    first_of_january,
    length_of_replaced,
    replaced,
)


@dataclass(frozen=True)
class Fact:
    """One fact of a document, and the columns that contain it.

    :param text: column with the printed value; a pseudonym, token or masked value replaces it.
    :param further: columns with derived values, such as dates and codes, or the image's size; NULL if the
        text is replaced.
    :param methods: methods that can be applied to it.
    :param is_number: a masked value also keeps the last two characters.
    """

    text: str
    further: tuple[str, ...] = ()
    methods: frozenset[Method] = frozenset(set(Method) - {Method.YEAR})
    is_number: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that contain it."""
        return (self.text, *self.further)


_STAYS_OR_GOES: Final = frozenset({Method.KEEP, Method.DROP})
_OF_DATES: Final = frozenset(set(Method) - {Method.MASK})
#: By their names in a policy: their column's name, and for dates the name of the parsed column.
FACTS: Final[Mapping[str, Fact]] = {
    "type": Fact("type", ("permit_kind",)),
    "name": Fact("name"),
    "english_name": Fact("english_name"),
    "sex": Fact("sex", ("sex_code",)),
    "birthday": Fact("birthday_raw", ("birthday",), _OF_DATES),
    "number": Fact("number", is_number=True),
    "validity": Fact("valid_date", ("valid_from", "valid_until"), _OF_DATES),
    "issue_authority": Fact("issue_authority"),
    "issue_address": Fact("issue_address"),
    "issue_number": Fact("issue_number"),
    "nationality": Fact("nationality"),
    "profile": Fact("profile", methods=_STAYS_OR_GOES),
    "back_type": Fact("back_type"),
    "back_name": Fact("back_name"),
    "back_id_number": Fact("back_id_number", is_number=True),
    "back_history_number": Fact("back_history_number", is_number=True),
    "quality_flags": Fact("quality_flags", ("is_doubtful", "is_expired", "declared_differs"), _STAYS_OR_GOES),
    # Sizes are nearly unique, so anyone who has the images can find their rows by size, too.
    "image_digest": Fact("image_digest", ("image_bytes", "image_width", "image_height"), _STAYS_OR_GOES),
}
#: What a copied column holds once its values are replaced by text.
_AS_TEXT: Final = frozenset({Method.MASK, Method.HMAC, Method.ENCRYPT})
_DAYS: Final = frozenset({ColumnKind.DATE, ColumnKind.TIMESTAMP})


@dataclass(frozen=True)
class Protection:
    """A policy with its keys; without methods, values stay unchanged.

    :param methods: the method for each fact, by its name in ``FACTS``; other facts stay unchanged.
    :param carried: the method for each column that is copied from the image list.
    """

    methods: Mapping[str, Method] = field(default_factory=dict)
    carried: Mapping[str, Method] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)

    @property
    def is_on(self) -> bool:
        """Whether anything is to become of values."""
        return bool(self.methods or self.carried)

    def protect(self, record: Record, done: Mapping[str, str] | None = None) -> Record:
        """Apply the policy to the columns of an answer.

        :param record: the columns of an answer.
        :param done: methods already applied to its facts, by name. What cannot be derived from that is
            dropped: a masked name has no pseudonym.
        """
        protected = dict(record)
        for name, fact in FACTS.items():
            if fact.text in record:
                before = Method((done or {}).get(name, Method.KEEP))
                protected |= self._become(fact, record, before, self.method(name))
        return protected

    def method(self, fact: str) -> Method:
        """Return the method for a fact."""
        return self.methods.get(fact, Method.KEEP)

    def applied(self, done: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the methods applied to facts after protection; unchanged facts are left out."""
        applied = {}
        for name in FACTS:
            before, wanted = Method((done or {}).get(name, Method.KEEP)), self.method(name)
            method = before if wanted is Method.KEEP else wanted
            if method is not Method.KEEP:
                applied[name] = method.value
        return applied

    def protect_carried(self, carried: Record, *, is_new: bool = False) -> Record:
        """Apply the policy to copied columns.

        :param is_new: they come from the image list. Otherwise values that look replaced stay: days may be
            text in ISO format, as in JSON.
        """
        return {name: self._carried(value, self._of_carried(name), is_new) for name, value in carried.items()}

    def columns(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """Return the result's columns under the policy, with their new lengths and kinds."""
        said = {name: (fact, self.method(of)) for of, fact in FACTS.items() for name in fact.columns}
        return tuple(
            _described(column, *said[column.name]) if column.name in said else self._described_carried(column)
            for column in columns
        )

    @property
    def hides_image(self) -> bool:
        """Whether the result has neither the digest nor the size of an image."""
        return self.method("image_digest") is Method.DROP

    def _become(self, fact: Fact, record: Record, before: Method, wanted: Method) -> Record:
        if wanted in (Method.KEEP, before):
            return {}
        dropped: Record = dict.fromkeys(name for name in fact.columns if name in record)
        if wanted is Method.DROP or before is not Method.KEEP:
            return dropped
        days = [value for name in fact.further if isinstance(value := record.get(name), date)]
        text = record[fact.text]
        if wanted is Method.YEAR:
            return dropped | _years(fact, record)
        printed = text if isinstance(text, str) else None
        # However it is printed, a day has one pseudonym.
        said = days[0].isoformat() if len(fact.further) == 1 and days and wanted is Method.HMAC else printed
        return dropped | {fact.text: said and replaced(said, wanted, self.keys, is_number=fact.is_number)}

    def _of_carried(self, name: str) -> Method:
        return self.carried.get(name, Method.KEEP)

    def _carried(self, value: Value, method: Method, is_new: bool) -> Value:
        if method is Method.KEEP or value is None:
            return value
        if method is Method.DROP:
            return None
        if method is Method.YEAR:
            return first_of_january(value)
        said = value.isoformat() if isinstance(value, date) else str(value)
        return replaced(said, method, self.keys, is_new=is_new)

    def _described_carried(self, column: Column) -> Column:
        method = self._of_carried(column.name)
        if method is Method.KEEP:
            return column
        if method in _AS_TEXT:
            column = replace(column, kind=ColumnKind.LONG_TEXT)
        elif method is Method.YEAR and column.kind in _DAYS:
            column = replace(column, kind=ColumnKind.DATE)
        return replace(column, comment=f"{column.comment}; {SAID[method]}")


def _years(fact: Fact, record: Record) -> Record:
    days = {name: day for name in fact.further if isinstance(day := record.get(name), date)}
    years: Record = {name: date(day.year, 1, 1) for name, day in days.items()}
    return years | {fact.text: "-".join(str(day.year) for day in days.values()) or None}


def _described(column: Column, fact: Fact, method: Method) -> Column:
    if method is Method.KEEP:
        return column
    longest = column.longest
    if column.name == fact.text and longest is not None:
        longest = length_of_replaced(longest, method)
    return replace(column, longest=longest, comment=f"{column.comment}; {SAID[method]}")
