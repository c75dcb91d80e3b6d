"""Each flag has a card that raises it, and one like it that does not."""

from __future__ import annotations

import pytest

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import DECLARED_FLAGS, DOUBTS, FLAGS, Flag, Group
from tests.permit.quality.cards import (
    NEW,
    OLD,
    TAIWAN_TYPE,
    exit_entry_front,
    flags_of,
    front,
    non_chinese_front,
    residents_back,
    residents_front,
)
from tests.support.document_flags import document_flags

#: A front that raises the flag, and one that does not.
FRONTS: dict[Flag, tuple[Record, Record]] = {
    Flag.NUMBER_FORMAT: (residents_front(Number="H1234567"), residents_front(Number="H 12345678")),
    Flag.NUMBER_LEGACY: (residents_front(Number="H1234567800"), residents_front()),
    Flag.NUMBER_FOR_OTHER_TYPE: (front(Number="H12345678"), front(Number="12345678")),
    Flag.DATE_UNREADABLE: (front(Birthday="1986.02.30"), front(Birthday="1986年3月2日")),
    Flag.BIRTH_AFTER_ISSUE: (front(Birthday="2016.02.04"), front(Birthday="2016.02.03")),
    Flag.AGE_OVER_120: (front(Birthday="1894.03.02"), front(Birthday="1898.03.02")),
    Flag.EXPIRED: (front(ValidDate="2015.06.15-2020.06.14"), front(ValidDate="2015.06.16-2020.06.15")),
    Flag.EXPIRES_SOON: (front(ValidDate="2015.09.14-2020.09.13"), front(ValidDate="2015.09.15-2020.09.14")),
    Flag.NOT_YET_VALID: (front(ValidDate="2020.06.16-2025.06.15"), front(ValidDate="2020.06.15-2025.06.14")),
    Flag.VALIDITY_TERM: (front(ValidDate="2016.02.03-2021.02.03"), front(ValidDate="2016.02.03-2021.02.02")),
    Flag.SIDE_MISMATCH: (residents_back(), residents_front()),
    Flag.TYPE_UNKNOWN: (front(Type="港澳台居民居住证"), front()),
    Flag.AUTHORITY_FOR_DATE: (
        front(IssueAuthority=NEW),
        front(IssueAuthority=NEW, ValidDate="2018.04.02-2023.04.01"),
    ),
    Flag.NAME_FORM: (front(Name="李"), front(Name="李优")),
    Flag.ENGLISH_NAME_FORM: (front(EnglishName="LI,Y0U-TU"), front(EnglishName="O'LI,YOU-TU ANNA")),
    Flag.SEX_VALUE: (front(Sex="田"), front(Sex="女/F")),
    Flag.NATIONALITY_MISSING: (non_chinese_front(Nationality="中国"), non_chinese_front()),
    Flag.NATIONALITY_UNEXPECTED: (
        residents_front(Nationality="英国"),
        residents_front(Nationality="中国香港"),
    ),
    Flag.MISSING_TYPE: (front(Type=""), front()),
    Flag.MISSING_NAME: (front(Name=""), non_chinese_front(Name="")),
    Flag.MISSING_ENGLISH_NAME: (front(EnglishName=""), front(EnglishName="", Number="0832027102")),
    Flag.MISSING_SEX: (front(Sex=""), front()),
    Flag.MISSING_BIRTHDAY: (front(Birthday=""), front(Birthday="?")),
    Flag.MISSING_NUMBER: (front(Number=""), front(Number="?")),
    Flag.MISSING_VALIDITY: (front(ValidDate=""), front(ValidDate="?")),
    Flag.MISSING_ISSUE_AUTHORITY: (front(IssueAuthority=""), front()),
    Flag.MISSING_ISSUE_ADDRESS: (front(IssueAddress=""), residents_front(IssueAddress="")),
    Flag.MISSING_ISSUE_NUMBER: (residents_front(IssueNumber=""), exit_entry_front(IssueNumber="")),
    Flag.WARN_PHOTOCOPY: (front() | {"warn_photocopy": True}, front() | {"warn_photocopy": False}),
    Flag.WARN_RECAPTURE: (front() | {"warn_recapture": True}, front() | {"warn_recapture": None}),
    Flag.WARN_PHOTOSHOPPED: (front() | {"warn_photoshopped": True}, front() | {"warn_photoshopped": False}),
}
BACKS: dict[Flag, tuple[Record, Record]] = {
    Flag.BACK_ID_FORMAT: (residents_back(IDNumber="A12345(3)"), residents_back(IDNumber="A 123456 (3)")),
    Flag.BACK_ID_CHECKSUM: (residents_back(IDNumber="A123456(4)"), residents_back(IDNumber="A123456(3)")),
    Flag.SIDE_MISMATCH: (residents_front(), residents_back()),
    Flag.NAME_FORM: (residents_back(Name="李8图"), residents_back(Name="")),
    Flag.MISSING_BACK_ID_NUMBER: (residents_back(IDNumber=""), residents_back()),
    Flag.TYPE_UNKNOWN: (residents_back(Type="身份证"), residents_back()),
}
#: Size of an image in pixels that raises the flag, and one that does not.
SIZES: dict[Flag, tuple[tuple[int, int], tuple[int, int]]] = {
    Flag.IMAGE_SMALL: ((399, 252), (252, 400)),
    Flag.IMAGE_SHAPE: ((2600, 1000), (1080, 2400)),
}
#: What was typed that raises the flag, and what does not.
TYPED: dict[Flag, tuple[str, str]] = {
    Flag.DECLARED_NUMBER: ("08320272", " 0832 0271"),
    Flag.DECLARED_NAME: ("李优土", "李 優圖"),
    Flag.DECLARED_ENGLISH_NAME: ("LI YOU-TA", "You Tu Li"),
    Flag.DECLARED_BIRTHDAY: ("1986-03-03", "1986-03-02"),
}
#: Front and back that raise the flag, and such as do not.
DOCUMENTS: dict[Flag, tuple[tuple[Record, Record], tuple[Record, Record]]] = {
    Flag.TYPE_MISMATCH: ((front(), residents_back()), (non_chinese_front(), residents_back())),
    Flag.NAME_MISMATCH: (
        (residents_front(), residents_back(Name="李优")),
        (residents_front(), residents_back(Name="")),
    ),
}


def test_each_flag_has_its_cases_here() -> None:
    assert {*FRONTS, *BACKS, *SIZES, *TYPED, *DOCUMENTS} == set(Flag)


@pytest.mark.parametrize("flag", FRONTS)
def test_front_raises_the_flag_and_one_like_it_does_not(flag: Flag) -> None:
    raising, other = FRONTS[flag]
    assert flag in flags_of(raising)
    assert flag not in flags_of(other)


@pytest.mark.parametrize("flag", BACKS)
def test_back_raises_the_flag_and_one_like_it_does_not(flag: Flag) -> None:
    raising, other = BACKS[flag]
    assert flag in flags_of(raising, CardSide.BACK)
    assert flag not in flags_of(other, CardSide.BACK)


@pytest.mark.parametrize("flag", SIZES)
def test_size_raises_the_flag_and_one_like_it_does_not(flag: Flag) -> None:
    raising, other = SIZES[flag]
    assert flags_of(front(), size=raising) == [flag]
    assert flags_of(front(), size=other) == []
    assert flags_of(front(), size=(None, None)) == []


@pytest.mark.parametrize("flag", TYPED)
def test_what_was_typed_raises_the_flag_and_the_same_in_other_letters_does_not(flag: Flag) -> None:
    raising, other = TYPED[flag]
    fact = flag.removeprefix("declared_")
    assert flags_of(front(), typed={fact: raising}) == [flag]
    assert flags_of(front(), typed={fact: other}) == []


@pytest.mark.parametrize("flag", DOCUMENTS)
def test_document_raises_the_flag_and_one_like_it_does_not(flag: Flag) -> None:
    raising, other = DOCUMENTS[flag]
    assert document_flags(*raising) == (flag,)
    assert document_flags(*other) == ()


def test_flags_come_in_their_order_whatever_raised_them() -> None:
    card = front(Number="1", Sex="", EnglishName="", Birthday="x") | {"warn_photocopy": True}
    found = flags_of(card, size=(100, 100), typed={"birthday": "1990-01-01", "number": "2"})
    assert found == [flag for flag in Flag if flag in found]
    assert len(found) > 5


def test_skipped_flags_are_not_raised() -> None:
    card = front(Number="1", Sex="田")
    skipping = Examination(skip=frozenset({Flag.SEX_VALUE}))
    assert flags_of(card) == [Flag.NUMBER_FORMAT, Flag.SEX_VALUE]
    assert flags_of(card, examination=skipping) == [Flag.NUMBER_FORMAT]


def test_days_before_the_end_are_an_option() -> None:
    card = front(ValidDate="2015.06.20-2020.06.19")
    assert flags_of(card, examination=Examination(expires_within_days=3)) == []
    assert flags_of(card, examination=Examination(expires_within_days=4)) == [Flag.EXPIRES_SOON]


def test_other_side_explains_all_that_is_missing() -> None:
    assert flags_of(residents_back()) == [Flag.SIDE_MISMATCH]
    assert flags_of(residents_front(), CardSide.BACK) == [Flag.SIDE_MISMATCH]


def test_type_of_the_back_within_a_front_is_no_other_side() -> None:
    card = front()
    assert card["back_type"] == TAIWAN_TYPE
    assert flags_of(card) == []


def test_answer_without_any_field_lacks_what_every_card_has() -> None:
    assert [flag for flag in flags_of({}) if FLAGS[flag].group is not Group.MISSING] == []
    assert Flag.MISSING_NUMBER in flags_of({})
    assert flags_of({}, CardSide.BACK) == [Flag.MISSING_TYPE]


def test_unknown_type_is_no_doubt_and_no_rule_of_another_type_applies() -> None:
    card = front(Type="Some Permit", Number="??", ValidDate="2016.02.03-2019.01.01", Nationality="英国")
    assert flags_of(card) == [Flag.EXPIRED, Flag.TYPE_UNKNOWN]
    assert Flag.TYPE_UNKNOWN not in DOUBTS


def test_every_flag_is_explained_in_one_sentence_with_its_source() -> None:
    assert list(FLAGS) == list(Flag)
    for flag, facts in FLAGS.items():
        assert facts.meaning.endswith("."), flag
        assert ". " not in facts.meaning.replace(", . '", ""), flag
        assert facts.source, flag


def test_facts_about_the_document_are_no_doubts_about_the_reading() -> None:
    facts = {Flag.EXPIRED, Flag.EXPIRES_SOON, Flag.NOT_YET_VALID, Flag.NUMBER_LEGACY, Flag.TYPE_UNKNOWN}
    assert set(Flag) - DOUBTS == facts | {Flag.WARN_PHOTOCOPY, Flag.WARN_RECAPTURE}
    assert set(TYPED) == DECLARED_FLAGS


def test_old_authority_is_doubted_on_new_cards_alone() -> None:
    assert flags_of(front(IssueAuthority=OLD, ValidDate="2020.01.01-2024.12.31")) == [Flag.AUTHORITY_FOR_DATE]
    assert flags_of(front(IssueAuthority="上海市公安局", ValidDate="2020.01.01-2024.12.31")) == []


def test_picture_of_both_sides_is_of_either() -> None:
    both = residents_front() | {"back_name": "李优图", "back_id_number": "A123456(3)"}
    assert flags_of(both) == []
    assert flags_of(both, CardSide.BACK) == []


def test_birth_in_the_future_is_doubted_on_a_card_that_is_not_yet_valid() -> None:
    card = front(Birthday="2021.01.01", ValidDate="2022.01.01-2026.12.31", IssueAuthority=NEW)
    assert flags_of(card) == [Flag.BIRTH_AFTER_ISSUE, Flag.NOT_YET_VALID]


@pytest.mark.parametrize("nationality", ["中国", "中华人民共和国", "China", "CHN", "香港", "澳门", "台湾"])
def test_china_in_any_spelling_is_no_foreign_nationality(nationality: str) -> None:
    assert flags_of(residents_front(Nationality=nationality)) == []
    assert flags_of(non_chinese_front(Nationality=nationality))[-1] is Flag.NATIONALITY_MISSING


def test_order_is_that_of_the_flags_where_rules_find_them_in_another() -> None:
    card = residents_front(Sex="田")
    assert flags_of(card, CardSide.BACK) == [Flag.SIDE_MISMATCH, Flag.SEX_VALUE]


def test_back_of_a_non_chinese_resident_needs_no_nationality() -> None:
    assert flags_of(residents_back(Type="港澳居民来往内地通行证(非中国籍)"), CardSide.BACK) == []


def test_encrypted_names_are_not_compared() -> None:
    tokens = [{"name": "gAAAAABh1", "back_name": "gAAAAABh1"}, {"name": "x", "back_name": "gAAAAABh2"}]
    assert document_flags(tokens[0], tokens[1]) == ()
