from __future__ import annotations

import ast
from pathlib import Path

import airflow_provider_permitocr
from airflow_provider_permitocr.permit.advice import OWN_CODES, advice_by_code
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES

PACKAGE = Path(airflow_provider_permitocr.__file__).parent
#: Classes, and an attribute of SQLAlchemy's; no codes.
NOT_CODES = {"ImageTable", "ImageQuery", "ImageAccess", "ImageFormat"}


def test_each_code_of_an_image_that_is_not_sent_has_words() -> None:
    found = set()
    for folder in ("images", "wiring", "sql/source"):
        for path in (PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and text.startswith("Image") and text.isalpha():
                    found.add(text)
    found -= NOT_CODES
    assert len(found) > 15
    assert found <= set(OWN_CODES)


def test_words_about_a_code_are_short_and_name_no_value() -> None:
    for code, (cause, advice, _) in advice_by_code(SERVICE_CODES).items():
        assert cause, code
        assert not cause.endswith("."), code
        assert not advice.endswith("."), code
        assert "{" not in cause + advice, code


def test_usual_cause_takes_precedence_over_what_the_table_of_codes_says() -> None:
    known = advice_by_code(SERVICE_CODES)
    assert known["ImageHostRefused"].advice == "Name the hosts in ImageAccess(fetch_hosts=[...])"
    assert known["FailedOperation.CardSideError"].advice.startswith("Most likely fronts are sent as BACK")
    assert known["FailedOperation.ImageBlur"].advice == ""
