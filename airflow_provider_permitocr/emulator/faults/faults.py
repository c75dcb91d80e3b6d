"""Scripted faults: what should fail, for which calls.

The first rule that matches a call applies; a call without a matching rule is served normally.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

Numbers = tuple[range, ...]

_CODE: Final = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)*")


class BodyFault(StrEnum):
    """What can be wrong with the body of an answer."""

    MALFORMED = "malformed"
    TRUNCATED = "truncated"


@dataclass(frozen=True)
class Match:
    """The calls that a rule applies to: those that meet every given condition.

    :param action: e.g. ``MainlandPermitOCR``.
    :param image: the image's SHA-256 in hexadecimal, or its first digits.
    :param calls: numbers of calls, counted from 1 per action over all calls that passed signature,
        quota and parameter checks.
    :param attempts: the same, counted per image: 1 is every image's first call.
    :param rate: share of calls between 0 and 1, drawn from `seed`, image and attempt, so that the same
        images get the same faults in any order.
    :param seed: for `rate`.
    :raises ValueError: naming the condition and its permitted values.
    """

    action: str | None = None
    image: str | None = None
    calls: Numbers | None = None
    attempts: Numbers | None = None
    rate: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_type("action", self.action, str, "the name of an action")
        if self.image is not None and not re.fullmatch(r"[0-9a-f]{1,64}", str(self.image)):
            raise ValueError("`image` takes 1 to 64 lower-case hexadecimal digits of a SHA-256")
        if self.rate is not None and not (_is_number(self.rate) and 0 <= self.rate <= 1):
            raise ValueError("`rate` takes a number from 0 to 1")
        _check_type("seed", self.seed, int, "a whole number")

    def meets(self, call: Call) -> bool:
        """Return whether `call` is one of these."""
        return (
            self.action in (None, call.action)
            and (self.image is None or (call.image or "").startswith(self.image))
            and (self.calls is None or any(call.number in numbers for numbers in self.calls))
            and (self.attempts is None or any(call.attempt in numbers for numbers in self.attempts))
            and (self.rate is None or self._draw(call) < self.rate)
        )

    def _draw(self, call: Call) -> float:
        text = f"{self.seed}:{call.action}:{call.image}:{call.attempt}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


@dataclass(frozen=True)
class Effect:
    """What happens to a call.

    An error code, an HTTP status or a dropped connection replaces the work, unless `after_work`; everything
    else changes the answer to completed work.

    :param error: code of the API to answer, e.g. ``InternalError``.
    :param message: used with `error`.
    :param http_status: answer this status with an HTML page, as an intermediate proxy would.
    :param body: ``malformed`` (cut, but of the length announced) or ``truncated`` (the connection
        ends before the length announced).
    :param content_type: sent instead of ``application/json``.
    :param delay: seconds to wait before the answer.
    :param drop: close the connection without an answer.
    :param after_work: do the work (which the real service bills, unless its answer is one of most errors)
        before `error`, `http_status` or `drop`.
    :param retry_after: used with `error` or `http_status`, as the header ``Retry-After``: whole seconds, or
        an HTTP date.
    :raises ValueError: naming the field and its permitted values.
    """

    error: str | None = None
    message: str | None = None
    http_status: int | None = None
    body: BodyFault | None = None
    content_type: str | None = None
    delay: float = 0.0
    drop: bool = False
    after_work: bool = False
    retry_after: int | str | None = None

    def __post_init__(self) -> None:
        if self.error is not None and not _CODE.fullmatch(str(self.error)):
            raise ValueError("`error` takes a code of the API, e.g. InternalError")
        _check_type("message", self.message, str, "text")
        _check_type("http_status", self.http_status, int, "a status from 200 to 599")
        if self.http_status is not None and not 200 <= self.http_status <= 599:
            raise ValueError("`http_status` takes a status from 200 to 599")
        if self.body is not None and self.body not in list(BodyFault):
            raise ValueError(f"`body` takes {' or '.join(BodyFault)}")
        _check_type("content_type", self.content_type, str, "text")
        if not _is_number(self.delay) or self.delay < 0:
            raise ValueError("`delay` takes seconds, 0 or more")
        _check_type("drop", self.drop, bool, "true or false")
        _check_type("after_work", self.after_work, bool, "true or false")
        self._check_retry_after()
        if [self.error is None, self.http_status is None, not self.drop].count(False) > 1:
            raise ValueError("give only one of `error`, `http_status` and `drop`")
        if self.body is not None and self.hides_answer:
            raise ValueError("`body` alters an answer of the API: leave out `http_status` and `drop`")
        if not (self.error or self.hides_answer or self.body or self.content_type or self.delay):
            raise ValueError("give at least one of error, http_status, body, content_type, delay and drop")

    def _check_retry_after(self) -> None:
        if self.retry_after is None:
            return
        if not _is_retry_after(self.retry_after):
            raise ValueError(
                '`retry_after` takes whole seconds, 0 or more, or a date such as "Wed, 21 Oct 2026 07:28:00'
                ' GMT"'
            )
        if self.error is None and self.http_status is None:
            raise ValueError("`retry_after` requires `error` or `http_status`")

    @property
    def hides_answer(self) -> bool:
        """Whether the caller gets no API answer at all."""
        return self.http_status is not None or self.drop

    @property
    def skips_work(self) -> bool:
        """Whether no work is done for the call (so it is not billed)."""
        return (self.hides_answer or self.error is not None) and not self.after_work


@dataclass(frozen=True)
class Rule:
    """One rule of a faults file."""

    name: str
    match: Match
    effect: Effect


@dataclass(frozen=True)
class Call:
    """What a rule may look at: `number` and `attempt` count from 1."""

    action: str
    image: str | None
    number: int
    attempt: int


class Faults:
    """Selects the rule for each call.

    :param rules: in the order in which they are tried.
    """

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._numbers: Counter[str] = Counter()
        self._attempts: Counter[tuple[str, str | None]] = Counter()

    def strike(self, action: str, image: str | None) -> Rule | None:
        """Count a call and return the rule that it meets, if any."""
        self._numbers[action] += 1
        self._attempts[action, image] += 1
        call = Call(action, image, self._numbers[action], self._attempts[action, image])
        return next((rule for rule in self._rules if rule.match.meets(call)), None)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_retry_after(value: object) -> bool:
    if not isinstance(value, str):
        return type(value) is int and value >= 0
    try:
        parsedate_to_datetime(value)
    except ValueError:
        return False
    return value.isascii() and value.isprintable()


def _check_type(name: str, value: object, wanted: type, says: str) -> None:
    if value is not None and type(value) is not wanted:
        raise ValueError(f"`{name}` takes {says}")
