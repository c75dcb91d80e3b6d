"""What a run leaves is taken up by the next run of its list, whatever its interval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import (
    Budget,
    Carry,
    FailureLimits,
    ImageAccess,
    ImageQuery,
    ImageTable,
    Ledger,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

ImageList = Callable[..., list[Specimen]]
TryTask = Callable[..., dict[str, Any]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
LEDGER = Ledger("permit_ocr", conn_id="warehouse")
TABLE = ResultTable("permits", conn_id="warehouse")


def images_of(day: int, **special: Any) -> ImageTable:
    """The images of one data interval, counted from Monday."""
    columns: dict[str, Any] = {"key": "image_id", "image": "image", "updated_at": "uploaded_at"}
    return ImageTable(
        "permit_images",
        conn_id="warehouse",
        since=MONDAY + day * DAY,
        until=MONDAY + (day + 1) * DAY,
        **(columns | special),
    )


@pytest.fixture
def spread(image_list: ImageList, warehouse: sa.Engine) -> Callable[..., list[Specimen]]:
    """Fill the list with so many images on each day from Monday on; ``k000`` is the first of Monday."""

    def fill(*per_day: int) -> list[Specimen]:
        specimens = image_list(sum(per_day))
        days = [day for day, count in enumerate(per_day) for _ in range(count)]
        with warehouse.begin() as connection:
            for number, day in enumerate(days):
                connection.execute(
                    sa.text("UPDATE permit_images SET uploaded_at = :at WHERE image_id = :key"),
                    {"at": MONDAY + day * DAY + timedelta(hours=12), "key": f"k{number:03}"},
                )
        return specimens

    return fill


@pytest.fixture
def run_of(try_task: TryTask) -> Callable[..., dict[str, Any]]:
    """Run one day's DAG run, with a cap of so many calls."""

    def run(day: int, cap: int | None = None, **arguments: Any) -> dict[str, Any]:
        defaults: dict[str, Any] = {"source": images_of(day), "target": TABLE, "ledger": LEDGER}
        if cap is not None:
            defaults["budget"] = Budget(max_calls=cap)
        return try_task(f"day {day}", **(defaults | arguments))

    return run


@pytest.mark.slow
def test_images_that_a_cap_leaves_of_three_intervals_are_recognized_by_the_fifth_day(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    permits: Permits,
) -> None:
    specimens = spread(9, 9, 9)
    runs = [run_of(day, cap=6) for day in range(5)]
    assert [each["calls"] for each in runs] == [6, 6, 6, 6, 3]
    assert [each["taken_up"] for each in runs] == [0, 0, 0, 6, 3]
    assert connected.stats()["calls"] == 27
    rows = permits()
    assert {rows[f"k{number:03}", "FRONT"]["number"] for number in range(27)} == {
        each.fields["Number"] for each in specimens
    }


@pytest.mark.slow
def test_a_file_that_a_cap_leaves_is_written_whole_by_the_next_run_and_each_has_its_own_rows(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    spread(5, 3)

    def file(day: int) -> ResultFile:
        return ResultFile(f"{tmp_path}/{day}.csv")

    run_of(0, cap=2, target=file(0), list="permits")
    assert not (tmp_path / "0.csv").exists()
    run_of(1, target=file(1), list="permits")
    assert list(pd.read_csv(tmp_path / "0.csv")["image_key"]) == [f"k00{number}" for number in range(5)]
    assert list(pd.read_csv(tmp_path / "1.csv")["image_key"]) == ["k005", "k006", "k007"]
    before = (tmp_path / "0.csv").stat().st_mtime_ns
    assert run_of(2, target=file(2), list="permits")["calls"] == 0
    assert (tmp_path / "0.csv").stat().st_mtime_ns == before


@pytest.mark.slow
def test_parts_are_published_where_that_is_asked_for_and_the_whole_later(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    spread(5, 1)
    run_of(0, cap=2, target=ResultFile(f"{tmp_path}/0.csv", parts=True), list="permits")
    assert len(pd.read_csv(tmp_path / "0.csv")) == 2
    run_of(1, target=ResultFile(f"{tmp_path}/1.csv", parts=True), list="permits")
    assert len(pd.read_csv(tmp_path / "0.csv")) == 5


@pytest.mark.slow
def test_an_image_that_could_not_be_read_is_tried_by_the_next_interval(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    permits: Permits,
    tmp_path: Path,
) -> None:
    spread(2, 1)
    (tmp_path / "0.jpg").rename(tmp_path / "away.jpg")
    assert run_of(0)["statuses"] == {"recognized": 1, "retry": 1}
    (tmp_path / "away.jpg").rename(tmp_path / "0.jpg")
    assert (run_of(1)["taken_up"], run_of(2)["calls"]) == (1, 0)
    assert permits()["k000", "FRONT"]["status"] == "recognized"


@pytest.mark.slow
def test_an_image_to_retry_that_is_no_longer_listed_is_marked_gone(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    permits: Permits,
    warehouse: sa.Engine,
    tmp_path: Path,
) -> None:
    spread(2, 1)
    (tmp_path / "0.jpg").unlink()
    run_of(0)
    with warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM permit_images WHERE image_id = 'k000'"))
    run_of(1)
    row = permits()["k000", "FRONT"]
    assert (row["status"], row["attempt_status"]) == ("gone", "gone")


@pytest.mark.slow
def test_without_leftovers_a_run_keeps_to_its_own_interval(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    spread(4, 1)
    (tmp_path / "0.jpg").unlink()
    run_of(0, cap=2)
    assert run_of(1, leftovers=False)["calls"] == 1
    assert run_of(2)["taken_up"] == 2  # and one that is not there


@pytest.mark.slow
def test_what_a_query_with_templates_has_left_is_counted_and_cannot_be_read(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    operator: Callable[..., Any],
) -> None:
    spread(4, 2)

    def images(day: int) -> ImageQuery:
        return ImageQuery(
            "SELECT * FROM permit_images WHERE uploaded_at::date = CAST(:day AS date)",
            parameters={"day": str((MONDAY + day * DAY).date())},
            conn_id="warehouse",
            key="image_id",
            image="image",
        )

    as_rendered = images(0)
    object.__setattr__(as_rendered, "parameters", {"day": "{{ ds }}"})

    def run(day: int, cap: int | None = None) -> dict[str, Any]:
        task = operator(
            source=as_rendered, ledger=LEDGER, **({"budget": Budget(max_calls=cap)} if cap else {})
        )
        task.source = images(day)
        done: dict[str, Any] = task.execute({"run_id": f"day {day}"})
        return done

    assert run(0, cap=1)["calls"] == 1
    second = run(1)
    assert (second["calls"], second["unread"]) == (2, 3)
    assert run(0)["calls"] == 3  # its own run is cleared
    assert run(1)["unread"] == 0


@pytest.mark.slow
def test_a_query_that_lists_the_same_rows_each_time_takes_up_what_is_left(
    spread: Callable[..., list[Specimen]], run_of: Callable[..., dict[str, Any]], connected: RunningEmulator
) -> None:
    spread(4)
    source = ImageQuery("SELECT * FROM permit_images", conn_id="warehouse", key="image_id", image="image")
    assert run_of(0, cap=1, source=source)["calls"] == 1
    assert (run_of(1, source=source)["calls"], run_of(2, source=source)["unread"]) == (3, 0)


@pytest.mark.slow
def test_an_image_to_retry_that_another_days_query_does_not_list_is_counted(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    permits: Permits,
    tmp_path: Path,
) -> None:
    spread(2, 1)
    (tmp_path / "0.jpg").unlink()

    def images(day: int) -> ImageQuery:
        """Another list each day, as by templates, which say that it is not the same."""
        return ImageQuery(
            f"SELECT * FROM permit_images WHERE uploaded_at::date = DATE '{(MONDAY + day * DAY).date()}'"
            " AND now() IS NOT NULL",
            conn_id="warehouse",
            key="image_id",
            image="image",
        )

    run_of(0, source=images(0))
    assert run_of(1, source=images(1))["unread"] == 1
    assert permits()["k000", "FRONT"]["status"] == "retry"


@pytest.mark.parametrize("where", ["uploaded_at > now()", "uploaded_at::date = CURRENT_DATE", "true LIMIT 5"])
def test_a_query_whose_rows_change_by_themselves_is_no_list_that_can_be_read_again(
    operator: Callable[..., Any], where: str
) -> None:
    query = f"SELECT * FROM permit_images WHERE {where}"
    source = ImageQuery(query, conn_id="warehouse", key="image_id", image="image")
    assert not operator(source=source).is_same_list


def change(warehouse: sa.Engine, statement: str) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text(statement))


def with_pages(day: int, **special: Any) -> ImageTable:
    """The images of one day with a copied column, whose values the DAG takes for numbers."""
    return images_of(day, carry_columns=[Carry("pages", kind="integer")], **special)


@pytest.fixture
def pages(warehouse: sa.Engine) -> Callable[[str, str], None]:
    """Set what the image list says of an image."""

    def say(key: str, value: str) -> None:
        change(warehouse, "ALTER TABLE permit_images ADD COLUMN IF NOT EXISTS pages text")
        change(warehouse, f"UPDATE permit_images SET pages = '{value}' WHERE image_id = '{key}'")

    return say


@pytest.mark.slow
@pytest.mark.parametrize("order_by", [None, "-uploaded_at"])
def test_a_bad_value_that_fails_mondays_run_keeps_no_later_run_from_its_file(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    pages: Callable[[str, str], None],
    connected: RunningEmulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    order_by: str | None,
) -> None:
    spread(2, 3)
    pages("k001", "many")

    def run(day: int) -> dict[str, Any]:
        target = [TABLE, ResultFile(f"{tmp_path}/{day}.csv")]
        return run_of(day, source=with_pages(day, order_by=order_by), target=target, list="permits")

    with pytest.raises(AirflowFailException, match="k001"):
        run(0)
    run(1)
    assert "earlier runs (day 0) left cannot be read, and stays unfinished: key 'k001'" in caplog.text
    assert list(pd.read_csv(tmp_path / "1.csv")["image_key"]) == ["k002", "k003", "k004"]
    assert not (tmp_path / "0.csv").exists()
    pages("k001", "2")
    run(2)
    assert list(pd.read_csv(tmp_path / "0.csv")["pages"]) == [pytest.approx(float("nan"), nan_ok=True), 2]
    assert connected.stats()["calls"] == 5


@pytest.mark.whole_runs
def test_an_image_to_retry_with_a_bad_value_fails_no_later_run(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    pages: Callable[[str, str], None],
    connected: RunningEmulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spread(2, 1)
    pages("k000", "1")
    (tmp_path / "0.jpg").rename(tmp_path / "away.jpg")
    run_of(0, source=with_pages(0))
    pages("k000", "many")
    assert run_of(1, source=with_pages(1))["statuses"] == {"recognized": 1}
    assert "earlier runs left cannot be read, and stays unfinished: key 'k000'" in caplog.text


@pytest.mark.whole_runs
def test_images_that_fail_in_every_run_keep_no_later_run_from_its_own(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    warehouse: sa.Engine,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spread(4, 2, 2)
    change(warehouse, "UPDATE permit_images SET image = 'https://no.invalid/1' WHERE image_id < 'k004'")

    def run(day: int) -> dict[str, Any]:
        return run_of(
            day,
            target=ResultFile(f"{tmp_path}/{day}.csv"),
            list="permits",
            images=ImageAccess(fetch_images=True),
            failure_limits=FailureLimits(stop_after=3),
            max_in_flight=1,
        )

    with pytest.raises(Exception, match="3 consecutive images failed"):
        run(0)
    assert [run(day)["statuses"]["recognized"] for day in (1, 2)] == [2, 2]
    assert "(day 0) left stays unfinished: too many of its images fail, the last with Image" in caplog.text
    assert {each.name for each in tmp_path.glob("*.csv")} == {"1.csv", "2.csv"}


def query_of(condition: str) -> ImageQuery:
    return ImageQuery(
        f"SELECT image_id, image FROM permit_images WHERE {condition}",
        conn_id="warehouse",
        key="image_id",
        image="image",
    )


@pytest.mark.whole_runs
def test_a_file_holds_the_rows_of_its_own_query_though_another_task_reads_the_same_list(
    image_list: ImageList,
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    image_list(5)

    def run(day: int, part: int, **arguments: Any) -> dict[str, Any]:
        source = query_of("image_id < 'k003'" if part == 0 else "image_id >= 'k003'")
        file = ResultFile(f"{tmp_path}/{day}-{part}.csv")
        return run_of(day, source=source, target=file, list="permits", map_index=part, **arguments)

    def keys_in(name: str) -> list[str]:
        return list(pd.read_csv(tmp_path / name)["image_key"])

    run(0, 0, cap=1)
    run(0, 1)
    assert not (tmp_path / "0-0.csv").exists()
    run(1, 0)
    assert keys_in("0-0.csv") == ["k000", "k001", "k002"]
    assert run(2, 1, rebuild=True)["files"] == 1
    assert keys_in("0-0.csv") == keys_in("1-0.csv") == ["k000", "k001", "k002"]
    assert keys_in("2-1.csv") == ["k003", "k004"]


@pytest.mark.slow
def test_a_file_of_a_window_is_not_written_once_nothing_tells_its_rows(
    spread: Callable[..., list[Specimen]],
    run_of: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    spread(3, 2)
    run_of(0, cap=1, target=ResultFile(f"{tmp_path}/0.csv"), list="permits")
    timeless = ImageTable("permit_images", conn_id="warehouse", key="image_id", image="image")
    with pytest.raises(AirflowFailException, match=r"updated_at.*clear the run.*the earlier run day 0"):
        run_of(1, source=timeless, target=ResultFile(f"{tmp_path}/1.csv"), list="permits")
    assert {each.name for each in tmp_path.glob("*.csv")} == {"1.csv"}
