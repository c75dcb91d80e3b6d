"""The view of quality flags, with people's decisions about them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, text

_DECISIONS: Final = ("confirmed", "corrected", "rejected")


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
