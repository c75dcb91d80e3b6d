"""What the ledger knows of a call: what it is for, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from airflow_provider_permitocr.core.models import RowKey

#: Answer code of a call that was answered with fields.
OK: Final = "OK"
#: Answer code of a call that was meant to be made, and was not sent.
NOT_SENT: Final = "NotSent"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who makes a call. A later try of the same task knows that the earlier ones are over.

    :param try_number: from 1.
    :param map_index: of a mapped task; -1 otherwise.
    """

    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1
    try_number: int = 1


@dataclass(frozen=True, slots=True)
class CallIntent:
    """A call that is about to be made.

    :param call_id: 32 hexadecimal digits.
    :param image_digest: SHA-256 of the image as it was found; None where only the API sees it.
    :param intended_at: in UTC.
    """

    call_id: str
    row_key: RowKey
    image_digest: str | None
    intended_at: datetime


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of a call.

    :param code: ``OK``, ``NotSent``, or the code of its error.
    :param billed: whether it is paid for; None where nobody can tell.
    :param answered_at: in UTC.
    """

    call_id: str
    code: str
    billed: bool | None
    request_id: str | None
    answered_at: datetime


class Grant(StrEnum):
    """What a ledger says to an intent."""

    GRANTED = "granted"  #: it is written; make the call
    CAPPED = "capped"  #: no more calls are allowed
    CALLED_ELSEWHERE = "called elsewhere"  #: another run is about it, or has just been
    UNKNOWN = "unknown"  #: a worker died over it, and such calls are not to be made again
    REFUSED = "refused"  #: the ledger cannot hold the image's key, so that the call cannot be written down
