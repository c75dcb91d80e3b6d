"""Views with a row per permit: those that expire, and those of people who were seen more than once."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows, is_trusted, text

#: In how many days a permit expires at most, smallest first.
EXPIRING_WITHIN_DAYS: Final = (30, 60, 90)


def expiring(rows: ResultRows, mark: str) -> sa.Select[Any]:
    """Select permits that are valid today, and expire soon."""
    read = ("image_key", "permit_kind", "valid_until", "corrections", "review_status", "status")
    fronts = rows.latest(*read, side="FRONT")
    front, valid_until = fronts.c, rows.in_force(fronts, "valid_until")
    valid = (
        sa.select(
            rows.key(front.image_key),
            *(front.permit_kind, valid_until.label("valid_until"), front.review_status),
            rows.database.days_between(rows.today(), valid_until).label("days_left"),
        )
        .where(
            front.status == text(Status.RECOGNIZED), valid_until.is_not(None), is_trusted(front.review_status)
        )
        .subquery(mark)
        .c
    )
    spans = [_whole(days) for days in EXPIRING_WITHIN_DAYS]
    within = [(valid.days_left <= days, days) for days in spans]
    return sa.select(
        valid.image_key,
        valid.permit_kind,
        valid.valid_until,
        valid.days_left,
        sa.case(*within).label("within_days"),
        valid.review_status,
    ).where(valid.days_left.between(_whole(0), spans[-1]))


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


def _whole(number: int) -> sa.ColumnElement[Any]:
    return sa.literal_column(str(number), sa.Integer)
