"""``airflow permitocr plan`` through Airflow's own parser, with real DAG files and a real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.utils import yaml

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

WriteDag = Callable[..., None]
Plan = Callable[..., tuple[int, str, str]]

FORMATS: dict[str, Callable[[str], Any]] = {"json": json.loads, "yaml": yaml.safe_load}
TASK = "MainlandPermitOcrOperator(task_id='a', **TABLES, pool='tencent_permit_ocr', pool_slots=20)"
DAILY = (
    "daily = ImageTable('permit_images', conn_id='lake', key='image_id', image='image', updated_at='at',"
    " since='{{ data_interval_start }}', until='{{ data_interval_end }}')"
)
OVER_DAILY = "MainlandPermitOcrOperator(task_id='a', source=daily, target=RESULT)"


@pytest.fixture
def plan(
    airflow_metadata: None,
    dag_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Plan:
    """Call the command with these arguments; return its status and what it said, and to stderr."""
    from airflow.cli.cli_parser import get_parser

    def run(words: list[str]) -> None:
        arguments = get_parser().parse_args(words)
        arguments.func(arguments)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "set back after the test")
        with pytest.raises(SystemExit) as ended:
            run(["permitocr", "plan", *words])
        assert isinstance(ended.value.code, int)
        said = capfd.readouterr()
        return ended.value.code, said.out, said.err

    return call


@pytest.fixture
def connected(emulator: RunningEmulator, connect_emulator: Callable[..., None]) -> RunningEmulator:
    """An emulator that ``tencentcloud_default`` leads to, which knows a price."""
    connect_emulator(emulator, extra={"price_per_call": 0.0015, "currency": "USD", "account": "100"})
    return emulator


@pytest.fixture
def pictures(lake: sa.Engine, front: Specimen, tmp_path: Path) -> sa.Engine:
    """The ``lake`` with nine images of three days: seven good ones, a wrong one and a missing one."""
    (tmp_path / "good.jpg").write_bytes(front.image)
    (tmp_path / "wrong.txt").write_bytes(b"no image at all")
    files = ["good.jpg"] * 7 + ["wrong.txt", "missing.jpg"]
    rows = [
        {"key": f"k{number}", "image": str(tmp_path / file), "at": f"2026-05-0{1 + number % 3} 12:00:00"}
        for number, file in enumerate(files)
    ]
    with lake.begin() as connection:
        connection.execute(sa.text("DELETE FROM permit_images"))
        connection.execute(sa.text("INSERT INTO permit_images VALUES (:key, :image, :at)"), rows)
    return lake


def told(plan: Plan, *words: str) -> dict[str, Any]:
    status, out, _ = plan("permits", *words, "--output", "json")
    answer: dict[str, Any] = json.loads(out)
    assert status == 0, answer
    return answer


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_a_plan_is_told_in_words_and_changes_nothing(
    plan: Plan, write_dag: WriteDag, lake: sa.Engine, connected: RunningEmulator
) -> None:
    write_dag(TASK)
    status, out, _ = plan("permits", "a", "--logical-date", "2026-05-04")
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines == [
        "permits.a, a run of 2026-05-04 00:00 UTC",
        "listed 9",
        "settled before 0",
        "rejected without a call 0",
        "unavailable now 2 (1 x ImageNotFound, 1 x ImageWrongContent)",
        "same picture as another 0",
        "to call 7",
        "time 0:00:00 at 19.6 calls per second",
        "cost 0.0105 USD at 0.0015 USD a call",
    ]
    assert sa.inspect(lake).get_table_names() == ["permit_images"]
    assert connected.stats()["calls"] == 0


@pytest.mark.usefixtures("pictures", "connected")
def test_templates_are_rendered_with_the_interval_that_is_asked_for(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(DAILY, OVER_DAILY, arguments="schedule='@daily'")
    day = ("--interval-start", "2026-05-01", "--interval-end", "2026-05-02")
    two_days = ("--interval-start", "2026-05-02", "--interval-end", "2026-05-04")
    for dates, listed in (day, 3), (two_days, 6):
        assert told(plan, *dates)["tasks"][0]["plan"]["listed"] == listed


@pytest.mark.usefixtures("pictures", "connected")
@pytest.mark.parametrize("schedule", ["'@daily'", "None"])
def test_without_an_interval_of_some_length_the_whole_list_is_planned(
    plan: Plan, write_dag: WriteDag, schedule: str
) -> None:
    write_dag(DAILY, OVER_DAILY, arguments=f"schedule={schedule}")
    assert told(plan)["tasks"][0]["plan"]["listed"] == 9


@pytest.mark.usefixtures("pictures", "connected")
def test_what_a_run_triggered_by_hand_would_have_is_the_default(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(
        DAILY,
        OVER_DAILY,
        arguments="schedule=__import__('airflow.timetables.interval', fromlist=['x'])"
        ".CronDataIntervalTimetable('0 0 * * *', timezone='UTC')",
    )
    answer = told(plan, "--logical-date", "2026-05-03T09:00")
    assert (answer["data_interval_start"], answer["data_interval_end"]) == (
        "2026-05-02T00:00:00+00:00",
        "2026-05-03T00:00:00+00:00",
    )
    assert answer["tasks"][0]["plan"]["listed"] == 3


@pytest.mark.slow
@pytest.mark.usefixtures("pictures", "connected")
def test_the_shards_of_a_mapped_task_are_told_each_and_together(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(
        "MainlandPermitOcrOperator.partial(task_id='a', **TABLES, pool_slots=5).expand(shard=shards(3))"
    )
    (task,) = told(plan)["tasks"]
    assert [part["part"] for part in task["parts"]] == ["1/3", "2/3", "3/3"]
    for name, number in ("listed", 9), ("to_call", 7):
        assert sum(part["plan"][name] for part in task["parts"]) == task["plan"][name] == number

    status, out, _ = plan("permits")
    assert status == 0
    assert "all together, in parallel" in out
    heads, *rows = [line.split() for line in out.splitlines()[1:5]]
    assert heads == [
        "part",
        "listed",
        "settled",
        "rejected",
        "unavailable",
        "same",
        "to",
        "call",
        "cost",
        "time",
    ]
    assert [row[0] for row in rows] == ["1/3", "2/3", "3/3"]


@pytest.mark.slow
@pytest.mark.usefixtures("pictures", "connected")
def test_a_plan_is_printed_as_other_commands_print(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(
        "MainlandPermitOcrOperator.partial(task_id='a', **TABLES, pool_slots=5).expand(shard=shards(3))",
        "MainlandPermitOcrOperator(task_id='b', **TABLES, tencentcloud_conn_id='nobody')",
    )
    words = ("permits", "--logical-date", "2026-05-03T09:00")
    documents = [read(plan(*words, "-o", name)[1]) for name, read in FORMATS.items()]
    assert documents[0] == documents[1]
    assert [task["task_id"] for task in documents[0]["tasks"]] == ["a", "b"]

    for name in ("table", "plain"):
        status, out, _ = plan("permits", "-o", name)
        assert status == 1
        heads, *rows = [line.replace("|", " ").split() for line in out.splitlines() if "=" not in line]
        assert heads[:3] == ["task", "part", "listed"]
        assert [row[:2] for row in rows[:4]] == [["a", "1/3"], ["a", "2/3"], ["a", "3/3"], ["a", "all"]]
        assert sum(int(row[2]) for row in rows[:3]) == int(rows[3][2]) == 9
        assert "there is no connection 'nobody'" in " ".join(word for row in rows for word in row)


@pytest.mark.usefixtures("pictures", "connected")
def test_parts_without_common_caps_are_not_added_up(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(
        "from airflow_provider_permitocr import Budget",
        "MainlandPermitOcrOperator.partial(task_id='a', **TABLES)"
        ".expand(budget=[Budget(price_per_call=1, currency=each) for each in ('USD', 'CNY')])",
    )
    assert told(plan)["tasks"][0]["plan"] is None
    assert "no total: the parts have different accounts, prices or caps" in plan("permits")[1]


@pytest.mark.usefixtures("pictures", "connected")
def test_a_quick_plan_looks_at_no_image(plan: Plan, write_dag: WriteDag) -> None:
    write_dag(TASK)
    quick = told(plan, "--quick")["tasks"][0]["plan"]
    assert (quick["to_call"], quick["is_quick"]) == (9, True)
    assert "9 at most; the images were not opened" in plan("permits", "--quick")[1]


@pytest.mark.slow
@pytest.mark.usefixtures("pictures", "connected")
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [
                "lists = task(lambda: [], task_id='lists')()",
                "MainlandPermitOcrOperator.partial(task_id='a', target=RESULT).expand(source=lists)",
            ],
            "source: known only at run time, from an upstream task; plan it in a run, with plan_only=True",
        ),
        (
            ["MainlandPermitOcrOperator(task_id='a', **TABLES, shard='{{ ti.map_index }}/2')"],
            "a template cannot be rendered before a run: UndefinedError: 'ti' is undefined",
        ),
        (
            ["MainlandPermitOcrOperator(task_id='a', **TABLES, shard='{{ var.value.no_such }}')"],
            "a template cannot be rendered before a run (AirflowRuntimeError)",
        ),
        (
            ["MainlandPermitOcrOperator(task_id='a', **TABLES, shard='{{ ds }}')"],
            "a shard is written as number/of, such as 2/4, not",
        ),
        (
            ["MainlandPermitOcrOperator(task_id='a', **TABLES, tencentcloud_conn_id='nobody')"],
            "there is no connection 'nobody'",
        ),
        (
            [
                "MainlandPermitOcrOperator(task_id='a', source=LIST,"
                " target=ResultTable('permit_images', conn_id='lake'))"
            ],
            "exists already and cannot hold the result: it lacks",
        ),
    ],
)
def test_what_cannot_be_planned_says_why_and_ends_with_status_1(
    plan: Plan, write_dag: WriteDag, lines: list[str], reason: str
) -> None:
    write_dag(*lines, "MainlandPermitOcrOperator(task_id='good', **TABLES)")
    status, out, _ = plan("permits")
    assert status == 1
    assert reason in out
    assert "permits.good" in out
    assert "to call" in out
    status, out, _ = plan("permits", "a", "--output", "json")
    assert status == 1
    assert reason in json.loads(out)["tasks"][0]["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["permit"], "There is no DAG 'permit'; did you mean permits?"),
        (["permits", "b"], "There is no MainlandPermitOcrOperator task 'b'; the DAG 'permits' has a\n"),
        (["other"], "No MainlandPermitOcrOperator task in the DAG 'other'"),
        (["permits", "--interval-end", "2026-05-01"], "give both --interval-start and --interval-end"),
        (
            ["permits", "--interval-start", "2026-05-02", "--interval-end", "2026-05-01"],
            "--interval-end is before --interval-start",
        ),
        (["permits", "--logical-date", "soon"], "must be a time such as 2026-05-01T12:00, not 'soon'"),
        ([], "dag_id"),
    ],
)
def test_a_wrong_call_ends_with_status_2(
    plan: Plan, write_dag: WriteDag, words: list[str], message: str
) -> None:
    write_dag(TASK)
    write_dag("task(lambda: None, task_id='b')()", dag_id="other")
    status, _, said = plan(*words)
    assert status == 2
    assert message in said


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_connections_of_airflows_database_are_seen_by_the_installed_command(
    write_dag: WriteDag, airflow_metadata: None
) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    write_dag(TASK)
    command = [sys.executable, "-m", "airflow", "permitocr", "plan", "permits", "--output", "json"]
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
    planned = done.stdout[done.stdout.index('{"') :]
    assert json.loads(planned)["tasks"][0]["plan"]["to_call"] == 7
