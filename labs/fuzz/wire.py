"""Mutated HTTP: what a server can do to a call, to STS and to a download."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from typing import Final

from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError, ImageError
from airflow_provider_permitocr.images.download import Downloader
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.credentials import ConnectionKeys
from airflow_provider_permitocr.tencent.keys.sts import assume_role, caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, Role
from labs.fuzz.answers import nearly_right
from labs.fuzz.figures import Figures

#: Seconds for an exchange.
TIMEOUT: Final = 1.0
#: Fraction of servers that keep the connection open without sending more.
_SILENT_SHARE: Final = 0.01
_MOST_IMAGE: Final = 10_000_000
_ROLE: Final = Role("qcs::cam::uin/100000000001:roleName/reader")
_FIELDS: Final = {"Name": "陳大文", "Number": "H12345678", "Birthday": "1986.03.02", "RequestId": "r"}
_KEYS: Final = {
    "Credentials": {"TmpSecretId": "i", "TmpSecretKey": "k", "Token": "t"},
    "ExpiredTime": 2_000_000_000,
}
_ANSWERS: Final = tuple(
    json.dumps({"Response": response}).encode()
    for response in (
        _FIELDS,
        _KEYS,
        {"AccountId": "1", "Arn": "a", "RequestId": "r"},
        {"Error": {"Code": "InternalError", "Message": "Try again."}, "RequestId": "r"},
        {"Error": {"Code": "AuthFailure.SignatureExpire", "Message": "m" * 3000}, "RequestId": "r"},
        {**_FIELDS, "Profile": "/9j/" * 50_000, "WarnCardInfos": [-9102] * 500},
    )
)
_BODIES: Final = (*_ANSWERS, b"\x89PNG\r\n\x1a\n" + bytes(20_000), b"<html>Please log in</html>", b"")
#: Fraction of answers that are large, instead of nearly correct.
_LARGE_SHARE: Final = 0.01


def fuzz(number: int, *, seed: str = "wire") -> Figures:
    """Make exchanges with a server whose answers are nearly correct."""
    figures = Figures()
    with _server(seed) as endpoint:
        options = ClientOptions(
            *("AKID", "key", "token"),
            endpoint=endpoint,
            protocol="http",
            read_timeout=TIMEOUT,
            call_timeout=TIMEOUT,
        )
        uses = _uses(options, endpoint)
        for _, use in uses:  # exclude imports from the measurement
            use()
        with figures.measured():
            for index in range(number):
                name, use = uses[index % len(uses)]
                figures.add(f"{name} {index}", use)
    return figures


def _uses(options: ClientOptions, endpoint: str) -> list[tuple[str, Callable[[], str]]]:
    client = MainlandPermitClient(options)
    request = PermitRequest(CardSide.FRONT, image=b"image")
    downloader = Downloader(ImageAccess(fetch_images=True, fetch_hosts=("127.0.0.1",), fetch_seconds=TIMEOUT))
    uses: dict[str, Callable[[], object]] = {
        "call": lambda: client.recognize(request),
        "role": lambda: assume_role(options, _ROLE, options.keys),
        "download": lambda: downloader.read(f"http://{endpoint}/image", _MOST_IMAGE),
        "identity": lambda: caller_identity(options, ConnectionKeys(options.keys)),
    }
    return [(name, _ended(name, use)) for name, use in uses.items()]


def _ended(name: str, use: Callable[[], object]) -> Callable[[], str]:
    def end() -> str:
        try:
            use()
        except (CallError, ImageError) as error:
            return f"{name}: {error.code}"
        return f"{name}: answered"

    return end


def _templates() -> Iterator[bytes]:
    for body in _BODIES:
        packed = gzip.compress(body, mtime=0)
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
            len(packed),
            packed,
        )
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b" % _chunked(body)
        yield b"HTTP/1.0 200 OK\r\n\r\n%b" % body
    dates = b"Retry-After: 3\r\nDate: Mon, 30 Nov 2026 06:00:00 GMT\r\n"
    yield b"HTTP/1.1 503 Busy\r\n%bContent-Length: 0\r\n\r\n" % dates
    yield b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    yield b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 90 + b"Content-Length: 2\r\n\r\n{}"


def _large() -> Iterator[bytes]:
    plain = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b"
    objects = b'{"Response": {"a": [' + b"{}," * 5_000_000 + b"{}]}}"
    yield plain % (b"", len(objects), objects)
    texts = b'{"Response": {"Name": "' + "陳".encode() * 2_600_000 + b'"}}'
    yield plain % (b"", len(texts), texts)
    nested = b"[" * 8_000_000
    yield plain % (b"", len(nested), nested)
    for packed in (gzip.compress(b"", mtime=0) * 300_000, gzip.compress(bytes(200_000_000), mtime=0)):
        yield plain % (b"Content-Encoding: gzip\r\n", len(packed), packed)
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_000_000
    yield b"HTTP/1.1 100 Continue\r\n\r\n" * 300_000
    yield b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000_000


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


@contextmanager
def _server(seed: str) -> Iterator[str]:
    """Run a server in a separate process, because it needs memory for its data; yield its address."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, seed), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(parent: Connection, seed: str) -> None:
    """Answer each connection once, and close it, or keep it open in silence."""
    drawing = Random(seed)  # noqa: S311
    templates, large = tuple(_templates()), tuple(_large())
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        parent.send(f"127.0.0.1:{listener.getsockname()[1]}")
        while True:
            accepted, _ = listener.accept()
            if drawing.random() < _LARGE_SHARE:
                answer = drawing.choice(large)
            else:
                answer = nearly_right(drawing.choice(templates), drawing, templates)
            silent = drawing.random() < _SILENT_SHARE
            threading.Thread(target=_treat, args=(accepted, answer, silent), daemon=True).start()


def _treat(accepted: socket.socket, answer: bytes, silent: bool) -> None:
    with suppress(OSError), accepted:
        accepted.settimeout(5 * TIMEOUT)
        accepted.recv(100_000)
        accepted.sendall(answer)
        if silent:
            accepted.recv(1)
        accepted.shutdown(socket.SHUT_RDWR)
