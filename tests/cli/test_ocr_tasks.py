from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr.cli.checks.findings import OcrTask, Verdict
from airflow_provider_permitocr.cli.dags import read_dags
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery

WriteDag = Callable[..., None]


@pytest.fixture
def read(airflow_metadata: None, write_dag: WriteDag) -> Callable[..., OcrTask]:
    """Write a DAG of these lines and read its only task of the operator."""

    def write_and_read(*lines: str) -> OcrTask:
        # Of URLs alone: of a list that may name files there is more to say.
        of_urls = "TABLES['source'] = LIST = dataclasses.replace(LIST, image_kind='url')"
        write_dag("import dataclasses", of_urls, *lines)
        files = read_dags()
        assert files.findings == ()
        (task,) = files.tasks
        return task

    return write_and_read


def messages(task: OcrTask) -> list[tuple[Verdict, str]]:
    return [(each.verdict, each.message) for each in task.findings]


def test_a_plain_task_has_one_variant(read: Callable[..., OcrTask]) -> None:
    task = read("MainlandPermitOcrOperator(task_id='a', **TABLES, pool='p', pool_slots=3, max_per_second=2)")
    (variant,) = task.variants
    assert (task.dag_id, task.task_id, task.file) == ("permits", "a", "permits.py")
    assert (task.pool, task.pool_slots, variant.max_per_second) == ("p", 3, 2)
    assert variant.source is not None
    assert (variant.tencentcloud_conn_id, variant.shard) == ("tencentcloud_default", None)


def test_the_ledger_and_what_it_knows_the_list_by_are_read(read: Callable[..., OcrTask]) -> None:
    task = read(
        "MainlandPermitOcrOperator(task_id='a', **TABLES, list='permits',"
        " ledger=Ledger('ocr', conn_id='ops'))"
    )
    (variant,) = task.variants
    assert variant.ledger == Ledger("ocr", conn_id="ops")
    assert variant.identity is not None
    assert (variant.identity.name, variant.identity.targets) == ("permits", ("lake:permits",))


def test_a_list_whose_name_an_upstream_task_gives_is_not_known(read: Callable[..., OcrTask]) -> None:
    task = read(
        "names = task(lambda: ['x'], task_id='n')()",
        "MainlandPermitOcrOperator.partial(task_id='a', **TABLES).expand(list=names)",
    )
    assert [each.identity for each in task.variants] == [None]


def test_limits_of_the_dag_and_of_the_task_are_read(write_dag: WriteDag, airflow_metadata: None) -> None:
    write_dag(
        "MainlandPermitOcrOperator(task_id='a', **TABLES, max_active_tis_per_dag=2)",
        arguments="schedule=None, max_active_tasks=3",
    )
    (task,) = read_dags().tasks
    assert task.limits == {"max_active_tis_per_dag": 2, "max_active_tasks": 3}


def test_tasks_of_other_operators_are_left_alone(write_dag: WriteDag, airflow_metadata: None) -> None:
    write_dag("task(lambda: None, task_id='other')()")
    files = read_dags()
    assert (files.tasks, files.dag_ids) == ((), ("permits",))


def test_the_operator_for_analysts_beside_it_is_no_task_that_calls(
    write_dag: WriteDag, airflow_metadata: None
) -> None:
    write_dag(
        "from airflow_provider_permitocr import PermitAnalyticsOperator",
        "MainlandPermitOcrOperator(task_id='a', **TABLES)",
        "PermitAnalyticsOperator(task_id='b', result=TABLES['target'], report='/r/{{ ds }}.html')",
    )
    assert [each.task_id for each in read_dags().tasks] == ["a"]


def test_a_task_in_a_group_and_of_a_subclass_is_found(read: Callable[..., OcrTask]) -> None:
    task = read(
        "@task_group",
        "def night():",
        "    Nightly(task_id='a', shard='1/2', **TABLES)",
        "night()",
    )
    assert task.task_id == "night.a"
    assert [each.shard for each in task.variants] == ["1/2"]


def test_a_mapped_task_has_a_variant_for_every_combination(read: Callable[..., OcrTask]) -> None:
    task = read(
        "targets = [ResultTable(f'permits_{n}', conn_id='lake') for n in range(3)]",
        "Nightly.partial(task_id='a', source=LIST, pool='p', pool_slots=2, max_active_tis_per_dagrun=4)"
        ".expand(shard=shards(2), target=targets)",
    )
    found = {(each.shard, each.tables[0].table) for each in task.variants if each.tables}
    assert found == {(shard, f"permits_{n}") for shard in ("1/2", "2/2") for n in range(3)}
    assert (task.pool, task.pool_slots, task.limits["max_active_tis_per_dagrun"]) == ("p", 2, 4)
    assert task.findings == ()


def test_arguments_mapped_one_by_one_are_read(read: Callable[..., OcrTask]) -> None:
    task = read(
        "Nightly.partial(task_id='a', source=LIST)"
        ".expand_kwargs([{'target': RESULT, 'shard': '1/1', 'max_per_second': 4}])",
    )
    (variant,) = task.variants
    assert (variant.shard, variant.max_per_second) == ("1/1", 4)


def test_what_an_upstream_task_gives_is_known_only_at_run_time(read: Callable[..., OcrTask]) -> None:
    task = read(
        "lists = task(lambda: [], task_id='lists')()",
        "MainlandPermitOcrOperator.partial(task_id='a', target=RESULT).expand(source=lists)",
    )
    (variant,) = task.variants
    assert messages(task) == [(Verdict.UNCHECKED, "source: known only at run time")]
    assert variant.source is None
    assert variant.targets
    assert variant.tencentcloud_conn_id == "tencentcloud_default"


@pytest.mark.parametrize("given", ["lists", "[lists]", "[{'source': LIST, 'tencentcloud_conn_id': lists}]"])
def test_arguments_that_an_upstream_task_gives_leave_no_connection(
    read: Callable[..., OcrTask], given: str
) -> None:
    task = read(
        "lists = task(lambda: [], task_id='lists')()",
        f"MainlandPermitOcrOperator.partial(task_id='a', target=RESULT).expand_kwargs({given})",
    )
    (variant,) = task.variants
    assert [each.verdict for each in task.findings] == [Verdict.UNCHECKED]
    assert variant.tencentcloud_conn_id is None
    assert variant.targets


def test_a_connection_of_a_mapped_group_is_known_only_at_run_time(read: Callable[..., OcrTask]) -> None:
    task = read(
        "@task_group",
        "def account(conn_id):",
        "    MainlandPermitOcrOperator(task_id='a', **TABLES, tencentcloud_conn_id=conn_id)",
        "account.expand(conn_id=['a', 'b'])",
    )
    assert task.accounts == ()
    assert messages(task) == [(Verdict.UNCHECKED, "tencentcloud_conn_id: known only at run time")]


def test_a_templated_shard_is_known_only_in_a_run(read: Callable[..., OcrTask]) -> None:
    task = read("MainlandPermitOcrOperator(task_id='a', **TABLES, shard='{{ params.shard }}')")
    assert messages(task) == [(Verdict.UNCHECKED, "shard: templated; known only at run time")]
    assert task.variants[0].shard is None


def test_a_shard_that_there_is_not_is_told(read: Callable[..., OcrTask]) -> None:
    task = read("Nightly.partial(task_id='a', **TABLES).expand(shard=['1/4', '5/4'])")
    (finding,) = task.findings
    assert finding.verdict is Verdict.WRONG
    assert "there is no shard 5/4" in finding.message


@pytest.mark.parametrize("mapped", ["expand(pool=['p'])", "expand_kwargs([{'pool_slots': 2}])"])
def test_a_mapped_pool_never_takes_effect(read: Callable[..., OcrTask], mapped: str) -> None:
    task = read(f"MainlandPermitOcrOperator.partial(task_id='a', **TABLES).{mapped}")
    finding = task.findings[0]
    assert finding.verdict is Verdict.WRONG
    assert "Airflow does not map pool" in finding.message
    assert "to partial()" in finding.remedy


def test_an_instance_that_the_operator_refuses_is_told(read: Callable[..., OcrTask]) -> None:
    task = read(
        "MainlandPermitOcrOperator.partial(task_id='a', source=LIST).expand(target=[RESULT, 'permits'])"
    )
    assert len(task.variants) == 1
    assert messages(task) == [
        (Verdict.WRONG, "cannot be mapped: target must be ResultTable or ResultFile, not str"),
    ]


def test_a_statement_in_a_file_is_read(read: Callable[..., OcrTask], dag_folder: Path) -> None:
    (dag_folder / "list.sql").write_text("SELECT 1", encoding="utf-8")
    task = read(
        "query = ImageQuery('list.sql', conn_id='lake', key='k', image='i', image_kind='url')",
        "MainlandPermitOcrOperator(task_id='a', source=query, target=RESULT)",
    )
    (variant,) = task.variants
    assert isinstance(variant.source, ImageQuery)
    assert variant.source.sql == "SELECT 1"


@pytest.mark.parametrize("content", [None, ""])
def test_a_statements_file_that_cannot_be_used_is_told(
    read: Callable[..., OcrTask], dag_folder: Path, content: str | None
) -> None:
    if content is not None:
        (dag_folder / "list.sql").write_text(content, encoding="utf-8")
    task = read(
        "query = ImageQuery('list.sql', conn_id='lake', key='k', image='i', image_kind='url')",
        "MainlandPermitOcrOperator(task_id='a', source=query, target=RESULT)",
    )
    (finding,) = task.findings
    assert finding.verdict is Verdict.WRONG
    assert "'list.sql'" in finding.message


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        ("reuse_identical=True", True),
        ("reuse_identical=False", False),
        ("reuse_identical=True, images=ImageAccess(fetch_images=True)", False),
    ],
)
def test_copies_that_only_the_api_sees_are_told(
    read: Callable[..., OcrTask], arguments: str, is_told: bool
) -> None:
    task = read(
        "from airflow_provider_permitocr import ImageAccess",
        f"MainlandPermitOcrOperator(task_id='a', **TABLES, {arguments})",
    )
    told = [each for each in task.findings if each.subject == "images"]
    assert bool(told) is is_told
    assert all("ImageAccess(fetch_images=True)" in each.remedy for each in told)


@pytest.mark.parametrize(
    ("kind", "images", "is_told"),
    [
        ("auto", "ImageAccess()", True),
        ("path", "ImageAccess()", True),
        ("url", "ImageAccess()", False),
        ("base64", "ImageAccess()", False),
        ("path", "ImageAccess(roots=['/data/permits'])", False),
    ],
)
def test_a_list_that_may_name_any_file_of_the_worker_is_told(
    read: Callable[..., OcrTask], kind: str, images: str, is_told: bool
) -> None:
    task = read(
        "from airflow_provider_permitocr import ImageAccess",
        f"source = ImageTable('i', conn_id='lake', key='k', image='i', image_kind='{kind}')",
        f"MainlandPermitOcrOperator(task_id='a', source=source, target=RESULT, images={images})",
    )
    told = [(each.verdict, "ImageAccess(roots=" in each.remedy) for each in task.findings]
    assert told == ([(Verdict.NOTE, True)] if is_told else [])


@pytest.mark.parametrize(
    ("sql", "is_told"),
    [
        ("SELECT * FROM i WHERE branch = '{{ dag_run.conf['branch'] }}'", True),
        ("SELECT * FROM i {% if params.branch %}WHERE branch = '{{ params.branch }}'{% endif %}", True),
        ("SELECT * FROM i WHERE day = '{{ ds }}'", False),
        ("SELECT * FROM i WHERE params = 1", False),
    ],
)
def test_a_query_that_who_may_trigger_a_dag_can_write_sql_into_is_told(
    read: Callable[..., OcrTask], sql: str, is_told: bool
) -> None:
    task = read(
        f"query = ImageQuery({sql!r}, conn_id='lake', key='k', image='i', image_kind='url')",
        "MainlandPermitOcrOperator(task_id='a', source=query, target=RESULT)",
    )
    told = [(each.verdict, each.subject) for each in task.findings if "parameters=" in each.remedy]
    assert told == ([(Verdict.NOTE, "image list")] if is_told else [])
