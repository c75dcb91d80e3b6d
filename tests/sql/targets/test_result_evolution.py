from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, result_columns
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.found_columns import columns

FrameOf = Callable[..., pd.DataFrame]
_CARRIED = (
    Column("branch", ColumnKind.TEXT, "100% carried: it's the branch's name"),
    Column("uploaded", ColumnKind.TIMESTAMP, "Carried along"),
)
_NEW = ("image_format", "image_bytes", "image_prepared")
#: As version 0.2.0 made it.
_OF_0_2_0 = """
    CREATE TABLE permits (
        image_key {key} NOT NULL, card_side {key} NOT NULL, status {text} NOT NULL, error_code {text},
        error_message TEXT, type {text}, name {text}, english_name {text}, sex {text}, birthday DATE,
        birthday_raw {text}, number {text}, valid_from DATE, valid_until DATE, valid_date {text},
        issue_authority {text}, issue_address {text}, issue_number {text}, nationality {text}, profile TEXT,
        back_type {text}, back_name {text}, back_id_number {text}, back_history_number {text},
        warn_card_infos {text}, warn_photocopy {boolean}, warn_recapture {boolean},
        warn_photoshopped {boolean}, warn_not_enabled {boolean}, request_id {text}, tries BIGINT,
        image_updated_at {time}, processed_at {time}, run_id {text}, PRIMARY KEY (image_key, card_side)
    )
"""
_ITS_TYPES = {
    "postgresql": {"text": "TEXT", "boolean": "BOOLEAN", "time": "TIMESTAMP WITH TIME ZONE"},
    "sqlite": {"text": "TEXT", "boolean": "BOOLEAN", "time": "DATETIME"},
    "mysql": {"text": "VARCHAR(255)", "boolean": "BOOL", "time": "DATETIME(6)"},
}


def _target(engine: sa.Engine, **options: Any) -> SqlResultTarget:
    return SqlResultTarget(engine, ResultTable("permits", conn_id="warehouse", **options))


def _make_table_of_0_2_0(engine: sa.Engine, key: str | None = None) -> None:
    types = _ITS_TYPES[engine.dialect.name]
    with engine.begin() as connection:
        connection.exec_driver_sql(_OF_0_2_0.format(key=key or types["text"], **types))
        connection.exec_driver_sql(
            "INSERT INTO permits (image_key, card_side, status) VALUES ('a', 'FRONT', 'recognized')"
        )


def _names(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(columns(connection, "permits") or ())


@pytest.mark.parametrize("database", ["psycopg", "sqlite", "mariadb"], indirect=True)
def test_table_of_version_0_2_0_gets_its_new_columns(database: sa.Engine, frame_of: FrameOf) -> None:
    key = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    _make_table_of_0_2_0(database, key if database.dialect.name == "mysql" else None)
    if database.dialect.name == "mysql":
        with pytest.raises(
            TargetError, match=r"profile holds .* and should be LONGTEXT CHARACTER SET utf8mb4;"
        ):
            _target(database).check()
        with database.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE permits MODIFY profile LONGTEXT CHARACTER SET utf8mb4")
    target = _target(database)
    target.prepare()
    assert set(_names(database)) == {column.name for column in COLUMNS}
    target.write(frame_of("b", image_format="JPEG", image_bytes=2**40))
    with database.connect() as connection:
        found = connection.execute(
            sa.text("SELECT image_key, image_format, image_bytes FROM permits ORDER BY image_key")
        )
        assert found.all() == [("a", None, None), ("b", "JPEG", 2**40)]


def test_keys_of_a_table_of_0_2_0_that_mariadb_mixes_up_are_refused(mariadb_engine: sa.Engine) -> None:
    _make_table_of_0_2_0(mariadb_engine)
    with pytest.raises(TargetError, match=r"image_key is compared by .*_ci, .* COLLATE utf8mb4_nopad_bin"):
        _target(mariadb_engine).prepare()


def test_column_that_is_carried_along_is_added_with_its_comment(
    database: sa.Engine, frame_of: FrameOf
) -> None:
    _target(database).prepare()
    target = _target(database)
    target.prepare(result_columns(_CARRIED))
    assert _names(database)[-2:] == ["branch", "uploaded"]
    if database.dialect.name == "postgresql":
        found = sa.inspect(database).get_columns("permits")
        assert found[-2]["comment"] == _CARRIED[0].comment
        assert found[-2]["nullable"]


def test_column_that_is_carried_no_more_stays(database: sa.Engine) -> None:
    _target(database).prepare(result_columns(_CARRIED))
    target = _target(database)
    target.prepare()
    assert _names(database)[-2:] == ["branch", "uploaded"]


def test_frozen_table_is_refused_with_the_columns_that_it_lacks(database: sa.Engine) -> None:
    _target(database).prepare()
    frozen = _target(database, schema_contract="freeze")
    frozen.prepare()
    with pytest.raises(
        TargetError, match=r"lacks branch, uploaded; .* added where schema_contract is 'evolve'"
    ):
        frozen.prepare(result_columns(_CARRIED))
    assert "branch" not in _names(database)


def test_frozen_table_is_made_where_there_is_none(database: sa.Engine) -> None:
    _target(database, schema_contract="freeze").prepare(result_columns(_CARRIED))
    assert "branch" in _names(database)


@pytest.mark.parametrize("contract", ["evolve", "freeze"])
@pytest.mark.parametrize("needed", ["image_key", "card_side", "status"])
@pytest.mark.parametrize("database", ["psycopg", "sqlite"], indirect=True)
def test_missing_key_or_status_is_refused_under_every_contract(
    database: sa.Engine, contract: str, needed: str
) -> None:
    others = [name for name in ("image_key", "card_side", "status") if name != needed]
    with database.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE permits ({', '.join(f'{name} text' for name in others)})")
    with pytest.raises(
        TargetError, match=f"'permits' exists already and cannot hold the result: it lacks {needed}"
    ):
        _target(database, schema_contract=contract).prepare()
    assert _names(database) == others


@pytest.mark.slow
def test_tasks_that_add_columns_at_the_same_moment_all_succeed(database: sa.Engine) -> None:
    _target(database).prepare()
    further = [Column(f"further_{number}", ColumnKind.TEXT, "Carried along") for number in range(4)]
    together = threading.Barrier(4)

    def prepare(number: int) -> None:
        target = _target(database)
        together.wait()
        target.prepare(result_columns(further[: number + 1]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))
    assert set(_names(database)) == {column.name for column in result_columns(further)}


def test_checking_adds_nothing(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE permits (image_key varchar(99) NOT NULL, card_side varchar(9) NOT NULL,"
            " status varchar(20), PRIMARY KEY (image_key, card_side))"
            + (" COLLATE utf8mb4_bin" if database.dialect.name == "mysql" else "")
        )
    assert _target(database).check()
    assert _names(database) == ["image_key", "card_side", "status"]
    _target(database).prepare()
    assert len(_names(database)) == len(COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize("session", ["Asia/Shanghai", "America/New_York"])
def test_times_in_columns_without_a_zone_are_in_utc(
    database: sa.Engine, frame_of: FrameOf, new_engine: Callable[..., sa.Engine], session: str
) -> None:
    _target(database).prepare()
    plain = {"postgresql": "timestamp", "duckdb": "TIMESTAMP"}.get(database.dialect.name)
    engine = database
    with database.begin() as connection:
        for column in ("image_updated_at", "processed_at") if plain else ():
            connection.exec_driver_sql(f"ALTER TABLE permits ALTER COLUMN {column} TYPE {plain}")
    set_zone = {"postgresql": "SET TIME ZONE '{}'", "duckdb": "SET TimeZone = '{}'"}.get(
        database.dialect.name
    )

    if set_zone:

        @sa.event.listens_for(engine, "checkout")
        def set_session_zone(connection: Any, record: object, proxy: object) -> None:
            connection.cursor().execute(set_zone.format(session))

    target = _target(engine)
    target.prepare()
    changed = datetime(2026, 1, 30, 23, 59, 59, 999999, tzinfo=UTC)
    target.write(frame_of("a", image_updated_at=changed))
    with engine.connect() as connection:
        stored = connection.execute(sa.text("SELECT CAST(image_updated_at AS char(26)) FROM permits"))
        assert str(stored.scalar_one()).startswith("2026-01-30 23:59:59.999999")
