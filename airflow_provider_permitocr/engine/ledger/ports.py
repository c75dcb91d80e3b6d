"""What a run asks of its ledger, and of the journal while the ledger is unreachable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import Attempt, CallIntent, ClosedCall, Exchanged
    from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, Delivery
    from airflow_provider_permitocr.engine.models import Answer, Previous, RowKey
    from airflow_provider_permitocr.engine.progress.facts import LedgerSums
    from airflow_provider_permitocr.engine.run.summary import RunSummary
    from airflow_provider_permitocr.engine.run.window import Leftovers, LeftRun
    from airflow_provider_permitocr.options.lists.redo import Redo
    from airflow_provider_permitocr.permit.api import CardSide


class KnownImages(Protocol):
    """What the ledger already knows about images."""

    def key_fault(self, image_key: str) -> str | None:
        """Return why the ledger cannot store a key, without quoting it; None if it can."""
        ...

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known about these images."""
        ...


class Answers(Protocol):
    """Answers in the ledger, by picture. Called from several threads at once."""

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        """Return the latest answer for an image with this digest; None if there is none.

        :raises PermitOcrError: when the lookup fails.
        """
        ...


class LeftBehind(Protocol):
    """What earlier runs of a list have left."""

    def leftovers(self) -> Leftovers:
        """Return what earlier runs have left that no living run has taken; a run then has it."""
        ...

    def unsettled(self, after: RowKey | None, most: int, *, only_redone: bool = False) -> Sequence[RowKey]:
        """Return images to try again or to redo, by key, but for those that this run has tried.

        :param after: the last of those that were returned before; None: from the first on.
        :param only_redone: only those to redo.
        """
        ...


class PortraitStore(Protocol):
    """Where portraits are stored. Called from several threads at once."""

    def prepare(self) -> None:
        """Make sure that portraits can be written.

        :raises TargetError: naming what to change.
        :raises UnreachableError: when it cannot be reached.
        """
        ...

    def put(self, portraits: Mapping[str, bytes]) -> Mapping[str, str]:
        """Write portraits; it may be repeated after an error.

        :param portraits: by name.
        :return: the path or URL of each, by name.
        :raises TargetError: naming what to change.
        :raises UnreachableError: when a retry may succeed.
        """
        ...

    def remove(self, files: Collection[str]) -> None:
        """Delete portraits; one that is already gone is not an error.

        :param files: the last parts of their paths.
        :raises UnreachableError: when a retry may succeed.
        """
        ...


@dataclass(frozen=True)
class KeptAnswers:
    """What a ledger stores of a list's answers in force.

    :param readable: as the API returned them: read again with this version's knowledge.
    :param erased: rows that are gone; the target keeps its columns.
    :param adopted: taken over from a result table, with its columns.
    :param protected: stored as columns under a privacy policy.
    :param others: images without an answer.
    """

    readable: int = 0
    erased: int = 0
    adopted: int = 0
    protected: int = 0
    others: int = 0

    @property
    def images(self) -> int:
        """All images that have been tried."""
        return self.readable + self.erased + self.adopted + self.protected + self.others


class Ledger(KnownImages, Answers, LeftBehind, Protocol):
    """All that runs remember. ``exchange`` is called from one thread at a time, all others from any."""

    @property
    def ledger_id(self) -> str:
        """What journals know this ledger by; known once it is prepared."""
        ...

    def prepare(self, key_type: str | None, listed: int = 0) -> None:
        """Create what is missing, and make sure that this list, source, target and run may use it.

        :param key_type: of the list's keys; None if the list is empty.
        :param listed: how many images this run's window has.
        :raises TargetError: naming what to change.
        """
        ...

    def exchange(
        self,
        intents: Sequence[CallIntent],
        closed: Sequence[ClosedCall],
        attempts: Sequence[Attempt],
    ) -> Exchanged:
        """Write closed calls and attempts, and intents as far as they are granted, in one transaction.

        Safe to repeat with the same values after an error, whether or not they were written.

        :raises LedgerUnreachableError: when a retry may succeed.
        :raises LedgerError: when the database refuses permanently.
        """
        ...

    def hand_in(self, closed: Sequence[ClosedCall]) -> Sequence[ClosedCall]:
        """Close calls of any run from a journal; calls that are already closed stay unchanged.

        :return: those that the ledger does not know or refuses.
        :raises LedgerUnreachableError, LedgerError: as ``exchange``.
        """
        ...

    def held(self, row_keys: Sequence[RowKey]) -> Set[RowKey]:
        """Return the images that other runs or tries are calling for."""
        ...

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        """Return images by key; images that were never tried are left out."""
        ...

    def delivery(self, target: str, *, keeps_history: bool = False) -> Delivery:
        """Return the state of a target of this list.

        :param keeps_history: the target has a row for each recognition.
        """
        ...

    def mark_redone(self, redo: Redo) -> int:
        """Have images recognized again, by this run or the next; return how many."""
        ...

    def close_left(self, left: LeftRun) -> None:
        """Write down that a window which was taken over is whole, and its files with it."""
        ...

    @property
    def answers_table(self) -> str:
        """The table that keeps answers, with its schema; known once it is prepared."""
        ...

    def kept_answers(self) -> KeptAnswers:
        """Count the answers that are in force, by what is left of them."""
        ...

    def examine_again(self) -> int:
        """Examine all answers in force again, so that reviews ask about what is doubtful now.

        :return: images about which something else is known since.
        """
        ...

    def whole_runs(self) -> Sequence[LeftRun]:
        """Return runs of this list whose window is complete and was written to files, oldest first."""
        ...

    def keep_alive(self) -> None:
        """Send this run's heartbeat; after two minutes without one, other runs take over what it holds."""
        ...

    def close_run(self, summary: RunSummary, *, whole: bool, left: int = 0) -> None:
        """Write down how the run has ended.

        :param whole: every image of its window was dealt with, and its files are written.
        :param left: how many images of its window were not.
        """
        ...

    def sums(self) -> LedgerSums | None:
        """Sum up what concerns more than this run, for monitoring; None until it is prepared.

        Does not wait for a database that is down. From any thread.

        :raises PermitOcrError: when the ledger cannot be read now.
        """
        ...

    def delete_delivered(self) -> None:
        """Delete answers that must not be kept and that every target has; called after the run is closed."""
        ...


class LedgerView(KnownImages, Answers, LeftBehind, Protocol):
    """A ledger that is looked at and not written; one that is missing is empty."""

    def look(self, key_type: str | None) -> None:
        """Make sure, without changing anything, that a run can use it.

        :param key_type: of the list's keys; None if the list is empty.
        :raises TargetError: naming what to change.
        """
        ...

    def redone(self, redo: Redo) -> int:
        """Count the images to recognize again."""
        ...


class Journal(Protocol):
    """A file for answers that cannot be written into the ledger now. Called from any thread."""

    def use(self, ledger_id: str) -> None:
        """Keep only calls of this ledger; called before any other method."""
        ...

    def append(self, closed: Sequence[ClosedCall], *, refused: bool = False) -> str:
        """Store closed calls durably: once this returns, they survive the end of this process.

        :param refused: the ledger's database refuses them.
        :return: the place.
        :raises PermitOcrError: when they cannot be kept.
        """
        ...

    def discard(self) -> None:
        """Remove what this run has kept, because the ledger has it."""
        ...

    def pending(self) -> Iterator[tuple[str, Sequence[ClosedCall]]]:
        """Read what other runs have kept for this ledger, as a name and its calls each."""
        ...

    def remove(self, name: str) -> None:
        """Release what has been handed in."""
        ...
