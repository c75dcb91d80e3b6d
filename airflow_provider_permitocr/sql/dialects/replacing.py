"""Which rows of a table are replaced by others with the same key, and by what."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import sqlalchemy as sa

Row = dict[str, Any]
#: Enough for a ledger's eleven tables, and several results' tables in three forms each.
STATEMENTS_KEPT: Final = 64


class Replacing(NamedTuple):
    """How rows with the same key are replaced.

    :param guard: a column, such as a version. A row never replaces one with a greater value in it; NULL in
        the table is the smallest. None: rows are always replaced.
    :param keep: columns that keep their value in an existing row; a new row gets the value to write.
        If these are all columns, existing rows don't change.
    """

    guard: str | None = None
    keep: frozenset[str] = frozenset()

    def replaced(self, table: sa.Table) -> list[str]:
        """Name the columns to replace, the guard last, because MySQL's assignments see earlier ones."""
        names = [
            column.name
            for column in table.columns
            if not column.primary_key and column.name not in self.keep and column.name != self.guard
        ]
        return names if self.guard is None or not names else [*names, self.guard]

    def applies(self, old: Any, new: Any) -> sa.ColumnElement[bool] | None:
        """Return the condition for replacing a row; None: always.

        :param old, new: columns of the existing row, and of the one to write.
        """
        if self.guard is None:
            return None
        return sa.or_(old[self.guard].is_(None), old[self.guard] <= new[self.guard])


#: Rows with the same key are always replaced, in all columns.
ALWAYS: Final = Replacing()


def key_names(table: sa.Table) -> list[str]:
    """Name the columns that identify a row to replace."""
    return [column.name for column in table.primary_key]


def on_conflict(insert: Any, table: sa.Table, rule: Replacing) -> Any:
    """Add the clause for existing rows, in the syntax that several databases share.

    :param insert: of a dialect that has ``ON CONFLICT``.
    """
    keys = key_names(table)
    if not (replaced := rule.replaced(table)):
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(
        index_elements=keys,
        set_={name: insert.excluded[name] for name in replaced},
        where=rule.applies(table.c, insert.excluded),
    )
