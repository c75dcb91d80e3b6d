"""The tables of a ledger.

Times are UTC, by the ledger database's clock, but for ``updated_at`` and ``attempt_updated_at``, which are
the image list's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.permit.columns import Column, ColumnKind
from airflow_provider_permitocr.sql.database.paging import is_after
from airflow_provider_permitocr.sql.database.types import ExactText, UtcTime
from airflow_provider_permitocr.sql.targets.result_schema import TABLE_OPTIONS, sql_type

#: Version of the tables' layout, raised with every change that an older version could not use.
SHAPE: Final = 4
#: In characters; MySQL's index entries hold 3,072 bytes.
LONGEST_NAME: Final = 250
LONGEST_KEY: Final = 512

_KEY, _TEXT, _LONG, _INTEGER, _TIME = (
    ColumnKind.KEY,
    ColumnKind.TEXT,
    ColumnKind.LONG_TEXT,
    ColumnKind.INTEGER,
    ColumnKind.TIMESTAMP,
)


class Shape(NamedTuple):
    """One table.

    :param name: suffix to the ledger's name.
    :param indexes: columns of each index, by its suffix to the table's name.
    :param needed: columns that are never NULL, besides the key's.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    needed: frozenset[str] = frozenset()
    indexes: tuple[tuple[str, tuple[str, ...]], ...] = ()


_IMAGE: Final = (
    Column("list_id", _INTEGER, "List that the image is of"),
    Column("image_key", _KEY, "Key of the image in the image list"),
    Column("card_side", _KEY, "Requested side: FRONT or BACK"),
)
_RUN_KEY: Final = (
    Column("dag_id", _KEY, "DAG"),
    Column("task_id", _KEY, "Task"),
    Column("run_id", _KEY, "DAG run"),
    Column("map_index", _INTEGER, "Map index of a mapped task; -1 for other tasks"),
)

STATE: Final = Shape(
    "state",
    "One row, which every exchange with the ledger locks",
    (
        Column("id", _INTEGER, "1"),
        Column("ledger_id", _KEY, "Random name that identifies this ledger in journals"),
        Column("shape", _INTEGER, "Version of the tables' layout"),
        Column("version", _INTEGER, "Number of the last exchange, stamped on the rows that it changes"),
        Column("timezone", _KEY, "Time zone whose midnight starts a day, for max_calls_per_day"),
        Column(
            "examined", _LONG, "Columns of times without a time zone, as found when all tables were examined"
        ),
        Column("exchanged_at", _TIME, "When the last exchange was"),
        Column("outage_from", _TIME, "Last exchange before the latest outage; NULL: no outage known"),
        Column("outage_until", _TIME, "Until when holds that ran out during that outage stay in force"),
        Column(
            "pruned_before", _TIME, "Calls made before may be missing, as they were pruned; NULL: none are"
        ),
    ),
    ("id",),
    frozenset({"ledger_id", "shape", "version"}),
)
COUNTERS: Final = Shape(
    "counters",
    "How many calls each day and each run has made, those under way included",
    (
        Column("account", _KEY, "Account that made the calls"),
        Column("period", _KEY, "day YYYY-MM-DD, or run dag/task/run"),
        Column("calls", _INTEGER, "Number of calls"),
    ),
    ("account", "period"),
    frozenset({"calls"}),
)
LISTS: Final = Shape(
    "lists",
    "Image lists that this ledger knows",
    (
        Column("list_id", _INTEGER, "The list"),
        Column("name", _KEY, "Its name: list= of the operator, or by default its target"),
        Column("source_conn_id", _KEY, "Connection of the image list"),
        Column("source_table", _KEY, "Its table; NULL: a query, whose text is not kept"),
        Column("key_column", _KEY, "Its key column"),
        Column("key_type", _KEY, "Type of its keys; NULL: the list has been empty so far"),
        Column("created_at", _TIME, "When it was first read"),
    ),
    ("list_id",),
    frozenset({"name", "source_conn_id", "key_column"}),
    (("by_name", ("name",)),),
)
RUNS: Final = Shape(
    "runs",
    "DAG runs of tasks, one row for each shard",
    (
        *_RUN_KEY,
        Column("list_id", _INTEGER, "List that it reads"),
        Column("since", _TIME, "Begin of its window; NULL: none"),
        Column("until", _TIME, "End of its window; NULL: none"),
        Column("shard", _KEY, "Its part of the list, such as 2/4; NULL: all of it"),
        Column("is_repeatable", _INTEGER, "1: a later run can read its window; 0: a query with templates"),
        Column("files", _LONG, "Files that its window is written to, as JSON; NULL: none"),
        Column("task_try", _INTEGER, "Newest try; older ones make no more calls"),
        Column("session_id", _KEY, "Random name of the process that holds it: that try's, or a later run's"),
        Column("started_at", _TIME, "When its first try began"),
        Column("alive_until", _TIME, "Time until which that try's process counts as alive"),
        Column("ended_at", _TIME, "When its newest try ended; NULL: running, or died"),
        Column(
            "is_whole", _INTEGER, "1: every image of its window was dealt with, and its files are written"
        ),
        Column("listed", _INTEGER, "Images listed"),
        Column("left_images", _INTEGER, "Of these, images left for a later run, at most; NULL: it died"),
        Column("calls", _INTEGER, "Calls made by its newest try"),
        Column("billed", _INTEGER, "Of these, calls known to be billed"),
        Column("cost", _TEXT, "Price of the billed calls, with currency"),
        Column("calls_per_second", ColumnKind.FLOAT, "Rate over the whole run"),
        Column("outcome", _TEXT, "How it ended, in words"),
    ),
    ("dag_id", "task_id", "run_id", "map_index"),
    frozenset({"list_id", "task_try", "session_id"}),
    (("by_list", ("list_id", "is_whole")),),
)
CALLS: Final = Shape(
    "calls",
    "Calls of MainlandPermitOCR, one row each, written before the call is made",
    (
        Column("call_id", _KEY, "The call; sent as X-TC-TraceId"),
        *_IMAGE,
        Column("image_digest", _KEY, "SHA-256 of the image; NULL: only the API saw it"),
        Column("account", _KEY, "Account that made the call"),
        *_RUN_KEY,
        Column("task_try", _INTEGER, "Which try of the task made it, from 1"),
        Column("session_id", _KEY, "Process that made it, by a random name"),
        Column("intended_at", _TIME, "When this row was written, before the call"),
        Column("held_until", _TIME, "Until when it holds the image against other runs, unless closed sooner"),
        Column("place", _INTEGER, "Version of the exchange that wrote it: its position among all intents"),
        Column("answered_at", _TIME, "When its outcome was written; NULL: unknown"),
        Column("code", _TEXT, "OK, NotSent or the error's code; NULL: open, or its worker died"),
        Column("billed", _INTEGER, "1: paid for; 0: not; NULL: unknown"),
        Column("unit_price", _TEXT, "Price of one billed call when it was made; NULL: unknown"),
        Column("currency", _TEXT, "Currency of that price"),
        Column("request_id", _TEXT, "RequestId of the answer, for Tencent Cloud's support"),
        Column("permit_kind", _TEXT, "Kind of the document, as in the result; NULL: unknown"),
        Column(
            "reason", _TEXT, "Why the table of answers lacks its answer; NULL: it is there, or there is none"
        ),
        Column("attempt", _LONG, "Its final result for the image, as JSON; NULL: no final result"),
        Column("version", _INTEGER, "Version of the exchange that closed it"),
    ),
    ("call_id",),
    frozenset(
        {"list_id", "image_key", "card_side", "account", "dag_id", "task_id", "run_id", "map_index"}
        | {"task_try", "session_id", "intended_at", "held_until", "place"}
    ),
    (
        ("by_image", ("list_id", "image_key", "card_side")),
        ("by_time", ("intended_at",)),
        ("by_version", ("list_id", "version")),
    ),
)
ANSWERS: Final = Shape(
    "answers",
    "The API's answers; may be erased row by row",
    (
        Column("call_id", _KEY, "Call that was answered"),
        Column(
            "form",
            _INTEGER,
            "1: the API's output fields; 2: columns as a privacy policy has them; 0: of an adopted table",
        ),
        Column("answer", _LONG, "The answer as JSON, in ASCII"),
    ),
    ("call_id",),
    frozenset({"form", "answer"}),
)
IMAGES: Final = Shape(
    "images",
    "Current state of each image of each list",
    (
        *_IMAGE,
        Column("status", _KEY, "Status of the result in force; NULL: none yet"),
        Column("error_code", _TEXT, "Why there is no answer"),
        Column("error_message", _LONG, "Explains error_code, without values of the document"),
        Column("request_id", _TEXT, "RequestId of the answer in force"),
        Column("answer_id", _KEY, "Call whose answer is in force"),
        Column("answer_order", _INTEGER, "Position of that call among all intents"),
        Column("is_doubtful", _INTEGER, "1: a quality flag doubts the reading; NULL: not examined"),
        Column("reused_from", _TEXT, "Key of the identical image whose answer was reused; NULL: its own"),
        Column("image_format", _TEXT, "Format of the image, by its content; NULL: only the API saw it"),
        Column("image_bytes", _INTEGER, "Size of the original image in bytes"),
        Column("image_width", _INTEGER, "Width of the image in pixels; NULL: only the API saw it"),
        Column("image_height", _INTEGER, "Height of the image in pixels; NULL: only the API saw it"),
        Column("image_prepared", _TEXT, "How the image was converted before the call"),
        Column("image_digest", _KEY, "SHA-256 of the original image; NULL: only the API saw it"),
        Column("updated_at", _TIME, "When the image had last changed, as of the result in force"),
        Column("processed_at", _TIME, "When the result in force was reached"),
        Column("run", _TEXT, "DAG run that reached it"),
        Column("attempt_status", _KEY, "How the last attempt ended; selection uses it"),
        Column("attempt_code", _TEXT, "Error code of the last attempt"),
        Column("attempted_at", _TIME, "When the last attempt was"),
        Column("attempt_updated_at", _TIME, "When the image had last changed, as of that attempt"),
        Column("attempt_run", _TEXT, "DAG run that tries last counted"),
        Column("tries", _INTEGER, "Runs that have tried this version of the image"),
        Column("carried", _LONG, "Columns copied from the list, as of the last attempt, as JSON in ASCII"),
        Column("held_by", _KEY, "Open call for the image; NULL: none"),
        Column("held_session", _KEY, "Process that makes that call"),
        Column("held_until", _TIME, "Time until which it holds the image against other runs"),
        Column("version", _INTEGER, "Version of the exchange that last changed the result or the attempt"),
        Column("first_version", _INTEGER, "Version of the exchange that first recorded the image"),
    ),
    ("list_id", "image_key", "card_side"),
    frozenset({"answer_order", "tries"}),
    (
        ("by_version", ("list_id", "version")),
        ("by_digest", ("list_id", "image_digest")),
        ("by_attempt", ("list_id", "attempt_status")),
        ("by_doubt", ("list_id", "is_doubtful")),
    ),
)
DELIVERIES: Final = Shape(
    "deliveries",
    "Targets of lists, and how far each has been filled",
    (
        Column("list_id", _INTEGER, "List that is delivered"),
        Column("target", _KEY, "Connection and table"),
        Column("delivery_id", _INTEGER, "Number of this row"),
        Column("version", _INTEGER, "Everything up to this version is delivered, except refused rows"),
        Column("row_count", _INTEGER, "Rows in the target at that time; unknown for a history"),
        Column("highest", _INTEGER, "Highest version among them"),
        Column("session_id", _KEY, "Process that delivers; NULL: none"),
        Column("session_until", _TIME, "Time until which it counts as delivering, unless it renews that"),
    ),
    ("list_id", "target"),
    frozenset({"delivery_id", "version"}),
)
REFUSED: Final = Shape(
    "refused",
    "Rows that a target does not take, tried again once a run",
    (
        Column("delivery_id", _INTEGER, "Target that refuses it, and its list"),
        *_IMAGE[1:],
        Column("reason", _LONG, "Why, without values"),
        Column("has_row", _INTEGER, "1: a row without its fields, or an older one, replaces it"),
        Column("refused_at", _TIME, "When it was last tried"),
    ),
    ("delivery_id", "image_key", "card_side"),
    frozenset({"has_row", "refused_at"}),
    (("by_time", ("delivery_id", "refused_at")),),
)
ERASURES: Final = Shape(
    "erasures",
    "Erasures and their times, without the erased data",
    (
        Column("erasure_id", _KEY, "Random name of the erasure"),
        Column("list_id", _INTEGER, "List that it was about"),
        Column("rule", _TEXT, "What to erase, in words and without keys"),
        Column(
            "keys_digest", _TEXT, "SHA-256 of the keys that were given, sorted, a line each; NULL: none were"
        ),
        Column("erased_by", _TEXT, "User of the operating system, or DAG run of the task"),
        Column("started_at", _TIME, "When it began"),
        Column("ended_at", _TIME, "When it ended; NULL: running, or died and must be repeated"),
        Column("images", _INTEGER, "Images that were erased, or kept under a stricter policy"),
        Column("answers", _INTEGER, "Deleted or rewritten answers, including those no longer in force"),
        Column("outcome", _LONG, "What happened to tables and files, and what was not reached, in words"),
    ),
    ("erasure_id",),
    frozenset({"list_id", "rule", "erased_by", "started_at"}),
)
REVIEWS: Final = Shape(
    "reviews",
    "Readings under review, and people's decisions",
    (
        Column("review_id", _KEY, "The reading in its question, by a random name"),
        *_IMAGE,
        Column("answer_id", _KEY, "Call whose answer was shown"),
        Column("flags", _LONG, "Its quality flags, as a JSON list"),
        Column("permit_kind", _TEXT, "Kind of the document, as read; NULL: unknown"),
        *_RUN_KEY,
        Column("asked_at", _TIME, "When the question was made"),
        Column(
            "decision",
            _KEY,
            "confirmed, corrected or rejected; undecided: the question is over without one; NULL: it waits",
        ),
        Column("corrections", _LONG, "Corrected values: columns as ASCII JSON, under the privacy policy"),
        Column("corrected_fields", _LONG, "Corrected fields, as a JSON list of names, without values"),
        Column("decided_by", _TEXT, "Airflow user"),
        Column("decided_at", _TIME, "When the user answered, by Airflow's clock"),
        Column("version", _INTEGER, "Version of the exchange that stored the decision; NULL: no decision"),
    ),
    ("review_id",),
    frozenset(
        {"list_id", "image_key", "card_side", "answer_id", "dag_id", "task_id", "run_id", "map_index"}
        | {"asked_at"}
    ),
    (
        ("by_image", ("list_id", "image_key", "card_side")),
        ("by_decision", ("list_id", "decision")),
        ("by_run", ("dag_id", "task_id", "run_id")),
    ),
)
SHAPES: Final = (
    *(STATE, COUNTERS, LISTS, RUNS, CALLS, ANSWERS, IMAGES, DELIVERIES, REFUSED, ERASURES, REVIEWS),
)

_LENGTHS: Final = {
    **{"call_id": 32, "answer_id": 32, "held_by": 32, "session_id": 32, "held_session": 32, "ledger_id": 32},
    **{"card_side": 8, "image_digest": 64, "account": 128, "status": 16, "attempt_status": 16},
    **{"image_key": LONGEST_KEY, "name": LONGEST_NAME, "period": LONGEST_NAME, "target": LONGEST_NAME},
    **{"review_id": 32, "decision": 16},
    **{"erasure_id": 32, "timezone": 64, "shard": 16, "key_type": 32},
    **{"dag_id": LONGEST_NAME, "task_id": LONGEST_NAME, "run_id": LONGEST_NAME},
    **{"source_conn_id": LONGEST_NAME, "source_table": LONGEST_NAME, "key_column": LONGEST_NAME},
}


@dataclass(frozen=True, eq=False)
class LedgerTables:
    """The tables of one ledger, as SQLAlchemy describes them.

    :param named: prefix of their names, schema included.
    """

    named: str
    state: sa.Table
    counters: sa.Table
    lists: sa.Table
    runs: sa.Table
    calls: sa.Table
    answers: sa.Table
    images: sa.Table
    deliveries: sa.Table
    refused: sa.Table
    erasures: sa.Table
    reviews: sa.Table

    def __iter__(self) -> Iterator[sa.Table]:
        return (getattr(self, each.name) for each in fields(self) if each.name != "named")


def is_same_image(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return whether rows of two tables are about the same image of a list."""
    return sa.and_(*(one.c[column.name] == other.c[column.name] for column in _IMAGE))


def is_after_image(tables: LedgerTables, last: RowKey | None) -> sa.ColumnElement[bool]:
    """Select the images of a list that come after another by key.

    :param last: image of the page before; None: all are selected.
    """
    if last is None:
        return sa.true()
    images = tables.images.c
    return is_after([(images.image_key, last[0]), (images.card_side, last[1].value)])


@cache
def ledger_tables(name: str, *, without_zone: frozenset[tuple[str, str]] = frozenset()) -> LedgerTables:
    """Describe the tables of a ledger, once for each name: all callers share them and leave them unchanged.

    :param name: prefix of their names, with or without ``schema.`` in front.
    :param without_zone: columns of times that the database keeps without a time zone, as the user made them,
        each after the name of its shape.
    """
    metadata = sa.MetaData()
    described = {shape.name: _describe(name, shape, metadata, without_zone) for shape in SHAPES}
    return LedgerTables(name, **described)


def _describe(
    name: str, shape: Shape, metadata: sa.MetaData, without_zone: frozenset[tuple[str, str]]
) -> sa.Table:
    schema, prefix = split_schema(name)
    table = sa.Table(
        f"{prefix}_{shape.name}",
        metadata,
        *(
            sa.Column(
                column.name,
                UtcTime() if (shape.name, column.name) in without_zone else _type_of(column),
                primary_key=column.name in shape.key,
                nullable=column.name not in shape.key and column.name not in shape.needed,
                autoincrement=False,
                comment=column.comment,
            )
            for column in shape.columns
        ),
        schema=schema,
        comment=shape.comment,
        **TABLE_OPTIONS,
    )
    for suffix, columns in shape.indexes:
        sa.Index(f"{table.name}_{suffix}"[-60:], *(table.c[column] for column in columns))
    return table


def _type_of(column: Column) -> sa.types.TypeEngine[Any]:
    return ExactText(_LENGTHS[column.name]) if column.name in _LENGTHS else sql_type(column)
