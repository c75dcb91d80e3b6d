from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

_ROOT = Path(__file__).parents[1]
_PAGES = [_ROOT / "README.md", _ROOT / "CHANGELOG.md", *sorted((_ROOT / "docs").rglob("*.md"))]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_path_that_the_map_names_is_there() -> None:
    text = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = _ROOT / "airflow_provider_permitocr"
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", text)) - {"frame.py"}
    assert len(named) > 20
    assert [each for each in named if not ((_ROOT / each).exists() or (package / each).exists())] == []


def test_the_readmes_dag_has_ten_lines_and_can_be_parsed(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    source = python_blocks(_ROOT / "README.md")[0]
    assert len([line for line in source.splitlines() if line]) <= 10
    (tmp_path / "permits.py").write_text(source, encoding="utf-8")

    bag = DagBag(tmp_path)

    assert bag.import_errors == {}
    (task,) = bag.dags["permits"].tasks
    assert (task.pool, task.pool_slots) == ("tencent_permit_ocr", 20)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_every_example_is_python(page: Path) -> None:
    for block in python_blocks(page):
        ast.parse(block)


@pytest.mark.parametrize("engine", ["postgres_engine", "mariadb_engine"])
def test_the_queries_of_the_ledgers_page_run(engine: str, request: pytest.FixtureRequest) -> None:
    page = (_ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
    queries = "".join(re.findall(r"^```sql\n(.*?)^```", page, re.M | re.S)).split(";\n")
    database: sa.Engine = request.getfixturevalue(engine)
    ledger_tables("permit_ocr").state.metadata.create_all(database)

    with database.connect() as connection:
        found = [connection.exec_driver_sql(query).all() for query in queries if query.strip()]

    assert found == [[]] * 5
