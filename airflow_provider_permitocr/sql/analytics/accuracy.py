"""The view of how often each field was right, according to reviewers."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.corrections import CORRECTABLE
from airflow_provider_permitocr.permit.privacy import FACTS
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, counted, text

_CHECKED: Final = ("confirmed", "corrected")


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
