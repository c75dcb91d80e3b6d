"""What a run says about the fields that it has read, in the table and in the ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import (
    Declared,
    ImageTable,
    MainlandPermitOcrHook,
    Privacy,
    Quality,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import QUALITY_COLUMNS

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]

pytestmark = pytest.mark.usefixtures("connected")
#: Whether a specimen has expired depends on today.
OF_TODAY = ("expired", "expires_soon", "not_yet_valid")


@pytest.fixture
def claims(warehouse: sa.Engine, image_list: ImageList) -> Callable[[dict[str, str]], list[Specimen]]:
    """Make an image list of three fronts, and say of each key what its applicant has typed as a number."""

    def make(claimed: dict[str, str]) -> list[Specimen]:
        specimens = image_list(3)
        with warehouse.begin() as connection:
            connection.execute(sa.text("ALTER TABLE permit_images ADD claimed_no text"))
            for key, number in claimed.items():
                connection.execute(
                    sa.text("UPDATE permit_images SET claimed_no = :number WHERE image_id = :key"),
                    {"number": number, "key": key},
                )
        return specimens

    return make


COMPARED = Quality(declared=Declared(number="claimed_no"))
#: The list, with what applicants have typed.
CLAIMED = ImageTable(
    "permit_images",
    conn_id="warehouse",
    key="image_id",
    image="image",
    card_side="card_side",
    updated_at="uploaded_at",
    carry_columns=["claimed_no"],
)


def flags(row: dict[str, Any]) -> list[str]:
    """Return the flags of a row, but for those that change with the calendar."""
    return [flag for flag in json.loads(row["quality_flags"]) if flag not in OF_TODAY]


@pytest.mark.whole_runs
def test_a_row_has_flags_codes_and_the_size_of_its_picture(
    image_list: ImageList, execute: Execute, permits: Rows
) -> None:
    specimens = image_list(2)
    execute()
    row = permits()["k000", "FRONT"]
    assert flags(row) == []
    assert row["is_doubtful"] is False
    assert row["is_expired"] is (row["valid_until"] < date.today())
    assert row["declared_differs"] is None
    assert row["permit_kind"] == "hong_kong_macao"
    assert row["sex_code"] == {"男": "M", "女": "F"}[specimens[0].fields["Sex"]]
    assert row["image_width"] == 480
    assert 200 < row["image_height"] < 480


@pytest.mark.whole_runs
def test_an_image_without_an_answer_is_not_examined(
    image_list: ImageList, execute: Execute, permits: Rows
) -> None:
    image_list(0, [{"image_id": "none", "image": "base64"}])
    execute()
    row = permits()["none", "FRONT"]
    assert row["status"] == "rejected"
    assert [row[name] for name in QUALITY_COLUMNS] == [None] * 4


@pytest.mark.whole_runs
def test_numbers_are_compared_with_what_the_applicant_typed(
    claims: Callable[[dict[str, str]], list[Specimen]],
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    draw: Callable[..., Specimen],
) -> None:
    right = draw(seed=0).fields["Number"]
    claims({"k000": f" {right[:4]} {right[4:].lower()}", "k001": "H00000000"})
    summary = execute(source=CLAIMED, quality=COMPARED)
    rows = permits()
    assert summary["doubtful"] == sum(row["is_doubtful"] for row in rows.values()) == 1
    assert [rows[key, "FRONT"]["declared_differs"] for key in ("k000", "k001", "k002")] == [False, True, None]
    assert flags(rows["k001", "FRONT"]) == ["declared_number"]
    assert rows["k001", "FRONT"]["is_doubtful"] is True


@pytest.mark.whole_runs
def test_a_policy_hides_values_and_leaves_what_was_found_about_them(
    claims: Callable[[dict[str, str]], list[Specimen]],
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
) -> None:
    claims({"k000": "H00000000"})
    policy = Privacy("analytics", quality_flags="keep", carried={"claimed_no": "drop"})
    execute(source=CLAIMED, quality=COMPARED, privacy=policy)
    row = permits()["k000", "FRONT"]
    assert (row["number"], row["claimed_no"], row["valid_until"], row["sex_code"]) == (None,) * 4
    assert flags(row) == ["declared_number"]
    assert row["declared_differs"] is True
    assert row["permit_kind"] == "hong_kong_macao"
    with warehouse.connect() as connection:
        kept = connection.execute(sa.text("SELECT answer FROM permit_ocr_answers")).scalars().all()
    assert not [answer for answer in kept if "H0000" in answer]


@pytest.mark.whole_runs
def test_a_policy_may_drop_what_was_found_and_the_kind(
    image_list: ImageList, execute: Execute, permits: Rows, warehouse: sa.Engine
) -> None:
    image_list(1)
    execute(privacy=Privacy(quality_flags="drop", type="drop", back_type="drop"))
    row = permits()["k000", "FRONT"]
    assert [row[name] for name in (*QUALITY_COLUMNS, "permit_kind")] == [None] * 5
    with warehouse.connect() as connection:
        assert connection.execute(sa.text("SELECT permit_kind FROM permit_ocr_calls")).scalar_one() is None


@pytest.mark.whole_runs
def test_a_rebuild_raises_the_flags_of_the_day_of_the_answer(
    claims: Callable[[dict[str, str]], list[Specimen]],
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
) -> None:
    claims({"k000": "H00000000"})
    execute(source=CLAIMED, quality=COMPARED)
    before = permits()
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permits SET quality_flags = NULL, is_doubtful = NULL"))
    execute(source=CLAIMED, quality=COMPARED, rebuild=True)
    assert permits() == before


@pytest.mark.whole_runs
def test_a_rule_that_is_left_out_raises_no_flag_after_a_rebuild(
    claims: Callable[[dict[str, str]], list[Specimen]],
    execute: Execute,
    permits: Rows,
) -> None:
    claims({"k000": "H00000000"})
    execute(source=CLAIMED, quality=COMPARED)
    skipping = Quality(declared=Declared(number="claimed_no"), skip=["declared_number"])
    execute(source=CLAIMED, quality=skipping, rebuild=True)
    row = permits()["k000", "FRONT"]
    assert (flags(row), row["is_doubtful"]) == ([], False)


def test_an_identical_image_is_compared_with_its_own_applicant(
    claims: Callable[[dict[str, str]], list[Specimen]],
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    draw: Callable[..., Specimen],
) -> None:
    claims({"k000": draw(seed=0).fields["Number"]})
    with warehouse.begin() as connection:
        copied = "SELECT 'copy', image, card_side, uploaded_at, 'H00000000' FROM permit_images"
        connection.execute(sa.text(f"INSERT INTO permit_images {copied} WHERE image_id = 'k000'"))
    execute(source=CLAIMED, quality=COMPARED, reuse_identical=True, max_in_flight=1)
    rows = permits()
    assert {rows[key, "FRONT"]["reused_from"] for key in ("k000", "copy")} - {None} <= {"k000", "copy"}
    assert rows["k000", "FRONT"]["declared_differs"] is False
    assert rows["copy", "FRONT"]["declared_differs"] is True


@pytest.mark.whole_runs
def test_the_ledger_says_which_kind_each_call_was_for(
    image_list: ImageList,
    execute: Execute,
    warehouse: sa.Engine,
    draw: Callable[..., Specimen],
    tmp_path: Path,
) -> None:
    taiwan = draw(PermitKind.TAIWAN, CardSide.FRONT)
    (tmp_path / "taiwan.jpg").write_bytes(taiwan.image)
    image_list(1, [{"image_id": "t", "image": str(tmp_path / "taiwan.jpg")}])
    execute()
    with warehouse.connect() as connection:
        statement = sa.text("SELECT image_key, permit_kind FROM permit_ocr_calls ORDER BY image_key")
        assert connection.execute(statement).all() == [("k000", "hong_kong_macao"), ("t", "taiwan")]


def test_a_frame_is_compared_without_a_ledger(image_list: ImageList, draw: Callable[..., Specimen]) -> None:
    specimen = draw(seed=0)
    frame = pd.DataFrame(
        {"image": [specimen.image] * 3, "typed": [specimen.fields["Number"], "H00000000", None]}
    )
    quality = Quality(declared=Declared(number="typed"))
    with MainlandPermitOcrHook(quality=quality, max_per_second=100) as hook:
        found = hook.recognize_frame(frame, carry_columns=["typed"])
        reused = hook.recognize_frame(frame, carry_columns=["typed"], reuse_identical=True)
        with pytest.raises(ValueError, match="number='typed' is not copied"):
            hook.recognize_frame(frame)
    for each in (found, reused):
        assert each["declared_differs"].tolist() == [False, True, pd.NA]
        assert each["permit_kind"].tolist() == ["hong_kong_macao"] * 3


def test_without_what_compares_names_nothing_is_paid_for(
    image_list: ImageList,
    execute: Execute,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(1)
    monkeypatch.setitem(sys.modules, "opencc", None)
    source = replace(CLAIMED, carry_columns=["image_id"])
    with pytest.raises(AirflowFailException, match=r"needs OpenCC: pip install opencc"):
        execute(source=source, quality=Quality(declared=Declared(name="image_id")))
    assert connected.stats()["calls"] == 0
