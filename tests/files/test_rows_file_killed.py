"""Real processes, killed while they write a file: what is there is the whole file before or after."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from airflow_provider_permitocr.permit.columns import COLUMNS

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.files.conftest import Place

#: Writes the file over and over, each time with another name in all of its rows, in chunks.
RUN = """
import sys
from itertools import count

from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.files.row_format import row_format
from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.files.rows_file import StoredRowsFile

path = sys.argv[1]
named = ResultFile(path)
file = StoredRowsFile(
    store=LocalStore(),
    path=path,
    row_format=row_format(named),
    named="the file",
    due=DueFile("", None, ""),
)
for number in count(int(sys.argv[2])):
    file.prepare()
    row = {"card_side": "FRONT", "status": "recognized", "name": f"run-{number}"}
    chunks = ([row | {"image_key": f"{part}-{each}"} for each in range(100)] for part in range(5))
    file.write(COLUMNS, map(to_frame, chunks))
    print("written", number, flush=True)
"""


@pytest.mark.parametrize("name", ["permits.parquet", "permits.csv.gz"])
def test_a_file_whose_writer_is_killed_at_any_moment_is_whole(
    disk: Place, read_back: Callable[[bytes, str], pd.DataFrame], name: str
) -> None:
    drawn = random.Random(7)
    for attempt in range(5):
        command = [sys.executable, "-c", RUN, disk.path(name), str(attempt * 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == f"written {attempt * 1000}\n"
            time.sleep(drawn.uniform(0, 0.1))
            writer.kill()
        read = read_back(disk.read(name), name)
        assert len(read) == 500
        assert read["name"].nunique() == 1
        assert int(read["name"][0].removeprefix("run-")) >= attempt * 1000

    disk.rows_file(name).prepare()
    assert disk.names() == [name]
    disk.rows_file(name).write(COLUMNS, [])
    assert [each.name for each in Path(disk.directory).iterdir()] == [name]
