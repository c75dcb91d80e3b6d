"""HTTPS with a certificate from a throw-away authority, created at every start."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trustme

from airflow_provider_permitocr.permit.api import SITES

#: Names that clients may use for the emulator, whatever its address.
NAMES: Final = (
    "localhost",
    "127.0.0.1",
    *(site.endpoint for site in SITES.values()),
    *(site.endpoint.replace("ocr.", "sts.", 1) for site in SITES.values()),
)
VALID_DAYS: Final = 30


def server_context(directory: Path, host: str) -> ssl.SSLContext:
    """Write ``ca.pem``, ``server.pem`` and ``server.key`` to `directory` and return a TLS context.

    The authority's own key is never written, so no one can sign anything else with it.

    :param directory: created if missing; files of an earlier start are replaced.
    :param host: an additional name or address for the certificate.
    :raises ValueError: if a certificate cannot be for `host`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(path_length=0, organization_name="Throw-away CA of the permit OCR emulator")
    now = datetime.now(UTC)
    certificate = authority.issue_cert(
        *dict.fromkeys([host, *NAMES]),
        organization_name="Permit OCR emulator",
        not_before=now - timedelta(hours=1),  # clocks differ
        not_after=now + timedelta(days=VALID_DAYS),
    )
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "server.pem")
    key_file = directory / "server.key"
    key_file.touch(mode=0o600)
    certificate.private_key_pem.write_to_path(key_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.pem", key_file)
    return context
