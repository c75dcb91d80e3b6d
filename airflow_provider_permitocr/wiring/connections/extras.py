"""The extra of a connection of type ``tencentcloud``: its names, and how values are read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

#: All keys that are read. A test keeps those of the form (``get_provider_info``) equal.
KNOWN_EXTRAS: Final = frozenset(
    {
        *(
            "credentials",
            "token",
            "cvm_role_name",
            "role_arn",
            "role_session_name",
            "role_seconds",
            "account",
        ),
        *("requests_per_slot", "price_per_call", "currency", "region", "cos_endpoint"),
        *("connect_timeout", "read_timeout", "call_timeout", "proxy", "ca_bundle", "allow_endpoint"),
    }
)


#: Values with a field of their own, by the names that other tools use.
_FIELDS: Final = {
    "site": "Site (schema)",
    "endpoint": "Endpoint (host)",
    "host": "Endpoint (host)",
    "protocol": "Endpoint (host), as in http://127.0.0.1:8520",
    "secret_id": "SecretId (login)",
    "secret_key": "SecretKey (password)",
}


def check_names(extra: Mapping[str, Any]) -> None:
    """Refuse a name that is nearly one of ours: it would be ignored silently.

    :raises ValueError: naming both.
    """
    for name in unknown_extras(extra):
        if field := _FIELDS.get(name.lower()):
            raise ValueError(f"its {name} belongs into the field {field}, not into the extra")
        close = difflib.get_close_matches(name.lower(), sorted(KNOWN_EXTRAS), n=1, cutoff=0.75)
        if close:
            raise ValueError(f"its extra has {name!r}, which is not a known key; did you mean {close[0]!r}?")


def unknown_extras(extra: Mapping[str, Any]) -> list[str]:
    """Return the names that nothing reads."""
    return sorted(name for name in extra if name not in KNOWN_EXTRAS)


def text(extra: Mapping[str, Any], name: str) -> str:
    """Read a text; '' if it is missing.

    :raises ValueError: naming it, when it is a list or an object. Its value may be secret and is omitted.
    """
    value = extra.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{name} must be a text, not a {type(value).__name__}")
    return str(value).strip()


def number(extra: Mapping[str, Any], name: str, default: float) -> float:
    """Read a number.

    :raises ValueError: naming it, when it is not a number.
    """
    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, not {value!r}") from None
