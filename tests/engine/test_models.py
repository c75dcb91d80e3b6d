from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from airflow_provider_permitocr.engine.models import ImageRow, Outcome, PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.options.budget import ReachedCap
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

SECRET = "https://bucket/permit.png?q-signature=secret"


@pytest.mark.parametrize("images", [{}, {"image_url": SECRET, "image": b"\xff\xd8\xff"}])
def test_a_request_has_exactly_one_image(images: dict[str, str | bytes]) -> None:
    with pytest.raises(ValueError, match="give either image_url or image") as caught:
        PermitRequest(CardSide.FRONT, **images)  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        ImageRow("k", SECRET),
        PermitRequest(CardSide.FRONT, image_url=SECRET),
        PermitRequest(CardSide.FRONT, image=SECRET.encode()),
        PermitResponse({"Name": SECRET}, "r-1"),
        Outcome(ImageRow("k", SECRET), Status.RECOGNIZED, {"name": SECRET}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_an_image_or_a_field(value: object) -> None:
    assert "secret" not in repr(value)


def test_a_row_is_identified_by_key_and_side() -> None:
    assert ImageRow("k", None, CardSide.BACK).row_key == ("k", CardSide.BACK)


def test_the_summary_is_plain_json_with_the_rate_reached() -> None:
    summary = RunSummary(
        *(5, 1, {"recognized": 3, "failed": 1}, {"Code": 1}, 6, 2, 1.23456),
        billed=4,
        cost=Decimal("0.02"),
        currency="USD",
        delivered={"lake:permits": 4},
    )
    assert json.loads(json.dumps(summary.as_dict())) == {
        "listed": 5,
        "skipped": 1,
        "statuses": {"recognized": 3, "failed": 1},
        "error_codes": {"Code": 1},
        "calls": 6,
        "throttled": 2,
        "elapsed_seconds": 1.235,
        "calls_per_second": 4.86,
        "doubtful": 0,
        "reused": 0,
        "elsewhere": 0,
        "billed": 4,
        "cost": "0.02",
        "currency": "USD",
        "left": 0,
        "cap": None,
        "taken_up": 0,
        "unread": 0,
        "refused": 0,
        "delivered": {"lake:permits": 4},
    }


def test_a_run_that_took_no_time_has_no_rate() -> None:
    assert RunSummary(0, 0, {}, {}, 0, 0, elapsed_seconds=0.0).calls_per_second == 0


def test_a_summary_reads_as_one_line_of_counts() -> None:
    summary = RunSummary(
        listed=1_200,
        skipped=1_000,
        statuses={"recognized": 190, "failed": 10},
        error_codes={"FailedOperation.ImageBlur": 10},
        calls=205,
        throttled=2,
        elapsed_seconds=10.25,
    )
    assert str(summary) == (
        "1,200 listed, 1,000 settled before; 190 recognized, 10 failed;"
        " 205 calls in 10.2 s (20.0/s), 2 throttled, 0 billed"
    )
    more = replace(
        summary,
        billed=190,
        cost=Decimal("3.8"),
        currency="USD",
        reused=4,
        left=7,
        cap=ReachedCap("max_calls", "this run has made its 190 calls"),
    )
    assert str(more).endswith(
        "190 billed (3.80 USD); 4 took the answer of the same picture; Up to 7 images are left for a later"
        " run: this run has made its 190 calls (max_calls)"
    )
    assert "no new rows" in str(RunSummary(5, 5, {}, {}, 0, 0, 0.1))
