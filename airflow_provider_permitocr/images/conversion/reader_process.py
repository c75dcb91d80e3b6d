"""The parent's side of ``reader.py``: one process, and the meaning of its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.images.conversion.reader import DECODE_SECONDS, MOST_MEMORY, Task

#: A reader that takes longer is stuck, or the machine has no time for it.
_LONGEST_SECONDS: Final = 60.0
#: Maximum length of its answer's JSON line, in bytes.
_LONGEST_LINE: Final = 4096
#: The only environment variables that it gets; others may contain secrets.
_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TZ")
#: Signals from outside: a user, a scheduler, a system that is short of memory.
_SIGNALS_FROM_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a reader.

    :param max_bytes: maximum size of the converted file.
    """

    task: Task
    image: bytes = field(repr=False)
    image_format: str
    max_bytes: int

    @property
    def line(self) -> bytes:
        """What precedes the image."""
        said = {"task": self.task, "image_format": self.image_format, "max_bytes": self.max_bytes}
        return json.dumps(said | {"size": len(self.image)}).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reader's answer.

    :param code: of the refusal; '' for none.
    :param fault: ``memory``, ``package`` or ``damage``, if decoding failed for another reason.
    :param package: that is missing.
    :param before: width and height of the original.
    :param after: width and height of the converted image.
    """

    content: bytes = field(repr=False)
    code: str = ""
    message: str = ""
    fault: str = ""
    package: str = ""
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)


class ReaderEndedError(Exception):
    """The process has ended, and the image that it had in work may be the cause.

    :param signal_number: of the signal that ended it; 0 if it exited without a signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number

    @property
    def is_timed(self) -> bool:
        """Whether it had used up its time."""
        return self.signal_number == signal.SIGPROF


class ReaderProcess:
    """One process, for one image at a time.

    :raises ImageUnavailableError: when it cannot be started.
    """

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "airflow_provider_permitocr.images.conversion.reader"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                cwd="/",
                # A signal to the worker and all its processes should not pass for a file's doing.
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(f"could not start a process to read it ({error.strerror})") from None
        self._end = weakref.finalize(self, _ended, self._process)
        self.is_fresh = True

    def ask(self, request: Request) -> Answer:
        """Have an image read.

        :raises ReaderEndedError: when the process ends over it.
        :raises ImageUnavailableError: when it takes too long; the process is ended then.
        """
        self.is_fresh = False
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._process.kill()

        limit = threading.Timer(_LONGEST_SECONDS, end)
        limit.daemon = True
        limit.start()
        try:
            return self._exchange(request)
        except ReaderEndedError:
            if not is_late.is_set():
                raise
            raise ImageUnavailableError(
                "ImageReaderFailed", f"reading the image took over {_LONGEST_SECONDS:g} seconds"
            ) from None
        finally:
            limit.cancel()

    def close(self) -> None:
        """End the process."""
        self._end()

    def _exchange(self, request: Request) -> Answer:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests
        assert answers
        with suppress(BrokenPipeError):
            requests.write(request.line)
            requests.write(request.image)
            requests.flush()
        try:
            said = json.loads(answers.readline(_LONGEST_LINE))
            content = answers.read(size := min(said.pop("size"), request.max_bytes))
            if len(content) == size:
                return Answer(content, **said)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Don't quote its output: any code may be running there.
            self._process.terminate()
        raise ReaderEndedError(max(0, -self._process.wait()))


def why_ended(image_format: str, error: ReaderEndedError) -> ImageRejectedError | ImageUnavailableError:
    """Return what a reader's end implies for the image that it was processing."""
    if error.is_timed:
        return _too_complex(image_format, f"{DECODE_SECONDS:g} seconds")
    if not error.signal_number or error.signal_number in _SIGNALS_FROM_OUTSIDE:
        how = f"by signal {error.signal_number}" if error.signal_number else "by itself"
        return _failed(f"the process that reads images died ({how}); the worker may be out of memory")
    return ImageRejectedError(
        "ImageBroken",
        f"the {image_format} crashes its decoder: it is damaged, or takes more than {_MEMORY}",
    )


def too_much_memory(image_format: str) -> ImageRejectedError:
    """Return the refusal of what takes more memory than a reader has."""
    return _too_complex(image_format, _MEMORY)


_MEMORY: Final = f"{MOST_MEMORY // 1_000_000} MB of memory"


def _too_complex(image_format: str, limit: str) -> ImageRejectedError:
    return ImageRejectedError("ImageTooComplex", f"the {image_format} takes more than {limit} to decode")


def _failed(why: str) -> ImageUnavailableError:
    return ImageUnavailableError("ImageReaderFailed", f"the image could not be read: {why}", is_outage=True)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # The package itself comes first: it may have been found by more than the search path.
    found = [str(Path(__file__).parents[3]), *(each for each in sys.path if each)]
    return kept | {"PYTHONPATH": os.pathsep.join(found), "MALLOC_ARENA_MAX": "1"}


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        assert stream
        with suppress(OSError):  # its buffered rest has no reader any more
            stream.close()
    process.wait()
