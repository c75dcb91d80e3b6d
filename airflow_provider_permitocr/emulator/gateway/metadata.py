"""The metadata service of a CVM instance: keys of the role that is bound to it.

Plain HTTP, unsigned, on the paths and in the form that the SDK's ``CVMRoleCredential`` reads.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from airflow_provider_permitocr.emulator.gateway.gateway import Clock
from airflow_provider_permitocr.emulator.gateway.keys import KeyRing
from airflow_provider_permitocr.emulator.options import KeyPair

ROLES_PATH: Final = "/latest/meta-data/cam/security-credentials/"
#: Fraction of a key pair's lifetime after which a new pair is issued; no source was found for it.
_KEPT: Final = 0.5


class Metadata:
    """Answer as the instance's metadata service would.

    :param keys: where issued key pairs are added.
    :param role: the role bound to the instance; None: there is none.
    :param account: the instance's account.
    :param seconds: how long a pair is valid.
    :param clock: Unix time in seconds.
    """

    def __init__(self, keys: KeyRing, role: str | None, account: str, seconds: int, clock: Clock) -> None:
        self._keys = keys
        self._role = role
        self._account = account
        self._seconds = seconds
        self._clock = clock
        self._pair: KeyPair | None = None

    async def roles(self, _http: web.Request) -> web.Response:
        """Answer the name of the role."""
        if self._role is None:
            raise web.HTTPNotFound
        return web.Response(text=self._role)

    async def credentials(self, http: web.Request) -> web.Response:
        """Answer keys of the role: the same ones, until half of their time is over."""
        if self._role is None or http.match_info["role"] != self._role:
            raise web.HTTPNotFound
        pair = self._current(self._role)
        ends_at = int(pair.expires_at or 0)
        described = {
            "TmpSecretId": pair.secret_id,
            "TmpSecretKey": pair.secret_key,
            "ExpiredTime": ends_at,
            "Expiration": datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Token": pair.token,
            "Code": "Success",
        }
        return web.Response(text=json.dumps(described))  # as text/plain, like all metadata

    def _current(self, role: str) -> KeyPair:
        now = self._clock()
        if self._pair is None or (self._pair.expires_at or 0) - now <= self._seconds * _KEPT:
            self._pair = self._keys.issue(self._account, f"{role}:instance", int(now) + self._seconds)
        return self._pair
