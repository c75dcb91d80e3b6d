"""An image list whose database goes away while it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.sql.database.failures import DatabaseError
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.source import image_source
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

LISTED = ImageTable("images", conn_id="lake", key="id", image="image")
READS_ROWS = re.compile(r"FROM images\b")
END_ALL_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NOT NULL"


@pytest.fixture
def images(postgres_engine: sa.Engine, fill: Callable[..., sa.Table]) -> list[str]:
    """A list of 100 images, read in pages of ten."""
    keys = [f"{number:03}" for number in range(100)]
    columns = [sa.Column("id", sa.Text), sa.Column("image", sa.Text)]
    fill(postgres_engine, "images", columns, ({"id": key, "image": f"/{key}.jpg"} for key in keys))
    return keys


@pytest.fixture
def cut_off_often(postgres_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """End all sessions of the server in the middle of every fifth statement that reads rows."""
    monkeypatch.setattr(image_source, "_ROWS", 10)
    statements: list[str] = []

    @sa.event.listens_for(postgres_engine, "after_cursor_execute")
    def cut_off(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if READS_ROWS.search(statement):
            statements.append(statement)
            if len(statements) % 5 == 0:
                cursor.execute(END_ALL_SESSIONS)

    return statements


@pytest.mark.parametrize("shard", [None, Shard(1, 1)], ids=["whole", "shard"])
def test_list_is_read_whole_and_once_though_its_connections_keep_being_lost(
    postgres_engine: sa.Engine, images: list[str], cut_off_often: list[str], shard: Shard | None
) -> None:
    source = SqlImageSource(
        postgres_engine, LISTED, shard=shard, patience=Patience(sleep=lambda seconds: None)
    )
    assert source.check() == 100
    read = [row.image_key for page in source.pages() for row in source.images(page)]
    assert read == images
    assert len(cut_off_often) > 100 / 10 + 100 / 8


def test_database_that_never_answered_is_told_of_soon_and_later_is_waited_for(
    postgres_engine: sa.Engine, images: list[str]
) -> None:
    waited: list[float] = []
    away = [True]

    @sa.event.listens_for(postgres_engine, "do_connect")
    def refuse(*_: Any) -> None:
        if away:
            raise psycopg.OperationalError("connection refused")

    postgres_engine.dispose()
    patience = Patience(clock=lambda: sum(waited), sleep=waited.append)
    source = SqlImageSource(postgres_engine, LISTED, patience=patience)
    with pytest.raises(DatabaseError, match="reading the image list failed: OperationalError"):
        source.check()
    assert sum(waited) == pytest.approx(10)
    away.clear()
    waited.clear()
    assert source.check() == 100
    away.append(True)
    postgres_engine.dispose()
    with pytest.raises(DatabaseError):
        list(source.pages())
    assert sum(waited) == pytest.approx(120)
