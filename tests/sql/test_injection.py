"""SQL in every place where a text of somebody else goes: names, keys, values, bounds and parameters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from packaging.version import Version

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import PermitOcrError, SourceError
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.databases import EVERY_DRIVER, named_database
from tests.support.found_columns import columns

pytestmark = pytest.mark.slow

Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]
FrameOf = Callable[..., pd.DataFrame]

#: Without dots, which separate schema and table in a name.
PAYLOADS = [
    "x'; DROP TABLE victims; --",
    'x"; DROP TABLE victims; --',
    "x`; DROP TABLE victims; --",
    "x]; DROP TABLE victims; --",
    "x\\'; DROP TABLE victims; --",
    'x\\"; DROP TABLE victims; --',
    "x'); DROP TABLE victims; --",
    "x' OR '1'='1",
    "x' UNION SELECT secret FROM victims --",
    "victims; DELETE FROM victims",
    "x\n; DROP TABLE victims; --",
    "$$; DROP TABLE victims; $$",
    "/*!50000 ; DROP TABLE victims */",
    ":secret %(secret)s %s ? {secret}",
]


@pytest.fixture(params=EVERY_DRIVER)
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL through both drivers, SQLite, MariaDB and DuckDB."""
    return named_database(request)


@pytest.fixture
def victims(database: sa.Engine, fill: Fill) -> Callable[[], None]:
    """Make a table that no statement is about; what is returned asserts that it is as it was."""
    table = fill(database, "victims", [sa.Column("secret", sa.Text)], [{"secret": "s"}])

    def unharmed() -> None:
        with database.connect() as connection:
            assert connection.execute(sa.select(table)).scalars().all() == ["s"]

    return unharmed


def _list(fill: Fill, database: sa.Engine, *keys: str) -> None:
    named = [sa.Column(name, sa.Text) for name in ("image_id", "image", "side", "at", "branch")]
    rows = [{"image_id": key, "image": key, "side": "FRONT", "at": None, "branch": key} for key in keys]
    fill(database, "permit_images", named, rows)


@pytest.mark.parametrize(
    "option",
    [
        *("table", "schema", "key", "image", "back_image", "card_side", "updated_at", "order_by"),
        "carry_columns",
    ],
)
def test_sql_in_a_name_of_the_list_is_a_name_that_there_is_not(
    database: sa.Engine, fill: Fill, victims: Callable[[], None], option: str
) -> None:
    _list(fill, database, "a")
    for payload in PAYLOADS:
        given: dict[str, Any] = {"key": "image_id", "image": "image", "conn_id": "lake"}
        given["table"] = f"{payload}.permit_images" if option == "schema" else "permit_images"
        if option != "schema":
            given[option] = [payload] if option == "carry_columns" else payload
        with pytest.raises((PermitOcrError, ValueError)):
            SqlImageSource(database, ImageTable(given.pop("table"), **given)).check()
    victims()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_sql_in_the_name_of_a_table_a_view_or_a_ledger_makes_one_of_that_name_or_is_refused(
    database: sa.Engine, frame_of: FrameOf, victims: Callable[[], None], payload: str
) -> None:
    if "%(" in payload and Version(sa.__version__) < Version("2.0.56"):
        pytest.skip("older SQLAlchemy takes such a name for one with a parameter, and raises KeyError")
    for table, view in ((payload, None), ("permits", f"view {payload}")):
        target = SqlResultTarget(database, ResultTable(table, conn_id="w", documents_view=view))
        target.prepare()
        target.write(frame_of("a"))
        victims()
    if database.dialect.name != "duckdb":
        with suppress(PermitOcrError):
            prepare_tables(database, Ledger(payload, conn_id="w"), "UTC")
        victims()


def test_sql_in_the_name_of_a_copied_column_makes_a_column_of_that_name(
    database: sa.Engine, victims: Callable[[], None]
) -> None:
    names = [each for each in PAYLOADS if "%(" not in each]
    copied = [Column(name, ColumnKind.TEXT, f"From the image list, its column {name}") for name in names]
    target = SqlResultTarget(database, ResultTable("permits", conn_id="w", documents_view="documents"))
    target.prepare(result_columns([]))
    target.prepare(result_columns(copied))  # the columns are added, with their comments
    victims()
    with database.connect() as connection:
        found = columns(connection, "permits", None)
    assert found
    # SQLAlchemy reads MariaDB's columns line by line.
    by_lines = database.dialect.name in ("mysql", "mariadb")
    assert {name for name in names if not (by_lines and "\n" in name)} <= set(found)


def test_sql_in_keys_and_values_is_stored_as_text(
    database: sa.Engine, fill: Fill, read: Read, frame_of: FrameOf, victims: Callable[[], None]
) -> None:
    _list(fill, database, *PAYLOADS, "other")
    copied = [Carry("branch", name="b")]
    described = ImageTable(
        "permit_images", conn_id="lake", key="image_id", image="image", carry_columns=copied
    )
    rows = {row.image_key: row for row in read(database, described)}
    assert rows.keys() == {*PAYLOADS, "other"}
    target = SqlResultTarget(database, ResultTable("permits", conn_id="w"))
    target.prepare()
    for payload in PAYLOADS:
        assert (rows[payload].image, rows[payload].carried) == (payload, {"b": payload})
        target.write(frame_of(payload, name=payload, error_message=payload, run_id=payload))
    table = result_table("permits")
    with database.connect() as connection:
        written = sa.select(table.c.image_key, table.c.name, table.c.error_message, table.c.run_id)
        found = sorted(tuple(row) for row in connection.execute(written))
    assert found == sorted((each,) * 4 for each in PAYLOADS)
    victims()


@pytest.mark.parametrize("bound", ["since", "until"])
def test_sql_in_a_bound_of_the_list_is_no_time(
    database: sa.Engine, fill: Fill, victims: Callable[[], None], bound: str
) -> None:
    _list(fill, database, "a")
    for payload in PAYLOADS:
        given: dict[str, Any] = {bound: payload}
        described = ImageTable(
            "permit_images", conn_id="lake", key="image_id", image="image", updated_at="at", **given
        )
        with pytest.raises(SourceError, match="must be a time"):
            SqlImageSource(database, described).check()
    victims()


def test_sql_in_a_parameter_of_a_query_is_a_value(
    database: sa.Engine, fill: Fill, read: Read, victims: Callable[[], None]
) -> None:
    _list(fill, database, *PAYLOADS, "other")
    for payload in PAYLOADS:
        for sql, value in (
            ("SELECT * FROM permit_images WHERE branch = :wanted", payload),
            ("SELECT * FROM permit_images WHERE branch IN :wanted", [payload, "' OR 1=1 --"]),
        ):
            query = ImageQuery(
                sql, conn_id="lake", key="image_id", image="image", parameters={"wanted": value}
            )
            assert [row.image_key for row in read(database, query)] == [payload]
    victims()


@pytest.mark.parametrize(
    "pasted",
    [
        "x'; DROP TABLE victims; --",
        "x'; DELETE FROM victims WHERE '1'='1",
        "x') AS listed; DROP TABLE victims; --",
        "x') AS listed WHERE 1=1 OR (SELECT 1 FROM victims) = 1 --",
        "x'); COMMIT; DROP TABLE victims; SELECT ('",
        "x\0001\000",
    ],
)
def test_a_value_that_is_pasted_into_a_query_does_not_end_it(
    database: sa.Engine, fill: Fill, victims: Callable[[], None], pasted: str
) -> None:
    """Pasting is the author's mistake; what it can do is bounded by one SELECT."""
    _list(fill, database, "a")
    sql = f"SELECT * FROM permit_images WHERE branch = '{pasted}'"
    query = ImageQuery(sql, conn_id="lake", key="image_id", image="image")
    with pytest.raises(SourceError, match="does not work"):
        SqlImageSource(database, query).check()
    victims()


@pytest.mark.parametrize("opening", ["/*!", "/*!50000", "/*M!", "/*M!100100"])
def test_what_mariadb_runs_though_it_looks_like_a_comment_does_not_end_a_query(
    mariadb_engine: sa.Engine, opening: str
) -> None:
    sql = f"SELECT 1 AS image_id, 2 AS image {opening} ) AS listed; DROP TABLE victims; */"
    query = ImageQuery(sql, conn_id="lake", key="image_id", image="image")
    with pytest.raises(SourceError, match="more than one statement"):
        SqlImageSource(mariadb_engine, query).check()
