"""What a value is replaced by: masked, a pseudonym, or encrypted.

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
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.permit.columns import Value

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
#: In words, for comments on columns.
SAID: Final[Mapping[Method, str]] = {
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


def replaced(value: str, method: Method, keys: Keys, *, is_number: bool = False, is_new: bool = False) -> str:
    """Return what replaces a value: masked, a pseudonym or a token.

    :param is_new: it comes from the image list. Otherwise one that looks replaced stays, as in a table that
        another ledger has filled.
    """
    if not is_new and _IS_REPLACED[method](value):
        return value
    if method is Method.MASK:
        return masked(value, is_number=is_number)
    if method is Method.HMAC:
        assert keys.hmac is not None
        return pseudonym(value, key=keys.hmac)
    return keys.cipher.encrypt(value.encode("utf-8", "replace")).decode("ascii")


def first_of_january(value: Value) -> Value:
    """Return the first day of a day's year, as a day or as text; None for anything else."""
    if isinstance(value, date):
        return date(value.year, 1, 1)
    if isinstance(value, str) and _ISO_DAY.match(value):
        return f"{value[:4]}-01-01"
    return None


def length_of_replaced(characters: int, method: Method) -> int:
    """Return how many characters a value of up to this many has, once it is replaced."""
    if method is Method.HMAC:
        return _DIGEST_CHARACTERS
    if method is not Method.ENCRYPT:
        return characters
    blocks = characters * _BYTES_A_CHARACTER // _BLOCK + 1
    return -(-(_TOKEN_OVERHEAD + blocks * _BLOCK) // 3) * 4


def _cipher(keys: Sequence[str]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])
