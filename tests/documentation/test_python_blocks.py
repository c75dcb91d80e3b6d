"""Python blocks: a task of the operator is parsed in a DAG file and rendered, all else meets the emulator.

A block knows what the blocks above it on its page import, and nothing else. In a call of the operator,
``...`` stands for what every task is given.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import airflow.sdk
import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_permitocr.cli.checks.findings import Verdict
from airflow_provider_permitocr.cli.checks.template_checks import check_templates
from airflow_provider_permitocr.cli.ocr_tasks import is_ocr_task, read_task
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from tests.documentation.blocks import Shown, blocks

if TYPE_CHECKING:
    from airflow.sdk import DAG

#: Its blocks are tests, which `test_testing_page.py` runs.
TESTING_PAGE: Final = "docs/guides/testing.md"
_LISTS: Final = ("ImageTable", "ImageQuery")
_ELIDED: Final = {"task_id": "'recognize_permits'", "source": "_SOURCE", "target": "_TARGET"}
#: Around blocks without a DAG of their own. Params are those that blocks name in a comment or a template.
_FILE: Final = """
{imports}
import airflow.sdk as _airflow
import airflow_provider_permitocr.operators.mainland_permit_ocr as _provider

_SOURCE = _provider.ImageTable("permit_images", conn_id="lake", key="image_id", image="image_url")
_TARGET = _provider.ResultTable("permits", conn_id="warehouse")
_PARAMS = {{"rebuild": False, "codes": "FailedOperation.ImageBlur"}}
with _airflow.DAG("of_the_page", schedule=None, params=_PARAMS):
    pass
{block}
"""


def names_called(tree: ast.AST) -> set[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


def describes_a_task(block: Shown) -> bool:
    return bool(names_called(ast.parse(block.text)) & {"MainlandPermitOcrOperator", *_LISTS})


def imports_above(block: Shown) -> str:
    above = [each for each in blocks("python") if each.page == block.page and each.line < block.line]
    statements = [node for each in above for node in ast.parse(each.text).body]
    shown = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, shown))


class _Completed(ast.NodeTransformer):
    """Gives a task what ``...`` stands for, and a list that stands alone a task that reads it."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        is_task = isinstance(node.func, ast.Name) and node.func.id == "MainlandPermitOcrOperator"
        if is_task and any(isinstance(each, ast.Constant) and each.value is ... for each in node.args):
            given = {keyword.arg for keyword in node.keywords}
            elided = {name: value for name, value in _ELIDED.items() if name not in given}
            node.args = []
            node.keywords += [ast.keyword(name, ast.Name(value)) for name, value in elided.items()]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        if names_called(node) & set(_LISTS) and isinstance(node.value, ast.Call):
            task = f"_provider.MainlandPermitOcrOperator(task_id='line_{node.lineno}', target=_TARGET)"
            (made,) = ast.parse(task).body
            assert isinstance(made, ast.Expr)
            assert isinstance(made.value, ast.Call)
            made.value.keywords.append(ast.keyword("source", node.value))
            return made
        return node


def dag_file(block: Shown) -> str:
    tree = ast.parse(block.text)
    if "DAG" in names_called(tree):
        return f"{imports_above(block)}\n{block.text}"
    whole = ast.parse(_FILE.format(imports=imports_above(block), block=""))
    frame = next(node for node in whole.body if isinstance(node, ast.With))
    frame.body = [_Completed().visit(node) for node in tree.body]
    return ast.unparse(ast.fix_missing_locations(whole))


TASKS: Final = [block for block in blocks("python") if describes_a_task(block)]
PROGRAMS: Final = [
    block for block in blocks("python") if not describes_a_task(block) and block.page != TESTING_PAGE
]


@pytest.fixture
def parsed(tmp_path: Path) -> Callable[[Shown], DAG]:
    """Write the DAG file of a block and have Airflow parse it."""
    from airflow.dag_processing.dagbag import DagBag

    def parse(block: Shown) -> Any:
        (tmp_path / "permits.py").write_text(dag_file(block), encoding="utf-8")
        bag = DagBag(tmp_path, known_pools={"default_pool", "tencent_permit_ocr"})
        assert bag.import_errors == {}, f"{block}: {bag.import_errors}"
        assert bag.dag_warnings == set()
        (dag,) = bag.dags.values()
        return dag

    return parse


@pytest.mark.slow
@pytest.mark.parametrize("block", TASKS, ids=str)
def test_a_task_is_parsed_and_its_templates_are_rendered(
    block: Shown, parsed: Callable[[Shown], DAG]
) -> None:
    if "permit_ocr_retry_policy" in block.text and not hasattr(airflow.sdk, "RetryPolicy"):
        pytest.skip("as its page says, from Airflow 3.3 on")
    dag = parsed(block)
    assert dag.tasks
    day = datetime(2026, 5, 1, tzinfo=UTC)
    interval = {"data_interval_start": day, "data_interval_end": day + timedelta(days=1)}
    for task in filter(is_ocr_task, dag.tasks):
        described = read_task(dag, task)
        assert [each for each in described.findings if each.verdict is Verdict.WRONG] == []
        if isinstance(task, MappedOperator):
            continue  # Airflow renders it once it is expanded
        ready: Any = task.prepare_for_execution()
        found = [each for value in (ready.source, *ready.targets) for each in check_templates(value)]
        assert [each for each in found if each.verdict is Verdict.WRONG] == []
        context = {"ds": "2026-05-01", "logical_date": day, "params": dict(dag.params), "run_id": "run-1"}
        ready.render_template_fields(context | interval, ready.get_template_env(dag))


@pytest.mark.slow
def test_the_readmes_dag_has_ten_lines_and_recognizes_a_list(
    parsed: Callable[[Shown], DAG],
    airflow_metadata: None,
    tmp_path: Path,
    draw: Callable[..., Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    set_connection: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block = blocks("python")[0]
    assert block.page == "README.md"
    assert len([line for line in block.text.splitlines() if line]) <= 10
    connect_emulator(emulator)
    bundle = {"name": "page", "kwargs": {"path": str(tmp_path)}}
    bundle["classpath"] = "airflow.dag_processing.bundles.local.LocalDagBundle"
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    for name in ("lake", "warehouse"):
        set_connection(name, conn_type="sqlite", host=str(tmp_path / f"{name}.db"))
    specimens = {f"k{seed}": draw(seed=seed) for seed in range(2)}
    with sa.create_engine(f"sqlite:///{tmp_path}/lake.db").begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_images (image_id text PRIMARY KEY, image_url text)"))
        for key, specimen in specimens.items():
            (tmp_path / f"{key}.jpg").write_bytes(specimen.image)
            values = {"key": key, "image": f"{tmp_path}/{key}.jpg"}
            connection.execute(sa.text("INSERT INTO permit_images VALUES (:key, :image)"), values)

    dag: Any = parsed(block)
    (task,) = dag.tasks
    assert (task.pool, task.pool_slots) == ("tencent_permit_ocr", 20)
    assert dag.test(logical_date=datetime(2026, 5, 1, tzinfo=UTC)).state == "success"

    with sa.create_engine(f"sqlite:///{tmp_path}/warehouse.db").connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, number FROM permits")).all()
    assert {row.image_key: row.number for row in rows} == {
        key: specimen.fields["Number"] for key, specimen in specimens.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_runs(
    block: Shown,
    tmp_path: Path,
    front: Specimen,
    back: Specimen,
    serve_image: Callable[[bytes], str],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # As fast as the emulator, which has no quota.
    connect_emulator(emulator, extra={"requests_per_slot": 100})
    scans, lake = tmp_path / "scans", tmp_path / "lake"
    (lake / "permits").mkdir(parents=True)
    (lake / "scans").mkdir()
    scans.mkdir()
    (scans / "fronts").mkdir()
    for fronts in (scans, scans / "fronts"):
        (fronts / "1.jpg").write_bytes(front.image)
    (scans / "1b.jpg").write_bytes(back.image)
    listed = pd.DataFrame({"id": ["1"], "path": [str(scans / "1.jpg")], "branch": ["HK"]})
    listed.to_parquet(lake / "scans" / "2026-05-01.parquet")
    (lake / "permits" / "2026-05-01.csv").write_text("image_key,name\r\nk1,'=1+1\r\n", encoding="utf-8")
    text = f"{imports_above(block)}\n{block.text}"
    for shown, here in {
        "http://127.0.0.1:9000/permit.jpg": serve_image(front.image),
        "127.0.0.1:8520": emulator.endpoint,
        '"/scans': f'"{scans}',
        '"/tmp/permits': f'"{tmp_path}/permits',
        '"/lake': f'"{lake}',
    }.items():
        text = text.replace(shown, here)

    names: dict[str, Any] = {"__name__": "of_the_page"}
    exec(compile(text, str(block), "exec"), names)
    given = SimpleNamespace(day="2026-05-01", folder=scans / "fronts")
    for node in ast.parse(block.text).body:
        if isinstance(node, ast.FunctionDef):
            function = getattr(names[node.name], "function", names[node.name])  # of a task
            function(**{argument.arg: getattr(given, argument.arg) for argument in node.args.args})

    asks_the_api = any(word in text for word in ("recognize", "call_json"))
    assert emulator.stats()["by_code"].keys() == ({"OK"} if asks_the_api else set())
    assert front.fields["Number"] not in capsys.readouterr().out
