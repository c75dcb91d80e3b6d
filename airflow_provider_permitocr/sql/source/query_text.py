"""A SELECT of the DAG's author with its parameters, as a part of another statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

#: A colon that SQLAlchemy takes for the beginning of a parameter, in a quoted text, too.
_COLON: Final = re.compile(r"(?<![:\\]):(?=\w)")
#: Not the second colon of a cast, nor the one of a slice or a time.
_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)")
_CHANGES: Final = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE|CREATE|DROP|ALTER|TRUNCATE|CALL|SET|COPY)\b", re.IGNORECASE
)
#: Placeholder for quoted text, by its number.
_MARK: Final = re.compile("\0(\\d+)\0")
_GAP: Final = "(?:\\s|\0\\d+\0)*"
_IN: Final = re.compile(rf"\b(NOT\s+)?IN{_GAP}(?:\({_GAP}:(\w+){_GAP}\)|:(\w+))", re.IGNORECASE)
_IN_WITH_OTHERS: Final = re.compile(rf"\bIN{_GAP}\(([^()]*)\)", re.IGNORECASE)
#: In every database, NULL takes the type that it is compared with. Never NULL, because a NOT may precede it.
_IN_NOTHING: Final = {False: "IN (NULL) IS NOT NULL", True: "NOT IN (NULL) IS NULL"}
#: Suffix of a list parameter's name: the same name may stand for an array elsewhere, as in ``= ANY(:b)``.
_LISTED: Final = "_permitocr_in"


def query_text(sql: str, parameters: Mapping[str, Any], quoted: str) -> sa.TextClause:
    """Return a statement in which bound values replace each ``:name``.

    ``IN :name`` and ``IN (:name)`` accept a list, which may be empty.

    :param quoted: matches texts, names and comments, which are left unchanged.
    :raises ValueError: when it is certainly not a single SELECT, names and values do not match, or a list is
        not the only operand of ``IN``; the message quotes no value.
    """
    if "\0" in sql:
        raise ValueError("it holds a NUL character")
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(_COLON.sub(r"\\:", found[0]))
        return f"\0{len(kept) - 1}\0"

    # Anything after it would be another statement; the line break ends a comment on the last line.
    text = re.sub(quoted, keep, sql.strip().rstrip(";") + "\n", flags=re.DOTALL)
    if changes := _CHANGES.match(_MARK.sub("", text)):
        raise ValueError(f"it begins with {changes[1].upper()}, but only a SELECT lists images")
    _require_one_statement(text)
    _require_values(text, parameters)
    lists = {name: value for name, value in parameters.items() if _is_list(value)}
    text = _with_lists(text, lists)
    # A cast after a parameter, as in :day::date, is recognized only with a space in between.
    text = re.sub(r"(?<![:\w\\])(:\w+)::", r"\1 ::", text)
    values = {**parameters, **{f"{name}{_LISTED}": value for name, value in lists.items()}}
    used = dict.fromkeys(_PARAMETER.findall(text))
    statement = sa.text(_MARK.sub(lambda mark: kept[int(mark[1])], text))
    return statement.bindparams(*(_bound(name, values[name]) for name in used))


def _require_one_statement(text: str) -> None:
    """Refuse text that would end the subquery that a SELECT becomes, as a pasted value might."""
    code = _MARK.sub("", text)
    if ";" in code:
        raise ValueError("it holds more than one statement, and only one SELECT lists images")
    depth = 0
    for each in re.findall(r"[()]", code):
        depth += 1 if each == "(" else -1
        if depth < 0:
            break
    if depth:
        raise ValueError("its parentheses do not match")


def _require_values(text: str, parameters: Mapping[str, Any]) -> None:
    names = dict.fromkeys(_PARAMETER.findall(text))
    if missing := [name for name in names if name not in parameters]:
        raise ValueError(f"it has :{missing[0]}, but parameters gives no value for {missing[0]!r}")
    if unused := [name for name in parameters if name not in names]:
        raise ValueError(f"parameters has a value for {unused[0]!r}, but the query has no :{unused[0]}")


def _with_lists(text: str, lists: Mapping[str, Any]) -> str:
    """Write lists behind ``IN`` as SQLAlchemy reads them."""

    def replaced(found: re.Match[str]) -> str:
        name = found[2] or found[3]
        if name not in lists:
            return found[0]
        is_not = bool(found[1])
        return f"{'NOT ' if is_not else ''}IN :{name}{_LISTED}" if lists[name] else _IN_NOTHING[is_not]

    text = _IN.sub(replaced, text)
    for among in _IN_WITH_OTHERS.findall(text):
        for name in _PARAMETER.findall(among):
            if name in lists:
                raise ValueError(f"the list :{name} must be the only operand of IN, as in IN :{name}")
    return text


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _bound(name: str, value: Any) -> sa.BindParameter[Any]:
    """Bind a value; text without a type, so that it takes the type that it is compared with."""
    if not name.endswith(_LISTED):
        return sa.bindparam(name, value, sa.types.NULLTYPE if isinstance(value, str) else None)
    values = list(value)
    is_text = any(isinstance(each, str) for each in values)
    return sa.bindparam(name, values, sa.types.NULLTYPE if is_text else None, expanding=True)
