"""The table that a result is written to, as specified by a DAG author."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.validation import check, choice, optional, table_name, text


class WriteMode(StrEnum):
    """What a result table keeps when an image is recognized more than once."""

    UPSERT = "upsert"  #: the last recognition, in one row per image and side
    APPEND = "append"  #: every recognition, in a row each, with its run


class SchemaContract(StrEnum):
    """What may happen to a result table that lacks columns."""

    EVOLVE = "evolve"  #: they are added; columns are never dropped, and types never change
    FREEZE = "freeze"  #: the run is refused before its first call


@dataclass(frozen=True, kw_only=True, repr=False)
class ResultTable(Readable):
    """The table that gets one row per image and side; created if missing.

    :param table: its name, optionally as ``schema.name``.
    :param conn_id: Airflow connection of the database.
    :param mode: ``upsert`` keeps one row per image and side, ``append`` a row per recognition.
    :param schema_contract: ``evolve`` adds columns that an existing table lacks, ``freeze`` refuses it.
    :param documents_view: name of a view to create beside the table, with one row per key that holds the
        fields of both sides; None: no view.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("table", "conn_id", "documents_view")

    table: str = field(kw_only=False)
    conn_id: str
    mode: WriteMode | str = WriteMode.UPSERT
    schema_contract: SchemaContract | str = SchemaContract.EVOLVE
    documents_view: str | None = None

    def __post_init__(self) -> None:
        check(
            self,
            table=table_name(),
            conn_id=text(),
            mode=choice(WriteMode),
            schema_contract=choice(SchemaContract),
            documents_view=optional(table_name()),
        )
        if self.documents_view == self.table:
            raise ValueError("ResultTable: documents_view must not have the table's name")


def split_schema(table: str) -> tuple[str | None, str]:
    """Split ``schema.table``; the schema is None if missing."""
    schema, _, name = table.rpartition(".")
    return schema or None, name
