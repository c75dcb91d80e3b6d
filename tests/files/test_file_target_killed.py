"""Real processes, killed at any moment: what they had written is there, and nothing is half there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from airflow_provider_permitocr.core.models import Record

if TYPE_CHECKING:
    from tests.files.conftest import Place

#: Does what a run does: skips what is known, writes what is not in batches of two, merges; over and over,
#: with other keys. Says of each row when it is committed.
RUN = """
import sys
from datetime import UTC, datetime
from itertools import count

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.frame import to_frame
from airflow_provider_permitocr.files.file_target import FileResultTarget
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.result_file import FileFormat
from airflow_provider_permitocr.files.row_format import row_format
from airflow_provider_permitocr.files.store import StoredFile

path = sys.argv[1]
file = StoredFile(LocalStore(), path, row_format(FileFormat(path.partition(".")[2])), "the file")
for number in count():
    target = FileResultTarget(file)
    target.prepare()
    keys = [f"{each:05}" for each in range(number * 6, number * 6 + 6)]
    known = target.previous([(key, CardSide.FRONT) for key in keys])
    asked = [key for key in keys if (key, CardSide.FRONT) not in known]
    for start in range(0, len(asked), 2):
        batch = asked[start : start + 2]
        rows = [
            {"image_key": key, "card_side": "FRONT", "status": "recognized", "tries": 1,
             "processed_at": datetime.now(UTC), "name": key}
            for key in batch
        ]
        print("paid", *batch, flush=True)
        target.write(to_frame(rows))
        print("kept", *batch, flush=True)
    target.finish()
"""


@pytest.mark.parametrize("name", ["permits.parquet", "permits.csv"])
def test_runs_that_are_killed_at_any_moment_lose_nothing_that_was_written(
    disk: Place, read_back: Callable[[bytes, str], pd.DataFrame], name: str
) -> None:
    path = Path(disk.directory) / name
    kept: set[str] = set()
    paid: list[str] = []
    drawn = random.Random(7)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", RUN, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        try:
            lines = [writer.stdout.readline()]
            time.sleep(drawn.uniform(0, 0.2))
        finally:
            writer.send_signal(signal.SIGKILL)
        lines += writer.communicate()[0].splitlines()
        for line in lines:
            said, *keys = line.split()
            kept |= set(keys) if said == "kept" else set()
            paid += keys if said == "paid" else []
        if path.exists():
            read = read_back(path.read_bytes(), name)
            assert read["image_key"].is_unique
            assert list(read["name"]) == [f"{int(key):05}" for key in read["name"]]

    target = disk.target(name)
    target.prepare()
    target.finish()

    found = list(read_back(path.read_bytes(), name)["name"])
    assert len(found) == len(set(found))
    assert kept <= set(found) <= set(paid)
    # A run asks again for the one batch at most that it was about to write.
    assert len(paid) - len(set(paid)) <= 2 * 5
    assert disk.names() == [name]
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_what_a_run_left_that_was_killed_while_it_tried_out_the_folder_goes_with_the_next(
    place: Place, new_row: Callable[..., Record], write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(type(place.store), "remove", lambda *_arguments: None)
        place.target().prepare()
    assert any(name.endswith(".trial") for name in place.names())

    again = place.target()
    again.prepare()
    write(again, new_row("a"))
    again.finish()

    assert place.names() == ["permits.parquet"]


def test_what_a_run_left_that_was_killed_as_it_ended_goes_with_the_next(
    disk: Place, new_row: Callable[..., Record], write: Callable[..., None]
) -> None:
    ended = disk.target()
    ended.prepare()
    write(ended, new_row("a"))
    ended.finish()
    left = Path(disk.directory) / "_permits.parquet.parts"
    left.mkdir()
    (left / "merging.lock").touch()

    again = disk.target()
    again.prepare()
    again.finish()

    assert disk.names() == ["permits.parquet"]
    assert not left.exists()


def test_an_object_store_keeps_the_parts_of_a_run_that_died(
    bucket: Place, new_row: Callable[..., Record], write: Callable[..., None]
) -> None:
    died = bucket.target()
    died.prepare()
    write(died, new_row("a"))

    again = bucket.target()
    again.prepare()
    write(again, new_row("b"))
    again.finish()

    assert bucket.names() == ["permits.parquet"]
