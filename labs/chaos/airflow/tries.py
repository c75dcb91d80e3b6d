"""A try that ends too early: what it leaves behind, and how the next one continues."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from labs.chaos.airflow.scene import AirflowScene
from labs.chaos.verdict import (
    every_image_once,
    ledger_equals_journal,
    none_of,
    paid_twice,
    repeated_for_kills_alone,
    some,
)
from labs.ground.figures import Figure
from labs.ground.servers.airflow_api import TaskState

#: Logged by a task once its calls and its run are closed.
_STOPPED: Final = "Run stopped early"
#: Logged by Airflow for a process that a signal has ended, such as SIGKILL.
_KILLED: Final = "Process terminated by signal"


def task_killed(scene: AirflowScene) -> list[Figure]:
    """Kill the task's process with SIGKILL; Airflow retries by itself."""
    run_id = scene.trigger()
    scene.wait_for_answers(len(scene.images) // 4)
    kill = scene.kill(scene.process(run_id))
    last = scene.wait_for_end(run_id)
    evidence = scene.evidence()
    return [
        _succeeded_at_try(last, 2),
        *every_image_once(evidence),
        *repeated_for_kills_alone(evidence, [kill]),
        *ledger_equals_journal(evidence),
    ]


def worker_stopped(scene: AirflowScene) -> list[Figure]:
    """Send SIGTERM to the process that supervises the task, as a worker's shutdown does."""
    run_id = scene.trigger()
    scene.wait_for_answers(len(scene.images) // 4)
    process = scene.process(run_id)
    supervisor = process.parent()
    assert supervisor is not None
    supervisor.send_signal(signal.SIGTERM)
    process.wait()  # longer than it runs: its supervisor looks after it every five seconds at worst
    left = len(scene.images) - len(scene.recognized())
    last = scene.wait_for_end(run_id)
    evidence = scene.evidence()
    return [
        ended_by_itself(scene.log(run_id, replace(last, try_number=1))),
        some("images left by then", left),
        _succeeded_at_try(last, 2),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def marked_failed(scene: AirflowScene) -> list[Figure]:
    """Mark the running task as failed, as the button does, and clear it afterwards."""
    run_id = scene.trigger()
    scene.wait_for_answers(len(scene.images) // 4)
    process = scene.process(run_id)
    task = scene.task(run_id)
    scene.api.mark_failed(scene.dag_id, run_id, task.task_id)
    process.wait()
    scene.settle()
    answered = sum(call.answered for call in scene.calls())
    kept = len(scene.recognized())
    marked = scene.wait_for_end(run_id)
    scene.api.clear(scene.dag_id, run_id)
    last = scene.wait_for_end(run_id)
    evidence = scene.evidence()
    return [
        Figure("the task, once marked", str(marked.state), "failed", marked.state == "failed"),
        ended_by_itself(scene.log(run_id, marked)),
        none_of("answers not kept", answered - kept),
        some("images left by then", len(scene.images) - kept),
        _succeeded_at_try(last, 2),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def out_of_time(scene: AirflowScene) -> list[Figure]:
    """Let the time of the task run out, again and again."""
    last = scene.wait_for_end(scene.trigger())
    evidence = scene.evidence()
    return [
        Figure(
            "the task",
            f"{last.state} at try {last.try_number}",
            "success, not at once",
            last.state == "success" and last.try_number > 1,
        ),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def account_fault(scene: AirflowScene, code: str) -> list[Figure]:
    """Let the account run out of money; fix it, and clear the task.

    :param code: of the fault.
    """
    scene.change_account(scene.faulty)
    run_id = scene.trigger()
    failed = scene.wait_for_end(run_id)
    matching = [line for line in scene.log(run_id, failed) if code in line]
    rows = scene.evidence().rows
    scene.change_account(scene.emulator)
    scene.api.clear(scene.dag_id, run_id)
    last = scene.wait_for_end(run_id)
    evidence = scene.evidence()
    return [
        Figure(
            "the task at first",
            f"{failed.state} at try {failed.try_number}",
            "failed at try 1",
            (failed.state, failed.try_number) == ("failed", 1),
        ),
        Figure("its log", f"{len(matching)} lines do", "names the fault", bool(matching)),
        none_of("images failed by then", sum(row.status != "recognized" for row in rows)),
        _succeeded_at_try(last, 2),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def ended_by_itself(log: Sequence[str]) -> Figure:
    """A stopped try closed its calls and ended, without being killed before.

    :param log: its lines.
    """
    is_killed, is_stopped = (any(words in line for line in log) for words in (_KILLED, _STOPPED))
    measured = "by a signal" if is_killed else "by itself" if is_stopped else "silently"
    return Figure("how its process ended", measured, "by itself", measured == "by itself")


def _succeeded_at_try(task: TaskState, number: int) -> Figure:
    measured, wanted = f"{task.state} at try {task.try_number}", f"success at try {number}"
    return Figure("the task", measured, wanted, measured == wanted)
