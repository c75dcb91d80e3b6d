from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import SourceError
from airflow_provider_permitocr.core.models import ImageRow
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.tables import ImageQuery

Read = Callable[..., list[ImageRow]]
ImageList = Callable[..., None]


@pytest.fixture
def three_images(image_list: ImageList) -> None:
    image_list(
        {
            "image_id": f"key-{day}",
            "image_url": f"https://images.example/{day}.jpg",
            "side": "FRONT",
            "uploaded_at": datetime(2026, 1, day, tzinfo=UTC),
        }
        for day in (1, 2, 3)
    )


def _query(sql: str, **parameters: Any) -> ImageQuery:
    return ImageQuery(sql, conn_id="lake", key="image_id", image="image_url", parameters=parameters)


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM permit_images WHERE image_id = :wanted",
        "SELECT * FROM permit_images WHERE image_id = :wanted;",
        "  SELECT * FROM permit_images WHERE image_id = :wanted ; \n",
        "SELECT * FROM permit_images WHERE image_id = :wanted -- only this one",
        "SELECT * FROM permit_images /* all; of: them */ WHERE image_id = :wanted",
        "WITH chosen AS (SELECT * FROM permit_images WHERE image_id = :wanted) SELECT * FROM chosen",
        "SELECT * FROM permit_images WHERE image_id = :wanted ORDER BY uploaded_at DESC",
        "SELECT * FROM permit_images WHERE image_id = :wanted AND image_url LIKE '%2.jpg'",
        "SELECT * FROM permit_images WHERE image_id = :wanted UNION SELECT * FROM permit_images WHERE 1 = 0",
        "SELECT image_id, image_url FROM permit_images WHERE image_id IN (:wanted, :wanted)",
        "SELECT image_id, image_url FROM permit_images WHERE image_id = CAST(:wanted AS varchar(20))",
    ],
)
def test_select_of_any_kind_lists_images(database: sa.Engine, read: Read, sql: str) -> None:
    rows = read(database, _query(sql, wanted="key-2"))
    assert [(row.image_key, row.image) for row in rows] == [("key-2", "https://images.example/2.jpg")]


@pytest.mark.usefixtures("three_images")
def test_value_that_looks_like_sql_stays_a_value(database: sa.Engine, read: Read) -> None:
    sql = "SELECT * FROM permit_images WHERE image_id = :wanted"
    assert read(database, _query(sql, wanted="' OR '1'='1")) == []


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00+00:00"),
        ("2026-01-02 08:00:00+08", "2026-01-03 00:00:00+00"),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
    ],
    ids=str,
)
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_dates_given_as_text_or_times_are_compared_as_times(
    database: sa.Engine, read: Read, since: Any, until: Any
) -> None:
    sql = "SELECT * FROM permit_images WHERE uploaded_at >= :since AND uploaded_at < :until"
    assert [row.image_key for row in read(database, _query(sql, since=since, until=until))] == ["key-2"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_casts_and_numbers_of_postgresql_work(database: sa.Engine, read: Read) -> None:
    sql = "SELECT * FROM permit_images WHERE extract(day FROM uploaded_at)::int = :day AND '1'::text = '1'"
    assert [row.image_key for row in read(database, _query(sql, day=3))] == ["key-3"]


@pytest.mark.parametrize(
    ("sql", "parameters", "says"),
    [
        ("SELEC * FROM permit_images", {}, "syntax"),
        ("SELECT * FROM", {}, "syntax|incomplete"),
        ("SELECT * FROM permit_image", {}, "permit_image"),
        ("SELECT image_i, image_url FROM permit_images", {}, "image_i"),
        ("SELECT * FROM permit_images WHERE image_id = :wanted", {}, "'wanted'"),
        ("SELECT * FROM permit_images", {"wanted": 1}, "wanted"),
        ("DELETE FROM permit_images", {}, "syntax"),
        ("SELECT * FROM permit_images; DROP TABLE permit_images", {}, "syntax|at a time|multiple"),
    ],
)
def test_statement_that_does_not_work_is_refused_with_its_reason(
    database: sa.Engine, image_list: ImageList, sql: str, parameters: dict[str, Any], says: str
) -> None:
    image_list([{"image_id": "a"}])
    with pytest.raises(SourceError, match=rf"'lake' does not work: .*(?i:{says})"):
        SqlImageSource(database, _query(sql, **parameters)).check()
    with database.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permit_images")).scalar_one() == 1


@pytest.mark.usefixtures("three_images")
def test_column_that_the_query_does_not_give_is_named_with_those_it_gives(database: sa.Engine) -> None:
    query = _query("SELECT image_id, side FROM permit_images")
    with pytest.raises(SourceError, match=r"no column 'image_url' \(image\).* it has image_id, side"):
        SqlImageSource(database, query).check()
