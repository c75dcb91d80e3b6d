"""The body of an answer, of any length that a server likes: bounded in bytes, memory and time."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.net.network_faults import NetworkError, NetworkFault

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

#: Read at a time: ``http.client`` keeps each chunk of a body until the requested amount has arrived.
_PIECE: Final = 64 * 1024
#: Either of zlib's headers, or gzip's.
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS
#: Of gzip; empty ones cost time and yield nothing.
_MOST_MEMBERS: Final = 100


def read_body(response: BaseHTTPResponse, most_bytes: int) -> bytes:
    """Read a response body, and decompress it, although no compression was requested.

    :param most_bytes: at most one more byte is returned, to detect longer bodies.
    :raises NetworkError: when it is compressed in an unknown way, more than once, or damaged. Errors while
        reading are left to ``network_errors``.
    """
    body = bytearray()
    while len(body) <= most_bytes:
        piece = response.read(min(_PIECE, most_bytes + 1 - len(body)), decode_content=False)
        if not piece:
            break
        body += piece
    try:
        return _decompressed(body, response.headers.get("Content-Encoding", ""), most_bytes + 1)
    except (ValueError, zlib.error):
        raise NetworkError(NetworkFault.NOT_DECOMPRESSED, "the answer could not be decompressed") from None


def _decompressed(body: bytearray, encoding: str, most: int) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            return bytes(body)
        case "gzip" | "x-gzip" | "deflate":
            return bytes(_inflated(memoryview(body), most))
    raise ValueError("unknown compression")


def _inflated(body: memoryview, most: int) -> bytearray:
    out = bytearray()
    position, members = 0, 0
    while position < len(body) and len(out) < most:
        members += 1
        if members > _MOST_MEMBERS:
            raise ValueError("too many parts")
        inflating = zlib.decompressobj(_ANY_HEADER)
        while not inflating.eof and len(out) < most:
            piece: bytes | memoryview = inflating.unconsumed_tail
            if not piece:
                # The rest of a chunk is copied for each member, so chunks are small.
                piece = body[position : position + _PIECE]
                position += len(piece)
            if not piece:
                raise ValueError("it is truncated")
            out += inflating.decompress(piece, most - len(out))
        position -= len(inflating.unused_data)
    return out
