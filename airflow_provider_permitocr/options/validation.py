"""Validates a DAG author's options: each option has a rule, and is refused if it violates it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.options.readable import is_template

#: A hundred years: no permit is valid for longer, and a date that is further away has no place in a database.
MOST_DAYS: Final = 36_500


@dataclass(frozen=True)
class Rule:
    """What an option must be.

    :param words: completes the sentence "it must be ...".
    :param read: returns the value to keep; for an invalid value, it raises an error that ``check`` catches.
    :param hint: appended to the error.
    :param error: the type of the error.
    """

    words: str
    read: Callable[[Any], Any]
    hint: str = ""
    error: type[Exception] = ValueError


def check(options: object, **rules: Rule) -> None:
    """Check the fields of a frozen dataclass against their rules, and store what these return.

    Templated fields are checked once they are rendered.

    :raises ValueError, TypeError: naming the class, the option, what it must be and what it is.
    """
    templated = getattr(options, "template_fields", ())
    owner = getattr(options, "said_by", f"{type(options).__name__}: ")
    for name, rule in rules.items():
        given = getattr(options, name)
        if name in templated and is_template(given):
            continue
        if (kept := held(f"{owner}{name}", given, rule)) is not given:
            object.__setattr__(options, name, kept)


def held(name: str, given: Any, rule: Rule) -> Any:
    """Check one value against a rule, and return the value to keep.

    :param name: of the value, for the message.
    :raises ValueError, TypeError: according to the rule.
    """
    try:
        return rule.read(given)
    except (TypeError, ValueError, LookupError, OSError, ArithmeticError):
        shown = type(given).__name__ if rule.error is TypeError else repr(given)
        hint = f"; {rule.hint}" if rule.hint else ""
        raise rule.error(f"{name} must be {rule.words}, not {shown}{hint}") from None


def optional(rule: Rule) -> Rule:
    """Return the same rule for an option that may be None."""
    return replace(
        rule, words=f"{rule.words}, or None", read=lambda given: None if given is None else rule.read(given)
    )


def text(words: str = "a text that is not empty") -> Rule:
    """A text with something in it."""
    return Rule(words, lambda given: _require(given, isinstance(given, str) and bool(given.strip())))


def flag() -> Rule:
    """True or False."""
    return Rule("True or False", lambda given: _require(given, isinstance(given, bool)))


def whole(least: int, most: int | None = None) -> Rule:
    """A whole number within inclusive bounds."""

    def read(given: Any) -> Any:
        is_number = isinstance(given, int) and not isinstance(given, bool)
        return _require(given, is_number and given >= least and (most is None or given <= most))

    return Rule(f"a whole number of {_bounds(least, most)}", read)


def number(
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> Rule:
    """A finite number within bounds.

    :param unit: for the message, such as ``seconds``.
    """

    def read(given: Any) -> Any:
        is_number = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)
        return _require(
            given,
            is_number
            and (above is None or given > above)
            and (least is None or given >= least)
            and (below is None or given < below)
            and (most is None or given <= most),
        )

    lower = f"above {above:g}" if above is not None else f"{least:g} or more" if least is not None else ""
    upper = f"below {below:g}" if below is not None else f"{most:g} at most" if most is not None else ""
    bounds = " and ".join(each for each in (lower, upper) if each)
    return Rule(f"a number{f' of {unit}' if unit else ''}, {bounds}", read)


def choice(values: type[StrEnum], hint: str = "") -> Rule:
    """One of an enumeration's values, or its text; kept as the enumeration's."""
    names = [value.value for value in values]
    words = " or ".join(names) if len(names) == 2 else f"one of {', '.join(names)}"
    return Rule(words, values, hint)


def time_zone() -> Rule:
    """A name of the IANA time zone database."""

    def read(given: Any) -> Any:
        ZoneInfo(given)
        return given

    return Rule("a name such as Asia/Hong_Kong or UTC", read)


def table_name() -> Rule:
    """A table's name, with or without its schema in front."""

    def read(given: Any) -> Any:
        return _require(given, isinstance(given, str) and all(given.split(".")) and "\x00" not in given)

    return Rule("a name or schema.name", read)


def instance_of(*types: type) -> Rule:
    """A value of one of these types."""
    names = " or ".join(each.__name__ for each in types)
    return Rule(names, lambda given: _require(given, isinstance(given, types)), error=TypeError)


def listed(what: str) -> Rule:
    """A list or tuple, kept as a tuple; a set would have another order at each parse of a DAG.

    :param what: it holds, for the message.
    """
    return Rule(f"a list of {what}", lambda given: tuple(_require(given, isinstance(given, list | tuple))))


def _require(given: Any, is_right: bool) -> Any:
    if not is_right:
        raise ValueError
    return given


def _bounds(least: int, most: int | None) -> str:
    return f"{least} or more" if most is None else f"{least} to {most}"
