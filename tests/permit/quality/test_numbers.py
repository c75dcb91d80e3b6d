from __future__ import annotations

import random

import pytest

from airflow_provider_permitocr.emulator.specimens.permits import hong_kong_id, macao_id
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind
from airflow_provider_permitocr.permit.quality.numbers import holders_number, identity_flag, number_flag


@pytest.mark.parametrize(
    ("kind", "number", "flag"),
    [
        (PermitKind.HONG_KONG_MACAO, "H12345678", None),
        (PermitKind.HONG_KONG_MACAO, "Ｈ12345678", None),
        (PermitKind.HONG_KONG_MACAO, "H1234567800", Flag.NUMBER_LEGACY),
        (PermitKind.HONG_KONG_MACAO, "H12345678 00", Flag.NUMBER_LEGACY),
        (PermitKind.HONG_KONG_MACAO, "H1234567O", Flag.NUMBER_FORMAT),
        (PermitKind.HONG_KONG_MACAO, "K12345678", Flag.NUMBER_FORMAT),
        (PermitKind.HONG_KONG_MACAO, "C12345678", Flag.NUMBER_FOR_OTHER_TYPE),
        (PermitKind.HONG_KONG_MACAO, "12345678", Flag.NUMBER_FOR_OTHER_TYPE),
        (PermitKind.HONG_KONG_MACAO_NON_CHINESE, "MA1234567", None),
        (PermitKind.HONG_KONG_MACAO_NON_CHINESE, "H12345678", Flag.NUMBER_FOR_OTHER_TYPE),
        (PermitKind.TAIWAN, "00000001", None),
        (PermitKind.TAIWAN, "0832027102", Flag.NUMBER_LEGACY),
        (PermitKind.TAIWAN, "0832027102（B）", Flag.NUMBER_LEGACY),
        (PermitKind.TAIWAN, "0832027", Flag.NUMBER_FORMAT),
        (PermitKind.TAIWAN, "083202711", Flag.NUMBER_FORMAT),
        (PermitKind.TAIWAN, "O8320271", Flag.NUMBER_FORMAT),
        (PermitKind.EXIT_ENTRY, "C12345678", None),
        (PermitKind.EXIT_ENTRY, "CZ1234567", None),
        (PermitKind.EXIT_ENTRY, "W12345678", None),
        (PermitKind.EXIT_ENTRY, "CI1234567", Flag.NUMBER_FORMAT),
        (PermitKind.EXIT_ENTRY, "CO1234567", Flag.NUMBER_FORMAT),
        (PermitKind.EXIT_ENTRY, "C1234567", Flag.NUMBER_FORMAT),
    ],
)
def test_number_fits_its_kind_or_is_flagged(kind: PermitKind, number: str, flag: Flag | None) -> None:
    assert number_flag(number, kind) is flag


def test_holders_number_has_no_count_of_renewals() -> None:
    numbers = ("H1234567802", "0832027102(B)", "0832027102", "H12345678", "08320271", "CA1234567")
    assert [holders_number(each) for each in numbers] == [
        *("H12345678", "08320271", "08320271"),
        *("H12345678", "08320271", "CA1234567"),
    ]


def test_every_wrong_check_digit_of_hong_kong_is_found_and_no_right_one() -> None:
    for seed in range(500):
        number = hong_kong_id(random.Random(seed))
        assert identity_flag(number) is None
        wrong = [number[:8] + each + number[9:] for each in "0123456789A" if each != number[8]]
        assert {identity_flag(each) for each in wrong} == {Flag.BACK_ID_CHECKSUM}


def test_identity_number_of_macao_has_no_check_digit_that_is_known() -> None:
    for seed in range(100):
        assert identity_flag(macao_id(random.Random(seed))) is None
    assert identity_flag("2234567(8)") is Flag.BACK_ID_FORMAT
    assert identity_flag("1234567") is Flag.BACK_ID_FORMAT
