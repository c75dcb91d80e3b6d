"""The service STS: whose keys these are, and temporary keys of a role. Neither costs anything.

API pages: GetCallerIdentity (cloud.tencent.com/document/api/1312/66098) and AssumeRole
(cloud.tencent.com/document/api/1312/48197), version 2018-08-13.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from airflow_provider_permitocr.errors import OF_ALL, CallError, Decision
from airflow_provider_permitocr.permit.api import SERVICE
from airflow_provider_permitocr.tencent.credentials import (
    ConnectionKeys,
    IssuedKeys,
    KeySource,
    RoleKeys,
)
from airflow_provider_permitocr.tencent.decisions import look_up
from airflow_provider_permitocr.tencent.envelope import Refusal, malformed, open_envelope
from airflow_provider_permitocr.tencent.options import ClientOptions, Keys, Role
from airflow_provider_permitocr.tencent.signing import Operation, Signer
from airflow_provider_permitocr.tencent.transport import Transport
from airflow_provider_permitocr.tencent.wire_codes import MALFORMED

_VERSION: Final = "2018-08-13"
#: STS wants to be told a region; which one makes no difference.
_REGION: Final = "ap-guangzhou"
#: Its answers are small, and a run may be waiting for them.
_LONGEST_READ: Final = 10.0
_LONGEST_CALL: Final = 30.0
#: Named like a wrong parameter; STS means too many questions.
_TOO_MANY: Final = "InvalidParameter.OverLimit"
_PASSING: Final = (Decision.RETRY, Decision.THROTTLE)
_PERMIT: Final = (
    "In the console, under Access Management, let the connection's user call sts:AssumeRole, and name it as a"
    " carrier of the role"
)
#: By the beginning of the code, the narrower before the wider.
_ADVICE: Final = {
    "AuthFailure.SignatureExpire": "Set this machine's clock right",
    "AuthFailure.TokenFailure": (
        "Temporary keys have ended: put new ones into SecretId, SecretKey and token of the connection"
    ),
    "AuthFailure.UnauthorizedOperation": _PERMIT,
    "AuthFailure": "Correct SecretId, SecretKey and site of the connection",
    "InvalidParameter.OverTimeError": (
        "Lower role_seconds on the connection, or raise the role's longest session in the console, under"
        " Access Management > Roles"
    ),
    "ResourceNotFound": (
        "Correct role_arn on the connection; the console shows it under Access Management > Roles"
    ),
    "InvalidParameter": "Correct role_arn, role_session_name or role_seconds on the connection",
    "UnauthorizedOperation": _PERMIT,
}


@dataclass(frozen=True)
class Identity:
    """Who some keys belong to.

    :param account: id of the account that pays.
    :param arn: of the user or the role.
    """

    account: str
    arn: str

    def __str__(self) -> str:
        return f"account {self.account}, {self.arn}"


def key_source(
    options: ClientOptions,
    look_up: Callable[[], Keys] | None = None,
    *,
    tell: Callable[[Keys], object] = lambda _keys: None,
) -> KeySource:
    """Return where calls get their keys: the connection's own, or a role's. Nothing is asked for yet.

    :param look_up: reads the connection's keys anew, which may have been replaced; None: they are not.
    :param tell: gets keys that STS issued before they are used.
    """
    base = ConnectionKeys(options.keys, look_up)
    return RoleKeys(base, partial(assume_role, options, options.role), tell=tell) if options.role else base


def assume_role(
    options: ClientOptions, role: Role, keys: Keys, *, now: Callable[[], float] = time.time
) -> IssuedKeys:
    """Ask for temporary keys of a role.

    :param keys: of a user, or role, that may assume it.
    :param now: Unix time in seconds.
    :raises CallError: that may pass when STS could not be asked, and for good, with advice, when it refused.
    """
    asked_at = now()
    parameters = {"RoleArn": role.arn, "RoleSessionName": role.session_name, "DurationSeconds": role.seconds}
    response = _ask(options, ConnectionKeys(keys), "AssumeRole", parameters)
    try:
        issued = response["Credentials"]
        keys = Keys(issued["TmpSecretId"], issued["TmpSecretKey"], issued["Token"])
        seconds = min(role.seconds, float(response["ExpiredTime"]) - asked_at)
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(type(error).__name__) from None
    # Clocks differ, by five minutes before signatures are refused; then only what was asked for is known.
    return IssuedKeys(keys, seconds if seconds > 0 else role.seconds)


def caller_identity(options: ClientOptions, keys: KeySource | None = None) -> Identity:
    """Ask whose keys these are.

    :param keys: by default those of ``options``.
    :raises CallError: that may pass when STS could not be asked, and for good, with advice, when it refused.
    """
    response = _ask(options, keys or key_source(options), "GetCallerIdentity", {})
    try:
        return Identity(str(response["AccountId"]), str(response["Arn"]))
    except KeyError as error:
        raise _malformed(type(error).__name__) from None


def _ask(options: ClientOptions, keys: KeySource, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    options = _at_sts(options)
    body = json.dumps(parameters).encode()
    signer = Signer(options, clock=time.time, operation=Operation("sts", action, _VERSION))
    used = keys.current()
    headers = signer.headers(used, hashlib.sha256(body).hexdigest())
    try:
        with closing(Transport(options)) as transport:
            answer = open_envelope(transport.post(headers, body).body, used)
    except CallError as error:
        raise _unasked(error) from None
    if isinstance(answer, Refusal):
        raise _refused(answer)
    return answer.fields


def _at_sts(options: ClientOptions) -> ClientOptions:
    return replace(
        options,
        # A replaced endpoint is an emulator or a gateway, and serves STS as well.
        endpoint=options.endpoint or options.site.endpoint.replace(f"{SERVICE}.", "sts.", 1),
        region=options.region or _REGION,
        read_timeout=min(options.read_timeout, _LONGEST_READ),
        call_timeout=min(options.call_timeout, _LONGEST_CALL),
    )


def _unasked(error: CallError) -> CallError:
    """Return what a fault on the way to STS means: nothing of an image was sent."""
    return CallError(
        error.code,
        f"STS: {error.message}",
        error.decision if error.decision in OF_ALL else Decision.RETRY,
        error.request_id,
        billed=False,
        was_sent=False,
        retry_after=error.retry_after,
        advice=error.advice,
    )


def _refused(refusal: Refusal) -> CallError:
    code = refusal.code
    if code == _TOO_MANY or look_up(code).decision in _PASSING:
        return _unasked(CallError(code, refusal.message, Decision.RETRY, refusal.request_id))
    advice = next((text for beginning, text in _ADVICE.items() if code.startswith(beginning)), "")
    return CallError(
        code,
        f"STS refused: {refusal.message}",
        Decision.ACCOUNT,
        refusal.request_id,
        billed=False,
        was_sent=False,
        advice=advice,
    )


def _malformed(reason: str) -> CallError:
    return _unasked(malformed(MALFORMED, reason))
