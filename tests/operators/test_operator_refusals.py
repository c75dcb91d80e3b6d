from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]
Execute = Callable[..., dict[str, Any]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": ImageTable("permit_image", conn_id="warehouse", key="a", image="b")}, "'permit_images'"),
        (
            {"source": ImageTable("permit_images", conn_id="warehouse", key="id", image="image")},
            "column 'id'",
        ),
        ({"source": ImageTable("permit_images", conn_id="nowhere", key="a", image="b")}, "'nowhere'"),
        ({"target": ResultTable("permits", conn_id="tencentcloud_default")}, "not an SQL database"),
        ({"target": ResultTable("permit_images", conn_id="warehouse")}, "exists already"),
        ({"target": ResultTable("missing.permits", conn_id="warehouse")}, "schema"),
        ({"tencentcloud_conn_id": "nobody"}, "'nobody'"),
        ({"tencentcloud_conn_id": "warehouse"}, "'warehouse'"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_is_wrong_is_named_before_the_first_call_and_not_retried(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    arguments: dict[str, Any],
    message: str,
) -> None:
    image_list(1)

    with pytest.raises(AirflowFailException, match=message):
        execute(**arguments)

    assert connected.stats()["calls"] == 0


ELSEWHERE = [
    ("gcpbigquery", "BigQuery", "GCSToBigQueryOperator"),
    ("redshift", "Redshift", "S3ToRedshiftOperator"),
    ("mssql", "SQL Server", "S3ToSqlOperator"),
    ("trino", "Trino", "GCSToTrinoOperator"),
    ("oracle", "Oracle", "S3ToSqlOperator"),
]


@pytest.mark.parametrize(("conn_type", "title", "loader"), ELSEWHERE)
@pytest.mark.parametrize("how", ["run", "plan", "rebuild"])
def test_a_result_table_in_a_database_that_is_not_promised_is_refused_with_the_way_into_it(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    set_connection: Callable[..., None],
    conn_type: str,
    title: str,
    loader: str,
    how: str,
) -> None:
    image_list(1)
    set_connection("elsewhere", conn_type=conn_type, host="db.example.com")
    ledger = Ledger("permit_ocr", conn_id="warehouse")
    options: dict[str, Any] = {"run": {}, "plan": {"plan_only": True}, "rebuild": {"rebuild": True}}[how]

    with pytest.raises(AirflowFailException) as raised:
        execute(target=ResultTable("permits", conn_id="elsewhere"), ledger=ledger, **options)

    words = str(raised.value)
    assert f"a result table cannot be in {title}, only in PostgreSQL" in words
    assert "Snowflake" in words
    assert "target=ResultFile(" in words
    assert loader in words
    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize(("conn_type", "title"), [each[:2] for each in ELSEWHERE])
@pytest.mark.parametrize("how", ["run", "plan"])
def test_a_list_in_a_database_that_is_not_promised_is_refused_with_the_way_out_of_it(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    set_connection: Callable[..., None],
    conn_type: str,
    title: str,
    how: str,
) -> None:
    image_list(1)
    set_connection("elsewhere", conn_type=conn_type, host="db.example.com")
    source = ImageTable("permit_images", conn_id="elsewhere", key="image_id", image="image")

    with pytest.raises(AirflowFailException) as raised:
        execute(source=source, plan_only=how == "plan")

    words = str(raised.value)
    assert f"an image list cannot be read from {title}, only from PostgreSQL" in words
    assert "GenericTransfer" in words
    assert "Snowflake" not in words
    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image_id": "k000", "image": "x"}], "more than once"),
        ([{"image_id": None, "image": "x"}], "NULL in the key column"),
        ([{"image_id": "k9", "image": "x", "card_side": "SIDEWAYS"}], "card side column"),
    ],
)
def test_a_list_that_cannot_be_keyed_is_refused_before_the_first_call(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    rows: list[dict[str, Any]],
    message: str,
) -> None:
    image_list(1, rows)

    with pytest.raises(AirflowFailException, match=message):
        execute()

    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": "permit_images"}, TypeError, "source must be ImageTable or ImageQuery"),
        ({"target": "permits"}, TypeError, "target must be ResultTable"),
        ({"max_per_second": 0}, ValueError, "max_per_second"),
        ({"max_per_second": -1}, ValueError, "max_per_second"),
        ({"max_in_flight": 0}, ValueError, "max_in_flight"),
        ({"max_runs_per_image": 0}, ValueError, "max_runs_per_image"),
    ],
)
def test_a_wrong_argument_fails_when_the_dag_is_parsed(
    operator: NewOperator, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        operator(**arguments)
