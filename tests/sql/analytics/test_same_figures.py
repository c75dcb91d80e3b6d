"""The same rows and calls give the same figures on every database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.sql.analytics.definitions import OF_LEDGERS, OF_RESULTS, Analysis
from airflow_provider_permitocr.sql.analytics.figures import read_figures
from tests.sql.analytics.conftest import MINUTES, NOON, ZONE, Analyzed

_ROWS: Final = 2_500
_CALLS: Final = 3_000
_KINDS: Final = ("taiwan", "hong_kong_macao", "exit_entry", None)
_CODES: Final = ("FailedOperation.ImageBlur", "AuthFailure.New", "ImageNotFound", "Other", None)
_PRICES: Final = (("0.1", "CNY"), ("0.0015", "USD"), ("0.15", "CNY"), (None, None))


def _rows() -> Iterator[dict[str, Any]]:
    chance = random.Random(1)
    today = datetime.now(ZONE).date()
    for number in range(_ROWS):
        status = chance.choices(("recognized", "failed", "retry", "rejected", "gone"), (80, 5, 5, 5, 5))[0]
        flags = sorted(chance.sample(list(Flag), chance.randint(0, 4)), key=list(Flag).index)
        yield {
            **{"image_key": str(number // 2), "card_side": ("FRONT", "BACK")[number % 2], "status": status},
            "error_code": None if status == "recognized" else chance.choice(_CODES),
            "processed_at": NOON + timedelta(minutes=chance.randint(0, 10_000)),
            "permit_kind": chance.choice(_KINDS),
            "number": chance.choice((None, "H*****11", f"H{chance.randint(0, 900)}")),
            "name": chance.choice((None, "陈", "陳", "Chan", "*")),
            "valid_from": chance.choice((None, date(2015, 1, chance.randint(1, 31)))),
            "valid_until": chance.choice((None, today + timedelta(days=chance.randint(-50, 150)))),
            "issue_number": chance.choice((None, "01", "2", "x")),
            "quality_flags": chance.choice((None, str([each.value for each in flags]).replace("'", '"'))),
            "is_doubtful": chance.choice((None, True, False)),
            "review_status": chance.choice((None, None, "confirmed", "corrected", "rejected")),
        }


def _calls() -> Iterator[dict[str, Any]]:
    chance = random.Random(2)
    for _ in range(_CALLS):
        intended = NOON + timedelta(
            milliseconds=chance.randint(0, 200_000_000), microseconds=chance.randint(0, 999)
        )
        price, currency = chance.choice(_PRICES)
        is_open = chance.random() < 0.1
        took = timedelta(microseconds=chance.randint(100_000, 9_000_000))
        yield {
            **{"intended_at": intended, "unit_price": price, "currency": currency},
            **{"dag_id": chance.choice(("daily", "archive")), "permit_kind": chance.choice(_KINDS)},
            "answered_at": None if is_open else intended + took,
            "code": None if is_open else chance.choice(("OK", "NotSent", "FailedOperation.ImageBlur")),
            "billed": None if is_open else chance.choice((0, 1, None)),
        }


def _read(permits: Analyzed, analysis: Analysis) -> list[tuple[Any, ...]]:
    rows = []
    for row in permits.read(analysis.suffix):
        moments = {name: each.astimezone(UTC) for name, each in row.items() if isinstance(each, datetime)}
        rows.append(tuple((row | moments).values()))
    return sorted(rows, key=str)


@pytest.mark.slow
def test_figures_are_the_same_on_every_database(
    postgres_engine: sa.Engine,
    mariadb_engine: sa.Engine,
    sqlite_engine: sa.Engine,
    duckdb_engine: sa.Engine,
) -> None:
    rows, calls = list(_rows()), list(_calls())
    found: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
    figures = []
    for engine in (postgres_engine, mariadb_engine, sqlite_engine, duckdb_engine):
        permits = Analyzed(engine, sqlite_engine if engine is duckdb_engine else engine)
        permits.write(*rows)
        if engine is not duckdb_engine:  # which reads the ledger of SQLite
            permits.make_calls(calls)
        permits.key_type = "integer"
        permits.prepare()
        permits.tables().fill()
        found[engine.dialect.name] = {
            each.suffix: _read(permits, each) for each in (*OF_RESULTS, *OF_LEDGERS)
        }
        figures.append(read_figures(engine, "permits", minutes=MINUTES, timezone="Asia/Shanghai"))
    first = found.pop("postgresql")
    assert all(len(each) > 4 for each in first.values())
    assert sum(row[-1] or 0 for row in first["cost_by_day"]) > 1_000_000
    for dialect, others in found.items():
        for suffix, expected in first.items():
            assert others[suffix] == expected, (dialect, suffix)
    assert figures[1:] == figures[:1] * 3
