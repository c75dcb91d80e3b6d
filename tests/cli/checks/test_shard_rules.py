from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Variant, Verdict
from airflow_provider_permitocr.cli.checks.shard_rules import shard_findings, shards_by_list
from airflow_provider_permitocr.options.lists.shard import shards

POOLS = {"tencent_permit_ocr": 20}


def sharded(texts: Sequence[str], **special: Any) -> OcrTask:
    described: dict[str, Any] = {"dag_id": "permits", "pool": "tencent_permit_ocr", "pool_slots": 1}
    variants = tuple(Variant(shard=text) for text in texts)
    return OcrTask(task_id="recognize", file="permits.py", variants=variants, **(described | special))


def findings(*tasks: OcrTask) -> list[Finding]:
    return shard_findings(tasks[0], shards_by_list(tasks), POOLS)


def test_all_shards_of_a_list_are_fine() -> None:
    (finding,) = findings(sharded(shards(4)))
    assert finding.verdict is Verdict.OK


def test_a_task_without_shards_is_not_spoken_of(ocr_task: Callable[..., OcrTask]) -> None:
    assert findings(ocr_task()) == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["1/4", "2/4"], "3/4, 4/4 of the list are left out"),
        (["1/3", "3/3"], "2/3 of the list is left out"),
        (["1/2", "2/2", "2/2"], "2/2 of the list is taken more than once"),
        (["1/2", "2/2", "1/3"], "the list is split into 2 and into 3 at once"),
        (["5/4"], "there is no shard 5/4"),
        (["first"], "number/of"),
    ],
)
def test_shards_that_are_not_the_whole_list_are_wrong(texts: list[str], message: str) -> None:
    (finding,) = [each for each in findings(sharded(texts)) if each.verdict is not Verdict.NOTE]
    assert finding.verdict is Verdict.WRONG
    assert message in finding.message


def test_shards_may_be_spread_over_tasks() -> None:
    (finding,) = findings(sharded(["1/2"]), sharded(["2/2"]))
    assert finding.verdict is Verdict.OK


def test_shards_may_be_spread_over_dags() -> None:
    (finding,) = findings(sharded(["1/2"], dag_id="odd"), sharded(["2/2"], dag_id="even"))
    assert finding.verdict is Verdict.OK


def test_a_second_dag_over_the_same_list_is_not_held_against_the_first() -> None:
    (finding,) = findings(sharded(shards(4)), sharded(shards(3), dag_id="by_hand"))
    assert finding.verdict is Verdict.OK


def test_many_missing_shards_are_not_all_named() -> None:
    (finding,) = findings(sharded(["1/100"]))
    assert "2/100, 3/100, 4/100, 5/100, 6/100 and 94 more of the list" in finding.message


@pytest.mark.slow
@given(of=st.integers(2, 40), left_out=st.data())
def test_leaving_out_any_shard_is_noticed(of: int, left_out: st.DataObject) -> None:
    texts = shards(of)
    missing = texts.pop(left_out.draw(st.integers(0, of - 1)))
    (finding,) = [each for each in findings(sharded(texts)) if each.verdict is Verdict.WRONG]
    assert finding.message.startswith(f"{missing} of the list is left out")


@pytest.mark.parametrize("name", ["max_active_tis_per_dagrun", "max_active_tis_per_dag", "max_active_tasks"])
def test_a_limit_of_airflow_below_the_shards_is_noted(name: str) -> None:
    _, note = findings(sharded(shards(4), limits={name: 3}))
    assert note.verdict is Verdict.NOTE
    assert f"{name}=3 lets only 3 of the 4 run at a time" in note.message
    assert f"raise {name} to 4" in note.remedy


def test_a_pool_without_room_for_all_shards_is_noted() -> None:
    _, note = findings(sharded(shards(4), pool_slots=20))
    assert "has room for 1 of the 4 at a time" in note.message
    assert note.remedy == "give each pool_slots=5"


def test_more_shards_than_slots_are_noted() -> None:
    _, note = findings(sharded(shards(30)))
    assert note.remedy == "make fewer shards"
