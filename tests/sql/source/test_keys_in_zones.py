"""An instant as a key is one image, in whatever time zone a session shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from labs.ground.servers.postgres import EmbeddedPostgres

LISTED = ImageTable("taken", conn_id="lake", key="taken_at", image="image")


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_the_sessions_time_zone_makes_no_new_images(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    new_engine: Callable[..., sa.Engine],
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
        with engine.begin() as connection:
            connection.exec_driver_sql(
                f"ALTER ROLE CURRENT_USER IN DATABASE {postgres_database} SET timezone = '{zone}'"
            )
        engine.dispose()
        source = SqlImageSource(engine, LISTED)
        keys = [listed.image_key for page in source.pages() for listed in page]
        found = source.find([(key, CardSide.FRONT) for key in keys])
        images = [row.image_key for page in source.pages() for row in source.images(page)]
        assert keys == images == sorted(each.image_key for each in found)
        read.append(keys)
    assert read == [[str(moment) for moment in moments]] * len(zones)
