"""What travels between a run and its ledger: intents, closed calls, attempts, and what the ledger says."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from airflow_provider_permitocr.engine.models import ImageFacts, RowKey
from airflow_provider_permitocr.options.budget import NearCap
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status

#: Answer code of a call that was answered with fields.
OK: Final = "OK"
#: Answer code of a call that was meant to be made, and was not sent.
NOT_SENT: Final = "NotSent"
#: Answer code of an image whose last call died with its worker and is not repeated.
OUTCOME_UNKNOWN: Final = "CallOutcomeUnknown"
#: Answer code of an image whose key the ledger cannot hold: nothing about it can be written there.
LEDGER_REFUSES_KEY: Final = "LedgerRefusesKey"
#: Answer code of an image whose answer the ledger's database does not take: it waits in a journal.
LEDGER_REFUSES_ANSWER: Final = "LedgerRefusesAnswer"
#: Answer code of an image that took the answer of an identical one while that was erased.
ANSWER_ERASED: Final = "AnswerErased"


def new_call_id(now: float | None = None) -> str:
    """Return 32 hexadecimal digits that differ from all others and sort by the time they were made.

    :param now: Unix time in seconds.
    """
    milliseconds = int((time.time() if now is None else now) * 1000)
    return f"{milliseconds:012x}{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Who makes a call.

    :param map_index: of a mapped task; -1 otherwise.
    :param try_number: Airflow's, from 1. A newer try of the same task fences the older ones.
    """

    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1
    try_number: int = 1

    @property
    def name(self) -> str:
        """The DAG run of a task, all its shards and tries together; empty for one outside of Airflow."""
        name = f"{self.dag_id}/{self.task_id}/{self.run_id}"
        return "" if name == "//" else name


@dataclass(frozen=True, slots=True)
class CallIntent:
    """A call that is about to be made.

    :param updated_at: when the image last changed, from the list; None where the list does not say.
    :param image_digest: SHA-256 of the image as it was found; None where only the API sees it.
    """

    call_id: str
    row_key: RowKey
    updated_at: datetime | None = None
    image_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run has found out about one image.

    :param status: ``recognized``, ``rejected``, ``failed`` or ``retry``; already ``failed`` where the run was
        the last that tries.
    :param tries: runs that have tried this version of the image, this one included where it counts.
    :param counts: whether this run counts among them: what never left the worker does not.
    :param is_verdict: whether the API itself has said so of the image.
    :param is_doubtful: whether a quality flag doubts the reading; None: it was not examined.
    :param answer_id: the call whose answer this is, where it is another image's.
    :param reused_from: key of that image.
    :param request_id: the service's ``RequestId``.
    """

    row_key: RowKey
    status: Status
    tries: int = 1
    counts: bool = True
    is_verdict: bool = False
    updated_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None
    facts: ImageFacts = ImageFacts()
    carried: Record = field(default_factory=dict, repr=False)
    is_doubtful: bool | None = None
    answer_id: str | None = None
    reused_from: str | None = None

    def without_answer(self) -> Attempt:
        """Return what to write down where the answer of an identical image was erased meanwhile."""
        message = "the identical image whose answer this was is erased; the next run calls for this one"
        return Attempt(
            self.row_key,
            Status.RETRY,
            tries=self.tries,
            counts=False,
            updated_at=self.updated_at,
            error_code=ANSWER_ERASED,
            error_message=message,
            facts=self.facts,
            carried=self.carried,
        )


@dataclass(frozen=True, slots=True)
class ClosedCall:
    """What became of a call.

    :param code: ``OK``, ``NotSent``, or the code of its error.
    :param billed: whether it is paid for; None if unknown.
    :param answer: as it is kept, if it answered with fields.
    :param attempt: what that means for its image; set if there is an answer.
    :param reason: why the database does not take its answer, where it does not.
    """

    call_id: str
    code: str
    billed: bool | None
    request_id: str | None = None
    answer: KeptAnswer | None = field(default=None, repr=False)
    attempt: Attempt | None = field(default=None, repr=False)
    reason: str | None = None


class Grant(StrEnum):
    """What a ledger says to an intent."""

    GRANTED = "granted"  #: it is written; make the call
    CAPPED = "capped"  #: the run has made all the calls that it may make
    DAY_CAPPED = "day capped"  #: the day's calls are used up, by all runs that share the ledger
    HELD = "held"  #: another run or try is calling for this image
    SETTLED = "settled"  #: another run or try has dealt with it since it was looked up
    UNKNOWN = "unknown"  #: a worker died over it, and such calls are not to be made again
    FENCED = "fenced"  #: a newer try of this task has begun
    REFUSED = "refused"  #: the ledger's database does not take this intent


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What came of an exchange.

    :param grants: one for each intent, in their order.
    :param refused: closed calls whose answers the database does not take; they are closed without them.
    :param near: caps of which most calls are used since this exchange.
    """

    grants: tuple[Grant, ...] = ()
    refused: tuple[ClosedCall, ...] = ()
    near: tuple[NearCap, ...] = ()
