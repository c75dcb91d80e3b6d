"""How each value of a document is stored: kept, dropped, masked or replaced.

A pseudonym is HMAC-SHA256 (RFC 2104) over the value's normal form, in 64 hexadecimal digits. ``pseudonym``
computes the same one elsewhere, so that tables can be joined. An encrypted value is a Fernet token
(github.com/fernet/spec), which ``decrypt`` reads.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record, Value

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Method(StrEnum):
    """What is stored of a value."""

    KEEP = "keep"  #: it stays
    DROP = "drop"  #: NULL
    MASK = "mask"  #: letters and digits become ``*``, but for the first of several, and a number's last two
    YEAR = "year"  #: of a date its year; as a DATE, the first of January
    HMAC = "hmac"  #: a pseudonym; equal value and key give an equal one
    ENCRYPT = "encrypt"  #: a Fernet token; the key decrypts it


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
#: The length of a Fernet token in characters: a version, a time, a vector, whole blocks and a
#: signature, in base64.
_BLOCK, _TOKEN_OVERHEAD, _BYTES_A_CHARACTER = 16, 57, 4
_DIGEST_CHARACTERS: Final = 64
#: How values look that were replaced before; no document prints such a text.
_IS_REPLACED: Final[Mapping[Method, Callable[[str], object]]] = {
    Method.MASK: lambda _value: False,
    Method.HMAC: re.compile(r"[0-9a-f]{64}").fullmatch,
    Method.ENCRYPT: re.compile(r"gAAAAA[\w-]{90,}={0,2}", re.ASCII).fullmatch,
}
#: How days and times begin in JSON.
_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![^T ])")
#: What a copied column holds once its values are replaced by text.
_AS_TEXT: Final = frozenset({Method.MASK, Method.HMAC, Method.ENCRYPT})
_DAYS: Final = frozenset({ColumnKind.DATE, ColumnKind.TIMESTAMP})
_SAID: Final[Mapping[Method, str]] = {
    Method.DROP: "not kept because of its privacy policy",
    Method.MASK: "masked",
    Method.YEAR: "only its year",
    Method.HMAC: "as a pseudonym, HMAC-SHA256",
    Method.ENCRYPT: "encrypted, a Fernet token",
}


@dataclass(frozen=True)
class Keys:
    """The keys for pseudonyms and tokens.

    :param hmac: any bytes; None if no value becomes a pseudonym.
    :param fernet: the first encrypts, all decrypt; as created by ``Fernet.generate_key``.
    """

    hmac: bytes | None = field(default=None, repr=False)
    fernet: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def cipher(self) -> MultiFernet:
        """What encrypts with the first key and decrypts with any.

        :raises ValueError: for an invalid Fernet key.
        """
        return _cipher(self.fernet)


def pseudonym(value: str, *, key: bytes) -> str:
    """Return the pseudonym of a value, as in columns with the method ``hmac``.

    The normal form is NFKC in upper case without white space; a date's is ``1986-03-02``. So
    ``H 1234 5678`` and ``h12345678`` have the same pseudonym.

    :return: 64 hexadecimal digits.
    """
    normal = "".join(unicodedata.normalize("NFKC", value).upper().split())
    return hmac.new(key, normal.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def decrypt(token: str | None, *keys: str) -> str | None:
    """Read a value that was encrypted.

    :param token: as stored in the table; None stays None.
    :param keys: Fernet keys, in any order; one of them must be that which it was encrypted with.
    :raises ValueError: when it is not a token, or is encrypted with another key.
    """
    from cryptography.fernet import InvalidToken

    if token is None:
        return None
    try:
        return _cipher(keys).decrypt(token.encode("ascii", "replace")).decode()
    except InvalidToken:
        raise ValueError("this value was not encrypted with one of these keys") from None


def masked(value: str, *, is_number: bool = False) -> str:
    """Replace letters and digits by ``*``, except the first, and the last two of a number.

    A single character is replaced, too. Masked text stays unchanged.
    """
    # Each ``*`` counts as a character, so that masking again keeps the same positions.
    places = [place for place, character in enumerate(value) if character.isalnum() or character == "*"]
    shown = {
        *(places[:1] if len(places) > 1 else ()),
        *(places[-2:] if is_number and len(places) > 4 else ()),
    }
    hidden = set(places) - shown
    return "".join("*" if place in hidden else character for place, character in enumerate(value))


def looks_replaced(value: Value) -> bool:
    """Return whether this is a pseudonym, a token or a masked value, which says nothing to compare with."""
    return isinstance(value, str) and (
        "*" in value or any(_IS_REPLACED[each](value) is not None for each in (Method.HMAC, Method.ENCRYPT))
    )


@dataclass(frozen=True)
class Protection:
    """A policy with its keys; without methods, values stay unchanged.

    :param methods: the method for each fact, by its name in ``FACTS``; other facts stay unchanged.
    :param carried: the method for each column that is copied from the image list.
    """

    methods: Mapping[str, Method] = field(default_factory=dict)
    carried: Mapping[str, Method] = field(default_factory=dict)
    keys: Keys = Keys()

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
        return dropped | {fact.text: said and self._replaced(said, wanted, is_number=fact.is_number)}

    def _replaced(self, value: str, method: Method, *, is_number: bool = False, is_new: bool = False) -> str:
        if not is_new and _IS_REPLACED[method](value):  # as in a table that another ledger has filled
            return value
        if method is Method.MASK:
            return masked(value, is_number=is_number)
        if method is Method.HMAC:
            assert self.keys.hmac is not None
            return pseudonym(value, key=self.keys.hmac)
        return self.keys.cipher.encrypt(value.encode("utf-8", "replace")).decode("ascii")

    def _of_carried(self, name: str) -> Method:
        return self.carried.get(name, Method.KEEP)

    def _carried(self, value: Value, method: Method, is_new: bool) -> Value:
        if method is Method.KEEP or value is None:
            return value
        if method is Method.DROP:
            return None
        if method is Method.YEAR:
            return _first_of_january(value)
        said = value.isoformat() if isinstance(value, date) else str(value)
        return self._replaced(said, method, is_new=is_new)

    def _described_carried(self, column: Column) -> Column:
        method = self._of_carried(column.name)
        if method is Method.KEEP:
            return column
        if method in _AS_TEXT:
            column = replace(column, kind=ColumnKind.LONG_TEXT)
        elif method is Method.YEAR and column.kind in _DAYS:
            column = replace(column, kind=ColumnKind.DATE)
        return replace(column, comment=f"{column.comment}; {_SAID[method]}")


def _first_of_january(value: Value) -> Value:
    if isinstance(value, date):
        return date(value.year, 1, 1)
    if isinstance(value, str) and _ISO_DAY.match(value):
        return f"{value[:4]}-01-01"
    return None


def _years(fact: Fact, record: Record) -> Record:
    days = {name: day for name in fact.further if isinstance(day := record.get(name), date)}
    years: Record = {name: date(day.year, 1, 1) for name, day in days.items()}
    return years | {fact.text: "-".join(str(day.year) for day in days.values()) or None}


def _described(column: Column, fact: Fact, method: Method) -> Column:
    if method is Method.KEEP:
        return column
    longest = column.longest
    if column.name == fact.text and longest is not None:
        longest = _longest(longest, method)
    return replace(column, longest=longest, comment=f"{column.comment}; {_SAID[method]}")


def _longest(characters: int, method: Method) -> int:
    if method is Method.HMAC:
        return _DIGEST_CHARACTERS
    if method is not Method.ENCRYPT:
        return characters
    blocks = characters * _BYTES_A_CHARACTER // _BLOCK + 1
    return -(-(_TOKEN_OVERHEAD + blocks * _BLOCK) // 3) * 4


def _cipher(keys: Sequence[str]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])
