"""Read an action's parameters from a request and check their names and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from airflow_provider_permitocr.emulator.errors import ApiError

Schema = Mapping[str, type]

_TYPE_NAMES: Final = {str: "String", bool: "Boolean", int: "Integer", list: "Array"}


def from_json(body: bytes | bytearray, schema: Schema) -> dict[str, Any]:
    """Return the parameters in a JSON body; null counts as missing.

    :raises ApiError: ``InvalidParameter`` if the body is not a JSON object or a value has the wrong
        type, ``UnknownParameter`` if `schema` does not contain a name.
    """
    try:
        parameters = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ApiError("InvalidParameter", "The request body is not valid JSON.") from None
    if not isinstance(parameters, dict):
        raise ApiError("InvalidParameter", "The request body is not a JSON object.")
    return _checked({name: value for name, value in parameters.items() if value is not None}, schema)


def from_query(query: str, schema: Schema) -> dict[str, Any]:
    """Return the parameters in the query of a GET request, where everything is text.

    :raises ApiError: as `from_json`.
    """
    parameters: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    for name, text in parameters.items():
        wanted = schema.get(name)
        if wanted is bool and text.lower() in ("true", "false"):
            parameters[name] = text.lower() == "true"
        elif wanted is int and text.isascii() and text.isdigit():
            parameters[name] = int(text)
    return _checked(parameters, schema)


def require(parameters: Mapping[str, Any], *names: str) -> None:
    """Raise ``MissingParameter`` for the first of `names` that was not given, or is empty."""
    for name in names:
        if parameters.get(name) in (None, ""):
            raise missing(name)


def missing(name: str) -> ApiError:
    """Return the error for a missing parameter `name`."""
    return ApiError(
        "MissingParameter",
        f"The request is missing a required parameter `{name}`.",
        f"请求缺少必要参数 `{name}`。",
    )


def _checked(parameters: dict[str, Any], schema: Schema) -> dict[str, Any]:
    for name, value in parameters.items():
        wanted = schema.get(name)
        if wanted is None:
            raise ApiError("UnknownParameter", f"The parameter `{name[:64]}` is not recognized.")
        if type(value) is not wanted:  # a bool is an int to isinstance, not to the API
            raise ApiError(
                "InvalidParameter", f"The value type of parameter `{name}` is not {_TYPE_NAMES[wanted]}."
            )
    return parameters
