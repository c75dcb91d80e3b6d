"""What the emulator can be asked to do: one operation per service, version and action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.parameters import Schema, from_json, from_query
from airflow_provider_permitocr.emulator.options import KeyPair

#: As it was collected: a copy of 7 MB costs more than hashing it.
Body = bytes | bytearray

#: Larger bodies are hashed and decoded in a thread: 5 MB take 10 ms, during which no other call
#: could arrive.
INLINE_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class Request:
    """A call that has passed the gateway: signed, known and within its quota.

    :param key: the pair that it was signed with.
    :param arrived: Unix time in seconds.
    :param body: the JSON, of a POST.
    :param query: the parameters, of a GET.
    """

    key: KeyPair
    arrived: float
    body: Body
    query: str | None

    def parameters(self, schema: Schema) -> dict[str, Any]:
        """Read and check the parameters.

        :raises ApiError: see `parameters.from_json`.
        """
        return from_json(self.body, schema) if self.query is None else from_query(self.query, schema)


@dataclass(frozen=True)
class Prepared:
    """A checked call, before the work: a fault may come in between.

    :param image: the SHA-256 of its image in hexadecimal, if it has one.
    :param work: does the work and returns the output fields.
    """

    work: Callable[[], Awaitable[dict[str, Any]]]
    image: str | None = None


class Operation(Protocol):
    """Serve one action."""

    async def prepare(self, request: Request) -> Prepared:
        """Check the parameters and get what the work needs.

        :raises ApiError: if the call is refused.
        """
        ...


#: service → version → action → operation.
Operations = Mapping[str, Mapping[str, Mapping[str, Operation]]]


def find_operation(operations: Operations, service: str, version: str, action: str) -> Operation:
    """Return the operation asked for.

    :raises ApiError: ``NoSuchProduct``, ``NoSuchVersion`` or ``InvalidAction``.
    """
    if service not in operations:
        raise ApiError("NoSuchProduct", "The product does not exist.")
    if version not in operations[service]:
        raise ApiError("NoSuchVersion", "The version of the API does not exist.")
    if action not in operations[service][version]:
        raise ApiError("InvalidAction", "The action does not exist in this version of the API.")
    return operations[service][version][action]
