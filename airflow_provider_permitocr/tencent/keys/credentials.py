"""Where the keys come from that calls are signed with, and how others take their place during a run."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from airflow_provider_permitocr.errors import OF_ALL, CallError, ConfigurationError, Decision

#: Codes for keys or signatures that are no longer valid: temporary
#: ones that have ended, others that were replaced in the console.
_REFUSED_KEYS: Final = frozenset(
    {
        "AuthFailure.InvalidSecretId",
        "AuthFailure.SecretIdNotFound",
        "AuthFailure.SignatureExpire",
        "AuthFailure.SignatureFailure",
        "AuthFailure.TokenFailure",
    }
)
#: Code of calls without available keys.
KEYS_UNAVAILABLE: Final = "ClientKeysUnavailable"
#: After a failed renewal, other threads that need keys within this many seconds get the same error without
#: another request: many threads find out at once.
_HOLD_OFF_SECONDS: Final = 0.5
#: Keys are renewed after this part of their lifetime, while other threads can still use them.
_RENEWED_AFTER: Final = 0.75
#: The part of it, and the seconds at most, that a call may take to arrive after it was signed.
_ON_THE_WAY: Final = (0.05, 5.0)
#: These are sent in headers; invisible characters in a copied key would only show as a network error.
_HEADER_VALUE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Keys:
    """What signs a call; immutable, so that all three parts seen by a thread belong together.

    :param token: of temporary keys.
    :raises ValueError: naming what is invalid in a header.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_header_values(
            (self.secret_id, "SecretId (login)"),
            (self.secret_key, "SecretKey (password)"),
            (self.token, "token"),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may quote."""
        return (self.secret_key, self.token) if self.token else (self.secret_key,)


class KeySource(Protocol):
    """Gives keys to any number of threads."""

    def current(self) -> Keys:
        """Return the keys to sign with now.

        :raises CallError: when there are none; its decision says whether that is transient.
        """

    def renew(self, refused: Keys) -> bool:
        """Look for replacements of keys that the service refused.

        :return: whether others will be used from now on.
        :raises CallError: when the search itself failed.
        """


@dataclass(frozen=True)
class IssuedKeys:
    """Temporary keys, as STS or the instance's metadata service issues them.

    :param seconds: how long they are good for, from before they were asked for.
    """

    keys: Keys
    seconds: float


def check_header_values(*labelled: tuple[str | None, str]) -> None:
    """Refuse what a header cannot hold.

    :param labelled: each value, or None, with what it is called in the connection.
    :raises ValueError: naming the first that is empty, or has blanks or characters beyond ASCII.
    """
    for value, label in labelled:
        # Not which value: it may be a secret.
        if value is not None and not _HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"the connection's {label} is empty, or contains spaces or non-ASCII characters; copy it"
                " again"
            )


def after_refusal(error: CallError, source: KeySource, refused: Keys) -> CallError:
    """Renew the keys if a call was refused because of them.

    :param refused: the keys that signed the call.
    :return: the error, with the decision to repeat the call if there are other keys now.
    :raises CallError: when the renewal failed.
    """
    if error.code in _REFUSED_KEYS and source.renew(refused):
        error.decision = Decision.REPAIR
    return error


class ConnectionKeys:
    """Keys entered by a user, who may replace them during a run.

    They are looked up again only after the service has refused them, once for all affected threads.

    :param look_up: reads them again; None: they don't change.
    :param clock: seconds from any starting point.
    """

    def __init__(
        self,
        keys: Keys,
        look_up: Callable[[], Keys] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._look_up = look_up
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = -math.inf

    def current(self) -> Keys:
        """Return the keys to sign with now."""
        return self._keys

    def renew(self, refused: Keys) -> bool:
        """Look up the keys, unless that has happened since, or just now.

        :raises CallError: permanent when the connection no longer exists; otherwise transient.
        """
        with self._looking:
            if self._keys != refused:
                return True
            if self._look_up is None or self._clock() - self._looked_at < _HOLD_OFF_SECONDS:
                return False
            try:
                self._keys = _looked_up(self._look_up)
            finally:
                self._looked_at = self._clock()
            return self._keys != refused


def _looked_up(look_up: Callable[[], Keys]) -> Keys:
    try:
        return look_up()
    except ConfigurationError as error:
        raise CallError(KEYS_UNAVAILABLE, str(error), Decision.ACCOUNT, billed=False) from None
    except Exception as error:  # noqa: BLE001  a secrets backend may raise anything
        # Its message may quote a secret.
        message = f"the service refused the keys, and reading them again failed ({type(error).__name__})"
        raise CallError(KEYS_UNAVAILABLE, message, Decision.RETRY, billed=False, was_sent=False) from None


@dataclass(frozen=True)
class _Held:
    keys: Keys
    renew_at: float
    ends_at: float


class TemporaryKeys:
    """Temporary keys, renewed by one of the threads before they expire.

    That thread renews while the others use the old keys. All threads wait only if no valid keys are left.

    :param issue: requests keys; raises ``CallError``.
    :param mask: gets new keys before they are used, to mask them in logs.
    :param clock: seconds from any starting point.
    """

    def __init__(
        self,
        issue: Callable[[], IssuedKeys],
        *,
        mask: Callable[[Keys], object] = lambda _keys: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issue = issue
        self._mask = mask
        self._clock = clock
        self._held: _Held | None = None
        self._renewing = threading.Lock()
        self._fault: CallError | None = None
        self._fault_at = -math.inf

    def current(self) -> Keys:
        """Return the keys to sign with now, after renewing them if it is time.

        :raises CallError: when no valid keys are left, and the renewal failed.
        """
        held, now = self._held, self._clock()
        if held is None or now >= held.ends_at:
            with self._renewing:
                return self._renewed(held)
        if now >= held.renew_at and self._renewing.acquire(blocking=False):
            try:
                return self._renewed(held)
            except CallError:
                # Not an error yet: these keys stay valid for a while, and renewal is tried again.
                pause = max(_HOLD_OFF_SECONDS, (held.ends_at - now) / 4)
                self._held = replace(held, renew_at=self._clock() + pause)
            finally:
                self._renewing.release()
        return held.keys

    def renew(self, refused: Keys) -> bool:
        """Discard the keys that were refused, so that the next call renews them."""
        with self._renewing:
            if self._held is not None and self._held.keys == refused:
                self._held = None
        return True

    def _renewed(self, old: _Held | None) -> Keys:
        """Return others than ``old``; another thread may have asked for them meanwhile."""
        if self._held is not None and self._held is not old:
            return self._held.keys
        asked_at = self._clock()
        if self._fault is not None and asked_at - self._fault_at < _HOLD_OFF_SECONDS:
            raise self._fault.bare()
        try:
            issued = self._issue()
        except CallError as error:
            self._fault, self._fault_at = error.bare(), self._clock()
            raise
        self._mask(issued.keys)
        part, most = _ON_THE_WAY
        self._held = _Held(
            issued.keys,
            renew_at=asked_at + issued.seconds * _RENEWED_AFTER,
            ends_at=asked_at + issued.seconds - min(most, issued.seconds * part),
        )
        return issued.keys


def assumed(base: KeySource, assume: Callable[[Keys], IssuedKeys]) -> IssuedKeys:
    """Request keys of a role; retry once if the base keys were replaced meanwhile.

    :param base: the keys to assume the role with.
    :param assume: requests keys; raises ``CallError``.
    :raises CallError: as ``assume``, or when there are no base keys.
    """
    used = base.current()
    try:
        return assume(used)
    except CallError as error:
        if after_refusal(error, base, used).decision is not Decision.REPAIR:
            raise
    return assume(base.current())


def unasked(error: CallError, who: str, advice: str = "") -> CallError:
    """Return the error for a failure to get keys: nothing of an image was sent.

    :param who: the service that was asked.
    :param advice: replaces the error's own.
    """
    return CallError(
        error.code,
        f"{who}: {error.message}",
        error.decision if error.decision in OF_ALL else Decision.RETRY,
        error.request_id,
        billed=False,
        was_sent=False,
        retry_after=error.retry_after,
        advice=advice or error.advice,
    )


def no_keys(message: str, advice: str) -> CallError:
    """Return the error for keys that will stay unavailable until someone changes something."""
    return CallError(KEYS_UNAVAILABLE, message, Decision.ACCOUNT, billed=False, was_sent=False, advice=advice)
