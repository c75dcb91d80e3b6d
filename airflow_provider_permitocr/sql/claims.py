"""Whether an image may be called for, by what the ledger says of earlier calls for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.calls import NOT_SENT, OK, CallIntent, Grant, RunIdentity
from airflow_provider_permitocr.core.models import RowKey
from airflow_provider_permitocr.sql.calls_table import UnknownCalls
from airflow_provider_permitocr.sql.times import as_utc


@dataclass(frozen=True)
class _EarlierCall:
    image_digest: str | None
    intended_at: datetime
    answered_at: datetime | None
    code: str | None
    billed: int | None
    made_by: RunIdentity

    @property
    def is_open(self) -> bool:
        return self.code is None

    @property
    def is_paid_for(self) -> bool:
        return self.code == OK or self.billed == 1

    def is_for_another(self, intent: CallIntent) -> bool:
        """Whether it was for another picture than that which the image is now."""
        digests = {self.image_digest, intent.image_digest}
        return None not in digests and len(digests) > 1


@dataclass(frozen=True)
class Claims:
    """Looks for calls of other processes for the same image.

    A call of another holds for a while: as long as it may be under way, and, once it is paid for, as long as
    its row may be on its way into the result. Calls of an earlier try of the same task hold nothing: Airflow
    starts no try before the one before is over.

    :param session_id: this process.
    :param lease: how long a call of another holds.
    """

    run: RunIdentity
    session_id: str
    lease: timedelta
    unknown_calls: UnknownCalls

    def judge(
        self, connection: sa.Connection, calls: sa.Table, intents: Sequence[CallIntent], now: datetime
    ) -> dict[str, Grant]:
        """Return what there is to say against intents, by their ``call_id``."""
        earlier = self._earlier_calls(connection, calls, {intent.row_key[0] for intent in intents})
        judged = ((intent.call_id, self._judge(intent, earlier[intent.row_key], now)) for intent in intents)
        return {call_id: grant for call_id, grant in judged if grant is not Grant.GRANTED}

    def _judge(self, intent: CallIntent, earlier: Sequence[_EarlierCall], now: datetime) -> Grant:
        if any(self._holds(call, intent, now) for call in earlier):
            return Grant.CALLED_ELSEWHERE
        if earlier and self.unknown_calls is UnknownCalls.KEEP:
            newest = max(earlier, key=lambda call: call.intended_at)
            if newest.is_open and not newest.is_for_another(intent):
                return Grant.UNKNOWN
        return Grant.GRANTED

    def _holds(self, call: _EarlierCall, intent: CallIntent, now: datetime) -> bool:
        if self._is_of_dead_try(call.made_by):
            return False
        if call.is_open:
            return call.intended_at > now - self.lease
        if not call.is_paid_for or call.is_for_another(intent):
            return False
        return (call.answered_at or call.intended_at) > now - self.lease

    def _is_of_dead_try(self, other: RunIdentity) -> bool:
        def instance(run: RunIdentity) -> tuple[str, str, str, int]:
            return run.dag_id, run.task_id, run.run_id, run.map_index

        return instance(other) == instance(self.run) and other.try_number < self.run.try_number

    def _earlier_calls(
        self, connection: sa.Connection, calls: sa.Table, image_keys: Iterable[str]
    ) -> dict[RowKey, list[_EarlierCall]]:
        columns = calls.c
        statement = sa.select(
            *(columns.image_key, columns.card_side, columns.image_digest, columns.intended_at),
            *(columns.answered_at, columns.code, columns.billed),
            *(columns.dag_id, columns.task_id, columns.run_id, columns.map_index, columns.task_try),
        ).where(
            columns.image_key.in_(list(image_keys)),
            columns.session_id != self.session_id,
            sa.or_(columns.code.is_(None), columns.code != NOT_SENT),
        )
        found: defaultdict[RowKey, list[_EarlierCall]] = defaultdict(list)
        for row in connection.execute(statement):
            found[(row.image_key, CardSide(row.card_side))].append(_read(row))
        return found


def _read(row: Any) -> _EarlierCall:
    return _EarlierCall(
        image_digest=row.image_digest,
        intended_at=as_utc(row.intended_at),
        answered_at=row.answered_at and as_utc(row.answered_at),
        code=row.code,
        billed=row.billed,
        made_by=RunIdentity(row.dag_id, row.task_id, row.run_id, row.map_index, row.task_try),
    )
