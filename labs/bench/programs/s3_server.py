"""moto's S3 server in a separate process, until its input is closed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from labs.ground.servers.ports import HOST


def main() -> None:
    """Serve, and print where."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


@contextmanager
def s3_server() -> Iterator[str]:
    """Run this program, and yield its URL; it ends with the context, or with this process.

    :raises RuntimeError: it does not start.
    """
    command = [sys.executable, "-m", "labs.bench.programs.s3_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        url = child.stdout.readline().strip()
        if not url:
            raise RuntimeError("moto's server does not start")
        yield url


if __name__ == "__main__":
    main()
