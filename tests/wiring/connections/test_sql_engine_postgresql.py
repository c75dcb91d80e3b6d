"""All that Airflow's page of the PostgreSQL connection names in its extra, and what our engine makes of it.

https://airflow.apache.org/docs/apache-airflow-providers-postgres/stable/connections/postgres.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import psycopg2
import psycopg2.extensions
import pytest
import sqlalchemy as sa
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.drivers import PSYCOPG, PSYCOPG2, needs_psycopg
from tests.support.tls_files import TlsFiles
from tests.support.tls_front import TlsFront

SetConnection = Callable[..., None]
Connect = Callable[..., None]

SCHEMES: Final = [PSYCOPG, PSYCOPG2]
#: Each extra that the page names, with values that work; files by their names in TlsFiles.
DOCUMENTED: Final[dict[str, list[dict[str, Any]]]] = {
    "sslmode": [{"sslmode": mode} for mode in ("disable", "allow", "prefer", "require")],
    "sslrootcert": [
        {"sslmode": "verify-ca", "sslrootcert": "ca"},
        {"sslmode": "verify-full", "sslrootcert": "ca"},
    ],
    "sslcert": [{"sslmode": "require", "sslcert": "client.pem", "sslkey": "client.key"}],
    "sslkey": [{"sslmode": "require", "sslcert": "client.pem", "sslkey": "client.key"}],
    "application_name": [{"application_name": "permits"}],
    "keepalives_idle": [{"keepalives_idle": 77}],
    "client_encoding": [{"client_encoding": "UTF8"}],
    # Of libpq's page, to which Airflow's page leads.
    "connect_timeout": [{"connect_timeout": 7}],
    "options": [{"options": "-c search_path=elsewhere -c statement_timeout=12345 -c timezone=Asia/Shanghai"}],
    "target_session_attrs": [{"target_session_attrs": "read-write"}],
}
#: Values that have to be refused by both.
REFUSED: Final[list[dict[str, Any]]] = [
    {"sslmode": "verify-ca", "sslrootcert": "strange_ca"},
    {"sslmode": "verify-ca", "sslrootcert": "ca", "sslcrl": "revoked"},
    {"sslmode": "sometimes"},
    {"sslca": "/tmp/server-ca.pem"},  # in the page's own example
    {"target_session_attrs": "standby"},
    {"options": "-c no_such_setting=1"},
]
#: What drivers report beside these is what they were built with.
_PARAMETERS: Final = (
    *("host", "port", "user", "dbname", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl"),
    *("connect_timeout", "keepalives_idle", "options", "target_session_attrs"),
)
#: One driver reports these, the other leaves them out.
_DEFAULTS: Final = {"sslmode": "prefer", "target_session_attrs": "any"}
_SHOWN: Final = ("application_name", "search_path", "statement_timeout", "TimeZone")


@pytest.fixture
def connect(
    tls_front: TlsFront,
    postgres: EmbeddedPostgres,
    postgres_database: str,
    set_connection: SetConnection,
    tls_files: TlsFiles,
) -> Connect:
    """Make ``lake`` lead to the database, by TLS if it is asked for; the extra by name."""
    files = {"ca": tls_files.ca, "strange_ca": tls_files.strange_ca, "revoked": tls_files.revoked}
    files |= {"client.pem": tls_files.client[0], "client.key": tls_files.client[1]}

    def make(**extra: Any) -> None:
        named = {name: files.get(str(value), value) for name, value in extra.items()}
        fields = postgres.airflow_connection(postgres_database)
        set_connection("lake", **fields | {"port": tls_front.port, "extra": named})

    return make


def _of_libpq(connection: Any) -> dict[str, Any]:
    """Return what libpq and the server say of a connection, whichever the driver is."""
    is_2 = isinstance(connection, psycopg2.extensions.connection)
    parameters = connection.info.dsn_parameters if is_2 else connection.info.get_parameters()
    cursor = connection.cursor()
    shown = {}
    for name in _SHOWN:
        cursor.execute(f"SHOW {name}")
        shown[name] = cursor.fetchone()[0]
    connection.rollback()
    parameters = {name: parameters.get(name) or _DEFAULTS.get(name) for name in _PARAMETERS}
    uses_tls = connection.info.ssl_in_use if is_2 else connection.pgconn.ssl_in_use
    return {"parameters": parameters, "tls": uses_tls, **shown}


def _through_engine(conn_id: str = "lake") -> dict[str, Any]:
    engine = sql_engine(conn_id)
    try:
        with engine.connect() as connection:
            return _of_libpq(connection.connection.driver_connection)
    finally:
        engine.dispose()


def _through_hook(conn_id: str = "lake") -> dict[str, Any]:
    connection = BaseHook.get_hook(conn_id).get_conn()
    try:
        return _of_libpq(connection)
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [None, *SCHEMES])
@pytest.mark.parametrize("extra", [each for extras in DOCUMENTED.values() for each in extras], ids=json.dumps)
def test_engine_connects_as_the_hook_does(
    connect: Connect, tls_front: TlsFront, scheme: str | None, extra: dict[str, Any]
) -> None:
    connect(**extra, **({"sqlalchemy_scheme": scheme} if scheme else {}))
    by_hook, client = _through_hook(), tls_front.clients[-1]
    assert _through_engine() == by_hook
    assert tls_front.clients[-1] == client
    assert by_hook["tls"] == (client is not None)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("extra", REFUSED, ids=json.dumps)
def test_what_the_hook_refuses_is_refused_before_anything_naming_what_to_change(
    connect: Connect, scheme: str, extra: dict[str, Any]
) -> None:
    connect(**extra, sqlalchemy_scheme=scheme)
    with pytest.raises(Exception, match=r"(?s).+"):
        BaseHook.get_hook("lake").get_conn()
    if "standby" in extra.values():  # another server may become one
        with pytest.raises(sa.exc.OperationalError):
            _through_engine()
        return
    with pytest.raises(ConfigurationError, match=r"'lake' cannot be opened: .*; correct .* extra"):
        _through_engine()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tls_that_the_server_does_not_speak_is_never_left_out(
    postgres: EmbeddedPostgres, postgres_database: str, set_connection: SetConnection, scheme: str
) -> None:
    extra = {"sslmode": "require", "sqlalchemy_scheme": scheme}
    set_connection("lake", **postgres.airflow_connection(postgres_database), extra=extra)
    with pytest.raises(Exception, match="does not support SSL"):
        BaseHook.get_hook("lake").get_conn()
    with pytest.raises(ConfigurationError, match=r"does not support SSL.*correct sslmode"):
        _through_engine()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sqlalchemys_own_arguments_count_where_the_extra_says_nothing_else(
    connect: Connect, scheme: str
) -> None:
    query = {"sslmode": "disable", "application_name": "permits"}
    connect(sslmode="require", sqlalchemy_query=query, sqlalchemy_scheme=scheme)
    found = _through_engine()
    assert (found["tls"], found["application_name"]) == (True, "permits")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "extra",
    [
        *({"cursor": cursor} for cursor in ("dictcursor", "realdictcursor", "namedtuplecursor")),
        *({"client_encoding": encoding} for encoding in ("LATIN1", "GBK", "SQL_ASCII")),
        {"options": "-c client_encoding=LATIN1"},
        {"row_factory": "dict_row"},
        {"cursor_factory": "DictCursor"},
    ],
    ids=json.dumps,
)
def test_cursors_and_encodings_change_no_row(connect: Connect, scheme: str, extra: dict[str, Any]) -> None:
    connect(**extra, sqlalchemy_scheme=scheme)
    engine = sql_engine("lake")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE names (name text, born date)"))
        connection.execute(sa.text("INSERT INTO names VALUES (:name, DATE '1990-01-02')"), {"name": "𠮷李"})
        assert connection.execute(sa.text("SELECT name, length(name) FROM names")).all() == [("𠮷李", 2)]
        assert sa.inspect(connection).get_table_names() == ["names"]
    engine.dispose()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("further", [{"aws_conn_id": "aws_rds"}, {"azure_conn_id": "azure"}], ids=json.dumps)
def test_each_connection_gets_a_token_of_its_own(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    set_connection: SetConnection,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    further: dict[str, Any],
) -> None:
    if not further.keys() <= PostgresHook.ignored_extra_options:
        pytest.skip("this release of Airflow's hook has no such tokens")
    asked: list[str] = []

    def token(hook: PostgresHook, connection: Any) -> tuple[str, str, int]:
        asked.append(connection.extra_dejson["aws_conn_id" if "aws_conn_id" in further else "azure_conn_id"])
        return "postgres", postgres.password, postgres.port

    monkeypatch.setattr(PostgresHook, "get_iam_token", token)
    fields = postgres.airflow_connection(postgres_database) | {"password": None}
    set_connection("lake", **fields, extra={"iam": True, "sqlalchemy_scheme": scheme} | further)
    engine = sql_engine("lake")
    assert asked == []
    with engine.connect() as first, engine.connect() as second:
        assert first.scalar(sa.text("SELECT 1")) == second.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()
    assert asked == list(further.values()) * 2


@pytest.mark.parametrize("name", ["redshift", "redshift-serverless"])
def test_redshift_is_refused_naming_the_way_there(set_connection: SetConnection, name: str) -> None:
    extra = {"iam": True, name: True, "cluster-identifier": "permits"}
    set_connection("lake", conn_type="postgres", host="permits.example.com", extra=extra)
    with pytest.raises(ConfigurationError, match=r"'lake'.*Redshift.*S3ToRedshiftOperator"):
        sql_engine("lake")


def test_a_driver_that_is_not_supported_is_refused(connect: Connect) -> None:
    connect(sqlalchemy_scheme="postgresql+asyncpg")
    with pytest.raises(ConfigurationError, match="sqlalchemy_scheme; postgresql\\+psycopg and"):
        sql_engine("lake")


@pytest.mark.slow
@needs_psycopg
def test_statements_are_prepared_where_the_extra_says_so(connect: Connect) -> None:
    cases: list[tuple[dict[str, Any], int | None]] = [
        ({}, None),
        *(({"prepare_threshold": said}, meant) for said, meant in ((3, 3), (0, 0), ("3", 3), ("", None))),
    ]
    for extra, threshold in cases:
        connect(**extra)
        engine = sql_engine("lake")
        with engine.connect() as connection:
            assert connection.connection.driver_connection.prepare_threshold == threshold  # type: ignore[union-attr]
            database_of(connection).before_lock(connection)
        engine.dispose()


def test_threshold_that_is_no_number_is_refused(connect: Connect) -> None:
    connect(prepare_threshold="often")
    with pytest.raises(ConfigurationError, match="prepare_threshold to 'often'"):
        sql_engine("lake")


@needs_psycopg
def test_sessions_whose_times_the_driver_does_not_read_are_refused(connect: Connect) -> None:
    connect(options="-c datestyle=German", sqlalchemy_scheme="postgresql+psycopg")
    engine = sql_engine("lake")
    with pytest.raises(ConfigurationError, match=r"DateStyle 'German.*datestyle=iso"), engine.connect():
        pass


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_timeout_that_is_no_number_is_refused_naming_the_extra(connect: Connect, scheme: str) -> None:
    connect(connect_timeout="soon", sqlalchemy_scheme=scheme)
    engine = sql_engine("lake")
    with pytest.raises(ConfigurationError, match="correct the connection's extra"), engine.connect():
        pass


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong"}, "password authentication failed.*correct login and password"),
        ({"login": "nobody"}, "authentication failed.*correct login and password"),
        ({"schema": "nowhere"}, 'database "nowhere" does not exist.*correct the connection\'s schema'),
    ],
)
def test_a_connection_that_is_wrong_is_refused_naming_what_to_change(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    set_connection: SetConnection,
    scheme: str,
    fields: dict[str, Any],
    message: str,
) -> None:
    extra = {"sqlalchemy_scheme": scheme}
    set_connection("lake", **postgres.airflow_connection(postgres_database) | fields, extra=extra)
    with pytest.raises(ConfigurationError, match=message):
        _through_engine()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lost_connection_is_replaced_unnoticed(connect: Connect, warehouse: sa.Engine, scheme: str) -> None:
    connect(sqlalchemy_scheme=scheme)
    engine = sql_engine("lake")
    with engine.connect() as connection:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    with warehouse.connect() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT pg_backend_pid()")) != pid
    engine.dispose()
