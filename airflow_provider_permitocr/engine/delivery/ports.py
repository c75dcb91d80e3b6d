"""What a run asks of result tables and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.engine.models import RowKey
    from airflow_provider_permitocr.engine.run.window import DueFile
    from airflow_provider_permitocr.permit.columns import Column


@dataclass(frozen=True)
class Held:
    """What a result table holds.

    :param rows: how many.
    :param highest: highest version of a row; None if no row has one.
    """

    rows: int
    highest: int | None = None


class ResultTarget(Protocol):
    """A result table."""

    @property
    def is_filled_at_end(self) -> bool:
        """Whether it prefers one large delivery to many small ones."""
        ...

    @property
    def keeps_history(self) -> bool:
        """Whether it has a row for each recognition."""
        ...

    @property
    def when_locked(self) -> str:
        """Return what to do if another session locks it."""
        ...

    def prepare(self, columns: Sequence[Column]) -> None:
        """Create what is missing.

        :param columns: of the result.
        :raises TargetError: naming what to change.
        """
        ...

    def held(self) -> Held:
        """Return its state. May read the whole table.

        :raises UnreachableError: when a retry may succeed.
        """
        ...

    def is_empty(self) -> bool:
        """Return whether it holds no row.

        :raises UnreachableError: when a retry may succeed.
        """
        ...

    def write(
        self,
        frame: pd.DataFrame,
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> Mapping[int, str]:
        """Insert or replace rows by ``(image_key, card_side)``, but never by rows of a smaller version.

        :param with_answers: False: leave the answers' columns unchanged.
        :param only_new: existing rows stay unchanged.
        :param most_refused: stop once this many rows are refused; None: try all.
        :return: by the row's index in the frame, the reason why its values were refused, without values; ''
            for a row that was not tried. All other rows are written.
        :raises UnreachableError: when a retry may succeed.
        """
        ...

    def forget(self, versions: Mapping[RowKey, int]) -> None:
        """Delete the rows of erased images that are older than their erasure; only for a history.

        :param versions: of the erasures.
        :raises TargetError: when the right to delete is missing.
        :raises UnreachableError: when a retry may succeed.
        """
        ...


class RowsFile(Protocol):
    """A file that holds the rows of a run's window, whole or not there."""

    @property
    def due(self) -> DueFile:
        """Its description, with which a later run can write it."""
        ...

    @property
    def publishes_parts(self) -> bool:
        """Whether it is also written if its window is incomplete."""
        ...

    def prepare(self) -> None:
        """Make sure, before anything is paid for, that it can be written.

        :raises TargetError: naming what to change.
        """
        ...

    def write(self, columns: Sequence[Column], frames: Iterable[pd.DataFrame]) -> None:
        """Write it completely or not at all.

        :param frames: a bounded number of rows at a time.
        """
        ...
