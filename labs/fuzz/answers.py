"""HTTP answers that are right but for a part or two."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from labs.fuzz.mutations import mutated

#: Fraction of answers whose parts are replaced, instead of their bytes changed.
_REPLACED_SHARE: Final = 0.6
_LONG: Final = 70_000  # http.client takes lines up to 65,536 bytes
_STATUS_LINES: Final = (
    *(b"HTTP/1.1 " + rest for rest in (b"", b"99 X", b"000", b"-200 OK", b"1000 X", b"2\xb20", b"101 X")),
    *(b"HTTP/1.1 " + rest for rest in (b"204 X", b"304 X", b"302 X", b"407 X", b"413 X", b"429 X", b"500 X")),
    *(b"HTTP/1.1 200 " + b"x" * _LONG, b"HTTP/0.9 200 OK", b"HTTP/1.9 200 OK", b"HTTP/2 200", b"ICY 200 OK"),
    *(b"{}", b"\x16\x03\x01\x02", b""),
)
_HEADERS: Final = {
    b"Content-Length": (
        b"-1",
        b"1, 2",
        b"+5",
        b"0x5",
        b"9" * 400,
        b"9" * 5000,
        b"\xb2",
        b"",
        b"1",
        b"99999999",
    ),
    b"Transfer-Encoding": (b"chunked", b"gzip, chunked", b"identity", b"chunked, chunked", b"\xff"),
    b"Content-Encoding": (b"br", b"zstd", b"gzip", b"gzip, gzip", b"deflate", b"," * 5000, b"\xff"),
    b"Retry-After": (b"-1", b"9" * 5000, b"1e999", b"nan", b"\xb2", b"Mon, 99 Nov 9999999999 1:1", b"\x00"),
    b"Date": (b"9" * 5000, b"Mon, 30 Nov 0000 00:00:00 +999999", b"(" * 5000, b"\x00"),
    b"Location": (
        b"//[",
        b"http://\xff/",
        b"//127.0.0.1:99999/",
        b"\x00",
        b"a" * 60_000,
        b"file:///etc/passwd",
    ),
    b"Content-Type": (b"text/html; charset=" + b"x" * 5000, b"\x00"),
    b"Connection": (b"keep-alive", b"close, keep-alive"),
    b"X": (b"y" * _LONG, b"\x00", b"a\r\n folded", b"a\r\n: nameless", b"a\r\nno colon", b"a\nb: c", b"a\rb"),
}
_CHUNK_SIZES: Final = (
    *(b"-5", b"-0", b"+3", b"0x3", b" 3", b"1_0", b"zz", b"\xb2", b"", b"f" * 8, b"f" * 400, b"f" * _LONG),
    b"3;" + b"e" * _LONG,
)
_VALUES: Final = (
    *(b"NaN", b"-Infinity", b"-0", b"1e999", b"9" * 5000, b"null", b"true", b"[]", b"{}", b"[" * 5000),
    *(b'"\\ud800"', b'"\\u0000"', b'"\xff"', b'"' + b" " * 40_000 + b'"', b'"' + b"m" * 120_000 + b'"'),
    *(b'{"Code": 5}', b'{"Code": "' + b"A." * 200_000 + b'"}', b'{"Code": "A", "Message": {"a": []}}'),
)
_CHUNK_SIZE: Final = re.compile(rb"(?m)^[0-9a-f]+(?=\r$)")
_VALUE: Final = re.compile(rb'(?<=: )(?:"[^"]*"|\d+|\{[^{}]*\})')
_LENGTH: Final = re.compile(rb"(?i)content-length:")


def nearly_right(answer: bytes, drawing: Random, others: tuple[bytes, ...]) -> bytes:
    """Return an answer with a part or two replaced by what a parser may trip over, or with bytes changed.

    :param others: answers that pieces are taken from.
    """
    if drawing.random() >= _REPLACED_SHARE:
        return mutated(answer, drawing, others)
    for _ in range(drawing.choice((1, 1, 2))):
        answer = _with_part_replaced(answer, drawing)
    return answer


def _with_part_replaced(answer: bytes, drawing: Random) -> bytes:
    head, blank, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    match drawing.randrange(4):
        case 0:
            status = drawing.choice(_STATUS_LINES)
        case 1:
            name = drawing.choice(tuple(_HEADERS))
            if drawing.random() < 0.5:  # else it occurs twice, or beside one that it contradicts
                headers = [each for each in headers if not each.startswith(name + b":")]
            headers.append(name + b": " + drawing.choice(_HEADERS[name]))
        case 2:
            body = _replaced(_CHUNK_SIZE, body, _CHUNK_SIZES, drawing)
        case 3:
            body = _replaced(_VALUE, body, _VALUES, drawing)
            headers = [each for each in headers if not _LENGTH.match(each)]
    return b"\r\n".join((status, *headers)) + blank + body


def _replaced(pattern: re.Pattern[bytes], body: bytes, values: tuple[bytes, ...], drawing: Random) -> bytes:
    places = [*pattern.finditer(body)]
    if not places:
        return body
    place = drawing.choice(places)
    return body[: place.start()] + drawing.choice(values) + body[place.end() :]
