"""Converts rows of the ledger's images, and results of closed calls, to standings and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Final

from airflow_provider_permitocr.engine.ledger.calls import OK, Attempt
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageFacts, RowKey
from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.tables.clock import read_moment

#: What every database can hold.
_FIRST: Final = datetime(1000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class LedgerImage:
    """One row of the images, while an exchange changes it.

    :param held_by: the open call for it.
    :param version: of the exchange that last changed its standing; None: never changed.
    :param first_version: of the exchange that first recorded it.
    """

    row_key: RowKey
    standing: Standing = field(default_factory=Standing)
    held_by: str | None = None
    held_session: str | None = None
    held_until: datetime | None = None
    version: int | None = None
    first_version: int | None = None

    def change(self, attempt: Attempt, *, order: int, now: datetime, run: str | None, version: int) -> None:
        """Take note of an attempt, as ``Standing.after`` does.

        :param version: of the exchange.
        """
        self.put(self.standing.after(attempt, order=order, now=now, run=run), version)

    def put(self, standing: Standing, version: int) -> None:
        """Set its standing."""
        self.standing, self.version = standing, version
        if self.first_version is None and standing.status is not None:
            self.first_version = version

    def hold(self, call_id: str, session_id: str, until: datetime) -> None:
        """Keep other runs from calling for it."""
        self.held_by, self.held_session, self.held_until = call_id, session_id, until

    def release(self, call_id: str) -> None:
        """End the hold of a call, unless another has taken its place."""
        if self.held_by == call_id:
            self.held_by = self.held_session = self.held_until = None

    def row(self, list_id: int) -> dict[str, Any]:
        """Return the row to write."""
        standing = self.standing
        return {
            "list_id": list_id,
            "image_key": self.row_key[0],
            "card_side": self.row_key[1].value,
            "status": standing.status and standing.status.value,
            "error_code": _clean(standing.error_code),
            "error_message": _clean(standing.error_message),
            "request_id": _clean(standing.request_id),
            "answer_id": standing.answer_id,
            "answer_order": standing.answer_order,
            "is_doubtful": None if standing.is_doubtful is None else int(standing.is_doubtful),
            "reused_from": _clean(standing.reused_from),
            **standing.facts.columns,
            "updated_at": _in_utc(standing.updated_at),
            "processed_at": _in_utc(standing.processed_at),
            "run": _clean(standing.run),
            "attempt_status": standing.attempt_status and standing.attempt_status.value,
            "attempt_code": _clean(standing.attempt_code),
            "attempted_at": _in_utc(standing.attempted_at),
            "attempt_updated_at": _in_utc(standing.attempt_updated_at),
            "attempt_run": _clean(standing.attempt_run),
            "tries": standing.tries,
            "carried": to_json(standing.carried) if standing.carried else None,
            "held_by": self.held_by,
            "held_session": self.held_session,
            "held_until": _in_utc(self.held_until),
            "version": self.version,
            "first_version": self.first_version,
        }


def read_image(row: Mapping[str, Any]) -> LedgerImage:
    """Read one row of the images."""
    return LedgerImage(
        (row["image_key"], CardSide(row["card_side"])),
        read_standing(row),
        row["held_by"],
        row["held_session"],
        read_moment(row["held_until"]),
        row["version"],
        row["first_version"],
    )


def read_standing(row: Mapping[str, Any]) -> Standing:
    """Read an image's standing."""
    return Standing(
        status=row["status"] and Status(row["status"]),
        error_code=row["error_code"],
        error_message=row["error_message"],
        request_id=row["request_id"],
        answer_id=row["answer_id"],
        answer_order=row["answer_order"],
        is_doubtful=None if row["is_doubtful"] is None else bool(row["is_doubtful"]),
        reused_from=row["reused_from"],
        facts=ImageFacts.of_columns(row),
        updated_at=read_moment(row["updated_at"]),
        processed_at=read_moment(row["processed_at"]),
        run=row["run"],
        attempt_status=row["attempt_status"] and Status(row["attempt_status"]),
        attempt_code=row["attempt_code"],
        attempted_at=read_moment(row["attempted_at"]),
        attempt_updated_at=read_moment(row["attempt_updated_at"]),
        attempt_run=row["attempt_run"],
        tries=row["tries"],
        carried=json.loads(row["carried"]) if row["carried"] else {},
    )


def to_json(values: Mapping[str, Any]) -> str:
    """Serialize values as ASCII JSON, which every database stores unchanged, whatever its encoding.

    Days and times use ISO format; numbers that JSON cannot represent are left out.
    """
    return json.dumps({name: _finite(value) for name, value in values.items()}, default=_iso)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _iso(value: Any) -> str:
    if isinstance(value, date):  # a datetime, too
        return value.isoformat()
    return str(value)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text)


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return min(max(moment.astimezone(UTC), _FIRST), _LAST)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


def write_attempt(attempt: Attempt) -> str:
    """Serialize as JSON what the call's own columns lack; copied columns are stored with the image."""
    return to_json(
        {
            "status": attempt.status.value,
            "tries": attempt.tries,
            "is_verdict": attempt.is_verdict,
            "updated_at": attempt.updated_at,
            "error_message": attempt.error_message,
            **{name: value for name, value in attempt.facts.columns.items() if name != "image_digest"},
        }
    )


def standing_of(call: Mapping[str, Any], carried: Record) -> Standing:
    """Return the image's standing at the time when the call was closed.

    :param call: a row of the calls.
    :param carried: of the image.
    """
    said = json.loads(call["attempt"])
    is_answered = call["code"] == OK
    attempt = Attempt(
        (call["image_key"], CardSide(call["card_side"])),
        Status(said["status"]),
        tries=said["tries"],
        is_verdict=said["is_verdict"],
        updated_at=said["updated_at"] and datetime.fromisoformat(said["updated_at"]),
        error_code=None if is_answered else call["code"],
        error_message=said["error_message"],
        request_id=call["request_id"],
        facts=ImageFacts.of_columns({**said, "image_digest": call["image_digest"]}),
        carried=carried,
        answer_id=call["call_id"] if is_answered else None,
    )
    closed_at = read_moment(call["answered_at"])
    assert closed_at is not None
    run = f"{call['dag_id']}/{call['task_id']}/{call['run_id']}"
    standing = Standing().after(attempt, order=call["place"], now=closed_at, run=run)
    return replace(standing, carried=carried)
