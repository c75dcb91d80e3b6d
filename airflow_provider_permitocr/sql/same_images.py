"""Finds answers that a result table holds already, by picture."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.core.models import Status
from airflow_provider_permitocr.core.same_image import Answer
from airflow_provider_permitocr.sql.changes import Change, carry_out, is_refusal
from airflow_provider_permitocr.sql.errors import database_errors, describe, keep_rows_out_of_the_log
from airflow_provider_permitocr.sql.inspection import columns, folded
from airflow_provider_permitocr.sql.patience import PATIENCE_SECONDS, wait_out
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.tables import ResultTable, SchemaContract, split_schema

#: DuckDB reads a column alone as fast; warehouses have no indexes.
_INDEXING: Final = ("postgresql", "sqlite", "mysql", "mariadb", "mssql")
#: Of the connections of an engine, which has fifteen by default, and others want some.
_AT_ONCE: Final = 4
_PROVENANCE: Final = ("image_key", "reused_from", "request_id")
_PORTRAIT: Final = "profile"
_log = logging.getLogger(__name__)


class SqlSameImages:
    """The answers of a ``ResultTable``, on any database that SQLAlchemy speaks to.

    :param with_portrait: of fronts, only answers with a portrait will do; otherwise none is taken along.
    :param stop: once set, there is no more waiting for a database that is away.
    :param patience_seconds: how long to wait for one.
    """

    def __init__(
        self,
        engine: sa.Engine,
        described: ResultTable,
        *,
        with_portrait: bool,
        stop: threading.Event,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        keep_rows_out_of_the_log()
        self._engine, self._described = engine, described
        self._with_portrait = with_portrait
        self._wanted = (
            *_PROVENANCE,
            *(name for name in ANSWER_COLUMNS if with_portrait or name != _PORTRAIT),
        )
        self._stop, self._patience_seconds = stop, patience_seconds
        self._turn = threading.BoundedSemaphore(_AT_ONCE)
        self._has_answers: bool | None = None
        self._selects = {side: self._select(side) for side in CardSide}

    def prepare(self) -> None:
        """Create an index to find pictures by, where the database has such and the table may be changed.

        Without one it works too, but reads the whole table for each picture.

        :raises DatabaseError: when the database cannot be reached.
        """
        self._has_answers = None
        if self._engine.dialect.name not in _INDEXING:
            return
        doing = f"looking at the indexes of the result table {self._described.table!r}"
        with database_errors(doing):
            if self._described.schema_contract is SchemaContract.FREEZE:
                with self._engine.connect() as connection:
                    if self._lacking(connection):
                        self._warn("its schema_contract is 'freeze'")
                return
            try:
                carry_out(self._engine, self._lacking)
            except SQLAlchemyError as error:
                if not is_refusal(error):
                    raise
                self._warn(describe(error))

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        """Return the last answer that an image of this digest got, asked for the same side.

        :raises DatabaseError: when the database cannot be reached.
        """
        doing = f"looking for the same picture in the result table {self._described.table!r}"
        with database_errors(doing), self._turn:
            row = wait_out(
                partial(self._row, image_digest, card_side),
                doing=doing,
                stop=self._stop,
                patience_seconds=self._patience_seconds,
            )
        if row is None:
            return None
        fields = {name: row[name] for name in ANSWER_COLUMNS if name in row}
        # The image that was paid for, whoever took its answer last.
        image_key = row["image_key"] if row["reused_from"] is None else row["reused_from"]
        return Answer(image_key, fields, row["request_id"])

    def _row(self, image_digest: str, card_side: CardSide) -> sa.RowMapping | None:
        with self._engine.connect() as connection:
            if self._has_answers is None:
                self._has_answers = self._look(connection)
            if not self._has_answers:
                return None
            return connection.execute(self._selects[card_side], {"digest": image_digest}).mappings().first()

    def _look(self, connection: sa.Connection) -> bool:
        """Tell whether the table is there, and of a version that keeps digests."""
        schema, name = split_schema(self._described.table)
        dialect = connection.dialect.name
        found = {folded(dialect, each) for each in columns(connection, name, schema) or ()}
        return found.issuperset(self._wanted)

    def _select(self, card_side: CardSide) -> sa.Select[Any]:
        result = result_table(self._described.table).c
        select = sa.select(*(result[name] for name in self._wanted)).where(
            result.image_digest == sa.bindparam("digest"),
            result.card_side == card_side.value,
            result.status == Status.RECOGNIZED.value,
        )
        if self._with_portrait and card_side is CardSide.FRONT:
            select = select.where(result.profile.is_not(None))
        # By both columns of the index, which is then read from its end.
        return select.order_by(result.image_digest.desc(), result.processed_at.desc()).limit(1)

    def _lacking(self, connection: sa.Connection) -> list[Change]:
        """Return the index that is to be made; none where the database has one by digest."""
        schema, name = split_schema(self._described.table)
        found = sa.inspect(connection).get_indexes(name, schema)
        firsts = [index["column_names"][0] for index in found if index["column_names"]]
        if "image_digest" in [first.lower() for first in firsts if first]:
            return []
        return [self._index().create]

    def _index(self) -> sa.Index:
        result = result_table(self._described.table).c
        return sa.Index(None, result.image_digest, result.processed_at)

    def _warn(self, reason: str) -> None:
        statement = str(sa.schema.CreateIndex(self._index()).compile(self._engine)).strip()
        _log.warning(
            "the result table %r has no index on image_digest, and none is made here (%s), so looking for"
            " the same picture reads all of it for each image; have its owner make one: %s",
            *(self._described.table, reason, statement),
        )
