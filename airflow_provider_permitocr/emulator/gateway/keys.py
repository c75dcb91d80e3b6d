"""The key pairs that calls may be signed with, permanent and temporary."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.options import KeyPair


class KeyRing:
    """All key pairs that the emulator knows.

    :param pairs: the ones it was started with.
    """

    def __init__(self, pairs: Iterable[KeyPair]) -> None:
        self._pairs = {pair.secret_id: pair for pair in pairs}

    def find(self, secret_id: str, token: str | None, now: float) -> KeyPair:
        """Return the key pair of `secret_id`, if `token` belongs to it and it has not expired.

        :param now: Unix time in seconds.
        :raises ApiError: ``AuthFailure.SecretIdNotFound`` or ``AuthFailure.TokenFailure``.
        """
        pair = self._pairs.get(secret_id)
        if pair is None:
            raise ApiError(
                "AuthFailure.SecretIdNotFound",
                "The SecretId is not found, please ensure that your SecretId is correct.",
            )
        if not hmac.compare_digest((pair.token or "").encode(), (token or "").encode()):
            raise ApiError("AuthFailure.TokenFailure", "The token does not go with this SecretId.")
        if pair.expires_at is not None and now >= pair.expires_at:
            raise ApiError("AuthFailure.TokenFailure", "The token has expired.")
        return pair

    def issue(self, account: str, role: str, expires_at: float) -> KeyPair:
        """Make a temporary pair of `account`.

        :param role: ``roleId:roleSessionName``.
        :param expires_at: Unix time in seconds until which it is valid.
        """
        pair = KeyPair(
            f"AKID{secrets.token_hex(16)}",
            secrets.token_hex(16),
            token=secrets.token_urlsafe(48),
            account=account,
            expires_at=expires_at,
            role=role,
        )
        self._pairs[pair.secret_id] = pair
        return pair
