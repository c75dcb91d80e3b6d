from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from airflow.dag_processing.dagbag import DagBag

from airflow_provider_permitocr import ImageTable, MainlandPermitOcrOperator
from labs.chaos.airflow.control import AirflowControl
from labs.chaos.airflow.resume import SITUATIONS
from labs.chaos.airflow.scene import AirflowScene, AirflowSceneError
from labs.chaos.airflow.triggers import TRIGGERS
from labs.chaos.sizes import SHORT, Sizes
from labs.ground.command import ROOT
from labs.ground.images import BenchImage
from labs.ground.servers.airflow_api import TaskState
from labs.ground.servers.emulator_service import EmulatorService
from labs.ground.servers.postgres import EmbeddedPostgres


class _Api:
    """An Airflow whose runs have failed."""

    def why_failed(self, dag_id: str, run_id: str) -> str:
        return f"The end of the log of {run_id}"

    def log(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        return [f"line of try {task.try_number}"]

    def task(self, dag_id: str, run_id: str) -> TaskState:
        return TaskState("recognize_permits", "failed", 2)


def _image(digest: str) -> BenchImage:
    return BenchImage(f"key of {digest}", Path(f"{digest}.jpg"), "FRONT", "1", digest)


def _emulator(directory: Path, name: str, image: str) -> EmulatorService:
    """Return an emulator that was called for an image, and for one of another list."""
    emulator = EmulatorService(directory, "label", name=name)
    line = {
        "time": 1.0,
        "action": "MainlandPermitOCR",
        "request_id": name,
        "seconds": 0.1,
        "code": "OK",
        "answered": True,
        "billed": True,
        "trace_id": "",
    }
    lines = [json.dumps(line | {"image": digest}) for digest in (image, "of another list")]
    emulator.journal.write_text("\n".join(lines))
    return emulator


@pytest.fixture
def scene(tmp_path: Path) -> AirflowScene:
    """A scene whose emulators have journals."""
    return AirflowScene(
        "permits",
        [_image("a"), _image("b")],
        cast("AirflowControl", _Api()),
        _emulator(tmp_path, "healthy", "a"),
        _emulator(tmp_path, "faulty", "b"),
        EmbeddedPostgres(tmp_path / "postgres"),
        execute=lambda *command: None,
        check=lambda: None,
        logs=tmp_path,
    )


def test_there_is_a_dag_for_each_situation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    bag = DagBag(ROOT / "labs" / "chaos" / "dags")
    assert bag.import_errors == {}
    assert set(bag.dags) == set(SITUATIONS)


def test_each_kind_of_trigger_is_played_with_the_data_interval_that_the_documentation_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    bag = DagBag(ROOT / "labs" / "chaos" / "dags")
    documentation = (ROOT / "docs" / "guides" / "images.md").read_text()
    for dag_id in TRIGGERS:
        task = bag.dags[dag_id].get_task("recognize_permits")
        assert isinstance(task, MainlandPermitOcrOperator)
        source = task.source
        assert isinstance(source, ImageTable)
        assert f'since="{source.since}", until="{source.until}"' in documentation


def test_the_short_form_plays_some_of_the_situations_and_the_full_form_all() -> None:
    assert 0 < len(SHORT.airflow_only) < len(SITUATIONS)
    assert set(SHORT.airflow_only) <= set(SITUATIONS)
    assert Sizes().airflow_only == ()


def test_calls_of_both_accounts_count_and_those_for_other_lists_do_not(scene: AirflowScene) -> None:
    assert [call.image for call in scene.calls()] == ["a", "b"]


def test_what_does_not_come_is_named_with_the_end_of_the_logs(
    scene: AirflowScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.chaos.airflow.scene._LIMIT_SECONDS", 0.0)
    scene.follow("run-1")
    with pytest.raises(AirflowSceneError, match=r"(?s)permits: waited for rows.*The end of the log of run-1"):
        scene.wait_until(lambda: False, "rows")


def test_a_scene_ends_early_when_a_process_that_all_need_has_ended(scene: AirflowScene) -> None:
    def fail() -> None:
        raise RuntimeError("The scheduler ended by itself")

    with pytest.raises(RuntimeError, match="scheduler ended"):
        replace(scene, check=fail).wait_until(lambda: False, "rows")


def test_logs_of_all_tries_are_kept(scene: AirflowScene, tmp_path: Path) -> None:
    scene.follow("run-1")
    scene.keep_logs()
    kept = {file.name: file.read_text() for file in tmp_path.glob("*.log")}
    assert kept == {
        "permits-run1-try1.log": "line of try 1",
        "permits-run1-try2.log": "line of try 2",
    }
