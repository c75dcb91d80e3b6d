"""A new field and a new code are a line each in permit/, and arrive wherever they are needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.permit.columns import COLUMNS
from tests.support.reference_pages import columns_missing_on_tables_page

_ROOT = Path(__file__).parents[2]
_PACKAGE = "airflow_provider_permitocr"
#: The line that each is put after.
_ADDED = {
    "columns.py": (
        "_FRONT: Final = (\n",
        '    Column("eye_color", ColumnKind.TEXT, "Color of the eyes", "EyeColor", longest=12),\n',
    ),
    "error_codes.py": (
        "_OF_OCR: Final = (\n",
        '    ErrorCode("FailedOperation.Folded", _IMAGE, _FREE, "the card is folded", is_of_content=True),\n',
    ),
}
_PROGRAM = """
import json
import sqlalchemy as sa
from airflow_provider_permitocr.emulator.engines.answer import answer
from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.api import OUTPUT_FIELDS, PermitType
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.tencent.decisions import call_error, of_fetched
from tests.support.reference_pages import columns_missing_on_tables_page, rows_missing_on_errors_page

record = flatten({"EyeColor": " brown "})
column = result_table("permits").c["eye_color"]
error = call_error("FailedOperation.Folded", "said no")
print(json.dumps({
    "is_of_document": "EyeColor" in OUTPUT_FIELDS,
    "value": record["eye_color"],
    "is_of_answer": "eye_color" in ANSWER_COLUMNS,
    "in_frame": to_frame([record])["eye_color"].tolist(),
    "sql": str(column.type.compile(sa.create_engine("sqlite://").dialect)),
    "comment": column.comment,
    "emulated": answer(PermitType.TAIWAN, {}, {}, [])["EyeColor"],
    "undocumented_columns": columns_missing_on_tables_page(COLUMNS),
    "decision": [error.decision, error.billed],
    "decision_if_fetched": of_fetched(error).decision,
    "undocumented_codes": rows_missing_on_errors_page(SERVICE_CODES),
}))
"""


@pytest.fixture(scope="module")
def arrived(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What becomes of a field and a code that are added to a copy of the package."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(_ROOT / _PACKAGE, copy / _PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (before, line) in _ADDED.items():
        file = copy / _PACKAGE / "permit" / name
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1
        file.write_text(text.replace(before, before + line), encoding="utf-8")
    paths = [str(copy), str(_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(
        command, env=environment, cwd=copy, capture_output=True, encoding="utf-8", check=False
    )
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def test_new_field_is_read_from_an_answer(arrived: dict[str, Any]) -> None:
    assert arrived["is_of_document"]
    assert (arrived["value"], arrived["is_of_answer"]) == ("brown", True)


def test_new_field_has_a_column_in_frames_and_tables(arrived: dict[str, Any]) -> None:
    assert arrived["in_frame"] == ["brown"]
    assert (arrived["sql"], arrived["comment"]) == ("TEXT", "Color of the eyes")


def test_new_field_is_answered_by_the_emulator(arrived: dict[str, Any]) -> None:
    assert arrived["emulated"] == ""


def test_new_code_has_its_decision(arrived: dict[str, Any]) -> None:
    assert (arrived["decision"], arrived["decision_if_fetched"]) == (["image", False], "later")


def test_new_field_and_new_code_are_asked_for_in_the_docs(arrived: dict[str, Any]) -> None:
    assert arrived["undocumented_columns"] == ["eye_color"]
    assert arrived["undocumented_codes"] == [
        "| `FailedOperation.Folded` | image | no | the card is folded |  |"
    ]


def test_docs_grant_each_column_of_text_its_length_once() -> None:
    assert columns_missing_on_tables_page(COLUMNS) == []
