"""Servers whose connections say more than host and password."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.tls_files import TlsFiles
from tests.support.tls_front import TlsFront, tls_in_front


@pytest.fixture(scope="session")
def tls_front(postgres: EmbeddedPostgres, tls_files: TlsFiles) -> Iterator[TlsFront]:
    """TLS in front of the PostgreSQL server."""
    with tls_in_front(postgres.port, tls_files) as front:
        yield front
