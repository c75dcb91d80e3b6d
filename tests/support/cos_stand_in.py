"""A small server that keeps objects as COS does, and lets in only who signed as COS's documentation tells.

Written from https://cloud.tencent.com/document/product/436/7778 (request signatures), without the SDK's code.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DOMAIN = "cos.test"


@dataclass
class SeenRequest:
    """What a request to the server looked like, and how it was answered."""

    method: str
    path: str
    user_agent: str
    range: str | None
    presigned: bool
    status: int = 0
    sent: int = 0


class RefusedError(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Keys:
    """A key pair; with a token, a temporary one. It may read these buckets alone."""

    secret_key: str
    token: str | None = None
    buckets: tuple[str, ...] | None = None


class CosStandIn(ThreadingHTTPServer):
    """Serves ``<bucket>.cos.test``, whose name has to be made to lead here."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clock = clock
        self.objects: dict[tuple[str, str], bytes] = {}
        self.keys: dict[str, Keys] = {}
        self.seen: list[SeenRequest] = []
        #: Answers the next so many requests with 503 SlowDown.
        self.slow_down = 0

    @property
    def endpoint(self) -> str:
        return f"http://{DOMAIN}:{self.server_port}"


@dataclass
class Signed:
    """A request and its signature, from the header ``Authorization`` or from the URL."""

    parts: dict[str, str]
    headers: dict[str, str]
    params: dict[str, str]
    method: str
    path: str
    token: str | None = field(repr=False, default=None)

    def check(self, keys: dict[str, Keys], bucket: str, now: float) -> None:
        pair = keys.get(self.parts.get("q-ak", ""))
        if self.parts.get("q-sign-algorithm") != "sha1" or pair is None:
            raise RefusedError(403, "InvalidAccessKeyId")
        if self.token != pair.token:
            raise RefusedError(403, "InvalidToken")
        start, _, end = self.parts["q-sign-time"].partition(";")
        if not int(start) <= now <= int(end):
            raise RefusedError(403, "RequestTimeTooSkewed" if now < int(start) else "AccessDenied")
        if not hmac.compare_digest(self._signature(pair.secret_key), self.parts["q-signature"]):
            raise RefusedError(403, "SignatureDoesNotMatch")
        if pair.buckets is not None and bucket not in pair.buckets:
            raise RefusedError(403, "AccessDenied")

    def _signature(self, secret_key: str) -> str:
        lines = (
            self.method.lower(),
            self.path,
            _listed(self.parts["q-url-param-list"], self.params),
            _listed(self.parts["q-header-list"], self.headers),
        )
        http_string = "".join(f"{line}\n" for line in lines)
        digest = hashlib.sha1(http_string.encode()).hexdigest()
        sign_key = _hmac(secret_key, self.parts["q-key-time"])
        return _hmac(sign_key, f"sha1\n{self.parts['q-sign-time']}\n{digest}\n")


def _hmac(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha1).hexdigest()


def _listed(names: str, values: dict[str, str]) -> str:
    wanted = names.split(";") if names else []
    if wanted != sorted(wanted) or any(name not in values for name in wanted):
        raise RefusedError(403, "SignatureDoesNotMatch")
    return "&".join(f"{name}={quote(values[name], safe='')}" for name in wanted)


def _lower(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {quote(name, safe="").lower(): value for name, value in pairs}


class _Handler(BaseHTTPRequestHandler):
    server: CosStandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(self._object)

    def do_HEAD(self) -> None:
        self._answer(self._object)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))

        def put(bucket: str, key: str) -> tuple[int, bytes, dict[str, str]]:
            self.server.objects[bucket, key] = content
            return 200, b"", {}

        self._answer(put)

    def _answer(self, handle: Callable[[str, str], tuple[int, bytes, dict[str, str]]]) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        seen = SeenRequest(
            self.command,
            unquote(parts.path),
            self.headers.get("User-Agent", ""),
            self.headers.get("Range"),
            "q-signature" in query,
        )
        self.server.seen.append(seen)
        host = self.headers["Host"].partition(":")[0]
        bucket = host.removesuffix(f".{DOMAIN}")
        try:
            if self.server.slow_down:
                self.server.slow_down -= 1
                raise RefusedError(503, "SlowDown")
            self._signed(query, seen.path, host).check(self.server.keys, bucket, self.server.clock())
            status, body, headers = handle(bucket, seen.path[1:])
        except RefusedError as refused:
            status, headers = refused.status, {"Content-Type": "application/xml"}
            body = (
                f"<?xml version='1.0' encoding='utf-8' ?><Error><Code>{refused.code}</Code>"
                f"<Message>Refused.</Message><Resource>{host}{quote(seen.path)}</Resource>"
                "<RequestId>r</RequestId><TraceId>t</TraceId></Error>"
            ).encode()
        seen.status, seen.sent = status, 0 if self.command == "HEAD" else len(body)
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _signed(self, query: dict[str, str], path: str, host: str) -> Signed:
        # The documentation's "host" is that of COS, without a port; the SDK signs it without one, too.
        headers = _lower(self.headers.items()) | {"host": host}
        params = _lower(query.items())
        if "q-signature" in query:
            # In the URL, each value of the signature is encoded once more.
            parts = query
        else:
            authorization = self.headers.get("Authorization", "")
            parts = dict(part.partition("=")[::2] for part in authorization.split("&"))
        token = self.headers.get("x-cos-security-token") or query.get("x-cos-security-token")
        return Signed(parts, headers, params, self.command, path, token)

    def _object(self, bucket: str, key: str) -> tuple[int, bytes, dict[str, str]]:
        if not any(known == bucket for known, _ in self.server.objects):
            raise RefusedError(404, "NoSuchBucket")
        content = self.server.objects.get((bucket, key))
        if content is None:
            raise RefusedError(404, "NoSuchKey")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not wanted:
            return 200, content, {}
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        if first >= len(content):
            raise RefusedError(416, "InvalidRange")
        return 206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(content)}"}

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output to the tests."""
