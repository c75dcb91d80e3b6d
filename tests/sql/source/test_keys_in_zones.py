"""An instant as a key is one image, in whatever time zone a session shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from labs.ground.servers.postgres import EmbeddedPostgres

LISTED = ImageTable("taken", conn_id="lake", key="taken_at", image="image")


@pytest.fixture
def show_times_in(postgres: EmbeddedPostgres, postgres_database: str) -> Iterator[Callable[[str], None]]:
    """Have new sessions of this database show times in a time zone, until the end of the test."""
    with psycopg.connect(postgres.dsn(postgres_database), autocommit=True) as connection:
        role = sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {}").format(sql.Identifier(postgres_database))

        def show(zone: str) -> None:
            connection.execute(role + sql.SQL(" SET timezone = {}").format(zone))

        yield show
        connection.execute(role + sql.SQL(" RESET timezone"))


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_sessions_time_zone_makes_no_new_images(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    new_engine: Callable[..., sa.Engine],
    show_times_in: Callable[[str], None],
    driver: str,
) -> None:
    engine = new_engine(postgres.dsn(postgres_database, driver))
    moments = [datetime(2026, month, 31, 8, 0, 0, 123456, tzinfo=UTC) for month in (1, 7)]
    zones = ["UTC", "Asia/Shanghai", "Europe/Berlin"]
    read = []
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE taken (taken_at timestamptz PRIMARY KEY, image text)")
        connection.execute(
            sa.text("INSERT INTO taken VALUES (:moment, 'https://x/1.png')"),
            [{"moment": moment} for moment in moments],
        )
    for zone in zones:
        show_times_in(zone)
        engine.dispose()
        source = SqlImageSource(engine, LISTED)
        keys = [listed.image_key for page in source.pages() for listed in page]
        found = source.find([(key, CardSide.FRONT) for key in keys])
        images = [row.image_key for page in source.pages() for row in source.images(page)]
        assert keys == images == sorted(each.image_key for each in found)
        read.append(keys)
    assert read == [[str(moment) for moment in moments]] * len(zones)
