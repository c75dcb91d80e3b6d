"""Collects what a job shows while it runs to those who may not see its result."""

from __future__ import annotations

import functools
import http.client
import json
import linecache
import logging
import os
import stat
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

import sqlalchemy as sa

from airflow_provider_permitocr import __file__ as package_file
from tests.support.private_values import PrivateValues

_PACKAGE: Final = str(Path(package_file).parent)
_EMULATOR: Final = f"{_PACKAGE}/emulator"
_TESTS: Final = str(Path(__file__).parents[1])
#: A tracker cuts what it records of one value; this is more than any keeps.
_LONGEST: Final = 1_000_000
_METRICS: Final = ("incr", "decr", "gauge", "timing", "timer")
#: Of the servers that tests start in this process.
_SERVERS: Final = ("werkzeug", "flask_cors", "moto", "aiohttp.access", "aiohttp.server")
#: What the audit hook reports goes to this one, if any. The hook itself can't be removed, and costs each test
#: after it, so it is added only once something listens.
_listening: list[Callable[[str, tuple[Any, ...]], None]] = []


class Collected:
    """Texts by the channel that they came over.

    :param folders: files in these are looked at as they are removed or renamed, and in the end.
    """

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.modes: dict[str, int] = {}
        self._folders = tuple(map(str, folders))
        self._lock = threading.Lock()

    def add(self, channel: str, value: object) -> None:
        """Keep what came over a channel."""
        text = value if isinstance(value, str) else _shown(value)
        with self._lock:
            self.texts[channel].append(text)

    @property
    def characters(self) -> dict[str, int]:
        """How much came over each channel."""
        return {channel: sum(map(len, texts)) for channel, texts in self.texts.items()}

    def leaks(self, private: PrivateValues, *, but: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
        """Return what was found, as channel, kind and value."""
        found = set()
        for channel, texts in self.texts.items():
            if channel not in but:
                together = "\n".join(dict.fromkeys("\n".join(texts).split("\n")))
                found |= {(channel, kind, value) for kind, value in private.found_in(together)}
        return sorted(found)

    def error(self, error: BaseException | None, channel: str = "errors") -> None:
        """Keep all that a tracker could record of an error and of all that led to it, hidden or not."""
        for each in _chain(error):
            notes = getattr(each, "__notes__", ())
            self.add(channel, f"{each!r} {each} {each.args!r} {_shown(vars(each))} {notes}")
            trace = each.__traceback__
            while trace is not None:
                self._frame(trace.tb_frame, f"{channel}: locals", trace.tb_lineno)
                trace = trace.tb_next

    def stack(self, frame: FrameType | None, channel: str) -> None:
        """Keep the locals of this package's frames, as a tracker does that adds them to log lines."""
        while frame is not None:
            if frame.f_code.co_filename.startswith(_PACKAGE):
                self._frame(frame, channel, frame.f_lineno)
            frame = frame.f_back

    def _frame(self, frame: FrameType, channel: str, line: int) -> None:
        file = frame.f_code.co_filename
        if not file.startswith((_TESTS, _EMULATOR)):
            self.add(channel, f"{file}:{line} {linecache.getline(file, line).strip()}")
            for name, value in list(frame.f_locals.items()):
                self.add(channel, f"{frame.f_code.co_qualname} {name} = {_shown(value)}")

    def tables(self, engine: sa.Engine, *, but: tuple[str, ...]) -> None:
        """Keep all that the tables of a database hold, but for those that are there to hold values."""
        with engine.connect() as connection:
            for table in sa.inspect(connection).get_table_names():
                if table not in but:
                    for row in connection.execute(sa.text(f'SELECT * FROM "{table}"')).mappings():
                        self.add(
                            "tables", f"{table} {json.dumps(dict(row), default=str, ensure_ascii=False)}"
                        )

    def end(self) -> None:
        """Keep what is there now: what files hold, and what hooks have collected of lineage."""
        from airflow.sdk import lineage

        self.add("lineage", lineage.get_hook_lineage_collector().collected_assets)
        for folder in self._folders:
            for path in sorted(Path(folder).rglob("*")):
                self._file(str(path))

    def _file(self, name: str) -> None:
        if name not in self.modes and name.startswith(self._folders):
            with suppress(OSError):
                status = os.lstat(name)
                self.modes[name] = stat.S_IMODE(status.st_mode)
                if stat.S_ISREG(status.st_mode):
                    channel = "journals" if name.endswith(".jsonl") else "files"
                    self.add(channel, f"{name} {Path(name).read_bytes().decode(errors='replace')}")

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.remove", "os.rename"):
            self._file(os.fspath(arguments[0]) if not isinstance(arguments[0], int) else "")
        elif event == "subprocess.Popen":
            executable, command, _folder, environment = arguments
            inherited = dict(os.environ) if environment is None else environment
            self.add("processes", f"{executable} {command} {json.dumps(inherited, default=str)}")


class _Handler(logging.Handler):
    def __init__(self, collected: Collected) -> None:
        super().__init__()
        self._collected = collected

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_SERVERS):
            self._collected.add("log", f"{record.name} {self.format(record)} {_shown(record.__dict__)}")
            if record.exc_info:
                self._collected.error(record.exc_info[1])
            if record.levelno >= logging.ERROR:
                self._collected.stack(sys._getframe(), "stacks of errors in the log")


@contextmanager
def collecting(*folders: Path) -> Iterator[Collected]:
    """Have everything say all it can, and collect that.

    :param folders: whose files are looked at.
    """
    collected = Collected(folders)
    _add_audit_hook()
    _listening[:] = [collected._audit]
    with ExitStack() as stack:
        stack.callback(_listening.clear)
        for change in (logged(collected), _reported(collected), _talkative(), _measured(collected)):
            stack.enter_context(change)
        yield collected


@contextmanager
def logged(collected: Collected) -> Iterator[None]:
    """Have every logger log all there is, and keep it."""
    handler, root = _Handler(collected), logging.getLogger()
    logging.getLogger("sqlalchemy.engine.Engine")
    loggers = [root, *(each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    before = {logger: (logger.level, logger.propagate, logger.handlers[:]) for logger in loggers}
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = True
    try:
        root.addHandler(handler)
        yield
    finally:
        for logger, (level, propagate, handlers) in before.items():
            logger.setLevel(level)
            logger.propagate = propagate
            logger.handlers[:] = handlers  # an echo of SQLAlchemy adds one, for standard output as it is now


@contextmanager
def _reported(collected: Collected) -> Iterator[None]:
    """What Python itself reports: warnings, and errors that nobody handles."""

    def warned(message: Warning | str, category: type[Warning], *more: Any, **_named: Any) -> None:
        collected.add("warnings", f"{category.__name__} {message} {more}")

    with (
        warnings.catch_warnings(),
        patch.object(threading, "excepthook", lambda what: collected.error(what.exc_value)),
        patch.object(sys, "unraisablehook", lambda what: collected.error(what.exc_value)),
    ):
        warnings.simplefilter("always")
        warnings.showwarning = warned
        yield


@contextmanager
def _talkative() -> Iterator[None]:
    create = sa.create_engine
    with (
        patch.object(
            sa, "create_engine", lambda *args, **named: create(*args, **(named | {"echo": "debug"}))
        ),
        patch.object(http.client.HTTPConnection, "debuglevel", 1),
    ):
        yield


@contextmanager
def _measured(collected: Collected) -> Iterator[None]:
    from airflow.sdk import lineage, plugins_manager
    from airflow.sdk.observability.stats import Stats

    lineage.get_hook_lineage_collector.cache_clear()
    with ExitStack() as stack:
        stack.callback(lineage.get_hook_lineage_collector.cache_clear)
        # As where a reader of lineage is installed, such as OpenLineage's.
        stack.enter_context(
            patch.object(plugins_manager, "get_hook_lineage_readers_plugins", lambda: [lineage])
        )
        for name in _METRICS:
            real = getattr(Stats, name)

            def sent(*args: Any, _real: Any = real, _name: str = name, **named: Any) -> Any:
                collected.add("metrics", f"{_name} {args} {named}")
                return _real(*args, **named)

            stack.enter_context(patch.object(Stats, name, sent))
        yield


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    left, seen = [error], set()
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _shown(value: object) -> str:
    """Return a value as a tracker records it: what holds others is walked, all else says itself."""
    try:
        if isinstance(value, Mapping) and not isinstance(value, dict):
            value = dict(value)
        return repr(value)[:_LONGEST]
    except Exception as error:  # noqa: BLE001  as trackers do
        return f"({type(error).__name__} of its repr)"


@functools.cache
def _add_audit_hook() -> None:
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for each in _listening:
        each(event, arguments)
