from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.delivery.frame import DTYPES
from airflow_provider_permitocr.engine.models import ImageRow, Left, Outcome
from airflow_provider_permitocr.permit.columns import COLUMNS


@pytest.fixture
def hook(emulator: RunningEmulator, connect_emulator: Callable[..., None]) -> MainlandPermitOcrHook:
    connect_emulator(emulator)
    return MainlandPermitOcrHook(max_per_second=100)


def test_carried_columns_stand_beside_their_rows_with_their_own_dtypes(
    hook: MainlandPermitOcrHook, draw: Callable[..., Specimen]
) -> None:
    specimens = [draw(seed=seed) for seed in range(3)]
    frame = pd.DataFrame(
        {
            "image": [each.image for each in specimens],
            "branch": pd.Categorical(["北", "南", "北"]),
            "score": [1, 2, 3],
        },
        index=["twice", "twice", "once"],
    )

    answer = hook.recognize_frame(frame, carry_columns=["score", "branch"])

    assert list(answer.columns) == [*(column.name for column in COLUMNS), "score", "branch"]
    assert list(answer["number"]) == [each.fields["Number"] for each in specimens]
    assert list(answer["score"]) == [1, 2, 3]
    assert (answer["score"].dtype, answer["branch"].dtype) == (frame["score"].dtype, frame["branch"].dtype)
    assert list(answer.index) == ["twice", "twice", "once"]
    assert list(frame.columns) == ["image", "branch", "score"]


def test_a_declared_kind_is_not_guessed_at(hook: MainlandPermitOcrHook, emulator: RunningEmulator) -> None:
    frame = pd.DataFrame({"image": ["https://example.com/a.jpg"]})
    answer = hook.recognize_frame(frame, image_kind="base64")
    assert answer["status"][0] == "rejected"
    assert emulator.stats()["calls"] == 0


@pytest.mark.parametrize("images", [[], [None, None], [b"GIF89a"]], ids=["empty", "missing", "rejected"])
def test_dtypes_are_the_same_where_nothing_was_recognized(
    hook: MainlandPermitOcrHook, images: list[Any]
) -> None:
    answer = hook.recognize_frame(pd.DataFrame({"image": pd.Series(images, dtype=object)}))
    assert len(answer) == len(images)
    assert {name: str(dtype) for name, dtype in answer.dtypes.items()} == {
        column.name: str(pd.Series([], dtype=DTYPES[column.kind]).dtype) for column in COLUMNS
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"carry_columns": ["gone"]}, "has no column gone; it has image, name"),
        ({"carry_columns": ["name"]}, "the result has columns name already; rename"),
        ({"carry_columns": "name"}, "must be a list of columns"),
        ({"image_kind": "picture"}, "'picture' is not a valid ImageKind"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_call(
    hook: MainlandPermitOcrHook, emulator: RunningEmulator, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=r"column|Kind") as caught:
        hook.recognize_frame(pd.DataFrame({"image": [b""], "name": ["a"]}), **arguments)
    assert says in str(caught.value)
    assert emulator.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("frame", "arguments", "says"),
    [
        (pd.DataFrame(), {}, "the frame has no column image; it has no columns"),
        (pd.DataFrame([[b"", b""]], columns=["image", "image"]), {}, "has column image more than once"),
        (
            pd.DataFrame([[b"", 1, 2]], columns=["image", "id", "id"]),
            {"key": "id"},
            "has column id more than",
        ),
        (
            pd.DataFrame([[b"", "BACK", "BACK"]], columns=["image", "side", "side"]),
            {"card_side": "side"},
            "has column side more than once",
        ),
        (
            pd.DataFrame([[b"", 1, 2]], columns=["image", "branch", "branch"]),
            {"carry_columns": ["branch"]},
            "has column branch more than once",
        ),
        (
            pd.DataFrame([[b"", 1]], columns=["image", "branch"]),
            {"carry_columns": ["branch", "branch"]},
            "branch more than once, or it is asked for twice",
        ),
    ],
)
def test_a_column_that_is_missing_or_there_twice_is_refused_before_the_first_call(
    hook: MainlandPermitOcrHook,
    emulator: RunningEmulator,
    frame: pd.DataFrame,
    arguments: dict[str, Any],
    says: str,
) -> None:
    with pytest.raises(ValueError, match=says):
        hook.recognize_frame(frame, **arguments)
    assert emulator.stats()["calls"] == 0


@pytest.mark.parametrize("given", [["/scans/1.jpg"], pd.Series(["/scans/1.jpg"]), None, "/scans/1.jpg"])
def test_what_is_no_frame_is_refused_saying_how_to_make_one(hook: MainlandPermitOcrHook, given: Any) -> None:
    with pytest.raises(TypeError, match=r"takes a pandas DataFrame, not \w+; .* pd.DataFrame\(") as caught:
        hook.recognize_frame(given)
    assert "/scans" not in str(caught.value)


@pytest.mark.parametrize("rows", [["/scans/1.jpg"], "/scans/1.jpg", ImageRow("1", b""), [b""]])
def test_rows_that_are_no_rows_are_refused_saying_what_to_give(
    hook: MainlandPermitOcrHook, rows: Any
) -> None:
    with pytest.raises(TypeError, match=r"takes an iterable of ImageRow\(image_key, image\), not \w+"):
        list(hook.recognize_rows(rows))


def test_a_missing_file_is_retried_as_in_a_table(hook: MainlandPermitOcrHook, tmp_path: Path) -> None:
    frame = pd.DataFrame({"image": [tmp_path / "none.jpg", str(tmp_path / "none.jpg")]})
    answer = hook.recognize_frame(frame)
    assert list(answer["status"]) == ["retry", "retry"]
    assert list(answer["error_code"]) == ["ImageNotFound", "ImageNotFound"]


def test_answers_that_were_paid_for_survive_an_interruption(
    hook: MainlandPermitOcrHook, draw: Callable[..., Specimen], monkeypatch: pytest.MonkeyPatch
) -> None:
    specimens = [draw(seed=seed) for seed in range(4)]
    images: list[Any] = [each.image for each in specimens]
    frame = pd.DataFrame({"image": images, "branch": list("abcd")}, index=[7, 7, 8, 9])
    recognize = Recognizer.recognize

    def interrupted(self: Recognizer, row: ImageRow) -> Outcome | Left:
        if row.image == images[3]:
            raise KeyboardInterrupt
        return recognize(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Recognizer, "recognize", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hook.recognize_frame(frame, carry_columns=["branch"])

    answered = hook.answered
    assert answered is not None
    known = dict(zip("abcd", [each.fields["Number"] for each in specimens], strict=True))
    assert list(answered["number"]) == [known[branch] for branch in answered["branch"]]
    # All that was under way beside it; a call that had not begun was not made.
    assert set(answered["branch"]) <= set("abc")
    rest = hook.recognize_frame(frame.drop(answered.index), carry_columns=["branch"])
    assert set(rest["branch"]) == set(frame.drop(answered.index)["branch"])
    assert hook.answered is None


def test_rows_come_as_a_stream_of_records(hook: MainlandPermitOcrHook, draw: Callable[..., Specimen]) -> None:
    rows = [ImageRow(f"key{seed}", draw(seed=seed).image) for seed in range(3)]
    records = {each["image_key"]: each["number"] for each in hook.recognize_rows(iter(rows))}
    assert records == {f"key{seed}": draw(seed=seed).fields["Number"] for seed in range(3)}
