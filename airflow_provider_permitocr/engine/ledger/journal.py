"""A local file for answers that are paid for while the ledger cannot be written.

Each line is one closed call. The journal decides nothing: a run that finds it hands its lines in, by
``call_id``, and removes it.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, ClosedCall
from airflow_provider_permitocr.engine.ledger.journal_lines import UnknownLineError, from_line, to_line
from airflow_provider_permitocr.engine.ledger.ports import Journal, Ledger
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.errors import JournalError

_SUFFIX: Final = ".jsonl"
_CHUNK: Final = 1 << 20
#: How long to wait for a file that a run is handing in, before another is begun.
_LOCK_TRIES: Final = 20
_LOCK_WAIT_SECONDS: Final = 0.005
#: Error numbers of file systems without locks.
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_log = logging.getLogger(__name__)


class FileJournal:
    """The journal of one process, in a folder that all runs of a ledger on this machine share.

    :param folder: made when there is something to keep, readable only by its owner.
    :param session_id: this process.
    :param sleep: takes seconds.
    """

    def __init__(
        self, folder: Path, *, session_id: str, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._folder, self._session_id, self._sleep = folder, session_id, sleep
        self._ledger_id = ""
        self._number = 1
        self._unknown: set[str] = set()
        self._turn = threading.Lock()

    def use(self, ledger_id: str) -> None:
        """Keep answers only for this ledger."""
        self._ledger_id = ledger_id

    def append(self, closed: Sequence[ClosedCall], *, refused: bool = False) -> str:
        """Keep closed calls; they are on the disk once this returns.

        :param refused: the ledger's database does not take them.
        :return: the file.
        :raises JournalError: when they cannot be kept.
        """
        lines = b"".join(to_line(each) for each in closed)
        path = self._path(refused=refused)
        try:
            _make_private(self._folder)
            with self._turn:  # threads of one process would mistake each other for another run
                path = self._append_patiently(lines, refused=refused)
            self._sync_folder()
        except OSError as error:
            raise JournalError(
                f"Could not write the journal {path}: {error.strerror}. Answers that the ledger does not"
                " take either are lost when this process ends. Free space, or name another folder in journal="
            ) from None
        return str(path)

    def _append_patiently(self, lines: bytes, *, refused: bool) -> Path:
        path = self._path(refused=refused)
        for tried in range(1, 2 * _LOCK_TRIES):
            try:
                _append(path, lines)
            except BlockingIOError:  # a run is handing it in, and may itself wait for the ledger
                if tried % _LOCK_TRIES == 0:
                    self._number += 1
                    path = self._path(refused=refused)
                self._sleep(_LOCK_WAIT_SECONDS)
            else:
                return path
        raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))

    def discard(self) -> None:
        """Remove what this process has kept, because the ledger has it."""
        for number in range(1, self._number + 1):
            self.remove(str(self._path(number)))

    def pending(self) -> Iterator[tuple[str, Sequence[ClosedCall]]]:
        """Read what other processes have kept for this ledger.

        A file stays locked until the next one is requested, so nothing is added to it before it is removed. A
        file that another run is handing in is skipped.
        """
        own = {
            self._path(number, refused=refused)
            for number in range(1, self._number + 1)
            for refused in (False, True)
        }
        for path in sorted(self._folder.glob(f"{self._ledger_id}-*{_SUFFIX}")):
            if path in own:
                continue
            try:
                with _locked(path, os.O_RDWR) as file:
                    yield str(path), self._calls(path, _read(file))
            except (FileNotFoundError, BlockingIOError):
                continue  # another run hands it in, or has
            except OSError as error:
                _log.warning(
                    "Cannot read the journal %s (%s); its answers are not in the ledger yet",
                    path,
                    error.strerror,
                )

    def remove(self, name: str) -> None:
        """Remove a file that was handed in. If removal fails, it is handed in again, which changes nothing.

        A file with lines that were not understood stays for the package version that understands them.
        """
        if name not in self._unknown:
            with suppress(OSError):
                Path(name).unlink(missing_ok=True)

    def _calls(self, path: Path, content: bytes) -> Sequence[ClosedCall]:
        calls: dict[str, ClosedCall] = {}  # one that was written in part, and then again, may be there twice
        for line in content.splitlines():
            try:
                if call := from_line(line):
                    calls[call.call_id] = call
            except UnknownLineError:
                self._unknown.add(str(path))
        if str(path) in self._unknown:
            _log.warning("The journal %s has lines that this version does not understand; it is kept", path)
        return list(calls.values())

    def _path(self, number: int | None = None, *, refused: bool = False) -> Path:
        number = self._number if number is None else number
        part = ("-refused" if refused else "") + (f"-{number}" if number > 1 else "")
        return self._folder / f"{self._ledger_id}-{self._session_id}{part}{_SUFFIX}"

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _make_private(folder: Path) -> None:
    """Create a folder for its owner only, including parents, which ``mkdir`` would make accessible to all."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _append(path: Path, lines: bytes) -> None:
    with _locked(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as file:
        # One that was killed while it wrote has left half a line.
        if (size := os.fstat(file).st_size) and os.pread(file, 1, size - 1) != b"\n":
            lines = b"\n" + lines
        _write(file, lines)
        os.fsync(file)


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    """Open a file with an exclusive lock, and make sure that it still exists once it is locked.

    :raises BlockingIOError: when another process holds the lock.
    """
    while True:
        file = os.open(path, flags, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            if os.fstat(file).st_nlink:
                yield file
                return
        finally:
            os.close(file)


def _read(file: int) -> bytes:
    chunks = []
    while chunk := os.read(file, _CHUNK):
        chunks.append(chunk)
    return b"".join(chunks)


def _write(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def hand_in_waiting(ledger: Ledger, journal: Journal, log: Log) -> int:
    """Close the calls that wait in journals.

    :param ledger: is prepared.
    :return: how many answers the ledger does not take, which stay in their journals.
    """
    journal.use(ledger.ledger_id)
    waiting = 0
    for name, closed in journal.pending():
        # Calls that were not made, and that the ledger does not know, need no waiting.
        left = [each for each in ledger.hand_in(closed) if each.code != NOT_SENT]
        log.info(f"Recorded {len(closed) - len(left):,} of {len(closed):,} calls kept in {name}")
        if not left:
            journal.remove(name)
        waiting += len(left)
    return waiting
