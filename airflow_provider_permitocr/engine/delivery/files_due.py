"""Files of a run's window, and of windows left by earlier runs, written once each is whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.export import write_file
from airflow_provider_permitocr.engine.delivery.ports import RowsFile
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.engine.run.parts import Part
from airflow_provider_permitocr.engine.run.window import LeftRun
from airflow_provider_permitocr.errors import PermitOcrError, RunStoppedError
from airflow_provider_permitocr.permit.columns import Column

_log = logging.getLogger(__name__)


class DueFiles:
    """Writes files from the ledger; one that cannot be written keeps no other from being written.

    :param columns: of the result.
    :param stop: set it to end early; the file that is being written is then as it was.
    """

    def __init__(self, ports: TargetPorts, columns: Sequence[Column], *, stop: threading.Event) -> None:
        self._ports, self._columns, self._stop = ports, columns, stop
        self.failures: list[PermitOcrError] = []
        #: Rows of the files that were written, by their paths.
        self.written: dict[str, int] = {}
        #: Files that stay unchanged although others are written again, in words.
        self.left: list[str] = []

    def write_left(self, part: Part) -> None:
        """Write the files of earlier runs whose windows are now complete, and close these runs.

        :raises RunStoppedError: when asked to stop.
        """
        for left in part.left:
            if self._write_all(self._opened(left), left):
                self._ports.ledger.close_left(left)

    def write_own(self, *, is_whole: bool) -> bool:
        """Write the files of this run's own window; return whether none is due any more.

        :param is_whole: False: write only files that may contain part of a window.
        :raises RunStoppedError: when asked to stop.
        """
        files = [file for file in self._ports.files if is_whole or file.publishes_parts]
        written = [self._write(file) for file in files]
        if waiting := len(self._ports.files) - len(files):
            said = many(waiting, "file is", "files are")
            _log.info("%s not written: images are left for a later run", said)
        return is_whole and all(written)

    def rewrite(self, runs: Sequence[LeftRun], *, own_is_whole: bool) -> None:
        """Write the files of runs whose windows are complete, and this run's own.

        :raises RunStoppedError: when asked to stop.
        """
        for left in runs:
            if left.window.is_repeatable:
                for each in self._opened(left) or ():
                    self._write(each, left)
            elif self._ports.due_of(left):
                _log.warning("The files of the run %s are not written again: clear that run", left.run[2])
                self.left += [f"the file {due.path}: clear the run {left.run[2]}" for due in left.files]
        if own_is_whole:
            for each in self._ports.files:
                self._write(each)
        elif self._ports.files:
            _log.warning("This run's files are not written: its list has images that no run has tried")

    def _opened(self, left: LeftRun) -> list[RowsFile] | None:
        try:
            return self._ports.files_of(left)
        except PermitOcrError as error:
            self._fail(error, left)
            return None

    def _write_all(self, files: Sequence[RowsFile] | None, left: LeftRun) -> bool:
        if files is None:
            return False
        written = [self._write(file, left) for file in files]
        if written:
            _log.info("Wrote %s of the earlier run %s", many(sum(written), "file"), left.run[2])
        return all(written)

    def _write(self, file: RowsFile, left: LeftRun | None = None) -> bool:
        source = self._ports.source
        window = left.window if left else source.window
        try:
            whole_window = source.within([window], settled_too=True)
            rows = write_file(file, whole_window, self._ports.ledger, self._columns, stop=self._stop)
        except RunStoppedError:
            raise
        except PermitOcrError as error:
            self._fail(error, left)
            return False
        self.written[file.due.path] = rows
        return True

    def _fail(self, error: PermitOcrError, left: LeftRun | None) -> None:
        if left:
            error.also(f"It is a file of the earlier run {left.run[2]}; a later run tries again")
        self.failures.append(error)
