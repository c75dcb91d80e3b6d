from __future__ import annotations

import base64
from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from airflow_provider_permitocr.emulator.engines.lines import Line
from airflow_provider_permitocr.emulator.engines.picture import Pixels
from airflow_provider_permitocr.emulator.engines.portrait import cut_portrait
from airflow_provider_permitocr.emulator.engines.text_reader import Text

TEXT = Text([Line("姓名", 400, 100, 450, 125), Line("签发机关", 400, 450, 500, 475)])


def card(framed: bool) -> Pixels:
    pixels = np.full((600, 1000, 3), 230, np.uint8)
    if framed:
        cv2.rectangle(pixels, (100, 120), (340, 420), (90, 60, 20), -1)
    return pixels


def size_of(profile: str) -> tuple[int, int]:
    return Image.open(BytesIO(base64.b64decode(profile, validate=True))).size


def test_the_frame_left_of_the_labels_is_cut_out() -> None:
    width, height = size_of(cut_portrait(card(framed=True), TEXT))
    assert abs(width - 241) <= 4
    assert abs(height - 301) <= 4


def test_without_a_frame_the_place_of_the_portrait_is_cut_out() -> None:
    width, height = size_of(cut_portrait(card(framed=False), TEXT))
    assert 300 < width < 400
    assert 300 < height < 500


def test_text_that_leaves_no_room_gives_no_portrait() -> None:
    assert cut_portrait(card(framed=True), Text([Line("姓名", 10, 100, 60, 125)])) == ""
    assert cut_portrait(card(framed=True), Text()) == ""
