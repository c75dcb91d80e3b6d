"""What was typed is compared without differences that are no one's mistake."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

import pytest
from cryptography.fernet import Fernet

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record, Value
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.quality import variants
from airflow_provider_permitocr.permit.quality.assessment import Assessment, Subject
from airflow_provider_permitocr.permit.quality.declared import is_comparable
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.replacement import Keys, Method
from tests.permit.quality.cards import exit_entry_front, flags_of, front, non_chinese_front, residents_back
from tests.permit.quality.cards import residents_front as residents


@pytest.mark.parametrize(
    ("card", "typed", "differs"),
    [
        (residents(), "h12345678", False),
        (residents(), "Ｈ１２３４５６７８", False),
        (residents(), "H-1234-5678", False),
        (residents(), "H12345679", True),
        (residents(), "M12345678", True),
        (front(), 8320271, False),
        (front(), 8320271.0, False),
        (front(), float("nan"), False),
        (front(), 8320272, True),
        (front(), "8320271", False),
        (front(), "08320271.0", False),
        (front(), "8320271.00", False),
        (front(Number="0832027101"), 8320271, False),
        (residents(Number="H1234567802"), "H12345678", False),
        (residents(), "H1234567802", False),
        (residents(Number="H1234567802"), "H12345677", True),
        (exit_entry_front(), "CA1234567", False),
        (exit_entry_front(), " - ", False),
        (exit_entry_front(Number=""), "CA1234567", False),
    ],
)
def test_number_differs_by_its_letters_and_digits_alone(card: Record, typed: Value, differs: bool) -> None:
    assert (Flag.DECLARED_NUMBER in flags_of(card, typed={"number": typed})) is differs


@pytest.mark.parametrize(
    ("read", "typed", "differs"),
    [
        ("陈国里", "陳國裡", False),
        ("陈国里", "陳國裏", False),
        ("陳國裡", "陈国里", False),
        ("刘张卫", "劉張衞", False),
        ("刘张卫", "劉張衛", False),
        ("温启说", "溫啟説", False),
        ("欧阳·明", "歐陽明", False),
        ("李优图", "李 优 图", False),
        ("李优图", "李优土", True),
        ("李优图", "季优图", True),
        ("乾隆", "干隆", False),
        ("李优图", "Li Youtu", False),
        ("李优图", "Wang Youtu", True),
        ("李优图", "", False),
        ("李优图", None, False),
        ("", "李优图", False),
    ],
)
def test_name_differs_by_its_characters_whatever_their_script(
    read: str, typed: str | None, differs: bool
) -> None:
    assert (Flag.DECLARED_NAME in flags_of(front(Name=read), typed={"name": typed})) is differs


def test_name_of_the_back_is_compared_where_it_is_the_only_one() -> None:
    back, card = residents_back(Name="陈大文"), non_chinese_front()
    assert flags_of(back, CardSide.BACK, typed={"name": "陳大文"}) == []
    assert flags_of(back, CardSide.BACK, typed={"name": "陳大武"}) == [Flag.DECLARED_NAME]
    assert Flag.DECLARED_NAME not in flags_of(card, typed={"name": "陳大武"})
    assert is_comparable(back, {"name": "陳大文"})
    assert not is_comparable(card, {"name": "陳大文", "number": None, "birthday": ""})


@pytest.mark.parametrize(
    ("read", "typed", "differs"),
    [
        ("LI,YOU-TU", "Li, You-Tu", False),
        ("LI,YOU-TU", "YOUTU LI", False),
        ("LI,YOU-TU", "Li Youtu", False),
        ("CHAN,TAI MAN PETER", "Peter Chan Tai Man", False),
        ("O'NEIL,ANNA", "ONeil Anna", False),
        ("PEREIRA,JOSE", "José Pereira", False),
        ("LI，YOU-TU", "ＬＩ YOUTU", False),
        ("LI,YOU-TU", "LI,YOU-TA", True),
        ("LI,YOU-TU", "LI", True),
        ("SUHARTO", "Suharto", False),
    ],
)
def test_english_name_differs_by_its_letters_whatever_the_order_of_words(
    read: str, typed: str, differs: bool
) -> None:
    found = flags_of(front(EnglishName=read), typed={"english_name": typed})
    assert (Flag.DECLARED_ENGLISH_NAME in found) is differs


@pytest.mark.parametrize(
    ("typed", "differs"),
    [
        (date(1986, 3, 2), False),
        (datetime(1986, 3, 2, tzinfo=UTC), False),
        ("1986-03-02", False),
        ("1986/3/2", False),
        ("1986年3月2日", False),
        ("1986-03-02T00:00:00+08:00", False),
        ("1986-03-02 00:00:00", False),
        ("19860302", False),
        (19860302, False),
        ("02/03/1986", False),
        ("03/02/1986", False),
        ("soon", False),
        (date(1986, 3, 3), True),
        ("1986-02-03", True),
        (19860303, True),
        ("04/03/1986", True),
    ],
)
def test_birthday_differs_by_its_day_however_it_is_written(typed: Value, differs: bool) -> None:
    assert (Flag.DECLARED_BIRTHDAY in flags_of(front(), typed={"birthday": typed})) is differs


@pytest.mark.parametrize(
    "typed",
    [
        datetime(1986, 3, 1, 16, tzinfo=UTC),
        "1986-03-01T16:00:00+00:00",
        "1986-03-01 16:00:00Z",
        "1986-03-02T00:00:00+08:00",
    ],
)
def test_birthday_may_be_midnight_of_the_zone_as_a_moment(typed: Value) -> None:
    assessment = Assessment(declared={"birthday": "born"})
    born = residents(Birthday="1986.03.02")
    for day, differs in ((typed, False), (datetime(1986, 3, 3, 16, tzinfo=UTC), True)):
        subject = Subject(CardSide.FRONT, datetime(2026, 1, 31, tzinfo=UTC), carried={"born": day})
        assert assessment.columns(born, subject)["declared_differs"] is differs


@pytest.mark.parametrize("fact", ["number", "name", "english_name", "birthday"])
@pytest.mark.parametrize("typed", ["", " ", " - ", "\u200f", float("nan")])
def test_what_says_nothing_is_not_compared(fact: str, typed: Value) -> None:
    assert not is_comparable(residents(), {fact: typed})
    assert flags_of(residents(), typed={fact: typed}) == flags_of(residents())


@pytest.mark.parametrize("method", [Method.HMAC, Method.ENCRYPT, Method.MASK])
def test_what_a_later_policy_has_hidden_is_not_compared(method: Method) -> None:
    keys = Keys(b"k" * 16, (Fernet.generate_key().decode(),))
    hidden = Protection(carried={"typed": method}, keys=keys).protect_carried({"typed": "H87654321"})
    for carried, differs in (({"typed": "H87654321"}, True), (hidden, None)):
        subject = Subject(CardSide.FRONT, datetime(2026, 1, 31, tzinfo=UTC), carried=carried)
        found = Assessment(declared={"number": "typed"}).columns(residents(), subject)
        assert found["declared_differs"] is differs


def test_what_cannot_be_compared_is_not_said_to_agree() -> None:
    assert not is_comparable(residents(), {"birthday": "in March"})
    assert not is_comparable(residents(EnglishName=""), {"name": "Chan Siu Ming"})


def test_missing_library_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(
        ConfigurationError, match=r"needs OpenCC: pip install opencc; .*Declared\(name=\.\.\.\)"
    ):
        variants.load_converters()
