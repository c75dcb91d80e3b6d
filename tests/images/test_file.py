from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_provider_permitocr.errors import ImageUnavailableError
from airflow_provider_permitocr.images.file import read_file


@pytest.mark.parametrize(
    ("number", "is_outage"),
    [
        (errno.ESTALE, True),
        (errno.EIO, True),
        (errno.EHOSTDOWN, True),
        (errno.ETIMEDOUT, True),
        (errno.EMFILE, True),
        (errno.EACCES, False),
        (errno.ENOTDIR, False),
        (errno.ELOOP, False),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if value > 1 else "",
)
def test_a_file_whose_share_is_down_says_nothing_of_the_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, is_outage: bool
) -> None:
    def fail(*_args: Any, **_named: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    file = tmp_path / "permit.png"
    file.write_bytes(b"x")
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(ImageUnavailableError) as caught:
        read_file(str(file), 100)
    assert (caught.value.code, caught.value.is_outage) == ("ImageUnreadable", is_outage)


@pytest.mark.parametrize("name", ["none.png", "", "a\x00b"], ids=["missing", "directory", "NUL"])
def test_a_file_that_is_not_there_is_of_the_image(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageUnavailableError) as caught:
        read_file(f"{tmp_path}/{name}", 100)
    assert not caught.value.is_outage


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
def test_what_is_no_regular_file_is_left_unread(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "permit.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(ImageUnavailableError, match="not a regular file") as caught:
        read_file(str(path), 100)
    assert caught.value.code == "ImageUnreadable"


@pytest.mark.skipif(not Path("/proc/kmsg").exists(), reason="no such file system here")
@pytest.mark.parametrize("name", ["kmsg", "self/environ"])
def test_a_file_of_the_system_neither_hangs_nor_tells_anything(name: str) -> None:
    # Only root may read the first.
    with suppress(ImageUnavailableError):
        assert read_file(f"/proc/{name}", 100) == b""


def test_a_file_that_is_written_meanwhile_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "permit.png"
    path.write_bytes(b"half of")
    look = os.fstat

    def look_while_it_is_written(number: int) -> os.stat_result:
        found = look(number)
        with path.open("ab") as file:
            file.write(b" an image")
        return found

    monkeypatch.setattr(os, "fstat", look_while_it_is_written)
    with pytest.raises(ImageUnavailableError, match="being written") as caught:
        read_file(str(path), 100)
    assert (caught.value.code, caught.value.is_outage) == ("ImageTruncated", False)
