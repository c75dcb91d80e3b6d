"""What is remarkable about an answer's fields: each flag by name, with what it means and who says so.

A flag never changes a value and never rejects a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Final


class Group(StrEnum):
    """What a flag is about."""

    FORMAT = auto()  #: how a number is built
    DATES = auto()  #: dates against each other and against a day
    CONSISTENCY = auto()  #: fields against each other
    MISSING = auto()  #: fields that every such card has
    IMAGE = auto()  #: the picture
    DECLARED = auto()  #: fields against what the applicant typed
    DOCUMENT = auto()  #: front against back


class Flag(StrEnum):
    """A finding, in the order in which findings are listed."""

    NUMBER_FORMAT = auto()
    NUMBER_LEGACY = auto()
    NUMBER_FOR_OTHER_TYPE = auto()
    BACK_ID_FORMAT = auto()
    BACK_ID_CHECKSUM = auto()
    DATE_UNREADABLE = auto()
    BIRTH_AFTER_ISSUE = auto()
    AGE_OVER_120 = auto()
    EXPIRED = auto()
    EXPIRES_SOON = auto()
    NOT_YET_VALID = auto()
    VALIDITY_TERM = auto()
    SIDE_MISMATCH = auto()
    TYPE_UNKNOWN = auto()
    AUTHORITY_FOR_DATE = auto()
    NAME_FORM = auto()
    ENGLISH_NAME_FORM = auto()
    SEX_VALUE = auto()
    NATIONALITY_MISSING = auto()
    NATIONALITY_UNEXPECTED = auto()
    MISSING_TYPE = auto()
    MISSING_NAME = auto()
    MISSING_ENGLISH_NAME = auto()
    MISSING_SEX = auto()
    MISSING_BIRTHDAY = auto()
    MISSING_NUMBER = auto()
    MISSING_VALIDITY = auto()
    MISSING_ISSUE_AUTHORITY = auto()
    MISSING_ISSUE_ADDRESS = auto()
    MISSING_ISSUE_NUMBER = auto()
    MISSING_BACK_ID_NUMBER = auto()
    WARN_PHOTOCOPY = auto()
    WARN_RECAPTURE = auto()
    WARN_PHOTOSHOPPED = auto()
    IMAGE_SMALL = auto()
    IMAGE_SHAPE = auto()
    DECLARED_NUMBER = auto()
    DECLARED_NAME = auto()
    DECLARED_ENGLISH_NAME = auto()
    DECLARED_BIRTHDAY = auto()
    TYPE_MISMATCH = auto()
    NAME_MISMATCH = auto()


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """What a flag says.

    :param is_doubt: whether the fields may not be what the card prints, or not what was issued. Otherwise the
        flag is a fact about the document, and the fields can be believed.
    :param meaning: in one sentence.
    :param source: of the rule.
    """

    group: Group
    is_doubt: bool
    meaning: str
    source: str


#: Short names of sources; docs/guides/quality.md says where each is found.
_NUMBERS: Final = "notice of 2008; notice of 2010; notice of 2018; notice of 2024"
_RESIDENTS_2024: Final = "notice of 2024"
_TERMS: Final = "notice of 2010; notice of 2024; Wikipedia; full sample"
_IDENTITY: Final = "idnumbers"
_PAGE: Final = "API page"
_SAMPLE: Final = "full sample"
_CALENDAR: Final = "the calendar"
_CARD: Final = "ISO/IEC 7810"
_COMPARED: Final = "your list"


def _missing(what: str, cards: str) -> FlagFacts:
    return FlagFacts(Group.MISSING, True, f"{cards} print {what}, and none was read.", f"{_PAGE}; {_SAMPLE}")


_FORMAT: Final = {
    Flag.NUMBER_FORMAT: (True, "The number has no form that this type of document has ever had.", _NUMBERS),
    Flag.NUMBER_LEGACY: (
        False,
        "The number is of an earlier generation: the count of renewals is part of it.",
        _NUMBERS,
    ),
    Flag.NUMBER_FOR_OTHER_TYPE: (True, "The number has the form of another type of document.", _NUMBERS),
    Flag.BACK_ID_FORMAT: (
        True,
        "The identity number on the back is neither of Hong Kong nor of Macao.",
        _IDENTITY,
    ),
    Flag.BACK_ID_CHECKSUM: (
        True,
        "The check digit of the Hong Kong identity number on the back is wrong.",
        _IDENTITY,
    ),
}
_DATES: Final = {
    Flag.DATE_UNREADABLE: (True, "A date or period was read as text, but it is no date or period.", _SAMPLE),
    Flag.BIRTH_AFTER_ISSUE: (
        True,
        "The date of birth is after the first day of validity, or in the future.",
        _CALENDAR,
    ),
    Flag.AGE_OVER_120: (
        True,
        "The holder would have been over 120 years old at issue.",
        "the oldest person known",
    ),
    Flag.EXPIRED: (False, "The last day of validity has passed.", _CALENDAR),
    Flag.EXPIRES_SOON: (
        False,
        "The last day of validity is at most `expires_within_days` days away.",
        _CALENDAR,
    ),
    Flag.NOT_YET_VALID: (False, "The first day of validity is in the future.", _CALENDAR),
    Flag.VALIDITY_TERM: (
        True,
        "The period is not N years less a day, with an N of this type and the holder's age at issue.",
        _TERMS,
    ),
}
_CONSISTENCY: Final = {
    Flag.SIDE_MISMATCH: (True, "All fields are those of the other side.", _PAGE),
    Flag.TYPE_UNKNOWN: (
        False,
        "The document type is none that is known here, so rules that depend on it did not apply.",
        _PAGE,
    ),
    Flag.AUTHORITY_FOR_DATE: (
        True,
        "The issuing authority did not issue cards on the first day of validity: the National Immigration"
        " Administration took over in 2018 and 2019.",
        "Wikipedia",
    ),
    Flag.NAME_FORM: (
        True,
        "The Chinese name of a side has a digit, or only one character.",
        "a surname and a given name",
    ),
    Flag.ENGLISH_NAME_FORM: (
        True,
        "The English name has characters other than Latin letters and , . ' - or lacks a part.",
        f"{_SAMPLE}; ICAO Doc 9303",
    ),
    Flag.SEX_VALUE: (True, "The gender is neither male nor female as permits print it.", _SAMPLE),
    Flag.NATIONALITY_MISSING: (
        True,
        "The card is one for non-Chinese residents, and no foreign nationality was read.",
        _RESIDENTS_2024,
    ),
    Flag.NATIONALITY_UNEXPECTED: (
        True,
        "A foreign nationality was read on a card for Chinese citizens.",
        _RESIDENTS_2024,
    ),
}
_IMAGE: Final = {
    Flag.WARN_PHOTOCOPY: (False, "The API warns that the picture shows a photocopy.", _PAGE),
    Flag.WARN_RECAPTURE: (False, "The API warns that the picture was taken of a screen.", _PAGE),
    Flag.WARN_PHOTOSHOPPED: (True, "The API warns that the picture was edited.", _PAGE),
    Flag.IMAGE_SMALL: (
        True,
        "The longer side has fewer than 400 pixels: under 5 pixels a millimeter.",
        _CARD,
    ),
    Flag.IMAGE_SHAPE: (
        True,
        "The longer side is over 2.5 times the shorter: neither a card nor a phone's photo.",
        f"{_CARD}; phones",
    ),
}
_DECLARED: Final = {
    Flag.DECLARED_NUMBER: (True, "The number is not the one that the applicant typed.", _COMPARED),
    Flag.DECLARED_NAME: (True, "The Chinese name is not the one that the applicant typed.", _COMPARED),
    Flag.DECLARED_ENGLISH_NAME: (
        True,
        "The English name is not the one that the applicant typed.",
        _COMPARED,
    ),
    Flag.DECLARED_BIRTHDAY: (True, "The date of birth is not the one that the applicant typed.", _COMPARED),
}
_DOCUMENT: Final = {
    Flag.TYPE_MISMATCH: (True, "Front and back are of different types of document.", _PAGE),
    Flag.NAME_MISMATCH: (True, "Front and back print different Chinese names.", _RESIDENTS_2024),
}
_MISSING: Final = {
    Flag.MISSING_TYPE: _missing("the type of document", "All cards"),
    Flag.MISSING_NAME: _missing("a Chinese name on the front", "All but cards of non-Chinese residents"),
    Flag.MISSING_ENGLISH_NAME: _missing("an English name", "All cards of today's generations"),
    Flag.MISSING_SEX: _missing("the gender", "All cards"),
    Flag.MISSING_BIRTHDAY: _missing("the date of birth", "All cards"),
    Flag.MISSING_NUMBER: _missing("a number", "All cards"),
    Flag.MISSING_VALIDITY: _missing("a period of validity", "All cards"),
    Flag.MISSING_ISSUE_AUTHORITY: _missing("an issuing authority", "All cards"),
    Flag.MISSING_ISSUE_ADDRESS: _missing("a place of issue", "Taiwan and exit-entry cards"),
    Flag.MISSING_ISSUE_NUMBER: _missing(
        "the count of issues", "Mainland travel permits of today's generations"
    ),
    Flag.MISSING_BACK_ID_NUMBER: _missing("an identity number on the back", "Hong Kong and Macao cards"),
}
_BY_GROUP: Final = {
    Group.FORMAT: _FORMAT,
    Group.DATES: _DATES,
    Group.CONSISTENCY: _CONSISTENCY,
    Group.IMAGE: _IMAGE,
    Group.DECLARED: _DECLARED,
    Group.DOCUMENT: _DOCUMENT,
}
_ALL: Final = {
    **{flag: FlagFacts(group, *facts) for group, table in _BY_GROUP.items() for flag, facts in table.items()},
    **_MISSING,
}
#: Every flag, in order.
FLAGS: Final[Mapping[Flag, FlagFacts]] = MappingProxyType({flag: _ALL[flag] for flag in Flag})
#: Flags that say that the fields may be wrong.
DOUBTS: Final = frozenset(flag for flag, facts in FLAGS.items() if facts.is_doubt)
#: What ``quality_flags`` can hold: that both sides of a document disagree is in the view of documents alone.
OF_READINGS: Final = tuple(flag for flag, facts in FLAGS.items() if facts.group is not Group.DOCUMENT)
#: Flags that compare with what the applicant typed.
DECLARED_FLAGS: Final = frozenset(flag for flag, facts in FLAGS.items() if facts.group is Group.DECLARED)
