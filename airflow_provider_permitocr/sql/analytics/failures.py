"""The view of images without an answer, by cause."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.advice import Advice
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, text

_FAILED: Final = (Status.FAILED, Status.REJECTED, Status.RETRY)


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
