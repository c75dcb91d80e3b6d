from __future__ import annotations

import base64
from pathlib import Path

import pytest

from airflow_provider_permitocr.emulator.specimens import DRAWABLE
from airflow_provider_permitocr.permit.api import SITES
from labs.ground.image_list import DrawnImage, draw_image_list, read_image_list

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("image_list")
    draw_image_list(made / "images", made / "truth.jsonl", people=1)
    return made


@pytest.fixture(scope="module")
def drawn(directory: Path) -> dict[str, DrawnImage]:
    return {Path(image.file).stem: image for image in read_image_list(directory / "truth.jsonl")}


def test_every_kind_and_side_is_on_the_list_with_its_truth(
    directory: Path, drawn: dict[str, DrawnImage]
) -> None:
    clean = [image for image in drawn.values() if image.kind == "clean"]
    assert len(clean) == len(DRAWABLE)
    assert {image.card_side for image in clean} == {"FRONT", "BACK"}
    for image in clean:
        assert image.fields is not None
        assert image.fields["Type"]
        assert (directory / "images" / image.file).stat().st_size > 0


def test_five_rows_are_bad_each_in_its_way(directory: Path, drawn: dict[str, DrawnImage]) -> None:
    files = {key: directory / "images" / image.file for key, image in drawn.items() if image.kind == "bad"}
    assert files.keys() == {"bad-gif", "bad-empty", "bad-too-large", "bad-no-permit", "bad-missing"}
    assert files["bad-gif"].read_bytes().startswith(b"GIF8")
    assert files["bad-empty"].read_bytes() == b""
    encoded = base64.b64encode(files["bad-too-large"].read_bytes())
    assert len(encoded) > SITES["intl"].max_base64_bytes
    assert files["bad-no-permit"].read_bytes().startswith(b"\xff\xd8")
    assert not files["bad-missing"].exists()


def test_drawing_again_leaves_everything_as_it_is(directory: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in directory.rglob("*")}
    draw_image_list(directory / "images", directory / "truth.jsonl")
    assert {file: file.stat().st_mtime_ns for file in directory.rglob("*")} == before
