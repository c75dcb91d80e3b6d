"""Tables that are filled by the database itself are those that a run would have left."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from airflow_provider_permitocr.options.ledger import Ledger
from labs.bench.programs import write_batches
from labs.bench.programs.lists import exchanges, finish_list, finished_list, ledger_size
from labs.bench.programs.lists.filled import fill_ledger
from labs.bench.programs.stubbed import engine, open_ledger, run_stubbed
from labs.ground.servers.postgres import EmbeddedPostgres

ROWS = 120


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


@pytest.fixture
def elsewhere(postgres: EmbeddedPostgres, postgres_database: str) -> str:
    postgres.create_database(f"{postgres_database}_lists", replace=True)
    return postgres.dsn(f"{postgres_database}_lists")


@pytest.fixture
def sqlite_file(dsn: str, elsewhere: str, tmp_path: Path) -> Path:
    """Another copy of a list of which every row is done."""
    file = tmp_path / "images.db"
    finish_list.main(dsn, elsewhere, str(file), str(ROWS))
    return file


@pytest.mark.slow
@pytest.mark.usefixtures("sqlite_file")
def test_a_run_finds_nothing_to_do(dsn: str) -> None:
    summary = run_stubbed(dsn)
    assert (summary.listed, summary.skipped, summary.calls) == (ROWS, ROWS, 0)


@pytest.mark.slow
def test_a_run_over_a_list_elsewhere_finds_nothing_to_do(dsn: str, elsewhere: str, sqlite_file: Path) -> None:
    for source in (engine(elsewhere), engine(f"sqlite:///{sqlite_file}")):
        summary = run_stubbed(dsn, source=source)
        assert (summary.listed, summary.skipped, summary.calls) == (ROWS, ROWS, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("sqlite_file")
def test_the_bare_sql_counts_what_a_run_would_call_for(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(finished_list.NOTHING_TO_DO).fetchone() == (0,)
        connection.execute("INSERT INTO images VALUES ('new', 'https://images.example/new.jpg')")
        assert connection.execute(finished_list.NOTHING_TO_DO).fetchone() == (1,)
    assert run_stubbed(dsn).calls == 1


@pytest.mark.slow
def test_every_answer_can_be_delivered(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_batches.main(dsn, "psycopg", str(ROWS), "1", "50")
    assert '"deliver": ' in capsys.readouterr().out


@pytest.mark.slow
def test_calls_are_granted_in_a_full_ledger_and_in_an_empty_one(
    dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exchanges.main(dsn, str(ROWS), "3")
    assert '"full": [' in capsys.readouterr().out


@pytest.mark.slow
def test_a_filled_ledger_knows_its_images(dsn: str) -> None:
    database = engine(dsn)
    ledger = fill_ledger(database, ROWS, Ledger("other", conn_id="warehouse"))
    changed = ledger.delivery("any").changes(0, ROWS)
    assert len(changed) == ROWS
    assert all(each.fields and each.fields["number"] == "08320271" for each in changed)
    empty = open_ledger(database, Ledger("empty", conn_id="warehouse"))
    empty.prepare("text")
    assert not empty.delivery("any").changes(0, ROWS)


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_the_size_of_a_ledger_is_told_by_table(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if kind == "sqlite" else request.getfixturevalue("dsn")
    ledger_size.main(url, str(ROWS))
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == ROWS
    calls, answers, images = (
        said["bytes per image"][f"permit_ocr_{name}"] for name in ("calls", "answers", "images")
    )
    assert min(calls, answers, images) > 300
    with engine(url).connect() as connection:
        counted = connection.exec_driver_sql("SELECT count(*) FROM permit_ocr_calls WHERE code = 'OK'")
        assert counted.scalar_one() == ROWS
