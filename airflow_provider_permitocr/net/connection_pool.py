"""Connection pools, with their proxy and trusted certificate authorities.

requests reads these from the environment by its well-known rules; calls then use urllib3 directly, because
requests would add more overhead per call than everything else together.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.net.timed_connection import timed

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool, PoolManager

#: Derives the class of connections to use from urllib3's own: plain, TLS or SOCKS.
DeriveConnection: TypeAlias = Callable[[type[Any]], type[Any]]

#: Connections kept for reuse; further concurrent calls use extra connections.
_KEPT: Final = 256


def open_pool(
    url: str, *, proxy: str | None = None, ca_bundle: str | None = None
) -> tuple[HTTPConnectionPool, str]:
    """Make a pool of timed connections to one host; nothing is connected yet.

    :param url: of the host's root, with a trailing slash.
    :param proxy: URL of the proxy; by default from the current environment (``HTTPS_PROXY``,
        ``NO_PROXY`` ...).
    :param ca_bundle: file or directory of the certificate authorities; by default from the environment
        (``REQUESTS_CA_BUNDLE`` ...).
    :return: the pool, and the request target to send: a proxy that forwards plain HTTP needs the whole
        URL.
    :raises ConfigurationError: when the proxy or the certificate authorities cannot be used.
    """
    proxy, authorities = proxy_and_authorities(url, proxy=proxy, ca_bundle=ca_bundle)
    uses_tls = "https" in (urlsplit(url).scheme, proxy.partition("://")[0].lower())
    context = tls_context(authorities) if uses_tls else None
    pool = pool_manager(proxy, context, hosts=1, kept=_KEPT).connection_from_url(url)
    return pool, url if is_forwarded(pool, urlsplit(url).scheme) else "/"


def proxy_and_authorities(
    url: str, *, proxy: str | None = None, ca_bundle: str | None = None
) -> tuple[str, str]:
    """Return what requests would use for this URL.

    :param proxy: overrides the environment's, including ``NO_PROXY``.
    :param ca_bundle: overrides the environment's.
    :return: the proxy's URL, '' for none, and the path of the certificate authorities.
    """
    import requests

    own = {"http": proxy, "https": proxy} if proxy else {}
    with requests.Session() as session:
        settings = session.merge_environment_settings(
            url, proxies=own, stream=None, verify=ca_bundle or True, cert=None
        )
    chosen = requests.utils.select_proxy(url, settings["proxies"]) or ""
    if chosen and "://" not in chosen:
        chosen = f"http://{chosen}"
    verify = settings["verify"]
    return chosen, requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else verify


def tls_context(authorities: str) -> ssl.SSLContext:
    """Make a context that trusts these authorities.

    Make it once: reading them takes longer than a call, and each connection would do it.

    :param authorities: path of a file or a directory.
    :raises ConfigurationError: when they cannot be read.
    """
    from urllib3.util import create_urllib3_context

    context = create_urllib3_context()
    path = Path(authorities)
    try:
        context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": authorities})
    except OSError as error:
        raise ConfigurationError(
            f"the certificate authorities in {authorities!r} cannot be read ({error.strerror or error});"
            " correct the connection's ca_bundle, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
        ) from None
    return context


def pool_manager(
    proxy: str, context: ssl.SSLContext | None, *, hosts: int, kept: int, derive: DeriveConnection = timed
) -> PoolManager:
    """Make a pool manager whose connections are timed, or of a derived class.

    :param proxy: URL of the proxy for all connections, '' for none.
    :param hosts: number of hosts, by scheme and port, whose connections are kept.
    :param kept: connections kept for each of them.
    :raises ConfigurationError: when the proxy is unusable.
    """
    manager = _manager(proxy, context, hosts, kept)
    pools: dict[str, Any] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": derive(pool.ConnectionCls)})
        for scheme, pool in pools.items()
    }
    return manager


def is_forwarded(pool: HTTPConnectionPool, scheme: str) -> bool:
    """Return whether a proxy forwards the requests, which then have to name the whole URL."""
    return pool.proxy is not None and scheme == "http"


def _manager(proxy: str, context: ssl.SSLContext | None, hosts: int, kept: int) -> PoolManager:
    from requests.adapters import HTTPAdapter
    from urllib3 import PoolManager
    from urllib3.exceptions import HTTPError

    if not proxy:
        return PoolManager(num_pools=hosts, maxsize=kept, ssl_context=context)
    settings: dict[str, Any] = {"ssl_context": context}
    if not proxy.lower().startswith("socks"):
        settings["proxy_ssl_context"] = context
    try:
        if not urlsplit(proxy).hostname:
            raise ValueError("no host")
        manager: PoolManager = HTTPAdapter(hosts, kept).proxy_manager_for(proxy, **settings)
    except (HTTPError, ValueError) as error:
        # Without the URL and without the error's words, which may quote it: it may hold a password.
        raise ConfigurationError(
            f"the proxy of the connection or of the environment cannot be used ({type(error).__name__}); give"
            " it as http://user:password@host:port, or install PySocks for socks5://"
        ) from None
    return manager
