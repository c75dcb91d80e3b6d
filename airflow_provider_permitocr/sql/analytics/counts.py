"""Views that count images: by day, by cause, by flag, and by field."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.advice import Advice
from airflow_provider_permitocr.permit.corrections import CORRECTABLE
from airflow_provider_permitocr.permit.privacy import FACTS
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, counted, is_true, text

_FAILED: Final = (Status.FAILED, Status.REJECTED, Status.RETRY)
_DECISIONS: Final = ("confirmed", "corrected", "rejected")
_CHECKED: Final = ("confirmed", "corrected")


def by_day(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Count recognized images by day and kind."""
    latest = rows.latest("permit_kind", "is_doubtful", "processed_at", "status").c
    dayed = (
        sa.select(
            rows.day(latest.processed_at).label("day"),
            *(latest.permit_kind, latest.card_side, latest.is_doubtful),
        )
        .where(latest.status == text(Status.RECOGNIZED))
        .subquery(mark)
        .c
    )
    return sa.select(
        dayed.day,
        dayed.permit_kind,
        counted(dayed.card_side == text("FRONT")).label("permits"),
        counted(dayed.card_side == text("BACK")).label("backs"),
        counted(is_true(dayed.is_doubtful)).label("doubtful"),
    ).group_by(dayed.day, dayed.permit_kind)


def failures(rows: ResultRows, mark: str, *, advice: Mapping[str, Advice]) -> sa.Select[Any]:
    """Count images without an answer by error code, with each code's meaning.

    :param advice: cause and remedy by error code.
    """
    latest = rows.latest("status", "error_code", "processed_at").c
    causes = (
        sa.select(
            *(latest.error_code, latest.status),
            sa.func.count().label("images"),
            sa.func.max(latest.processed_at).label("last_at"),
        )
        .where(latest.status.in_([text(each) for each in _FAILED]))
        .group_by(latest.error_code, latest.status)
        .subquery(mark)
        .c
    )
    by_code = partial(_by_code, causes.error_code, advice)
    return sa.select(
        *(causes.error_code, causes.status, causes.images, causes.last_at),
        by_code("cause").label("cause"),
        by_code("advice").label("advice"),
    )


def _by_code(code: sa.ColumnElement[Any], advice: Mapping[str, Advice], field: str) -> sa.ColumnElement[Any]:
    """Return the advice for a code, or else for the part before its last dot."""
    said = {each: words for each, known in advice.items() if (words := getattr(known, field))}
    exact = [(code == text(each), text(words)) for each, words in said.items()]
    prefixes = [
        (code.startswith(f"{each}."), text(said[each]))
        for each, known in advice.items()
        if known.is_prefix and each in said
    ]
    return sa.case(*exact, *prefixes)


def flagged(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Count images by flag and decision.

    A list of flags is one text, and few distinct lists occur. Rows are grouped by the whole text first, so
    each row is read once however many flags there are.
    """
    latest = rows.latest("quality_flags", "review_status").c
    texts = (
        sa.select(latest.quality_flags, latest.review_status, sa.func.count().label("images"))
        .where(latest.quality_flags.is_not(None), latest.quality_flags != text("[]"))
        .group_by(latest.quality_flags, latest.review_status)
        .subquery(mark)
    )
    # Quoted, as no flag may be found within another's name.
    known = (sa.select(text(each).label("flag"), text(f'"{each}"').label("quoted")) for each in Flag)
    flags = sa.union_all(*known).subquery("permitocr_flags")
    without = sa.func.replace(texts.c.quality_flags, flags.c.quoted, text(""))
    is_listed = without != texts.c.quality_flags
    return (
        sa.select(
            flags.c.flag,
            _total(texts.c.images).label("images"),
            *(
                _total(sa.case((texts.c.review_status == text(each), texts.c.images))).label(each)
                for each in _DECISIONS
            ),
            _total(sa.case((texts.c.review_status.is_(None), texts.c.images))).label("undecided"),
        )
        .select_from(flags.join(texts, is_listed))
        .group_by(flags.c.flag)
    )


def _total(images: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Sum counts as an integer; databases return sums in different types."""
    return sa.cast(sa.func.coalesce(sa.func.sum(images), sa.literal_column("0")), sa.BigInteger)


def accuracy(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Count checked readings by kind and field, and those in which the field was corrected.

    All fields are counted in one pass; only their sums are then put into a row for each field.
    """
    columns = {name: FACTS[name].text for name in CORRECTABLE}
    latest = rows.latest("permit_kind", "review_status", "corrections", *columns.values()).c
    corrections = sa.func.coalesce(latest.corrections, text(""))
    counts = []
    for name, column in columns.items():
        # In quotes and with its colon: as a name in JSON, and within no other name.
        quoted = text(f'"{column}":')
        is_corrected = sa.func.replace(corrections, quoted, text("")) != corrections
        counts += [
            counted(latest[column].is_not(None) | is_corrected).label(f"{name}_checked"),
            counted(is_corrected).label(f"{name}_corrected"),
        ]
    of_kinds = (
        sa.select(latest.permit_kind, *counts)
        .where(latest.review_status.in_([text(each) for each in _CHECKED]))
        .group_by(latest.permit_kind)
        .subquery(mark)
    )
    fields = sa.union_all(*(sa.select(text(name).label("field")) for name in columns)).subquery(
        "permitocr_fields"
    )

    def of_field(what: str) -> sa.ColumnElement[Any]:
        return sa.case(*((fields.c.field == text(name), of_kinds.c[f"{name}_{what}"]) for name in columns))

    return sa.select(
        of_kinds.c.permit_kind,
        fields.c.field,
        of_field("checked").label("checked"),
        of_field("corrected").label("corrected"),
    ).select_from(of_kinds.join(fields, of_field("checked") > sa.literal_column("0")))
