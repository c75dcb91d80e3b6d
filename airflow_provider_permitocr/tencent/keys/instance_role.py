"""Keys of the role that is bound to a CVM instance, from the instance's metadata service.

Page: cloud.tencent.com/document/product/213/4934; answers have the same form as in the SDK's
``CVMRoleCredential``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.net.address_rules import is_this_machine
from airflow_provider_permitocr.net.body import read_body
from airflow_provider_permitocr.net.connection_pool import pool_manager, proxy_and_authorities, tls_context
from airflow_provider_permitocr.net.network_faults import NetworkError, network_errors
from airflow_provider_permitocr.net.timed_connection import TimeLimits, within
from airflow_provider_permitocr.tencent.decisions import call_error
from airflow_provider_permitocr.tencent.keys.credentials import IssuedKeys, Keys, no_keys, unasked
from airflow_provider_permitocr.tencent.options import ROLE_NAME, ClientOptions
from airflow_provider_permitocr.tencent.wire_codes import MALFORMED, network_code, status_code

_NAME: Final = "the metadata service of the CVM instance"
_SERVICE: Final = "http://metadata.tencentyun.com"
_ROLES: Final = "/latest/meta-data/cam/security-credentials/"
#: It answers from the host that the instance runs on.
_CONNECT_SECONDS: Final = 5.0
_LIMITS: Final = TimeLimits(between_bytes=5.0, whole_call=10.0)
_LONGEST_ANSWER: Final = 64 * 1024
_ELSEWHERE: Final = (
    "Only CVM instances have this service: run tasks on one, or set credentials on the connection to where"
    " the keys come from"
)
_NO_ROLE: Final = (
    "Bind a role to the instance in the console, under CVM, or correct cvm_role_name on the connection"
)


def instance_role_keys(options: ClientOptions, *, now: Callable[[], float] = time.time) -> IssuedKeys:
    """Request temporary keys of the instance's role.

    The request never goes through a proxy, whose machine may have a different role.

    :param now: Unix time in seconds.
    :raises CallError: transient when the service could not be reached; permanent, with advice, when no
        role is bound to the instance.
    """
    name = options.cvm_role_name or _role_name(options)
    answer = _ask(options, _ROLES + name)
    try:
        described: dict[str, Any] = json.loads(answer)
        if described["Code"] != "Success":
            raise no_keys(f"{_NAME} has no keys for the role", _NO_ROLE)
        keys = Keys(described["TmpSecretId"], described["TmpSecretKey"], described["Token"])
        seconds = float(described["ExpiredTime"]) - now()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _malformed(type(error).__name__) from None
    if seconds <= 0:
        raise unasked(
            CallError(MALFORMED, "the keys that it returned have expired", Decision.RETRY),
            _NAME,
            "Set this machine's clock right",
        )
    return IssuedKeys(keys, seconds)


def _role_name(options: ClientOptions) -> str:
    name = _ask(options, _ROLES).decode("utf-8", errors="replace").strip()
    if not ROLE_NAME.fullmatch(name):
        raise _malformed("no name of a role") if name else no_keys(f"{_NAME} has no role", _NO_ROLE)
    return name


def _place(options: ClientOptions) -> str:
    """Return the service's address; an emulator on this machine replaces it, too."""
    return f"{options.protocol}://{options.host}" if is_this_machine(options.host) else _SERVICE


def _ask(options: ClientOptions, path: str) -> bytes:
    from urllib3 import Timeout

    place = _place(options)
    context = None
    if place.startswith("https:"):
        _, authorities = proxy_and_authorities(place, ca_bundle=options.ca_bundle)
        context = tls_context(authorities)
    manager = pool_manager("", context, hosts=1, kept=1)
    try:
        with within(_LIMITS), network_errors():
            response = manager.connection_from_url(place).urlopen(
                "GET",
                path,
                headers={"Host": place.partition("://")[2]},
                retries=False,
                redirect=False,
                timeout=Timeout(connect=_CONNECT_SECONDS, read=_LIMITS.between_bytes),
                preload_content=False,
            )
            status, body = response.status, read_body(response, _LONGEST_ANSWER)
    except NetworkError as error:
        fault = call_error(network_code(error.fault), f"no complete response: {error}", was_sent=False)
        raise unasked(fault, _NAME, _ELSEWHERE) from None
    finally:
        manager.clear()
    if status == 404:
        raise no_keys(f"{_NAME} has no role, or not the one with this name", _NO_ROLE)
    if status != 200:
        raise unasked(call_error(status_code(status), f"HTTP status {status}", was_sent=False), _NAME)
    if len(body) > _LONGEST_ANSWER:
        raise _malformed("too long")
    return body


def _malformed(why: str) -> CallError:
    error = CallError(MALFORMED, f"its answer differs from its documentation ({why})", Decision.RETRY)
    return unasked(error, _NAME)
