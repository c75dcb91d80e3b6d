"""What is planted is found, over each channel."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk import BaseHook, lineage
from airflow.sdk.observability.stats import Stats

from tests.support.collected import Collected, collecting
from tests.support.private_values import PrivateValues

SECRET = "a-secret-word"


@pytest.fixture
def private() -> PrivateValues:
    values = PrivateValues()
    values.add("key", SECRET)
    return values


def failing(body: str, **names: Any) -> Callable[[], None]:
    """Return a function of a library, as frames of tests are not looked at."""
    space: dict[str, Any] = {"SECRET": SECRET, "pd": pd} | names
    lines = "".join(f"    {line}\n" for line in body.split("; "))
    exec(compile(f"def function():\n{lines}", "/elsewhere/library.py", "exec"), space)
    return space["function"]  # type: ignore[no-any-return]


def caught(body: str) -> BaseException:
    try:
        failing(body)()
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("it raises nothing")


ERRORS = {
    "message": "raise ValueError(SECRET)",
    "cause": "raise ValueError() from KeyError(SECRET)",
    "error that it replaces": "try: raise KeyError(SECRET)\n    except KeyError: raise OSError() from None",
    "error of a group": "raise ExceptionGroup('', [KeyError(SECRET)])",
    "note": "error = ValueError(); error.add_note(SECRET); raise error",
    "attribute": "error = ValueError(); error.row = {'name': SECRET}; raise error",
    "local": "row = SECRET; raise ValueError()",
    "local that holds others": "row = [{'name': (SECRET,)}]; raise ValueError()",
    "local frame": "row = pd.DataFrame({'name': [SECRET]}); raise ValueError()",
}


@pytest.mark.parametrize("where", ERRORS)
def test_a_value_in_an_error_is_found(private: PrivateValues, tmp_path: Path, where: str) -> None:
    with collecting(tmp_path) as collected:
        collected.error(caught(ERRORS[where]))
    assert {kind for _, kind, _ in collected.leaks(private)} == {"key"}


def in_a_message(_collected: Collected, _folder: Path) -> None:
    logging.getLogger("made.earlier").debug("the row %s", SECRET)


def in_an_extra_of_a_record(_collected: Collected, _folder: Path) -> None:
    logging.getLogger("made.later").info("a row", extra={"row": {"name": SECRET}})


def in_an_error_in_the_log(_collected: Collected, _folder: Path) -> None:
    logging.getLogger("airflow").error("failed", exc_info=caught("row = SECRET; raise ValueError()"))


def in_an_error_of_a_thread(_collected: Collected, _folder: Path) -> None:
    thread = threading.Thread(target=failing("row = SECRET; raise ValueError()"))
    thread.start()
    thread.join()


def in_an_error_that_nobody_can_raise(_collected: Collected, _folder: Path) -> None:
    fail = failing("raise ValueError(SECRET)")

    class Row:
        def __del__(self) -> None:
            fail()

    Row()


def in_a_warning(_collected: Collected, _folder: Path) -> None:
    warnings.warn(SECRET, stacklevel=1)


def in_a_file_that_is_removed(_collected: Collected, folder: Path) -> None:
    (folder / "file").write_text(SECRET)
    (folder / "file").unlink()


def in_a_file_that_takes_another_s_place(_collected: Collected, folder: Path) -> None:
    (folder / "file").write_text(SECRET)
    (folder / "file").rename(folder.parent / "elsewhere")


def in_a_file_that_stays(collected: Collected, folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "file").write_text(SECRET)
    collected.end()


def in_an_argument_of_a_process(_collected: Collected, _folder: Path) -> None:
    subprocess.run([sys.executable, "-c", "pass", SECRET], check=True)


def in_the_environment_of_a_process(_collected: Collected, _folder: Path) -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True, env={"KEY": SECRET})


def in_a_table(collected: Collected, folder: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{folder.parent / 'ledger.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE calls (name text)")
        connection.execute(sa.text("INSERT INTO calls VALUES (:name)"), {"name": SECRET})
    collected.texts.clear()
    collected.tables(engine, but=())
    engine.dispose()


def in_a_metric(_collected: Collected, _folder: Path) -> None:
    Stats.incr("calls", tags={"name": SECRET})


def in_lineage(collected: Collected, _folder: Path) -> None:
    lineage.get_hook_lineage_collector().add_extra(BaseHook(), "row", SECRET)
    collected.end()


CHANNELS = {
    in_a_message: "log",
    in_an_extra_of_a_record: "log",
    in_an_error_in_the_log: "errors: locals",
    in_an_error_of_a_thread: "errors: locals",
    in_an_error_that_nobody_can_raise: "errors",
    in_a_warning: "warnings",
    in_a_file_that_is_removed: "files",
    in_a_file_that_takes_another_s_place: "files",
    in_a_file_that_stays: "files",
    in_an_argument_of_a_process: "processes",
    in_the_environment_of_a_process: "processes",
    in_a_table: "tables",
    in_a_metric: "metrics",
    in_lineage: "lineage",
}


@pytest.mark.parametrize("plant", CHANNELS, ids=lambda plant: plant.__name__.replace("_", " "))
def test_a_value_that_is_planted_is_found(
    private: PrivateValues, tmp_path: Path, plant: Callable[[Collected, Path], None]
) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    with collecting(folder) as collected:
        plant(collected, folder)
    assert (CHANNELS[plant], "key", SECRET) in collected.leaks(private)


def test_what_is_not_looked_for_is_not_found(private: PrivateValues, tmp_path: Path) -> None:
    with collecting(tmp_path) as collected:
        logging.getLogger("airflow").info("nothing to see")
    assert collected.leaks(private) == []
