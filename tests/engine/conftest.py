"""Fakes of what surrounds the core: time, and the three ports of the pipeline."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from airflow_provider_permitocr.engine.delivery.frame import to_rows
from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.models import (
    ImageRow,
    ListedImage,
    PermitRequest,
    PermitResponse,
    RowKey,
)
from airflow_provider_permitocr.engine.observer import NOBODY, Observers
from airflow_provider_permitocr.engine.ports import Call, ImageSource, Ports
from airflow_provider_permitocr.engine.run.pipeline import Pipeline
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import DueFile, Window
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.columns import COLUMNS, Column
from tests.support.fake_ledger import FakeJournal, FakeLedger

if TYPE_CHECKING:
    import pandas as pd

# The machine may be busy with something else, so the time that an example takes tells nothing.
settings.register_profile("core", deadline=None)
settings.load_profile("core")


@pytest.fixture(scope="module", autouse=True)
def _quick_exchanges() -> Iterator[None]:
    """Exchanges with the ledger wait for others for a moment alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call_ledger, "_GATHER_SECONDS", 0.005)
        yield


@dataclass
class FakeClock:
    """Seconds that pass only while someone sleeps, or when told to."""

    now: float = 100.0
    sleeps: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self.now += seconds


@pytest.fixture(scope="session")
def new_clock() -> type[FakeClock]:
    """For properties, where each example needs a clock of its own."""
    return FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Lines(list[str]):
    """A logger that keeps its lines."""

    def info(self, event: str) -> None:
        self.append(event)


class FakeClient:
    """The API in memory: answers an image by its URL, with fields or with an error.

    :param answers: what to do by URL; all others are recognized.
    :param before: called at the start of each call with its URL.
    """

    def __init__(
        self,
        answers: Mapping[str, Mapping[str, Any] | Exception] | None = None,
        before: Callable[[str], object] = lambda url: None,
    ) -> None:
        self._answers = answers or {}
        self._before = before
        self._lock = threading.Lock()
        self.asked: list[str] = []

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._recognize, request)

    def is_answered(self, url: str) -> bool:
        """Whether this image's answer has fields."""
        return not isinstance(self._answers.get(url), Exception)

    def _recognize(self, request: PermitRequest) -> PermitResponse:
        url = request.image_url or ""
        with self._lock:
            self.asked.append(url)
            number = len(self.asked)
        self._before(url)
        answer = self._answers.get(url, {"Number": url.rpartition("/")[2]})
        if isinstance(answer, Exception):
            raise answer
        return PermitResponse(answer, f"r-{number}")


class FakeSource:
    """An image list in memory that counts how many rows and how many images were read from it.

    :param before_page: called before each page is handed out.
    """

    def __init__(
        self,
        rows: Iterable[ImageRow],
        page_rows: int = 10,
        before_page: Callable[[], object] = lambda: None,
        *,
        all_rows: Iterable[ImageRow] | None = None,
        window: Window = Window(),  # noqa: B008
        is_ordered: bool = False,
        finds_all: bool = True,
    ) -> None:
        self._rows = list(rows)
        self._all_rows = self._rows if all_rows is None else list(all_rows)
        self._page_rows = page_rows
        self._before_page = before_page
        self.window, self.is_ordered, self.finds_all = window, is_ordered, finds_all
        self.read = 0
        self.fetched = 0

    def check(self) -> int:
        return len(self._rows)

    def carried(self) -> Sequence[Column]:
        return ()

    def key_type(self) -> str | None:
        return "text" if self._rows else None

    def settled(self) -> int:
        return 0

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        for start in range(0, len(self._rows), self._page_rows):
            page = self._rows[start : start + self._page_rows]
            self.read += len(page)
            self._before_page()
            yield [ListedImage(row.image_key, row.card_side, row.updated_at, source_key=row) for row in page]

    def holds(self, image_key: str) -> bool:
        return True

    def find(self, row_keys: Sequence[RowKey]) -> Sequence[ListedImage]:
        return [
            ListedImage(row.image_key, row.card_side, row.updated_at, source_key=row)
            for row in self._all_rows
            if row.row_key in set(row_keys)
        ]

    def within(
        self,
        windows: Sequence[Window],
        *,
        besides: ImageSource | None = None,
        found: Sequence[ListedImage] = (),
        settled_too: bool = False,
    ) -> FakeSource:
        keys = {each.row_key for each in found}
        rows = [
            row
            for row in self._all_rows
            if row.row_key in keys
            or (
                (not windows or any(_is_within(row, each) for each in windows))
                and not (besides and _is_within(row, besides.window))
            )
        ]
        window = windows[0] if len(windows) == 1 else Window()
        return FakeSource(rows, self._page_rows, all_rows=self._all_rows, window=window)

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        for each in listed:
            self.fetched += 1
            yield each.source_key


def _is_within(row: ImageRow, window: Window) -> bool:
    changed = row.updated_at
    if window.since is None and window.until is None:
        return True
    return (
        changed is not None
        and (window.since is None or window.since <= changed)
        and (window.until is None or changed < window.until)
    )


class FakeTarget:
    """A result table in memory.

    :param before_write: called before each write; what it raises is the write's failure.
    """

    is_filled_at_end = False
    keeps_history = False
    when_locked = "end its session"

    def __init__(self, before_write: Callable[[], object] = lambda: None) -> None:
        self.before_write = before_write
        self.columns: Sequence[Column] = COLUMNS
        self.batches: list[list[dict[str, Any]]] = []
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}

    def prepare(self, columns: Sequence[Column] = COLUMNS) -> None:
        self.columns = columns

    def held(self) -> Held:
        return Held(len(self.rows), max((row["version"] for row in self.rows.values()), default=None))

    def is_empty(self) -> bool:
        return not self.rows

    def look(self, columns: Sequence[Column]) -> None:
        pass

    def forget(self, versions: Mapping[RowKey, int]) -> None:
        pass

    def write(
        self,
        frame: pd.DataFrame,
        *,
        with_answers: bool = True,
        only_new: bool = False,
        most_refused: int | None = None,
    ) -> Mapping[int, str]:
        self.before_write()
        rows = to_rows(frame, self.columns)
        keys = [(row["image_key"], row["card_side"]) for row in rows]
        assert len(set(keys)) == len(keys), "databases refuse a batch that holds a key twice"
        self.batches.append(rows)
        self.rows |= dict(zip(keys, rows, strict=True))
        return {}


class FakeFile:
    """A result file in memory; None as long as it is not written."""

    def __init__(self, path: str = "/result.csv", *, publishes_parts: bool = False) -> None:
        self.due = DueFile(path, None, "csv")
        self.publishes_parts = publishes_parts
        self.rows: list[dict[str, Any]] | None = None

    def prepare(self) -> None:
        pass

    def write(self, columns: Sequence[Column], frames: Iterable[pd.DataFrame]) -> None:
        self.rows = [row for frame in frames for row in to_rows(frame, columns)]


@dataclass
class Bench:
    """A pipeline on fakes; each ``run`` is a process of its own over the same ledger and result table.

    All are tries of one DAG run, until ``new_dag_run``.
    """

    target: FakeTarget = field(default_factory=FakeTarget)
    file: FakeFile | None = None
    left_files: dict[str, FakeFile] = field(default_factory=dict)
    lines: Lines = field(default_factory=Lines)
    stop: threading.Event = field(default_factory=threading.Event)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    journal: FakeJournal = field(default_factory=FakeJournal)
    request_builder: PermitRequestBuilder = field(
        default_factory=lambda: PermitRequestBuilder(max_base64_bytes=1000)
    )
    observers: Observers = NOBODY
    dag_runs: int = 1
    processes: int = 0

    @staticmethod
    def url(key: object) -> str:
        return f"https://x/{key}"

    @classmethod
    def images(cls, number: int, updated_at: datetime | None = None) -> list[ImageRow]:
        return [ImageRow(str(key), cls.url(key), updated_at=updated_at) for key in range(number)]

    def new_dag_run(self) -> None:
        """What comes next is another DAG run."""
        self.dag_runs += 1
        self.ledger.run = f"dag/task/run {self.dag_runs}"

    def run(
        self,
        rows: Iterable[ImageRow] | FakeSource,
        client: FakeClient | None = None,
        *,
        max_in_flight: int = 4,
        max_per_second: float = 100_000,
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> RunSummary:
        self.stop.clear()
        self.processes += 1
        self.journal.name = f"/journal/{self.processes}"
        source = rows if isinstance(rows, FakeSource) else FakeSource(rows)
        defaults: dict[str, Any] = {
            "call_retry": CallRetry(attempts=2, base_seconds=0),
        }
        pipeline = Pipeline(
            Ports(
                source=source,
                request_builder=self.request_builder,
                client=client or FakeClient(),
                ledger=self.ledger,
                journal=self.journal,
                tables={"warehouse:permits": self.target},
                files=[self.file] if self.file else [],
                open_file=lambda due: self.left_files.setdefault(due.path, FakeFile(due.path)),
                observers=self.observers,
            ),
            RunOptions(pace=Pace(max_per_second, max_in_flight), **(defaults | options)),
            log=self.lines,
            stop=self.stop,
            clock=clock,
        )
        return pipeline.run()

    @property
    def statuses(self) -> dict[str, str]:
        """Status by image key, as delivered."""
        return {image_key: row["status"] for (image_key, _), row in self.target.rows.items()}


@pytest.fixture
def racing_clock() -> Callable[[], float]:
    """A clock that runs so fast that no second of the gateway is really waited for."""
    ticks = itertools.count(step=0.5)
    return lambda: next(ticks)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def new_bench() -> type[Bench]:
    return Bench


@pytest.fixture(scope="session")
def new_client() -> type[FakeClient]:
    return FakeClient


@pytest.fixture(scope="session")
def new_source() -> type[FakeSource]:
    return FakeSource


@pytest.fixture(scope="session")
def new_target() -> type[FakeTarget]:
    return FakeTarget


@pytest.fixture(scope="session")
def new_file() -> type[FakeFile]:
    return FakeFile


@pytest.fixture(scope="session")
def new_ledger() -> type[FakeLedger]:
    return FakeLedger
