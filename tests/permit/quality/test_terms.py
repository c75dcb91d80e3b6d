"""How long a card is valid, by its kind and by the holder's age at issue."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.flags import Flag
from tests.permit.quality.cards import (
    NEW,
    exit_entry_front,
    flags_of,
    front,
    non_chinese_front,
    residents_front,
)

_BOOKLET = "W12345678"


@pytest.mark.parametrize(
    ("card", "fits"),
    [
        (front(ValidDate="2016.02.03-2021.02.02"), True),
        (front(ValidDate="2016.02.03-2026.02.02"), False),
        (front(ValidDate="2016.02.03-2021.02.01"), False),
        (front(ValidDate="2016.02.03-长期"), False),
        (front(ValidDate="2016.02.29-2021.02.28"), True),
        (front(ValidDate="2016.02.29-2021.02.27"), True),
        (front(ValidDate="2016.03.01-2021.02.28"), True),
        (front(ValidDate="2016.01.01-2020.12.31"), True),
        (front(ValidDate="2016.01.01-9999.12.31"), False),
        (residents_front(ValidDate="2014.04.10-2024.04.09"), True),
        (residents_front(ValidDate="2014.04.10-2019.04.09"), False),
        (residents_front(ValidDate="2014.04.10-2019.04.09", Birthday="1996.04.11"), True),
        (residents_front(ValidDate="2014.04.10-2024.04.09", Birthday="1996.04.11"), False),
        (residents_front(ValidDate="2014.04.10-2024.04.09", Birthday="1996.04.10"), True),
        (residents_front(ValidDate="2014.04.10-2019.04.09", Birthday="1996.03.01"), True),
        (residents_front(ValidDate="2014.04.10-2019.04.09", Birthday="1996.02.01"), False),
        (residents_front(ValidDate="2014.04.10-2019.04.09", Birthday=""), True),
        (residents_front(ValidDate="2014.04.10-2024.04.09", Birthday=""), True),
        (residents_front(ValidDate="2014.04.10-2017.04.09", Birthday="2010.01.01"), False),
        (residents_front(ValidDate="2011.04.10-2014.04.09", Birthday="2010.01.01"), True),
        (residents_front(ValidDate="2024.02.29-2034.02.28", Birthday="1984.02.29"), True),
        (non_chinese_front(ValidDate="2024.07.10-2034.07.09"), False),
        (exit_entry_front(ValidDate="2019.05.06-2029.05.05", Birthday="2003.05.06"), True),
        (exit_entry_front(ValidDate="2019.05.06-2029.05.05", Birthday="2003.05.07"), False),
        (exit_entry_front(ValidDate="2019.05.06-2024.05.05", Birthday="2003.05.07"), True),
        (exit_entry_front(ValidDate="2012.05.06-2017.05.05", Number=_BOOKLET), True),
        (exit_entry_front(ValidDate="2012.05.06-2017.05.05"), False),
    ],
)
def test_term_fits_kind_and_age_at_issue(card: Record, fits: bool) -> None:
    assert (Flag.VALIDITY_TERM not in flags_of(card)) is fits


def test_day_of_expiry_is_the_last_of_validity() -> None:
    card = front(ValidDate="2021.06.16-2026.06.15", IssueAuthority=NEW)
    assert flags_of(card, day=date(2026, 6, 15)) == [Flag.EXPIRES_SOON]
    assert flags_of(card, day=date(2026, 6, 16)) == [Flag.EXPIRED]
    assert flags_of(card, day=date(2026, 3, 16)) == []


def test_age_counts_at_issue_not_today() -> None:
    card = front(Birthday="1890.01.01", ValidDate="2005.02.03-2010.02.02", Number="0832027101")
    assert Flag.AGE_OVER_120 not in flags_of(card, day=date(2026, 1, 1))
