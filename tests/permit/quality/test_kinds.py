from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.specimens.kinds import KINDS
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.kinds import PermitKind, permit_kind, sex_code
from tests.permit.quality.cards import (
    DAY,
    EXIT_ENTRY_TYPE,
    RESIDENTS_TYPE,
    TAIWAN_TYPE,
    front,
    residents_back,
)
from tests.support.document_flags import document_flags


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"type": TAIWAN_TYPE}, PermitKind.TAIWAN),
        ({"type": "臺灣居民來往大陸通行證"}, PermitKind.TAIWAN),
        ({"type": EXIT_ENTRY_TYPE}, PermitKind.EXIT_ENTRY),
        ({"type": RESIDENTS_TYPE}, PermitKind.HONG_KONG_MACAO),
        ({"type": RESIDENTS_TYPE, "number": "H12345678"}, PermitKind.HONG_KONG_MACAO),
        ({"type": RESIDENTS_TYPE, "number": "HA1234567"}, PermitKind.HONG_KONG_MACAO_NON_CHINESE),
        ({"type": RESIDENTS_TYPE, "number": "HA123456"}, PermitKind.HONG_KONG_MACAO),
        ({"type": f"{RESIDENTS_TYPE}（非中國籍）"}, PermitKind.HONG_KONG_MACAO_NON_CHINESE),
        ({"back_type": RESIDENTS_TYPE}, PermitKind.HONG_KONG_MACAO),
        ({"number": "MA1234567"}, PermitKind.HONG_KONG_MACAO_NON_CHINESE),
        ({"number": "H12345678"}, None),
        ({"type": TAIWAN_TYPE, "number": "HA1234567"}, PermitKind.TAIWAN),
        ({"type": "大陆居民往来台湾通行证"}, None),
        ({"type": "港澳台居民居住证"}, None),
        ({"type": "Mainland Travel Permit for Hong Kong and Macau Residents"}, PermitKind.HONG_KONG_MACAO),
        ({"type": "Exit-Entry Permit for Travelling to and from Taiwan"}, None),
        ({}, None),
    ],
)
def test_kind_follows_from_type_and_number(record: Record, kind: PermitKind | None) -> None:
    assert permit_kind(record) is kind


def test_english_title_of_each_specimen_says_its_kind() -> None:
    kinds = {str(kind): permit_kind({"type": facts.title}) for kind, facts in KINDS.items()}
    assert kinds == {
        "taiwan": PermitKind.TAIWAN,
        "hong_kong_macao": PermitKind.HONG_KONG_MACAO,
        "non_chinese": PermitKind.HONG_KONG_MACAO_NON_CHINESE,
        "exit_entry": PermitKind.EXIT_ENTRY,
    }


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        *((each, "M") for each in ("男", "M", "m", "Male", "男/M", "男 M", "Ｍ")),
        *((each, "F") for each in ("女", "F", "Female", "女/F")),
        *((each, None) for each in ("", None, "X", "田", "男女", "FM")),
    ],
)
def test_gender_has_a_code_whatever_the_language(printed: str | None, code: str | None) -> None:
    assert sex_code(printed) == code


# The first text of all takes a slow machine seconds: a table of characters is made for it.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(front())),
        st.none() | st.text(max_size=30) | st.sampled_from(["H", "HA1234567", "9999.12.31", "gAAAA"]),
    ),
    st.sampled_from(CardSide),
)
def test_any_answer_can_be_examined(changes: dict[str, str | None], side: CardSide) -> None:
    dates = {"birthday", "valid_from", "valid_until"}
    changed = {name: value for name, value in changes.items() if name not in dates}
    record = front() | changed
    Examination().flags(record, side, day=DAY, declared=changed)
    document_flags(record, residents_back())


@given(st.dates(), st.dates(), st.dates(), st.dates())
def test_any_dates_can_be_examined(birthday: date, first: date, last: date, day: date) -> None:
    dates = {"birthday": birthday, "valid_from": first, "valid_until": last}
    for printed in (TAIWAN_TYPE, RESIDENTS_TYPE, EXIT_ENTRY_TYPE):
        Examination().flags(front(Type=printed) | dates, CardSide.FRONT, day=day)
