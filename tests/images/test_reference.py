from __future__ import annotations

import base64
from array import array
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.errors import ImageError, ImageRejectedError
from airflow_provider_permitocr.images.reference import (
    ImageUrl,
    InlineImage,
    StoredImage,
    read_reference,
)
from airflow_provider_permitocr.options.lists.image_list import ImageKind

#: Holds both characters in which the alphabets of base64 differ.
CONTENT = b"\xff\xd8\xff\xfb\xef\xbe" * 50


def refusal(value: Any, kind: ImageKind = ImageKind.AUTO) -> ImageRejectedError:
    with pytest.raises(ImageRejectedError) as caught:
        read_reference(value, kind)
    return caught.value


def broken_into_lines(text: str, end: str = "\n") -> str:
    return end.join(text[start : start + 76] for start in range(0, len(text), 76)) + end


@pytest.mark.parametrize("url", ["http://x/a.png", "https://x/a.gif?sign=1", "HTTPS://x/a"])
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.URL])
def test_urls(url: str, kind: ImageKind) -> None:
    assert read_reference(url, kind) == ImageUrl(url)


@pytest.mark.parametrize(
    "uri", ["/a/b.png", "file:///a", "FILE:///a", "s3://b/k", "S3://b/k", "s3://conn@b/k", "gs://b/通.jpg"]
)
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.PATH])
def test_paths_and_urls_of_stores(uri: str, kind: ImageKind) -> None:
    assert read_reference(uri, kind) == StoredImage(uri)


@pytest.mark.parametrize("path", ["permit.png", "./permit.png", "../permit.png", "~/p.png", "C:\\p.png"])
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.PATH])
def test_a_relative_path_is_rejected_even_where_it_is_declared(path: str, kind: ImageKind) -> None:
    error = refusal(path, kind)
    assert error.code == "ImageReferenceUnknown"
    assert "/" in error.message


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("/a.png", ImageKind.URL),
        ("http://x/a.png", ImageKind.PATH),
        ("http://x/a.png", ImageKind.BASE64),
        ("/a.png", ImageKind.DATA_URI),
        ("/a.png", ImageKind.BYTES),
        (b"bytes", ImageKind.PATH),
    ],
)
def test_a_value_of_another_kind_than_declared_is_rejected(value: str | bytes, kind: ImageKind) -> None:
    assert refusal(value, kind).code == "ImageReferenceUnknown"


@pytest.mark.parametrize("value", [7, 1.5, True, [b"image"], np.zeros((2, 2), "uint8"), array("i", [1])])
def test_a_value_that_is_no_reference_at_all_is_rejected(value: Any) -> None:
    assert refusal(value).code == "ImageReferenceUnknown"


@pytest.mark.parametrize(
    "text",
    [
        *("permit.png", "file", "", "iVBORw0KGgo=", "x" * 300 + ".png", "样" * 300),
        *("data:", "data:image/png;base64", "data:image/png;base64,a", "data:;base64,样", "data:,\ud800"),
    ],
)
def test_a_text_of_another_form_is_rejected(text: str) -> None:
    assert refusal(text).code in ("ImageReferenceUnknown", "ImageMissing")


@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.BYTES])
def test_bytes_are_the_image(kind: ImageKind) -> None:
    assert read_reference(CONTENT, kind) == InlineImage(CONTENT)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.BASE64])
@pytest.mark.parametrize(
    "beginning",
    [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF", b"\0\0\0\x18ftypheic", b"%PDF-1.7", b"BM"],
)
def test_base64_of_either_alphabet_in_lines_and_without_padding(
    encode: Any, kind: ImageKind, beginning: bytes
) -> None:
    if encode is base64.urlsafe_b64encode:
        beginning = beginning.replace(b"\xff", b"\xfb")  # "_9j_" stands for no other alphabet
    content = beginning + CONTENT
    text = encode(content).decode()
    for form in (text, broken_into_lines(text), broken_into_lines(text, "\r\n"), text.rstrip("=")):
        assert read_reference(form, kind) == InlineImage(content)


def test_a_short_text_is_base64_only_where_that_is_declared() -> None:
    content = CONTENT[3:33]
    text = base64.b64encode(content).decode()
    assert read_reference(text, ImageKind.BASE64) == InlineImage(content)
    assert refusal(text).code == "ImageReferenceUnknown"


@pytest.mark.parametrize("text", ["a", "ab=c", "样", "abc!", "\ud800"])
def test_text_that_is_no_base64_is_rejected(text: str) -> None:
    assert refusal(text, ImageKind.BASE64).code == "ImageReferenceUnknown"


@pytest.mark.parametrize(
    "header",
    [
        *("data:;base64", "data:image/jpeg;base64", "DATA:image/JPEG;BASE64"),
        *("data:image/jpeg;charset=utf-8;base64", "data:image/jpeg;name=a.jpg;base64"),
    ],
)
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.DATA_URI])
def test_data_uris(header: str, kind: ImageKind) -> None:
    text = base64.b64encode(CONTENT).decode()
    for payload in (text, broken_into_lines(text), quote(text, safe=""), text.rstrip("=")):
        assert read_reference(f"{header},{payload}", kind) == InlineImage(CONTENT)


def test_a_data_uri_may_be_percent_encoded_alone() -> None:
    assert read_reference(f"data:image/jpeg,{quote(CONTENT)}") == InlineImage(CONTENT)


@given(st.binary(min_size=1), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
def test_whatever_was_encoded_comes_back(content: bytes, encode: Any) -> None:
    text = encode(content).decode()
    for form in (text, broken_into_lines(text), text.rstrip("=")):
        assert read_reference(form, ImageKind.BASE64) == InlineImage(content)
        assert read_reference(f"data:;base64,{form}") == InlineImage(content)
    assert read_reference(f"data:,{quote(content)}") == InlineImage(content)


@pytest.mark.slow
@given(st.none() | st.text() | st.binary() | st.text().map("data:{}".format), st.sampled_from(ImageKind))
def test_whatever_a_row_holds_it_is_a_reference_or_a_refusal(
    value: str | bytes | None, kind: ImageKind
) -> None:
    with suppress(ImageError):
        read_reference(value, kind)


@given(st.text("secretSECRET0123456789", min_size=12), st.sampled_from(ImageKind))
def test_neither_refusals_nor_references_repeat_the_value(secret: str, kind: ImageKind) -> None:
    for value in (secret, f"/nowhere/{secret}", f"https://{secret}", f"data:{secret}", secret.encode()):
        try:
            seen = repr(read_reference(value, kind))
        except ImageRejectedError as error:
            seen = f"{error} {error!r}"
        assert secret not in seen


@pytest.mark.parametrize("before", ["", " ", "\t\n", "\ufeff", "\u3000", "\u202a"])
@pytest.mark.parametrize(
    "after", ["\r", "\n", "\r\n", "   ", "\x00\x00", "\u200b", "\u00a0", "\u202c", " " * 3000]
)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://x/a.png", ImageUrl("https://x/a.png")),
        ("/scans/a b.png", StoredImage("/scans/a b.png")),
        ("s3://b/通 行.jpg", StoredImage("s3://b/通 行.jpg")),
        (base64.b64encode(CONTENT).decode(), InlineImage(CONTENT)),
        ("data:;base64," + base64.b64encode(CONTENT).decode(), InlineImage(CONTENT)),
    ],
    ids=["url", "path", "object", "base64", "data"],
)
def test_white_space_and_invisible_characters_around_a_value_are_not_part_of_it(
    before: str, after: str, text: str, meant: Any
) -> None:
    assert read_reference(before + text + after) == meant


@pytest.mark.parametrize("kind", list(ImageKind))
@pytest.mark.parametrize("value", [" ", "\r\n", "\ufeff", "\x00", b"", bytearray(), float("nan"), None])
def test_nothing_but_padding_is_no_image(value: Any, kind: ImageKind) -> None:
    assert refusal(value, kind).code == "ImageMissing"


def test_a_path_that_ends_in_a_blank_is_written_as_a_file_url() -> None:
    assert read_reference("file:///scans/a%20") == StoredImage("file:///scans/a%20")


@pytest.mark.parametrize(
    "value",
    [
        *(memoryview(CONTENT), bytearray(CONTENT), array("B", CONTENT)),
        *(np.bytes_(CONTENT), np.frombuffer(CONTENT, "uint8"), memoryview(CONTENT * 2)[: len(CONTENT)]),
    ],
    ids=["memoryview", "bytearray", "array", "numpy.bytes_", "numpy.array", "slice"],
)
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.BYTES])
def test_bytes_of_every_type_are_the_image(value: Any, kind: ImageKind) -> None:
    reference = read_reference(value, kind)
    assert reference == InlineImage(CONTENT)
    assert isinstance(reference, InlineImage)
    assert type(reference.content) is bytes


@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.PATH])
def test_a_path_of_python_or_airflow_is_a_path(kind: ImageKind) -> None:
    assert read_reference(Path("/scans/通.png"), kind) == StoredImage("/scans/通.png")
    assert read_reference(Path("a.png"), kind) == StoredImage(f"{Path.cwd()}/a.png")
    # A value of any type goes into a frame.
    stored: Any = ObjectStoragePath("file:///scans/a.png")
    assert read_reference(stored, kind) == StoredImage("file:///scans/a.png")
    assert read_reference(np.str_("/scans/a.png"), kind) == StoredImage("/scans/a.png")


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "  ", "\n    "])
@pytest.mark.parametrize("kind", [ImageKind.AUTO, ImageKind.BASE64])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("form", ["{}", "data:image/jpeg;base64,{}", "image/jpeg;base64,{}"])
def test_base64_broken_into_lines_by_white_space_of_any_kind(
    end: str, kind: ImageKind, encode: Any, form: str
) -> None:
    content = b"\xff\xd8\xff\xe0" + CONTENT
    text = form.format(broken_into_lines(encode(content).decode(), end))
    if kind is ImageKind.BASE64 and not form.startswith("{"):
        kind = ImageKind.DATA_URI
    if encode is base64.urlsafe_b64encode or not form.startswith("{"):
        assert read_reference(text, kind) == InlineImage(content)


@pytest.mark.parametrize("size", range(300, 312))
@pytest.mark.parametrize("form", ["{}", "data:image/jpeg;base64,{}", "image/jpeg;base64,{}"])
@pytest.mark.parametrize("padding", ["", "="])
@pytest.mark.parametrize("end", ["", "\n"])
def test_blanks_that_a_form_has_made_of_plus_signs_are_plus_signs(
    size: int, form: str, padding: str, end: str
) -> None:
    content = b"\xff\xd8\xff\xe0" + Random(size).randbytes(size)
    text = base64.b64encode(content).decode().rstrip("=" if not padding else "")
    text = broken_into_lines(text, end) if end else text
    assert "+" in text
    assert read_reference(form.format(text.replace("+", " "))) == InlineImage(content)


@pytest.mark.slow
def test_one_plus_sign_at_the_end_of_a_line_is_one() -> None:
    content = base64.b64decode("/9j/" + "A" * 396 + "+AAA" + "A" * 200)
    text = base64.b64encode(content).decode()
    assert read_reference(text.replace("+", " ")) == InlineImage(content)
