"""A separate process that decodes untrusted files, so that a bad file can harm nothing else.

Decoders use as much memory and time as a file demands, and some files crash them. The process has little
of both, gets no secrets, writes no files and leaves no core dump, which would contain pictures of people.

Each request on its standard input is a line of JSON and the image; each answer on its standard output is a
line of JSON and the converted image. It ends with its input.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from airflow_provider_permitocr.errors import ImageRejectedError

#: Most bytes that the process may allocate. The largest pictures that phones make, HEIC of 48 million pixels,
#: take 350 MB.
MOST_MEMORY: Final = 384_000_000
#: Of the processor, to decode one file. HEIC of 48 million pixels takes 1.2 on a slow one.
DECODE_SECONDS: Final = 4.0
#: CPU time to encode a picture, which depends only on its size.
_ENCODE_SECONDS: Final = 10.0


class Task(StrEnum):
    """What to do with an image."""

    ENCODE = "encode"  #: decode it, and encode it again
    CHECK = "check"  #: see whether a JPEG that lacks its end has all of its pixels


def main() -> None:
    """Answer requests until there are no more."""
    # Ctrl-C is handled by the parent process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # Output that libraries print would be mistaken for an answer.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    for kind, most in (
        (resource.RLIMIT_DATA, MOST_MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        answer, content = _answer(requests.read(request.pop("size")), **request)
        answers.write(json.dumps(answer | {"size": len(content)}).encode() + b"\n")
        answers.write(content)
        answers.flush()


def _answer(image: bytes, **request: Any) -> tuple[dict[str, Any], bytes]:
    try:
        return _done(image, **request)
    except ImageRejectedError as error:
        return {"code": error.code, "message": error.message}, b""
    except MemoryError:
        return {"fault": "memory"}, b""
    except ImportError as error:
        return {"fault": "package", "package": error.name}, b""
    except Exception:  # noqa: BLE001  decoders raise anything
        return {"fault": "damage"}, b""


def _done(image: bytes, task: str, image_format: str, max_bytes: int) -> tuple[dict[str, Any], bytes]:
    from airflow_provider_permitocr.images.conversion.decode import check_whole, decode
    from airflow_provider_permitocr.images.conversion.encode import encode

    with _processor_seconds(DECODE_SECONDS):
        if task == Task.CHECK:
            check_whole(image)
            return {}, b""
        picture = decode(image, image_format)
    with _processor_seconds(_ENCODE_SECONDS):
        encoded, size = encode(picture, max_bytes)
    return {"before": picture.size, "after": size}, encoded


@contextmanager
def _processor_seconds(most: float) -> Iterator[None]:
    """End the process if the block takes longer: decoders cannot be interrupted otherwise."""
    signal.setitimer(signal.ITIMER_PROF, most)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
