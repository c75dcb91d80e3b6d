"""Reads one list's state from a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.models import Answer, Previous, RowKey
from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.failures import database_errors
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.runs.leftovers import unsettled
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from airflow_provider_permitocr.sql.ledger.tables.keys import key_fault
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

T = TypeVar("T")


class LedgerReader:
    """The read side of a ledger; empty until it is opened.

    :param run_name: the DAG run of the task that reads.
    :param session_id: this process.
    :param disclosure: what of the answers leaves it.
    :param patience: how long reading waits for the database.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: Ledger,
        *,
        run_name: str,
        session_id: str = "",
        disclosure: Disclosure = Disclosure(),
        patience: Patience = Patience(),
    ) -> None:
        keep_data_out_of_logs()
        self._engine, self._described, self._patience = engine, described, patience
        self._run_name, self._session_id, self._disclosure = run_name, session_id, disclosure
        self._where: tuple[LedgerTables, int] | None = None

    def where(self) -> tuple[LedgerTables, int] | None:
        """Return the tables and the list's number; None if the ledger or the list does not exist yet."""
        return self._where

    def key_fault(self, image_key: str) -> str | None:
        """Return why the ledger cannot store a key, without quoting it; None if it can."""
        return key_fault(database_of(self._engine), image_key)

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known about these images."""
        return self._read(lambda opened: standings.previous(opened, self._run_name, row_keys), {})

    def held(self, row_keys: Sequence[RowKey]) -> Set[RowKey]:
        """Return the images that other runs or tries are calling for."""
        return self._read(lambda opened: standings.held(opened, self._session_id, row_keys), set())

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        """Return the latest answer for an image with this digest; None if there is none."""
        return self._read(
            lambda opened: standings.find_answer(
                opened,
                image_digest,
                card_side,
                with_portrait=self._disclosure.with_portrait,
                reading=self._disclosure.reading,
            ),
            None,
        )

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        """Return images by key; images that were never tried are left out."""
        found: dict[RowKey, Delivered] = self._read(
            lambda opened: standings.delivered(opened, row_keys, self._disclosure.reading), {}
        )
        if not (found and self._where):
            return found
        shown = self._disclosure.of(self._engine, self._where[0], list(found.values()))
        return {each.row_key: each for each in shown}

    def _unsettled(
        self, before: datetime, after: RowKey | None, most: int, *, only_redone: bool
    ) -> Sequence[RowKey]:
        found: list[RowKey] = self._read(
            lambda opened: unsettled(opened, before=before, after=after, most=most, only_redone=only_redone),
            [],
        )
        return found

    def _read(self, read: Callable[[OpenList], T], empty: T) -> T:
        if (where := self._where) is None:
            return empty
        doing = f"reading the ledger {self._described.name!r}"
        with database_errors(doing):
            return self._patience.read(
                self._engine, lambda connection: read(OpenList(connection, *where)), doing
            )
