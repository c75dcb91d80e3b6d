"""Texts that a spreadsheet would take for formulas, and how CSV files keep them from that.

A copied column or a printed name may begin with ``=``, and a spreadsheet that opens the file would run it.
"""

from __future__ import annotations

import re
from typing import Final

#: What spreadsheets take for the beginning of a formula (OWASP, CSV Injection), in full width, too.
_FORMULA: Final = r"'* *[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
#: A cell's beginning. In countries with a decimal comma spreadsheets split rows at semicolons, and ignore
#: quotes that are not at a cell's beginning.
_START: Final = r"(?:^|(?<=[;\t\r\n]))"
_HARMFUL: Final = re.compile(f"{_START}(?={_FORMULA})")
_ESCAPED: Final = re.compile(f"{_START}'(?={_FORMULA})")
#: Numbers are displayed unchanged.
_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(?:[.,]\d{1,30})?(?:[eE][+-]?\d{1,5})?", re.ASCII)


def escaped(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay unchanged."""
    if not _HARMFUL.search(text) or _NUMBER.fullmatch(text):
        return text
    return _HARMFUL.sub("'", text)


def unescaped(text: str) -> str:
    """Return the text that was escaped."""
    return _ESCAPED.sub("", text)
