"""One step after the other to a result table that has all rows of its ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

from airflow_provider_permitocr.engine.delivery.batch import TableWriter
from airflow_provider_permitocr.engine.delivery.ports import ResultTarget
from airflow_provider_permitocr.engine.delivery.refused_rows import try_refused_again
from airflow_provider_permitocr.engine.delivery.target_check import from_the_first, reconcile
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, Delivery, DeliveryState
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.errors import RowsRefusedError
from airflow_provider_permitocr.permit.columns import Column
from airflow_provider_permitocr.permit.status import Status

#: For one large delivery, so that a warehouse usually merges once. Portraits have 100 kB each.
_LARGE_ROWS: Final = 50_000
_LARGE_BYTES: Final = 64 * 1024 * 1024
#: What a row takes besides its long texts.
_ROW_BYTES: Final = 1024


class Step(Enum):
    """What became of a step."""

    READY = auto()  #: the table was looked at, or rows that it had refused were tried again
    DELIVERED = auto()
    NOTHING = auto()  #: nothing is left to deliver
    ELSEWHERE = auto()  #: another run delivers


class TableFiller:
    """Fills one result table from the ledger, in order of version. Used by one thread.

    :param rows: per batch.
    :param is_rebuilt: deliver everything from the first row on, over the existing rows.
    :param is_over: whether to stop.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        delivery: Delivery,
        target: ResultTarget,
        columns: Sequence[Column],
        rows: int,
        *,
        is_rebuilt: bool,
        is_over: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._delivery, self._target, self._columns, self._rows = delivery, target, columns, rows
        self._is_rebuilt, self._is_over, self._clock = is_rebuilt, is_over, clock
        self._writer = TableWriter(target, columns)
        self._is_reconciled = self._is_checked = self._are_refused_tried = False
        #: When the current request to the table began; None: there is none. Read by other threads.
        self.busy_since: float | None = None
        self.was_filled = False
        self.delivered = 0
        self.refused = 0

    def prepare(self) -> None:
        """Create the table if it is missing, and make sure that its rows are this ledger's.

        :raises TargetError: naming what to change.
        :raises UnreachableError: when a retry may succeed.
        """
        self.busy_since = self._clock()
        state = self._delivery.claim()
        # Otherwise another run delivers, and may have added rows since; this is checked in our turn.
        self.was_filled = state is None or state.version > 0
        try:
            self._target.prepare(self._columns)
            if state is not None:
                self._reconcile(state)
        finally:
            self.busy_since = None
            if state is not None:
                self._delivery.release()

    def begin_turn(self) -> None:
        """Look at the table before the next batch: it may have been emptied, or filled from elsewhere."""
        self._is_checked = False

    def step(self) -> Step:
        """Do the next step.

        :raises UnreachableError: when a retry may succeed.
        :raises RowsRefusedError: when the table refuses all rows.
        """
        state = self._delivery.claim()
        if state is None:
            return Step.ELSEWHERE
        try:
            if not self._is_reconciled:
                self.busy_since = self._clock()
                self._target.prepare(self._columns)
                self._reconcile(state)
                return Step.READY
            if not self._are_refused_tried:
                self._try_refused(state)
                return Step.READY
            return self._deliver(state)
        finally:
            self.busy_since = None

    def _reconcile(self, state: DeliveryState) -> None:
        keeps_history = self._target.keeps_history
        state = reconcile(self._delivery, state, self._target.held(), keeps_history=keeps_history)
        if self._is_rebuilt and state.version:
            self._delivery.note(from_the_first(state))
        self._is_reconciled = self._is_checked = True
        self._is_rebuilt = False

    def _try_refused(self, state: DeliveryState) -> None:
        self.refused = self._delivery.count_refusals()
        if self.refused:
            self.busy_since = self._clock()
            try_refused_again(
                self._delivery,
                self._writer,
                state,
                is_over=self._is_over,
                when_not_noted=self._look_for_erased,
            )
            self.refused = self._delivery.count_refusals()
        self._are_refused_tried = True

    def _deliver(self, state: DeliveryState) -> Step:
        changed = self._changes(state.version)
        if not changed:
            return Step.NOTHING
        self.busy_since = self._clock()
        if not self._is_checked and self._target.is_empty() is (state.version > 0):
            self._is_reconciled = False
            return Step.READY
        self._is_checked = True
        if not state.version:
            # Should this run die after it has written, these rows are known to be the ledger's own.
            state = DeliveryState(changed[0].version - 1)
            self._delivery.note(state)
        self._write(state, changed)
        return Step.DELIVERED

    def _changes(self, after: int) -> Sequence[Delivered]:
        """Return what to write next: a page, or many for a table that prefers one large delivery."""
        page = self._delivery.changes(after, self._rows)
        if not self._target.is_filled_at_end:
            return page
        changed = list(page)
        size = sum(map(_size, page))
        while page and len(changed) < _LARGE_ROWS and size < _LARGE_BYTES and not self._is_over():
            page = self._delivery.changes(changed[-1].version, self._rows)
            changed += page
            size += sum(map(_size, page))
        return changed

    def _write(self, state: DeliveryState, changed: Sequence[Delivered]) -> None:
        written = self._writer.write(changed, rows_until=state.version)
        self._forget_erased(changed)
        if self._writer.is_hopeless:  # not all were tried
            version, rows = state.version, state.rows
        else:
            new = len({each.row_key for each in changed if each.first_version > state.version})
            version, rows = changed[-1].version, max(0, state.rows + new - written.rowless)
        has_refused = bool(self.refused or written.refused)
        is_noted = self._delivery.note(
            DeliveryState(version, rows, max(state.highest, written.highest)),
            refused=written.refused,
            taken=written.taken if has_refused else (),
        )
        if not is_noted:
            self._look_for_erased([each.row_key for each in changed])
        self.delivered += len(written.taken)
        if has_refused:
            self.refused = self._delivery.count_refusals()
        if self._writer.is_hopeless:
            raise RowsRefusedError(
                f"The result table {self._delivery.target!r} refuses all rows: {written.refused[0].reason}."
                " Their answers are in the ledger. Fix the table's constraints or triggers and clear the"
                " task to deliver them without a call"
            )

    def _look_for_erased(self, row_keys: Sequence[RowKey]) -> None:
        """Delete erased images again after rows were written while another run delivered.

        That run may have deleted people from a history who were erased since these rows were read.
        """
        if self._target.keeps_history:
            self._forget_erased(self._delivery.rows_of(list(dict.fromkeys(row_keys))))

    def _forget_erased(self, changed: Sequence[Delivered]) -> None:
        """Delete erased images from a history, before recording that this is done."""
        erased = {each.row_key: each.version for each in changed if each.standing.status is Status.ERASED}
        if erased and self._target.keeps_history:
            self._target.forget(erased)


def _size(delivered: Delivered) -> int:
    texts = (value for value in (delivered.fields or {}).values() if isinstance(value, str))
    return _ROW_BYTES + sum(map(len, texts))
