from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_permitocr.emulator.specimens import DRAWABLE, read_label
from airflow_provider_permitocr.emulator.specimens.__main__ import main


@pytest.mark.slow
def test_images_and_their_truth_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "directory"
    assert main(["--out", str(out), "--count", "8", "--width", "480"]) == 0
    lines = [json.loads(line) for line in (out / "truth.jsonl").read_text("utf-8").splitlines()]
    assert len({line["file"] for line in lines}) == 8
    assert {(line["kind"], line["side"]) for line in lines} == set(DRAWABLE)
    for line in lines:
        label = read_label((out / line["file"]).read_bytes())
        assert label is not None
        assert label.fields == line["fields"]
    assert "8 specimens" in capsys.readouterr().out


def test_kinds_sides_effects_and_format_are_chosen(tmp_path: Path) -> None:
    arguments = ["--kinds", "taiwan", "--sides", "FRONT", "--effects", "blurred", "--format", "PNG"]
    main(["--out", str(tmp_path), "--count", "2", "--seed", "5", "--width", "480", *arguments])
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "taiwan-front-00005-blurred.png",
        "taiwan-front-00006-blurred.png",
    ]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--kinds", "taiwan", "--sides", "BACK"], "hong_kong_macao"),
        (["--count", "0"], "at least one"),
        (["--width", "10"], "480 to 4000"),
        (["--kinds", "passport"], "invalid PermitKind"),
    ],
)
def test_nonsense_is_refused_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], advice: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--out", str(tmp_path), *arguments])
    assert stopped.value.code == 2
    assert advice in capsys.readouterr().err
