"""The search itself: each kind of value is found, in each form that it is written in."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import date

import pytest

from airflow_provider_permitocr.emulator.specimens import Specimen
from tests.support.private_values import IMAGE_CHARACTERS, PrivateValues


@pytest.fixture
def private(front: Specimen) -> PrivateValues:
    values = PrivateValues()
    values.add_specimen(front)
    values.add("key", "a-secret-word")
    return values


def birthday(specimen: Specimen) -> date:
    return date(*map(int, specimen.fields["Birthday"].split(".")))


def kinds(private: PrivateValues, text: str) -> set[str]:
    return {kind for kind, _ in private.found_in(f"The line says {text}, and no more")}


FORMS: dict[str, tuple[str, Callable[[Specimen], str]]] = {
    "name": ("Name", lambda front: front.fields["Name"]),
    "name in JSON": ("Name", lambda front: json.dumps(front.fields["Name"])),
    "name in JSON in a repr": ("Name", lambda front: repr(json.dumps(front.fields["Name"]))),
    "name in pinyin": ("EnglishName", lambda front: front.fields["EnglishName"]),
    "number": ("Number", lambda front: front.fields["Number"]),
    "birthday as printed": ("Birthday", lambda front: front.fields["Birthday"]),
    "birthday in ISO form": ("Birthday", lambda front: birthday(front).isoformat()),
    "birthday in digits": ("Birthday", lambda front: f"{birthday(front):%Y%m%d}"),
    "birthday as a date": ("Birthday", lambda front: repr(birthday(front))),
    "birthday in Chinese": ("Birthday", lambda front: f"{birthday(front):%Y年%m月%d日}"),
    "a day of the period": ("ValidDate", lambda front: front.fields["ValidDate"][:10].replace(".", "-")),
    "base64": ("image in base64", lambda front: part(b64encode(front.image).decode())),
    "base64 of URLs": ("image in base64", lambda front: part(urlsafe_b64encode(front.image).decode())),
    "bytes": ("image", lambda front: part(repr(front.image))),
    "bytes as characters": ("image", lambda front: part(front.image.decode("latin-1"))),
    "hexadecimal digits": ("image", lambda front: part(front.image.hex())),
    "a secret": ("key", lambda front: "a-secret-word"),
    "a header": ("signature", lambda front: f"Authorization: x, Signature={'0123456789abcdef' * 4}"),
    "a query": ("signature", lambda front: f"?q-signature={'0123456789abcdef' * 2}"),
}


def part(text: str) -> str:
    """Return as few characters as are to be found, from amid the picture itself."""
    return text[len(text) // 2 :][:IMAGE_CHARACTERS]


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_each_form(private: PrivateValues, front: Specimen, form: str) -> None:
    kind, written = FORMS[form]
    assert kinds(private, written(front)) == {kind}


def test_a_text_without_a_value_has_none(private: PrivateValues) -> None:
    assert (
        kinds(private, "a digest 60757064b36a4ff5bfed0d2e6acdf4eb, H00000000, 1886-03-02, key 'k000'")
        == set()
    )
