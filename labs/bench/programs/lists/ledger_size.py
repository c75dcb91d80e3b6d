"""How large a ledger is: bytes per image, by table, after a run has called for each image once.

``python -m labs.bench.programs.lists.ledger_size URL [IMAGES]``: SQLAlchemy's URL of an empty database;
100,000 images by default.
"""

from __future__ import annotations

import json
import sys
import uuid
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import CallIntent, ClosedCall, Grant, new_call_id
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from labs.bench.programs.lists.exchanges import answered
from labs.bench.programs.stubbed import engine, open_ledger

#: Calls in one exchange.
_CALLS: Final = 50
_NAME: Final = "permit_ocr"
#: Tables with their indexes, in bytes.
_SIZES: Final = {
    "postgresql": "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'",
    "mysql": "SELECT table_name, data_length + index_length FROM information_schema.tables"
    " WHERE table_schema = database()",
    "sqlite": "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name",
}


def main(url: str, images: str = "100000") -> None:
    """Call for each image once, and print the bytes of each table per image."""
    database = engine(url)
    ledger = open_ledger(database, Ledger(_NAME, conn_id="warehouse"))
    ledger.prepare("text")
    _call_for_each(ledger, int(images))
    dialect = "mysql" if database.dialect.name == "mariadb" else database.dialect.name
    tables = [name for name in sa.inspect(database).get_table_names() if name.startswith(_NAME)]
    with database.connect() as connection:
        if dialect == "mysql":
            for name in tables:
                connection.exec_driver_sql(f"ANALYZE TABLE {name}")
        sizes = {str(name): int(size) for name, size in connection.exec_driver_sql(_SIZES[dialect])}
    database.dispose()
    per_image = {name: round(sizes[name] / int(images)) for name in tables}
    sys.stdout.write(json.dumps({"images": int(images), "bytes per image": per_image}, indent=1) + "\n")


def _call_for_each(ledger: SqlLedger, images: int) -> None:
    closed: list[ClosedCall] = []
    for start in range(0, images, _CALLS):
        intents = [_intent(number) for number in range(start, min(start + _CALLS, images))]
        exchanged = ledger.exchange(intents, closed, [])
        if set(exchanged.grants) != {Grant.GRANTED}:
            raise RuntimeError(f"not all calls were granted: {exchanged.grants}")
        closed = [answered(intent) for intent in intents]
    ledger.exchange([], closed, [])


def _intent(number: int) -> CallIntent:
    row_key = (f"permit-{number:09}", CardSide.FRONT)
    return CallIntent(new_call_id(), row_key, None, uuid.uuid4().hex + uuid.uuid4().hex)


if __name__ == "__main__":
    main(*sys.argv[1:])
