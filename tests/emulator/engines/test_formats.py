from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.engines import formats
from airflow_provider_permitocr.emulator.specimens import PermitKind, make_permit
from airflow_provider_permitocr.emulator.specimens.kinds import KINDS
from airflow_provider_permitocr.permit.api import PermitType

FORMATS = [
    formats.authority,
    formats.count,
    formats.han_name,
    formats.history_number,
    formats.id_number,
    formats.latin_name,
    formats.one_date,
    formats.place,
    formats.sex,
    formats.two_dates,
    *map(formats.permit_number, PermitType),
]


@pytest.mark.parametrize(
    ("read", "field", "value"),
    [
        (formats.one_date, "1986.03.02", "1986.03.02"),
        (formats.one_date, "1986.0302", "1986.03.02"),
        (formats.one_date, "l986. O3.02", "1986.03.02"),
        (formats.one_date, "1986.13.02", ""),
        (formats.two_dates, "2016.02.03—2021.02.02", "2016.02.03-2021.02.02"),
        (formats.two_dates, "2016.02.032021.02.02", "2016.02.03-2021.02.02"),
        (formats.two_dates, "2016.02.03", ""),
        (formats.latin_name, "LI，YOU-TU", "LI,YOU-TU"),
        (formats.latin_name, "CHAN, TAI MAN", "CHAN,TAI MAN"),
        (formats.latin_name, "L1.Y0U - TU", "LI,YOU-TU"),
        (formats.latin_name, "SPECIMEN", ""),
        (formats.latin_name, "Mainland Travel Permit, Taiwan", ""),
        (formats.han_name, "李 优图", "李优图"),
        (formats.han_name, "LI,YOU-TU", ""),
        (formats.id_number, "A123456（3）", "A123456(3)"),
        (formats.id_number, "Z55791 3(A)", "Z557913(A)"),
        (formats.id_number, "1234567(8)", "1234567(8)"),
        (formats.id_number, "A12345", ""),
        (formats.history_number, "H1038787701", "H1038787701"),
        (formats.count, "O2", "02"),
        (formats.count, "2", ""),
        (formats.sex, "女 ", "女"),
        (formats.sex, "女士", ""),
    ],
)
def test_slips_of_reading_are_mended_and_other_texts_refused(
    read: Callable[[str], str], field: str, value: str
) -> None:
    assert read(field) == value


@pytest.mark.parametrize(
    ("permit_type", "text", "number"),
    [
        (PermitType.HONG_KONG_MACAO, "H1O387877", "H10387877"),
        (PermitType.HONG_KONG_MACAO, "H1038787701", "H1038787701"),
        (PermitType.HONG_KONG_MACAO, "HA1234567", "HA1234567"),
        (PermitType.HONG_KONG_MACAO, "C10387877", ""),
        (PermitType.TAIWAN, "08320271", "08320271"),
        (PermitType.TAIWAN, "0832027101", "0832027101"),
        (PermitType.TAIWAN, "2016.02.03", ""),
        (PermitType.EXIT_ENTRY, "C51283836一", "C51283836"),
        (PermitType.EXIT_ENTRY, "CA0000001", "CA0000001"),
        (PermitType.EXIT_ENTRY, "CO0000001", "C00000001"),
        (PermitType.EXIT_ENTRY, "W12345678", "W12345678"),
        (PermitType.EXIT_ENTRY, "CA00000012", ""),
    ],
)
def test_numbers_follow_the_type(permit_type: PermitType, text: str, number: str) -> None:
    assert formats.permit_number(permit_type)(text) == number


@given(st.sampled_from(list(PermitKind)), st.integers(min_value=0))
def test_what_permits_print_reads_unchanged(kind: PermitKind, seed: int) -> None:
    permit = make_permit(kind, seed)
    assert formats.permit_number(KINDS[kind].permit_type)(permit.number) == permit.number
    assert formats.latin_name(permit.person.name.latin) == permit.person.name.latin
    assert formats.han_name(permit.person.name.chinese) == permit.person.name.chinese
    assert formats.id_number(permit.person.id_number) == permit.person.id_number
    assert formats.history_number(permit.history_number) == permit.history_number
    assert formats.authority(permit.issue_authority) == permit.issue_authority


@given(st.text(max_size=40))
def test_any_text_is_answered_without_error(text: str) -> None:
    for read in FORMATS:
        assert isinstance(read(text), str)


@given(st.sampled_from(FORMATS), st.text(max_size=30))
def test_a_format_leaves_its_own_values_alone(read: Callable[[str], str], text: str) -> None:
    assert read(read(text)) == read(text)
