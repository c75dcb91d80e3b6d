"""The view of people who were seen more than once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, is_trusted, text


def repeated(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Select fronts whose number occurs on other fronts, with evidence that they are different documents.

    A number stays with its holder, and each issue of the document increments its issue number. Only those
    rows are compared: a window function over all rows would sort a million of them.
    """
    fronts, others = _numbered(rows), _numbered(rows)
    # Only a count for each number: a million of these fit into memory.
    shared = (
        sa.select(others.c.number, sa.func.count().label("images"))
        .group_by(others.c.number)
        .having(sa.func.count() > sa.literal_column("1"))
        .subquery("permitocr_shared")
    )
    issue = rows.database.whole_number(fronts.c.issue_number)
    found = (
        sa.select(
            *(fronts.c.number, rows.key(fronts.c.image_key), fronts.c.permit_kind, shared.c.images),
            *(fronts.c.valid_from, fronts.c.issue_number, issue.label("issue")),
            sa.case((sa.not_(_is_protected(fronts.c.name)), fronts.c.name)).label("name"),
            sa.case(
                (sa.or_(issue.is_(None), fronts.c.valid_from.is_(None)), sa.literal_column("0")),
                else_=sa.literal_column("1"),
            ).label("is_dated"),
        )
        .select_from(fronts.join(shared, shared.c.number == fronts.c.number))
        .subquery(mark)
        .c
    )
    first, last = (each(found.name).over(partition_by=found.number) for each in (sa.func.min, sa.func.max))
    # Both rise together, or one of the ranks differs.
    of_person = (found.number, found.is_dated)
    by_date, by_issue = (
        sa.func.dense_rank().over(partition_by=of_person, order_by=each)
        for each in (found.valid_from, found.issue)
    )
    is_dated = found.is_dated == sa.literal_column("1")
    return sa.select(
        *(found.number, found.image_key, found.permit_kind, found.images),
        sa.func.coalesce(first != last, sa.false()).label("names_differ"),
        *(found.valid_from, found.issue_number),
        sa.and_(is_dated, by_date != by_issue).label("issues_differ"),
    )


def _numbered(rows: ResultRows) -> sa.Subquery:
    """Select fronts with a number that identifies a person: neither masked nor encrypted."""
    of_document = ("number", "name", "valid_from", "issue_number")
    read = ("image_key", "permit_kind", "corrections", "review_status", "status")
    fronts = rows.latest(*read, *of_document, side="FRONT")
    front, known = fronts.c, {name: rows.in_force(fronts, name) for name in of_document}
    return (
        sa.select(*(front.image_key, front.permit_kind), *(known[name].label(name) for name in of_document))
        .where(
            front.status == text(Status.RECOGNIZED),
            is_trusted(front.review_status),
            # Apart, so that PostgreSQL's statistics of the column apply: without an estimate of how many rows
            # are left it compares each with each.
            sa.or_(
                sa.and_(front.corrections.is_(None), _identifies(front.number)),
                sa.and_(front.corrections.is_not(None), _identifies(known["number"])),
            ),
        )
        .subquery()
    )


def _identifies(number: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether there is a number that can be compared."""
    return sa.and_(number != text(""), sa.not_(_is_protected(number)))


def _is_protected(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether a text is masked (different texts look alike) or encrypted (equal texts differ)."""
    return sa.or_(column.contains("*"), column.startswith(TOKEN_PREFIX))
