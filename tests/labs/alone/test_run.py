"""What counts as a main job that went well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from labs.alone import run
from labs.alone.environment import NotInstallableError
from labs.alone.run import run_alone, what_is_wrong

PLACE = Path("/place")
NUMBERS = {"permit-000000": "C12345678"}
SEEN: dict[str, Any] = {
    "package": "/place/venv/lib/airflow_provider_permitocr",
    "dags": ["permit_ocr_analytics", "permit_ocr_archive", "permit_ocr_daily", "permit_ocr_review"],
    "import_errors": [],
    "pages": ["/permitocr"],
    "state": "success",
}


def test_a_job_that_saw_and_delivered_all_is_right() -> None:
    assert what_is_wrong(SEEN, NUMBERS, NUMBERS, PLACE) == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"package": "/repository/airflow_provider_permitocr"}, "not from the wheel"),
        ({"import_errors": ["permit_ocr_daily.py: ImportError"]}, "permit_ocr_daily.py: ImportError"),
        ({"dags": ["permit_ocr_daily"]}, "only these DAGs are there: permit_ocr_daily"),
        ({"pages": []}, "not at /permitocr"),
        ({"state": "failed"}, "ended as failed"),
    ],
)
def test_what_is_missing_is_named(changed: dict[str, Any], said: str) -> None:
    assert said in what_is_wrong(SEEN | changed, NUMBERS, NUMBERS, PLACE)


@pytest.mark.parametrize("found", [{}, {"permit-000000": "C87654321"}])
def test_a_number_that_is_missing_or_wrong_is_counted(found: dict[str, str]) -> None:
    assert "0 of 1 images have their number" in what_is_wrong(SEEN, found, NUMBERS, PLACE)


class _NoEmulator:
    airflow_connection: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> _NoEmulator:
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait_until_ready(self) -> None: ...


@pytest.fixture
def not_installable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No environment can be made."""
    (tmp_path / "package.whl").touch()

    def refuse(*_: object) -> None:
        raise NotInstallableError("No solution found")

    monkeypatch.setattr(run, "build_wheel", lambda _: tmp_path / "package.whl")
    monkeypatch.setattr(run, "EmulatorService", _NoEmulator)
    monkeypatch.setattr(run, "make_environment", refuse)


@pytest.mark.usefixtures("not_installable")
def test_the_next_airflow_is_skipped_with_the_reason_where_it_cannot_be_installed(tmp_path: Path) -> None:
    console = Console(record=True, quiet=False, width=200)
    run_alone(["next"], ["python3"], tmp_path, console)
    said = console.export_text()
    assert "skipped, as it cannot be installed" in said
    assert "No solution found" in said


@pytest.mark.usefixtures("not_installable")
@pytest.mark.parametrize("promised", ["oldest", "current"])
def test_a_promised_airflow_that_cannot_be_installed_is_a_failure(promised: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{promised} Airflow, python3: it cannot be installed"):
        run_alone([promised], ["python3"], tmp_path, Console())


def test_a_machine_without_a_python_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "pythons", list)
    with pytest.raises(RuntimeError, match="No Python that setup"):
        run_alone(["next"], None, tmp_path, Console())
