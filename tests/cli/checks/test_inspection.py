from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.cli.checks import inspection
from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Variant, Verdict
from airflow_provider_permitocr.cli.checks.inspection import Inspection

NewTask = Callable[..., OcrTask]
SetConnection = Callable[..., None]
POOLS = {"tencent_permit_ocr": 20, "second": 10}


def wrong(findings: list[Finding]) -> list[str]:
    return [each.subject for each in findings if each.verdict is Verdict.WRONG]


@pytest.fixture(autouse=True)
def connections(set_connection: SetConnection, lake: sa.Engine) -> None:
    for conn_id, secret_id in (("tencentcloud_default", "AKIDx"), ("again", "AKIDx"), ("other", "AKIDy")):
        set_connection(conn_id, conn_type="tencentcloud", login=secret_id, password="k")


@pytest.mark.parametrize(("conn_id", "subjects"), [("again", ["quota"]), ("other", [])])
def test_connections_with_the_same_keys_share_a_quota(
    ocr_task: NewTask, conn_id: str, subjects: list[str]
) -> None:
    tasks = [ocr_task(), ocr_task(pool="second", tencentcloud_conn_id=conn_id)]
    inspected = Inspection(tasks, POOLS, 20, ask=False)
    assert [wrong(inspected.findings(task)) for task in tasks] == [subjects, subjects]


def test_what_tasks_share_is_looked_at_once(ocr_task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(conn_id: str, *, ask: bool) -> Finding:
        looked.append(conn_id)
        return Finding(Verdict.OK, "connection", conn_id)

    monkeypatch.setattr(inspection, "check_connection", look)
    tasks = [ocr_task(), ocr_task(), ocr_task(tencentcloud_conn_id="other")]
    inspected = Inspection(tasks, POOLS, 20, ask=True)
    for task in tasks:
        inspected.findings(task)
    assert looked == ["tencentcloud_default", "other"]


def test_slots_are_worth_what_the_connection_says(ocr_task: NewTask, set_connection: SetConnection) -> None:
    extra = {"requests_per_slot": 2}
    set_connection("double", conn_type="tencentcloud", login="AKIDz", password="k", extra=extra)
    task = ocr_task(tencentcloud_conn_id="double")
    assert wrong(Inspection([task], POOLS, 20, ask=False).findings(task)) == ["quota"]
    assert wrong(Inspection([task], POOLS, 40, ask=False).findings(task)) == []


def test_a_templated_connection_is_unchecked_and_its_pool_is_checked(ocr_task: NewTask) -> None:
    task = ocr_task(tencentcloud_conn_id="{{ params.account }}", pool="nobodys")
    findings = Inspection([task], POOLS, 20, ask=True).findings(task)
    assert [(each.verdict, each.subject) for each in findings[:2]] == [
        (Verdict.WRONG, "pool"),
        (Verdict.UNCHECKED, "connection"),
    ]


def test_a_task_of_which_nothing_is_known_is_no_failure(ocr_task: NewTask) -> None:
    task = ocr_task(variants=(Variant(),))
    findings = Inspection([task], POOLS, 20, ask=True).findings(task)
    assert [each.subject for each in findings] == ["pool"]
