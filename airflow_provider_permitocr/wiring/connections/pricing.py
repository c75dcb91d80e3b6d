"""The price of a call, as a connection of type ``tencentcloud`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.budget import Budget

if TYPE_CHECKING:
    from airflow.sdk import Connection


def priced(budget: Budget, connection: Connection) -> Budget:
    """Return a budget with the connection's price and currency, each where it has none of its own.

    :raises ConfigurationError: when a field of the connection is wrong.
    """
    price, currency = (connection.extra_dejson.get(name) for name in ("price_per_call", "currency"))
    try:
        return budget.priced(None if price in (None, "") else price, currency or None)
    except ValueError as error:
        message = str(error).removeprefix(f"{Budget.__name__}: ")
        raise ConfigurationError(f"connection {connection.conn_id!r}: {message}") from None
