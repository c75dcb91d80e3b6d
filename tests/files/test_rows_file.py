from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.errors import LedgerUnreachableError, RunStoppedError
from airflow_provider_permitocr.files.errors import FileError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, Record

if TYPE_CHECKING:
    from tests.files.conftest import Place

NewRow = Callable[..., Record]
ReadBack = Callable[[bytes, str], pd.DataFrame]

FORMATS = ["permits.parquet", "permits.csv", "permits.csv.gz"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_all_rows_are_in_one_file_in_their_order(
    place: Place, new_row: NewRow, read_back: ReadBack, name: str
) -> None:
    file = place.rows_file(name)
    file.prepare()

    rows = [[new_row("b", number="08320271"), new_row("b", "BACK")], [], [new_row("a")]]
    file.write(COLUMNS, map(to_frame, rows))

    assert place.names() == [name]
    read = read_back(place.read(name), name)
    assert list(read.columns) == [column.name for column in COLUMNS]
    assert list(zip(read["image_key"], read["card_side"], strict=True)) == [
        ("b", "FRONT"),
        ("b", "BACK"),
        ("a", "FRONT"),
    ]
    assert read["number"][0] == "08320271"


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("before", [b"", b"PAR1 something else", b"a,b\n1,2\n"])
def test_it_replaces_whatever_is_there(
    place: Place, new_row: NewRow, read_back: ReadBack, name: str, before: bytes
) -> None:
    place.store.put(place.path(name), lambda stream: stream.write(before))
    file = place.rows_file(name)
    columns = (*COLUMNS, Column("branch", ColumnKind.TEXT, "carried"))

    file.prepare()
    assert place.read(name) == before
    file.write(columns, [to_frame([new_row("a", branch="北")], columns)])

    read = read_back(place.read(name), name)
    assert list(read["branch"]) == ["北"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_list_without_rows_makes_an_empty_file_with_all_columns(
    place: Place, read_back: ReadBack, name: str
) -> None:
    place.rows_file(name).write(COLUMNS, [])

    read = read_back(place.read(name), name)
    assert (len(read), list(read.columns)) == (0, [column.name for column in COLUMNS])


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [RunStoppedError("stopped"), LedgerUnreachableError("gone"), KeyboardInterrupt()],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("name", FORMATS)
def test_an_error_while_rows_are_read_leaves_the_file_as_it_was(
    place: Place, new_row: NewRow, name: str, error: BaseException
) -> None:
    file = place.rows_file(name)
    file.write(COLUMNS, [to_frame([new_row("old")])])
    before = place.read(name)

    def frames() -> Iterator[pd.DataFrame]:
        yield to_frame([new_row(f"new-{number}") for number in range(1000)])
        raise error

    with pytest.raises(type(error)) as caught:
        file.write(COLUMNS, frames())

    assert caught.value is error
    assert place.read(name) == before
    assert place.names() == [name]


def test_nothing_is_there_until_the_file_is_whole(place: Place, new_row: NewRow) -> None:
    file = place.rows_file()
    file.prepare()
    seen: list[Any] = []

    def frames() -> Iterator[pd.DataFrame]:
        yield to_frame([new_row("a")])
        seen.extend(name for name in place.names() if not name.endswith(".tmp"))

    file.write(COLUMNS, frames())

    assert seen == []
    assert place.names() == ["permits.parquet"]


def test_a_check_writes_nothing_and_says_whether_the_file_is_there(
    place: Place, new_row: NewRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.rows_file()
    with monkeypatch.context() as patch:
        patch.setattr(type(place.store), "put", lambda *_: pytest.fail("was written"))
        assert file.check() is False
    file.write(COLUMNS, [to_frame([new_row("a")])])
    assert file.check() is True


def test_what_a_run_left_that_was_killed_while_it_tried_the_place_goes_with_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(type(place.store), "remove", lambda *_: None)
        place.rows_file().prepare()
    assert place.names() == ["_permits.parquet.trial"]

    place.rows_file().prepare()

    assert place.names() == []


@pytest.mark.slow
def test_a_full_disk_is_reported_without_values_and_leaves_the_old_file(disk: Place, new_row: NewRow) -> None:
    disk.rows_file("permits.csv").write(COLUMNS, [to_frame([new_row("old")])])
    before = disk.read("permits.csv")
    program = """
import resource, signal, sys
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.files.csv_format import CsvFormat
from airflow_provider_permitocr.files.errors import FileError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.files.rows_file import StoredRowsFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
file = StoredRowsFile(
    store=LocalStore(),
    path=sys.argv[1],
    row_format=CsvFormat(compressed=False),
    named="the result file",
    due=DueFile("", None, ""),
)
file.prepare()
try:
    file.write(COLUMNS, [to_frame([{"image_key": "new", "name": "secret-name" * 10_000}])])
except FileError as error:
    print(error)
"""

    outcome = subprocess.run(
        [sys.executable, "-c", program, disk.path("permits.csv")], capture_output=True, text=True, check=True
    )

    assert outcome.stdout == "writing the result file failed: OSError (File too large)\n"
    assert "secret-name" not in outcome.stderr
    assert disk.read("permits.csv") == before
    assert disk.names() == ["permits.csv"]


def test_an_error_of_the_disk_is_transient(
    disk: Place, new_row: NewRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(LocalStore, "put", fail)
    with pytest.raises(FileError, match=r"writing the result file .*permits.csv' failed: .*Input/output"):
        disk.rows_file("permits.csv").write(COLUMNS, [to_frame([new_row("a")])])
