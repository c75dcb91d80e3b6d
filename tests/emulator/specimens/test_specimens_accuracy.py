from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.specimens import PermitKind, draw_specimen
from airflow_provider_permitocr.emulator.specimens.accuracy import main, measure, table
from airflow_provider_permitocr.permit.api import CardSide

SPECIMEN = draw_specimen(PermitKind.TAIWAN, width=480)


class ChangedAnswer:
    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        return {**SPECIMEN.fields, **self._changes}


class Refusal:
    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        raise ApiError("FailedOperation.OcrFailed", "OCR recognition failed.")


def test_a_wrong_field_a_missing_one_and_an_invented_one_are_counted() -> None:
    score = measure(ChangedAnswer(Sex="X", Birthday="", Nationality="英国"), [SPECIMEN]).score()
    assert score.printed - score.right == 2
    assert score.invented == 1


def test_an_error_counts_as_every_field_unread() -> None:
    score = measure(Refusal(), [SPECIMEN]).score()
    assert score.printed > 10
    assert score.right == 0


def test_the_table_shows_rates_by_kind_and_field_and_what_was_invented() -> None:
    report = measure(ChangedAnswer(Sex="X", Nationality="英国"), [SPECIMEN])
    rows = {line.split("  ")[0]: line for line in table(report).splitlines()}
    assert "0.0%" in rows["Sex"]
    assert "100.0%" in rows["Name"]
    assert "+1" in rows["Nationality"]
    assert "taiwan front" in rows


def test_seconds_come_from_the_clock() -> None:
    ticks = iter([10.0, 10.5])
    assert measure(LabelEngine(), [SPECIMEN], clock=lambda: next(ticks)).seconds == [0.5]


def test_the_command_prints_a_perfect_table_for_the_label_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "label", "--count", "1", "--width", "480", "--clean"]) == 0
    out = capsys.readouterr().out
    assert "6 images" in out
    assert "0 wrong, 0 invented" in out
