"""Whoever sets whichever level, other libraries' lines about people's data reach no handler."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs, silenced

_SECRET = "LI,YOU-TU"


@pytest.fixture(autouse=True)
def record_factory() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(before)


def _say(name: str, level: int) -> None:
    logging.getLogger(name).log(level, "It is %s", _SECRET, extra={"extra": _SECRET})


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("sqlalchemy.engine.Engine", logging.DEBUG),
        ("sqlalchemy.engine.base.Engine.of_a_name", logging.DEBUG),
        ("sqlalchemy.dialects.postgresql", logging.INFO),
        ("psycopg.pq", logging.INFO),
        ("snowflake.connector.cursor", logging.INFO),
        ("botocore.endpoint", logging.DEBUG),
        ("botocore.made.later", logging.DEBUG),
        ("aiobotocore.endpoint", logging.DEBUG),
        ("s3fs", logging.DEBUG),
        ("fsspec.caching", logging.DEBUG),
        ("gcsfs.retry", logging.ERROR),
        ("adlfs", logging.ERROR),
        ("azure.core.pipeline.policies.http_logging_policy", logging.INFO),
        ("google.auth.transport.requests", logging.DEBUG),
        ("qcloud_cos.cos_client", logging.CRITICAL),
        ("cosfs.core", logging.WARNING),
        ("tencentcloud_sdk_common", logging.DEBUG),
        ("tencentcloud_sdk_common.below", logging.DEBUG),
    ],
)
def test_no_handler_gets_a_line_with_data_whatever_levels_are_set(
    all_logged: Callable[[], str], name: str, level: int
) -> None:
    logger = logging.getLogger(name)
    own, before = logging.StreamHandler(lines := _Lines()), logger.level
    logger.addHandler(own)
    logger.setLevel(logging.DEBUG)
    try:
        _say(name, level)
        assert _SECRET in all_logged()  # nothing keeps it back yet
        assert lines.written
        lines.written = ""
        before_that = all_logged()
        keep_data_out_of_logs()
        _say(name, level)
        threading_say(name, level)
        assert (all_logged(), lines.written) == (before_that, "")
    finally:
        logger.removeHandler(own)
        logger.setLevel(before)


class _Lines:
    written = ""

    def write(self, text: str) -> None:
        self.written += text


def threading_say(name: str, level: int) -> None:
    thread = threading.Thread(target=_say, args=(name, level))
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("sqlalchemy.engine.Engine", logging.INFO),
        ("sqlalchemy.pool", logging.ERROR),
        ("botocore.credentials", logging.WARNING),
        ("tencentcloud_sdk_common", logging.INFO),
        ("urllib3.connectionpool", logging.DEBUG),
        ("azurea", logging.DEBUG),
        ("my.sqlalchemy.engine", logging.DEBUG),
        ("airflow_provider_permitocr", logging.DEBUG),
    ],
)
def test_all_other_lines_are_logged_as_before(all_logged: Callable[[], str], name: str, level: int) -> None:
    keep_data_out_of_logs()
    logging.getLogger(name).setLevel(logging.NOTSET)
    _say(name, level)
    assert f"It is {_SECRET}" in all_logged()


@pytest.mark.parametrize(
    "name", ["urllib3.connectionpool", "requests", "aiohttp.client", "httpx", "urllib3.a"]
)
def test_http_libraries_are_silent_about_our_requests_alone(all_logged: Callable[[], str], name: str) -> None:
    logging.getLogger(name).setLevel(logging.DEBUG)
    with silenced():
        _say(name, logging.ERROR)
        with silenced():
            pass
        _say(name, logging.ERROR)
        assert _SECRET not in all_logged()
        threading_say(name, logging.ERROR)  # another program's
        assert all_logged().count(f"It is {_SECRET}") > 0
    before = all_logged()
    _say(name, logging.DEBUG)
    assert all_logged() != before


def test_what_a_store_s_event_loop_does_for_us_is_silent_too(all_logged: Callable[[], str]) -> None:
    async def ask() -> None:
        await asyncio.sleep(0)
        _say("aiohttp.client", logging.ERROR)
        await asyncio.ensure_future(later())

    async def later() -> None:
        _say("aiohttp.client", logging.ERROR)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with silenced():
            asyncio.run_coroutine_threadsafe(ask(), loop).result()
        assert _SECRET not in all_logged()
        asyncio.run_coroutine_threadsafe(ask(), loop).result()
        assert _SECRET in all_logged()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_record_factory_of_another_library_is_kept(all_logged: Callable[[], str]) -> None:
    def other(*arguments: Any, **more: Any) -> logging.LogRecord:
        record = logging.LogRecord(*arguments, **more)
        record.trace = "trace-of-another"
        return record

    logging.setLogRecordFactory(other)
    keep_data_out_of_logs()
    keep_data_out_of_logs()
    _say("airflow", logging.INFO)
    assert "trace-of-another" in all_logged()


def test_what_an_exception_says_is_dropped_with_its_line(all_logged: Callable[[], str]) -> None:
    keep_data_out_of_logs()
    try:
        raise ValueError(_SECRET)
    except ValueError:
        logging.getLogger("gcsfs.retry").exception("It is %s", _SECRET)
    assert _SECRET not in all_logged()


def test_records_are_copied_as_before() -> None:
    keep_data_out_of_logs()
    record = logging.getLogger("airflow").makeRecord("airflow", logging.INFO, "f", 1, "%s", (_SECRET,), None)
    assert logging.makeLogRecord(record.__dict__).getMessage() == _SECRET
