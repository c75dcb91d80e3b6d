"""What is known of object stores by the scheme of their URLs."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.wiring.connections.tencentcloud import DEFAULT_CONN_ID, look_up

T = TypeVar("T")


@dataclass(frozen=True)
class KnownStore:
    """A store whose file system comes with a package.

    :param install: the command that installs it.
    :param default_conn_id: the connection that the store's own hook uses by default. Its file system has no
        default.
    """

    install: str
    default_conn_id: str


_AMAZON: Final = KnownStore(install("s3"), "aws_default")
_GOOGLE: Final = KnownStore("pip install apache-airflow-providers-google", "google_cloud_default")
_AZURE: Final = KnownStore("pip install apache-airflow-providers-microsoft-azure", "wasb_default")

KNOWN_STORES: Final = {
    **dict.fromkeys(("s3", "s3a", "s3n"), _AMAZON),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "adl"), _AZURE),
    "cos": KnownStore(install("cos"), DEFAULT_CONN_ID),
}


def connection_exists(conn_id: str) -> bool:
    """Return whether Airflow has a connection of this id; from any thread."""
    return look_up(conn_id) is not None


def opened(open_store: Callable[[], T]) -> T:
    """Open a store's file system, in a notebook as well.

    Airflow's file system of S3 starts an event loop while it is opened, and a thread can run only one: that
    of a notebook's cells already runs the kernel's.

    :param open_store: returns the file system. It may run in another thread, so the caller must hold no
        lock that it takes.
    :raises Exception: whatever ``open_store`` raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return open_store()
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="open-store") as apart:
        return apart.submit(context.run, open_store).result()
