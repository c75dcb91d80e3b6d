"""Names of tables and files in asset events and lineage, by OpenLineage's and Airflow's conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    import sqlalchemy as sa

#: Characters besides letters and digits that need no escaping in a URI's path segment.
_PLAIN: Final = "-._~!$&'()*+,;=:@"
#: Schemes of one store; Airflow and OpenLineage know it by the last.
_SAME_STORE: Final = {"local": "file", "s3a": "s3", "s3n": "s3", "gcs": "gs"}


@dataclass(frozen=True)
class Dataset:
    """A table or file, by names that are the same in every tool.

    :param uri: of the ``Asset``, as the normalizers of Airflow's providers leave it.
    :param namespace: OpenLineage's name of the database or store.
    :param name: OpenLineage's name of the table or file within it.
    """

    uri: str
    namespace: str
    name: str

    @classmethod
    def of_table(cls, namespace: str, *path: str) -> Self:
        """Name a table by its database server and its path there, such as database, schema and table."""
        parts = "/".join(quote(part, safe=_PLAIN) for part in path)
        return cls(f"{namespace}/{parts}", namespace, ".".join(path))

    @classmethod
    def of_file(cls, path: str) -> Self:
        """Name a file by its absolute path, or by the URL of its store; a connection in a URL is left out."""
        parts = urlsplit(path if "://" in path else f"file://{quote(path, safe=f'/{_PLAIN}')}")
        scheme = _SAME_STORE.get(parts.scheme.lower(), parts.scheme.lower())
        if scheme == "file":
            return cls(f"file://{parts.path}", "file", unquote(parts.path))
        namespace = f"{scheme}://{parts.netloc.rpartition('@')[2]}"
        return cls(f"{namespace}{parts.path}", namespace, parts.path.lstrip("/"))


def server(scheme: str, connection: Any, port: int) -> str:
    """Name a database server by an Airflow connection.

    :param port: default, if the connection has none.
    """
    # Several hosts are one server and its standbys; a path means a socket.
    host = (connection.host or "").partition(",")[0].strip().lower()
    if not host or host.startswith("/"):
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{connection.port or port}"


def located(engine: sa.Engine, table: str) -> str:
    """Name a table with its schema, which is known once its database was connected to."""
    schema = engine.dialect.default_schema_name
    return table if "." in table or schema is None else f"{schema}.{table}"
