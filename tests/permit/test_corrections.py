"""What is kept of corrections under a policy, and what a later policy makes of that."""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.corrections import (
    CORRECTABLE,
    corrected,
    kept_corrections,
    protected_corrections,
    shown_corrections,
)
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Keys, Method, decrypt, pseudonym

FERNET = Fernet.generate_key().decode()
KEYS = Keys(hmac=b"key", fernet=(FERNET,))
GIVEN = {"name": "陈小明", "birthday": "1986.03.02", "number": "H87654321"}


def kept(**methods: Method) -> dict[str, Any]:
    """Return corrections as the ledger has them, through JSON."""
    record = kept_corrections(corrected(GIVEN, CardSide.FRONT), Protection(methods, keys=KEYS))
    read: dict[str, Any] = json.loads(json.dumps(record, default=str))
    return read


def test_all_that_a_document_prints_can_be_corrected_but_for_its_portrait() -> None:
    assert {"name", "number", "birthday", "validity", "back_id_number"} <= set(CORRECTABLE)
    assert not {"profile", "image_digest", "quality_flags"} & set(CORRECTABLE)


def test_without_a_policy_corrections_are_kept_as_they_were_typed() -> None:
    assert shown_corrections(kept(), Protection()) == {
        "name": "陈小明",
        "birthday_raw": "1986.03.02",
        "birthday": "1986-03-02",
        "number": "H87654321",
    }


def test_a_corrected_date_has_the_pseudonym_of_the_date_however_it_is_typed() -> None:
    shown = shown_corrections(kept(birthday=Method.HMAC), Protection())
    assert shown["birthday_raw"] == pseudonym("1986-03-02", key=b"key")
    assert "birthday" not in shown


def test_an_encrypted_correction_can_be_read_with_the_key_and_stays_encrypted() -> None:
    once = kept(name=Method.ENCRYPT)
    assert decrypt(once["name"], FERNET) == "陈小明"
    again = protected_corrections(once, Protection({"name": Method.ENCRYPT}, keys=KEYS))
    assert {name: str(value) for name, value in again.items()} == {
        name: str(value) for name, value in once.items()
    }


def test_a_masked_correction_is_dropped_by_a_policy_that_wants_its_pseudonym() -> None:
    shown = shown_corrections(kept(name=Method.MASK), Protection({"name": Method.HMAC}, keys=KEYS))
    assert "name" not in shown
    assert shown["number"] == "H87654321"


def test_what_a_policy_has_dropped_does_not_come_back() -> None:
    dropped = kept(name=Method.DROP)
    assert "陈小明" not in dropped.values()
    assert "name" not in shown_corrections(dropped, Protection())


def test_a_stricter_policy_holds_for_what_leaves_the_ledger_at_once() -> None:
    shown = shown_corrections(kept(), Protection({"number": Method.MASK, "birthday": Method.YEAR}))
    assert (shown["number"], shown["birthday_raw"]) == ("H******21", "1986")
