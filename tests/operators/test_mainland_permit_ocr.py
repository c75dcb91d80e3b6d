from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_permitocr import (
    Batch,
    Budget,
    ImageQuery,
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


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: operators make the ledger."""


def test_every_listed_image_ends_as_one_row_with_its_fields(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    back: Specimen,
    tmp_path: Path,
) -> None:
    (tmp_path / "back.jpg").write_bytes(back.image)
    further = [
        {"image_id": "k000", "image": str(tmp_path / "back.jpg"), "card_side": "BACK"},
        {"image_id": "gone", "image": "/no/such/file.png"},
        {"image_id": "gif", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="},
    ]
    specimens = image_list(3, further)

    summary = execute()

    rows = permits()
    assert len(rows) == 6
    for number, specimen in enumerate(specimens):
        row = rows[f"k{number:03}", "FRONT"]
        assert (row["status"], row["run_id"], row["tries"]) == ("recognized", "run-1", 1)
        assert row["name"] == specimen.fields["Name"]
        assert row["number"] == specimen.fields["Number"]
        assert row["birthday"].strftime("%Y.%m.%d") == specimen.fields["Birthday"]
    assert rows["k000", "BACK"]["back_id_number"] == back.fields["MainlandTravelPermitBackInfos"]["IDNumber"]
    assert (rows["gone", "FRONT"]["status"], rows["gone", "FRONT"]["error_code"]) == (
        "retry",
        "ImageNotFound",
    )
    assert rows["gif", "FRONT"]["status"] == "rejected"
    assert "GIF" in rows["gif", "FRONT"]["error_message"]
    assert summary["statuses"] == {"recognized": 4, "retry": 1, "rejected": 1}
    assert summary["error_codes"] == {"ImageNotFound": 1, "ImageTruncated": 1}
    assert summary["calls"] == connected.stats()["calls"] == 4


def test_a_second_run_calls_for_nothing_but_what_changed(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    warehouse: sa.Engine,
) -> None:
    image_list(3)
    execute()
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day' WHERE image_id = 'k001'")
        )

    summary = execute()

    assert (summary["skipped"], summary["calls"]) == (2, 1)
    assert connected.stats()["calls"] == 4
    assert len(permits()) == 3


@pytest.mark.whole_runs
def test_a_select_with_bound_parameters_is_read(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(3)
    source = ImageQuery(
        "SELECT image_id, image FROM permit_images WHERE image_id <> :without AND uploaded_at < :before",
        conn_id="warehouse",
        key="image_id",
        image="image",
        parameters={"without": "k001", "before": "2027-01-01T00:00:00+00:00"},
    )

    execute(source=source)

    assert set(permits()) == {("k000", "FRONT"), ("k002", "FRONT")}


@pytest.mark.whole_runs
def test_source_and_target_may_be_different_databases(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    set_connection: Callable[..., None],
    tmp_path: Path,
    new_engine: Callable[..., sa.Engine],
) -> None:
    image_list(2)
    set_connection("lake", conn_type="sqlite", host=str(tmp_path / "lake.db"))

    execute(target=ResultTable("permits", conn_id="lake"))
    summary = execute(target=ResultTable("permits", conn_id="lake"))

    with new_engine(f"sqlite:///{tmp_path / 'lake.db'}").connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permits")).scalar_one() == 2
    assert (summary["skipped"], summary["calls"]) == (2, 0)


def test_an_empty_list_is_no_error_and_makes_the_table(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(1)

    summary = execute(
        source=ImageQuery(
            "SELECT image_id, image FROM permit_images WHERE false",
            conn_id="warehouse",
            key="image_id",
            image="image",
        )
    )

    assert summary["listed"] == summary["calls"] == 0
    assert permits() == {}


@pytest.mark.whole_runs
def test_the_portrait_is_kept_only_where_it_was_asked_for(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(1)

    execute()
    assert permits()["k000", "FRONT"]["profile"] is None
    with_portrait = ResultTable("permits_with_portrait", conn_id="warehouse")
    execute(portraits="column", target=with_portrait, list="with portrait")

    assert connected.stats()["calls"] == 2


@pytest.mark.whole_runs
def test_no_value_of_a_document_reaches_log_summary_or_error_even_at_debug(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    all_logged: Callable[[], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    specimens = image_list(3)

    summary = execute(batch=Batch(rows=1))

    # Airflow prints a task's own log, past caplog.
    said = all_logged() + "".join(capfd.readouterr()) + json.dumps(summary)
    assert "3 recognized" in said
    for specimen in specimens:
        for name in ("Name", "EnglishName", "Number"):
            assert specimen.fields[name] not in said
    assert "emulator-secret-key" not in said


def test_templates_are_rendered_into_copies(
    operator: NewOperator,
) -> None:
    source = ImageTable(
        "{{ params.table }}",
        conn_id="{{ params.conn }}",
        key="k",
        image="i",
        updated_at="at",
        since="{{ params.since }}",
    )
    query = ImageQuery(
        "SELECT 1 FROM {{ params.table }}",
        conn_id="w",
        key="k",
        image="i",
        parameters={"day": "{{ params.since }}"},
    )
    params = {"table": "images", "conn": "lake", "since": "2026-01-01"}
    task = operator(source=source)

    task.render_template_fields({"params": params})
    rendered_query = task.render_template(query, {"params": params})

    assert (task.source.table, task.source.conn_id, task.source.since) == ("images", "lake", "2026-01-01")  # type: ignore[union-attr]
    assert source.table == "{{ params.table }}"
    assert (rendered_query.sql, rendered_query.parameters) == ("SELECT 1 FROM images", {"day": "2026-01-01"})


def test_caps_and_price_are_templates_and_are_shown_as_rendered(operator: NewOperator) -> None:
    given = Budget(
        price_per_call="{{ params.price }}", currency="USD", max_calls="{{ params.cap }}", max_calls_per_day=9
    )
    task = operator(budget=given, ledger=Ledger("ocr", conn_id="lake"))
    task.render_template_fields({"params": {"price": 0.0015, "cap": " 500 "}})
    assert task.budget == Budget(price_per_call="0.0015", currency="USD", max_calls=500, max_calls_per_day=9)
    assert str(task.budget.price) == "0.0015 USD"
    shown = serialize_template_field(task.budget, "budget")
    assert shown == {"price_per_call": "0.0015", "currency": "USD", "max_calls": 500, "max_calls_per_day": 9}


@pytest.mark.parametrize("rendered", [None, "", "many", "-1"])
def test_a_cap_that_renders_to_none_is_refused(operator: NewOperator, rendered: str | None) -> None:
    task = operator(budget=Budget(max_calls="{{ params.cap }}"), ledger=Ledger("ocr", conn_id="lake"))
    with pytest.raises(ValueError, match="max_calls must be a whole number"):
        task.render_template_fields({"params": {"cap": rendered}})


@pytest.mark.whole_runs
@pytest.mark.parametrize(("pool", "warned"), [(None, True), ("tencent_permit_ocr", False)])
def test_a_task_in_the_default_pool_is_told_that_nothing_keeps_the_quota(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    capfd: pytest.CaptureFixture[str],
    pool: str | None,
    warned: bool,
) -> None:
    image_list(1)

    execute(pool=pool)

    warnings = [line for line in capfd.readouterr().out.splitlines() if "[warning" in line]
    assert any("default_pool" in each and "pool='tencent_permit_ocr'" in each for each in warnings) is warned
