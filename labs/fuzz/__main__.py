"""``python -m labs.fuzz WHAT``: fails where anything is uncaught or over its bounds."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from labs.fuzz import images, parsed, wire
from labs.fuzz.figures import Figures

_MUTATED: Final = "10000"


@dataclass(frozen=True)
class _Kind:
    """A kind of hostile input.

    :param use: uses what is asked for.
    :param seconds: that one input may take.
    :param most_bytes: that any process may take for it.
    """

    use: Callable[[str], Figures]
    seconds: float = 2.0
    most_bytes: int = 300_000_000


_KINDS: Final = {
    "images": _Kind(lambda number: images.fuzz(int(number))),
    "plain": _Kind(lambda number: images.fuzz(int(number), converts=False)),
    # A reader has 384 MB, and 4 seconds of the processor.
    "files": _Kind(lambda folder: images.read(Path(folder)), seconds=5.0, most_bytes=400_000_000),
    "answers": _Kind(lambda number: parsed.fuzz(int(number))),
    "wire": _Kind(lambda number: wire.fuzz(int(number))),
}


def main() -> int:
    """Run what is asked for and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m labs.fuzz", description=__doc__)
    parser.add_argument("what", choices=(*_KINDS, "bombs"))
    parser.add_argument(
        "of", nargs="?", default=_MUTATED, help="number of files, answers or exchanges; folder of files"
    )
    arguments = parser.parse_args()
    if arguments.what == "bombs":
        return _bombs()
    kind = _KINDS[arguments.what]
    figures = kind.use(arguments.of)
    sys.stdout.write(f"{arguments.what}: {figures}\n")
    return 0 if figures.is_within(kind.seconds, kind.most_bytes) else 1


def _bombs() -> int:
    with TemporaryDirectory() as folder:
        # Each in a separate process: creating them takes more memory than reading them may.
        for program in (["labs.fuzz.bombs"], ["labs.fuzz", "files"]):
            ended = subprocess.run([sys.executable, "-m", *program, folder], check=False)  # noqa: S603
        return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
