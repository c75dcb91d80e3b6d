"""Opens result tables by their Airflow connections, for any kind of database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.sql.database.elsewhere import require_source, require_target
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import connector_database_of
from airflow_provider_permitocr.sql.ledger.lists.resolved import known_name, resolved_name
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.targets.snowflake_target import SnowflakeTarget
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines, airflow_hook, no_connection

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_permitocr.options.targets.result_table import ResultTable
    from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: Both also check what they would write.
ResultTarget: TypeAlias = SqlResultTarget | SnowflakeTarget


def open_result_table(
    described: ResultTable, engines: SqlEngines, patience: Patience = Patience(0)
) -> ResultTarget:
    """Open the result table of a ``ResultTable``, without connecting yet.

    :param engines: of the run; closing them closes the table, too.
    :param patience: how long rows wait for a database with an engine; for others, the delivery retries.
    :raises ConfigurationError: when its connection is missing, or its database cannot contain a result
        table.
    """
    return open_connector_table(described, engines) or SqlResultTarget(
        engines.of(described.conn_id), described, patience=patience
    )


def open_connector_table(described: ResultTable, engines: SqlEngines) -> SnowflakeTarget | None:
    """Open a result table whose database is reached by its own connector; None: it has an engine.

    :param engines, described: as for ``open_result_table``.
    :raises ConfigurationError: as for ``open_result_table``.
    """
    conn_id = described.conn_id
    conn_type = connection_type(conn_id)
    require_target(conn_type, conn_id)
    database = connector_database_of(conn_type)
    if database is None:
        return None
    target = SnowflakeTarget(database, airflow_hook(conn_id).get_conn, described)
    engines.close_at_end(target.close)
    return target


def result_table_name(described: ResultTable, engines: SqlEngines, patience: Patience = Patience(0)) -> str:
    """Name a result table as a ledger does: by its connection, and its resolved place in the database.

    :param patience: how long to wait for the database.
    :raises ConfigurationError: as ``open_result_table``.
    :raises DatabaseError: when the database cannot be reached.
    """
    target = open_connector_table(described, engines)
    if target is None:
        return resolved_name(engines.of(described.conn_id), described, patience)
    with closing(target):
        return target.name()


def known_table_name(described: ResultTable, ledger: Engine, tables: LedgerTables) -> str | None:
    """Return the ledger's name for a result table whose database cannot be queried.

    :param ledger: its engine.
    :return: None if the ledger does not know it, or more than one table matches.
    """
    database = connector_database_of(connection_type(described.conn_id))
    return known_name(ledger, tables, described, is_named=database.is_named if database else None)


def require_image_list(conn_id: str) -> None:
    """Make sure that a connection's type is a database that image lists can be read from.

    :raises ConfigurationError: when it is missing.
    :raises SourceError: when it is of another type, with an alternative.
    """
    require_source(connection_type(conn_id), conn_id)


def require_adoptable(described: ResultTable) -> None:
    """Make sure that a ledger can take over the rows of a table.

    :raises TargetError: when its database is only written to.
    """
    database = connector_database_of(connection_type(described.conn_id))
    if database is not None:
        raise TargetError(
            f"the rows of the table {described.table!r} cannot be taken over: {database.title} is only"
            " written to. Let the task name a new table there: it is filled from the ledger"
        )


def connection_type(conn_id: str) -> str:
    """Return the type of an Airflow connection, whether or not its provider is installed.

    :raises ConfigurationError: when there is no such connection.
    """
    try:
        return str(BaseHook.get_connection(conn_id).conn_type)
    except AirflowNotFoundException:
        raise no_connection(conn_id) from None
