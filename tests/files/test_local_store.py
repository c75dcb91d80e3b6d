from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.files.errors import FileError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.table_export import TableExport

if TYPE_CHECKING:
    from tests.files.conftest import Place

Prepare = Callable[["Place"], None]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.fixture(params=["target", "export"])
def prepare(request: pytest.FixtureRequest) -> Prepare:
    """Do what a run does with its file before the first call."""

    def run(place: Place) -> None:
        if request.param == "target":
            place.target("permits.csv").prepare()
        else:
            TableExport(place.file("permits.csv")).prepare()

    return run


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
    assert mode(file) == 0o640


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"old")
    file.chmod(0o604)
    LocalStore().put(str(file), lambda stream: stream.write(b"new"))
    assert (file.read_bytes(), mode(file)) == (b"new", 0o604)


def test_the_folder_of_the_parts_is_private(disk: Place, new_row: Callable[..., Record], write: Any) -> None:
    target = disk.target("permits.csv")
    target.prepare()
    write(target, new_row("a"))
    assert mode(Path(disk.directory) / "_permits.csv.parts") == 0o700


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


def test_a_missing_directory_is_said_before_the_first_call(disk: Place, prepare: Prepare) -> None:
    Path(disk.directory).rmdir()
    with pytest.raises(
        TargetError, match=r"warehouse/permits.csv.*No such file or directory.*create its place"
    ):
        prepare(disk)


def test_a_directory_in_place_of_the_file_is_said_before_the_first_call(
    disk: Place, prepare: Prepare
) -> None:
    (Path(disk.directory) / "permits.csv").mkdir()
    with pytest.raises(TargetError, match=r"permits.csv.*Is a directory"):
        prepare(disk)


def test_a_missing_right_is_said_before_the_first_call(
    disk: Place, prepare: Prepare, without_rights: Callable[[], AbstractContextManager[None]]
) -> None:
    for directory in (Path(disk.directory), *Path(disk.directory).parents):
        if directory.stat().st_uid == os.geteuid() and directory != Path("/tmp"):
            directory.chmod(0o755 if directory != Path(disk.directory) else 0o555)
    with without_rights(), pytest.raises(TargetError, match=r"permits.csv.*grant the right to"):
        prepare(disk)


def test_a_full_disk_is_said_and_leaves_the_old_file(
    disk: Place, new_row: Callable[..., Record], write: Any
) -> None:
    old = disk.target("permits.csv")
    old.prepare()
    write(old, new_row("old"))
    old.finish()
    before = disk.read("permits.csv")
    target = disk.target("permits.csv")
    target.prepare()
    write(target, new_row("new", name="secret-name" * 10_000))
    limit = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
    )
    program = limit + (
        "from airflow_provider_permitocr.files.errors import FileError\n"
        "from airflow_provider_permitocr.files.file_target import FileResultTarget\n"
        "from airflow_provider_permitocr.files.local_store import LocalStore\n"
        "from airflow_provider_permitocr.files.csv_format import CsvFormat\n"
        "from airflow_provider_permitocr.files.store import StoredFile\n"
        "file = StoredFile(LocalStore(), sys.argv[1], CsvFormat(compressed=False), 'the result file')\n"
        "try:\n"
        "    FileResultTarget(file).finish()\n"
        "except FileError as error:\n"
        "    print(error)\n"
    )

    outcome = subprocess.run(
        [sys.executable, "-c", program, f"{disk.directory}/permits.csv"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "merging the parts of the result file failed: OSError (File too large)" in outcome.stdout
    assert "secret-name" not in outcome.stdout + outcome.stderr
    assert disk.read("permits.csv") == before
    target.finish()
    assert disk.read("permits.csv").startswith(before)
    assert disk.names() == ["permits.csv"]


def test_a_fault_of_the_disk_while_parts_are_written_is_no_fault_of_the_configuration(
    disk: Place, new_row: Callable[..., Record], write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = disk.target("permits.csv")
    target.prepare()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStore, "put", fail)
    with pytest.raises(FileError, match=r"writing 1 rows beside .*No space left on device"):
        write(target, new_row("a"))
