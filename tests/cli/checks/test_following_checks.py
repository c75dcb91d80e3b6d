"""What ``check`` says of tasks that follow recognition: reviews, and updates of analytics."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import result_columns
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

WriteDag = Callable[..., None]
Command = Callable[..., tuple[int, str]]

IMPORTS = "from airflow_provider_permitocr import PermitAnalyticsOperator, PermitReviewOperator"
RECOGNIZE = "a = MainlandPermitOcrOperator(task_id='a', **TABLES, pool='tencent_permit_ocr', pool_slots=20)"


@pytest.fixture
def said(
    command: Command,
    write_dag: WriteDag,
    set_pool: Callable[[str, int], None],
    set_connection: Callable[..., None],
) -> Callable[..., tuple[int, str]]:
    """Check a DAG with these lines; return the status, and what was said in one line."""
    set_pool("tencent_permit_ocr", 20)
    set_connection("tencentcloud_default", conn_type="tencentcloud", login="AKIDx", password="secret-word")

    def check(*lines: str, recognize: str = RECOGNIZE) -> tuple[int, str]:
        write_dag(IMPORTS, recognize, *lines)
        status, words = command("check", "permits", "--offline")
        return status, " ".join(words.split())

    return check


@pytest.mark.usefixtures("lake")
def test_tasks_that_follow_a_first_run_are_looked_at_and_nothing_is_wrong(
    said: Callable[..., tuple[int, str]],
) -> None:
    status, words = said(
        "PermitReviewOperator(task_id='review', recognition=a)",
        "PermitReviewOperator.partial(task_id='many', recognition=a).expand(question=[1, 2])",
        "PermitAnalyticsOperator(task_id='analyze', result=RESULT)",
    )
    assert status == 0
    assert "permits.review (permits.py)" in words
    assert words.count("permit_ocr on lake does not exist yet; the first run creates it") == 3
    assert "permits on lake does not exist yet; views can be created after the first run" in words
    assert "4 tasks in 1 DAG checked: nothing wrong" in words


@pytest.mark.usefixtures("lake")
def test_a_mapped_review_with_a_rule_that_does_not_exist_is_wrong(
    said: Callable[..., tuple[int, str]],
) -> None:
    status, words = said(
        "PermitReviewOperator.partial(task_id='many', recognition=a, flags=['no_such']).expand(question=[1])"
    )
    assert status == 1
    assert "cannot be mapped: " in words
    assert "flags must be a list of names of quality flags" in words


@pytest.mark.usefixtures("lake")
def test_a_review_of_readings_whose_flags_are_dropped_is_wrong(
    said: Callable[..., tuple[int, str]],
) -> None:
    recognize = RECOGNIZE.replace("**TABLES", "**TABLES, privacy='analytics'")
    status, words = said("PermitReviewOperator(task_id='review', recognition=a)", recognize=recognize)
    assert status == 1
    assert "drops quality flags" in words
    assert "quality_flags='keep'" in words


def test_a_name_that_something_else_has_is_wrong_before_analytics_run(
    said: Callable[..., tuple[int, str]], lake: sa.Engine
) -> None:
    SqlResultTarget(lake, ResultTable("permits", conn_id="lake")).prepare(result_columns(()))
    with lake.begin() as connection:
        connection.execute(sa.text("CREATE TABLE permits_by_day (a int)"))
    status, words = said("PermitAnalyticsOperator(task_id='analyze', result=RESULT)")
    assert status == 1
    assert "permits_by_day" in words


def test_analytics_of_a_table_that_no_ledger_fills_are_wrong(
    said: Callable[..., tuple[int, str]], lake: sa.Engine
) -> None:
    SqlResultTarget(lake, ResultTable("permits", conn_id="lake")).prepare(result_columns(()))
    status, words = said("PermitAnalyticsOperator(task_id='analyze', result=RESULT)")
    assert status == 1
    assert "there is no ledger 'permit_ocr' in connection 'lake'" in words


@pytest.mark.usefixtures("lake")
def test_a_connection_that_is_missing_is_wrong(said: Callable[..., tuple[int, str]]) -> None:
    status, words = said(
        "PermitAnalyticsOperator(task_id='analyze', result=ResultTable('permits', conn_id='nowhere'))"
    )
    assert status == 1
    assert "there is no connection 'nowhere'" in words


@pytest.mark.usefixtures("lake")
def test_what_only_a_run_knows_of_analytics_is_unchecked(said: Callable[..., tuple[int, str]]) -> None:
    status, words = said(
        "PermitAnalyticsOperator(task_id='analyze', result=ResultTable('{{ params.table }}', conn_id='lake'))"
    )
    assert (status, "table: templated; known only at run time" in words) == (0, True)
