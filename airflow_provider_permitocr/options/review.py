"""Which readings to review, and what a question shows, as specified by a DAG author."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.options.validation import Rule, check, optional, whole
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.permit.quality.flags import OF_READINGS, Flag

#: The form has a field for each; with more of them, a page of it takes seconds to open.
_MOST_ROWS: Final = 200
#: What a link may hold, and what takes its place.
_PLACES: Final = ("{image_key}", "{card_side}")


@dataclass(frozen=True, kw_only=True)
class ReviewRule:
    """Which readings a question is about, and what it shows.

    :param rows: the most readings in one question.
    :param flags: names of quality flags: readings with one of these; None: those that are doubtful.
    :param show: columns of the result that the question shows beside key, side and flags.
    :param link: address of a page that shows an image, with ``{image_key}`` and ``{card_side}`` in it.
    :raises ValueError, TypeError: naming the option.
    """

    rows: int = 50
    flags: Sequence[str] | None = None
    show: Sequence[str] = ()
    link: str | None = None

    def __post_init__(self) -> None:
        columns = f"columns of an answer ({', '.join(_SHOWABLE)})"
        check(
            self,
            rows=whole(1, _MOST_ROWS),
            flags=optional(Rule("a list of names of quality flags, such as number_format", _names)),
            show=Rule(f"a list of {columns}", _showable),
            link=optional(Rule("an http(s) address with {image_key} in it", _address)),
        )


_SHOWABLE: Final = tuple(name for name in ANSWER_COLUMNS if name != "profile")


def _names(given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not given:
        raise ValueError
    if not set(given) <= set(OF_READINGS):
        raise ValueError
    return tuple(Flag(each).value for each in given)


def _showable(given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not set(given) <= set(_SHOWABLE):
        raise ValueError
    return tuple(given)


def _address(given: str) -> str:
    left = given
    for place in _PLACES:
        left = left.replace(place, "")
    if not given.startswith(("http://", "https://")) or _PLACES[0] not in given or {"{", "}"} & set(left):
        raise ValueError
    return given
