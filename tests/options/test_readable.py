"""How options are shown in Airflow's UI."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import JsonValue, TypeAdapter

from airflow_provider_permitocr import (
    AnalyticsReport,
    Budget,
    Carry,
    Declared,
    ImageAccess,
    ImageQuery,
    ImageTable,
    Ledger,
    PortraitFolder,
    Privacy,
    Quality,
    Redo,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.options.readable import Readable

TABLE = ImageTable(
    "images",
    conn_id="lake",
    key="id",
    image="url",
    card_side=None,
    carry_columns=["branch", Carry("born", name="claimed_birthday", kind="date")],
)
OPTIONS = [
    TABLE,
    ImageQuery("SELECT 1", conn_id="lake", key="id", image="url", parameters={"day": 1}),
    ResultTable("permits", conn_id="warehouse"),
    ResultFile("/exports/permits.csv", conn_id="disk"),
    Ledger("ocr", conn_id="lake", keep_answers=30),
    Budget(price_per_call=Decimal("0.15"), currency="CNY", max_calls=9),
    ImageAccess(fetch_images=True, fetch_hosts=("a.example",), roots=("/data", "s3://scans")),
    Redo(statuses=["failed", "rejected"], before=datetime(2026, 5, 1, tzinfo=UTC)),
    PortraitFolder("s3://portraits"),
    Privacy("analytics", carried={"branch": "keep"}),
    Quality(declared=Declared(number="claimed_number")),
    AnalyticsReport("/reports/permits.html"),
]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: type(option).__name__)
def test_an_option_is_shown_as_json_as_airflow_3_2_demands(option: Readable) -> None:
    shown = option.serialize()
    assert TypeAdapter(dict[str, JsonValue]).validate_python(shown, strict=True) == shown


def test_what_is_inside_an_option_is_shown_by_name() -> None:
    carried = ["branch", {"column": "born", "name": "claimed_birthday", "kind": "date"}]
    assert TABLE.serialize()["carry_columns"] == carried
    assert "Carry(column='born'" in repr(TABLE)
