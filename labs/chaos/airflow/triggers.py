"""A run by each kind of trigger: it calls for the images of its data interval, or for all without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from labs.chaos.airflow.scene import AirflowScene
from labs.chaos.verdict import exactly, none_of, paid_twice
from labs.ground.figures import Figure

#: The interval of what is scheduled or backfilled.
DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_NOON: Final = timedelta(hours=12)
_ONE_DAY: Final = timedelta(days=1)
_ADD_TIMES: Final = """
ALTER TABLE images ADD COLUMN uploaded_at timestamptz;
WITH numbered AS (SELECT image_id, row_number() OVER (ORDER BY image_id) AS number FROM images)
UPDATE images SET uploaded_at = (CAST(ARRAY['{times}'] AS timestamptz[]))[1 + number % {days}]
FROM numbered WHERE numbered.image_id = images.image_id
"""
_TIMES: Final = "SELECT image_id, uploaded_at FROM images"


@dataclass(frozen=True)
class Trigger:
    """A way to start a run.

    :param start: starts it; the DAG is already enabled.
    :param by: Airflow's term for what started it.
    :param interval: the data interval that Airflow gives it, in words.
    """

    start: Callable[[AirflowScene], None]
    by: str
    interval: str


def triggered(scene: AirflowScene, trigger: Trigger) -> list[Figure]:
    """Let a run start over a list with images of several days."""
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    uploaded = [day + _NOON for day in (DAY - _ONE_DAY, DAY, today - _ONE_DAY, today)]
    times = "', '".join(time.isoformat() for time in uploaded)
    # A colon would be a parameter.
    scene.warehouse.execute(_ADD_TIMES.format(times=times.replace(":", r"\:"), days=len(uploaded)))
    scene.api.unpause(scene.dag_id)
    trigger.start(scene)
    (run_id,) = scene.started(1)
    task = scene.wait_for_end(run_id)
    scene.api.pause(scene.dag_id)  # @continuous would start one run after the other
    run = scene.api.run_start(scene.dag_id, run_id)
    begin, end = run.interval or (now, now)
    wanted = {
        row["image_id"]
        for row in scene.warehouse.read(_TIMES)
        if begin == end or begin <= row["uploaded_at"] < end
    }
    evidence = scene.evidence()
    called = {evidence.keys[call.image] for call in evidence.calls if call.image}
    return [
        _same("the run", f"{task.state}, by {run.triggered_by}", f"success, by {trigger.by}"),
        _same("data interval", _in_words(run.interval), trigger.interval),
        _in_interval(len(wanted), len(scene.images), is_whole=begin == end),
        exactly("recognized, and right", evidence.right, len(wanted)),
        none_of("calls for other images", len(called - wanted)),
        none_of("answers paid for again", paid_twice(evidence)),
    ]


def _in_words(interval: tuple[datetime, datetime] | None) -> str:
    if interval is None:
        return "none"
    length = interval[1] - interval[0]
    if not length:
        return "of no length"
    return "a day" if length == _ONE_DAY else "days"


def _in_interval(number: int, listed: int, *, is_whole: bool) -> Figure:
    promised, kept = ("all", number == listed) if is_whole else ("some, not all", 0 < number < listed)
    return Figure("images to read", f"{number} of {listed}", promised, kept)


def _same(name: str, measured: str, promised: str) -> Figure:
    return Figure(name, measured, promised, measured == promised)


def _by_itself(scene: AirflowScene) -> None:
    """Leave it to the scheduler."""


def _by_command(scene: AirflowScene) -> None:
    scene.execute("dags", "trigger", scene.dag_id)


def _by_dated_command(scene: AirflowScene) -> None:
    scene.execute("dags", "trigger", scene.dag_id, "--logical-date", datetime.now(UTC).isoformat())


def _by_backfill(scene: AirflowScene) -> None:
    day = DAY.date().isoformat()
    scene.execute("backfill", "create", "--dag-id", scene.dag_id, "--from-date", day, "--to-date", day)


def _by_rest(scene: AirflowScene) -> None:
    scene.api.trigger_undated(scene.dag_id)


def _by_asset(scene: AirflowScene) -> None:
    scene.api.update_asset(scene.dag_id)


#: By the DAG of each.
TRIGGERS: Final = {
    "trigger_daily": Trigger(_by_itself, "timetable", "of no length"),
    "trigger_interval": Trigger(_by_itself, "timetable", "a day"),
    "trigger_continuous": Trigger(_by_itself, "timetable", "days"),
    "trigger_cli": Trigger(_by_command, "cli", "none"),
    "trigger_cli_dated": Trigger(_by_dated_command, "cli", "a day"),
    "trigger_rest": Trigger(_by_rest, "rest_api", "none"),
    "trigger_asset": Trigger(_by_asset, "asset", "none"),
    "trigger_backfill": Trigger(_by_backfill, "backfill", "a day"),
}
