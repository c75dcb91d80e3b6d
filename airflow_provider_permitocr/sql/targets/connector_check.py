"""Whether the table that a connector finds can take the rows, found out before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import Column
from airflow_provider_permitocr.sql.database.fit import require_fit, require_table
from airflow_provider_permitocr.sql.dialects.connector_database import ConnectorDatabase, Relation
from airflow_provider_permitocr.sql.targets.result_check import wanted_table


def examine(
    database: ConnectorDatabase, described: ResultTable, columns: Sequence[Column], found: Relation
) -> tuple[Column, ...]:
    """Check that a table can take the rows.

    :param columns: of the result.
    :return: columns of the result that it lacks.
    :raises TargetError: naming what to change.
    """
    wanted = wanted_table(described, columns)
    require_table(wanted, is_view=found.is_view)
    present = {column: found.columns[column.name] for column in columns if column.name in found.columns}
    missing = tuple(column for column in columns if column not in present)
    faults = [why for column, stored in present.items() if (why := database.misfit(column, stored))]
    # Declared keys are not enforced, but distinguish a history from an unrelated table.
    if said := wanted.other_keys.get(found.declared_key):
        faults.append(said)
    own = {column.name for column in columns}
    require_fit(
        wanted, missing, {name: each for name, each in found.columns.items() if name not in own}, faults
    )
    return missing
