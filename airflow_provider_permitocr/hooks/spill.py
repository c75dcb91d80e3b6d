"""Where results go that are paid for and that their table did not take."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from airflow_provider_permitocr.files.result_file import ResultFile
from airflow_provider_permitocr.files.spill import FileSpill
from airflow_provider_permitocr.hooks.result_file import is_local, path_in_store, store_of
from airflow_provider_permitocr.sql.tables import ResultTable


def file_spill(target: ResultTable | ResultFile, folder: str | None) -> FileSpill:
    """Find the folder for results that a target did not take; nothing is written.

    :param folder: path, or URL of one in an object store; None: ``permitocr_spill`` in ``AIRFLOW_HOME``.
    :raises ConfigurationError: when there is no such connection, or no file system for the URL.
    """
    named = folder or str(_airflow_home() / "permitocr_spill")
    return FileSpill(
        store_of(named, private=True),
        path_in_store(named),
        named=named,
        result=_identity(target),
        where=f" on {socket.gethostname()}" if is_local(named) else "",
    )


def _identity(target: ResultTable | ResultFile) -> str:
    if isinstance(target, ResultTable):
        return f"table {target.table} of {target.conn_id}"
    return f"file {target.path} of {target.conn_id}"


def _airflow_home() -> Path:
    # As Airflow itself looks for it.
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
