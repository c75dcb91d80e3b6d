from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.observability.stats import Stats

from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.operators.conftest import ImageList


@pytest.mark.whole_runs
def test_a_task_sends_its_metrics_under_its_names(
    connected: RunningEmulator,
    image_list: ImageList,
    try_task: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: Counter[str] = Counter()
    tags: list[dict[str, str]] = []

    def count(name: str, count: int = 1, **more: Any) -> None:
        sent[name] += count
        tags.append(more["tags"])

    monkeypatch.setattr(Stats, "incr", staticmethod(count))
    image_list(3, [{"image_id": "bad", "image": "/nowhere.jpg"}])

    try_task()

    assert sent == {
        "permitocr.calls": 3,
        "permitocr.billed": 3,
        "permitocr.images.recognized": 3,
        "permitocr.images.retry": 1,
        "permitocr.rows.delivered": 4,
    }
    assert all(each == {"dag_id": "permits", "task_id": "recognize"} for each in tags)
