from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_provider_permitocr.core.errors import ImageUnavailableError
from airflow_provider_permitocr.core.image_file import read_file


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
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(ImageUnavailableError) as caught:
        read_file(str(file), 100)
    assert (caught.value.code, caught.value.is_outage) == ("ImageUnreadable", is_outage)


@pytest.mark.parametrize("name", ["none.png", "", "a\x00b"], ids=["missing", "directory", "NUL"])
def test_a_file_that_is_not_there_is_of_the_image(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageUnavailableError) as caught:
        read_file(f"{tmp_path}/{name}", 100)
    assert not caught.value.is_outage
