from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.sql.database.failures import DatabaseError
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.conftest import EMPTYING

ImageList = Callable[..., None]


def _listed(**changes: Any) -> ImageTable:
    names: dict[str, Any] = {
        "table": "permit_images",
        "conn_id": "lake",
        "key": "image_id",
        "image": "image_url",
        "card_side": "side",
    }
    return ImageTable(**(names | changes))


def _refusal(engine: sa.Engine, described: ImageTable | ImageQuery) -> str:
    with pytest.raises(SourceError) as caught:
        SqlImageSource(engine, described).check()
    return str(caught.value)


def test_missing_table_is_named_with_its_connection_and_a_near_one(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list([])
    told = _refusal(database, _listed(table="permit_image"))
    assert told == "connection 'lake' has no table 'permit_image'; did you mean 'permit_images'?"


def test_a_near_table_is_named_with_the_schema_that_was_given(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list([])
    schema = sa.inspect(database).default_schema_name or "main"
    told = _refusal(database, _listed(table=f"{schema}.permit_image"))
    assert told.endswith(f"; did you mean '{schema}.permit_images'?")


def test_near_view_is_offered_too(database: sa.Engine, image_list: ImageList) -> None:
    image_list([])
    with database.begin() as connection:
        connection.execute(sa.text("CREATE VIEW todays_scans AS SELECT * FROM permit_images"))
    assert "did you mean 'todays_scans'?" in _refusal(database, _listed(table="today_scans"))


def test_nothing_is_offered_where_nothing_is_near(database: sa.Engine) -> None:
    assert _refusal(database, _listed(table="zzz")) == "connection 'lake' has no table 'zzz'"


def test_schema_that_is_not_there_is_part_of_the_name(postgres_engine: sa.Engine) -> None:
    assert "no table 'nowhere.images'" in _refusal(postgres_engine, _listed(table="nowhere.images"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": "image_key"}, "no column 'image_key' (key); it has image_id, image_url, side"),
        ({"image": "picture_url"}, "no column 'picture_url' (image)"),
        ({"card_side": "sides"}, "uploaded_at; did you mean 'side'?"),
        ({"updated_at": "changed"}, "no column 'changed' (updated_at)"),
        ({"key": 'a"; DROP TABLE permit_images; --'}, "no column 'a\"; DROP TABLE permit_images; --' (key)"),
    ],
)
def test_missing_column_is_named_with_its_purpose_and_what_there_is(
    database: sa.Engine, image_list: ImageList, changes: dict[str, str], says: str
) -> None:
    image_list([])
    assert says in _refusal(database, _listed(**changes))


def test_keys_that_are_null_are_counted(database: sa.Engine, image_list: ImageList) -> None:
    image_list([{"image_id": None}, {"image_id": None}, {"image_id": "a"}])
    told = _refusal(database, _listed())
    assert told.startswith("2 of 3 rows have NULL in the key column 'image_id'")


def test_duplicate_keys_are_counted_with_examples(database: sa.Engine, image_list: ImageList) -> None:
    image_list({"image_id": key, "side": "FRONT"} for key in ("a", "a", "b", "b", "b", "c"))
    told = _refusal(database, _listed())
    assert told.startswith("2 keys occur more than once")
    assert "'a'" in told
    assert "'b'" in told
    assert "'c'" not in told


def test_a_key_that_is_doubled_on_both_sides_is_shown_once(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list({"image_id": "a", "side": side} for side in ("FRONT", "FRONT", "BACK", "BACK"))
    assert _refusal(database, _listed()).count("'a'") == 1


def test_one_key_may_stand_for_both_sides(database: sa.Engine, image_list: ImageList) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}, {"image_id": "a", "side": "BACK"}])
    assert SqlImageSource(database, _listed()).check() == 2


@pytest.mark.parametrize(("first", "second"), [(None, "FRONT"), ("front", "FRONT "), (None, None)])
def test_same_side_in_other_words_is_a_duplicate(
    database: sa.Engine, image_list: ImageList, first: str | None, second: str | None
) -> None:
    image_list([{"image_id": "a", "side": first}, {"image_id": "a", "side": second}])
    assert _refusal(database, _listed()).startswith("1 key occurs more than once")


def test_without_a_side_column_both_sides_of_a_key_are_a_duplicate(
    database: sa.Engine, image_list: ImageList
) -> None:
    image_list([{"image_id": "a", "side": "FRONT"}, {"image_id": "a", "side": "BACK"}])
    assert _refusal(database, _listed(card_side=None)).startswith("1 key occurs more than once")


@pytest.mark.parametrize("side", ["SIDE", "F", "", "FRONT/BACK", "正面", "李优图"])
def test_nonsense_side_is_refused_without_quoting_it(
    database: sa.Engine, image_list: ImageList, side: str
) -> None:
    image_list([{"image_id": "a", "side": side}, {"image_id": "b", "side": "BACK"}])
    told = _refusal(database, _listed())
    assert told == (
        "1 row holds something other than FRONT, BACK or NULL in the card side column 'side'; correct them,"
        " or name another column"
    )


def test_check_leaves_the_list_as_it_is(database: sa.Engine, image_list: ImageList) -> None:
    image_list([{"image_id": "a"}])
    source = SqlImageSource(database, _listed())
    assert [source.check(), source.check()] == [1, 1]


@pytest.mark.parametrize("bound", [{"since": "yesterday"}, {"until": "31.01.2026"}])
def test_bound_that_is_no_time_is_quoted_with_an_example(
    database: sa.Engine, image_list: ImageList, bound: dict[str, str]
) -> None:
    image_list([])
    (name, value), *_ = bound.items()
    told = _refusal(database, _listed(updated_at="uploaded_at", **bound))
    assert told == f"{name} must be a time such as 2026-01-31T00:00:00+00:00, not {value!r}"


@pytest.mark.parametrize("declared", ["DATETIME", "TEXT", "INTEGER"])
@pytest.mark.parametrize("value", ["last week", 1769817600])
def test_change_time_that_is_none_names_its_key(sqlite_engine: sa.Engine, declared: str, value: Any) -> None:
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE images (id TEXT, url TEXT, at {declared})")
        connection.exec_driver_sql("INSERT INTO images VALUES ('key-1', 'u', ?)", (value,))
    described = ImageTable("images", conn_id="lake", key="id", image="url", updated_at="at")
    with pytest.raises(
        SourceError,
        match=r"key 'key-1': the updated_at column must hold dates or times; correct it, or name another$",
    ):
        list(SqlImageSource(sqlite_engine, described).pages())


@pytest.mark.usefixtures("impatient")
def test_unreachable_database_is_said_to_be_so(new_engine: Callable[..., sa.Engine]) -> None:
    engine = new_engine("postgresql+psycopg://me:hidden@127.0.0.1:1/warehouse")
    with pytest.raises(DatabaseError, match=r"reading the image list failed: .*refused") as caught:
        SqlImageSource(engine, _listed()).check()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("database", ["psycopg", "psycopg2"], indirect=True)
def test_connection_lost_between_pages_is_replaced(
    database: sa.Engine,
    postgres_engine: sa.Engine,
    image_list: ImageList,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 20)
    image_list({"image_id": f"{at:02}"} for at in range(30))
    pages = SqlImageSource(database, _listed()).pages()
    first = list(next(pages))
    with postgres_engine.connect() as connection:
        others = (
            "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
            f" AND application_name <> '{EMPTYING}'"
        )
        ended = (
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid, 5000) {others}")).scalars().all()
        )
    rest = [row for page in pages for row in page]
    assert True in ended
    assert [row.image_key for row in first + rest] == [f"{at:02}" for at in range(30)]


@pytest.mark.parametrize("until", ["2026-05-01T02:00:00+00:00", "2026-04-30T00:00:00+00:00"])
def test_bounds_with_nothing_between_them_are_refused_in_place_of_listing_nothing(
    database: sa.Engine, image_list: ImageList, until: str
) -> None:
    image_list([])
    bounds = {"since": "2026-05-01T02:00:00+00:00", "until": until}
    told = _refusal(database, _listed(updated_at="uploaded_at", **bounds))
    assert "is not before until" in told
