"""What becomes of result tables in Snowflake; runs in ``.venv-snowflake``.

Writes what it saw into a JSON file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import snowflake.connector.errors as snow_errors
from airflow.sdk import BaseHook

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record, result_columns
from airflow_provider_permitocr.sql.dialects.known import connector_database_of
from airflow_provider_permitocr.sql.targets.snowflake_target import SnowflakeTarget
from tests.warehouses.snowflake.stand_in import CONN_ID, Snow, snow

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
CARRIED = (
    Column("order", ColumnKind.TEXT, "a reserved word, it's"),
    Column("客户 号", ColumnKind.DATE, "no plain name"),
    Column("Weight", ColumnKind.FLOAT, "of mixed case"),
    Column("seen", ColumnKind.TIMESTAMP, "a time"),
)


def database() -> Any:
    found = connector_database_of("snowflake")
    assert found is not None
    return found


def target(table: str, *, clock: Callable[[], float] | None = None, **options: Any) -> SnowflakeTarget:
    described = ResultTable(table, conn_id=CONN_ID, **options)
    connect = BaseHook.get_hook(CONN_ID).get_conn
    if clock is None:
        return SnowflakeTarget(database(), connect, described)
    return SnowflakeTarget(database(), connect, described, clock=clock)


def record(key: str, version: int = 1, **fields: Any) -> Record:
    return {
        **{"image_key": key, "card_side": "FRONT", "status": "recognized", "version": version},
        **{"processed_at": NOON, **fields},
    }


def refusal(do: Callable[[], object]) -> str:
    try:
        do()
    except PermitOcrError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


def values(servers: Snow) -> Any:
    columns = result_columns(CARRIED)
    table = target("permits")
    table.prepare(columns)
    before = [table.held().rows, table.is_empty()]
    full = record(
        "键",
        5,
        **{"name": "𠮷田\\' \n\"", "valid_from": date(1, 1, 1), "birthday": date(9999, 12, 31)},
        **{"warn_photocopy": True, "warn_recapture": False, "image_bytes": 2**53 + 1, "order": ""},
        **{"客户 号": date(2026, 1, 2), "Weight": 0.1, "seen": datetime(1, 1, 1, tzinfo=UTC)},
    )
    number = len(servers.statements)
    refused = table.write(to_frame([full, record("empty", 6, processed_at=None)], columns))
    statements = servers.since(number)
    held = table.held()
    described = servers.run("DESCRIBE TABLE permits")
    return {
        **{"before": before, "refused": refused, "statements": statements},
        **{"held": [held.rows, held.highest], "name": table.name(), "rows": servers.rows("permits")},
        **{"types": {name: kind for name, kind, *_ in described}},
        **{"staged": [text for text in servers.statements if "PERMITOCR_" in text and "MERGE" in text]},
        **{"left": servers.run("SHOW TERSE OBJECTS IN SCHEMA db.public")},
    }


def versions(servers: Snow) -> Any:
    table = target("versions")
    table.prepare()
    table.write(to_frame([record("a", 5, name="five"), record("b", 5, name="five")]))
    table.write(to_frame([record("a", 4, name="older"), record("b", 5, name="again"), record("c", 9)]))
    table.write(to_frame([record("a", 6, number="not kept")]), with_answers=False)
    table.write(to_frame([record("b", 9, name="not new"), record("d", 9, name="new")]), only_new=True)
    table.write(to_frame([record("e", 1, name="first"), record("e", 2, name="last")]))
    return {
        row["image_key"]: [row["version"], row["name"], row["number"]] for row in servers.rows("versions")
    }


def history(servers: Snow) -> Any:
    table = target("recognitions", mode="append")
    table.prepare()
    later = NOON.replace(hour=13)
    for _ in range(2):
        table.write(
            to_frame([record("a", 1, name="first"), record("a", 2, name="second", processed_at=later)])
        )
    recorded = [row["name"] for row in servers.rows("recognitions")]
    table.write(to_frame([record("b", 3, name="other")]))
    erased = record("a", 4, status="erased", processed_at=later.replace(hour=14))
    table.write(to_frame([erased]))
    for _ in range(2):
        table.forget({("a", CardSide.FRONT): 4})
    left = sorted((row["image_key"], row["version"]) for row in servers.rows("recognitions"))
    return {
        "names": recorded,
        "after an erasure": [list(row) for row in left],
        "as upsert": refusal(target("recognitions").prepare),
        "upsert as append": refusal(target("versions", mode="append").prepare),
        "keeps_history": [table.keeps_history, target("versions").keeps_history],
    }


def refused_rows(servers: Snow) -> Any:
    table = target("refused")
    table.prepare()
    rows = [record("a"), record("b", name="\ud800"), record("c"), record("d"), record("e", name="\ud800")]
    return {
        "reasons": table.write(to_frame(rows)),
        "most one": sorted(table.write(to_frame(rows), most_refused=1).items()),
        "keys": [row["image_key"] for row in servers.rows("refused")],
    }


def existing(servers: Snow) -> Any:
    told: dict[str, Any] = {}
    servers.run(
        'CREATE TABLE mine ("image_key" varchar, Card_Side varchar, "STATUS" varchar, note varchar,'
        " seen_at timestamp_ntz, processed_at timestamp_ntz, attempted_at timestamp_ltz)"
    )
    told["frozen"] = refusal(target("mine", schema_contract="freeze").prepare)
    table = target("mine")
    table.prepare()
    table.write(to_frame([record("a", 1, name="𠮷", attempted_at=NOON)]))
    told["mine"] = servers.rows("mine")
    number = len(servers.statements)
    table.prepare()
    told["second"] = servers.since(number)
    told["looked"] = [target("mine").check(), target("nothing_yet").check()]
    for name, columns in {
        "keyless": "image_key varchar, status varchar",
        "wrong": "image_key varchar, card_side varchar, status varchar, birthday varchar, tries number(9,2)",
        "strict": "image_key varchar, card_side varchar, status varchar, shop varchar not null",
    }.items():
        servers.run(f"CREATE TABLE {name} ({columns})")
        told[name] = refusal(target(name).prepare)
    servers.run("CREATE VIEW a_view AS SELECT * FROM mine")
    told["view"] = refusal(target("a_view").prepare)
    told["schema"] = refusal(target("nowhere.permits").prepare)
    told["parts"] = refusal(target("a.b.c.d").prepare)
    servers.run("CREATE SCHEMA db.mart")
    elsewhere = target("DB.mart.Permits")
    elsewhere.prepare()
    elsewhere.write(to_frame([record("a", 1)]))
    told["elsewhere"] = [elsewhere.name(), len(servers.rows("db.mart.permits"))]
    return told


def documents(servers: Snow) -> Any:
    told: dict[str, Any] = {}
    columns = result_columns(CARRIED)
    table = target("sides", documents_view="documents")
    table.prepare(columns)
    table.write(
        to_frame(
            [
                record("a", 1, name="𠮷", warn_photocopy=False, order="x"),
                record("a", 2, card_side="BACK", back_id_number="H1", warn_photocopy=True),
            ],
            columns,
        )
    )
    read = 'SELECT image_key, front_status, name, back_id_number, warn_photocopy, "ORDER" FROM documents'
    told["rows"] = servers.run(read)
    number = len(servers.statements)
    table.prepare(columns)
    told["again"] = servers.since(number)
    table.prepare(result_columns((*CARRIED, Column("branch", ColumnKind.TEXT, "more"))))
    told["branch"] = servers.run("SELECT branch FROM documents")
    servers.run("CREATE VIEW my_view AS SELECT 1 AS one")
    told["taken"] = refusal(target("sides", documents_view="my_view").prepare)
    told["table"] = refusal(target("sides", documents_view="versions").prepare)
    return told


def connections(servers: Snow) -> Any:
    told: dict[str, Any] = {}
    now = [0.0]
    table = target("lasting", clock=lambda: now[0])
    table.prepare()
    first = table._connection
    table.write(to_frame([record("a", 1)]))
    told["kept"] = table._connection is first
    now[0] += 3600
    table.write(to_frame([record("b", 1)]))
    told["after an hour"] = table._connection is first
    assert table._connection is not None
    table._connection.close()
    table.write(to_frame([record("c", 1)]))
    told["rows"] = table.held().rows
    servers.run("DROP TABLE lasting")
    told["dropped"] = refusal(lambda: table.write(to_frame([record("d", 1)])))
    told["staged left"] = [
        row for row in servers.run("SHOW TERSE OBJECTS IN SCHEMA db.public") if "PERMITOCR" in str(row)
    ]
    table.prepare()
    table.write(to_frame([record("d", 1)]))
    told["again"] = table.held().rows
    table.close()
    return told


def errors(_: Snow) -> Any:
    known = database()
    made: dict[str, BaseException] = {
        "password": snow_errors.DatabaseError("Incorrect password", errno=250001, sqlstate="08001"),
        "no network": snow_errors.OperationalError("Could not connect", errno=250001),
        "session gone": snow_errors.ProgrammingError("Session no longer exists", errno=390111),
        "timeout": snow_errors.ProgrammingError("reached its timeout", errno=630, sqlstate="57014"),
        "unavailable": snow_errors.ServiceUnavailableError(),
        "too long": snow_errors.ProgrammingError(
            "String 'secret' is too long", errno=100078, sqlstate="22000"
        ),
        "no number": snow_errors.ProgrammingError("'secret' is no number", errno=100038, sqlstate="22018"),
        "null": snow_errors.IntegrityError(
            "NULL result in a non-nullable column", errno=100072, sqlstate="22000"
        ),
        "no credits": snow_errors.ProgrammingError("exceeded its quota", errno=90073, sqlstate="22000"),
        "no table": snow_errors.ProgrammingError("'X' does not exist", errno=2003, sqlstate="42S02"),
        "no right": snow_errors.ProgrammingError("Insufficient privileges", errno=3001, sqlstate="42501"),
        "upload": ConnectionError("reset"),
        "surrogate": UnicodeEncodeError("utf-8", "secret", 0, 1, "surrogates"),
    }
    return {name: [str(known.failure(error)), known.describe(error)] for name, error in made.items()}


def main() -> None:
    scenarios = (values, versions, history, refused_rows, existing, documents, connections, errors)
    with snow() as servers:
        told = {each.__name__: each(servers) for each in scenarios}
    Path(sys.argv[1]).write_text(json.dumps(told, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
