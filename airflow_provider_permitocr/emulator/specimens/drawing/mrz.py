"""Machine-readable lines as ICAO 9303 lays them out; the API reads them not, cards print them."""

from __future__ import annotations

from datetime import date
from typing import Final

from airflow_provider_permitocr.emulator.specimens.kinds import PermitKind
from airflow_provider_permitocr.emulator.specimens.permits import Permit

_LINE: Final = 30
_WEIGHTS: Final = (7, 3, 1)
_SEX: Final = {"男": "M", "女": "F"}


def machine_readable_lines(permit: Permit) -> tuple[str, ...]:
    """Three lines of 30 (TD1) for mainland travel permits, one for exit-entry permits.

    Check digits are valid, so that readers that verify them can be tested.
    """
    number, born, until = permit.number, _short(permit.person.birthday), _short(permit.valid_until)
    if permit.kind is PermitKind.EXIT_ENTRY:
        return (_fill(f"CS{number}{check_digit(number)}<{until}{check_digit(until)}<{born}")[:_LINE],)
    padded = number.ljust(9, "<")
    first = _fill(f"CRCHN{padded}{check_digit(padded)}")
    dates = f"{born}{check_digit(born)}{_SEX[permit.person.sex]}{until}{check_digit(until)}"
    second = f"{dates}CHN".ljust(_LINE - 1, "<")
    overall = first[5:] + second[0:7] + second[8:15] + second[18:29]
    name = permit.person.name.latin.replace(",", "<<").replace(" ", "<").replace("-", "<")
    return first, second + check_digit(overall), _fill(name)


def check_digit(text: str) -> str:
    """ICAO 9303 part 3: digits count as themselves, letters from A = 10, ``<`` as 0; weights 7, 3, 1."""
    values = (0 if character == "<" else int(character, 36) for character in text)
    return str(sum(value * _WEIGHTS[place % 3] for place, value in enumerate(values)) % 10)


def _short(day: date) -> str:
    return day.strftime("%y%m%d")


def _fill(text: str) -> str:
    return text.ljust(_LINE, "<")[:_LINE]
