"""``python -m labs.fuzz images|bombs|wire``: fails where anything is uncaught or over its bounds."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from labs.fuzz import images, wire

#: Seconds for a file, and bytes for a process that reads one.
_FILE_SECONDS: Final = 5.0
_READER_BYTES: Final = 400_000_000
#: Bytes for what a server sends.
_WIRE_BYTES: Final = 100_000_000


def main() -> int:
    """Run what is asked for and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m labs.fuzz", description=__doc__)
    parser.add_argument("what", choices=("images", "bombs", "files", "wire"))
    parser.add_argument("of", nargs="?", default="1000", help="number of files or exchanges; folder of files")
    arguments = parser.parse_args()
    match arguments.what:
        case "images":
            figures, seconds, most = images.fuzz(int(arguments.of)), _FILE_SECONDS, _READER_BYTES
        case "files":
            figures, seconds, most = images.read(Path(arguments.of)), _FILE_SECONDS, _READER_BYTES
        case "bombs":
            return _bombs()
        case _:
            figures, seconds, most = wire.fuzz(int(arguments.of)), 2 * wire.TIMEOUT, _WIRE_BYTES
    sys.stdout.write(f"{figures}\n")
    used = figures.worker_bytes if arguments.what == "wire" else figures.reader_bytes
    is_bounded = figures.seconds <= seconds and used <= most
    return 0 if is_bounded and not figures.uncaught else 1


def _bombs() -> int:
    with TemporaryDirectory() as folder:
        # Each in a process of its own: making them takes more memory than reading them may.
        for program in (["labs.fuzz.bombs"], ["labs.fuzz", "files"]):
            ended = subprocess.run([sys.executable, "-m", *program, folder], check=False)  # noqa: S603
        return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
