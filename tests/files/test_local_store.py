from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.files.local_store import LocalStore

if TYPE_CHECKING:
    from tests.files.conftest import Place


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o002)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_whole_or_not_there_and_private_until_then(tmp_path: Path, umask: None) -> None:
    file = tmp_path / "a.csv"

    def write(stream: BinaryIO) -> None:
        stream.write(b"half")
        (temporary,) = tmp_path.iterdir()
        assert temporary != file
        assert mode(temporary) == 0o600

    LocalStore().put(str(file), write)

    assert file.read_bytes() == b"half"
    assert mode(file) == 0o600


@pytest.mark.parametrize("file_mode", [0o600, 0o640, 0o666])
def test_a_file_has_the_mode_that_was_asked_for_whatever_it_replaces(
    tmp_path: Path, umask: None, file_mode: int
) -> None:
    new, replaced = tmp_path / "a.csv", tmp_path / "b.csv"
    replaced.write_bytes(b"old")
    replaced.chmod(0o644)
    for file in (new, replaced):
        LocalStore(file_mode).put(str(file), lambda stream: stream.write(b"new"))
        assert (file.read_bytes(), mode(file)) == (b"new", file_mode)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"old")

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise error

    with pytest.raises(type(error)):
        LocalStore().put(str(file), fail)

    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_writer_left_over_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, time\n"
        "from airflow_provider_permitocr.files.local_store import LocalStore\n"
        "def hang(stream):\n"
        "    stream.write(b'half'); stream.flush(); print('writing', flush=True); time.sleep(600)\n"
        "LocalStore().put(sys.argv[1], hang)\n"
    )
    file, store = tmp_path / "a.csv", LocalStore()
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
        writers[0].kill()
        writers[0].wait()
        assert len(list(tmp_path.iterdir())) == 2
        store.clean(str(file))
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    store.clean(str(tmp_path / "other.csv"))
    assert len(list(tmp_path.iterdir())) == 1
    store.clean(str(file))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_reported_before_the_first_call(disk: Place) -> None:
    Path(disk.directory).rmdir()
    with pytest.raises(
        TargetError, match=r"warehouse/permits.csv.*No such file or directory.*create its place"
    ):
        disk.rows_file("permits.csv").prepare()


def test_a_directory_in_place_of_the_file_is_reported_before_the_first_call(disk: Place) -> None:
    (Path(disk.directory) / "permits.csv").mkdir()
    with pytest.raises(TargetError, match=r"permits.csv.*Is a directory"):
        disk.rows_file("permits.csv").prepare()


def test_a_missing_right_is_reported_before_the_first_call(
    disk: Place, without_rights: Callable[[], AbstractContextManager[None]]
) -> None:
    for directory in (Path(disk.directory), *Path(disk.directory).parents):
        if directory.stat().st_uid == os.geteuid() and directory != Path("/tmp"):
            directory.chmod(0o755 if directory != Path(disk.directory) else 0o555)
    with without_rights(), pytest.raises(TargetError, match=r"permits.csv.*grant the right to"):
        disk.rows_file("permits.csv").prepare()
