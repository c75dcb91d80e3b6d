"""The service STS: caller identity and temporary keys, so that credentials can be tried for free.

API pages: GetCallerIdentity (cloud.tencent.com/document/api/1312/66098), AssumeRole
(cloud.tencent.com/document/api/1312/48197) and AssumeRoleWithWebIdentity
(cloud.tencent.com/document/api/1312/73070), version 2018-08-13.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.keys import KeyRing
from airflow_provider_permitocr.emulator.gateway.operations import Prepared, Request
from airflow_provider_permitocr.emulator.gateway.parameters import require
from airflow_provider_permitocr.emulator.options import KeyPair, WebIdentity

SERVICE: Final = "sts"
VERSION: Final = "2018-08-13"
DEFAULT_SECONDS: Final = 7200
MAX_SECONDS: Final = 43200

_ROLE_ARN: Final = re.compile(r"qcs::cam::uin/\d+:(roleName/[\w.@+=,-]+|role/\S+)")


class GetCallerIdentity:
    """Return the account and the pair that signed the call."""

    async def prepare(self, request: Request) -> Prepared:
        """Refuse any parameter: the action has none."""
        request.parameters({})
        return Prepared(partial(self._work, request.key))

    async def _work(self, key: KeyPair) -> dict[str, Any]:
        if key.role:
            arn = f"qcs::sts:{key.account}:assumed-role/{key.role.partition(':')[0]}"
        else:
            arn = f"qcs::cam::uin/{key.account}:uin/{key.account}"
        return {
            "Arn": arn,
            "AccountId": key.account,
            "UserId": key.role or key.account,
            "PrincipalId": key.account,
            "Type": "CAMRole" if key.role else "CAMUser",
        }


class AssumeRole:
    """Issue a temporary pair of keys that belongs to the caller's account.

    :param keys: where the pair is added.
    """

    SCHEMA: Final = {
        "RoleArn": str,
        "RoleSessionName": str,
        "DurationSeconds": int,
        "Policy": str,
        "ExternalId": str,
        "Tags": list,
        "SourceIdentity": str,
        "SerialNumber": str,
        "TokenCode": str,
    }

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def prepare(self, request: Request) -> Prepared:
        """Check the role and the duration; policies and tags are taken, but mean nothing here."""
        parameters = request.parameters(self.SCHEMA)
        require(parameters, "RoleArn", "RoleSessionName")
        role, seconds = _role(parameters)
        return Prepared(
            partial(_issue, self._keys, request.key.account, role, int(request.arrived) + seconds)
        )


class AssumeRoleWithWebIdentity:
    """Issue a temporary pair of keys of a role to the holder of the token of its service account.

    :param keys: where the pair is added.
    :param identities: the service accounts that are known.
    """

    SCHEMA: Final = {
        "ProviderId": str,
        "WebIdentityToken": str,
        "RoleArn": str,
        "RoleSessionName": str,
        "DurationSeconds": int,
    }

    def __init__(self, keys: KeyRing, identities: Iterable[WebIdentity]) -> None:
        self._keys = keys
        self._identities = tuple(identities)

    async def prepare(self, request: Request) -> Prepared:
        """Check the token, the role and the duration."""
        parameters = request.parameters(self.SCHEMA)
        require(parameters, "ProviderId", "WebIdentityToken", "RoleArn", "RoleSessionName")
        role, seconds = _role(parameters)
        given = (parameters["ProviderId"], parameters["WebIdentityToken"])
        identity = next((each for each in self._identities if (each.provider_id, each.token) == given), None)
        if identity is None:
            raise ApiError("InvalidParameter.WebIdentityTokenError", "The token is not one of the provider.")
        return Prepared(partial(_issue, self._keys, identity.account, role, int(request.arrived) + seconds))


def _role(parameters: Mapping[str, Any]) -> tuple[str, int]:
    """Return the role and session that were asked for, and for how many seconds."""
    if not _ROLE_ARN.fullmatch(parameters["RoleArn"]):
        raise ApiError(
            "InvalidParameter.ParamError",
            "The parameter `RoleArn` is not of the form qcs::cam::uin/ACCOUNT:roleName/NAME.",
        )
    seconds = parameters.get("DurationSeconds", DEFAULT_SECONDS)
    if not 1 <= seconds <= MAX_SECONDS:
        raise ApiError(
            "InvalidParameter.OverTimeError", f"`DurationSeconds` must be from 1 to {MAX_SECONDS}."
        )
    role_id = zlib.crc32(parameters["RoleArn"].encode())
    return f"{role_id}:{parameters['RoleSessionName']}", seconds


async def _issue(keys: KeyRing, account: str, role: str, expires_at: int) -> dict[str, Any]:
    pair = keys.issue(account, role, expires_at)
    return {
        "Credentials": {
            "Token": pair.token,
            "TmpSecretId": pair.secret_id,
            "TmpSecretKey": pair.secret_key,
        },
        "ExpiredTime": expires_at,
        "Expiration": datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
