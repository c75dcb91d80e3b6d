"""The ledger, as a DAG author writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final, cast

from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.targets.result_table import ResultTable, split_schema
from airflow_provider_permitocr.options.validation import (
    MOST_DAYS,
    Rule,
    check,
    choice,
    optional,
    table_name,
    text,
)

#: What the names of a ledger's tables begin with.
DEFAULT_NAME: Final = "permit_ocr"
#: Answers go once every target has them.
DELIVERED: Final = "delivered"


class UnknownCalls(StrEnum):
    """What to do about a call whose worker died: it may have been paid for."""

    REPEAT = "repeat"  #: make it again
    KEEP = "keep"  #: leave it; its image fails with CallOutcomeUnknown


@dataclass(frozen=True, repr=False)
class Ledger(Readable):
    """Where runs store lists, calls, answers, images and reviews: eleven tables in one database.

    PostgreSQL, MySQL, MariaDB or, on one machine, SQLite.

    :param name: prefix of its tables' names, optionally with ``schema.``; missing tables are created.
    :param conn_id: Airflow connection of the database.
    :param keep_answers: how long answers are kept. None: until they are pruned or erased; ``delivered``:
        until every result table has them and the files of finished windows are written; a number: at least
        this many days as well. Afterwards, identical images are called for again, and a table that is filled
        again lacks the fields.
    :param unknown_calls: ``repeat`` or ``keep``: what to do about an image whose worker died during the call.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("name", "conn_id")

    name: str = DEFAULT_NAME
    conn_id: str = field(kw_only=True)
    unknown_calls: UnknownCalls | str = field(default=UnknownCalls.REPEAT, kw_only=True)
    keep_answers: str | int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check(
            self,
            name=table_name(),
            conn_id=text(),
            unknown_calls=choice(UnknownCalls),
            keep_answers=optional(Rule(f"'delivered' or a number of days, at most {MOST_DAYS}", _kept_until)),
        )

    @property
    def days_kept(self) -> int | None:
        """How many days answers are kept; 0: until they are delivered; None: permanently."""
        return 0 if self.keep_answers == DELIVERED else cast("int | None", self.keep_answers)


def _kept_until(given: str | int) -> str | int:
    is_days = isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_DAYS
    if given != DELIVERED and not is_days:
        raise ValueError
    return given


def beside(target: ResultTable) -> Ledger:
    """Return the ledger that an operator without ``ledger=`` keeps: in the schema of its result table."""
    schema, _ = split_schema(target.table)
    return Ledger(f"{schema}.{DEFAULT_NAME}" if schema else DEFAULT_NAME, conn_id=target.conn_id)
