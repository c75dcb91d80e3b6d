from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_permitocr.emulator.specimens.label import (
    Label,
    image_format,
    pad,
    read_label,
    write_label,
)
from airflow_provider_permitocr.permit.api import CardSide, ImageFormat

LABEL = Label("taiwan", CardSide.FRONT, {"Name": "李优图", "WarnCardInfos": [-9102]})
formats = st.sampled_from(list(ImageFormat))


def picture(fmt: ImageFormat) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(buffer, fmt)
    return buffer.getvalue()


PICTURES = {fmt: picture(fmt) for fmt in ImageFormat}


@given(formats, st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=8))
def test_a_label_reads_as_it_was_written(fmt: ImageFormat, fields: dict[str, str]) -> None:
    label = Label("exit_entry", CardSide.FRONT, fields)
    assert read_label(write_label(PICTURES[fmt], label)) == label


@pytest.mark.parametrize("fmt", ImageFormat)
def test_label_and_padding_leave_the_pixels_alone(fmt: ImageFormat) -> None:
    labelled = write_label(pad(PICTURES[fmt], 300_000, b"filler"), LABEL)
    assert len(labelled) >= 300_000
    assert image_format(labelled) is fmt
    with Image.open(BytesIO(labelled)) as after, Image.open(BytesIO(PICTURES[fmt])) as before:
        assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("fmt", ImageFormat)
def test_a_label_is_found_behind_padding_too(fmt: ImageFormat) -> None:
    assert read_label(pad(write_label(PICTURES[fmt], LABEL), 300_000, b"filler")) == LABEL


@pytest.mark.parametrize("fmt", ImageFormat)
def test_a_picture_without_label_has_none(fmt: ImageFormat) -> None:
    assert read_label(PICTURES[fmt]) is None


@given(formats, st.integers(min_value=0, max_value=400))
def test_a_file_cut_off_reads_whole_or_not_at_all(fmt: ImageFormat, length: int) -> None:
    assert read_label(write_label(PICTURES[fmt], LABEL)[:length]) in (None, LABEL)


@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a"]), st.binary(max_size=300))
def test_any_bytes_are_read_without_error(start: bytes, rest: bytes) -> None:
    assert read_label(start + rest) is None


def test_text_of_others_under_our_keyword_is_no_label() -> None:
    odd = write_label(PICTURES[ImageFormat.JPEG], LABEL).replace(b'"kind"', b'"kine"')
    assert read_label(odd) is None


@pytest.mark.parametrize("content", [b"GIF89a", b""])
def test_other_formats_are_refused_with_advice(content: bytes) -> None:
    with pytest.raises(ValueError, match="save the picture as one of them"):
        write_label(content, LABEL)
    with pytest.raises(ValueError, match="save the picture as one of them"):
        pad(content, 1000, b"x")


def test_padding_needs_something_to_pad_with() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        pad(PICTURES[ImageFormat.PNG], 1_000_000, b"")
