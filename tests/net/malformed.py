"""Answers that are no HTTP, or not quite: each has to be a fault that may pass."""

from __future__ import annotations

import gzip
from typing import Final

_OK: Final = b"HTTP/1.1 200 OK\r\n"
_CHUNKED: Final = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_GZIP: Final = b"Content-Encoding: gzip\r\n"
_EMPTY_MEMBERS: Final = gzip.compress(b"", mtime=0) * 300_000


def _sized(body: bytes, *headers: bytes) -> bytes:
    return _OK + b"".join(headers) + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


MALFORMED: Final = {
    "negative chunk": _CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk of no number": _CHUNKED + b"five\r\nhello\r\n0\r\n\r\n",
    "chunk with an underscore": _CHUNKED + b"1_0\r\nhello\r\n0\r\n\r\n",
    "chunk beyond all": _CHUNKED + b"f" * 400 + b"\r\nhello\r\n0\r\n\r\n",
    "chunk length that never ends": _CHUNKED + b"0" * 70_000,
    "chunk that is longer than told": _CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": _CHUNKED + b"5\r\nhel",
    "trailers that are none": _CHUNKED + b"0\r\n" + b"x" * 70_000,
    "two lengths": _OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status beyond all": b"HTTP/1.1 %b OK\r\n\r\n" % (b"9" * 5000),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "NUL bytes": bytes(5000),
    "headers without names": _OK + b": x\r\n\r\n",
    "headers without end": _OK + b"a: b\r\n" * 300,
    "header that is too long": _OK + b"a: " + b"b" * 70_000 + b"\r\n\r\n",
    "header of no text": _OK + b"\xff\xfe: \x80\x81\r\nContent-Encoding: \xff\r\nContent-Length: 2\r\n\r\n{}",
    "unknown compression": _sized(b"hello", b"Content-Encoding: br\r\n"),
    "two compressions": _sized(gzip.compress(gzip.compress(b"{}")), b"Content-Encoding: gzip, gzip\r\n"),
    "no gzip": _sized(b"hello", _GZIP),
    "gzip that breaks off": _sized(gzip.compress(b"hello" * 1000)[:-9], _GZIP),
    "gzip of empty parts": _sized(_EMPTY_MEMBERS, _GZIP),
    "nothing": b"",
}
