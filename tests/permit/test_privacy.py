"""What a policy makes of a document's values: what others can check, and what nobody gets back."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_permitocr.options.privacy import Privacy
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer, Reading, flatten
from airflow_provider_permitocr.permit.columns import (
    ANSWER_COLUMNS,
    COLUMNS,
    QUALITY_COLUMNS,
    Column,
    ColumnKind,
)
from airflow_provider_permitocr.permit.privacy import FACTS, Protection
from airflow_provider_permitocr.permit.replacement import Keys, Method, decrypt, pseudonym
from airflow_provider_permitocr.sql.ledger.standing.images import to_json

HMAC_KEY = b"a key of pseudonyms, made for tests"
FERNET_KEY, OLDER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ANSWER = {
    "Type": "港澳居民来往内地通行证",
    "Name": "陳大文",
    "EnglishName": "CHAN, TAI MAN",
    "Sex": "男",
    "Birthday": "1986.03.02",
    "Number": "H12345678",
    "ValidDate": "2016.02.03-2026.02.02",
    "Profile": "cG9ydHJhaXQ=",
    "Nickname": "a field of a later version",
}


def protection(**methods: str) -> Protection:
    return Protection(
        {name: Method(method) for name, method in methods.items()}, {}, Keys(HMAC_KEY, (FERNET_KEY,))
    )


def protected(**methods: str) -> dict[str, Any]:
    return protection(**methods).protect(flatten(ANSWER))


def test_every_column_of_an_answer_is_of_one_fact_or_says_nothing_of_a_person() -> None:
    told = [name for fact in FACTS.values() for name in fact.columns]
    assert len(told) == len(set(told))
    warnings = {name for name in ANSWER_COLUMNS if name.startswith("warn_")}
    of_image = {"image_digest", "image_bytes", "image_width", "image_height"}
    assert {*told} - of_image == {*ANSWER_COLUMNS} - warnings


def test_a_number_becomes_a_pseudonym_that_tables_can_be_joined_by() -> None:
    assert protected(number="hmac")["number"] == pseudonym("H12345678", key=HMAC_KEY)
    assert pseudonym("H12345678", key=HMAC_KEY) != pseudonym("H12345678", key=HMAC_KEY + b"!")


@pytest.mark.parametrize("printed", ["1986.03.02", "1986年3月2日", "1986-03-02"])
def test_a_birthday_has_one_pseudonym_however_it_is_printed(printed: str) -> None:
    record = protection(birthday="hmac").protect(flatten(ANSWER | {"Birthday": printed}))
    assert record["birthday_raw"] == pseudonym("1986-03-02", key=HMAC_KEY)
    assert record["birthday"] is None


@pytest.mark.parametrize("keys", [(FERNET_KEY,), (OLDER_KEY, FERNET_KEY)], ids=["its own", "rotated"])
def test_an_encrypted_value_is_read_with_its_key(keys: tuple[str, ...]) -> None:
    token = protected(name="encrypt")["name"]
    assert "陳" not in token
    assert decrypt(token, *keys) == "陳大文"


def test_an_encrypted_value_is_not_read_without_its_key() -> None:
    with pytest.raises(ValueError, match="not encrypted with one of these keys"):
        decrypt(protected(name="encrypt")["name"], OLDER_KEY)


def test_of_a_birthday_its_year_is_left() -> None:
    record = protected(birthday="year", validity="year")
    assert (record["birthday"], record["birthday_raw"]) == (date(1986, 1, 1), "1986")
    assert (record["valid_from"], record["valid_until"]) == (date(2016, 1, 1), date(2026, 1, 1))
    assert record["valid_date"] == "2016-2026"


def test_a_birthday_that_cannot_be_read_leaves_nothing_of_its_text() -> None:
    record = protection(birthday="year").protect(flatten(ANSWER | {"Birthday": "2 MAR 86"}))
    assert (record["birthday"], record["birthday_raw"]) == (None, None)


def test_what_is_dropped_is_gone_from_all_columns_that_tell_it() -> None:
    record = protected(birthday="drop", profile="drop", validity="drop")
    gone = ("birthday", "birthday_raw", "profile", "valid_from", "valid_until", "valid_date")
    assert [record[name] for name in gone] == [None] * 6
    assert record["name"] == "陳大文"


def test_without_a_policy_the_ledger_keeps_what_the_api_answered() -> None:
    answer = KeptAnswer(ANSWER)
    assert answer.protected(Reading(protection=Protection())) is answer


def test_under_a_policy_the_ledger_keeps_no_field_that_this_version_does_not_know() -> None:
    kept = KeptAnswer(ANSWER).protected(Reading(protection=protection(number="hmac")))
    assert kept.form is AnswerForm.PROTECTED
    assert "a field of a later version" not in str(kept.values)
    assert "H12345678" not in str(kept.values)


def stored(answer: KeptAnswer) -> KeptAnswer:
    """Return it as it comes back from JSON."""
    return KeptAnswer(json.loads(to_json(answer.values)), answer.form)


def test_a_kept_answer_is_delivered_as_it_was_protected() -> None:
    policy = protection(number="hmac", name="mask", birthday="year", english_name="encrypt")
    kept = KeptAnswer(ANSWER).protected(Reading(protection=policy))
    assert stored(kept).record(Reading(protection=policy)) == kept.record(Reading(protection=policy))
    assert kept.record(Reading(protection=policy))["name"] == "陳**"


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("keep", "mask", "陳**"),
        ("mask", "keep", "陳**"),
        ("mask", "drop", None),
        ("mask", "hmac", None),
        ("drop", "keep", None),
        ("hmac", "mask", None),
    ],
)
def test_a_policy_that_changes_hides_more_and_brings_nothing_back(
    before: str, now: str, expected: str | None
) -> None:
    kept = stored(KeptAnswer(ANSWER).protected(Reading(protection=protection(number="drop", name=before))))
    assert kept.record(Reading(protection=protection(number="drop", name=now)))["name"] == expected


def test_protecting_what_is_protected_changes_nothing() -> None:
    policy = protection(number="hmac", name="encrypt", english_name="mask", birthday="year", sex="drop")
    once = KeptAnswer(ANSWER).protected(Reading(protection=policy))
    assert stored(once).protected(Reading(protection=policy)).values == once.values


def test_a_table_that_was_taken_over_keeps_its_pseudonyms_and_tokens() -> None:
    policy = protection(number="hmac", name="encrypt", birthday="year", back_id_number="mask")
    columns = policy.protect(flatten(ANSWER | {"BackInfo": {"IDNumber": "Z683365(5)"}}))
    kept = KeptAnswer(columns, AnswerForm.ADOPTED).record(Reading(protection=policy))
    assert kept == columns | dict.fromkeys(QUALITY_COLUMNS)


def test_columns_say_what_became_of_their_values_and_have_room_for_it() -> None:
    columns = {each.name: each for each in protection(number="hmac", name="encrypt").columns(COLUMNS)}
    assert columns["number"].longest == 64
    assert columns["number"].comment.endswith("as a pseudonym, HMAC-SHA256")
    token = protection(name="encrypt").protect({"name": "龘" * 40})["name"]
    assert columns["name"].longest is not None
    assert len(str(token)) <= columns["name"].longest


@pytest.mark.parametrize(
    ("kind", "value", "method", "then", "kept"),
    [
        (ColumnKind.TEXT, "A123", "keep", ColumnKind.TEXT, "A123"),
        (ColumnKind.TEXT, "A123", "hmac", ColumnKind.LONG_TEXT, pseudonym("A123", key=HMAC_KEY)),
        (ColumnKind.INTEGER, 123456, "hmac", ColumnKind.LONG_TEXT, pseudonym("123456", key=HMAC_KEY)),
        (ColumnKind.DATE, date(1986, 3, 2), "year", ColumnKind.DATE, date(1986, 1, 1)),
        (ColumnKind.TEXT, "A123", "mask", ColumnKind.LONG_TEXT, "A***"),
        (ColumnKind.TEXT, "A123", "drop", ColumnKind.TEXT, None),
        (ColumnKind.TEXT, None, "hmac", ColumnKind.LONG_TEXT, None),
    ],
)
def test_a_copied_column_holds_what_the_policy_makes_of_it(
    kind: ColumnKind, value: Any, method: str, then: ColumnKind, kept: Any
) -> None:
    policy = Protection({}, {"claimed": Method(method)}, Keys(HMAC_KEY))
    (column,) = policy.columns([Column("claimed", kind, "From the image list")])
    assert (column.kind, policy.protect_carried({"claimed": value})) == (then, {"claimed": kept})
    assert policy.protect_carried({"claimed": kept}) == {"claimed": kept}


@pytest.mark.parametrize(
    ("stored", "left"),
    [
        ("1986-03-02", "1986-01-01"),
        ("1986-03-02T10:00:00+00:00", "1986-01-01"),
        ("1986-01-01", "1986-01-01"),
        ("1986-03-021", None),
        ("A123", None),
        (1986, None),
    ],
)
def test_of_a_copied_day_that_was_json_its_year_is_left(stored: Any, left: Any) -> None:
    policy = Protection({}, {"born": Method.YEAR})
    assert policy.protect_carried({"born": stored}) == {"born": left}


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_can_be_named_in_a_policy(name: str) -> None:
    given: dict[str, Any] = {name: "drop"}
    assert Privacy(**given).methods[name] is Method.DROP
