"""What the examination of an answer costs in CPU time: its flags, the permit's kind, the gender's code."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Mapping
from datetime import date
from typing import Final

from airflow_provider_permitocr.emulator.specimens.kinds import DRAWABLE
from airflow_provider_permitocr.emulator.specimens.permits import make_permit
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record, Value
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.kinds import permit_kind, sex_code

_Row = tuple[Record, CardSide, Mapping[str, Value]]
#: So many rows differ; they are examined again and again, as a million of them would fill the memory.
_DIFFERENT: Final = 20_000
_DAY: Final = date(2026, 11, 30)
#: One row in so many is read wrong.
_EACH: Final = 10
_MICROSECONDS: Final = 1_000_000
_MISREAD: Final = {"number": "H1O345678", "english_name": "L1,Y0U-TU", "sex": "田", "issue_number": None}


def main(rows: str, rounds: str) -> None:
    """Print the microseconds per row, with and without a comparison with the applicant's entries.

    :param rows: of each round.
    :param rounds: the median of these is printed.
    """
    mixed = _rows(random.Random(1))  # noqa: S311 (no secret: it must repeat)
    found = {}
    for name, is_declared in (("examined", False), ("compared", True)):
        taken = [_round(mixed, int(rows), is_declared=is_declared) for _ in range(int(rounds))]
        found[name] = {"median": statistics.median(taken), "least": min(taken), "most": max(taken)}
    sys.stdout.write(json.dumps(found))


def _rows(rng: random.Random) -> list[_Row]:
    """Return fronts and backs of all kinds, one in ten misread, one in two typed in other letters."""
    rows: list[_Row] = []
    for place in range(_DIFFERENT):
        kind, side = DRAWABLE[place % len(DRAWABLE)]
        permit = make_permit(kind, place)
        record = flatten(truth(permit, side))
        if rng.randrange(_EACH) == 0:
            record |= {name: value for name, value in _MISREAD.items() if record[name]}
        latin = permit.person.name.latin
        typed: dict[str, Value] = {
            "number": permit.number,
            "name": permit.person.name.chinese.replace("陈", "陳").replace("张", "張"),
            "english_name": latin.title() if rng.randrange(2) else latin,
            "birthday": permit.person.birthday,
        }
        rows.append((record, side, typed))
    rng.shuffle(rows)
    return rows


def _round(mixed: list[_Row], rows: int, *, is_declared: bool) -> float:
    examination, whole = Examination(), max(1, rows // len(mixed))
    began = time.process_time()
    for _ in range(whole):
        for record, side, typed in mixed:
            permit_kind(record)
            sex_code(record["sex"])
            declared = typed if is_declared else None
            examination.flags(record, side, day=_DAY, width=1600, height=1200, declared=declared)
    return (time.process_time() - began) / (whole * len(mixed)) * _MICROSECONDS


if __name__ == "__main__":
    main(*sys.argv[1:])
