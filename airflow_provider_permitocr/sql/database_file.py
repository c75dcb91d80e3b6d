"""Databases that are a file: opening one that is not there would make it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import ConfigurationError


def missing_file(engine: sa.Engine) -> str | None:
    """Name the file of a database that is not there; None where it is, or where there is no file."""
    file = engine.url.database
    if (
        engine.dialect.name not in ("sqlite", "duckdb")
        or not file
        or file.startswith((":memory:", "file:", "md:"))
    ):
        return None
    return None if Path(file).exists() else file


def require_file(engine: sa.Engine, conn_id: str) -> None:
    """Make sure that a database that is a file is there.

    :raises ConfigurationError: when it is not.
    """
    if (file := missing_file(engine)) is not None:
        raise ConfigurationError(f"connection {conn_id!r} leads to {file}, which does not exist here")
