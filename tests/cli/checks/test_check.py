"""``airflow permitocr check`` through Airflow's own parser, with real DAG files and a real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from airflow.utils import yaml

from airflow_provider_permitocr.cli.output import print_rows
from airflow_provider_permitocr.emulator.running import RunningEmulator

WriteDag = Callable[..., None]
SetPool = Callable[[str, int], None]
SetConnection = Callable[..., None]
Check = Callable[..., tuple[int, str]]

#: Programs rely on these.
FIELDS = ["dag_id", "task_id", "verdict", "subject", "message", "remedy", "command"]
GOOD = "MainlandPermitOcrOperator(task_id='a', **TABLES, pool='tencent_permit_ocr', pool_slots=20)"


@pytest.fixture
def check(
    airflow_metadata: None,
    dag_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Check:
    """Call the command with these arguments; return its status and what it said."""
    from airflow.cli.cli_parser import get_parser

    def run(words: list[str]) -> None:
        arguments = get_parser().parse_args(words)
        arguments.func(arguments)

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "set back after the test")
        monkeypatch.delenv("COLUMNS", raising=False)  # as wide as it gets
        with pytest.raises(SystemExit) as ended:
            run(["permitocr", "check", *words])
        assert isinstance(ended.value.code, int)
        return ended.value.code, "".join(capfd.readouterr())

    return call


@pytest.fixture
def account(set_connection: SetConnection) -> None:
    """The connection ``tencentcloud_default``, for ``--offline``."""
    set_connection("tencentcloud_default", conn_type="tencentcloud", login="AKIDx", password="secret-word")


@pytest.mark.slow
def test_a_task_that_will_run_ends_with_status_0(
    check: Check,
    write_dag: WriteDag,
    set_pool: SetPool,
    lake: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    set_pool("tencent_permit_ocr", 20)
    connect_emulator(emulator)
    write_dag(GOOD)

    status, said = check("permits")

    assert status == 0
    assert "permits.a (permits.py)" in said
    assert "WRONG" not in said
    assert "tencent_permit_ocr has 20 slots" in said
    assert "credentials are valid" in said
    assert "permit_images on lake: 2 images" in said
    assert "permits on lake does not exist yet; the first run creates it" in said
    assert "permit_ocr on lake does not exist yet; the first run creates it" in said
    assert "'lake:permits' is new in permit_ocr on lake" in said
    assert "image paths are read from anywhere on the worker" in said
    assert "1 task in 1 DAG checked: nothing wrong, 1 note." in said
    assert sa.inspect(lake).get_table_names() == ["permit_images"]
    assert emulator.stats()["billed"] == 0


def test_everything_wrong_is_told_and_ends_with_status_1(
    check: Check, write_dag: WriteDag, set_pool: SetPool, lake: sa.Engine
) -> None:
    set_pool("small", 4)
    write_dag(
        "MainlandPermitOcrOperator(task_id='no_pool', **TABLES, pool='nobodys')",
        "MainlandPermitOcrOperator(task_id='stuck', **TABLES, pool='small', pool_slots=5)",
        "other = ResultTable('permit_images', conn_id='lake')",
        "MainlandPermitOcrOperator(task_id='default', source=LIST, target=other)",
        "Nightly.partial(task_id='half', **TABLES, pool='small').expand(shard=shards(4)[:2])",
    )

    status, said = check()

    words = " ".join(said.split())
    assert status == 1
    assert "there is no pool 'nobodys'" in words
    assert '$ airflow pools set nobodys 20 "MainlandPermitOCR, requests per second"' in words
    assert "wants 5 slots of small, which has 4:" in words
    assert "runs in default_pool" in words
    assert "there is no connection 'tencentcloud_default'" in words
    assert "exists already and cannot hold the result: it lacks" in words
    assert "3/4, 4/4 of the list are left out" in words
    assert "4 tasks in 1 DAG checked" in words


@pytest.mark.usefixtures("account", "lake")
def test_findings_are_printed_as_rows_for_programs(
    check: Check, write_dag: WriteDag, dag_folder: Path, set_pool: SetPool
) -> None:
    set_pool("tencent_permit_ocr", 10)
    write_dag(GOOD)
    (dag_folder / "broken.py").write_text("from airflow.sdk import DAG\n1 / 0\n", encoding="utf-8")

    status, said = check("--offline", "--output", "json")

    general, pool, *others = json.loads(said)
    assert status == 1
    assert list(general) == list(pool) == FIELDS
    assert (general["dag_id"], general["task_id"], general["command"]) == (None, None, None)
    assert "broken.py cannot be imported" in general["message"]
    assert (pool["dag_id"], pool["task_id"], pool["verdict"], pool["subject"]) == (
        *("permits", "a"),
        *("wrong", "pool"),
    )
    assert pool["remedy"].startswith("give it pool_slots=10 or fewer")
    assert (
        pool["command"] == 'airflow pools set tencent_permit_ocr 20 "MainlandPermitOCR, requests per second"'
    )
    assert {each["verdict"] for each in others} <= {"ok", "note", "unchecked"}
    assert yaml.safe_load(check("--offline", "-o", "yaml")[1]) == [general, pool, *others]
    assert json.loads(check("permits", "--offline", "-o", "json")[1]) == [pool, *others]


@pytest.mark.usefixtures("account", "lake")
@pytest.mark.parametrize("output", ["table", "plain"])
def test_findings_are_printed_as_a_table(
    check: Check, write_dag: WriteDag, set_pool: SetPool, output: str
) -> None:
    set_pool("tencent_permit_ocr", 10)
    write_dag(GOOD)

    status, said = check("--offline", "--output", output)

    heads, *rows = [line.replace("|", " ").split() for line in said.splitlines()]
    assert status == 1
    assert heads == FIELDS
    assert "looked at" not in said
    assert ["permits", "a", "wrong", "pool"] in [row[:4] for row in rows]


def test_a_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    for output in ("table", "plain"):
        print_rows([{"command": "pip install airflow-provider-permitocr[cos]"}], output)
        assert "airflow-provider-permitocr[cos]" in capsys.readouterr().out


@pytest.mark.usefixtures("account")
def test_a_raised_quota_is_given_to_the_command(
    check: Check, write_dag: WriteDag, set_pool: SetPool, lake: sa.Engine
) -> None:
    set_pool("tencent_permit_ocr", 50)
    write_dag(GOOD)
    assert check("--offline")[0] == 1
    assert check("--offline", "--quota", "50")[0] == 0


@pytest.mark.usefixtures("account")
def test_pools_of_all_dags_share_the_quota(
    check: Check, write_dag: WriteDag, set_pool: SetPool, lake: sa.Engine
) -> None:
    set_pool("tencent_permit_ocr", 20)
    set_pool("second", 10)
    write_dag(GOOD)
    write_dag("MainlandPermitOcrOperator(task_id='b', **TABLES, pool='second')", dag_id="other")

    status, said = check("permits", "--offline")

    assert status == 1
    assert "second (10), tencent_permit_ocr (20): together 30 requests per second" in " ".join(said.split())
    assert "other.b" not in said
    assert "secret-word" not in said
    assert "AKIDx" not in said


@pytest.mark.usefixtures("account", "lake")
def test_a_dag_file_that_does_not_import_is_wrong(
    check: Check, write_dag: WriteDag, dag_folder: Path, set_pool: SetPool
) -> None:
    set_pool("tencent_permit_ocr", 20)
    write_dag(GOOD)
    (dag_folder / "broken.py").write_text("from airflow.sdk import DAG\n1 / 0\n", encoding="utf-8")

    status, said = check("--offline")
    alone, _ = check("permits", "--offline")

    assert (status, alone) == (1, 0)
    assert "broken.py cannot be imported" in said
    assert "ZeroDivisionError: division by zero" in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["permit"], "There is no DAG 'permit'; did you mean permits?"),
        (["--quota", "0"], "--quota: must be a number above 0"),
        (["--quota", "many"], "--quota: must be a number above 0"),
        (["--nothing"], "--nothing"),
    ],
)
def test_a_wrong_call_ends_with_status_2(
    check: Check, write_dag: WriteDag, words: list[str], message: str
) -> None:
    write_dag(GOOD)
    status, said = check(*words)
    assert status == 2
    assert message in said


def test_where_there_is_no_such_task_this_is_said(check: Check, write_dag: WriteDag) -> None:
    write_dag("task(lambda: None, task_id='other')()")
    for words, where in ([], "1 DAG of this Airflow"), (["permits"], "the DAG 'permits'"):
        status, said = check(*words)
        assert status == 0
        assert f"no MainlandPermitOcrOperator task in {where}" in said
        assert said.endswith("0 tasks in 0 DAGs checked: nothing wrong, 1 note.\n")


def test_a_bundle_that_cannot_be_read_is_wrong(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.bundles.local import LocalDagBundle

    def refuse(bundle: LocalDagBundle) -> None:
        raise OSError("no route to it")

    monkeypatch.setattr(LocalDagBundle, "initialize", refuse)
    status, said = check()
    assert status == 1
    assert "bundle tests cannot be read: OSError: no route to it" in said


def test_a_bundle_that_is_configured_wrongly_is_wrong(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [{"name": "tests", "classpath": local, "kwargs": {"no_such_argument": 1}}]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    status, said = check()
    assert status == 1
    assert "bundle tests cannot be read: TypeError: " in said
    assert "'no_such_argument'" in said


@pytest.mark.usefixtures("account", "lake")
def test_what_only_a_run_knows_is_told_as_unchecked(
    check: Check, write_dag: WriteDag, set_pool: SetPool
) -> None:
    set_pool("tencent_permit_ocr", 20)
    write_dag(
        "lists = task(lambda: [], task_id='lists')()",
        "MainlandPermitOcrOperator.partial(task_id='a', target=RESULT, pool='tencent_permit_ocr')"
        ".expand(source=lists)",
    )
    status, said = check("--offline")
    assert status == 0
    assert "source: known only at run time" in said
    assert said.endswith("1 task in 1 DAG checked: nothing wrong, 1 unchecked.\n")


@pytest.mark.usefixtures("account", "lake")
def test_airflows_database_that_cannot_be_read_is_told(
    check: Check, write_dag: WriteDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> dict[str, int]:
        raise sa.exc.OperationalError("SELECT", {}, Exception("no such table: slot_pool"))

    write_dag(GOOD)
    monkeypatch.setattr("airflow_provider_permitocr.cli.checks.check.pool_slots", refuse)

    status, said = check("--offline")

    assert status == 1
    assert "database cannot be read, so pools are not checked" in said
    assert "unchecked  pool" in said


@pytest.mark.slow
def test_connections_and_pools_of_airflows_database_are_seen_by_the_installed_command(
    write_dag: WriteDag, set_pool: SetPool, lake: sa.Engine
) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    set_pool("tencent_permit_ocr", 20)
    write_dag(GOOD)
    command = [sys.executable, "-m", "airflow", "permitocr", "check", "--offline"]
    with create_session() as session:
        stored = Connection("tencentcloud_default", "tencentcloud", login="AKIDx", password="k")
        session.add(stored)
    try:
        done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    finally:
        with create_session() as session:
            session.delete(stored)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    # Airflow 3.2 warns of other providers on the same stream.
    assert "permits.a (permits.py)\n  ok " in done.stdout
