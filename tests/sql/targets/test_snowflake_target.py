"""A result table that is in Snowflake, as far as that needs no server."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.database.failures import DatabaseUnreachableError
from airflow_provider_permitocr.sql.dialects.known import connector_database_of
from airflow_provider_permitocr.sql.targets.snowflake_target import SnowflakeTarget


@pytest.mark.parametrize("fault", [RuntimeError, ValueError])
def test_a_hook_that_fails_in_mid_run_is_waited_for(fault: type[Exception]) -> None:
    """It may ask another service for a token, which may be down."""
    is_failing = False

    def connect() -> Any:
        if is_failing:
            raise fault("no token for secret-user")
        return MagicMock(is_closed=lambda: True)

    database = connector_database_of("snowflake")
    assert database is not None
    target = SnowflakeTarget(database, connect, ResultTable("permits", conn_id="lake"))
    target.connect()
    is_failing = True
    with pytest.raises(DatabaseUnreachableError, match=f"its hook failed with {fault.__name__}") as raised:
        target.connect()
    assert "secret" not in str(raised.value)
    is_failing = False
    target.connect()


def test_a_hook_that_fails_at_first_is_no_outage() -> None:
    def connect() -> Any:
        raise RuntimeError("the connection is malformed")

    database = connector_database_of("snowflake")
    assert database is not None
    target = SnowflakeTarget(database, connect, ResultTable("permits", conn_id="lake"))
    with pytest.raises(RuntimeError, match="malformed"):
        target.connect()
