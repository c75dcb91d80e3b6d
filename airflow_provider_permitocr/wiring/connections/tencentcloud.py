"""An Airflow connection of type ``tencentcloud`` as the client's options."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.cos import check_cos_place, foreign_cos_endpoint
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.keys.environment import tke_role_arn
from airflow_provider_permitocr.tencent.options import ClientOptions, CredentialKind, Role
from airflow_provider_permitocr.wiring.connections.extras import check_names, number, text

CONNECTION_TYPE: Final = "tencentcloud"
DEFAULT_CONN_ID: Final = "tencentcloud_default"
#: Held while a connection is looked up: Airflow 3.2.0 reads answers outside of its lock, and mixes up those
#: of two threads of a task (apache/airflow #64894). Remove it once setup.cfg requires Airflow 3.2.1; caches
#: of clients that also use it then need a lock of their own.
LOOKUP: Final = threading.RLock()
_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_provider_permitocr.tencent.keys.credentials import Keys, KeySource


def look_up(conn_id: str) -> Connection | None:
    """Look up a connection of any type, from any thread; None if there is none with this id."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        with LOOKUP:
            connection: Connection = Connection.get(conn_id)
    except AirflowNotFoundException:
        return None
    return connection


def find_connection(conn_id: str) -> Connection:
    """Look up a connection of type ``tencentcloud``.

    :raises ConfigurationError: when there is none with this id, or it is of another type.
    """
    connection = look_up(conn_id)
    if connection is None:
        raise ConfigurationError(
            f"there is no connection {conn_id!r}; add it under Admin > Connections, type Tencent Cloud,"
            " or correct tencentcloud_conn_id. Notebooks and scripts do not see Airflow's connections: set"
            f" AIRFLOW_CONN_{conn_id.upper()} for them"
        )
    if connection.conn_type != CONNECTION_TYPE:
        raise _wrong(
            connection,
            f"it is of type {connection.conn_type!r}, not {CONNECTION_TYPE!r}; change its type, or name"
            " another in tencentcloud_conn_id",
        )
    return connection


def client_options(connection: Connection) -> ClientOptions:
    """Read the fields of a connection.

    :raises ConfigurationError: naming the field to change.
    """
    extra = connection.extra_dejson
    site = (connection.schema or "intl").strip()
    if site not in SITES:
        raise _wrong(connection, f"Site (schema) must be one of {', '.join(SITES)}, not {site!r}")
    protocol, endpoint = _endpoint(connection)
    try:
        check_names(extra)
        kind = _credentials(extra)
        options = ClientOptions(
            secret_id=connection.login or "",
            secret_key=connection.password or "",
            token=extra.get("token") or None,
            site=SITES[site],
            endpoint=endpoint,
            protocol=protocol,
            region=extra.get("region") or "",
            connect_timeout=number(extra, "connect_timeout", 5.0),
            read_timeout=number(extra, "read_timeout", 60.0),
            call_timeout=number(extra, "call_timeout", 120.0),
            proxy=extra.get("proxy") or None,
            ca_bundle=extra.get("ca_bundle") or None,
            role=_role(extra, kind),
            credentials=kind,
            cvm_role_name=text(extra, "cvm_role_name") or None,
            allowed=_allowed_endpoints(text(extra, "allow_endpoint")),
        )
        if store := extra.get("cos_endpoint"):
            check_cos_place(options, store)
        return options
    except ValueError as error:
        raise _wrong(connection, str(error)) from None


def connection_keys(conn_id: str, options: ClientOptions) -> KeySource:
    """Return where calls get their keys; they are read again once the service refuses them.

    :param options: parsed from the connection.
    :raises ConfigurationError: when the environment lacks what the connection requires.
    """
    from airflow_provider_permitocr.tencent.keys.key_source import key_source

    def look_up() -> Keys:
        return client_options(find_connection(conn_id)).keys

    try:
        return key_source(options, look_up, mask=_keep_out_of_logs)
    except ConfigurationError as error:
        raise ConfigurationError(f"connection {conn_id!r}: {error}") from None


def given_account(connection: Connection) -> str | None:
    """Return the account's id, if the connection contains it."""
    return str(connection.extra_dejson.get("account") or "").strip() or None


def cos_connection(conn_id: str) -> tuple[ClientOptions, str | None]:
    """Look up the connection of an object store (COS).

    :return: the account, with the ``region`` of its buckets, and the endpoint that replaces it, if any.
    :raises ConfigurationError: naming the connection, and the field to change.
    """
    connection = find_connection(conn_id)
    options = client_options(connection)
    if options.role or options.credentials is not CredentialKind.KEYS:
        raise _wrong(
            connection,
            "its keys are temporary, and only for calls of the API; for cos:// images name a"
            " connection that has a SecretId and no role_arn, ImageAccess(storage_conn_id=...)",
        )
    endpoint = connection.extra_dejson.get("cos_endpoint") or None
    try:
        check_cos_place(options, endpoint)
    except ValueError as error:
        raise _wrong(connection, str(error)) from None
    warn_of_endpoint(conn_id, foreign_cos_endpoint(endpoint))
    return options, endpoint


def foreign_hosts(connection: Connection, options: ClientOptions) -> list[str]:
    """Return where a connection sends images, other than Tencent Cloud and this machine."""
    hosts = (options.foreign_endpoint, foreign_cos_endpoint(connection.extra_dejson.get("cos_endpoint")))
    return [host for host in hosts if host]


def warn_of_endpoint(conn_id: str, endpoint: str | None) -> None:
    """Log where images go, unless that is Tencent Cloud or this machine."""
    if endpoint:
        _log.warning("%s", foreign_words(conn_id, endpoint))


def foreign_words(conn_id: str, endpoint: str) -> str:
    """Warn that a connection sends images to a host other than Tencent Cloud's."""
    return (
        f"connection {conn_id!r}: images and signatures go to {endpoint}, which is not Tencent Cloud's TLS"
        " endpoint; the connection's allow_endpoint allows that"
    )


def requests_per_slot(connection: Connection) -> float:
    """Return how many requests per second one pool slot allows.

    :raises ConfigurationError: when it is not above 0.
    """
    try:
        per_slot = number(connection.extra_dejson, "requests_per_slot", 1.0)
    except ValueError as error:
        raise _wrong(connection, str(error)) from None
    if not per_slot > 0:
        raise _wrong(connection, f"requests_per_slot must be above 0, not {per_slot!r}")
    return per_slot


def _endpoint(connection: Connection) -> tuple[str, str | None]:
    """Return the protocol and the host of a connection, which may be written ``http://host:port``."""
    before, separator, after = (connection.host or "").strip().rpartition("://")
    endpoint = after.removesuffix("/") or None
    if endpoint and connection.port and ":" not in endpoint:
        endpoint = f"{endpoint}:{connection.port}"
    return before.lower() if separator else "https", endpoint


def _credentials(extra: Mapping[str, Any]) -> CredentialKind:
    said = text(extra, "credentials") or CredentialKind.KEYS
    try:
        return CredentialKind(said)
    except ValueError:
        raise ValueError(f"credentials must be one of {', '.join(CredentialKind)}, not {said!r}") from None


def _role(extra: Mapping[str, Any], kind: CredentialKind) -> Role | None:
    arn = text(extra, "role_arn")
    if kind is CredentialKind.TKE_OIDC:
        arn = arn or tke_role_arn()
    elif not arn:
        for name in ("role_session_name", "role_seconds"):
            if extra.get(name):
                raise ValueError(f"{name} is of a role; fill in role_arn, or leave it empty")
    if not arn:
        return None
    seconds = number(extra, "role_seconds", float(Role.seconds))
    if not seconds.is_integer():
        raise ValueError(f"role_seconds must be a whole number, not {seconds!r}")
    return Role(arn, text(extra, "role_session_name") or Role.session_name, int(seconds))


def _allowed_endpoints(named: str) -> AllowedEndpoints:
    from airflow.sdk import conf

    listed: str | None = conf.get("permitocr", "allowed_endpoints", fallback=None)
    emulator_only: bool = conf.getboolean("permitocr", "emulator_only", fallback=False)
    return AllowedEndpoints.read(named, listed, emulator_only=emulator_only)


def _keep_out_of_logs(keys: Keys) -> None:
    from airflow.sdk.log import mask_secret

    with LOOKUP:  # masking also talks to the supervisor, over the same connection
        mask_secret(keys.secret_key)
        mask_secret(keys.token)


def _wrong(connection: Connection, message: str) -> ConfigurationError:
    return ConfigurationError(f"connection {connection.conn_id!r}: {message}")
