from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from labs.chaos import databases
from labs.chaos.databases import Database
from labs.chaos.evidence import Entry, Row, counted_calls, entries, other_sessions, recognized, results
from labs.ground.servers.postgres import EmbeddedPostgres


@pytest.fixture
def database(postgres: EmbeddedPostgres, postgres_database: str) -> Database:
    return databases.postgres_database(postgres, postgres_database)


@pytest.fixture
def ledger(database: Database, postgres_engine: sa.Engine) -> Database:
    """Two lists with the same key: one call each, of which the first is answered."""
    tables = ledger_tables("permit_ocr")
    tables.state.metadata.create_all(postgres_engine)
    for number, listed in ((1, "images"), (2, "others")):
        database.execute(
            "INSERT INTO permit_ocr_lists (list_id, name, source_conn_id, source_table, key_column)"
            f" VALUES ({number}, '{listed}', 'lake', '{listed}', 'image_id')"
        )
        code = "'OK', 1" if number == 1 else "NULL, NULL"
        database.execute(
            "INSERT INTO permit_ocr_calls (call_id, list_id, image_key, card_side, account, dag_id, task_id,"
            " run_id, map_index, task_try, session_id, intended_at, held_until, place, code, billed)"
            f" VALUES ('c{number}', {number}, 'k', 'FRONT', 'a', 'd', 't', 'r', 3, 1, 's', now(), now(), 1,"
            f" {code})"
        )
    database.execute("INSERT INTO permit_ocr_answers (call_id, form, answer) VALUES ('c1', 1, '{}')")
    database.execute(
        "INSERT INTO permit_ocr_images (list_id, image_key, card_side, status, answer_order, tries)"
        " VALUES (1, 'k', 'FRONT', 'recognized', 1, 1), (2, 'k', 'FRONT', 'retry', 0, 1)"
    )
    return database


def test_tables_that_no_task_has_made_yet_have_no_rows(database: Database) -> None:
    assert results(database, "permits") == []
    assert entries(database, "images") == []
    assert recognized(database, "images") == frozenset()


def test_rows_are_read_as_they_are(database: Database) -> None:
    database.execute("CREATE TABLE permits (image_key text, card_side text, status text, error_code text)")
    database.execute("INSERT INTO permits VALUES ('k1', 'FRONT', 'recognized', NULL)")
    assert results(database, "permits") == [Row("k1", "FRONT", "recognized")]


def test_calls_are_told_apart_by_their_list(ledger: Database) -> None:
    assert entries(ledger, "images") == [Entry("c1", "k", "OK", 1, has_answer=True, map_index=3)]
    assert entries(ledger, "others") == [Entry("c2", "k", None, None, has_answer=False, map_index=3)]


def test_an_image_is_recognized_in_its_own_list_alone(ledger: Database) -> None:
    assert recognized(ledger, "images") == {"k"}
    assert recognized(ledger, "others") == frozenset()


def test_counters_are_added_up_by_what_they_count(ledger: Database) -> None:
    ledger.execute(
        "INSERT INTO permit_ocr_counters (account, period, calls)"
        " VALUES ('a', 'day 2026-11-23', 3), ('a', 'day 2026-11-24', 4), ('a', 'run d/t/r', 7)"
    )
    assert (counted_calls(ledger, "day %"), counted_calls(ledger, "run %")) == (7, 7)


def test_a_session_that_is_still_open_is_seen(
    database: Database, postgres: EmbeddedPostgres, postgres_database: str
) -> None:
    before = other_sessions(database)
    with psycopg.connect(postgres.dsn(postgres_database)):
        assert other_sessions(database) == before + 1
