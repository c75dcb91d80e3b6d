"""Which drivers of databases there are to test with."""

from __future__ import annotations

from typing import Final

import pytest
from airflow.providers.postgres.hooks import postgres

KNOWS_PSYCOPG: Final[bool] = getattr(postgres, "USE_PSYCOPG3", False)
needs_psycopg: Final = pytest.mark.skipif(
    not KNOWS_PSYCOPG, reason="Airflow's hook knows psycopg 3 from 6.4 on"
)
#: The newest that Airflow's hook connects through here.
OF_HOOK: Final = "psycopg" if KNOWS_PSYCOPG else "psycopg2"
PSYCOPG: Final = pytest.param("postgresql+psycopg", marks=needs_psycopg)
PSYCOPG2: Final = "postgresql+psycopg2"
