"""Certificates of a throw-away authority, for servers that speak TLS and clients that show who they are."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAYS = timedelta(days=2)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files in one directory; each certificate has its key beside it."""

    directory: Path

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    @property
    def strange_ca(self) -> str:
        return str(self.directory / "strange.pem")

    @property
    def server(self) -> tuple[Path, Path]:
        return self.directory / "server.pem", self.directory / "server.key"

    @property
    def client(self) -> tuple[str, str]:
        return str(self.directory / "client.pem"), str(self.directory / "client.key")

    @property
    def revoked(self) -> str:
        return str(self.directory / "revoked.pem")


def make_tls_files(directory: Path) -> TlsFiles:
    """Make an authority, and certificates for 127.0.0.1 and for the client ``postgres``."""
    directory.mkdir()
    key, authority = _authority("An authority")
    _write(directory / "ca", authority)
    _write(directory / "strange", _authority("A stranger")[1])
    server_key, server = _signed(key, authority, "server")
    _write(directory / "server", server, server_key)
    client_key, client = _signed(key, authority, "postgres")
    _write(directory / "client", client, client_key)
    now = datetime.now(UTC)
    revoked = (
        x509.RevokedCertificateBuilder().serial_number(server.serial_number).revocation_date(now).build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - _DAYS)
        .next_update(now + _DAYS)
        .add_revoked_certificate(revoked)
        .sign(key, hashes.SHA256())
    )
    (directory / "revoked.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
    return TlsFiles(directory)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAYS)
        .not_valid_after(now + _DAYS)
    )


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(_name(name), _name(name), key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _signed(
    authority_key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, name: str
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name(name), authority.subject, key)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return key, certificate


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey | None = None) -> None:
    path.with_suffix(".pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    if key is not None:
        key_file = path.with_suffix(".key")
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
