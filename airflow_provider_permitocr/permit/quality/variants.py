"""Names without the differences between traditional and simplified characters.

OpenCC knows them: 2,000 times the characters of a table of ours, from the project that others copy. It is an
extra, as only names that applicants typed are compared so.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.extras import install

if TYPE_CHECKING:
    from opencc import OpenCC


class _Characters(dict[int, str]):
    """Characters by code point, for ``str.translate``, each converted when it is first met.

    One by one, as words would make a character's fold depend on its neighbors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._converters = load_converters()

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if not character.isascii():
            for converter in self._converters:
                character = converter.convert(character)
        self[code] = character
        return character


def simplified(text: str) -> str:
    """Return a text in simplified characters, such as 陈 for 陳 and 里 for 裡 and 裏.

    :raises ConfigurationError: if OpenCC is not installed.
    """
    return text if text.isascii() else text.translate(_characters())


def load_converters() -> tuple[OpenCC, ...]:
    """Load OpenCC, from Hong Kong's forms (衞) as well as from Taiwan's and the standard's.

    :raises ConfigurationError: if it is not installed.
    """
    try:
        from opencc import OpenCC
    except ImportError:
        raise ConfigurationError(
            f"Comparing declared names needs OpenCC: {install('declared')}; or leave out Declared(name=...)"
        ) from None
    return OpenCC("hk2s"), OpenCC("tw2s"), OpenCC("t2s")


@cache
def _characters() -> _Characters:
    return _Characters()
