"""Describes errors of files and object stores without data from rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_permitocr.errors import PermitOcrError, TargetError


class FileError(PermitOcrError):
    """A file could not be written for now; the next attempt may succeed."""


@contextmanager
def file_errors(doing: str) -> Iterator[None]:
    """Turn errors of files and of object stores' clients into this package's own.

    :param doing: the operation, e.g. ``writing the result file '/data/permits.csv'``.
    """
    try:
        yield
    except PermitOcrError:
        raise
    except PermissionError as error:
        raise TargetError(
            f"{doing} failed: {_describe(error)}; grant the right to read, write and delete there"
        ) from None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise TargetError(
            f"{doing} failed: {_describe(error)}; correct the path or create its place"
        ) from None
    except Exception as error:  # noqa: BLE001  each store's client has its own errors
        # Cut off from its cause: a client's own words may hold signed URLs.
        raise FileError(f"{doing} failed: {_describe(error)}") from None


def _describe(error: Exception) -> str:
    name = type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    return f"{name} ({os.strerror(number)})" if number else name
