"""A stand-in for Snowflake's servers, which its real connector and Airflow's real hook speak to over HTTP.

Runs in ``.venv-snowflake``.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest import mock

import fakesnow
import fakesnow.cursor
import snowflake.connector

CONN_ID = "snow"


class Snow:
    """What the servers were sent.

    :ivar statements: in their order, from all sessions.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields, self.statements = fields, list[str]()

    def connect(self) -> Any:
        """Open a connection as an analyst would."""
        return snowflake.connector.connect(
            user="analyst",
            password="-",
            account=self.fields["account"],
            host=self.fields["host"],
            port=self.fields["port"],
            database="db",
            schema="public",
        )

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement of an analyst's."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(statement).fetchall()
            return rows

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Read a table; times as text, as the stand-in reads those that are NULL as another."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            described = cursor.execute(f"DESCRIBE TABLE {table}").fetchall()
            read = ", ".join(
                f'TO_VARCHAR("{name}") AS "{name}"' if kind.startswith("TIMESTAMP") else f'"{name}"'
                for name, kind, *_ in described
            )
            found = cursor.execute(f"SELECT {read} FROM {table} ORDER BY 1, 2").fetchall()
        names = [name.lower() for name, *_ in described]
        return [dict(zip(names, row, strict=True)) for row in found]

    def since(self, number: int) -> list[str]:
        """Tell what kinds of statements came since there were so many."""
        return [statement.split()[0].upper() for statement in self.statements[number:]]


@contextmanager
def snow() -> Iterator[Snow]:
    """Start the servers, and make the Airflow connection ``snow`` lead to them."""
    warnings.filterwarnings("ignore")
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error", "fakesnow", "snowflake", "sqlglot"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with fakesnow.server() as fields:
        servers = Snow(fields)
        connection = {
            "conn_type": "snowflake",
            "login": "loader",
            "password": "-",
            "schema": "public",
            "extra": {"database": "db", **{name: fields[name] for name in ("account", "host", "port")}},
        }
        os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(connection)
        # Airflow's connection has no field for the protocol.
        over_http = functools.partial(
            snowflake.connector.connect,
            protocol="http",
            network_timeout=5,
            session_parameters=fields["session_parameters"],
        )

        def connect(**given: Any) -> Any:
            given.pop("session_parameters", None)
            return over_http(**given)

        with (
            mock.patch.object(snowflake.connector, "connect", connect),
            mock.patch.object(fakesnow.cursor.FakeSnowflakeCursor, "execute", _executed(servers.statements)),
        ):
            yield servers


def _executed(statements: list[str]) -> Any:
    execute = fakesnow.cursor.FakeSnowflakeCursor.execute

    def recorded(cursor: Any, command: str, *arguments: Any, **named: Any) -> Any:
        statements.append(command)
        if command.startswith("COPY INTO"):
            # It does not know a stage in quotes, as the connector names it.
            command = re.sub(r"FROM '(@\w+)'", r"FROM \1", command)
        return execute(cursor, command, *arguments, **named)

    return recorded
