"""Which drivers of databases there are to test with."""

from __future__ import annotations

from typing import Final

import pytest
from airflow.providers.postgres.hooks import postgres

needs_psycopg: Final = pytest.mark.skipif(
    not getattr(postgres, "USE_PSYCOPG3", False), reason="Airflow's hook knows psycopg 3 from 6.4 on"
)
PSYCOPG: Final = pytest.param("postgresql+psycopg", marks=needs_psycopg)
PSYCOPG2: Final = "postgresql+psycopg2"
