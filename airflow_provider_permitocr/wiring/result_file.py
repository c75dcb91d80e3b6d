"""A result file's place: a disk, or an object store through Airflow's file systems and connections."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.object_store import ObjectStore
from airflow_provider_permitocr.files.row_format import row_format
from airflow_provider_permitocr.files.rows_file import StoredRowsFile
from airflow_provider_permitocr.files.store import Store
from airflow_provider_permitocr.options.targets.result_file import PRIVATE, ResultFile
from airflow_provider_permitocr.wiring.connections.sql_engine import no_connection
from airflow_provider_permitocr.wiring.connections.stores import KNOWN_STORES, connection_exists, opened

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def open_result_file(described: ResultFile) -> StoredRowsFile:
    """Open a file to write rows to; nothing is written yet.

    :raises ConfigurationError: when there is no such connection, or no file system for the URL.
    """
    due = DueFile(
        described.path,
        described.conn_id,
        described.format.value,
        described.file_mode,
        described.escape_formulas,
        described.byte_order_mark,
    )
    return StoredRowsFile(
        store=store_of(described.path, described.conn_id, described.file_mode),
        path=path_in_store(described.path),
        row_format=row_format(described),
        named=f"the result file {described.path!r}",
        due=due,
        publishes_parts=described.parts,
    )


def open_due_file(due: DueFile) -> StoredRowsFile:
    """Open a file that an earlier run has left unwritten.

    :raises ConfigurationError: when there is no such connection, or no file system for its URL.
    """
    try:
        return open_result_file(ResultFile(**asdict(due)))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def store_of(path: str, conn_id: str | None = None, file_mode: int = PRIVATE) -> Store:
    """Find the store of a path or URL.

    :param file_mode: of the files on a disk.
    :raises ConfigurationError: when there is no such connection, or no file system for the URL.
    """
    if is_local(path):
        return LocalStore(file_mode)
    scheme = urlsplit(path).scheme.lower()
    try:
        return ObjectStore(opened(lambda: _object_path(path, conn_id).fs))
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  file systems of any provider raise their own errors
        known = KNOWN_STORES.get(scheme)
        advice = known.install if known else "install the provider of this store"
        raise ConfigurationError(
            f"there is no file system for {scheme}:// ({type(error).__name__}): {advice}, or correct the"
            " connection"
        ) from None


def _object_path(path: str, conn_id: str | None) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    parts = urlsplit(path)
    conn_id = conn_id or parts.username
    if conn_id is not None and not connection_exists(conn_id):
        raise no_connection(conn_id)
    known = KNOWN_STORES.get(parts.scheme.lower())
    if conn_id is None and known and connection_exists(known.default_conn_id):
        conn_id = known.default_conn_id
    return ObjectStoragePath(path, conn_id=conn_id)


def path_in_store(path: str) -> str:
    """Return the store's name for a path or URL."""
    if not is_local(path):
        return f"{urlsplit(path).netloc.rpartition('@')[2]}{urlsplit(path).path}"
    return unquote(urlsplit(path).path) if "://" in path else path


def is_local(path: str) -> bool:
    """Return whether a path or URL is on a disk of this machine, or a mounted one."""
    return "://" not in path or urlsplit(path).scheme.lower() in ("file", "local")
