from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest
from airflow.models.pool import Pool
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Variant, Verdict
from airflow_provider_permitocr.cli.checks.pool_rules import (
    DEFAULT_POOL,
    PoolUse,
    Rate,
    is_bounded,
    pool_findings,
    quota_shared_by_pools,
)

NewTask = Callable[..., OcrTask]
POOLS = {"default_pool": 128, "tencent_permit_ocr": 20, "infinite": -1, "small": 4, "closed": 0, "large": 50}
RATE = Rate(requests_per_slot=1, quota=20)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_pool_of_the_quotas_size_is_fine(ocr_task: NewTask) -> None:
    finding = only(pool_findings(ocr_task(), POOLS, RATE))
    assert finding.verdict is Verdict.OK
    assert "20 slots, worth 20 requests per second" in finding.message


@pytest.mark.parametrize(
    ("task", "message", "mend"),
    [
        ({"pool": "nobodys"}, "there is no pool 'nobodys': the task stays scheduled", "pools set nobodys 20"),
        ({"pool": "tencent_permits_ocr"}, "there is no pool", "use the pool 'tencent_permit_ocr'"),
        ({"pool": "infinite"}, "unlimited slots", "pools set infinite 20"),
        ({"pool": "default_pool"}, "nothing keeps to the account's quota", "pool='tencent_permit_ocr'"),
        ({"pool": "{{ var.value.p }}"}, "does not render pool", "write the pool's name"),
        ({"pool_slots": 21}, "wants 21 slots of tencent_permit_ocr, which has 20:", "pool_slots=20"),
        ({"pool": "small"}, "wants 5 slots of small, which has 4:", "pools set small 20"),
        ({"pool": "closed"}, "wants 5 slots of closed, which has 0:", "pools set closed 20"),
        ({"pool": "large"}, "worth 50 requests per second; the account may send 20", "pools set large 20"),
        ({"max_per_second": 6}, "max_per_second=6 exceeds the 5 requests", "remove max_per_second"),
    ],
)
def test_what_is_wrong_with_a_pool_is_told_with_how_to_mend_it(
    ocr_task: NewTask, task: dict[str, Any], message: str, mend: str
) -> None:
    finding = only(pool_findings(ocr_task(**task), POOLS, RATE))
    assert finding.verdict is Verdict.WRONG
    assert message in finding.message
    assert mend in f"{finding.remedy} {finding.command}"


def test_a_pool_that_keeps_the_quota_is_not_told_to_grow(ocr_task: NewTask) -> None:
    finding = only(pool_findings(ocr_task(pool_slots=30), POOLS, RATE))
    assert finding.command == ""


def test_a_task_that_wants_too_much_of_too_large_a_pool_is_told_both(ocr_task: NewTask) -> None:
    findings = pool_findings(ocr_task(pool="large", pool_slots=60), POOLS, RATE)
    assert [(each.verdict, each.subject) for each in findings] == [
        (Verdict.WRONG, "pool"),
        (Verdict.WRONG, "quota"),
    ]


def test_the_pool_to_create_is_not_told_where_it_is_there(ocr_task: NewTask) -> None:
    with_it = only(pool_findings(ocr_task(pool="default_pool"), POOLS, RATE))
    without = only(pool_findings(ocr_task(pool="default_pool"), {"default_pool": 128}, RATE))
    assert with_it.command == ""
    assert without.command.startswith("airflow pools set tencent_permit_ocr 20 ")


def test_the_default_pool_is_the_one_that_airflow_calls_so() -> None:
    assert DEFAULT_POOL == Pool.DEFAULT_POOL_NAME
    assert not is_bounded(DEFAULT_POOL, 128)


def test_requests_per_slot_change_what_a_pool_may_hold(ocr_task: NewTask) -> None:
    half = only(pool_findings(ocr_task(pool="large"), POOLS, Rate(requests_per_slot=0.4, quota=20)))
    double = only(pool_findings(ocr_task(), POOLS, Rate(requests_per_slot=2, quota=20)))
    assert half.verdict is Verdict.OK
    assert "worth 40 requests per second" in double.message
    assert "tencent_permit_ocr 10 " in double.command


def test_the_fastest_of_a_mapped_task_counts(ocr_task: NewTask) -> None:
    variants = tuple(Variant(max_per_second=rate) for rate in (None, 5, 8))
    finding = only(pool_findings(ocr_task(variants=variants), POOLS, RATE))
    assert "max_per_second=8" in finding.message


def test_a_raised_quota_allows_a_larger_pool(ocr_task: NewTask) -> None:
    finding = only(pool_findings(ocr_task(pool="large"), POOLS, Rate(requests_per_slot=1, quota=50)))
    assert finding.verdict is Verdict.OK


@given(name=st.text(min_size=1), slots=st.integers(1, 1000))
def test_the_command_names_the_pool_whatever_its_name(name: str, slots: int) -> None:
    task = OcrTask("d", "t", "f", f"missing-{name}", slots, (Variant(),))
    finding = pool_findings(task, {}, RATE)[0]
    if finding.command:
        assert shlex.split(finding.command)[:4] == ["airflow", "pools", "set", f"missing-{name}"]


@given(
    slots=st.integers(1, 200),
    size=st.integers(0, 200),
    per_slot=st.floats(0.1, 10),
    quota=st.floats(0.5, 500),
)
def test_a_pool_is_only_fine_if_its_task_can_run_and_the_quota_is_kept(
    slots: int, size: int, per_slot: float, quota: float
) -> None:
    task = OcrTask("d", "t", "f", "p", slots, (Variant(),))
    findings = pool_findings(task, {"p": size}, Rate(per_slot, quota))
    is_fine = slots <= size and size * per_slot <= quota
    assert all(each.verdict is Verdict.OK for each in findings) is is_fine


def test_pools_of_one_account_are_added_up() -> None:
    uses = [PoolUse("AKIDa", "a", 15, 1), PoolUse("AKIDa", "b", 10, 1), PoolUse("AKIDb", "c", 20, 1)]
    found = quota_shared_by_pools(uses, quota=20)
    assert set(found) == {"a", "b"}
    assert "a (15), b (10): together 25 requests per second" in found["a"].message
    assert "AKID" not in f"{found}"


def test_a_pool_that_several_tasks_use_is_counted_once() -> None:
    uses = [PoolUse("AKIDa", "a", 20, 1)] * 3
    assert quota_shared_by_pools(uses, quota=20) == {}


def test_pools_that_share_the_quota_out_are_fine() -> None:
    uses = [PoolUse("AKIDa", "a", 15, 1), PoolUse("AKIDa", "b", 5, 1)]
    assert quota_shared_by_pools(uses, quota=20) == {}
