"""Tables as runs over many images would have left them, filled by the database itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS
from airflow_provider_permitocr.permit.quality.assessment import Subject
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.bench.programs.stubbed import ANSWER, BESIDE, TARGET, open_ledger

#: Calls in one exchange.
_EXCHANGED: Final = 50
#: A delivery's reason for a row that violates a CHECK.
_REFUSED: Final = "the table refuses it: CheckViolation (SQLSTATE 23514)"
_DONE_AT: Final = datetime(2026, 11, 1, tzinfo=UTC)
_LIST: Final = """
CREATE TABLE images AS
SELECT 'permit-' || lpad(n::text, 9, '0') AS image_id, 'https://images.example/' || n || '.jpg' AS image
FROM generate_series(1, %s) AS n
"""

#: Of the images 1 to as many as there are, each by its number n.
_KEY: Final[sa.ColumnElement[str]] = sa.literal_column("'permit-' || lpad(n::text, 9, '0')")
#: In order of time, as the real ones are.
_CALL_ID: Final[sa.ColumnElement[str]] = sa.literal_column(
    "lpad(to_hex(1700000000000 + 50 * n::bigint), 12, '0') || substr(md5(n::text), 1, 20)"
)
_DIGEST: Final[sa.ColumnElement[str]] = sa.literal_column("md5(n::text) || md5((-n)::text)")
#: The first version belongs to the preparation of a new ledger.
_VERSION: Final[sa.ColumnElement[int]] = sa.literal_column(f"(n - 1) / {_EXCHANGED} + 2")
_RUN: Final = {"dag_id": "bench", "task_id": "recognize", "run_id": "filled", "map_index": -1}


def make_list(dsn: str, rows: int) -> None:
    """Make an image list in PostgreSQL."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_LIST.replace("%s", str(rows)))
        connection.execute("ALTER TABLE images ADD PRIMARY KEY (image_id)")
        connection.execute("VACUUM ANALYZE images")


def fill_ledger(database: sa.Engine, rows: int, described: Ledger = BESIDE) -> SqlLedger:
    """Make a ledger with an answer to each image of a list, and return it; nothing is delivered yet."""
    ledger = open_ledger(database, described)
    ledger.prepare("text")
    known = ledger.where()
    assert known
    tables, list_id = known
    answered = {"list_id": list_id, "image_key": _KEY, "card_side": "FRONT", "image_digest": _DIGEST}
    with database.begin() as connection:
        _insert(connection, tables.calls, rows, answered | _call_columns())
        _insert(connection, tables.images, rows, answered | _image_columns())
        answer = {"call_id": _CALL_ID, "form": AnswerForm.AS_ANSWERED.value, "answer": json.dumps(ANSWER)}
        _insert(connection, tables.answers, rows, answer)
        connection.execute(sa.update(tables.state).values(version=_last_version(rows)))
    ledger.close_run(RunSummary(rows, 0, {"recognized": rows}, {}, rows, 0, rows / 20), whole=True)
    return ledger


def deliver_all(database: sa.Engine, tables: LedgerTables, rows: int) -> None:
    """Make a result table with all that ``fill_ledger`` has filled in, as delivered."""
    SqlResultTarget(database, TARGET).prepare()
    read = KeptAnswer(ANSWER).record(subject=Subject(CardSide.FRONT, _DONE_AT))
    delivered = {
        **{name: value for name, value in read.items() if value is not None},
        **{"image_key": _KEY, "card_side": "FRONT", "status": Status.RECOGNIZED.value},
        **{"image_format": "JPEG", "image_bytes": 200_000},
        **{"image_digest": _DIGEST, "request_id": _CALL_ID, "run_id": "filled", "tries": 1},
        **{"processed_at": _DONE_AT, "attempt_status": Status.RECOGNIZED.value},
        **{"attempted_at": _DONE_AT, "version": _VERSION},
    }
    with database.begin() as connection:
        _insert(connection, result_table(TARGET.table, COLUMNS), rows, delivered)
        last = _last_version(rows)
        known = {"version": last, "row_count": rows, "highest": last}
        connection.execute(sa.update(tables.deliveries).values(known))


def refuse_odd_rows(database: sa.Engine, tables: LedgerTables) -> None:
    """Turn every other row of that result table into one that it has refused, some time ago."""
    permits, deliveries = result_table(TARGET.table, COLUMNS), tables.deliveries
    is_odd = sa.literal_column("right(image_key, 9)::int % 2") == 1
    stand_in = {
        **dict.fromkeys(ANSWER_COLUMNS),
        **{"status": Status.FAILED.value, "error_code": "ResultRowRefused", "error_message": _REFUSED},
    }
    refused = {
        **{"delivery_id": deliveries.c.delivery_id, "image_key": permits.c.image_key},
        **{"card_side": permits.c.card_side, "reason": sa.literal(_REFUSED), "has_row": sa.literal(1)},
        "refused_at": sa.func.now(),
    }
    rows = sa.select(*refused.values()).select_from(sa.join(permits, deliveries, sa.true())).where(is_odd)
    with database.begin() as connection:
        connection.execute(sa.update(permits).where(is_odd).values(stand_in))
        connection.execute(sa.delete(tables.refused))
        connection.execute(sa.insert(tables.refused).from_select(list(refused), rows))


def settle_down(dsn: str) -> None:
    """Do what PostgreSQL does automatically some time after so many new rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _last_version(rows: int) -> int:
    return (rows - 1) // _EXCHANGED + 2


def _call_columns() -> dict[str, Any]:
    return {
        **{"call_id": _CALL_ID, "account": "bench", **_RUN, "task_try": 1, "session_id": "filled"},
        **{"intended_at": _DONE_AT, "held_until": _DONE_AT, "place": _VERSION, "answered_at": _DONE_AT},
        **{"code": "OK", "billed": 1, "request_id": _CALL_ID, "version": _VERSION},
    }


def _image_columns() -> dict[str, Any]:
    done, run = Status.RECOGNIZED.value, "bench/recognize/filled"
    return {
        **{"status": done, "request_id": _CALL_ID, "answer_id": _CALL_ID, "answer_order": _VERSION},
        **{"image_format": "JPEG", "image_bytes": 200_000, "processed_at": _DONE_AT, "run": run},
        **{"attempt_status": done, "attempted_at": _DONE_AT, "attempt_run": run},
        **{"tries": 1, "version": _VERSION, "first_version": _VERSION},
    }


def _insert(connection: sa.Connection, table: sa.Table, rows: int, values: Mapping[str, Any]) -> None:
    selected = [
        value if isinstance(value, sa.ColumnElement) else sa.literal(value, table.c[name].type)
        for name, value in values.items()
    ]
    numbers = sa.text(f"generate_series(1, {rows}) AS n")
    connection.execute(sa.insert(table).from_select(list(values), sa.select(*selected).select_from(numbers)))
