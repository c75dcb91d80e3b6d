from __future__ import annotations

import psycopg
import pytest

from chaos.evidence import COMMITTED, ENTRIES, RESULTS, Entry, Row, other_sessions, read
from demo.postgres import EmbeddedPostgres


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


@pytest.mark.parametrize("query", [COMMITTED, ENTRIES, RESULTS])
def test_a_table_that_no_task_has_made_yet_has_no_rows(dsn: str, query: str) -> None:
    assert read(dsn, query) == []


def test_rows_and_entries_are_read_as_they_are(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "CREATE TABLE permits (image_key text, card_side text, status text, error_code text)"
        )
        connection.execute("INSERT INTO permits VALUES ('k1', 'FRONT', 'recognized', NULL)")
        connection.execute("CREATE TABLE calls (call_id text, image_key text, code text, billed int)")
        connection.execute("INSERT INTO calls VALUES ('c1', 'k1', 'OK', 1), ('c2', 'k2', NULL, NULL)")

    assert [Row(**row) for row in read(dsn, RESULTS)] == [Row("k1", "FRONT", "recognized")]
    entries = [Entry(**row) for row in read(dsn, ENTRIES)]
    assert entries == [Entry("c1", "k1", "OK", 1), Entry("c2", "k2", None, None)]


def test_a_session_that_is_still_open_is_seen(dsn: str) -> None:
    with psycopg.connect(dsn):
        assert other_sessions(dsn) == 1
