"""Rows that are kept in files come back as they were, to the result that they belong to."""

from __future__ import annotations

import io
import math
import os
import stat
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind, result_columns
from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.files.errors import FileError, UnreadableFileError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.object_store import ObjectStore
from airflow_provider_permitocr.files.spill import FileSpill
from airflow_provider_permitocr.files.spill_format import read_rows, write_rows
from airflow_provider_permitocr.files.store import Store

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
CARRIED = (
    Column("score", ColumnKind.FLOAT, "carried"),
    Column("branch", ColumnKind.TEXT, "carried"),
)
ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-14 * 60, 14 * 60))
#: Of any kind, with NUL and lone surrogates.
TEXT = st.text(st.characters(exclude_categories=()))
VALUES: dict[ColumnKind, st.SearchStrategy[Any]] = {
    ColumnKind.KEY: TEXT,
    ColumnKind.TEXT: TEXT,
    ColumnKind.LONG_TEXT: TEXT,
    ColumnKind.DATE: st.dates(),
    ColumnKind.BOOLEAN: st.booleans(),
    ColumnKind.INTEGER: st.integers(),
    ColumnKind.FLOAT: st.floats(allow_nan=False),
    ColumnKind.TIMESTAMP: st.datetimes(timezones=ZONES),
}


def row(image_key: str, **values: Any) -> Record:
    empty: Record = dict.fromkeys(column.name for column in COLUMNS)
    known: Record = {
        "image_key": image_key,
        "card_side": "FRONT",
        "status": "recognized",
        "processed_at": NOON,
    }
    return empty | known | values


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                column.name: VALUES[column.kind]
                if column.kind is ColumnKind.KEY
                else st.none() | VALUES[column.kind]
                for column in result_columns(CARRIED)
            }
        ),
        max_size=4,
    )
)
def test_rows_come_back_exactly_as_they_were(records: list[Record]) -> None:
    columns = result_columns(CARRIED)
    stream = io.BytesIO()
    write_rows(columns, records, stream)
    stream.seek(0)
    read = read_rows(columns, stream)
    assert read == records
    assert [[type(value) for value in each.values()] for each in read] == [
        [type(each[column.name]) for column in columns] for each in records
    ]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_come_back_too(number: float) -> None:
    stream = io.BytesIO()
    write_rows(result_columns(CARRIED), [row("a", score=number, branch=None)], stream)
    stream.seek(0)
    ((read),) = read_rows(result_columns(CARRIED), stream)
    assert str(read["score"]) == str(number)


def test_columns_that_came_or_went_since_are_empty_or_left_out() -> None:
    stream = io.BytesIO()
    write_rows(result_columns(CARRIED), [row("a", score=0.5, branch="north")], stream)
    stream.seek(0)
    now = result_columns(
        [Column("score", ColumnKind.TEXT, "text by now"), Column("desk", ColumnKind.INTEGER, "new")]
    )
    (read,) = read_rows(now, stream)
    assert (read["score"], read["desk"], read["image_key"], "branch" in read) == ("0.5", None, "a", False)


@pytest.mark.parametrize("cut", [0, 1, 40, -1, -30])
def test_file_that_is_not_whole_is_refused(cut: int) -> None:
    stream = io.BytesIO()
    write_rows(COLUMNS, [row("a"), row("b")], stream)
    content = stream.getvalue().rstrip()[: cut or None] if cut else b""
    with pytest.raises(UnreadableFileError):
        read_rows(COLUMNS, io.BytesIO(content))


@pytest.fixture(params=["disk", "object store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, str]:
    if request.param == "disk":
        return LocalStore(private=True), str(tmp_path / "home" / "permitocr_spill")
    from fsspec.implementations.memory import MemoryFileSystem

    return ObjectStore(MemoryFileSystem()), f"/bucket{tmp_path}/spill"


def spill(place: tuple[Store, str], result: str = "table permits of warehouse") -> FileSpill:
    return FileSpill(*place, named=place[1], result=result, where=" on worker-1")


def test_what_is_kept_is_found_by_its_own_result_alone_until_it_is_discarded(
    place: tuple[Store, str],
) -> None:
    assert list(spill(place).pending(COLUMNS)) == []
    first = spill(place).save(COLUMNS, [row("a", birthday=date(1990, 1, 2))])
    spill(place).save(COLUMNS, [row("b")])
    assert first.startswith(place[1])
    assert first.endswith(".jsonl on worker-1")
    assert list(spill(place, "table permits of lake").pending(COLUMNS)) == []
    pending = list(spill(place).pending(COLUMNS))
    found = [record for _, records in pending for record in records]
    assert sorted(str(each["image_key"]) for each in found) == ["a", "b"]
    assert date(1990, 1, 2) in [each["birthday"] for each in found]
    for name, _ in pending:
        spill(place).discard(name)
        spill(place).discard(name)  # another task may have done so
    assert list(spill(place).pending(COLUMNS)) == []


def test_unreadable_file_is_left_and_told(place: tuple[Store, str], caplog: pytest.LogCaptureFixture) -> None:
    spill(place).save(COLUMNS, [row("a", name="李优图")])
    store, folder = place
    (name,) = store.names(folder)
    store.put(f"{folder}/{name}", lambda stream: stream.write('{"rows":1}\n["李优图"]\n'.encode()))
    spill(place).save(COLUMNS, [row("b")])
    (_, records), *others = spill(place).pending(COLUMNS)
    assert ([each["image_key"] for each in records], others) == (["b"], [])
    assert name in caplog.text
    assert "李优图" not in caplog.text
    assert name in store.names(folder)


def test_on_a_disk_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "permitocr_spill"
    before = os.umask(0)
    try:
        spill((LocalStore(private=True), str(folder))).save(COLUMNS, [row("a")])
    finally:
        os.umask(before)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_that_cannot_be_written_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "spill")
    with pytest.raises(PermitOcrError, match=f"keeping them in {folder}/.* failed: .*Error"):
        spill((LocalStore(private=True), folder)).save(COLUMNS, [row("a")])


def test_full_disk_leaves_no_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        spill((LocalStore(private=True), str(tmp_path))).save(COLUMNS, [row("a")])
    assert list(tmp_path.iterdir()) == []
