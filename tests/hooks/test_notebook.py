"""What a person at a notebook sees, and keeps."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import ImageRow, Left, Outcome
from airflow_provider_permitocr.wiring.monitoring import notebook


class Bar:
    """Stands for tqdm's."""

    made: list[Bar]

    def __init__(self, total: int | None, **_: Any) -> None:
        self.total, self.done, self.is_closed = total, 0, False
        Bar.made.append(self)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

    def update(self, done: int) -> None:
        self.done += done


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    monkeypatch.setattr(Bar, "made", [], raising=False)
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    return Bar.made


@pytest.fixture
def hook(emulator: RunningEmulator, connect_emulator: Callable[..., None]) -> MainlandPermitOcrHook:
    connect_emulator(emulator)
    return MainlandPermitOcrHook(max_per_second=100)


@pytest.fixture
def at_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)


@pytest.fixture
def frame(draw: Callable[..., Specimen]) -> pd.DataFrame:
    images = [draw(seed=seed).image for seed in range(3)]
    return pd.DataFrame({"image": images, "branch": list("abc")}, index=[7, 7, 8])


@pytest.fixture
def interrupted(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last image is interrupted."""
    recognize = Recognizer.recognize

    def interrupt(self: Recognizer, row: ImageRow) -> Outcome | Left:
        if row.image == frame["image"].iloc[2]:
            raise KeyboardInterrupt
        return recognize(self, row)

    monkeypatch.setattr(Recognizer, "recognize", interrupt)


@pytest.mark.usefixtures("at_a_prompt")
def test_a_bar_counts_the_images_of_a_frame(
    hook: MainlandPermitOcrHook, frame: pd.DataFrame, bars: list[Bar]
) -> None:
    hook.recognize_frame(frame)
    (bar,) = bars
    assert (bar.total, bar.done, bar.is_closed) == (3, 3, True)


@pytest.mark.usefixtures("at_a_prompt")
def test_a_bar_counts_a_stream_whose_length_nobody_knows(
    hook: MainlandPermitOcrHook, frame: pd.DataFrame, bars: list[Bar]
) -> None:
    rows = (ImageRow(str(number), image) for number, image in enumerate(frame["image"]))
    assert len(list(hook.recognize_rows(rows))) == 3
    (bar,) = bars
    assert (bar.total, bar.done) == (None, 3)


def test_a_task_has_no_bar_unless_it_asks_for_one(
    hook: MainlandPermitOcrHook, frame: pd.DataFrame, bars: list[Bar]
) -> None:
    hook.recognize_frame(frame)
    assert bars == []
    hook.recognize_frame(frame, progress=True)
    assert len(bars) == 1


@pytest.mark.usefixtures("at_a_prompt")
def test_without_tqdm_there_is_no_bar(
    hook: MainlandPermitOcrHook, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert list(hook.recognize_frame(frame)["status"]) == ["recognized"] * 3


@pytest.mark.usefixtures("at_a_prompt", "interrupted", "bars")
def test_an_interruption_at_a_prompt_returns_what_is_answered(
    hook: MainlandPermitOcrHook, frame: pd.DataFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = hook.recognize_frame(frame, carry_columns=["branch"])

    assert list(answer.index) == [7, 7, 8]
    assert list(answer["branch"]) == list("abc")
    assert pd.isna(answer["status"].iloc[2])
    assert answer["image_key"].notna().all()
    assert hook.answered is not None
    assert len(hook.answered) == answer["status"].notna().sum()


@pytest.mark.slow
@pytest.mark.usefixtures("at_a_prompt", "bars")
def test_an_interruption_says_that_it_waits_for_calls_in_flight(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    frame: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect_emulator(start_label_emulator(latency=Latency(values=(0.5,))))
    recognize = Recognizer.recognize

    def interrupt(self: Recognizer, row: ImageRow) -> Outcome | Left:
        if row.image == frame["image"].iloc[2]:
            while not self.in_flight:
                pass
            raise KeyboardInterrupt
        return recognize(self, row)

    monkeypatch.setattr(Recognizer, "recognize", interrupt)
    MainlandPermitOcrHook(max_per_second=100).recognize_frame(frame)
    assert re.search(r"Ending after (1 call|2 calls) in flight", "".join(capfd.readouterr()))


@pytest.mark.usefixtures("interrupted")
def test_an_interruption_of_a_script_ends_it(hook: MainlandPermitOcrHook, frame: pd.DataFrame) -> None:
    with pytest.raises(KeyboardInterrupt):
        hook.recognize_frame(frame)
    assert hook.answered is not None


def test_ipython_is_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    class IPython:
        shell: object | None = None

        @classmethod
        def get_ipython(cls) -> object | None:
            return cls.shell

    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setitem(sys.modules, "IPython", IPython)
    assert not notebook.is_interactive()
    monkeypatch.setattr(IPython, "shell", object())
    assert notebook.is_interactive()


def test_the_rate_without_a_pool_is_said_once(
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    draw: Callable[..., Specimen],
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect_emulator(emulator, extra={"requests_per_slot": 50})
    hook = MainlandPermitOcrHook()
    for _ in range(2):
        hook.recognize(draw().image)
    said = capfd.readouterr().out + capfd.readouterr().err
    assert (
        said.count("To raise it, up to your account's quota: MainlandPermitOcrHook(max_per_second=...)") == 1
    )
    assert "50 requests per second" in said


def test_a_rate_that_was_given_is_not_explained(
    hook: MainlandPermitOcrHook, draw: Callable[..., Specimen], capfd: pytest.CaptureFixture[str]
) -> None:
    hook.recognize(draw().image)
    assert "To raise it" not in capfd.readouterr().out
