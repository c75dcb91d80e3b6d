from __future__ import annotations

import itertools
import traceback
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call import retries
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import (
    CallError,
    Decision,
    PermitOcrError,
)
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.api import BACK_FIELD, BACK_FIELDS, TEXT_FIELDS

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient

# Words that no message of ours holds: each stands for a value of somebody's document.
values = st.text("QXZ李优图", min_size=6, max_size=12).map("v{}v".format)
fields = st.fixed_dictionaries(dict.fromkeys(TEXT_FIELDS, values)).flatmap(
    lambda front: st.fixed_dictionaries(dict.fromkeys(BACK_FIELDS, values)).map(
        lambda back: front | {BACK_FIELD: back}
    )
)


def values_in(answer: dict[str, Any]) -> list[str]:
    front = [value for value in answer.values() if isinstance(value, str)]
    return front + list(answer[BACK_FIELD].values())


@pytest.mark.slow
@settings(max_examples=25)
@given(fields, values)
def test_log_lines_and_summary_hold_no_value_of_any_document_or_image(
    new_bench: type[Bench], new_client: type[FakeClient], answer: dict[str, Any], secret: str
) -> None:
    bench = new_bench()
    ticks = itertools.count(step=0.3)
    rows = [ImageRow(f"key-{number}", f"https://x/{secret}/{number}") for number in range(6)]
    rows += [
        ImageRow("path", f"/nowhere/{secret}"),
        ImageRow("text", secret),
        ImageRow("data", f"data:{secret}"),
    ]
    refusal = CallError("FailedOperation.DownLoadError", f"cannot fetch {secret}", Decision.IMAGE)
    answers = {f"https://x/{secret}/{number}": answer for number in range(5)}
    summary = bench.run(
        rows,
        new_client(answers | {f"https://x/{secret}/5": refusal}),
        clock=lambda: next(ticks),
        batch=Batch(rows=2),
    )
    assert len(bench.lines) >= 2
    said = "\n".join([*bench.lines, repr(summary), repr(summary.as_dict())])
    for value in (secret, "key-", *values_in(answer)):
        assert value not in said


@pytest.mark.slow
@settings(max_examples=25)
@given(fields, values, st.sampled_from([Decision.ACCOUNT, Decision.REPAIR]))
def test_an_error_of_the_run_holds_no_value_of_any_document_or_image(
    new_bench: type[Bench],
    new_client: type[FakeClient],
    answer: dict[str, Any],
    secret: str,
    decision: Decision,
) -> None:
    bench = new_bench()
    rows = [ImageRow(f"key-{number}", f"https://x/{secret}/{number}") for number in range(9)]
    answers: dict[str, Any] = {f"https://x/{secret}/{number}": answer for number in range(8)}
    answers[f"https://x/{secret}/8"] = CallError("AuthFailure", "not signed in", decision)
    with patch.object(retries, "_ACCOUNT_WAITS", (0.0, 0.0)), pytest.raises(PermitOcrError) as caught:
        bench.run(rows, new_client(answers))
    said = "".join(traceback.format_exception(caught.value))
    for value in (secret, "key-", *values_in(answer)):
        assert value not in said
