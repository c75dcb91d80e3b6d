from __future__ import annotations

import psycopg
import pytest

from labs.distributed.postgres import VARIABLE, SharedPostgres, postgres_server
from labs.ground.servers.postgres import EmbeddedPostgres


def databases(postgres: EmbeddedPostgres) -> set[str]:
    with psycopg.connect(postgres.dsn("postgres")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


@pytest.mark.slow
def test_databases_of_others_are_left_alone_and_its_own_are_dropped(postgres: EmbeddedPostgres) -> None:
    before = databases(postgres)
    with SharedPostgres(postgres.dsn("postgres")) as shared:
        shared.create_database("warehouse")
        shared.create_database("warehouse", replace=True)
        with psycopg.connect(shared.dsn("warehouse")) as open_connection:
            open_connection.execute("CREATE TABLE permits (name text)")
        still_open = psycopg.connect(shared.dsn("warehouse"))
        (made,) = databases(postgres) - before
        assert made.endswith("_warehouse")
    still_open.close()
    assert databases(postgres) == before


def test_two_runs_on_one_server_have_databases_of_their_own(postgres: EmbeddedPostgres) -> None:
    url = postgres.dsn("postgres")
    with SharedPostgres(url) as first, SharedPostgres(url) as second:
        assert first.dsn("airflow") != second.dsn("airflow")


def test_airflow_connection_and_uris_lead_to_the_same_database(postgres: EmbeddedPostgres) -> None:
    with SharedPostgres(postgres.dsn("postgres")) as shared:
        parts = shared.airflow_connection("warehouse")
        assert shared.dsn("warehouse", "psycopg2") == (
            f"postgresql+psycopg2://{parts['login']}:{postgres.password}"
            f"@{parts['host']}:{parts['port']}/{parts['schema']}"
        )
        assert parts["password"] == postgres.password


def test_server_that_the_environment_names_is_taken(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv(VARIABLE, postgres.dsn("postgres"))
    with postgres_server(tmp_path_factory.mktemp("state")) as server:
        assert f":{postgres.port}/" in server.dsn("warehouse")


def test_server_that_is_named_and_does_not_answer_is_an_error_not_another_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://postgres@127.0.0.1:1/postgres")
    with (
        pytest.raises(psycopg.OperationalError, match=r"127\.0\.0\.1"),
        postgres_server(tmp_path_factory.mktemp("state")),
    ):
        pass
