"""Lists that may not be read, and lists on a server or connection that accepts no changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from labs.ground.servers.postgres import EmbeddedPostgres

NewEngine = Callable[..., sa.Engine]
NAMES: dict[str, Any] = {
    "conn_id": "lake",
    "key": "image_id",
    "image": "image_url",
    "updated_at": "uploaded_at",
}
TABLE = ImageTable("permit_images", **NAMES)
QUERY = ImageQuery("SELECT * FROM permit_images", **NAMES)
VIEW = ImageTable("scans", **NAMES)
either = pytest.mark.parametrize("described", [TABLE, QUERY], ids=["table", "query"])


@pytest.fixture
def forget() -> Iterator[list[tuple[sa.Engine, str]]]:
    """Statements to run on engines after the test."""
    statements: list[tuple[sa.Engine, str]] = []
    yield statements
    for engine, statement in reversed(statements):
        with engine.begin() as connection:
            connection.execute(sa.text(statement))


def _reader(engine: sa.Engine, forget: list[tuple[sa.Engine, str]], new_engine: NewEngine) -> sa.Engine:
    """Make a user who may read the view ``scans``, whose owner may not read ``permit_images``."""
    is_mysql = engine.dialect.name == "mysql"
    reader, owner = ("lake_reader@'%'", "lake_owner@'%'") if is_mysql else ("lake_reader", "lake_owner")
    statements = [
        f"CREATE USER {reader} {'IDENTIFIED BY' if is_mysql else 'PASSWORD'} 'r'",
        f"CREATE USER {owner}",
        f"CREATE {f'DEFINER = {owner} ' if is_mysql else ''}VIEW scans AS SELECT * FROM permit_images",
        f"GRANT SELECT ON scans TO {reader}",
        *(
            []
            if is_mysql
            else [f"GRANT CREATE ON SCHEMA public TO {owner}", f"ALTER VIEW scans OWNER TO {owner}"]
        ),
    ]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    for user in (owner, reader):
        forget.append((engine, f"DROP USER {user}"))
        if not is_mysql:
            forget.append((engine, f"DROP OWNED BY {user} CASCADE"))
    return new_engine(engine.url.set(username="lake_reader", password="r"))


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_key_of_a_type_that_does_not_compare_is_no_missing_right(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id json, url text)")
    described = ImageTable("images", conn_id="lake", key="id", image="url")
    with pytest.raises(SourceError, match="equality operator for type json; correct the list, or choose"):
        SqlImageSource(database, described).check()


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "mariadb"], indirect=True)
def test_list_without_a_right_to_read_it_is_refused_and_not_waited_for(
    database: sa.Engine,
    image_list: Callable[..., None],
    forget: list[tuple[sa.Engine, str]],
    new_engine: NewEngine,
) -> None:
    image_list([{"image_id": "a"}])
    reader = _reader(database, forget, new_engine)
    slept: list[float] = []
    for described in (VIEW, TABLE):
        source = SqlImageSource(reader, described, patience=Patience(sleep=slept.append))
        with pytest.raises(SourceError, match=r"connection 'lake' (cannot be read: .*grant|has no table)"):
            source.check()
    with pytest.raises(SourceError, match=r"'lake' does not work: .*permit_images"):
        SqlImageSource(reader, QUERY, patience=Patience(sleep=slept.append)).check()
    assert slept == []


@either
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_default_schema_that_does_not_exist_is_refused(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    new_engine: NewEngine,
    described: ImageTable | ImageQuery,
    driver: str,
) -> None:
    options = {"options": "-c search_path=nowhere"}
    engine = new_engine(postgres.dsn(postgres_database, driver), connect_args=options)
    with pytest.raises(SourceError, match="permit_images"):
        SqlImageSource(engine, described).check()


@either
def test_mysql_without_a_database_is_refused(
    mariadb_engine: sa.Engine, new_engine: NewEngine, described: ImageTable | ImageQuery
) -> None:
    with pytest.raises(SourceError, match="No database selected"):
        SqlImageSource(new_engine(mariadb_engine.url.set(database="")), described).check()


def _rows(engine: sa.Engine, described: ImageTable | ImageQuery) -> list[str]:
    source = SqlImageSource(engine, described)
    source.check()
    assert source.key_type() == "text"
    assert source.settled() == 0
    return [row.image_key for page in source.pages() for row in source.images(page)]


@either
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_list_is_read_where_all_transactions_are_read_only(
    database: sa.Engine,
    image_list: Callable[..., None],
    known: Callable[..., None],
    count_left_out: Callable[..., int],
    new_engine: NewEngine,
    described: ImageTable | ImageQuery,
) -> None:
    image_list([{"image_id": "a"}, {"image_id": "b"}])
    known({"image_key": "a"})
    options = {"options": "-c default_transaction_read_only=on"}
    standby = new_engine(database.url, connect_args=options)
    assert _rows(standby, described) == ["a", "b"]
    assert count_left_out(standby, described) == 1


@either
def test_list_is_read_from_a_file_that_is_opened_for_reading_alone(
    sqlite_engine: sa.Engine,
    fill: Callable[..., sa.Table],
    new_engine: NewEngine,
    described: ImageTable | ImageQuery,
) -> None:
    columns = [sa.Column(name, sa.Text) for name in ("image_id", "image_url", "uploaded_at")]
    fill(sqlite_engine, "permit_images", columns, [{"image_id": "a"}])
    path = Path(str(sqlite_engine.url.database))
    assert _rows(new_engine(f"sqlite:///file:{path}?mode=ro&uri=true"), described) == ["a"]
