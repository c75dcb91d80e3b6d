from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.cli.checks.findings import Finding, Variant, Verdict
from airflow_provider_permitocr.cli.checks.ledger_checks import check_ledger
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, register_list
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables

SetConnection = Callable[..., None]
LEDGER = Ledger("permit_ocr", conn_id="lake")
PASTE = 'ledger=Ledger("permit_ocr", conn_id="...")'


def identity(**special: Any) -> ListIdentity:
    described: dict[str, Any] = {
        "name": "lake:permits",
        "is_default_name": True,
        "source_conn_id": "lake",
        "source_table": "permit_images",
        "key_column": "image_id",
        "targets": ("lake:permits",),
    }
    return ListIdentity(**(described | special))


def said(findings: list[Finding]) -> list[tuple[Verdict, str, str]]:
    return [(each.verdict, each.subject, each.message) for each in findings]


def with_list(engine: sa.Engine, known: ListIdentity) -> None:
    tables = prepare_tables(engine, LEDGER, "UTC")
    with engine.begin() as connection:
        lock(connection, tables)
        register_list(connection, tables, known)


@pytest.fixture(autouse=True)
def executor(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let Airflow be set up with an executor; with LocalExecutor, unless a test says otherwise."""

    def set_up(name: str) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", name)

    set_up("LocalExecutor")
    return set_up


def test_a_missing_ledger_is_told_and_not_created(lake: sa.Engine) -> None:
    assert said(check_ledger(Variant(ledger=LEDGER, identity=identity()))) == [
        (Verdict.OK, "ledger", "permit_ocr on lake does not exist yet; the first run creates it"),
        (Verdict.OK, "list", "'lake:permits' is new in permit_ocr on lake"),
    ]
    assert sa.inspect(lake).get_table_names() == ["permit_images"]


def test_by_default_the_ledger_is_beside_the_result_table(lake: sa.Engine) -> None:
    with_list(lake, identity())
    before = sa.inspect(lake).get_table_names()
    assert said(
        check_ledger(Variant(targets=(ResultTable("permits", conn_id="lake"),), identity=identity()))
    ) == [
        (Verdict.OK, "ledger", "permit_ocr on lake can be written"),
        (Verdict.OK, "list", "'lake:permits' is known in permit_ocr on lake"),
    ]
    assert sa.inspect(lake).get_table_names() == before


def test_a_list_that_the_next_run_would_be_refused_for_is_wrong(lake: sa.Engine) -> None:
    with_list(lake, identity())
    renamed = identity(name="lake:permits_2", targets=("lake:permits_2",))
    ledger, of_list = check_ledger(Variant(ledger=LEDGER, identity=renamed))
    assert (ledger.verdict, of_list.verdict) == (Verdict.OK, Verdict.WRONG)
    assert "Give list='lake:permits' to continue the known list" in of_list.message


def test_another_list_in_the_table_is_wrong_however_the_table_is_spelled(lake: sa.Engine) -> None:
    with_list(lake, identity(source_table="other_images", targets=("lake:main.permits",)))
    target = ResultTable("main.Permits", conn_id="lake")
    respelled = identity(name="lake:main.Permits", targets=("lake:main.Permits",))
    _, of_list = check_ledger(Variant(ledger=LEDGER, targets=(target,), identity=respelled))
    assert of_list.verdict is Verdict.WRONG
    assert "'lake:main.permits' gets the list 'lake:permits' already" in of_list.message


def test_a_table_of_another_shape_is_no_ledger(lake: sa.Engine) -> None:
    with lake.begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_ocr_calls (day date)"))
    (finding,) = check_ledger(Variant(ledger=LEDGER, identity=identity()))
    assert finding.verdict is Verdict.WRONG
    assert "'permit_ocr_calls' exists already and cannot hold a ledger" in finding.message


@pytest.mark.parametrize(
    "executor_name", ["CeleryExecutor", "LocalExecutor,KubernetesExecutor", "a.b.MyExecutor"]
)
def test_sqlite_is_noted_where_tasks_run_on_several_machines(
    lake: sa.Engine, executor: Callable[[str], None], executor_name: str
) -> None:
    executor(executor_name)
    _, note = check_ledger(Variant(ledger=LEDGER))
    assert note.verdict is Verdict.NOTE
    assert "is a SQLite file, which works on one machine only" in note.message
    assert executor_name.rpartition(",")[2].rpartition(".")[2] in note.message
    assert PASTE in note.remedy


def test_postgresql_is_fit_for_every_executor(warehouse: sa.Engine, executor: Callable[[str], None]) -> None:
    executor("CeleryExecutor")
    (finding,) = check_ledger(Variant(targets=(ResultTable("permits", conn_id="warehouse"),)))
    assert finding.verdict is Verdict.OK


def test_a_warehouse_that_cannot_hold_a_ledger_is_wrong_with_the_line_to_paste(
    duckdb_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_provider_permitocr.wiring.connections.sql_engine.sql_engine", lambda _: duckdb_engine
    )
    (finding,) = check_ledger(Variant(targets=(ResultTable("permits", conn_id="duck"),), identity=identity()))
    assert finding.verdict is Verdict.WRONG
    assert "a ledger cannot be kept in DuckDB" in finding.message
    assert PASTE in finding.message


def test_a_file_without_a_ledger_is_wrong_with_the_line_to_paste() -> None:
    (finding,) = check_ledger(Variant(targets=(ResultFile("/data/permits.csv"),)))
    assert (finding.verdict, finding.subject) == (Verdict.WRONG, "ledger")
    assert PASTE in finding.remedy


def test_what_is_known_only_in_a_run_is_left_unchecked(lake: sa.Engine) -> None:
    assert said(check_ledger(Variant(ledger=Ledger("ocr_{{ ds }}", conn_id="lake")))) == [
        (Verdict.UNCHECKED, "ledger", "name: templated; known only at run time")
    ]
    templated = identity(name="permits of {{ ds }}")
    assert said(check_ledger(Variant(ledger=LEDGER, identity=templated)))[1:] == [
        (Verdict.UNCHECKED, "list", "'permits of {{ ds }}': templated; known only at run time")
    ]
    assert check_ledger(Variant()) == []


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path, set_connection: SetConnection) -> None:
    file = tmp_path / "new.db"
    set_connection("lake", conn_type="sqlite", host=str(file))
    found = check_ledger(Variant(ledger=LEDGER, identity=identity()))
    assert [each.verdict for each in found] == [Verdict.OK, Verdict.OK]
    assert "the first run creates both" in found[0].message
    assert not file.exists()
