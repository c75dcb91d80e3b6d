"""What asset events and lineage call the targets of a task, by their connections."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airflow.sdk import BaseHook

from airflow_provider_permitocr.sql.dialects.dataset import Dataset
from airflow_provider_permitocr.sql.dialects.known import database_of_hook
from airflow_provider_permitocr.wiring.connections.sql_engine import airflow_hook


def dataset_of_table(conn_id: str, table: str) -> Dataset:
    """Return a table's name as an asset, without connecting to its database.

    :param table: as its database finds it, with its schema if it has one.
    :raises ConfigurationError: when there is no such connection, or its database is not supported.
    """
    return database_of_hook(airflow_hook(conn_id)).dataset(BaseHook.get_connection(conn_id), table)


def datasets_of(conn_ids: Collection[str], targets: Iterable[str]) -> dict[str, Dataset]:
    """Return what targets are called.

    :param conn_ids: connections of those that are tables.
    :param targets: as a run's summary names them: ``conn_id:schema.table``, or the path of a file.
    :raises ConfigurationError: as ``dataset_of_table``.
    """
    longest_first = sorted(set(conn_ids), key=len, reverse=True)
    return {target: _dataset(target, longest_first) for target in targets}


def _dataset(target: str, conn_ids: Iterable[str]) -> Dataset:
    for conn_id in conn_ids:
        table = target.removeprefix(f"{conn_id}:")
        if table != target and not table.startswith("//"):  # as in a URL
            return dataset_of_table(conn_id, table)
    return Dataset.of_file(target)
