"""Erases personal data, or what a policy hides: in the ledger, then in targets, without a call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.deliveries import raise_first
from airflow_provider_permitocr.engine.delivery.files_due import DueFiles
from airflow_provider_permitocr.engine.delivery.refill import Filled, Refill
from airflow_provider_permitocr.engine.erasure.ports import ErasedImages, LedgerErasure
from airflow_provider_permitocr.engine.ledger.journal import hand_in_waiting
from airflow_provider_permitocr.engine.ledger.ports import Journal
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.engine.run.progress import Log
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.run import Batch

#: What no erasure reaches.
_NEVER_REACHED: Final = (
    "copies that others have made of tables and files, backups, replicas and earlier versions of objects",
    "columns of tables that the list no longer copies, and files of runs that were pruned",
    "logs of databases, such as those for replication and of statements",
    "journals on other machines; answers of erased images in them are dropped once they are handed in",
)


@dataclass(frozen=True)
class PlannedErasure:
    """What an erasure would do, in numbers only.

    :param tables, files: to be written again.
    """

    images: ErasedImages
    tables: int
    files: int
    not_reached: tuple[str, ...]

    def __str__(self) -> str:
        targets = f"{many(self.tables, 'table')} and {many(self.files, 'file')}"
        return f"{_said(self.images)}; {targets} would be written"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        return asdict(self.images) | {"tables": self.tables, "files": self.files}


@dataclass(frozen=True, kw_only=True)
class Erased(Filled):
    """What was done, in numbers only. Older rows of those that are refused may hold what should be erased.

    :param not_reached: where erased data may remain, in words.
    """

    images: ErasedImages
    not_reached: tuple[str, ...]

    def __str__(self) -> str:
        said = (
            f"{_said(self.images)}; {many(self.written, 'row')} and {many(len(self.files), 'file')} written"
        )
        return f"{said}; {many(self.refused, 'row')} refused by a table" if self.refused else said

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, fit for XCom."""
        further = {"files": len(self.files), "not_reached": list(self.not_reached)}
        return asdict(self.images) | super().as_dict() | further


class Erasure(Refill):
    """One erasure of one list.

    :param in_ledger: the part of it that the ledger does.
    :param remarks: what the databases keep of deleted rows, in words.
    :param stop: set it to end early; what was erased stays erased.
    """

    def __init__(
        self,
        ports: TargetPorts,
        journal: Journal,
        in_ledger: LedgerErasure,
        batch: Batch,
        *,
        remarks: Sequence[str] = (),
        log: Log,
        stop: threading.Event,
    ) -> None:
        super().__init__(ports, batch, stop=stop)
        self._journal, self._in_ledger = journal, in_ledger
        self._remarks, self._log = tuple(remarks), log
        self._unfinished = 0

    def plan(self) -> PlannedErasure:
        """Count what ``run`` would do. Changes nothing that is stored.

        :raises TargetError: when the ledger does not know the list.
        """
        self.ledger.prepare(None)
        images = self._in_ledger.count()
        self._unfinished = self._in_ledger.unfinished_files()
        files = sum(len(run.files) for run in self.ledger.whole_runs() if run.window.is_repeatable)
        return PlannedErasure(images, len(self._ports.tables), files, self._not_reached(images))

    def run(self) -> Erased:
        """Erase in the ledger, then update all tables and write files again.

        Safe to repeat, for instance after an error.

        :raises TargetError: when the ledger does not know the list, or a right is missing.
        :raises UnreachableError: when a target cannot be filled now; all others are, and the list's next run
            fills it, too.
        :raises RunStoppedError: when asked to stop.
        """
        self.ledger.prepare(None)
        # First, because waiting answers would restore erased data.
        refused = hand_in_waiting(self.ledger, self._journal, self._log)
        images = self._in_ledger.erase(self._stop)
        self._log.info(f"Erased in the ledger: {_said(images)}")
        failures, left = self._fill()
        not_reached = [*left, *(str(each) for each in failures)]
        if refused:
            not_reached.append(
                f"{many(refused, 'answer')} in journals of this machine that the ledger refuses"
            )
        if self._deliveries.refused:
            not_reached.append(
                f"{many(self._deliveries.refused, 'row')} of tables that refuse to have them changed"
            )
        done = Erased(
            images=images,
            tables=self._deliveries.delivered,
            refused=self._deliveries.refused,
            files=self._files,
            not_reached=(*not_reached, *self._not_reached(images)),
        )
        self._in_ledger.end(". ".join((str(done), *not_reached)))
        raise_first(failures)
        return done

    def _fill(self) -> tuple[list[PermitOcrError], list[str]]:
        """Return what failed, and what was left unchanged."""
        self._look_at_list()
        failures: list[PermitOcrError] = []
        try:
            self._deliveries.prepare(self.columns)
            self._fill_tables()
        except PermitOcrError as error:
            if self._stop.is_set():
                raise
            failures.append(error)
        finally:
            self._deliveries.close()
        files = self._due_files()
        self._rewrite(files)
        return [*failures, *files.failures], files.left

    def _rewrite(self, files: DueFiles) -> None:
        """Write the files of finished runs again, also of those that finish meanwhile.

        Unfinished runs are counted before finished ones are looked up: none is in neither.
        """
        done: set[tuple[str, str, str, int]] = set()
        while True:
            self._unfinished = self._in_ledger.unfinished_files()
            runs = [each for each in self.ledger.whole_runs() if each.run not in done]
            if runs or not done:
                files.rewrite(runs, own_is_whole=False)
            if not runs:
                return
            done |= {each.run for each in runs}

    def _not_reached(self, images: ErasedImages) -> tuple[str, ...]:
        """Describe where erased data may remain."""
        said = []
        if images.unreadable:
            said.append(
                f"{many(images.unreadable, 'row')} of tables whose answers are gone from the ledger: no"
                " policy can be applied to them; erase them or recognize them again"
            )
        said += [
            f"the table {each}, which this task does not name" for each in self._in_ledger.other_targets()
        ]
        if self._unfinished:
            said.append(
                f"files of {self._unfinished:,} unfinished runs: the run that completes them writes them"
                " again, unless it had read its images already"
            )
        return (*said, *self._remarks, *_NEVER_REACHED)


def _said(images: ErasedImages) -> str:
    said = [f"{many(images.images, 'image')}, {many(images.answers, 'answer')}"]
    if images.identical:
        said.append(f"{images.identical:,} of the images have the same picture as a selected image")
    if images.portraits:
        said.append(f"{many(images.portraits, 'portrait')}")
    if images.erased_before:
        said.append(f"{many(images.erased_before, 'image was', 'images were')} erased before")
    if images.unknown_keys:
        said.append(f"the ledger does not know {images.unknown_keys:,} of the keys")
    return "; ".join(said)
