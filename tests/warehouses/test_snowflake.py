"""Result tables in Snowflake: its real connector, Airflow's real hook, and a stand-in for its servers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

pytestmark = pytest.mark.slow

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen(in_snowflake: Callable[..., Any]) -> Seen:
    """What ``snowflake/tables.py`` saw, by the names of its functions."""
    return dict(in_snowflake("tables"))


def test_values_come_through_as_they_are(seen: Seen) -> None:
    empty, full = seen["values"]["rows"]
    expected = {
        **{"image_key": "键", "name": "𠮷田\\' \n\"", "valid_from": "0001-01-01", "birthday": "9999-12-31"},
        **{"warn_photocopy": True, "warn_recapture": False, "image_bytes": 2**53 + 1, "order": ""},
        **{"客户 号": "2026-01-02", "weight": 0.1, "seen": "0001-01-01 00:00:00+00", "version": 5},
        **{"processed_at": "2026-01-31 12:00:00.123456+00"},
    }
    assert {name: full[name] for name in expected} == expected
    assert {name for name, value in empty.items() if value is not None} == {
        *("image_key", "card_side", "status", "version")
    }
    assert (seen["values"]["before"], seen["values"]["held"]) == ([0, True], [2, 6])


def test_columns_are_found_without_quotes_and_have_types_that_keep_values(seen: Seen) -> None:
    types = seen["values"]["types"]
    assert {"IMAGE_KEY", "ORDER", "客户 号", "WEIGHT"} <= set(types)
    assert {types[name] for name in ("VERSION", "IMAGE_BYTES", "TRIES")} == {"NUMBER(38,0)"}
    assert (types["BIRTHDAY"], types["WARN_PHOTOCOPY"], types["WEIGHT"]) == ("DATE", "BOOLEAN", "FLOAT")
    assert types["PROCESSED_AT"].startswith("TIMESTAMP_TZ")


def test_a_delivery_is_one_load_and_one_merge_and_leaves_nothing_behind(seen: Seen) -> None:
    values = seen["values"]
    assert values["statements"] == ["USE", "CREATE", "CREATE", "PUT", "COPY", "MERGE", "DROP"]
    assert [row[1] for row in values["left"]] == ["PERMITS"]


def test_times_are_merged_with_their_zone_whatever_the_session_says(seen: Seen) -> None:
    (merge,) = seen["values"]["staged"]
    assert "|| ' +00:00', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')" in merge
    assert "TO_DATE(C11, 'YYYY-MM-DD')" in merge


def test_no_row_is_replaced_by_an_older_one_and_what_is_to_be_kept_is_kept(seen: Seen) -> None:
    assert seen["versions"] == {
        **{"a": [6, "five", None], "b": [5, "again", None], "c": [9, None, None]},
        **{"d": [9, "new", None], "e": [2, "last", None]},
    }


def test_a_history_keeps_each_recognition_once_and_is_told_from_other_tables(seen: Seen) -> None:
    history = seen["history"]
    assert (history["names"], history["keeps_history"]) == (["first", "second"], [True, False])
    assert history["after an erasure"] == [["a", 4], ["b", 3]]
    assert "it keeps one row per recognition, and mode 'upsert' one per image" in history["as upsert"]
    assert "it keeps one row per image and side, and mode 'append' one per" in history["upsert as append"]


def test_a_row_that_cannot_be_loaded_is_refused_alone(seen: Seen) -> None:
    reason = "the table refuses it: UnicodeEncodeError"
    refused = seen["refused_rows"]
    assert (refused["reasons"], refused["keys"]) == ({"1": reason, "4": reason}, ["a", "c", "d"])
    assert refused["most one"] == [[1, reason], [2, ""], [3, ""], [4, ""]]


def test_a_table_that_is_there_is_taken_whatever_case_its_columns_have(seen: Seen) -> None:
    existing = seen["existing"]
    (row,) = existing["mine"]
    assert (row["image_key"], row["name"], row["version"]) == ("a", "𠮷", 1)
    # Those of a column without a zone are UTC.
    assert row["processed_at"] == "2026-01-31 12:00:00.123456"
    assert row["attempted_at"] == "2026-01-31 12:00:00.123456+00"
    assert existing["looked"] == [True, False]
    assert not {"CREATE", "ALTER"} & set(existing["second"])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("frozen", "it lacks error_code, error_message"),
        ("keyless", "it lacks card_side; change it, or name another table"),
        (
            "wrong",
            "birthday is VARCHAR(16777216) instead of DATE; tries is NUMBER(9,2) instead of NUMBER(38,0)",
        ),
        ("strict", "it requires a value for SHOP"),
        ("view", "'a_view' is a view and cannot be written to"),
        ("schema", "create its schema, or grant"),
        ("parts", "name it as name, schema.name or database.schema.name"),
    ],
)
def test_a_table_that_cannot_take_the_rows_is_refused(seen: Seen, table: str, words: str) -> None:
    assert seen["existing"][table].startswith("TargetError: ")
    assert words in seen["existing"][table]


def test_a_table_is_named_as_its_database_finds_it(seen: Seen) -> None:
    assert seen["values"]["name"] == "snow:DB.PUBLIC.PERMITS"
    assert seen["existing"]["elsewhere"] == ["snow:DB.MART.PERMITS", 1]


def test_the_view_of_documents_is_made_and_changed_only_where_it_has_to_be(seen: Seen) -> None:
    documents = seen["documents"]
    assert documents["rows"] == [["a", "recognized", "𠮷", "H1", True, "x"]]
    assert "CREATE" not in documents["again"]
    assert documents["branch"] == [[None]]
    assert "is a view of another program" in documents["taken"]
    assert "is a table" in documents["table"]


def test_a_connection_is_kept_and_replaced_where_it_may_be_stale(seen: Seen) -> None:
    connections = seen["connections"]
    assert (connections["kept"], connections["after an hour"], connections["rows"]) == (True, False, 3)
    assert connections["dropped"].startswith("DatabaseUnreachableError: ")
    assert (connections["staged left"], connections["again"]) == ([], 1)


@pytest.mark.parametrize(
    ("error", "failure", "words"),
    [
        ("password", "REFUSAL", "DatabaseError (250001): Incorrect password"),
        ("no network", "TRANSIENT", "OperationalError (250001): Could not connect"),
        ("session gone", "TRANSIENT", "ProgrammingError (390111)"),
        ("timeout", "TRANSIENT", "ProgrammingError (000630): reached its timeout"),
        ("unavailable", "TRANSIENT", "ServiceUnavailableError"),
        ("upload", "TRANSIENT", "ConnectionError"),
        ("too long", "ROW", "ProgrammingError (100078) (SQLSTATE 22000)"),
        ("no number", "ROW", "ProgrammingError (100038) (SQLSTATE 22018)"),
        ("null", "ROW", "IntegrityError (100072) (SQLSTATE 22000)"),
        ("surrogate", "ROW", "UnicodeEncodeError"),
        ("no credits", "REFUSAL", "ProgrammingError (090073) (SQLSTATE 22000)"),
        ("no table", "NO_TABLE", "ProgrammingError (002003): 'X' does not exist"),
        ("no right", "REFUSAL", "ProgrammingError (003001): Insufficient privileges"),
    ],
)
def test_what_an_error_means_is_known_and_no_value_is_told(
    seen: Seen, error: str, failure: str, words: str
) -> None:
    meant, described = seen["errors"][error]
    assert meant == f"Failure.{failure}"
    assert described.startswith(words)
    assert "secret" not in described


def test_the_operator_fills_a_table_by_one_merge_and_repeats_nothing(
    in_snowflake: Callable[..., Any],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    set_connection: Callable[..., None],
    draw: Callable[..., Specimen],
    tmp_path: Path,
) -> None:
    connect_emulator(emulator)
    set_connection("warehouse", conn_type="sqlite", host=str(tmp_path / "lists.db"))
    specimens = {f"k{seed}": draw(seed=seed) for seed in range(3)}
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'lists.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE few (key TEXT PRIMARY KEY, image TEXT, day DATE)"))
        rows = [
            {"key": key, "image": base64.b64encode(specimen.image).decode()}
            for key, specimen in specimens.items()
        ]
        connection.execute(sa.text("INSERT INTO few VALUES (:key, :image, '2026-01-31')"), rows)
    engine.dispose()

    runs = in_snowflake("operators", {"runs": {"list_name": "few"}})["runs"]

    assert (runs["merges"], emulator.stats()["calls"]) == ([1, 0], 3)
    assert {row["image_key"]: row["number"] for row in runs["rows"]} == {
        key: specimen.fields["Number"] for key, specimen in specimens.items()
    }
    assert {row["day"] for row in runs["rows"]} == {"2026-01-31"}
    assert runs["checked"] == [
        ["ok", "permits_of_few on snow can take the rows"],
        ["ok", "not_yet on snow does not exist yet; the first run creates it"],
    ]
    assert (runs["plan"]["settled"], runs["plan"]["to_call"]) == (3, 0)
    ((verdict, words),) = runs["list"]
    assert verdict == "WRONG"
    assert "copy a list there, for example by GenericTransfer" in words
    assert 'ledger=Ledger("permit_ocr", conn_id="...")' in runs["ledger"]
    assert "cannot be taken over" in runs["adopt"]
    assert "few" in runs["other spelling"]
    assert not any(
        specimen.fields["Number"] in json.dumps(runs["summaries"]) for specimen in specimens.values()
    )
