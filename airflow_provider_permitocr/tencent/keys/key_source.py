"""From a connection's credentials to the source of keys that calls are signed with."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.keys.credentials import (
    ConnectionKeys,
    IssuedKeys,
    Keys,
    KeySource,
    TemporaryKeys,
    assumed,
)
from airflow_provider_permitocr.tencent.keys.environment import environment_keys, tke_web_identity
from airflow_provider_permitocr.tencent.keys.instance_role import instance_role_keys
from airflow_provider_permitocr.tencent.keys.sts import assume_role, assume_role_with_web_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, CredentialKind


def key_source(
    options: ClientOptions,
    look_up: Callable[[], Keys] | None = None,
    *,
    mask: Callable[[Keys], object] = lambda _keys: None,
    clock: Callable[[], float] = time.monotonic,
) -> KeySource:
    """Return the source of a call's keys, without requesting any yet.

    :param look_up: reads the connection's keys again, which may have been replaced; None: they don't change.
    :param mask: gets keys that are not the connection's own before they are used.
    :param clock: seconds from any starting point.
    :raises ConfigurationError: when the environment lacks what the connection requires.
    """

    def renewed(issue: Callable[[], IssuedKeys]) -> KeySource:
        return TemporaryKeys(issue, mask=mask, clock=clock)

    if options.credentials is CredentialKind.TKE_OIDC:
        return renewed(_web_identity_keys(options))
    base = _base(options, look_up, mask, renewed)
    if options.role is None:
        return base
    return renewed(partial(assumed, base, partial(assume_role, options, options.role)))


def _base(
    options: ClientOptions,
    look_up: Callable[[], Keys] | None,
    mask: Callable[[Keys], object],
    renewed: Callable[[Callable[[], IssuedKeys]], KeySource],
) -> KeySource:
    if options.credentials is CredentialKind.CVM_ROLE:
        return renewed(partial(instance_role_keys, options))
    if options.credentials is CredentialKind.KEYS:
        return ConnectionKeys(options.keys, look_up)

    def read() -> Keys:
        keys = environment_keys()
        mask(keys)
        return keys

    return ConnectionKeys(read(), read)


def _web_identity_keys(options: ClientOptions) -> Callable[[], IssuedKeys]:
    identity = tke_web_identity()
    if options.role is None:
        raise ConfigurationError(
            "credentials is tke_oidc, but TKE_ROLE_ARN is not set; bind a role to the pod's service account,"
            " or name it in role_arn"
        )
    return partial(assume_role_with_web_identity, options, options.role, identity)
