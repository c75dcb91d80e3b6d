"""Every recognition of a list, for targets with a history: closed calls, and results without a call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.answers import read_answer
from airflow_provider_permitocr.sql.ledger.standing.decisions import with_decisions
from airflow_provider_permitocr.sql.ledger.standing.images import standing_of
from airflow_provider_permitocr.sql.ledger.tables.schema import is_same_image


def changes(opened: OpenList, after: int, most: int, reading: Reading = Reading()) -> list[Delivered]:
    """Return recognitions that were made or changed after a version, by version: all that share one.

    :param most: about how many.
    """
    images = standings.changes(opened, after, most, reading)
    if not images:  # each call changes its image, so calls that are found now are newer than this look
        return []
    version = opened.tables.calls.c.version
    calls = _calls(opened).where(version > after).order_by(version)
    rows: Sequence[Any] = opened.connection.execute(calls.limit(most)).mappings().all()
    # Only up to where both are known whole: the two are not read as of one moment.
    ends = [images[-1].version]
    ends += [rows[-1]["version"]] if len(rows) >= most else []
    images = [each for each in images if each.version <= min(ends)]
    rows = opened.connection.execute(calls.where(version <= min(ends))).mappings().all()
    recognitions = [_recognition(row, reading) for row in rows]
    return _merged(images, with_decisions(opened, recognitions, reading.protection))


def delivered(opened: OpenList, row_keys: Sequence[RowKey], reading: Reading = Reading()) -> list[Delivered]:
    """Return all recognitions of images."""
    images = standings.delivered(opened, row_keys, reading)
    found = []
    for asked_for in standings.by_key(opened.connection, opened.tables.calls, _calls(opened), row_keys):
        found += [_recognition(row, reading) for row in opened.connection.execute(asked_for).mappings()]
    wanted = set(row_keys)
    asked_for_here = [each for each in found if each.row_key in wanted]
    decided = with_decisions(opened, asked_for_here, reading.protection)
    return _merged(list(images.values()), decided)


def _calls(opened: OpenList) -> sa.Select[Any]:
    """Select calls that settled something about their images, beside their answers."""
    tables = opened.tables
    calls, answers, images = tables.calls, tables.answers, tables.images
    return (
        sa.select(calls, answers.c.form, answers.c.answer, images.c.carried)
        .select_from(
            calls.outerjoin(answers, answers.c.call_id == calls.c.call_id).outerjoin(
                images, is_same_image(images, calls)
            )
        )
        .where(calls.c.list_id == opened.list_id, calls.c.attempt.is_not(None))
    )


def _recognition(row: Mapping[Any, Any], reading: Reading) -> Delivered:
    carried = json.loads(row["carried"]) if row["carried"] else {}
    answer = read_answer(row["form"], row["answer"])
    row_key = row["image_key"], CardSide(row["card_side"])
    standing = standing_of(row, carried)
    fields = None if answer is None else answer.record(reading, standing.subject(row_key[1]))
    version = row["version"] or 0
    return Delivered(row_key, standing, version, fields, first_version=version)


def _merged(images: Sequence[Delivered], calls: Sequence[Delivered]) -> list[Delivered]:
    """Exclude calls that an image's row covers: the one in force, with the attempts since."""
    known = {(each.row_key, each.standing.processed_at) for each in images}
    further = [each for each in calls if (each.row_key, each.standing.processed_at) not in known]
    return sorted([*images, *further], key=lambda each: each.version)
