"""A rebuild says what it does, and what it cannot do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.delivery.rebuild import Rebuild, Rebuilt
from airflow_provider_permitocr.engine.ledger.ports import KeptAnswers
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.run import Batch

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeFile, FakeSource


def rebuild(bench: Bench, source: FakeSource) -> Rebuilt:
    ports = TargetPorts(
        source=source,
        ledger=bench.ledger,
        tables={"warehouse:permits": bench.target},
        files=[bench.file] if bench.file else [],
        open_file=lambda due: bench.left_files[due.path],
    )
    return Rebuild(ports, Batch(), log=bench.lines, stop=threading.Event()).run()


def test_a_table_gets_the_rows_that_it_lacks_and_those_that_it_has(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    source = new_source(bench.images(30))
    bench.run(source)
    for key in list(bench.target.rows)[:10]:
        del bench.target.rows[key]
    done = rebuild(bench, source)
    assert (done.written, done.files, len(bench.target.rows)) == (30, {}, 30)
    assert "30 images are written again from the ledger, without a call" in bench.lines


def test_a_file_of_a_list_that_is_not_dealt_with_yet_is_left(
    bench: Bench, new_source: type[FakeSource], new_file: type[FakeFile], caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(new_source(bench.images(3)))
    bench.file = new_file()
    assert rebuild(bench, new_source(bench.images(4))).files == {}
    assert (bench.file.rows, "images that no run has tried" in caplog.text) == (None, True)
    assert rebuild(bench, new_source(bench.images(3))).files == {"/result.csv": 3}


def test_what_was_never_kept_is_refused_and_it_is_said_what_to_do(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    with pytest.raises(TargetError, match=r"no answers for this list.*`airflow permitocr adopt DAG TASK`"):
        rebuild(bench, new_source(bench.images(3)))


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        (KeptAnswers(readable=5), []),
        (KeptAnswers(readable=5, erased=120), ["for 120 images the answer was erased"]),
        (KeptAnswers(adopted=2, others=1), ["for 2 images the answer was adopted from a result table"]),
    ],
)
def test_columns_that_cannot_be_read_anew_are_named(kept: KeptAnswers, says: list[str]) -> None:
    said = Rebuilt(kept=kept, tables={"lake:permits": 1}, refused=0, files={}).unread_columns
    assert [line.partition(":")[0].partition(",")[0] for line in said] == says
    assert all("birthday" in line for line in said)
