"""What counts as a main job that went well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labs.alone.run import what_is_wrong

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
