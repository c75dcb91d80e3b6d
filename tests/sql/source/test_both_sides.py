"""Documents whose front and back are in two columns of one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageKind, ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

CountLeftOut = Callable[..., int]
Fill = Callable[..., sa.Table]
Read = Callable[..., list[ImageRow]]

NAMES: dict[str, Any] = {
    "conn_id": "lake",
    "key": "id",
    "image": "front",
    "back_image": "back",
    "updated_at": "changed",
}
DOCUMENTS = ImageTable("documents", **NAMES)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FRONT, BACK = CardSide.FRONT, CardSide.BACK


@pytest.fixture
def documents(database: sa.Engine, fill: Fill) -> Callable[..., None]:
    """Make the table `documents` of these keys, fronts and backs."""

    def make(*rows: tuple[str | None, str | None, str | None], days: int = 0) -> None:
        columns: list[sa.Column[Any]] = [
            sa.Column("id", sa.String(20)),
            sa.Column("front", sa.Text),
            sa.Column("back", sa.Text),
            sa.Column("changed", sa.DateTime(timezone=True)),
            sa.Column("branch", sa.String(20)),
        ]
        fill(
            database,
            "documents",
            columns,
            (
                {"id": key, "front": front, "back": back, "changed": NOON, "branch": f"of {key}"}
                for key, front, back in rows
            ),
        )

    return make


@pytest.mark.slow
@pytest.mark.parametrize("through_query", [False, True], ids=["table", "query"])
@pytest.mark.parametrize("rows_a_page", [1, 2, 3, 10])
def test_each_image_of_a_row_is_a_row_and_null_is_none(
    database: sa.Engine,
    documents: Callable[..., None],
    read: Read,
    through_query: bool,
    rows_a_page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", rows_a_page)
    documents(("b", "b1", "b2"), ("a", "a1", None), ("c", None, "c2"), ("d", None, None), ("e", "e1", "e2"))
    described = ImageQuery("SELECT * FROM documents", **NAMES) if through_query else DOCUMENTS
    assert [(*row.row_key, row.image) for row in read(database, described)] == [
        ("a", FRONT, "a1"),
        ("b", BACK, "b2"),
        ("b", FRONT, "b1"),
        ("c", BACK, "c2"),
        ("e", BACK, "e2"),
        ("e", FRONT, "e1"),
    ]


def test_both_sides_have_the_rows_time_kind_and_carried_columns(
    database: sa.Engine, documents: Callable[..., None], read: Read
) -> None:
    documents(("a", "a1", "a2"))
    described = replace(DOCUMENTS, carry_columns=["branch"], image_kind="path", order_by="-changed")
    for row in read(database, described):
        assert row.updated_at == NOON
        assert row.kind is ImageKind.PATH
        assert row.carried == {"branch": "of a"}


def test_bounds_hold_for_both_sides(database: sa.Engine, documents: Callable[..., None], read: Read) -> None:
    documents(("a", "a1", "a2"))
    assert len(read(database, replace(DOCUMENTS, since="2026-01-31", until="2026-02-01"))) == 2
    assert read(database, replace(DOCUMENTS, since="2026-02-01")) == []


@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "mariadb"], indirect=True)
def test_rows_settled_on_one_side_leave_the_other(
    database: sa.Engine,
    documents: Callable[..., None],
    known: Callable[..., None],
    count_left_out: CountLeftOut,
) -> None:
    documents(("a", "a1", "a2"), ("b", "b1", "b2"), ("c", "c1", None))
    known(
        {"image_key": "a", "card_side": "BACK"},
        {"image_key": "b"},
        {"image_key": "b", "card_side": "BACK"},
        {"image_key": "c", "card_side": "BACK"},
    )
    assert count_left_out(database, DOCUMENTS) == 3


def test_a_shard_holds_both_sides(database: sa.Engine, documents: Callable[..., None]) -> None:
    documents(*((f"key-{at}", "front", "back") for at in range(20)))
    for number in (1, 2, 3):
        source = SqlImageSource(database, DOCUMENTS, shard=Shard(number, 3))
        rows = [row.row_key for page in source.pages() for row in page]
        assert source.check() == len(rows)
        assert {key for key, side in rows if side is FRONT} == {key for key, side in rows if side is BACK}


def test_doubled_documents_are_refused(database: sa.Engine, documents: Callable[..., None]) -> None:
    documents(("a", "a1", "a2"), ("a", "a1", None), ("b", "b1", None), ("b", None, "b2"))
    with pytest.raises(SourceError, match=r"1 key occurs more than once .* for example 'a'"):
        SqlImageSource(database, DOCUMENTS).check()


def test_documents_without_a_key_are_refused(database: sa.Engine, documents: Callable[..., None]) -> None:
    documents((None, "a1", "a2"), ("b", "b1", None))
    with pytest.raises(SourceError, match=r"2 of 3 rows have NULL in the key column 'id'"):
        SqlImageSource(database, DOCUMENTS).check()


def test_missing_column_of_the_back_is_named(database: sa.Engine, documents: Callable[..., None]) -> None:
    documents()
    with pytest.raises(SourceError, match=r"no column 'rear' \(back_image\)"):
        SqlImageSource(database, replace(DOCUMENTS, back_image="rear")).check()


@pytest.mark.slow
def test_a_page_of_both_sides_is_found_by_the_index_of_the_key(
    postgres_engine: sa.Engine, fill: Fill
) -> None:
    columns = [
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(x, sa.Text) for x in ("front", "back")),
    ]
    rows = ({"id": at, "front": "u", "back": "u"} for at in range(20_000))
    fill(postgres_engine, "documents", columns, rows)
    described = ImageTable("documents", conn_id="lake", key="id", image="front", back_image="back")
    asked: list[tuple[str, Any]] = []
    sa.event.listen(postgres_engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 100)
        pages = SqlImageSource(postgres_engine, described).pages()
        next(pages)
        next(pages)
    statement, parameters = asked[-1]
    with postgres_engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE documents")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert "Index Scan using documents_pkey" in plan
    assert "Presorted Key: documents.id" in plan
