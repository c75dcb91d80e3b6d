"""What the API should answer for a drawn permit: its fields, in the API's spelling.

The front answers as the API's full sample does: ``MainlandTravelPermitBackInfos`` repeats the type,
its other members are ''. The back answers ``Type`` and the back's own members; everything that only
the front prints is ''.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow_provider_permitocr.emulator.specimens.kinds import KINDS, PermitKind
from airflow_provider_permitocr.emulator.specimens.permits import Permit
from airflow_provider_permitocr.permit.api import (
    BACK_FIELD,
    BACK_FIELDS,
    TEXT_FIELDS,
    WARNINGS_FIELD,
    CardSide,
)


def truth(permit: Permit, side: CardSide) -> dict[str, Any]:
    """Every output field of one side but ``RequestId``; text absent on that side is ''.

    ``WarnCardInfos`` is empty: a drawing that warrants a warning adds it.
    """
    permit_type = str(KINDS[permit.kind].permit_type)
    printed = _front(permit) if side is CardSide.FRONT else {}
    back = _back(permit) if side is CardSide.BACK else {}
    return {
        **dict.fromkeys(TEXT_FIELDS, ""),
        **printed,
        "Type": permit_type,
        BACK_FIELD: {**dict.fromkeys(BACK_FIELDS, ""), **back, "Type": permit_type},
        WARNINGS_FIELD: [],
    }


def printed_date(day: date) -> str:
    """A date as permits print it, e.g. ``1986.03.02``."""
    return day.strftime("%Y.%m.%d")


def _front(permit: Permit) -> dict[str, str]:
    person = permit.person
    return {
        # Cards of non-Chinese residents print the Chinese name on the back only.
        "Name": "" if permit.kind is PermitKind.NON_CHINESE else person.name.chinese,
        "EnglishName": person.name.latin,
        "Sex": person.sex,
        "Birthday": printed_date(person.birthday),
        "IssueAuthority": permit.issue_authority,
        "ValidDate": f"{printed_date(permit.valid_from)}-{printed_date(permit.valid_until)}",
        "Number": permit.number,
        "IssueAddress": permit.issue_address,
        "IssueNumber": permit.issue_number,
        "Nationality": person.nationality,
    }


def _back(permit: Permit) -> dict[str, str]:
    return {
        "Name": permit.person.name.chinese,
        "IDNumber": permit.person.id_number,
        "HistoryNumber": permit.history_number,
    }
