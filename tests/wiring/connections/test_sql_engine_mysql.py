"""All that Airflow's page of the MySQL connection names in its extra, and the sessions that our engine has.

https://airflow.apache.org/docs/apache-airflow-providers-mysql/stable/connections/mysql.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import sqlalchemy as sa
from airflow.providers.mysql.hooks.mysql import MySqlHook
from airflow.sdk import BaseHook

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines, sql_engine
from tests.support.forgetful_proxy import forgetful_proxy
from tests.support.mariadb import PASSWORD, OwnMariaDb
from tests.support.tls_files import TlsFiles

SetConnection = Callable[..., None]
Connect = Callable[..., None]

_HOW: Final = "SELECT @@session.time_zone, @@session.sql_mode, USER(), DATABASE()"


@pytest.fixture
def connect(
    own_mariadb: OwnMariaDb, mysql_client: str, set_connection: SetConnection, tls_files: TlsFiles
) -> Connect:
    """Make ``lake`` lead to the server through a client; the extra by name."""
    own_mariadb.run("DROP DATABASE IF EXISTS lake", "CREATE DATABASE lake CHARACTER SET utf8mb4")

    def make(fields: dict[str, Any] | None = None, **extra: Any) -> None:
        connection = own_mariadb.airflow_connection(client=mysql_client, **extra)
        set_connection("lake", **connection | (fields or {}))

    return make


def _ask(engine: sa.Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(statement)).all()


def _cipher(conn_id: str = "lake") -> str:
    engine = sql_engine(conn_id)
    try:
        return str(_ask(engine, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1])
    finally:
        engine.dispose()


def _tls(files: TlsFiles) -> dict[str, str]:
    return {"ca": files.ca, "cert": files.client[0], "key": files.client[1]}


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [dict, json.dumps], ids=["dictionary", "text"])
def test_tls_that_the_extra_asks_for_is_had(connect: Connect, tls_files: TlsFiles, wrapped: Any) -> None:
    connect(ssl=wrapped(_tls(tls_files)))
    assert _cipher()


def test_tls_in_names_of_urls_is_had(connect: Connect, tls_files: TlsFiles) -> None:
    connect(ssl_ca=tls_files.ca)
    assert _cipher()


@pytest.mark.parametrize(
    ("mode", "authority", "works"),
    [
        ("REQUIRED", None, True),
        ("VERIFY_IDENTITY", "ca", True),
        ("VERIFY_IDENTITY", "strange_ca", False),
    ],
)
def test_tls_is_checked_as_the_mode_says(
    connect: Connect, tls_files: TlsFiles, mode: str, authority: str | None, works: bool
) -> None:
    connect(ssl_mode=mode, **({"ssl": {"ca": getattr(tls_files, authority)}} if authority else {}))
    if works:
        assert _cipher()
    else:
        with pytest.raises(ConfigurationError, match="correct ssl and ssl_mode"):
            _cipher()


def test_an_engine_of_the_default_client_is_refused_tls_where_the_hook_is(
    own_mariadb: OwnMariaDb, mysql_client: str, set_connection: SetConnection, tls_files: TlsFiles
) -> None:
    if mysql_client != "mysqlclient":
        pytest.skip("get_conn knows no other")
    for ssl in ({}, {"ca": tls_files.ca}, {"ca": tls_files.strange_ca}, {"ca": "/nowhere.pem"}):
        set_connection("lake", **own_mariadb.airflow_connection(ssl=ssl))
        outcomes = []
        for opening in (BaseHook.get_hook("lake").get_conn, lambda: sql_engine("lake").connect()):
            try:
                opening().close()
            except Exception:  # noqa: BLE001  each of its own kind
                outcomes.append(False)
            else:
                outcomes.append(True)
        assert outcomes[0] == outcomes[1], ssl


def test_a_socket_takes_precedence_over_host_and_port(connect: Connect, own_mariadb: OwnMariaDb) -> None:
    connect({"host": "localhost", "port": 1}, unix_socket=own_mariadb.socket)
    engine = sql_engine("lake")
    assert _ask(engine, "SELECT USER()") == [("root@localhost",)]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        *({"cursor": cursor} for cursor in ("sscursor", "SSCursor", "dictcursor", "ssdictcursor")),
        *({"charset": charset} for charset in ("utf8", "latin1", "utf8mb3", "utf8mb4", "gbk")),
        {"aws_conn_id": "aws_rds", "local_infile": "1"},
    ],
    ids=json.dumps,
)
def test_cursors_and_encodings_change_no_row(connect: Connect, extra: dict[str, Any]) -> None:
    connect(**extra)
    engine = sql_engine("lake")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE names (name varchar(9)) CHARACTER SET utf8mb4"))
        connection.execute(sa.text("INSERT INTO names VALUES (:name)"), {"name": "𠮷李"})
        found = connection.execute(sa.text("SELECT name, HEX(name) FROM names")).all()
        assert found == [("𠮷李", "𠮷李".encode().hex().upper())]
        assert sa.inspect(connection).get_table_names() == ["names"]
        # It is counted as found, not as changed.
        assert connection.execute(sa.text("UPDATE names SET name = name")).rowcount == 1
    engine.dispose()


@pytest.mark.parametrize("number", [5, "5"])
def test_what_the_uri_hands_to_pymysql_counts(
    own_mariadb: OwnMariaDb, set_connection: SetConnection, number: Any
) -> None:
    extra = {
        "client": "pymysql",
        "read_timeout": number,
        "init_command": "SET @said = 7",
        "autocommit": "true",
    }
    set_connection("lake", **own_mariadb.airflow_connection(**extra))
    engine = sql_engine("lake")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT @said")) == 7
        own: Any = connection.connection.driver_connection
        assert (own._read_timeout, own.get_autocommit()) == (5, True)
    engine.dispose()


def test_each_connection_gets_a_token_of_its_own(
    connect: Connect, own_mariadb: OwnMariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def token(hook: MySqlHook, connection: Any) -> tuple[str, int]:
        asked.append(connection.extra_dejson["aws_conn_id"])
        return PASSWORD, own_mariadb.port

    monkeypatch.setattr(MySqlHook, "get_iam_token", token)
    connect({"password": None}, iam=True, aws_conn_id="aws_rds")
    engine = sql_engine("lake")
    assert asked == []
    with engine.connect() as first, engine.connect() as second:
        assert first.scalar(sa.text("SELECT 1")) == second.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()
    assert asked == ["aws_rds"] * 2


def test_sessions_run_in_utc_and_are_strict_whatever_the_server_says(
    connect: Connect, own_mariadb: OwnMariaDb
) -> None:
    connect(charset="latin1")
    with own_mariadb.settings(time_zone="'+08:00'", sql_mode="''", character_set_server="latin1"):
        own_mariadb.run("CREATE TABLE lake.seen (at timestamp NULL, number varchar(4))")
        engine = sql_engine("lake")
        with engine.begin() as connection:
            noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
            connection.execute(
                sa.text("INSERT INTO seen (at) VALUES (:at)"), {"at": noon.replace(tzinfo=None)}
            )
            stamp = connection.scalar(sa.text("SELECT UNIX_TIMESTAMP(at) FROM seen"))
            assert stamp == noon.timestamp()
        with engine.begin() as connection, pytest.raises(sa.exc.DataError):
            connection.execute(sa.text("INSERT INTO seen (number) VALUES ('H81734838')"))
        engine.dispose()
        assert own_mariadb.run("SELECT count(*) FROM lake.seen WHERE number IS NOT NULL") == [(0,)]


def test_sessions_read_and_change_all_rows_whatever_the_server_says(
    connect: Connect, own_mariadb: OwnMariaDb
) -> None:
    connect()
    with own_mariadb.settings(sql_select_limit="1", sql_safe_updates="1"):
        own_mariadb.run("CREATE TABLE lake.seen (number int)", "INSERT INTO lake.seen VALUES (1), (2), (3)")
        engine = sql_engine("lake")
        assert len(_ask(engine, "SELECT number FROM seen")) == 3
        with engine.begin() as connection:
            assert connection.execute(sa.text("UPDATE seen SET number = 4")).rowcount == 3
        engine.dispose()


def test_modes_that_change_values_are_left_out_and_others_kept(
    connect: Connect, own_mariadb: OwnMariaDb
) -> None:
    connect()
    mode = "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,EMPTY_STRING_IS_NULL'"
    with own_mariadb.settings(sql_mode=mode):
        engine = sql_engine("lake")
        with engine.begin() as connection:
            names = str(connection.scalar(sa.text("SELECT @@session.sql_mode"))).split(",")
            assert {"ANSI", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES"} <= set(names)
            table = sa.Table(
                "order", sa.MetaData(), sa.Column("key", sa.CHAR(9)), sa.Column("empty", sa.Text)
            )
            table.create(connection)
            connection.execute(sa.insert(table), [{"key": "a\\'b", "empty": ""}])
            assert connection.execute(sa.select(table)).all() == [("a\\'b", "")]
            # As the list's owner writes it there.
            assert connection.scalar(sa.text("""SELECT "key" || 'c' FROM "order" """)) == "a\\'bc"
        engine.dispose()


@pytest.mark.slow
def test_a_proxy_that_drops_what_sessions_are_set_to_is_refused(
    connect: Connect, own_mariadb: OwnMariaDb
) -> None:
    with own_mariadb.settings(time_zone="'+08:00'", sql_mode="''"), forgetful_proxy(own_mariadb.port) as port:
        connect({"port": port}, ssl_mode="DISABLED")
        engine = sql_engine("lake")
        with pytest.raises(
            ConfigurationError, match=r"time_zone is \+08:00.*sql_mode lacks STRICT.*let the proxy"
        ):
            _ask(engine, "SELECT 1")
        engine.dispose()


def test_a_ledgers_sessions_wait_and_idle_for_less_than_a_minute(connect: Connect) -> None:
    connect()
    with SqlEngines() as engines:
        limits = _ask(
            engines.of_ledger("lake"), "SELECT @@idle_transaction_timeout, @@innodb_lock_wait_timeout"
        )
        assert limits == [(30, 45)]
        assert _ask(engines.of("lake"), "SELECT @@idle_transaction_timeout") == [(0,)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong"}, "Access denied.*correct login and password"),
        ({"schema": "nowhere"}, "Unknown database.*correct the connection's schema"),
    ],
)
def test_a_connection_that_is_wrong_is_refused_naming_what_to_change(
    connect: Connect, fields: dict[str, Any], message: str
) -> None:
    connect(fields)
    with pytest.raises(ConfigurationError, match=message):
        _cipher()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"client": "mysql-connector-python"}, '"client": "mysqlclient".*"client": "pymysql"'),
        ({"client": "pymysql", "ssl_mode": "SOMETIMES"}, "DISABLED, PREFERRED"),
        ({"client": "pymysql", "ssl_mode": "VERIFY_CA"}, 'add the authority: "ssl"'),
        ({"client": "pymysql", "ssl": "on"}, 'its "ssl" must be an object.*"ssl_mode": "REQUIRED"'),
        ({"client": "pymysql", "ssl": "true"}, 'its "ssl" must be an object.*"ssl_mode": "REQUIRED"'),
        ({"client": "pymysql", "ssl": True}, 'its "ssl" must be an object.*"ssl_mode": "REQUIRED"'),
        ({"client": "mysqlclient", "ssl": "true"}, 'its "ssl" must be an object'),
        ({"ssl": ["/ca.pem"]}, 'its "ssl" must be an object'),
    ],
)
def test_an_extra_that_cannot_be_honored_is_refused(
    set_connection: SetConnection, extra: dict[str, Any], message: str
) -> None:
    set_connection("lake", conn_type="mysql", host="127.0.0.1", extra=extra)
    with pytest.raises(ConfigurationError, match=message):
        sql_engine("lake")


def test_a_pymysql_that_hangs_on_statements_for_newer_servers_is_refused(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_connection("lake", conn_type="mysql", host="127.0.0.1", extra={"client": "pymysql"})
    monkeypatch.setattr("pymysql.VERSION", (1, 1, 3, "final", 1))
    with pytest.raises(ConfigurationError, match=r"install PyMySQL 1\.2 or newer, or use mysqlclient"):
        sql_engine("lake")


def test_a_lost_connection_is_replaced_unnoticed(connect: Connect, own_mariadb: OwnMariaDb) -> None:
    connect()
    engine = sql_engine("lake")
    ((number,),) = _ask(engine, "SELECT connection_id()")
    own_mariadb.run(f"KILL {number}")
    assert _ask(engine, "SELECT connection_id()") != [(number,)]
    engine.dispose()
