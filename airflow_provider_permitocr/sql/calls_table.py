"""The ledger, as a DAG author writes it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from airflow_provider_permitocr.core.readable import Readable
from airflow_provider_permitocr.sql.tables import check_table


class UnknownCalls(StrEnum):
    """What to do about a call that was under way when its worker died: it may have been paid for."""

    REPEAT = "repeat"  #: make it again
    KEEP = "keep"  #: leave it; its image fails with CallOutcomeUnknown


@dataclass(frozen=True, repr=False)
class CallsTable(Readable):
    """The ledger: a table with one row per call, written before the call is made.

    It wants a database with transactions that are made for many small ones.

    :param table: its name, with or without ``schema.`` in front; created where it is missing, as is
        another of the same name with ``_budget`` added, which counts calls for the caps.
    :param conn_id: Airflow connection of the database.
    :param unknown_calls: ``repeat`` or ``keep``: what to do about an image whose call was under way when its
        worker died.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("table", "conn_id")

    table: str
    conn_id: str
    unknown_calls: UnknownCalls | str = field(default=UnknownCalls.REPEAT, kw_only=True)

    def __post_init__(self) -> None:
        if not self.conn_id:
            raise ValueError("CallsTable: conn_id is empty")
        check_table("CallsTable", self.table)
        try:
            object.__setattr__(self, "unknown_calls", UnknownCalls(self.unknown_calls))
        except ValueError:
            raise ValueError(
                f"CallsTable: unknown_calls must be repeat or keep, not {self.unknown_calls!r}"
            ) from None
