"""Free TCP ports on this machine."""

from __future__ import annotations

import socket
from typing import Final

HOST: Final = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """Return an unused TCP port of 127.0.0.1.

    :param preferred: the port to take if it is free.
    """
    for wanted in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not blocked by closed connections
            try:
                probe.bind((HOST, wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise OSError(f"No TCP port of {HOST} is free: close programs that listen on it")
