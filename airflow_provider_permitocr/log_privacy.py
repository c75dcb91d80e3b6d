"""Keeps personal data out of other libraries' logs, whatever levels are set.

Their lines contain rows, statements' values, names and URLs of objects, keys, signatures and answers.
Setting a logger's level does not help: child loggers have levels of their own, some are created later, and
s3fs sets its own from the environment. So each record is checked when it is created, in any thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

_NEVER: Final = logging.CRITICAL + 1
#: The level from which on a library's lines are kept, for all its loggers. If two names match, the longer one
#: applies.
_FROM_LEVEL: Final = {
    # At INFO they log statements, whose values our engines hide; below, every row that is read.
    "sqlalchemy": logging.INFO,
    # A server's notices, which a trigger may put a row into.
    "sqlalchemy.dialects": logging.WARNING,
    **dict.fromkeys(("psycopg", "snowflake"), logging.WARNING),
    **dict.fromkeys(("aiobotocore", "boto3", "botocore", "s3fs", "s3transfer"), logging.WARNING),
    **dict.fromkeys(("azure", "fsspec", "google", "grpc"), logging.WARNING),
    # These name objects in warnings and errors, too; their exceptions already say what went wrong.
    **dict.fromkeys(("adlfs", "cosfs", "gcsfs", "qcloud_cos"), _NEVER),
    "tencentcloud_sdk_common": logging.INFO,
}
#: Other programs use them as well, so only lines about our own requests are dropped.
_HTTP: Final = frozenset({"aiohttp", "httpcore", "httpx", "requests", "urllib3"})
_DROPPED: Final = "(not shown, as it may hold people's data)"
_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)


def keep_data_out_of_logs() -> None:
    """Drop lines of libraries below their levels, in this process and from now on.

    Further calls do nothing.
    """
    create = logging.getLogRecordFactory()
    if not isinstance(create, _RecordFactory):
        logging.setLogRecordFactory(_RecordFactory(create))


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what HTTP libraries log of requests that are made within the block, at any level.

    Coroutines that it hands to another thread's event loop are included.
    """
    keep_data_out_of_logs()
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


class _RecordFactory:
    """Creates log records as before; no handler takes those that are dropped."""

    def __init__(self, create: Callable[..., logging.LogRecord]) -> None:
        self._create = create

    def __call__(self, name: str | None, level: int, *args: Any, **more: Any) -> logging.LogRecord:
        record = self._create(name, level, *args, **more)
        # Without a name where one record is copied into another: `logging.makeLogRecord`.
        if name and _is_dropped(name, level):
            # A factory has to return a record: this one is below any handler's level, and empty.
            record.levelno = logging.NOTSET - 1
            record.msg, record.args = _DROPPED, ()
            record.exc_info = record.exc_text = record.stack_info = None
        return record


def _is_dropped(name: str, level: int) -> bool:
    library = name.partition(".")[0]
    if library in _HTTP:
        return _is_ours.get()
    while name:
        if name in _FROM_LEVEL:
            return level < _FROM_LEVEL[name]
        name = name.rpartition(".")[0]
    return False
