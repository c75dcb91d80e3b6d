"""What a notifier says of a run."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_permitocr import summary_text
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.options.budget import Budget

SUMMARY = RunSummary(
    listed=1_200,
    skipped=1_000,
    statuses={"recognized": 112, "failed": 1},
    error_codes={"ImageNotFound": 1},
    calls=113,
    throttled=0,
    elapsed_seconds=6.0,
    billed=112,
    cost=Decimal("1500.00"),
    currency="USD",
    left=87,
    cap=Budget(max_calls=113).reached(is_of_day=False),
    delivered={"lake:public.permits": 113},
)
PULLED: dict[str, Any] = json.loads(json.dumps(SUMMARY.as_dict()))


def test_what_to_act_on_comes_first() -> None:
    assert summary_text(PULLED).splitlines() == [
        "! 1 x ImageNotFound: Most likely the paths belong to another machine or mount, or the bucket is the"
        " wrong one",
        "! Up to 87 images are left for a later run: its calls are used up (max_calls)",
        "Images: 112 recognized, 1 failed; 1,000 of 1,200 settled before",
        "Calls: 113 in 0:00:06 (18.8 per second)",
        "Billed: 112 calls, 1,500.00 USD",
        "Written: 113 rows to lake:public.permits",
    ]


def test_a_task_that_returned_nothing_has_a_text_as_well() -> None:
    assert summary_text(None).startswith("No summary")
    assert summary_text([]) == summary_text(None)


@pytest.mark.parametrize(
    "other", [{"listed": 5, "to_call": 3}, {"listed": 5, "statuses": {}, "calls": 0}, "5"]
)
def test_what_is_no_summary_of_a_run_is_refused(other: Any) -> None:
    with pytest.raises(ValueError, match="not the summary of a run"):
        summary_text(other)


def test_a_mapped_task_has_a_text_for_each_part() -> None:
    text = summary_text([PULLED, None])
    assert text == f"Part 0:\n{summary_text(PULLED)}\n\nPart 1:\n{summary_text(None)}"


def test_a_notifier_renders_it_as_a_filter() -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    template = "{{ ti.xcom_pull(task_ids='recognize_permits') | summary_text }}"
    dag = DAG("permits", schedule=None, user_defined_filters={"summary_text": summary_text})
    notifier = SmtpNotifier(to="oncall@example.com", from_email="a@example.com", subject=template)

    class Instance:
        @staticmethod
        def xcom_pull(task_ids: str) -> dict[str, Any]:
            assert task_ids == "recognize_permits"
            return PULLED

    context: Any = {"dag": dag, "ti": Instance()}
    notifier.render_template_fields(context, dag.get_template_env())
    assert "Billed: 112 calls, 1,500.00 USD" in str(notifier.subject)
