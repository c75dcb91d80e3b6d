"""Cards of every generation are free of flags, but for numbers that say themselves that they are old."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from airflow_provider_permitocr.emulator.specimens.kinds import DRAWABLE, PermitKind
from airflow_provider_permitocr.emulator.specimens.permits import make_permit
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.flags import Flag
from tests.permit.quality.cards import (
    NEW,
    OLD,
    RESIDENTS_TYPE,
    exit_entry_front,
    flags_of,
    front,
    non_chinese_front,
    residents_back,
    residents_front,
)

_LEGACY = [Flag.NUMBER_LEGACY]


@pytest.mark.parametrize(
    ("card", "day", "flags"),
    [
        (
            residents_front(Number="H0123456700", Birthday="1970.01.01", ValidDate="2001.05.08-2011.05.07"),
            date(2005, 1, 1),
            _LEGACY,
        ),
        (
            residents_front(
                Number="M1234567803",
                ValidDate="2010.06.01-2013.05.31",
                Birthday="2001.01.01",
                IssueNumber="",
                EnglishName="",
            ),
            date(2012, 1, 1),
            _LEGACY,
        ),
        (residents_front(ValidDate="2013.01.02-2023.01.01"), date(2020, 1, 1), []),
        (
            residents_front(ValidDate="2014.04.10-2019.04.09", Birthday="2000.01.01"),
            date(2016, 1, 1),
            [],
        ),
        (
            residents_front(Number="M87654321", ValidDate="2021.03.01-2031.02.28", IssueAuthority=NEW),
            date(2026, 11, 30),
            [],
        ),
        (non_chinese_front(), date(2026, 11, 30), []),
        (
            non_chinese_front(Number="MA0000001", Type=f"{RESIDENTS_TYPE}(非中国籍)"),
            date(2026, 1, 1),
            [],
        ),
        (non_chinese_front(Birthday="2023.01.01"), date(2026, 1, 1), []),
        (front(), date(2020, 1, 1), []),
        (front(Number="0832027102(B)", ValidDate="2006.02.03-2011.02.02"), date(2008, 1, 1), _LEGACY),
        (
            front(Number="0832027102", ValidDate="2008.02.03-2013.02.02", IssueNumber=""),
            date(2009, 1, 1),
            _LEGACY,
        ),
        (
            front(Number="D12345678901", ValidDate="2014.02.03-2014.05.02"),
            date(2014, 2, 5),
            [Flag.EXPIRES_SOON],
        ),
        (front(ValidDate="2024.02.29-2029.02.28", IssueAuthority=NEW), date(2025, 1, 1), []),
        (exit_entry_front(), date(2026, 1, 1), []),
        (
            exit_entry_front(Number="C12345678", ValidDate="2015.05.06-2025.05.05", IssueAuthority=OLD),
            date(2020, 1, 1),
            [],
        ),
        (
            exit_entry_front(Number="W12345678", ValidDate="2012.05.06-2017.05.05", IssueAuthority=OLD),
            date(2014, 1, 1),
            [],
        ),
        (
            exit_entry_front(
                Number="CZ7654321", Birthday="2010.01.01", ValidDate="2022.05.06-2027.05.05", Sex="女"
            ),
            date(2026, 1, 1),
            [],
        ),
        (exit_entry_front(IssueAuthority="广东省公安厅"), date(2020, 1, 1), []),
        (exit_entry_front(Nationality="中国"), date(2020, 1, 1), []),
        (
            front(
                Type="Mainland Travel Permit for Taiwan Residents",
                Sex="M",
                Nationality="China",
                IssueAuthority="MPS Exit & Entry Administration",
            ),
            date(2020, 1, 1),
            [],
        ),
        (front(IssueAuthority=NEW, ValidDate="2019.02.03-2024.02.02"), date(2020, 1, 1), []),
        (front(IssueAuthority=OLD, ValidDate="2019.12.31-2024.12.30"), date(2020, 1, 1), []),
    ],
)
def test_front_of_any_generation_has_no_flag_but_that_its_number_is_old(
    card: Record, day: date, flags: list[Flag]
) -> None:
    assert flags_of(card, CardSide.FRONT, day) == flags


@pytest.mark.parametrize(
    "card",
    [
        residents_back(),
        residents_back(IDNumber="WX1234569"),
        residents_back(IDNumber="1/234567/8"),
        residents_back(IDNumber="5123456（7）"),
        residents_back(Type="Mainland Travel Permit for Hong Kong and Macao Residents", Name=""),
        residents_back(HistoryNumber="H0123456700"),
    ],
)
def test_back_of_any_generation_has_no_flag(card: Record) -> None:
    assert flags_of(card, CardSide.BACK) == []


@pytest.mark.parametrize(("kind", "side"), DRAWABLE)
def test_clean_specimen_has_no_flag_on_a_day_within_its_validity(kind: PermitKind, side: CardSide) -> None:
    for seed in range(300):
        permit = make_permit(kind, seed)
        card = flatten(truth(permit, side))
        for day in (permit.valid_from, permit.valid_until - timedelta(days=91)):
            assert flags_of(card, side, day, size=(480, 303)) == [], (seed, day)


def test_own_words_of_the_specimen_are_no_difference_to_what_was_typed() -> None:
    for kind, side in DRAWABLE:
        permit = make_permit(kind, 7)
        person = permit.person
        card = flatten(truth(permit, side))
        assert (
            flags_of(
                card,
                side,
                permit.valid_from,
                typed={
                    "number": permit.number,
                    "name": person.name.chinese,
                    "english_name": person.name.latin,
                    "birthday": person.birthday,
                },
            )
            == []
        )
