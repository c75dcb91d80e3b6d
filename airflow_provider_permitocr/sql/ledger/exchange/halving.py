"""An exchange that the database refuses for what one of its rows holds: found by halves, and left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from airflow_provider_permitocr.engine.ledger.calls import Attempt, CallIntent, ClosedCall, Exchanged, Grant
from airflow_provider_permitocr.errors import LedgerError

#: Does one exchange, in a transaction; raises ``RowRefusedError``.
Once: TypeAlias = Callable[[Sequence[CallIntent], Sequence[ClosedCall], Sequence[Attempt]], Sequence[Grant]]


class RowRefusedError(Exception):
    """The database refuses an exchange for what one of its rows holds."""


def exchange_or_halve(
    once: Once,
    intents: Sequence[CallIntent],
    closed: Sequence[ClosedCall],
    attempts: Sequence[Attempt],
) -> Exchanged:
    """Write everything in one exchange, or in several, without rows that the database refuses.

    :raises LedgerError: when it even refuses to record that a call was made.
    """
    try:
        return Exchanged(tuple(once(intents, closed, attempts)))
    except RowRefusedError:
        refused = _close_or_halve(once, closed, attempts)
        return Exchanged(tuple(_open_or_halve(once, intents)), tuple(refused))


def _open_or_halve(once: Once, intents: Sequence[CallIntent]) -> list[Grant]:
    if not intents:
        return []
    try:
        return list(once(intents, (), ()))
    except RowRefusedError:
        if len(intents) == 1:
            return [Grant.REFUSED]
    half = len(intents) // 2
    return _open_or_halve(once, intents[:half]) + _open_or_halve(once, intents[half:])


def _close_or_halve(
    once: Once, closed: Sequence[ClosedCall], attempts: Sequence[Attempt]
) -> list[ClosedCall]:
    """Write closed calls and attempts; return the calls whose answers the database refuses."""
    if not closed and not attempts:
        return []
    try:
        once((), closed, attempts)
    except RowRefusedError as error:
        if len(closed) + len(attempts) == 1:
            return _write_bare(once, closed, attempts, str(error))
    else:
        return []
    if closed and attempts:
        return _close_or_halve(once, closed, ()) + _close_or_halve(once, (), attempts)
    half = max(len(closed), len(attempts)) // 2
    return _close_or_halve(once, closed[:half], attempts[:half]) + _close_or_halve(
        once, closed[half:], attempts[half:]
    )


def _write_bare(
    once: Once, closed: Sequence[ClosedCall], attempts: Sequence[Attempt], reason: str
) -> list[ClosedCall]:
    """Write one call without its answer, or one attempt without what may be at fault."""
    bare = [replace(each, answer=None, attempt=None, reason=reason) for each in closed]
    short = [replace(each, carried={}, error_message=None, updated_at=None) for each in attempts]
    try:
        once((), bare, short)
    except RowRefusedError as error:
        raise LedgerError(
            f"The ledger refuses to record the outcome of a call, even without its answer ({error}), so the"
            " run has stopped. Look for a trigger or constraint on its tables, correct it and run again."
        ) from None
    return [replace(each, reason=reason) for each in closed]
