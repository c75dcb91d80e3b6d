from __future__ import annotations

from pathlib import Path

import pytest

from labs.ground.servers.airflow_services import AirflowOptions, environment


def _options(tmp_path: Path) -> AirflowOptions:
    home, dags = tmp_path / "home", tmp_path / "dags"
    home.mkdir()
    dags.mkdir()
    return AirflowOptions(home, dags, 18080)


def test_settings_of_the_users_own_airflow_and_proxies_do_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", "/home/user/plugins")
    monkeypatch.setenv("AIRFLOW_CONFIG", "/home/user/airflow.cfg")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://production/")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("LANG", "C.UTF-8")
    made = environment(_options(tmp_path), "postgresql://database")
    assert "AIRFLOW__CORE__PLUGINS_FOLDER" not in made
    assert "AIRFLOW_CONFIG" not in made
    assert "https_proxy" not in made
    assert made["LANG"] == "C.UTF-8"
    assert made["AIRFLOW_HOME"] == str(tmp_path / "home")
    assert "AIRFLOW_CONN_WAREHOUSE" not in made


def test_tasks_reach_the_api_server_at_its_own_port(tmp_path: Path) -> None:
    made = environment(_options(tmp_path), "postgresql://database")
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18080/execution/"


def test_secrets_stay_the_same_from_run_to_run_and_private(tmp_path: Path) -> None:
    options = _options(tmp_path)
    first, second = (environment(options, "postgresql://database") for _ in range(2))
    assert first["AIRFLOW__API_AUTH__JWT_SECRET"] == second["AIRFLOW__API_AUTH__JWT_SECRET"]
    assert (options.home / "jwt-secret").stat().st_mode & 0o077 == 0


def test_missing_dag_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No DAG folder"):
        AirflowOptions(tmp_path, tmp_path / "dags", 18080)
