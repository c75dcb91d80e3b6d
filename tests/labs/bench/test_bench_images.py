"""The images of the benchmark, and what is right for each."""

from __future__ import annotations

import hashlib
from pathlib import Path

from airflow_provider_permitocr.emulator.specimens.label import read_label
from labs.ground.images import draw_images, draw_large_images, draw_strangers_image, large_list


def test_no_two_images_are_alike_and_each_has_a_number(tmp_path: Path) -> None:
    images = draw_images(30, tmp_path)
    assert len({image.digest for image in images}) == 30
    assert all(image.number for image in images)
    for image in images:
        assert hashlib.sha256(image.file.read_bytes()).hexdigest() == image.digest


def test_the_strangers_image_is_not_in_the_list(tmp_path: Path) -> None:
    listed = {image.digest for image in draw_images(30, tmp_path)}
    assert hashlib.sha256(draw_strangers_image(tmp_path).read_bytes()).hexdigest() not in listed


def test_large_images_are_fronts_of_that_size(tmp_path: Path) -> None:
    files = draw_large_images(3, 100_000, tmp_path)
    assert len(files) == 3
    for file in files:
        label = read_label(file.read_bytes())
        assert label is not None
        assert label.side == "FRONT"
        assert 100_000 <= file.stat().st_size < 110_000


def test_few_files_make_a_long_list_of_different_keys(tmp_path: Path) -> None:
    files = draw_large_images(2, 20_000, tmp_path)
    listed = large_list(files, 5)
    assert len({image.image_id for image in listed}) == 5
    assert [image.file for image in listed] == [files[0], files[1], files[0], files[1], files[0]]
