from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

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
        ("DELETE FROM permit_images", {}, "begins with DELETE, but only a SELECT lists images"),
        ("/* now */ update permit_images SET side = 1", {}, "begins with UPDATE"),
        ("SELECT * FROM permit_images; DROP TABLE permit_images", {}, "more than one statement"),
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


LISTS = [["key-1", "key-3"], ("key-1", "key-3"), {"key-1", "key-3"}]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("among", ["IN :wanted", "IN (:wanted)", "in /* two */ ( :wanted )"])
@pytest.mark.parametrize("wanted", LISTS, ids=["list", "tuple", "set"])
def test_list_of_texts_stands_for_all_of_them(
    database: sa.Engine, read: Read, among: str, wanted: Any
) -> None:
    query = _query(f"SELECT * FROM permit_images WHERE image_id {among}", wanted=wanted)
    assert [row.image_key for row in read(database, query)] == ["key-1", "key-3"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("among", ["IN :days", "IN (:days)"])
def test_list_of_numbers_stands_for_all_of_them(database: sa.Engine, read: Read, among: str) -> None:
    number = "CAST(substring(image_id, 5) AS decimal(9))"
    query = _query(
        f"SELECT * FROM permit_images WHERE {number} {among} AND image_id < :end", days=[1, 3], end="z"
    )
    assert [row.image_key for row in read(database, query)] == ["key-1", "key-3"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("column", ["image_id", "length(image_id)"], ids=["text", "number"])
@pytest.mark.parametrize(
    ("among", "listed"),
    [("IN :none", 0), ("IN (:none)", 0), ("NOT IN (:none)", 3), ("NOT IN :none", 3)],
)
@pytest.mark.parametrize("negated", [False, True])
def test_empty_list_holds_nothing(
    database: sa.Engine, read: Read, column: str, among: str, listed: int, negated: bool
) -> None:
    condition = f"NOT ({column} {among})" if negated else f"{column} {among}"
    query = _query(f"SELECT * FROM permit_images WHERE {condition} AND 1 = 1", none=[])
    assert len(read(database, query)) == (3 - listed if negated else listed)


@pytest.mark.usefixtures("three_images")
def test_list_beside_another_value_behind_in_is_refused(database: sa.Engine) -> None:
    query = _query("SELECT * FROM permit_images WHERE image_id IN ('key-1', :more)", more=["key-2"])
    with pytest.raises(SourceError, match="the list :more must be the only operand of IN"):
        SqlImageSource(database, query).check()


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_list_is_an_array_of_postgresql_where_one_is_asked_for(database: sa.Engine, read: Read) -> None:
    sql = "SELECT * FROM permit_images WHERE image_id = ANY(:wanted) AND image_id IN :wanted"
    assert [row.image_key for row in read(database, _query(sql, wanted=["key-1"]))] == ["key-1"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    "condition",
    [
        "':wanted' <> image_id",
        "'a :wanted b' <> image_id",
        "' :10:30:wanted' <> image_id",
        "'it''s :wanted' <> image_id",
        "image_id <> 'x' -- not :wanted",
        "image_id <> 'x' /* nor :wanted */",
        "image_id <> 'a\\' AND ':other' <> image_id",
    ],
)
def test_what_is_quoted_or_a_comment_is_no_parameter(database: sa.Engine, read: Read, condition: str) -> None:
    if "\\" in condition and database.dialect.name == "mysql":  # a backslash escapes the quote there
        condition = "image_id <> 'a\\' :b' AND ':other' <> image_id"
    query = _query(f"SELECT * FROM permit_images WHERE image_id = :key AND {condition}", key="key-2")
    assert [row.image_key for row in read(database, query)] == ["key-2"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("text", [":wanted", "12:30:45 :a:b", "::", "a:b"])
def test_quoted_colons_reach_the_database_as_they_are(database: sa.Engine, read: Read, text: str) -> None:
    query = _query(f"SELECT image_id, '{text}' AS image_url FROM permit_images WHERE image_id = 'key-1'")
    assert [row.image for row in read(database, query)] == [text]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "duckdb"], indirect=True)
def test_parameter_may_be_cast(database: sa.Engine, read: Read) -> None:
    sql = "SELECT image_id, $$:no$$ AS image_url FROM permit_images WHERE image_id = :key::text"
    assert [row.image for row in read(database, _query(sql, key="key-2"))] == [":no"]


TWICE = "SELECT a.image_id, b.image_id, a.image_url FROM permit_images a JOIN permit_images b ON 1 = 1"


@pytest.mark.usefixtures("three_images")
def test_doubled_column_is_refused_by_name(database: sa.Engine) -> None:
    with pytest.raises(SourceError, match=r"'lake' .*'?image_id'?"):
        SqlImageSource(database, _query(TWICE)).check()


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("database", ["psycopg", "psycopg2", "sqlite", "duckdb"], indirect=True)
def test_doubled_column_is_refused_with_the_way_out(database: sa.Engine) -> None:
    with pytest.raises(SourceError, match=r"2 columns called 'image_id'; .* AS other_image_id"):
        SqlImageSource(database, _query(f"WITH x AS (SELECT 1) {TWICE}")).check()


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE permit_images SET side = 'BACK'", "does not work"),
        ("UPDATE permit_images SET side = 'BACK' RETURNING image_id, image_url", "does not work"),
        ("SELECT shrunk(image_id) AS image_id, image_url FROM permit_images", "(?i)shrunk"),
        ("SELECT image_id, lower(image_url) FROM permit_images", r"no column 'image_url' \(image\)"),
    ],
)
def test_what_cannot_be_a_list_is_refused_and_not_waited_for(
    database: sa.Engine, sql: str, says: str
) -> None:
    slept: list[float] = []
    source = SqlImageSource(database, _query(sql), patience=Patience(sleep=slept.append))
    with pytest.raises(SourceError, match=says):
        source.check()
    assert slept == []
    with database.connect() as connection:
        backs = sa.text("SELECT count(*) FROM permit_images WHERE side = 'BACK'")
        assert connection.execute(backs).scalar_one() == 0


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM permit_images ORDER BY image_id LIMIT 2",
        "WITH newest AS (SELECT * FROM permit_images ORDER BY image_id LIMIT 2) SELECT * FROM newest",
    ],
)
def test_limit_holds(database: sa.Engine, read: Read, sql: str) -> None:
    assert [row.image_key for row in read(database, _query(sql))] == ["key-1", "key-2"]


@pytest.mark.usefixtures("three_images")
@pytest.mark.parametrize("database", ["mariadb", "sqlite"], indirect=True)
def test_value_that_the_driver_does_not_take_is_refused(database: sa.Engine) -> None:
    value = {"a": 1} if database.dialect.name == "mysql" else 10**30
    with pytest.raises(SourceError, match="its driver does not accept such a value in parameters"):
        SqlImageSource(
            database, _query("SELECT * FROM permit_images WHERE image_id = :wanted", wanted=value)
        ).check()
