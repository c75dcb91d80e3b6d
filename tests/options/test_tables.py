from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.permit.api import CardSide


def _table(table: str = "images", **changes: Any) -> ImageTable:
    return ImageTable(table, **({"conn_id": "lake", "key": "id", "image": "url"} | changes))


def _query(sql: str = "SELECT 1", **changes: Any) -> ImageQuery:
    return ImageQuery(sql, **({"conn_id": "lake", "key": "id", "image": "url"} | changes))


def test_repr_shows_what_was_given_and_no_defaults() -> None:
    shown = repr(_table("lake.images", updated_at="at", since="{{ data_interval_start }}", card_side=None))
    assert sorted(shown.removeprefix("ImageTable(").removesuffix(")").split(", ")) == [
        "conn_id='lake'",
        "image='url'",
        "key='id'",
        "since='{{ data_interval_start }}'",
        "table='lake.images'",
        "updated_at='at'",
    ]


def test_repr_of_the_other_values_likewise() -> None:
    assert "parameters={'day': '***'}" in repr(_query(parameters={"day": 1}))
    assert _query(parameters={"day": 1}).serialize()["parameters"] == {"day": "***"}
    assert "parameters" not in repr(_query(parameters={}))
    assert "default_side='BACK'" in repr(_query(default_side="BACK"))
    assert repr(ResultTable("permits", conn_id="w")) == "ResultTable(table='permits', conn_id='w')"


def test_repr_begins_with_what_is_written_first() -> None:
    assert repr(_table()).startswith("ImageTable(table='images', ")
    assert repr(_query()).startswith("ImageQuery(sql='SELECT 1', ")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"conn_id": ""}, "ImageTable: conn_id must be a text that is not empty"),
        ({"key": ""}, "ImageTable: key must be the name of one column"),
        ({"image": ""}, "ImageTable: image must be the name of one column"),
        ({"image": "id"}, "same column is given for two purposes"),
        ({"card_side": "url"}, "same column is given for two purposes"),
        ({"default_side": "front"}, "default_side must be FRONT or BACK, not 'front'"),
        ({"default_side": "side"}, "put a column that has the side in card_side"),
        ({"since": "2026-01-31"}, "name that column"),
        ({"until": "2026-01-31"}, "name that column"),
        ({"table": ""}, "table must be a name or schema.name, not ''"),
        ({"table": "lake."}, "table must be a name or schema.name"),
        ({"table": ".images"}, "table must be a name or schema.name"),
        ({"table": "a..b"}, "table must be a name or schema.name"),
        ({"table": "a\x00"}, "table must be a name or schema.name"),
    ],
    ids=str,
)
def test_contradiction_is_refused_at_construction(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^ImageTable: ") as caught:
        _table(**changes)
    assert says in str(caught.value)


@pytest.mark.parametrize("sql", ["", " \n"])
def test_empty_statement_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match="ImageQuery: sql must be a SELECT"):
        _query(sql)


@pytest.mark.parametrize(
    ("table", "conn_id", "says"),
    [("permits", "", "conn_id must be a text"), ("", "w", "schema.name"), ("mart.", "w", "schema.name")],
)
def test_result_table_is_checked_too(table: str, conn_id: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"ResultTable: .*{says}"):
        ResultTable(table, conn_id=conn_id)


@pytest.mark.parametrize(
    "value", [_table(), _query(), ResultTable("permits", conn_id="w")], ids=lambda v: type(v).__name__
)
def test_value_is_frozen_and_templated_fields_are_replaced_in_a_copy(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        value.conn_id = "other"
    for name in value.template_fields:
        rendered = {"day": 1} if name == "parameters" else "rendered"
        changes = (
            {name: rendered} if name not in ("since", "until") else {name: "2026-01-31", "updated_at": "at"}
        )
        copy = replace(value, **changes)
        assert getattr(copy, name) == rendered or name in ("since", "until")
        assert getattr(value, name) != rendered


def test_replacing_keeps_the_side_and_checks_again() -> None:
    back = _table(default_side="BACK")
    assert replace(back, table="other").default_side is CardSide.BACK
    with pytest.raises(ValueError, match="two purposes"):
        replace(back, image="id")


def test_equal_values_are_equal() -> None:
    assert _table(default_side="BACK") == _table(default_side=CardSide.BACK)
    assert _table() != _table(updated_at="at")


@pytest.mark.parametrize(
    ("table", "parts"),
    [("permits", (None, "permits")), ("mart.permits", ("mart", "permits")), ("db.mart.t", ("db.mart", "t"))],
)
def test_schema_is_what_stands_before_the_last_dot(table: str, parts: tuple[str | None, str]) -> None:
    assert split_schema(table) == parts


@pytest.mark.parametrize("given", [{"a", "b"}, frozenset("a"), {"a": 1}, iter(["a"]), "a", 7])
def test_columns_to_carry_without_an_order_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"ImageTable: carry_columns must be a list of columns, not "):
        ImageTable("images", conn_id="lake", key="id", image="url", carry_columns=given)


@pytest.mark.parametrize("given", [[7], [""], [None], [["a"]]])
def test_what_is_no_column_to_carry_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="ImageTable: carry_columns must hold names"):
        ImageTable("images", conn_id="lake", key="id", image="url", carry_columns=given)


@pytest.mark.parametrize("name", ["key", "image", "back_image", "card_side", "updated_at", "order_by"])
def test_a_list_where_one_column_belongs_is_refused(name: str) -> None:
    columns: dict[str, Any] = {"key": "id", "image": "url"} | {name: ["a"]}
    with pytest.raises(ValueError, match=f"ImageTable: {name} must be the name of one column"):
        ImageTable("images", conn_id="lake", **columns)


def test_what_null_keys_mean_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="null_keys must be refuse or skip, not 'drop'"):
        ImageTable("images", conn_id="lake", key="id", image="url", null_keys="drop")


def test_a_name_that_no_result_can_have_is_refused_before_anything_is_paid_for() -> None:
    columns: Any = {"conn_id": "lake", "key": "id", "image": "url"}
    with pytest.raises(ValueError, match=r"ImageTable: a column of the result cannot have %\( in its name"):
        ImageTable("images", **columns, carry_columns=["%(name)s"])
    ImageTable("images", **columns, carry_columns=[Carry("%(name)s", name="name of branch"), "50%"])
