"""A run under a privacy policy: what its ledger, journal, tables and files then hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrHook,
    MainlandPermitOcrOperator,
    Privacy,
    ResultFile,
    ResultTable,
    decrypt,
    pseudonym,
)
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.permit.api import BACK_FIELD, CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]

HMAC_KEY = "a key of pseudonyms, made for tests"


@pytest.fixture(autouse=True)
def keys(set_connection: Callable[..., None]) -> None:
    set_connection("permitocr_hmac", conn_type="generic", password=HMAC_KEY)


def printed(specimens: Sequence[Specimen]) -> set[str]:
    """Return what cards print of their holders, and not of their kind."""
    of_person = ("Name", "EnglishName", "Birthday", "Number", "ValidDate")
    texts = {specimen.fields.get(name) or "" for specimen in specimens for name in of_person}
    for specimen in specimens:
        back = specimen.fields.get(BACK_FIELD) or {}
        texts |= {back.get(name) or "" for name in ("Name", "IDNumber", "HistoryNumber")}
    return {text for text in texts if len(text) > 1}


def unescaped(text: str) -> str:
    """Return text with what JSON has escaped as characters, beside what it was."""
    return text + re.sub(r"\\+u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)


def everything_in(database: sa.Engine) -> str:
    """Return all that the tables of a database hold, but for the image list, as text."""
    found = []
    with database.connect() as connection:
        for table in sa.inspect(connection).get_table_names():
            if table != "permit_images":
                rows = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()
                found.append(json.dumps([dict(row) for row in rows], default=str, ensure_ascii=False))
    return unescaped("\n".join(found))


def shown_in(text: str, specimens: Sequence[Specimen]) -> list[str]:
    """Return what a text holds of what is printed, but for periods of validity."""
    periods = {specimen.fields.get("ValidDate") for specimen in specimens}
    return [each for each in printed(specimens) - periods if each in text]


def of(text: Any) -> str:
    return pseudonym(str(text), key=HMAC_KEY.encode())


@pytest.mark.whole_runs
def test_numbers_are_pseudonyms_and_names_masked_in_ledger_table_and_file(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    specimens = image_list(3)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    execute(privacy="pseudonymous", target=targets, list="permits")
    row, fields = permits()["k000", "FRONT"], specimens[0].fields
    assert row["number"] == of(fields["Number"])
    assert row["name"] == fields["Name"][0] + "*" * (len(fields["Name"]) - 1)
    assert row["birthday"] == date(int(fields["Birthday"][:4]), 1, 1)
    assert row["type"] == fields["Type"]
    assert shown_in(everything_in(warehouse) + file.read_text(encoding="utf-8"), specimens) == []
    assert connected.stats()["calls"] == 3


@pytest.mark.whole_runs
def test_without_a_policy_the_same_search_finds_people(
    image_list: ImageList, execute: Execute, warehouse: sa.Engine, connected: RunningEmulator
) -> None:
    specimens = image_list(1)
    execute()
    assert specimens[0].fields["Number"] in shown_in(everything_in(warehouse), specimens)
    assert specimens[0].fields["Name"] in shown_in(everything_in(warehouse), specimens)


@pytest.mark.usefixtures("connected")
def test_a_journal_holds_nothing_that_the_policy_hides(
    image_list: ImageList, execute: Execute, warehouse: sa.Engine, tmp_path: Path
) -> None:
    specimens = image_list(1)
    execute(privacy="pseudonymous")
    with warehouse.begin() as connection:
        refuse = "ALTER TABLE permit_ocr_answers ADD CONSTRAINT none CHECK (false) NOT VALID"
        connection.execute(sa.text(refuse))
    image_list(0, [{"image_id": "new", "image": str(tmp_path / "0.jpg")}])
    execute("run-2", privacy="pseudonymous", journal=str(tmp_path / "journal"))
    (kept,) = [path for path in (tmp_path / "journal").rglob("*.jsonl") if path.stat().st_size]
    written = unescaped(kept.read_text(encoding="ascii"))
    assert of(specimens[0].fields["Number"]) in written
    assert shown_in(written, specimens) == []


@pytest.mark.whole_runs
def test_a_policy_that_comes_later_hides_what_is_delivered_from_then_on_without_a_call(
    image_list: ImageList, execute: Execute, warehouse: sa.Engine, connected: RunningEmulator
) -> None:
    specimens = image_list(2)
    execute()
    both = [ResultTable("permits", conn_id="warehouse"), ResultTable("for_analysts", conn_id="warehouse")]
    summary = execute("run-2", target=both, list="warehouse:permits", privacy="analytics")
    assert summary["calls"] == 0
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM for_analysts")).mappings().all()
    assert [row["type"] for row in rows] == [specimen.fields["Type"] for specimen in specimens]
    assert {(row["image_digest"], row["image_bytes"]) for row in rows} == {(None, None)}
    assert shown_in(json.dumps([dict(row) for row in rows], default=str), specimens) == []


@pytest.mark.whole_runs
def test_a_later_field_cannot_be_read_from_what_a_policy_has_kept_and_the_rebuild_says_so(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    connected: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    image_list(2)
    execute(privacy="pseudonymous")
    before = permits()
    assert execute("run-2", privacy="pseudonymous", rebuild=True)["protected"] == 2
    said = caplog.text + "".join(capfd.readouterr())
    assert "for 2 images the answer was stored under a privacy policy" in said
    assert {key: row["number"] for key, row in permits().items()} == {
        key: row["number"] for key, row in before.items()
    }


@pytest.mark.whole_runs
def test_a_table_that_is_adopted_keeps_its_pseudonyms(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    permits: Rows,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    specimens = image_list(1)
    execute(privacy="pseudonymous")
    before = permits()["k000", "FRONT"]
    with warehouse.begin() as connection:
        for table in ledger_tables("permit_ocr"):
            table.drop(connection)
    adopt_list(operator(privacy="pseudonymous"))
    execute("run-2", privacy="pseudonymous", rebuild=True)
    after = permits()["k000", "FRONT"]
    hidden = ("number", "name", "birthday")
    assert [after[name] for name in hidden] == [before[name] for name in hidden]
    assert after["number"] == of(specimens[0].fields["Number"])


@pytest.mark.whole_runs
def test_copied_columns_are_hidden_in_ledger_and_table(
    image_list: ImageList, execute: Execute, permits: Rows, warehouse: sa.Engine, connected: RunningEmulator
) -> None:
    image_list(1)
    with warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permit_images ADD claimed_no text DEFAULT 'C98765432'"))
    source = ImageTable(
        "permit_images", conn_id="warehouse", key="image_id", image="image", carry_columns=["claimed_no"]
    )
    execute(source=source, privacy=Privacy(carried={"claimed_no": "hmac"}))
    assert permits()["k000", "FRONT"]["claimed_no"] == of("C98765432")
    assert "C98765432" not in everything_in(warehouse)


@pytest.mark.whole_runs
@pytest.mark.usefixtures("connected")
def test_of_a_copied_day_its_year_is_left_in_the_table(
    image_list: ImageList, execute: Execute, permits: Rows, warehouse: sa.Engine
) -> None:
    image_list(1)
    with warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permit_images ADD born date DEFAULT '1986-03-02'"))
        connection.execute(
            sa.text("ALTER TABLE permit_images ADD seen timestamptz DEFAULT '2024-05-06T07:08Z'")
        )
    source = ImageTable(
        "permit_images", conn_id="warehouse", key="image_id", image="image", carry_columns=["born", "seen"]
    )
    execute(source=source, privacy=Privacy(carried={"born": "year", "seen": "year"}))
    row = permits()["k000", "FRONT"]
    assert (row["born"], row["seen"]) == (date(1986, 1, 1), date(2024, 1, 1))


@pytest.mark.whole_runs
@pytest.mark.usefixtures("connected")
def test_a_hash_in_the_image_list_does_not_pass_for_a_pseudonym(
    image_list: ImageList, execute: Execute, permits: Rows, warehouse: sa.Engine
) -> None:
    image_list(1)
    unsalted = hashlib.sha256(b"C98765432").hexdigest()
    with warehouse.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE permit_images ADD hashed text DEFAULT '{unsalted}'"))
    source = ImageTable(
        "permit_images", conn_id="warehouse", key="image_id", image="image", carry_columns=["hashed"]
    )
    execute(source=source, privacy=Privacy(carried={"hashed": "hmac"}))
    assert permits()["k000", "FRONT"]["hashed"] == of(unsalted)


@pytest.mark.usefixtures("connected")
def test_a_frame_of_a_notebook_is_hidden_as_a_table_is(
    front: Specimen, set_connection: Callable[..., None]
) -> None:
    key = Fernet.generate_key().decode()
    set_connection("permitocr_fernet", conn_type="generic", password=key)
    policy = Privacy(name="encrypt", number="hmac", image_digest="drop")
    with MainlandPermitOcrHook(privacy=policy) as hook:
        (row,) = hook.recognize_frame(pd.DataFrame({"image": [front.image]})).to_dict("records")
    assert decrypt(row["name"], key) == front.fields["Name"]
    assert row["number"] == of(front.fields["Number"])
    assert pd.isna(row["image_digest"])


@pytest.mark.usefixtures("connected")
def test_columns_of_a_frame_that_go_along_are_hidden(front: Specimen) -> None:
    given = {"claimed": ["C98765432", None], "born": [date(1986, 3, 2), pd.NaT], "score": [1, 2]}
    frame = pd.DataFrame({"image": [front.image, front.image], **given}, index=["a", "b"])
    policy = Privacy(carried={"claimed": "hmac", "born": "year", "score": "keep"})
    with MainlandPermitOcrHook(privacy=policy) as hook:
        answer = hook.recognize_frame(frame, carry_columns=list(given), reuse_identical=True)
    assert (answer["claimed"]["a"], answer["born"]["a"]) == (of("C98765432"), date(1986, 1, 1))
    assert answer[["claimed", "born"]].isna().to_numpy().tolist() == [[False, False], [True, True]]
    assert answer["score"].dtype == frame["score"].dtype
    assert frame["claimed"]["a"] == "C98765432"


def test_a_column_of_a_frame_that_the_policy_does_not_name_is_refused_before_a_call(
    front: Specimen, connected: RunningEmulator
) -> None:
    frame = pd.DataFrame({"image": [front.image], "claimed": ["C98765432"]})
    with MainlandPermitOcrHook(privacy="analytics") as hook, pytest.raises(ValueError, match="'claimed'"):
        hook.recognize_frame(frame, carry_columns=["claimed"])
    assert connected.stats()["calls"] == 0


@pytest.mark.usefixtures("connected")
def test_columns_of_a_row_that_go_along_are_hidden(front: Specimen) -> None:
    row = ImageRow("a", front.image, CardSide.FRONT, carried={"claimed": "C98765432"})
    with MainlandPermitOcrHook(privacy=Privacy(carried={"claimed": "hmac"})) as hook:
        (record,) = hook.recognize_rows([row])
    assert record["claimed"] == of("C98765432")


@pytest.mark.whole_runs
def test_nobody_is_found_again_in_a_table_for_analytics(
    draw: Callable[..., Specimen], connected: RunningEmulator
) -> None:
    """By one who holds the table and all that is printed on everybody's card."""
    kinds = (PermitKind.HONG_KONG_MACAO, PermitKind.TAIWAN, PermitKind.EXIT_ENTRY, PermitKind.NON_CHINESE)
    specimens = [draw(kind, seed=seed) for kind in kinds for seed in range(5)]
    images = pd.DataFrame({"image": [specimen.image for specimen in specimens]})
    with MainlandPermitOcrHook(max_per_second=200) as hook:
        people = hook.recognize_frame(images)[list(ANSWER_COLUMNS)]
    with MainlandPermitOcrHook(privacy="analytics", max_per_second=200) as hook:
        table = hook.recognize_frame(images)
    assert set(table["status"]) == {"recognized"}
    for _, row in table.iterrows():
        known = {name: row[name] for name in ANSWER_COLUMNS if pd.notna(row[name])}
        assert known
        fits = pd.concat([people[name].eq(value) for name, value in known.items()], axis=1).all(axis=1)
        assert fits.sum() > 1
    assert shown_in(table.to_csv(), specimens) == []
    assert table[["image_digest", "image_bytes"]].isna().all(axis=None)
