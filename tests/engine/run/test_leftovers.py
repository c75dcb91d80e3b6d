"""What earlier runs have left, in a run on fakes: windows, files, and images to try again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.engine.run.window import DueFile, LeftRun, Window
from airflow_provider_permitocr.errors import CallError, Decision, SourceError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.lists.redo import Redo

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient, FakeFile, FakeSource

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def day(number: int) -> Window:
    return Window(MONDAY + number * DAY, MONDAY + (number + 1) * DAY)


def left(number: int, *paths: str) -> LeftRun:
    """One day's run, whose window is unfinished."""
    files = tuple(DueFile(path, None, "csv") for path in paths)
    return LeftRun(("dag", "task", f"day {number}", -1), day(number), files)


def image(key: str, number: int) -> ImageRow:
    """An image of one day."""
    return ImageRow(key, f"https://x/{key}", updated_at=MONDAY + number * DAY + timedelta(hours=1))


ALL = [image("m1", 0), image("m2", 0), image("t1", 1), image("w1", 2)]


@pytest.fixture
def wednesday(new_source: type[FakeSource]) -> FakeSource:
    return new_source([ALL[3]], all_rows=ALL, window=day(2))


def keys(client: FakeClient) -> list[str]:
    return [asked.rpartition("/")[2] for asked in client.asked]


def days(client: FakeClient) -> str:
    """The first letter of each day whose image was called for; images of one day share a turn."""
    return "".join(key[0] for key in keys(client))


def test_own_images_come_first_and_then_the_oldest_window(
    bench: Bench, wednesday: FakeSource, new_client: type[FakeClient]
) -> None:
    client = new_client()
    bench.ledger.left = [left(0), left(1)]
    summary = bench.run(wednesday, client, max_in_flight=1)
    assert days(client) == "wmmt"
    assert (summary.listed, summary.taken_up, summary.calls) == (1, 3, 4)
    assert [each.run[2] for each in bench.ledger.whole] == ["day 0", "day 1"]


def test_a_window_that_a_cap_cuts_off_stays_left(bench: Bench, wednesday: FakeSource) -> None:
    bench.ledger.left, bench.ledger.cap = [left(0), left(1)], 3
    summary = bench.run(wednesday, max_in_flight=1, budget=Budget(max_calls=3))
    assert [each.run[2] for each in bench.ledger.left] == ["day 1"]
    assert [whole for _, whole in bench.ledger.ended] == [True]
    assert summary.left_words is not None
    assert "this run has made its 3 calls" in summary.left_words


def test_a_run_that_reads_all_finishes_what_is_within(bench: Bench, new_source: type[FakeSource]) -> None:
    bench.ledger.left = [left(0), left(1)]
    summary = bench.run(new_source(ALL))
    assert (summary.calls, summary.taken_up, bench.ledger.left) == (4, 0, [])


def test_a_window_that_cannot_be_read_stays_left_and_keeps_no_image_waiting(
    bench: Bench,
    wednesday: FakeSource,
    new_source: type[FakeSource],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    check = new_source.check

    def refuse_tuesday(source: FakeSource) -> int:
        if source.window == day(1):
            raise SourceError("1 key occurs more than once")
        return check(source)

    monkeypatch.setattr(new_source, "check", refuse_tuesday)
    bench.ledger.left = [left(1), left(0)]
    assert bench.run(wednesday).calls == 3
    assert [each.run[2] for each in bench.ledger.left] == ["day 1"]
    assert "(day 1) left cannot be read, and stays unfinished: 1 key occurs" in caplog.text


def test_files_of_earlier_runs_are_written_with_their_own_rows(
    bench: Bench, wednesday: FakeSource, new_file: type[FakeFile]
) -> None:
    bench.file = new_file("/2.csv")
    bench.ledger.left = [left(0, "/0.csv"), left(1, "/2.csv")]
    bench.run(wednesday)
    rows = {path: [row["image_key"] for row in file.rows or ()] for path, file in bench.left_files.items()}
    assert rows == {"/0.csv": ["m1", "m2"]}  # what this run replaces is not written before
    assert [row["image_key"] for row in bench.file.rows or ()] == ["w1"]
    assert bench.ledger.left == []


def test_a_file_that_cannot_be_written_stays_due_and_the_others_are_written(
    bench: Bench, wednesday: FakeSource, new_file: type[FakeFile]
) -> None:
    class FullDisk(new_file):  # type: ignore[valid-type,misc]
        def write(self, columns: object, frames: object) -> None:
            raise SourceError("no space left")

    bench.left_files["/0.csv"] = FullDisk("/0.csv")
    bench.ledger.left = [left(0, "/0.csv"), left(1, "/1.csv")]
    with pytest.raises(SourceError, match=r"no space left\. It is a file of the earlier run day 0"):
        bench.run(wednesday)
    assert [each.run[2] for each in bench.ledger.left] == ["day 0"]
    assert bench.left_files["/1.csv"].rows is not None
    assert [whole for _, whole in bench.ledger.ended] == [True]


def test_an_image_to_retry_is_tried_by_a_run_of_another_window(
    bench: Bench, wednesday: FakeSource, new_source: type[FakeSource], new_client: type[FakeClient]
) -> None:
    fault = CallError("FailedOperation.DownLoadError", "no", Decision.RETRY, "r-1", billed=False)
    monday = new_source(ALL[:2], all_rows=ALL, window=day(0))
    bench.run(monday, new_client({bench.url("m1"): fault}))
    bench.new_dag_run()
    assert bench.run(wednesday).taken_up == 1
    assert bench.ledger.statuses["m1"] == "recognized"


@pytest.mark.parametrize(("finds_all", "status"), [(True, "gone"), (False, "retry")])
def test_an_image_to_retry_is_gone_only_where_the_whole_list_can_be_asked(
    bench: Bench,
    new_source: type[FakeSource],
    new_client: type[FakeClient],
    finds_all: bool,
    status: str,
) -> None:
    fault = CallError("FailedOperation.DownLoadError", "no", Decision.RETRY, "r-1", billed=False)
    bench.run(new_source(ALL[:1]), new_client({bench.url("m1"): fault}))
    bench.new_dag_run()
    bench.run(new_source([ALL[3]], finds_all=finds_all))
    assert bench.ledger.statuses["m1"] == status


def test_without_leftovers_only_what_is_to_be_redone_is_looked_up(
    bench: Bench, wednesday: FakeSource, new_source: type[FakeSource], new_client: type[FakeClient]
) -> None:
    fault = CallError("FailedOperation.DownLoadError", "no", Decision.RETRY, "r-1", billed=False)
    monday = new_source(ALL[:2], all_rows=ALL, window=day(0))
    bench.run(monday, new_client({bench.url("m1"): fault}))
    bench.new_dag_run()
    bench.ledger.left = [left(1)]
    client = new_client()
    bench.run(wednesday, client, leftovers=False, redo=Redo(keys=["m2"]))
    assert keys(client) == ["w1", "m2"]


def test_with_an_order_all_are_read_together(
    bench: Bench, new_source: type[FakeSource], new_client: type[FakeClient]
) -> None:
    newest_first = list(reversed(ALL))
    source = new_source([ALL[3]], all_rows=newest_first, window=day(2), is_ordered=True)
    client = new_client()
    bench.ledger.left = [left(0), left(1)]
    bench.run(source, client, max_in_flight=1)
    assert (set(days(client)[:2]), days(client)[2:]) == ({"w", "t"}, "mm")
    assert bench.ledger.left == []
