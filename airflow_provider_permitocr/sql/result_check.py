"""Whether the table that is there can take the rows, found out before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.column_types import is_without_zone, misfit
from airflow_provider_permitocr.sql.inspection import (
    FoundColumn,
    RelationKind,
    folded,
    found_columns,
    relation_kind,
    unique_keys,
)
from airflow_provider_permitocr.sql.result_schema import KEYS, result_table
from airflow_provider_permitocr.sql.rights import require_rights
from airflow_provider_permitocr.sql.source.driver_types import MYSQL
from airflow_provider_permitocr.sql.tables import ResultTable, SchemaContract, WriteMode, split_schema

_EXAMPLES: Final = 5
#: What a run cannot do without; a column that is added holds nothing in the rows that are there.
_NEEDED: Final = (*KEY_COLUMNS, "status")
#: There a key is declared at most and kept by nobody, and rows are matched by their columns.
_WITHOUT_KEYS: Final = ("redshift", "snowflake", "bigquery")
#: Their rows are replaced in place, all others' deleted and inserted.
_REPLACING: Final = ("postgresql", "sqlite", "duckdb", "mysql", "mariadb", "snowflake", "bigquery")


@dataclass(frozen=True)
class ExistingTable:
    """What matters of a result table that is there.

    :param missing: columns of the result that it lacks.
    :param present: columns of the result that it has.
    :param without_zone: columns of times that it keeps without a time zone.
    """

    missing: tuple[Column, ...]
    present: tuple[Column, ...]
    without_zone: frozenset[str]


def examine(
    connection: sa.Connection, described: ResultTable, columns: Sequence[Column]
) -> ExistingTable | None:
    """Check that the table can take the rows. Changes nothing.

    :param columns: of the result.
    :return: None where there is no such table yet.
    :raises TargetError: naming what to change.
    """
    schema, name = split_schema(described.table)
    kind = relation_kind(connection, name, schema)
    if kind is None:
        return None
    if kind is RelationKind.VIEW:
        raise TargetError(
            f"{described.table!r} is a view, which rows cannot be written to; name a table, or another name,"
            " of which one will be made"
        )
    dialect = connection.dialect
    found = {
        folded(dialect.name, column.name): column for column in found_columns(connection, name, schema) or ()
    }
    missing = tuple(column for column in columns if folded(dialect.name, column.name) not in found)
    present = {
        column: found[folded(dialect.name, column.name)] for column in columns if column not in missing
    }
    _require_columns(described, missing)
    _require_types(described, present, dialect)
    _require_no_others(described, found, [folded(dialect.name, column.name) for column in columns])
    unique = {
        frozenset(folded(dialect.name, each) for each in key) for key in unique_keys(connection, name, schema)
    }
    _require_key(described, dialect.name, unique)
    _require_no_other_key(
        described, dialect.name, unique, {folded(dialect.name, each.name) for each in columns}
    )
    zoneless = (column.name for column, has in present.items() if is_without_zone(column, has, dialect))
    return ExistingTable(missing, tuple(present), frozenset(zoneless))


def _require_columns(described: ResultTable, missing: Sequence[Column]) -> None:
    lacking = [column.name for column in missing]
    if needed := [name for name in lacking if name in KEYS[WriteMode(described.mode)] or name in _NEEDED]:
        raise TargetError(
            f"the table {described.table!r} exists already, but lacks {', '.join(needed)}, which no result is"
            " without; name another table, which will then be created"
        )
    if lacking and described.schema_contract is SchemaContract.FREEZE:
        raise TargetError(
            f"the table {described.table!r} exists already, but lacks {_listed(lacking)}; add"
            f" {'it' if len(lacking) == 1 else 'them'}, or let schema_contract be 'evolve'"
        )


def _require_types(
    described: ResultTable, present: Mapping[Column, FoundColumn], dialect: sa.Dialect
) -> None:
    misfits = [why for column, found in present.items() if (why := misfit(column, found, dialect))]
    if misfits:
        raise TargetError(
            f"the table {described.table!r} cannot hold the result: {'; '.join(misfits)}; change"
            f" {'this column' if len(misfits) == 1 else 'these columns'}, or name another table"
        )


def _require_no_others(
    described: ResultTable, found: Mapping[str, FoundColumn], columns: Sequence[str]
) -> None:
    others = [has.name for name, has in found.items() if name not in columns and not has.is_filled]
    if others:
        raise TargetError(
            f"the table {described.table!r} takes no row without {_listed(others)}, which no result has; give"
            f" {'it' if len(others) == 1 else 'them'} a default, or let NULL be allowed"
        )


def _require_key(described: ResultTable, dialect: str, unique: Set[frozenset[str]]) -> None:
    upsert, append = (frozenset(KEYS[mode]) for mode in (WriteMode.UPSERT, WriteMode.APPEND))
    if described.mode is WriteMode.APPEND and any(key <= upsert for key in unique):
        raise TargetError(
            f"the result table {described.table!r} keeps one row per image and side, and mode 'append'"
            " one per recognition; name another table, or let the mode be 'upsert'"
        )
    if described.mode is WriteMode.UPSERT and append in unique and upsert not in unique:
        raise TargetError(
            f"the result table {described.table!r} keeps one row per recognition, and mode 'upsert'"
            " one per image and side; name another table, or let the mode be 'append'"
        )
    key = KEYS[WriteMode(described.mode)]
    if frozenset(key) not in unique and dialect not in _WITHOUT_KEYS:
        raise TargetError(
            f"the result table {described.table!r} has no primary key or unique constraint on"
            f" ({', '.join(key)}); without it rows could not be replaced"
        )


def _require_no_other_key(
    described: ResultTable, dialect: str, unique: Set[frozenset[str]], columns: Set[str]
) -> None:
    key = frozenset(KEYS[WriteMode(described.mode)])
    others = [each for each in unique if each <= columns and not key <= each]
    if dialect in MYSQL and others:
        raise TargetError(
            f"the result table {described.table!r} has a further unique key on"
            f" ({', '.join(sorted(others[0]))}): MySQL would replace another image's row with the same there;"
            " make it an index that is not unique"
        )


def require_rights_to(described: ResultTable, connection: sa.Connection, columns: Sequence[Column]) -> None:
    """Make sure that rows may be read and replaced, without changing anything.

    :param columns: of the result that the table has.
    :raises TargetError: naming the right that is missing.
    """
    require_rights(
        connection,
        result_table(described.table, columns, mode=described.mode),
        named=f"the result table {described.table!r}",
        with_delete=connection.dialect.name not in _REPLACING,
    )


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the column {names[0]}"
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return f"{len(names)} columns: {', '.join(names[:_EXAMPLES])}{more}"
