"""The pool of connections to a host: which proxy they go through, and whose certificates they trust.

What the environment says of that is read by requests, by its well-known rules; calls then go through its
own urllib3, as requests would spend more on each of them than all the rest takes.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.timed_connection import timed

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool, PoolManager

#: Connections kept for reuse; more calls at once than this work too, on connections of their own.
_KEPT: Final = 256


def open_pool(options: ClientOptions) -> tuple[HTTPConnectionPool, str]:
    """Make a pool of timed connections; nothing is connected yet.

    Proxy and certificate authorities are the connection's own, or else those of the environment as it is
    now (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE`` ...).

    :return: the pool, and the target that a request has to name: a proxy that forwards plain HTTP needs
        the whole URL.
    :raises ConfigurationError: when the proxy or the certificate authorities cannot be used.
    """
    url = f"{options.protocol}://{options.host}/"
    proxy, authorities = proxy_and_authorities(options, url)
    uses_tls = "https" in (options.protocol, proxy.partition("://")[0].lower())
    # Made once: reading the authorities takes longer than a call, and each connection would do it.
    context = _tls_context(authorities) if uses_tls else None
    pool = _manager(proxy, context).connection_from_url(url)
    pool.ConnectionCls = timed(pool.ConnectionCls)
    is_forwarded = pool.proxy is not None and options.protocol == "http"
    return pool, url if is_forwarded else "/"


def proxy_and_authorities(options: ClientOptions, url: str) -> tuple[str, str]:
    """Look up what requests would use for this URL.

    :return: the proxy's URL, '' for none, and the path of the certificate authorities.
    """
    import requests

    own = {"http": options.proxy, "https": options.proxy} if options.proxy else {}
    with requests.Session() as session:
        settings = session.merge_environment_settings(
            url, proxies=own, stream=None, verify=options.ca_bundle or True, cert=None
        )
    proxy = requests.utils.select_proxy(url, settings["proxies"]) or ""
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    verify = settings["verify"]
    return proxy, requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else verify


def _tls_context(authorities: str) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

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


def _manager(proxy: str, context: ssl.SSLContext | None) -> PoolManager:
    from requests.adapters import HTTPAdapter
    from urllib3 import PoolManager
    from urllib3.exceptions import HTTPError

    if not proxy:
        return PoolManager(num_pools=1, maxsize=_KEPT, ssl_context=context)
    settings: dict[str, Any] = {"ssl_context": context}
    if not proxy.lower().startswith("socks"):
        settings["proxy_ssl_context"] = context
    try:
        if not urlsplit(proxy).hostname:
            raise ValueError("no host")
        manager: PoolManager = HTTPAdapter(1, _KEPT).proxy_manager_for(proxy, **settings)
    except (HTTPError, ValueError) as error:
        # Without the URL and without the error's words, which may quote it: it may hold a password.
        raise ConfigurationError(
            f"the proxy of the connection or of the environment cannot be used ({type(error).__name__}); give"
            " it as http://user:password@host:port, or install PySocks for socks5://"
        ) from None
    return manager
