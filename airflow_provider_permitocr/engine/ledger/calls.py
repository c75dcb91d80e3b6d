"""Values exchanged between a run and its ledger: intents, closed calls, attempts and grants."""

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
#: Error code of an image whose last call died with its worker and is not repeated.
OUTCOME_UNKNOWN: Final = "CallOutcomeUnknown"
#: Error code of an image whose key the ledger cannot store, so that nothing about it can be recorded.
LEDGER_REFUSES_KEY: Final = "LedgerRefusesKey"
#: Error code of an image whose answer the ledger's database refuses; the answer waits in a journal.
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
    """The task that makes a call.

    :param map_index: of a mapped task; -1 for other tasks.
    :param try_number: Airflow's, from 1. A newer try of the same task fences off older ones.
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

    :param updated_at: when the image last changed, from the list; None if the list has no change times.
    :param image_digest: SHA-256 of the original image; None if only the API sees it.
    """

    call_id: str
    row_key: RowKey
    updated_at: datetime | None = None
    image_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a run found out about one image.

    :param status: ``recognized``, ``rejected``, ``failed`` or ``retry``; ``failed`` instead of ``retry`` if
        this run was the last to try.
    :param tries: runs that have tried this version of the image, including this one if it counts.
    :param counts: whether this run counts as a try: not if nothing left the worker.
    :param is_verdict: whether the API itself reported this about the image.
    :param is_doubtful: whether a quality flag doubts the reading; None: it was not examined.
    :param answer_id: the call that got the answer, if the answer is another image's.
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
        """Return what to record if the answer of an identical image was erased meanwhile."""
        message = "the reused answer of the identical image was erased; the next run calls for this image"
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
    """The outcome of a call.

    :param code: ``OK``, ``NotSent``, or the code of its error.
    :param billed: whether it is billed; None if unknown.
    :param answer: in the stored form, if it has fields.
    :param attempt: what that means for its image; set if there is an answer.
    :param reason: why the database refuses its answer, if it does.
    """

    call_id: str
    code: str
    billed: bool | None
    request_id: str | None = None
    answer: KeptAnswer | None = field(default=None, repr=False)
    attempt: Attempt | None = field(default=None, repr=False)
    reason: str | None = None


class Grant(StrEnum):
    """The ledger's decision about an intent."""

    GRANTED = "granted"  #: it is written; make the call
    CAPPED = "capped"  #: the run has made all the calls that it may make
    DAY_CAPPED = "day capped"  #: the day's calls are used up, by all runs that share the ledger
    HELD = "held"  #: another run or try is calling for this image
    SETTLED = "settled"  #: another run or try has dealt with it since it was looked up
    UNKNOWN = "unknown"  #: a worker died during its call, and such calls must not be repeated
    FENCED = "fenced"  #: a newer try of this task has begun
    REFUSED = "refused"  #: the ledger's database refuses this intent


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The outcome of an exchange.

    :param grants: one for each intent, in order.
    :param refused: closed calls whose answers the database refuses; they are closed without them.
    :param near: caps that this exchange has nearly used up.
    """

    grants: tuple[Grant, ...] = ()
    refused: tuple[ClosedCall, ...] = ()
    near: tuple[NearCap, ...] = ()
