"""The service STS: identifies the owner of keys, and issues a role's temporary keys. Both are free.

API pages: GetCallerIdentity (cloud.tencent.com/document/api/1312/66098), AssumeRole
(cloud.tencent.com/document/api/1312/48197) and AssumeRoleWithWebIdentity
(cloud.tencent.com/document/api/1312/73070), version 2018-08-13.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final

from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.api import SERVICE
from airflow_provider_permitocr.tencent.decisions import look_up
from airflow_provider_permitocr.tencent.endpoints import sts_host
from airflow_provider_permitocr.tencent.envelope import Refusal, malformed, open_envelope
from airflow_provider_permitocr.tencent.keys.credentials import IssuedKeys, Keys, KeySource, no_keys, unasked
from airflow_provider_permitocr.tencent.keys.environment import WebIdentity
from airflow_provider_permitocr.tencent.options import ClientOptions, Role
from airflow_provider_permitocr.tencent.signing import Operation, Signer
from airflow_provider_permitocr.tencent.transport import Transport, clock_fault
from airflow_provider_permitocr.tencent.wire_codes import MALFORMED

_NAME: Final = "STS"
_VERSION: Final = "2018-08-13"
#: STS requires a region; any will do.
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
        "Temporary keys have expired: put new ones in SecretId, SecretKey and token of the connection"
    ),
    "AuthFailure.UnauthorizedOperation": _PERMIT,
    "AuthFailure": "Correct SecretId, SecretKey and site of the connection",
    "InvalidParameter.OverTimeError": (
        "Lower role_seconds on the connection, or raise the role's maximum session duration in the console,"
        " under"
        " Access Management > Roles"
    ),
    "ResourceNotFound": (
        "Correct role_arn on the connection; the console shows it under Access Management > Roles"
    ),
    "InvalidParameter": "Correct role_arn, role_session_name or role_seconds on the connection",
    "UnauthorizedOperation": _PERMIT,
}
_WEB_IDENTITY_ADVICE: Final = {
    "InvalidParameter.WebIdentityTokenError": (
        "TKE's token was refused: check the identity provider in the console, under Access Management, and"
        " the cluster's issuer; restart the pod if its token has expired"
    ),
    "InvalidParameter.OverTimeError": _ADVICE["InvalidParameter.OverTimeError"],
    "ResourceNotFound": (
        "Correct role_arn on the connection, or the role that TKE binds to the pod's service account"
    ),
    "InvalidParameter": "Check TKE_PROVIDER_ID, and role_arn and role_session_name on the connection",
    "UnauthorizedOperation": (
        "In the console, under Access Management, name the cluster's identity provider as a carrier of the"
        " role"
    ),
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


def assume_role(
    options: ClientOptions, role: Role, keys: Keys, *, now: Callable[[], float] = time.time
) -> IssuedKeys:
    """Request temporary keys of a role.

    :param keys: of a user, or role, that may assume it.
    :param now: Unix time in seconds.
    :raises CallError: transient when STS could not be reached; permanent, with advice, when it refused.
    """
    asked_at = now()
    parameters = {"RoleArn": role.arn, "RoleSessionName": role.session_name, "DurationSeconds": role.seconds}
    return _issued(_ask(options, keys, "AssumeRole", parameters), role, asked_at)


def assume_role_with_web_identity(options: ClientOptions, role: Role, identity: WebIdentity) -> IssuedKeys:
    """Request temporary keys of a role with a pod's service account token instead of keys.

    :param identity: the pod's; its token is read for each request.
    :raises CallError: transient when STS could not be reached; permanent, with advice, when it refused,
        or the token can't be read.
    """
    asked_at = time.time()
    try:
        token = identity.token()
    except OSError as error:
        raise no_keys(
            "the token of the pod's service account can't be read"
            f" ({error.strerror or type(error).__name__})",
            "Check TKE_WEB_IDENTITY_TOKEN_FILE, and the file that it names, where tasks run",
        ) from None
    parameters = {
        "ProviderId": identity.provider_id,
        "WebIdentityToken": token,
        "RoleArn": role.arn,
        "RoleSessionName": role.session_name,
        "DurationSeconds": role.seconds,
    }
    options = replace(options, region=identity.region)
    response = _ask(options, token, "AssumeRoleWithWebIdentity", parameters, advice=_WEB_IDENTITY_ADVICE)
    return _issued(response, role, asked_at)


def caller_identity(options: ClientOptions, keys: KeySource) -> Identity:
    """Ask STS for the owner of these keys.

    :raises CallError: transient when STS could not be reached; permanent, with advice, when it refused.
    """
    response = _ask(options, keys.current(), "GetCallerIdentity", {})
    try:
        return Identity(str(response["AccountId"]), str(response["Arn"]))
    except KeyError as error:
        raise _malformed(type(error).__name__) from None


def _issued(response: dict[str, Any], role: Role, asked_at: float) -> IssuedKeys:
    try:
        issued = response["Credentials"]
        keys = Keys(issued["TmpSecretId"], issued["TmpSecretKey"], issued["Token"])
        seconds = min(role.seconds, float(response["ExpiredTime"]) - asked_at)
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(type(error).__name__) from None
    # Signatures allow clocks to differ by five minutes; beyond that, only the requested lifetime is known.
    return IssuedKeys(keys, seconds if seconds > 0 else role.seconds)


def _ask(
    options: ClientOptions,
    keys: Keys | str,
    action: str,
    parameters: dict[str, Any],
    *,
    advice: Mapping[str, str] = _ADVICE,
) -> dict[str, Any]:
    """Ask STS.

    :param keys: what to sign with, or a token among the parameters instead of a signature.
    :param advice: by the beginning of the code.
    """
    options = _at_sts(options)
    body = json.dumps(parameters).encode()
    signer = Signer(options, clock=time.time, operation=Operation("sts", action, _VERSION))
    if isinstance(keys, Keys):
        headers = signer.headers(keys, hashlib.sha256(body).hexdigest())
        secrets = keys.secrets
    else:
        headers, secrets = signer.unsigned_headers(), (keys,)
    try:
        with closing(Transport(options)) as transport:
            answer = transport.post(headers, body)
        opened = open_envelope(answer.body, secrets)
    except CallError as error:
        raise unasked(error, _NAME) from None
    if isinstance(opened, Refusal):
        raise _refused(opened, advice, clock_fault(opened.code, answer.date, time.time()))
    return opened.fields


def _at_sts(options: ClientOptions) -> ClientOptions:
    return replace(
        options,
        endpoint=sts_host(options.host, SERVICE),
        region=options.region or _REGION,
        read_timeout=min(options.read_timeout, _LONGEST_READ),
        call_timeout=min(options.call_timeout, _LONGEST_CALL),
    )


def _refused(refusal: Refusal, advice: Mapping[str, str], clock: str) -> CallError:
    code = refusal.code
    if code == _TOO_MANY or look_up(code).decision in _PASSING:
        return unasked(CallError(code, refusal.message, Decision.RETRY, refusal.request_id), _NAME)
    remedy = clock or next((text for beginning, text in advice.items() if code.startswith(beginning)), "")
    return CallError(
        code,
        f"{_NAME} refused: {refusal.message}",
        Decision.ACCOUNT,
        refusal.request_id,
        billed=False,
        was_sent=False,
        advice=remedy,
    )


def _malformed(reason: str) -> CallError:
    return unasked(malformed(MALFORMED, reason), _NAME)
