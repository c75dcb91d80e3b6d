"""How images are fetched and converted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from airflow_provider_permitocr.options.readable import Readable, is_template
from airflow_provider_permitocr.options.validation import check, flag, listed, number, optional, text, whole

#: What is much longer, or infinite, overflows in the operating system's timers.
DAY_SECONDS: Final = 86_400
#: A path, or a prefix of a store's URLs: at least its bucket.
_ROOT: Final = re.compile(r"/|file:///|(?!https?:|file:)[a-z][a-z0-9+.-]*://[^/]", re.IGNORECASE)
_HOST: Final = re.compile(r"[^\s/\\@?#%*,]+")


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageAccess(Readable):
    """How images are fetched and converted.

    :param fetch_images: the worker downloads http(s) URLs, for networks that the API cannot reach; otherwise
        the API gets the URL.
    :param fetch_hosts: the only hosts to download from, redirects included, and the only ones in URLs that
        the API gets. Names or addresses; a leading dot means all hosts below a domain, but not the domain
        itself. Only named hosts may have private addresses. None: any public host.
    :param fetch_seconds: longest time for one download, redirects included; a day at most.
    :param roots: the only directories and URL prefixes of object stores to read images from, such as
        ``/data/permits``, ``s3://scans/permits`` or ``s3://conn_id@scans``. Links are followed, and their
        targets must be below a root. A URL may name a connection only if its root names the same. None:
        anywhere that the worker and its connections may read, with a warning; an empty list: nowhere.
    :param storage_conn_id: Airflow connection for files and objects; by default the store's own, such as
        ``aws_default``. A connection in a URL, as in ``s3://conn_id@bucket/key``, takes precedence.
    :param presign_cos: the API gets a presigned URL for ``cos://`` images, so that no image bytes pass
        through the worker.
    :param presign_seconds: how long such a URL is valid.
    :param shrink_oversized: images over the site's limit are re-encoded until they fit (extra ``images``);
        otherwise they are rejected.
    :param max_original_bytes: largest image that is read at all, to be converted or shrunk.
    :raises ValueError: naming the option.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("storage_conn_id",)

    fetch_images: bool = False
    fetch_hosts: tuple[str, ...] | None = None
    fetch_seconds: float = 30.0
    roots: tuple[str, ...] | None = None
    storage_conn_id: str | None = None
    presign_cos: bool = False
    presign_seconds: int = 300
    shrink_oversized: bool = False
    max_original_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        check(
            self,
            fetch_images=flag(),
            fetch_hosts=optional(listed("hosts")),
            fetch_seconds=number(above=0, most=DAY_SECONDS, unit="seconds"),
            roots=optional(listed("directories and URLs")),
            storage_conn_id=optional(text()),
            presign_cos=flag(),
            presign_seconds=whole(1),
            shrink_oversized=flag(),
            max_original_bytes=whole(1),
        )
        if self.fetch_hosts is not None:
            _check_hosts(self.fetch_hosts)
        for each in self.roots or ():
            _check_root(each)


def _check_root(root: object) -> None:
    if not isinstance(root, str) or not _ROOT.match(root) or is_template(root) or _leads_up(root):
        raise ValueError(
            "ImageAccess: roots must hold absolute directories such as '/data/permits' or URLs such as"
            f" 's3://scans/permits', without templates, '..' and NUL, not {root!r}; put hosts in fetch_hosts"
        )


def _leads_up(root: str) -> bool:
    return "\0" in root or ".." in root.split("/")


def _check_hosts(hosts: tuple[str, ...]) -> None:
    if not hosts:
        raise ValueError("ImageAccess: fetch_hosts is empty; leave it out to allow any public host")
    for each in hosts:
        # One colon is a port's, more are an IPv6 address's.
        if not isinstance(each, str) or not _HOST.fullmatch(each) or each.count(":") == 1 or "]:" in each:
            raise ValueError(
                "ImageAccess: fetch_hosts must hold hosts such as 'images.example.com', '.example.com' or"
                f" '10.0.0.7', without scheme, port, path or wildcards, not {each!r}"
            )
