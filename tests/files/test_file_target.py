from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Previous, Record, Status
from airflow_provider_permitocr.files.parts import Parts
from airflow_provider_permitocr.files.store import write_nothing

if TYPE_CHECKING:
    from tests.files.conftest import Place

NewRow = Callable[..., Record]
Write = Callable[..., None]
ReadBack = Callable[[bytes, str], pd.DataFrame]

FORMATS = ["permits.parquet", "permits.csv", "permits.csv.gz"]
AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", FORMATS)
def test_answers_are_parts_until_the_run_ends_and_then_one_file(
    place: Place, new_row: NewRow, write: Write, read_back: ReadBack, name: str
) -> None:
    target = place.target(name)
    target.prepare()
    write(target, new_row("a", number="08320271"), new_row("a", "BACK"))
    write(target, new_row("b"))
    meanwhile = place.names()

    target.finish()

    assert all(each.startswith(f"_{name}.parts/") for each in meanwhile)
    assert len(meanwhile) == 2
    assert place.names() == [name]
    read = read_back(place.read(name), name)
    assert list(read.columns) == [column.name for column in COLUMNS]
    assert list(zip(read["image_key"], read["card_side"], strict=True)) == [
        ("a", "FRONT"),
        ("a", "BACK"),
        ("b", "FRONT"),
    ]
    assert read["number"][0] == "08320271"


@pytest.mark.parametrize("name", FORMATS)
def test_the_next_run_knows_the_rows_of_the_file_and_of_the_parts(
    place: Place, new_row: NewRow, write: Write, name: str
) -> None:
    first = place.target(name)
    first.prepare()
    write(first, new_row("in-file", image_updated_at=AT))
    first.finish()
    died = place.target(name)
    died.prepare()
    write(died, new_row("in-part", status="retry", tries=2, processed_at=AT))

    target = place.target(name)
    target.prepare()

    keys = [(key, CardSide.FRONT) for key in ("in-file", "in-part", "new")]
    assert target.previous(keys) == {
        keys[0]: Previous(Status.RECOGNIZED, 1, AT),
        keys[1]: Previous(Status.RETRY, 2, AT),
    }
    assert target.previous([]) == {}


@pytest.mark.parametrize("name", FORMATS)
def test_of_rows_with_one_key_the_last_written_stays(
    place: Place, new_row: NewRow, write: Write, read_back: ReadBack, name: str
) -> None:
    for numbers in (("1", "2"), ("3",), ("4", "5")):
        target = place.target(name)
        target.prepare()
        for number in numbers:
            write(target, new_row("twice", number=number), new_row(f"only-{number}"))
        if numbers != ("3",):  # which is killed
            target.finish()

    read = read_back(place.read(name), name)

    assert sorted(read["image_key"]) == [*(f"only-{number}" for number in range(1, 6)), "twice"]
    assert read.set_index("image_key")["number"]["twice"] == "5"


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_without_rows_makes_an_empty_file_with_all_columns(
    place: Place, read_back: ReadBack, name: str
) -> None:
    target = place.target(name)
    target.prepare()

    target.finish()

    read = read_back(place.read(name), name)
    assert (len(read), list(read.columns)) == (0, [column.name for column in COLUMNS])


def test_a_run_with_nothing_to_add_leaves_the_file_untouched(
    place: Place, new_row: NewRow, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = place.target()
    target.prepare()
    write(target, new_row("a"))
    target.finish()
    again = place.target()
    again.prepare()
    monkeypatch.setattr(type(place.store), "put", lambda *_: pytest.fail("was written"))

    again.finish()


@pytest.mark.parametrize("name", FORMATS)
def test_a_carried_column_that_the_file_lacks_is_added(
    place: Place, new_row: NewRow, write: Write, read_back: ReadBack, name: str
) -> None:
    before = place.target(name)
    before.prepare()
    write(before, new_row("old"))
    before.finish()
    columns = (*COLUMNS, Column("branch", ColumnKind.TEXT, "carried"))

    after = place.target(name)
    after.prepare(columns)
    write(after, new_row("new", branch="北"), columns=columns)
    after.finish()

    read = read_back(place.read(name), name).set_index("image_key")
    assert pd.isna(read["branch"]["old"])
    assert read["branch"]["new"] == "北"


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_whose_columns_would_be_lost_is_refused(
    place: Place, new_row: NewRow, write: Write, name: str
) -> None:
    columns = (*COLUMNS, Column("branch", ColumnKind.TEXT, "carried"))
    before = place.target(name)
    before.prepare(columns)
    write(before, new_row("old", branch="北"), columns=columns)
    before.finish()

    with pytest.raises(TargetError, match=r"permits.*has columns that this run does not: branch"):
        place.target(name).prepare()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [b"", b"PAR1 something else", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_result_is_refused_and_kept(disk: Place, name: str, content: bytes) -> None:
    disk.store.put(f"{disk.directory}/{name}", lambda stream: stream.write(content))

    with pytest.raises(TargetError, match="name another"):
        disk.target(name).prepare()

    assert disk.read(name) == content


def test_a_parquet_file_with_other_types_is_refused(disk: Place, new_row: NewRow) -> None:
    frame = pd.DataFrame([new_row("a", tries="once", birthday=5)])
    frame.to_parquet(f"{disk.directory}/permits.parquet")

    with pytest.raises(TargetError, match=r"birthday is int64, not date32.*tries is (large_)?string, not"):
        disk.target().prepare()


@pytest.mark.parametrize("tool", ["pandas", "duckdb"])
def test_a_file_that_another_tool_wrote_anew_is_still_known_and_merged(
    disk: Place, new_row: NewRow, write: Write, tool: str
) -> None:
    path = f"{disk.directory}/permits.parquet"
    target = disk.target()
    target.prepare()
    write(target, new_row("a", number="1"))
    target.finish()
    if tool == "pandas":
        pd.read_parquet(path, dtype_backend="pyarrow").to_parquet(path)
    else:
        duckdb.sql(f"COPY (SELECT * FROM '{path}') TO '{path}.new' (FORMAT parquet)")
        Path(f"{path}.new").replace(path)

    again = disk.target()
    again.prepare()
    known = again.previous([("a", CardSide.FRONT)])
    write(again, new_row("b", number="2"))
    again.finish()

    assert len(known) == 1
    assert list(pd.read_parquet(path)["number"]) == ["1", "2"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_status_that_this_package_does_not_know_is_refused_without_values(
    disk: Place, new_row: NewRow, write: Write, name: str
) -> None:
    target = disk.target(name)
    target.prepare()
    write(target, new_row("a", status="odd", name="secret-name"))

    with pytest.raises(TargetError, match="for key 'a'; correct or remove that row") as caught:
        disk.target(name).prepare()
    assert "secret-name" not in str(caught.value)


def test_two_runs_at_a_time_lose_no_row(
    place: Place, new_row: NewRow, write: Write, read_back: ReadBack
) -> None:
    one, other = place.target(), place.target()
    one.prepare()
    other.prepare()
    write(one, new_row("one"))
    write(other, new_row("other"))

    one.finish()
    write(other, new_row("late"))
    other.finish()

    assert sorted(read_back(place.read("permits.parquet"), ".parquet")["image_key"]) == [
        "late",
        "one",
        "other",
    ]


def test_a_run_that_merges_while_another_does_keeps_its_parts_for_the_next(
    bucket: Place, new_row: NewRow, write: Write, read_back: ReadBack, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = bucket.target(), bucket.target()
    for target, key in ((one, "one"), (other, "other")):
        target.prepare()
        write(target, new_row(key))
    put = type(bucket.store).put

    def finish_the_other_first(store: Any, path: str, content: Any) -> None:
        if path.endswith("permits.parquet"):
            monkeypatch.setattr(type(bucket.store), "put", put)
            # It has read the parts of both; one more comes before its file is there.
            write(other, new_row("late"))
            other.finish()
        put(store, path, content)

    monkeypatch.setattr(type(bucket.store), "put", finish_the_other_first)
    one.finish()
    assert "late" not in list(read_back(bucket.read("permits.parquet"), ".parquet")["image_key"])

    last = bucket.target()
    last.prepare()
    known = last.previous([("late", CardSide.FRONT)])
    last.finish()

    assert len(known) == 1
    assert sorted(read_back(bucket.read("permits.parquet"), ".parquet")["image_key"]) == [
        "late",
        "one",
        "other",
    ]
    assert bucket.names() == ["permits.parquet"]


def test_on_a_disk_one_run_waits_until_the_other_has_merged(
    disk: Place, new_row: NewRow, write: Write, read_back: ReadBack
) -> None:
    target = disk.target()
    target.prepare()
    write(target, new_row("a"))
    done = threading.Event()

    def finish() -> None:
        target.finish()
        done.set()

    waiting = threading.Thread(target=finish)
    with disk.store.merging(f"{disk.directory}/_permits.parquet.parts", "other"):
        waiting.start()
        assert not done.wait(0.2)
        assert "permits.parquet" not in disk.names()
    waiting.join(30)

    assert done.is_set()
    assert disk.names() == ["permits.parquet"]


def test_parts_that_another_run_merges_meanwhile_are_found_in_the_file(
    disk: Place, new_row: NewRow, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = disk.target()
    other.prepare()
    write(other, new_row("a"))
    target = disk.target()
    names = type(disk.store).names
    seen: list[str] = []

    def merge_after_the_list_of_parts(store: Any, folder: str) -> Any:
        found = names(store, folder)
        if found and not seen:
            seen.extend(found)
            other.finish()
        return found

    monkeypatch.setattr(type(disk.store), "names", merge_after_the_list_of_parts)

    target.prepare()

    assert seen
    assert len(target.previous([("a", CardSide.FRONT)])) == 1


@pytest.mark.parametrize(
    ("age", "run", "left"),
    [
        (timedelta(hours=1), "another", True),
        (timedelta(days=2), "another", False),
        (timedelta(hours=1), "run-1", False),
    ],
    ids=["of another run", "too old", "of an earlier try"],
)
def test_the_mark_of_a_merge_that_died_holds_parts_back_for_a_day_at_most(
    bucket: Place, new_row: NewRow, write: Write, age: timedelta, run: str, left: bool
) -> None:
    folder = f"{bucket.directory}/_permits.parquet.parts"
    name = (
        f"{(datetime.now(UTC) - age).strftime('%Y%m%dT%H%M%S')}-{Parts(bucket.file(), run=run).run}.merging"
    )
    target = bucket.target(run="run-1")
    target.prepare()
    write(target, new_row("a"))
    bucket.store.put(f"{folder}/{name}", write_nothing)

    target.finish()

    assert (f"_permits.parquet.parts/{name}" in bucket.names()) is left
    assert any(each.endswith(".part") for each in bucket.names()) is left


def test_parts_that_are_left_when_their_removal_dies_bring_no_old_row_back(
    disk: Place, new_row: NewRow, write: Write, read_back: ReadBack, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = disk.target()
    target.prepare()
    for number in "123":
        write(target, new_row("a", number=number))
    remove = type(disk.store).remove
    removed: list[str] = []

    def die_at_the_second(store: Any, path: str) -> None:
        if path.endswith(".part"):
            if removed:
                raise KeyboardInterrupt
            removed.append(path)
        remove(store, path)

    monkeypatch.setattr(type(disk.store), "remove", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        target.finish()
    monkeypatch.undo()

    again = disk.target()
    again.prepare()
    again.finish()

    assert list(read_back(disk.read("permits.parquet"), ".parquet")["number"]) == ["3"]
    assert disk.names() == ["permits.parquet"]
