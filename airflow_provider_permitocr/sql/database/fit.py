"""Check whether an existing table can store what will be written to it, unchanged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.permit.columns import Column, ColumnKind
from airflow_provider_permitocr.sql.dialects.database import Database
from airflow_provider_permitocr.sql.dialects.families import Family
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn, RelationKind

_EXAMPLES: Final = 5
#: The widest encodings have four bytes for a character.
_BYTES_OF_CHARACTER: Final = 4
_TEXTS: Final = (ColumnKind.KEY, ColumnKind.TEXT, ColumnKind.LONG_TEXT)
#: Key columns with a few known values, which differ in more than case.
_OF_FEW_VALUES: Final = ("card_side",)


@dataclass(frozen=True)
class Wanted:
    """What a table must be.

    :param table: as it would be created.
    :param columns: of the table, with what each stores and how long that is at most.
    :param key: names of the columns that must be unique together.
    :param holds: what is written to it, for messages, e.g. ``the result``.
    :param advice: what to do if it does not fit, other than changing it.
    :param may_lack: names of columns that can be added to it.
    :param other_keys: messages for tables whose key is one of these instead.
    :param distinguishes_blanks: whether keys that differ only in trailing blanks must be distinct; otherwise
        such keys are refused individually, see ``Fit.padded``.
    """

    table: sa.Table
    columns: Sequence[Column]
    key: Sequence[str]
    holds: str
    advice: str
    may_lack: Collection[str] = ()
    other_keys: Mapping[frozenset[str], str] = field(default_factory=dict)
    distinguishes_blanks: bool = True


@dataclass(frozen=True)
class Fit:
    """What a caller must know about an existing table that fits.

    :param missing: columns that can be added, and aren't there yet.
    :param present: existing columns.
    :param without_zone: names of time columns without a time zone.
    :param lengths: by name, the maximum length of text columns in characters, if the database limits it.
    :param padded: key columns that treat texts as equal if they differ only in trailing blanks, each with
        the name of its collation.
    """

    missing: tuple[Column, ...] = ()
    present: tuple[Column, ...] = ()
    without_zone: frozenset[str] = frozenset()
    lengths: Mapping[str, int] = field(default_factory=dict)
    padded: Mapping[str, str] = field(default_factory=dict)

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """Return why the table would change a row's texts, without quoting them; None if it wouldn't.

        Databases silently cut off trailing blanks that exceed a column's length, even in strict modes.
        """
        for name, length in self.lengths.items():
            if (text := row[name]) is not None and len(text) > length:
                return f"{name} has more than {length:,} characters"
        for name, collation in self.padded.items():
            if row[name].endswith(" "):
                return f"{name} ends in a blank, which {collation} ignores when it compares"
        return None


def examine_table(connection: sa.Connection, wanted: Wanted) -> Fit | None:
    """Check that a table can store what is wanted. Changes nothing.

    :return: None if the table does not exist.
    :raises TargetError: naming everything to change.
    """
    table = wanted.table
    database, dialect = database_of(connection), connection.dialect
    _require_names(wanted, database)
    kind = database.relation_kind(connection, table.name, table.schema)
    if kind is None:
        return None
    require_table(wanted, is_view=kind is RelationKind.VIEW)
    columns = database.columns(connection, table.name, table.schema) or ()
    found = {database.folded(each.name): each for each in columns}
    present = {
        column: found[name] for column in wanted.columns if (name := database.folded(column.name)) in found
    }
    missing = tuple(column for column in wanted.columns if column not in present)
    unique = {
        frozenset(map(database.folded, key))
        for key in database.unique_keys(connection, table.name, table.schema)
    }
    own = {database.folded(column.name) for column in wanted.columns}
    require_fit(
        wanted,
        missing,
        {name: each for name, each in found.items() if name not in own},
        [*_misfits(wanted, present, dialect), *_key_faults(wanted, unique, database)],
    )
    return Fit(
        missing,
        tuple(present),
        frozenset(column.name for column, has in present.items() if is_without_zone(column, has, dialect)),
        {
            column.name: has.length
            for column, has in present.items()
            if has.length is not None and column.kind in _TEXTS
        },
        {column.name: has.padding for column, has in present.items() if has.padding and _is_key(column)},
    )


class Other(Protocol):
    """A column of a table that is not one of those that are wanted."""

    @property
    def name(self) -> str:
        """Its name in the table."""
        ...

    @property
    def is_filled(self) -> bool:
        """Whether a row that does not name it is taken."""
        ...


def require_table(wanted: Wanted, *, is_view: bool) -> None:
    """Make sure that a name belongs to a table.

    :raises TargetError: when it's a view.
    """
    if is_view:
        raise TargetError(f"{wanted.table.fullname!r} is a view and cannot be written to; {wanted.advice}")


def require_fit(
    wanted: Wanted, missing: Sequence[Column], others: Mapping[str, Other], faults: Sequence[str]
) -> None:
    """Make sure that a table can hold what is wanted.

    :param missing: columns that it lacks.
    :param others: its other columns.
    :param faults: what is wrong with the columns that it has, and with its keys.
    :raises TargetError: naming everything to change.
    """
    wrong = [*_lacking(wanted, missing), *faults, *_unfilled(others)]
    if wrong:
        raise TargetError(
            f"the table {wanted.table.fullname!r} exists already and cannot hold {wanted.holds}:"
            f" {'; '.join(wrong)}; change it, or {wanted.advice}"
        )


def require_encoding(connection: sa.Connection, holds: str) -> None:
    """Make sure that the database can hold all Chinese characters, 𠮷 and its like included.

    :param holds: what will be written, for the message, e.g. ``the result``.
    :raises TargetError: naming the database's encoding.
    """
    if encoding := database_of(connection).narrow_encoding(connection):
        raise TargetError(
            f"the database cannot hold {holds}: its encoding {encoding} does not include all Chinese"
            " characters; name a connection to a database with encoding UTF8"
        )


def _require_names(wanted: Wanted, database: Database) -> None:
    """Make sure that the table and its columns would be found again under their names.

    :raises TargetError: naming the one that is too long.
    """
    for name in (wanted.table.name, *(column.name for column in wanted.columns)):
        size, most = len(name.encode()), database.longest_name
        if most is not None and size > most:
            raise TargetError(
                f"the name {name!r} has {size} bytes, and {database.title} truncates names after {most};"
                " choose a shorter one (a Chinese character takes three bytes)"
            )


def misfit(
    column: Column, found: FoundColumn, wanted: sa.types.TypeEngine[Any], dialect: sa.Dialect
) -> str | None:
    """Return why a column cannot store its values unchanged; None if it can.

    :param found: the existing column of that name.
    :param wanted: the type it would be created with.
    """
    database = database_of(dialect)
    family, shown = database.family(found.type), f"{column.name} is {_shown(found.type, dialect)}"
    instead = f"and should be {_shown(wanted, dialect)}"
    if found.is_generated:
        return f"{column.name} is generated by the database, which accepts no value for it"
    if family is Family.UNKNOWN and database.is_lenient:
        return None
    if family not in database.holding[column.kind]:
        return f"{shown} instead of {_shown(wanted, dialect)}"
    if found.digits is not None and family is Family.TIMESTAMP:
        return f"{shown}, which keeps {found.digits} digits of a second's fractions, {instead}"
    return _text_fault(column, found, shown, instead) if family is Family.TEXT else None


def _text_fault(column: Column, found: FoundColumn, shown: str, instead: str) -> str | None:
    """Return how a text column would change its values; None if it wouldn't."""
    if found.characters:
        return f"{column.name} is in {found.characters}, which lacks Chinese characters, {instead}"
    if found.merging and _is_key(column):
        return (
            f"{column.name} is compared by {found.merging}, which treats different keys as equal, {instead}"
        )
    if found.alteration:
        return f"{shown}, which {found.alteration}, {instead}"
    room = found.size // _BYTES_OF_CHARACTER if found.size is not None else found.length
    if column.longest is not None and room is not None and room < column.longest:
        return f"{column.name} holds {room:,} characters instead of {column.longest:,}, {instead}"
    return None


def is_without_zone(column: Column, found: FoundColumn, dialect: sa.Dialect) -> bool:
    """Return whether a column holds its times without a time zone."""
    return column.kind is ColumnKind.TIMESTAMP and database_of(dialect).is_without_zone(found.type)


def _misfits(wanted: Wanted, present: Mapping[Column, FoundColumn], dialect: sa.Dialect) -> Iterator[str]:
    for column, found in present.items():
        kind, may_be_null = wanted.table.c[column.name].type, wanted.table.c[column.name].nullable
        if why := misfit(column, found, kind, dialect):
            yield why
        elif may_be_null and not found.is_nullable:
            yield f"{column.name} does not allow NULL, which some rows have"
        elif (
            wanted.distinguishes_blanks
            and found.padding
            and _is_key(column)
            and not _shown(kind, dialect).endswith(found.padding)  # MySQL before 8 has no better collation
        ):
            yield (
                f"{column.name} is compared by {found.padding}, which ignores trailing blanks, and should"
                f" be {_shown(kind, dialect)}"
            )


def _lacking(wanted: Wanted, missing: Sequence[Column]) -> Iterator[str]:
    if names := [column.name for column in missing if column.name not in wanted.may_lack]:
        more = f" and {len(names) - _EXAMPLES} more columns" if len(names) > _EXAMPLES else ""
        yield f"it lacks {', '.join(names[:_EXAMPLES])}{more}"


def _unfilled(others: Mapping[str, Other]) -> Iterator[str]:
    if names := [each.name for each in others.values() if not each.is_filled]:
        yield (
            f"it requires a value for {', '.join(names)}, which is never written; add a default or allow NULL"
        )


def _key_faults(wanted: Wanted, unique: Set[frozenset[str]], database: Database) -> Iterator[str]:
    key = frozenset(wanted.key)
    for other, said in wanted.other_keys.items():
        if other in unique and (other < key or key not in unique):
            yield said
            return
    if key not in unique:
        yield (
            f"it has no primary key or unique constraint on ({', '.join(wanted.key)}){database.key_remark}"
        )
    own = {column.name for column in wanted.columns}
    for further in sorted(map(sorted, unique)):
        if key > set(further):
            yield f"it allows one row only for each ({', '.join(further)})"
        elif database.replaces_by_any_key and own >= set(further) and not key <= set(further):
            yield (
                f"it has another unique key on ({', '.join(further)}), which would make {database.title}"
                f" replace other rows; use an index that is not unique"
            )


def _is_key(column: Column) -> bool:
    return column.kind is ColumnKind.KEY and column.name not in _OF_FEW_VALUES


def _shown(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    try:
        return kind.compile(dialect) if not isinstance(kind, sa.types.NullType) else "of an unknown type"
    except (sa.exc.CompileError, NotImplementedError, AttributeError):
        return type(kind).__name__
