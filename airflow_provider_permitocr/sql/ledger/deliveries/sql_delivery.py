"""A ledger's state of one target: implements a delivery of ``engine/ports.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, DeliveryState, Refusal
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.ledger.deliveries import deliveries, history, refusals
from airflow_provider_permitocr.sql.ledger.open_list import OpenList, Where
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure

T = TypeVar("T")


class SqlDelivery:
    """One target of a list, from the point of view of the process that delivers.

    The delivering thread retries failures, so there is no retry here.

    :param began_at: returns when this run began, by the ledger's clock.
    :param keeps_history: the target has a row for each recognition.
    :param disclosure: which parts of answers leave the ledger.
    """

    def __init__(
        self,
        engine: sa.Engine,
        where: Where,
        began_at: Callable[[], datetime],
        *,
        target: str,
        session_id: str,
        keeps_history: bool = False,
        disclosure: Disclosure = Disclosure(),
    ) -> None:
        self._engine, self._where, self._began_at = engine, where, began_at
        self._deliverer = deliveries.Deliverer(target, session_id)
        self._keeps_history, self._disclosure = keeps_history, disclosure
        self._number: int | None = None

    @property
    def target(self) -> str:
        """The target's name."""
        return self._deliverer.target

    def claim(self) -> DeliveryState | None:
        """Become the one that delivers to the target, or stay so, for the next minute."""
        return self._write(lambda opened: deliveries.claim(opened, self._deliverer))

    def note(
        self, state: DeliveryState, *, refused: Sequence[Refusal] = (), taken: Sequence[RowKey] = ()
    ) -> bool:
        """Write down how far the target has been filled; return whether it is written."""

        def note(opened: OpenList) -> bool:
            # Another process that delivers at the same time keeps notes of its own.
            is_written = deliveries.note(opened, self._deliverer, state)
            if is_written and (refused or taken):
                number = self._delivery_id(opened)
                refusals.drop_refusals(opened, number, taken)
                refusals.add_refusals(opened, number, refused)
            return is_written

        return self._write(note)

    def release(self) -> None:
        """Let another run deliver."""
        self._write(lambda opened: deliveries.release(opened, self._deliverer))

    def changes(self, after: int, most: int) -> Sequence[Delivered]:
        """Return images of the list that have changed after a version, by version."""
        read = history.changes if self._keeps_history else standings.changes
        return self._fit(self._read(lambda opened: read(opened, after, most, self._disclosure.reading)))

    def rows_of(self, row_keys: Sequence[RowKey]) -> Sequence[Delivered]:
        """Return images by key; of a history, all their recognitions."""

        def read(opened: OpenList) -> list[Delivered]:
            if self._keeps_history:
                return history.delivered(opened, row_keys, self._disclosure.reading)
            return list(standings.delivered(opened, row_keys, self._disclosure.reading).values())

        return self._fit(self._read(read))

    def rows_until(self, version: int) -> int:
        """Count the images up to this version that have a row in the target."""

        def count(opened: OpenList) -> int:
            rowless = refusals.count_rowless(opened, self._delivery_id(opened), version)
            return standings.count_until(opened, version) - rowless

        return self._read(count)

    def refusals(self, most: int) -> Sequence[Refusal]:
        """Return rows that the target has refused before this run, tried longest ago first."""
        before = self._began_at()
        return self._read(
            lambda opened: refusals.oldest_refusals(opened, self._delivery_id(opened), before, most)
        )

    def count_refusals(self) -> int:
        """Count the rows that the target has refused."""
        return self._read(lambda opened: refusals.count_refusals(opened, self._delivery_id(opened)))

    def count_undelivered(self) -> int:
        """Count the images whose latest result is missing from the target, by any run."""
        return self._read(lambda opened: deliveries.count_undelivered(opened, self._deliverer))

    def _delivery_id(self, opened: OpenList) -> int:
        if self._number is None:
            self._number = deliveries.delivery_id(opened, self._deliverer)
        assert self._number is not None, "a run's targets are written down when it begins"
        return self._number

    def _fit(self, delivered: Sequence[Delivered]) -> list[Delivered]:
        return self._disclosure.of(self._engine, self._where()[0], delivered)

    def _write(self, do: Callable[[OpenList], T]) -> T:
        with database_errors(f"noting a delivery to {self.target!r}"), self._engine.begin() as connection:
            return do(OpenList(connection, *self._where()))

    def _read(self, do: Callable[[OpenList], T]) -> T:
        with database_errors("reading the ledger"), self._engine.connect() as connection:
            return do(OpenList(connection, *self._where()))
