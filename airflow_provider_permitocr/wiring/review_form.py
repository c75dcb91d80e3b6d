"""The form for decisions about readings, as shown on Airflow's page of required actions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from airflow.sdk import Param

from airflow_provider_permitocr.engine.review.entries import RIGHT, WRONG
from airflow_provider_permitocr.engine.review.ports import AskedReading
from airflow_provider_permitocr.permit.corrections import CORRECTABLE_ON

#: The form's buttons.
RECORD: Final = "Record"
CONFIRM_REST: Final = "Record, and confirm all empty rows"
#: Airflow's audit log stores everything sent to its API, except values whose names mark them as secret.
_NAME: Final = "secret_"
_HOW: Final = (
    f"Enter **{RIGHT}** or **{WRONG}**, or what the document actually says: **name=…; birthday=1986.03.02**."
    f" Leave a row empty to decide later; **{CONFIRM_REST}** confirms empty rows."
)
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")


@dataclass(frozen=True)
class Answered:
    """What a person has sent.

    :param given: what was entered, by the names that the ledger has for the question's rows.
    :param confirms_rest: whether rows without an entry are confirmed.
    """

    given: Mapping[str, Any] = field(repr=False)
    confirms_rest: bool


def form_fields(asked: Sequence[AskedReading]) -> dict[str, Param]:
    """Return a field for each reading."""
    return {
        f"{_NAME}{each.review_id}": Param(
            None,
            type=["null", "string"],
            title=_title(each),
            description=_description(each),
            examples=[RIGHT, WRONG],
        )
        for each in asked
    }


def form_body(asked: Sequence[AskedReading], before: str | None, link: str | None) -> str:
    """Return the text above the fields, in Markdown.

    :param before: the DAG author's introduction.
    :param link: address of a page that shows an image.
    """
    parts = [before, _HOW, _fields(asked)]
    if link is not None:
        parts.append(" · ".join(f"[{_escaped(_title(each))}]({_address(link, each)})" for each in asked))
    return "\n\n".join(part for part in parts if part)


def read_answer(chosen: Sequence[str], given: Mapping[str, Any]) -> Answered:
    """Take apart what a person has sent, who may have sent anything.

    :param chosen: the button.
    :param given: what was entered, by the names of the form's fields.
    """
    by_review = {name.removeprefix(_NAME): value for name, value in given.items()}
    return Answered(by_review, confirms_rest=list(chosen) == [CONFIRM_REST])


def _fields(asked: Sequence[AskedReading]) -> str:
    """Return which fields can be corrected, for each side that the question has."""
    sides = sorted({each.row_key[1] for each in asked}, reverse=True)  # the front first
    return "\n\n".join(f"Fields of the {side.lower()}: {', '.join(CORRECTABLE_ON[side])}." for side in sides)


def _title(asked: AskedReading) -> str:
    key, side = asked.row_key
    return f"{key} {side.value}"


def _description(asked: AskedReading) -> str:
    shown = [f"{name}: {'' if value is None else value}" for name, value in asked.shown.items()]
    return " · ".join([", ".join(asked.flags), *shown])


def _address(link: str, asked: AskedReading) -> str:
    key, side = asked.row_key
    return link.replace("{image_key}", quote(key, safe="")).replace("{card_side}", side.value)


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
