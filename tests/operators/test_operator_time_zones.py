"""Lists of MySQL, whose server's time zone is moved between runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.operators.mainland_permit_ocr import ImageTable, ResultTable
from tests.mariadb_server import running_mariadb

Execute = Callable[..., dict[str, Any]]
ZONES = ["-05:00", "+00:00", "+08:00", "-05:00"]
START = datetime(2026, 1, 31, tzinfo=UTC)
HOURS = [0, 5, 11, 12, 13, 18, 23]


@pytest.fixture(scope="module")
def own_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    """A MariaDB server whose settings no other test sees."""
    with running_mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


class Lake:
    """A list on that server, one image for each of these hours."""

    def __init__(self, engine: sa.Engine, folder: Path, draw: Callable[..., Specimen]) -> None:
        self._engine = engine
        for hour in HOURS:
            (folder / f"{hour}.jpg").write_bytes(draw(seed=hour % 4).image)
        self._folder = folder

    def fill(self, kind: str, local_hours_ahead: int) -> None:
        """Make the list; a DATETIME holds local times, a TIMESTAMP is written in a session in UTC."""
        ahead = timedelta(hours=local_hours_ahead)
        with self._engine.begin() as connection:
            for (table,) in connection.exec_driver_sql("SHOW TABLES").all():
                connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql("SET time_zone = '+00:00'")
            connection.exec_driver_sql(
                f"CREATE TABLE permit_images (image_id int PRIMARY KEY, image text, uploaded_at {kind})"
            )
            statement = sa.text("INSERT INTO permit_images VALUES (:hour, :image, :at)")
            for hour in HOURS:
                at = (START + timedelta(hours=hour) + ahead).replace(tzinfo=None)
                connection.execute(
                    statement, {"hour": hour, "image": str(self._folder / f"{hour}.jpg"), "at": at}
                )

    def move_to(self, zone: str) -> None:
        """Let the server's new sessions be in a time zone."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"SET GLOBAL time_zone = '{zone}'")


@pytest.fixture
def lake(
    own_mariadb: sa.URL,
    new_engine: Callable[..., sa.Engine],
    set_connection: Callable[..., None],
    tmp_path: Path,
    draw: Callable[..., Specimen],
) -> Iterator[Lake]:
    """A list that the Airflow connection ``lake`` leads to."""
    fields = {"host": own_mariadb.host, "port": own_mariadb.port, "schema": own_mariadb.database}
    set_connection("lake", conn_type="mysql", login="root", extra={"charset": "utf8mb4"}, **fields)
    list_of_hours = Lake(new_engine(own_mariadb, poolclass=sa.NullPool), tmp_path, draw)
    yield list_of_hours
    list_of_hours.move_to("SYSTEM")


KINDS = pytest.mark.parametrize(
    ("kind", "timezone", "ahead"),
    [("TIMESTAMP", "Asia/Hong_Kong", 0), ("DATETIME", "Asia/Hong_Kong", 8), ("DATETIME", "UTC", 0)],
    ids=["TIMESTAMP", "DATETIME in Hong Kong", "DATETIME"],
)


def _source(timezone: str, **bounds: Any) -> ImageTable:
    names = {"key": "image_id", "image": "image", "updated_at": "uploaded_at"}
    return ImageTable("permit_images", conn_id="lake", timezone=timezone, **names, **bounds)


@KINDS
def test_no_image_is_paid_again_though_the_servers_zone_moves(
    execute: Execute, connected: RunningEmulator, lake: Lake, kind: str, timezone: str, ahead: int
) -> None:
    lake.fill(kind, ahead)
    billed = []
    for number, zone in enumerate(ZONES):
        lake.move_to(zone)
        summary = execute(
            f"run-{number}", source=_source(timezone), target=ResultTable("permits", conn_id="lake")
        )
        billed.append(summary["billed"])
    assert billed == [len(HOURS), 0, 0, 0]


@KINDS
def test_no_image_is_missed_by_an_interval_though_the_servers_zone_moves(
    execute: Execute, connected: RunningEmulator, lake: Lake, kind: str, timezone: str, ahead: int
) -> None:
    lake.fill(kind, ahead)
    listed = []
    for number, zone in enumerate(ZONES):
        lake.move_to(zone)
        since = START + timedelta(hours=6 * number)
        source = _source(timezone, since=since.isoformat(), until=(since + timedelta(hours=6)).isoformat())
        summary = execute(f"run-{number}", source=source, target=ResultTable("permits", conn_id="lake"))
        listed.append((summary["listed"], summary["billed"]))
    assert listed == [(2, 2), (1, 1), (2, 2), (2, 2)]
