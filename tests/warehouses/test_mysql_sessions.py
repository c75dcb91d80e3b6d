"""The server of MySQL may stand in any zone and mode, and move: what is known of images stays known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from tests.support.mariadb import OwnMariaDb

pytestmark = pytest.mark.slow

_ZONES: Final = ("-05:00", "+00:00", "+08:00")
_DAY: Final = datetime(2026, 5, 1, tzinfo=UTC)
#: Around both midnights, where a zone that is mistaken moves an image to another day.
_HOURS: Final = (-9, -6, -1, 0, 1, 7, 12, 17, 23, 24, 25, 31)
_COLUMNS: Final = ("image_key", "status", "number", "name", "image_updated_at", "processed_at")


@pytest.fixture
def lake(own_mariadb: OwnMariaDb, mysql_client: str, set_connection: Callable[..., None]) -> OwnMariaDb:
    """An empty database that ``lake`` leads to, through each client."""
    own_mariadb.run("DROP DATABASE IF EXISTS lake", "CREATE DATABASE lake CHARACTER SET utf8mb4")
    set_connection("lake", **own_mariadb.airflow_connection(client=mysql_client, charset="utf8"))
    return own_mariadb


def _fill(
    lake: OwnMariaDb, kind: str, draw: Callable[..., Specimen], directory: Path, hours_ahead: int = 0
) -> None:
    """Make a list of images as a stranger whose session runs in UTC does.

    :param hours_ahead: of UTC, by which its local times are.
    """
    values = []
    for number, hours in enumerate(_HOURS):
        path = directory / f"{number}.jpg"
        path.write_bytes(draw(seed=number).image)
        written = _DAY + timedelta(hours=hours + hours_ahead)
        values.append(f"('k{number:02}', '{path}', '{written:%Y-%m-%d %H:%M:%S}')")
    lake.run(
        "SET time_zone = '+00:00'",
        f"CREATE TABLE lake.images (image_id varchar(9), image text, uploaded_at {kind} NULL)",
        f"INSERT INTO lake.images VALUES {', '.join(values)}",
    )


def _run(
    run_id: str, since: datetime | None = None, until: datetime | None = None, timezone: str = "UTC"
) -> dict[str, Any]:
    operator = MainlandPermitOcrOperator(
        task_id="recognize",
        source=ImageTable(
            "images",
            conn_id="lake",
            key="image_id",
            image="image",
            updated_at="uploaded_at",
            since=since,
            until=until,
            timezone=timezone,
        ),
        target=ResultTable("permits", conn_id="lake"),
        max_per_second=500,
        pool="tencent_permit_ocr",
        leftovers=False,
    )
    return operator.execute({"run_id": run_id})


@pytest.mark.parametrize(
    ("kind", "timezone", "hours_ahead"),
    [("timestamp", "Asia/Hong_Kong", 0), ("datetime", "Asia/Hong_Kong", 8), ("datetime", "UTC", 0)],
    ids=["timestamp", "datetime in Hong Kong", "datetime in UTC"],
)
def test_a_server_that_moves_between_zones_pays_for_nothing_again_and_misses_nothing(
    kind: str,
    timezone: str,
    hours_ahead: int,
    lake: OwnMariaDb,
    draw: Callable[..., Specimen],
    tmp_path: Path,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)
    _fill(lake, kind, draw, tmp_path, hours_ahead)
    days = [(_DAY + timedelta(days=each), _DAY + timedelta(days=each + 1)) for each in (-1, 0, 1)]
    of_days = [
        sum(since <= _DAY + timedelta(hours=hours) < until for hours in _HOURS) for since, until in days
    ]
    calls, listed = 0, []
    for number, (zone, (since, until)) in enumerate(zip(_ZONES, days, strict=True)):
        with ExitStack() as settings:
            settings.enter_context(lake.settings(time_zone=f"'{zone}'", sql_mode="''"))
            summary = _run(f"day {number}", since, until, timezone)
        calls += summary["calls"]
        listed.append(summary["listed"])
    assert listed == of_days
    assert calls == sum(of_days) == len(_HOURS)
    first = lake.run(f"SELECT {', '.join(_COLUMNS)} FROM lake.permits ORDER BY image_key")
    assert [row[4].replace(tzinfo=UTC) for row in first] == [
        _DAY + timedelta(hours=hours) for hours in _HOURS
    ]
    for zone in _ZONES:
        with lake.settings(time_zone=f"'{zone}'"):
            assert _run(f"all in {zone}", timezone=timezone)["calls"] == 0
    assert lake.run(f"SELECT {', '.join(_COLUMNS)} FROM lake.permits ORDER BY image_key") == first


def test_a_server_that_is_not_strict_cuts_no_number(
    lake: OwnMariaDb,
    draw: Callable[..., Specimen],
    tmp_path: Path,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)
    with lake.settings(sql_mode="''", character_set_server="latin1"):
        _fill(lake, "datetime", draw, tmp_path)
        _run("first")
    numbers = lake.run("SELECT number, name FROM lake.permits ORDER BY image_key")
    specimens = [draw(seed=seed).fields for seed in range(len(_HOURS))]
    assert numbers == [(fields["Number"], fields["Name"]) for fields in specimens]
