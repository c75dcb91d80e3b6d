"""MERGE, which is standard SQL, but which SQLAlchemy has no construct for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class Merge(sa.Executable, sa.ClauseElement):
    """Rows into a table, in the place of those with the same key.

    :param rows: at least one, no key twice; each has a value for every column.
    :param keys: names of the columns that make the key.
    :param replaced: names of the columns that a row with the same key gets anew.
    :param guard: column by which a row is replaced by none that has less there; None: by any.
    """

    inherit_cache = False

    def __init__(
        self,
        table: sa.Table,
        rows: Sequence[Mapping[str, Any]],
        keys: Sequence[str],
        *,
        replaced: Sequence[str],
        guard: str | None = None,
    ) -> None:
        self.table = table
        self.keys = keys
        self.replaced = replaced
        self.guard = guard
        selects = [
            # Without the cast a column of NULLs alone would be text.
            sa.select(*(_typed(column, row[column.name]).label(column.name) for column in table.columns))
            for row in rows
        ]
        self.new = sa.union_all(*selects).subquery("new_rows")


def _typed(column: sa.Column[Any], value: Any) -> sa.Cast[Any]:
    return sa.cast(sa.literal(value, column.type), column.type)


@compiles(Merge)
def _compile_merge(merge: Merge, compiler: SQLCompiler, **kwargs: Any) -> str:
    table, new = merge.table, merge.new
    # An alias, as not every database lets a schema be part of a column's name here.
    old = table.alias("old_rows")

    def of(rows: sa.FromClause, name: str) -> str:
        return str(compiler.process(rows.c[name], **kwargs))

    def name_of(column: sa.Column[Any]) -> str:
        return str(compiler.preparer.format_column(column))

    same_key = " AND ".join(f"{of(old, key)} = {of(new, key)}" for key in merge.keys)
    replaced = ", ".join(f"{name_of(table.c[name])} = {of(new, name)}" for name in merge.replaced)
    is_replaced = ""
    if merge.guard is not None:
        before, after = of(old, merge.guard), of(new, merge.guard)
        is_replaced = f" AND ({before} IS NULL OR {before} <= {after})"
    names = ", ".join(name_of(column) for column in table.columns)
    values = ", ".join(of(new, column.name) for column in table.columns)
    clauses = (
        f"MERGE INTO {compiler.process(old, asfrom=True, **kwargs)}",
        f"USING {compiler.process(new, asfrom=True, **kwargs)} ON {same_key}",
        *([f"WHEN MATCHED{is_replaced} THEN UPDATE SET {replaced}"] if replaced else []),
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})",  # noqa: S608 - quoted by the dialect
    )
    return " ".join(clauses)
