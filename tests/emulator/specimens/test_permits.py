from __future__ import annotations

import random
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.specimens import KINDS, PermitKind, make_permit
from airflow_provider_permitocr.emulator.specimens.permits import hong_kong_id, last_day, macao_id
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.api import BACK_FIELD, BACK_FIELDS, TEXT_FIELDS, CardSide

kinds = st.sampled_from(list(PermitKind))
seeds = st.integers(min_value=0, max_value=2**32)

NUMBERS = {
    PermitKind.HONG_KONG_MACAO: r"[HM]\d{8}",
    PermitKind.NON_CHINESE: r"(HA|MA)\d{7}",
    PermitKind.TAIWAN: r"\d{8}",
    PermitKind.EXIT_ENTRY: r"C\d{8}|C[A-HJ-NP-Z]\d{7}",
}


@given(kinds, seeds)
def test_numbers_follow_the_format_of_their_kind(kind: PermitKind, seed: int) -> None:
    permit = make_permit(kind, seed)
    assert re.fullmatch(NUMBERS[kind], permit.number)
    assert re.fullmatch(r"([HM]\d{10})?", permit.history_number)


@given(kinds, seeds)
def test_terms_end_the_day_before_an_anniversary_and_begin_after_birth(kind: PermitKind, seed: int) -> None:
    permit = make_permit(kind, seed)
    years = (permit.valid_until + timedelta(days=1)).year - permit.valid_from.year
    assert years in ((5,) if kind in (PermitKind.NON_CHINESE, PermitKind.TAIWAN) else (5, 10))
    assert permit.valid_until == last_day(permit.valid_from, years)
    assert permit.person.birthday < permit.valid_from


@given(kinds, seeds)
def test_the_same_seed_gives_the_same_permit(kind: PermitKind, seed: int) -> None:
    assert make_permit(kind, seed) == make_permit(kind, seed)


@given(kinds, seeds)
def test_the_truth_names_every_field_of_the_api_on_every_side(kind: PermitKind, seed: int) -> None:
    permit = make_permit(kind, seed)
    for side in KINDS[kind].sides:
        fields = truth(permit, side)
        assert set(TEXT_FIELDS) < set(fields)
        assert set(fields[BACK_FIELD]) == set(BACK_FIELDS)
        assert fields["Type"] == fields[BACK_FIELD]["Type"] == KINDS[kind].permit_type


@given(seeds)
def test_a_back_answers_its_own_members_and_nothing_of_the_front(seed: int) -> None:
    permit = make_permit(PermitKind.HONG_KONG_MACAO, seed)
    back = truth(permit, CardSide.BACK)
    assert back[BACK_FIELD]["Name"] == permit.person.name.chinese
    assert [name for name in TEXT_FIELDS if back[name]] == ["Type"]
    front = truth(permit, CardSide.FRONT)
    assert front[BACK_FIELD]["IDNumber"] == "" != back[BACK_FIELD]["IDNumber"]


@given(seeds)
def test_non_chinese_residents_have_their_nationality_in_front_and_their_chinese_name_behind(
    seed: int,
) -> None:
    permit = make_permit(PermitKind.NON_CHINESE, seed)
    front, back = truth(permit, CardSide.FRONT), truth(permit, CardSide.BACK)
    assert front["Name"] == ""
    assert front["Nationality"]
    assert front["EnglishName"]
    assert back[BACK_FIELD]["Name"]


@given(kinds, seeds)
def test_names_in_latin_letters_put_a_comma_behind_the_surname(kind: PermitKind, seed: int) -> None:
    assert re.fullmatch(r"[A-Z]+,[A-Z][A-Z -]*", make_permit(kind, seed).person.name.latin)


@given(st.integers())
def test_identity_numbers_of_hong_kong_carry_their_true_check_digit(seed: int) -> None:
    number = hong_kong_id(random.Random(seed))
    letter, digits, check = number[0], number[1:7], number[8]
    weighted = (
        36 * 9
        + (ord(letter) - 55) * 8
        + sum(int(d) * w for d, w in zip(digits, range(7, 1, -1), strict=True))
    )
    assert (weighted + (10 if check == "A" else int(check))) % 11 == 0


def test_identity_numbers_of_macao_have_eight_digits() -> None:
    assert re.fullmatch(r"[157]\d{6}\(\d\)", macao_id(random.Random(1)))


@pytest.mark.parametrize(
    ("start", "years", "end"),
    [
        (date(2016, 2, 3), 5, date(2021, 2, 2)),
        (date(2020, 1, 1), 10, date(2029, 12, 31)),
        (date(2016, 2, 29), 5, date(2021, 2, 28)),
        (date(2016, 3, 1), 4, date(2020, 2, 29)),
    ],
)
def test_last_day_is_the_day_before_the_anniversary(start: date, years: int, end: date) -> None:
    assert last_day(start, years) == end
