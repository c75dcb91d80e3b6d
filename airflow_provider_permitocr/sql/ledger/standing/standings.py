"""Reads what a ledger knows: of images by key, of changes by version, of answers by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers
from airflow_provider_permitocr.engine.models import Answer, Previous, RowKey
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.permit.answers import AnswerForm, Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.database.paging import chunks
from airflow_provider_permitocr.sql.database.types import UtcTime
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.answers import PORTRAIT, has_portrait, read_answer
from airflow_provider_permitocr.sql.ledger.standing.decisions import with_decisions
from airflow_provider_permitocr.sql.ledger.standing.images import read_standing
from airflow_provider_permitocr.sql.ledger.tables.clock import clock, read_clock, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, is_after_image
from airflow_provider_permitocr.sql.source.times import as_utc

#: Runs a read over a connection of its own.
Read: TypeAlias = Callable[[Callable[[OpenList], list[Delivered]]], list[Delivered]]
#: As many as a page of the list has.
_KEYS_AT_ONCE: Final = 10_000
_HELD_AT_ONCE: Final = 500
#: An answer may be fifty times as long as the rest of its row.
_DELIVERED_AT_ONCE: Final = 500
#: Columns about the open call, which no reader needs.
_UNREAD: Final = frozenset({"list_id", "held_by", "held_session", "held_until"})
_SIDES: Final = {side.value: side for side in CardSide}
_STATUSES: Final = {status.value: status for status in Status}
#: By the form of an answer; None: it is gone.
_KINDS_KEPT: Final = {
    AnswerForm.AS_ANSWERED.value: "readable",
    AnswerForm.ADOPTED.value: "adopted",
    AnswerForm.PROTECTED.value: "protected",
    None: "erased",
}


def previous(opened: OpenList, run_name: str | None, row_keys: Sequence[RowKey]) -> dict[RowKey, Previous]:
    """Return what selection needs to know about images: as ``Standing.previous``, but for a million rows.

    :param run_name: the task's own DAG run, which does not count as an earlier one.
    :raises TargetError: when someone changed a status or side by hand to an unknown one.
    """
    images = opened.tables.images.c
    statement = sa.select(
        images.image_key,
        images.card_side,
        images.attempt_status,
        images.tries,
        _seen_at(opened),
        _is_of_run(opened, run_name),
    ).where(images.list_id == opened.list_id, images.attempt_status.is_not(None))
    known: dict[RowKey, Previous] = {}
    for asked_for in by_key(opened.connection, opened.tables.images, statement, row_keys, _KEYS_AT_ONCE):
        # In bulk: SQLAlchemy's row objects would be slow.
        for image_key, side, status, tries, seen_at, is_of_run in opened.connection.execute(asked_for).all():
            earlier = max(0, tries - 1) if is_of_run else tries
            if seen_at is not None and seen_at.tzinfo is None:
                seen_at = as_utc(seen_at)  # noqa: PLW2901
            try:
                known[image_key, _SIDES[side]] = Previous(_STATUSES[status], earlier, seen_at)
            except KeyError:
                _refuse(opened.tables, side)
    return known


def changes(opened: OpenList, after: int, most: int, reading: Reading = Reading()) -> list[Delivered]:
    """Return images that have changed after a version, by version: all of those that share one.

    :param most: how many, unless more of them share the first version.
    """
    version = opened.tables.images.c.version
    changed = _standing(opened).order_by(version)
    rows = _with_answers(opened, changed.where(version > after).limit(most + 1))
    if len(rows) > most:
        cut = rows[-1]["version"]
        rows = [row for row in rows if row["version"] < cut]
        if not rows:
            rows = _with_answers(opened, changed.where(version == cut))
    images = [_delivered(opened.tables, row, reading) for row in rows]
    return with_decisions(opened, images, reading.protection)


def delivered(
    opened: OpenList, row_keys: Sequence[RowKey], reading: Reading = Reading()
) -> dict[RowKey, Delivered]:
    """Return images by key; images that were never tried are left out."""
    wanted = set(row_keys)
    found: list[Delivered] = []
    standing = _standing(opened)
    for asked_for in by_key(opened.connection, opened.tables.images, standing, row_keys):
        for row in _with_answers(opened, asked_for):
            if (row["image_key"], row["card_side"]) in wanted:
                found.append(_delivered(opened.tables, row, reading))
    decided = with_decisions(opened, found, reading.protection)
    return {each.row_key: each for each in decided}


def reading_pages(
    read: Read, condition: sa.ColumnElement[bool], most: int, reading: Reading = Reading()
) -> Iterator[Sequence[Delivered]]:
    """Yield the images that meet a condition, by key, without decisions about them.

    :param most: images in a page.
    """
    after: RowKey | None = None
    while True:
        found = read(partial(_readings, condition=condition, after=after, most=most, reading=reading))
        yield found
        if len(found) < most:
            return
        after = found[-1].row_key


def _readings(
    opened: OpenList,
    *,
    condition: sa.ColumnElement[bool],
    after: RowKey | None,
    most: int,
    reading: Reading,
) -> list[Delivered]:
    images = opened.tables.images.c
    wanted = _standing(opened).where(condition, is_after_image(opened.tables, after))
    page = wanted.order_by(images.image_key, images.card_side).limit(most).subquery("some_images")
    ordered = _beside_answers(opened, page).order_by(page.c.image_key, page.c.card_side)
    rows = as_dicts(opened.connection.execute(ordered))
    return [_delivered(opened.tables, row, reading) for row in rows]


def count_until(opened: OpenList, version: int) -> int:
    """Count the images up to a version."""
    images = opened.tables.images.c
    statement = sa.select(sa.func.count()).where(
        images.list_id == opened.list_id, images.first_version <= version
    )
    return int(opened.connection.execute(statement).scalar_one())


def count_answers(opened: OpenList) -> KeptAnswers:
    """Count all images, by what is left of their answers."""
    images, answers = opened.tables.images, opened.tables.answers
    statement = (
        sa.select(images.c.status, answers.c.form, sa.func.count())
        .join_from(images, answers, answers.c.call_id == images.c.answer_id, isouter=True)
        .where(images.c.list_id == opened.list_id, images.c.status.is_not(None))
        .group_by(images.c.status, answers.c.form)
    )
    counts: dict[str, int] = {}
    for status, form, count in opened.connection.execute(statement):
        kind = _KINDS_KEPT[form] if status == Status.RECOGNIZED.value else "others"
        counts[kind] = counts.get(kind, 0) + count
    return KeptAnswers(**counts)


def held(opened: OpenList, session_id: str, row_keys: Sequence[RowKey]) -> set[RowKey]:
    """Return the images that are currently held by calls of other processes.

    Reads without the lock: the exchange decides. This only avoids loading images in vain.
    """
    images = opened.tables.images.c
    found: set[RowKey] = set()
    for keys in chunks({image_key for image_key, _ in row_keys}, _HELD_AT_ONCE):
        statement = sa.select(
            images.image_key,
            images.card_side,
            images.held_until,
            clock(opened.connection).label("clock"),
        ).where(
            images.list_id == opened.list_id, images.image_key.in_(keys), images.held_session != session_id
        )
        for row in opened.connection.execute(statement):
            held_until = read_moment(row.held_until)
            if held_until and held_until > read_clock(row.clock):
                found.add((row.image_key, CardSide(row.card_side)))
    return found & set(row_keys)


def find_answer(
    opened: OpenList, digest: str, side: CardSide, with_portrait: bool, reading: Reading = Reading()
) -> Answer | None:
    """Return this list's latest answer for an image, for the same side.

    :param digest: of the image.
    :param with_portrait: for fronts, require an answer with a portrait; False: never reuse a portrait.
    """
    images, answers = opened.tables.images.c, opened.tables.answers.c
    statement = (
        sa.select(
            *(images.image_key, images.reused_from, images.request_id, images.answer_id),
            *(answers.form, answers.answer),
        )
        .join_from(opened.tables.images, opened.tables.answers, answers.call_id == images.answer_id)
        .where(
            images.list_id == opened.list_id,
            images.image_digest == digest,
            images.card_side == side.value,
            images.status == Status.RECOGNIZED.value,
        )
        .order_by(images.answer_order.desc(), images.processed_at.desc())
    )
    if with_portrait and side is CardSide.FRONT:
        statement = statement.where(has_portrait(opened.tables))
    row = opened.connection.execute(statement.limit(1)).mappings().first()
    answer = read_answer(row["form"], row["answer"]) if row else None
    if row is None or answer is None:
        return None
    fields = answer.record(reading)
    if not with_portrait:
        del fields[PORTRAIT]
    # The image that was paid for, even if another took its answer last.
    image_key = row["image_key"] if row["reused_from"] is None else row["reused_from"]
    return Answer(image_key, fields, row["request_id"], row["answer_id"])


def _standing(opened: OpenList) -> sa.Select[Any]:
    """Select images that have been tried."""
    images = opened.tables.images.c
    return sa.select(*(column for column in images if column.name not in _UNREAD)).where(
        images.list_id == opened.list_id, images.status.is_not(None)
    )


def _with_answers(opened: OpenList, standing: sa.Select[Any]) -> list[dict[str, Any]]:
    """Read images in order, together with their answers.

    A subquery selects them first: without statistics, a database scans all answers for each batch.
    """
    some = standing.subquery("some_images")
    return as_dicts(opened.connection.execute(_beside_answers(opened, some).order_by(some.c.version)))


def _beside_answers(opened: OpenList, some: sa.Subquery) -> sa.Select[Any]:
    answers = opened.tables.answers
    return sa.select(*some.c, answers.c.form, answers.c.answer).join_from(
        some, answers, answers.c.call_id == some.c.answer_id, isouter=True
    )


def _delivered(tables: LedgerTables, row: Mapping[Any, Any], reading: Reading) -> Delivered:
    try:
        standing = read_standing(row)
        row_key = row["image_key"], CardSide(row["card_side"])
    except ValueError:
        _refuse(tables, row["card_side"])
    answer = read_answer(row["form"], row["answer"])
    fields = None if answer is None else answer.record(reading, standing.subject(row_key[1]))
    return Delivered(row_key, standing, row["version"] or 0, fields, row["first_version"] or 0)


def as_dicts(result: sa.Result[Any]) -> list[dict[str, Any]]:
    """Return rows as plain dictionaries: each look into SQLAlchemy's own takes ten times as long."""
    names = list(result.keys())
    return [dict(zip(names, row, strict=True)) for row in result.all()]


def by_key(
    connection: sa.Connection,
    table: sa.Table,
    statement: sa.Select[Any],
    row_keys: Sequence[RowKey],
    at_once: int = _DELIVERED_AT_ONCE,
) -> Iterator[sa.Select[Any]]:
    """Select rows of a table by key, each key once, in as many statements as needed."""
    image_key = table.c.image_key
    image_keys = list(dict.fromkeys(key for key, _ in row_keys))
    database = database_of(connection)
    at_once = min(at_once, database.keys_at_once)
    for start in range(0, len(image_keys), at_once):
        some = image_keys[start : start + at_once]
        yield statement.where(database.is_any_of(image_key, some))


def _seen_at(opened: OpenList) -> sa.ColumnElement[Any]:
    """Return the change time of the image that was tried, or else the time of the try."""
    images = opened.tables.images.c
    times: list[sa.ColumnElement[Any]] = [images.attempt_updated_at, images.attempted_at]
    in_utc = database_of(opened.connection).in_utc
    return sa.func.coalesce(*(in_utc(time) if isinstance(time.type, UtcTime) else time for time in times))


def _is_of_run(opened: OpenList, run_name: str | None) -> sa.ColumnElement[Any]:
    """Return whether this run counted the last try. SQL compares, because run names are long to transfer."""
    run = opened.tables.images.c.attempt_run
    if run_name is None:
        return sa.literal_column("0")
    exact_text = database_of(opened.connection).exact_text
    return exact_text(run) == exact_text(sa.literal(run_name))


def _refuse(tables: LedgerTables, side: object) -> NoReturn:
    # Without the key, which may be long, or a link that opens the image.
    what = "a status" if side in _SIDES else "a card_side"
    raise TargetError(
        f"the table {tables.named}_images holds {what} that this package does not know;"
        " correct or delete that row"
    )
