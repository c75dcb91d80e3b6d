"""The journal as a file: nothing that was appended is lost, whoever dies or writes beside it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, OK, Attempt, ClosedCall
from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.errors import JournalError
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

LEDGER = "a" * 32
SOON = 60
spawned = multiprocessing.get_context("spawn")


def journal(folder: Path, session_id: str, ledger_id: str = LEDGER) -> FileJournal:
    journal = FileJournal(folder, session_id=session_id)
    journal.use(ledger_id)
    return journal


def closed(number: int) -> ClosedCall:
    answer = KeptAnswer({"Name": "李优图", "Number": f"{number}"})
    return ClosedCall(f"{number:032x}", OK, True, f"r-{number}", answer)


def pending(folder: Path, session_id: str = "reader") -> dict[str, list[ClosedCall]]:
    return {Path(name).name: list(calls) for name, calls in journal(folder, session_id).pending()}


def test_calls_are_read_by_another_process_as_they_were(tmp_path: Path) -> None:
    attempt = Attempt(
        ("键\n", CardSide.BACK),
        Status.RECOGNIZED,
        tries=2,
        counts=False,
        is_verdict=True,
        updated_at=datetime(2026, 1, 31, 12, 0, 0, 123, tzinfo=UTC),
        facts=ImageFacts("JPEG", 100, "shrunk", "d" * 64),
        carried={"department": "西\u2028 \x00", "rank": 1.5, "is_urgent": True, "note": None},
        reused_from="other",
    )
    calls = [
        ClosedCall(
            "1" * 32, OK, True, "r-1", KeptAnswer({"Name": "李\ud800", "Back": {"Type": "x"}}), attempt
        ),
        ClosedCall("2" * 32, NOT_SENT, billed=False),
        ClosedCall("3" * 32, "InternalError", billed=None, request_id="r-3", reason="too long"),
    ]
    journal(tmp_path, "1").append(calls)
    assert pending(tmp_path) == {f"{LEDGER}-1.jsonl": calls}


def test_days_and_times_that_are_carried_are_kept_in_iso_form(tmp_path: Path) -> None:
    carried: Any = {"day": date(2026, 1, 31), "time": datetime(2026, 1, 31, 12, tzinfo=UTC)}
    attempt = Attempt(("k", CardSide.FRONT), Status.RECOGNIZED, carried=carried)
    journal(tmp_path, "1").append([ClosedCall("1" * 32, OK, True, attempt=attempt)])
    ((call,),) = pending(tmp_path).values()
    assert call.attempt is not None
    assert call.attempt.carried == {"day": "2026-01-31", "time": "2026-01-31T12:00:00+00:00"}


def test_a_file_is_its_owners_alone_and_the_folder_too(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = Path(journal(tmp_path / "made", "1").append([closed(1)]))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_each_append_is_a_whole_line_on_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    fsync = os.fsync

    def note(file: int) -> None:
        fsync(file)
        if stat.S_ISREG(os.fstat(file).st_mode):
            synced.append(os.pread(file, 1 << 20, 0))

    monkeypatch.setattr(os, "fsync", note)
    writer = journal(tmp_path, "1")
    for number in (1, 2):
        file = Path(writer.append([closed(number)]))
        assert synced[-1] == file.read_bytes()
        assert file.read_bytes().count(b"\n") == number
        assert file.read_bytes().endswith(b"}\n")


@pytest.mark.slow
@given(st.integers(0, 2000))
def test_a_line_that_was_cut_off_is_ignored_and_does_not_spoil_the_next(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    writer = journal(folder, "1")
    file = Path(writer.append([closed(1), closed(2)]))
    whole = file.read_bytes()
    left = whole[: min(cut, len(whole))]
    file.write_bytes(left)
    writer.append([closed(3)])
    # A line that lacks nothing but its end is whole.
    first = whole.index(b"\n")
    kept = [closed(1)] * (len(left) >= first) + [closed(2)] * (len(left) >= len(whole) - 1)
    assert pending(folder) == {file.name: [*kept, closed(3)]}


@pytest.mark.parametrize(
    "line", [b"\xff\xfe", b"null", b"[]", b'{"call_id": "1"}', b'{"attempt": {"row_key": 1}}', b"{}"]
)
def test_what_is_no_call_is_ignored(tmp_path: Path, line: bytes) -> None:
    file = Path(journal(tmp_path, "1").append([closed(1)]))
    with file.open("ab") as stream:
        stream.write(line + b"\n")
    assert pending(tmp_path) == {file.name: [closed(1)]}


def test_a_call_that_was_written_twice_is_handed_in_once(tmp_path: Path) -> None:
    writer = journal(tmp_path, "1")
    writer.append([closed(1), closed(2)])
    writer.append([closed(1)])
    assert [sorted(each.call_id for each in calls) for calls in pending(tmp_path).values()] == [
        [closed(1).call_id, closed(2).call_id]
    ]


def test_another_processs_files_are_handed_in_and_removed_and_no_others(tmp_path: Path) -> None:
    mine, theirs = journal(tmp_path, "mine"), journal(tmp_path, "theirs")
    mine.append([closed(1)])
    mine.append([closed(2)], refused=True)
    theirs.append([closed(3)])
    theirs.append([closed(4)], refused=True)
    journal(tmp_path, "theirs", ledger_id="b" * 32).append([closed(5)])
    (tmp_path / "notes.txt").write_text("not ours")
    handed_in: list[ClosedCall] = []
    for name, calls in mine.pending():
        handed_in += calls
        mine.remove(name)
    assert handed_in == [closed(4), closed(3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{LEDGER}-mine-refused.jsonl",
        f"{LEDGER}-mine.jsonl",
        f"{'b' * 32}-theirs.jsonl",
        "notes.txt",
    ]


def test_discarding_removes_what_this_process_has_kept_but_not_what_was_refused(tmp_path: Path) -> None:
    writer = journal(tmp_path, "1")
    writer.append([closed(1)])
    writer.append([closed(2)], refused=True)
    writer.discard()
    writer.discard()
    assert pending(tmp_path) == {f"{LEDGER}-1-refused.jsonl": [closed(2)]}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert pending(tmp_path / "none") == {}


def test_a_file_that_another_run_hands_in_meanwhile_is_passed_over(tmp_path: Path) -> None:
    for session_id in "12":
        journal(tmp_path, session_id).append([closed(int(session_id))])
    files = journal(tmp_path, "reader").pending()
    next(files)
    journal(tmp_path, "other").remove(str(tmp_path / f"{LEDGER}-2.jsonl"))
    assert list(files) == []


@pytest.mark.parametrize("obstacle", ["a file in its place", "a folder in the file's place"])
def test_a_journal_that_cannot_be_written_says_so_and_what_to_do(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path / "journal"
    if obstacle == "a file in its place":
        folder.write_text("")
    else:
        (folder / f"{LEDGER}-1.jsonl").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"Could not write the journal .*-1\.jsonl: .*journal=") as caught:
        journal(folder, "1").append([closed(1)])
    assert "李优图" not in str(caught.value)


def test_a_disk_that_is_full_spoils_nothing_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = journal(tmp_path, "1")
    writer.append([closed(1)])
    write = os.write

    def write_half(file: int, content: Any) -> int:
        write(file, bytes(content[: len(content) // 2]))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_half)
        with pytest.raises(JournalError, match="No space left on device"):
            writer.append([closed(2), closed(3)])
    writer.append([closed(2), closed(3)])
    ((*calls,),) = pending(tmp_path).values()
    assert calls == [closed(1), closed(2), closed(3)]


def test_threads_that_append_at_once_lose_no_line(tmp_path: Path) -> None:
    writer = journal(tmp_path, "1")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: writer.append([closed(number)]), range(200)))
    ((*calls,),) = pending(tmp_path).values()
    assert sorted(each.call_id for each in calls) == [closed(number).call_id for number in range(200)]


@pytest.mark.slow
def test_a_reader_never_removes_a_line_that_it_has_not_read(tmp_path: Path) -> None:
    """Its file is handed in and removed over and over while one appends to it."""
    writer, is_over = journal(tmp_path, "1"), threading.Event()

    def append() -> None:
        for number in range(300):
            writer.append([closed(number)])
        is_over.set()

    def hand_in(session_id: str) -> list[str]:
        reader, read = journal(tmp_path, session_id), list[str]()
        while not is_over.is_set():
            for name, calls in reader.pending():
                read += [each.call_id for each in calls]
                reader.remove(name)
        return read

    with ThreadPoolExecutor(3) as pool:
        appending = pool.submit(append)
        readers = [pool.submit(hand_in, session_id) for session_id in ("r1", "r2")]
        appending.result(SOON)
        read = [call_id for each in readers for call_id in each.result(SOON)]
    left = [each.call_id for calls in pending(tmp_path).values() for each in calls]
    assert sorted(read + left) == [closed(number).call_id for number in range(300)]


def _append_for_ever(folder: Path, told: Any) -> None:
    writer, number = journal(folder, "killed"), 0
    while True:
        number += 1
        writer.append([closed(number)])
        told.send(number)


@pytest.mark.slow
def test_a_process_that_is_killed_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    told, tells = spawned.Pipe(duplex=False)
    process: BaseProcess = spawned.Process(target=_append_for_ever, args=(tmp_path, tells))
    process.start()
    tells.close()
    last = 0
    while last < 20:
        last = told.recv()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(SOON)
    with suppress(EOFError):
        while True:
            last = told.recv()
    ((*calls,),) = pending(tmp_path).values()
    assert [each.call_id for each in calls][:last] == [
        closed(number).call_id for number in range(1, last + 1)
    ]


def test_a_file_that_another_run_is_handing_in_holds_nobody_up(tmp_path: Path) -> None:
    writer = journal(tmp_path, "1")
    writer.append([closed(1)])
    reading = journal(tmp_path, "reader").pending()
    (name, calls) = next(reading)
    assert (Path(name).name, calls) == (f"{LEDGER}-1.jsonl", [closed(1)])
    assert pending(tmp_path, "another reader") == {}
    assert Path(writer.append([closed(2)])).name == f"{LEDGER}-1-2.jsonl"
    journal(tmp_path, "reader").remove(name)
    assert next(reading, None) is None
    assert pending(tmp_path) == {f"{LEDGER}-1-2.jsonl": [closed(2)]}
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_another_version_keeps_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = Path(journal(tmp_path, "1").append([closed(1)]))
    good = path.read_bytes()
    path.write_bytes(good + b'{"call": "of another version"}\n' + b"[" * 100_000 + b"\n")
    reader = journal(tmp_path, "reader")
    assert [(name, list(calls)) for name, calls in reader.pending()] == [(str(path), [closed(1)])]
    reader.remove(str(path))
    assert path.exists()
    assert "does not understand" in caplog.text
    assert "another version" not in caplog.text.replace("this version", "")


def test_a_field_that_another_version_added_is_let_be(tmp_path: Path) -> None:
    path = Path(journal(tmp_path, "1").append([closed(1)]))
    path.write_bytes(path.read_bytes().replace(b'{"call_id"', b'{"colour": "red", "call_id"'))
    assert pending(tmp_path) == {f"{LEDGER}-1.jsonl": [closed(1)]}


@pytest.mark.parametrize("odd", ["folder", "loop", "dangling link"])
def test_what_is_no_file_of_ours_blocks_no_run(tmp_path: Path, odd: str) -> None:
    path = tmp_path / f"{LEDGER}-0.jsonl"
    if odd == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if odd == "loop" else tmp_path / "nowhere")
    journal(tmp_path, "1").append([closed(1)])
    assert pending(tmp_path) == {f"{LEDGER}-1.jsonl": [closed(1)]}
