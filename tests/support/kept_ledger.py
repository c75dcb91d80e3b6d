"""A ledger that is prepared once and emptied between tests: preparing it takes longer than most tests do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.sql.ledger import sql_ledger
from airflow_provider_permitocr.sql.ledger.tables.preparation import _require_state, prepare_tables
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, ledger_tables

_LEDGER: Final = Ledger("permit_ocr", conn_id="lake")
_TABLES: Final = [table.name for table in ledger_tables(_LEDGER.name)]
_EMPTY_TABLES: Final = "; ".join(f"DELETE FROM {name}" for name in _TABLES)
_DEFINITION: Final = re.compile(
    r"\b(ALTER|(?<!SHOW )CREATE|DROP|RENAME|TRUNCATE|GRANT|REVOKE)\b", re.IGNORECASE
)
#: Reads or changes rows, or defines a relation: the ledger's only if its name is in there.
_OF_ROWS_OR_OF_ONE_RELATION: Final = re.compile(
    r"""\s*(SELECT|INSERT|UPDATE|DELETE
    |(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+)?(TABLE|VIEW|INDEX|UNIQUE\s+INDEX))\b[^;]*;?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
#: Where a session's tables are, if their names have no schema: port, database, schema, user.
_WHERE: Final = {
    "postgresql": "SELECT inet_server_port(), current_database(), current_schema(), current_user",
    "mysql": "SELECT @@port, database(), NULL, substring_index(user(), '@', 1)",
    "sqlite": "SELECT NULL, file, NULL, NULL FROM pragma_database_list WHERE name = 'main'",
}
#: All that a test can change about a database besides its rows.
_POSTGRES_SHAPE: Final = """
    WITH ours AS (
        SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    ), relations AS (
        SELECT * FROM pg_class WHERE relnamespace IN (TABLE ours)
    )
    SELECT md5(concat(
        (SELECT string_agg(concat_ws(' ', oid, nspname, nspacl), ';' ORDER BY oid)
         FROM pg_namespace WHERE oid IN (TABLE ours)),
        (SELECT string_agg(concat_ws(' ', oid, relname, relkind, relowner, relacl, relchecks, relhasrules,
                                     relrowsecurity, relpersistence, reloptions), ';' ORDER BY oid)
         FROM relations),
        (SELECT string_agg(concat_ws(' ', attrelid, attname, atttypid, atttypmod, attnotnull, atthasdef,
                                     attcollation, attacl), ';' ORDER BY attrelid, attnum)
         FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations)),
        (SELECT string_agg(concat_ws(' ', indexrelid, indisvalid), ';' ORDER BY indexrelid)
         FROM pg_index WHERE indrelid IN (SELECT oid FROM relations)),
        (SELECT string_agg(concat_ws(' ', oid), ';' ORDER BY oid)
         FROM pg_constraint WHERE connamespace IN (TABLE ours)),
        (SELECT string_agg(concat_ws(' ', oid, tgenabled), ';' ORDER BY oid) FROM pg_trigger),
        (SELECT string_agg(concat_ws(' ', oid), ';' ORDER BY oid) FROM pg_event_trigger),
        (SELECT string_agg(concat_ws(' ', oid), ';' ORDER BY oid)
         FROM pg_proc WHERE pronamespace IN (TABLE ours)),
        (SELECT string_agg(concat_ws(' ', oid), ';' ORDER BY oid)
         FROM pg_type WHERE typnamespace IN (TABLE ours)),
        (SELECT string_agg(concat_ws(' ', setrole, setconfig), ';' ORDER BY setrole) FROM pg_db_role_setting
         WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
    ))
"""
_DROP_OTHERS_IN_POSTGRES: Final = f"""
    DO $$ DECLARE each record; BEGIN
        FOR each IN SELECT nspname FROM pg_namespace
                    WHERE nspname !~ '^(pg_|information_schema$|public$)' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', each.nspname);
        END LOOP;
        FOR each IN SELECT relname, CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind FROM pg_class
                    WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p', 'v')
                    AND relname NOT IN ({", ".join(f"'{name}'" for name in _TABLES)}) LOOP
            EXECUTE format('DROP %s IF EXISTS public.%I CASCADE', each.kind, each.relname);
        END LOOP;
    END $$
"""
_MYSQL_TABLES: Final = """
    SELECT table_schema, table_name, table_type FROM information_schema.tables
    WHERE table_schema LIKE :databases ORDER BY table_schema, table_name
"""
_MYSQL_SHAPE: Final = (
    "SELECT schema_name, default_collation_name FROM information_schema.schemata"
    " WHERE schema_name LIKE :databases ORDER BY 1",
    "SELECT trigger_schema, trigger_name FROM information_schema.triggers"
    " WHERE trigger_schema LIKE :databases ORDER BY 1, 2",
    "SELECT routine_schema, routine_name FROM information_schema.routines"
    " WHERE routine_schema LIKE :databases ORDER BY 1, 2",
)


class KeptLedgers:
    """Databases of a test session in which the ledger ``permit_ocr`` is prepared, but for its state row.

    :param directory: where the SQLite file that all others are copies of is made.
    """

    def __init__(self, directory: Path) -> None:
        self._template = directory / "ledger.db"
        self._shapes: dict[str, Any] = {}
        self._places: set[tuple[Any, ...]] = set()
        self._is_defined_otherwise = False
        # Once and for good: engines of tests come and go.
        sa.event.listen(sa.Engine, "before_cursor_execute", self._watch)

    def prepare_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin a test: its runs take ledgers that are prepared, and not changed since, as they are."""
        self._places.clear()
        self._is_defined_otherwise = False
        monkeypatch.setattr(sql_ledger, "prepare_tables", self.prepare)

    def restore_postgres(
        self, engine: sa.Engine, connection: psycopg.Connection, empty: Callable[[], object]
    ) -> None:
        """Empty the tables of the ledger; prepare it again where anything else has changed.

        :param connection: commits by itself.
        :param empty: leaves nothing in the database.
        """
        name = str(engine.url.database)

        def shape() -> Any:
            return connection.execute(_POSTGRES_SHAPE).fetchone()

        connection.execute(_DROP_OTHERS_IN_POSTGRES)
        if (known := self._shapes.get(name)) is None or shape() != known:
            empty()
            prepare_tables(engine, _LEDGER, "UTC")
            engine.dispose()
            self._shapes[name] = shape()
        connection.execute(_EMPTY_TABLES)
        self._keep(engine)

    def restore_mysql(self, engine: sa.Engine, server: sa.Connection, empty: Callable[[], object]) -> None:
        """Empty the tables of the ledger; prepare it again where anything else has changed.

        :param server: commits by itself.
        :param empty: leaves nothing in the database, and in none whose name begins with its own.
        """
        name = str(engine.url.database)

        def shape() -> list[Any]:
            databases = {"databases": f"{name}%"}
            looked = [server.execute(sa.text(each), databases).all() for each in _MYSQL_SHAPE]
            for schema, table, kind in server.execute(sa.text(_MYSQL_TABLES), databases).all():
                if schema == name and table not in _TABLES:
                    server.exec_driver_sql(
                        f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} `{name}`.`{table.replace('`', '``')}`"
                    )
                else:
                    looked.append(server.exec_driver_sql(f"SHOW CREATE TABLE `{schema}`.`{table}`").all())
            return looked

        if (known := self._shapes.get(name)) is None or shape() != known:
            empty()
            prepare_tables(engine, _LEDGER, "UTC")
            engine.dispose()
            self._shapes[name] = shape()
        for table in _TABLES:
            server.exec_driver_sql(f"DELETE FROM {name}.{table}")
        self._keep(engine)

    def copy_sqlite(self, engine: sa.Engine) -> None:
        """Put a copy of the ledger where this engine's file will be."""
        if not self._template.exists():
            original = sa.create_engine(f"sqlite:///{self._template}")
            prepare_tables(original, _LEDGER, "UTC")
            with original.begin() as connection:
                connection.exec_driver_sql("DELETE FROM permit_ocr_state")
            original.dispose()
        shutil.copyfile(self._template, str(engine.url.database))
        self._keep(engine)

    def prepare(self, engine: sa.Engine, described: Ledger, timezone: str) -> LedgerTables:
        """Do what `prepare_tables` does, without looking again at tables that are as it left them."""
        if self._is_defined_otherwise or described.name != _LEDGER.name or _found(engine) not in self._places:
            return prepare_tables(engine, described, timezone)
        tables = ledger_tables(described.name)
        _require_state(engine, described, tables, timezone, ())
        return tables

    def _keep(self, engine: sa.Engine) -> None:
        self._places.add(_said(engine.url))
        self._is_defined_otherwise = False

    def _watch(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not self._is_defined_otherwise and _may_define_ledger(statement):
            self._is_defined_otherwise = True


def _may_define_ledger(statement: str) -> bool:
    if not _DEFINITION.search(statement):
        return False
    known = _OF_ROWS_OR_OF_ONE_RELATION.fullmatch(statement)
    # Names in a definition may be the ledger's; those in a SELECT are only read.
    return known is None or (known[2] is not None and _LEDGER.name in statement)


def _said(url: sa.URL) -> tuple[Any, ...]:
    """Return the place that a URL leads to."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return backend, None, str(Path(str(url.database)).resolve()), None, None
    schema = "public" if backend == "postgresql" else None
    return backend, url.port or 3306, url.database, schema, url.username


def _found(engine: sa.Engine) -> tuple[Any, ...] | None:
    """Return the place that an engine leads to, whose URL need not say it."""
    backend = engine.dialect.name
    if backend not in _WHERE:
        return None
    with engine.connect() as connection:
        return "mysql" if backend == "mariadb" else backend, *connection.exec_driver_sql(
            _WHERE[backend]
        ).one()
