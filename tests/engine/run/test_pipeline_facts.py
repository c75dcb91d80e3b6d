"""A run can be looked at while it runs, from another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.engine.progress.facts import Phase, RunFacts
from airflow_provider_permitocr.engine.run import pipeline as pipeline_module
from airflow_provider_permitocr.errors import CallError, CapReachedError, Decision
from airflow_provider_permitocr.options.budget import Budget

if TYPE_CHECKING:
    from tests.engine.conftest import Bench, FakeClient


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every pipeline that a test makes."""
    made: list[Any] = []
    init = pipeline_module.Pipeline.__init__

    def note(self: Any, *arguments: Any, **options: Any) -> None:
        made.append(self)
        init(self, *arguments, **options)

    monkeypatch.setattr(pipeline_module.Pipeline, "__init__", note)
    return made


def test_facts_follow_a_run_from_its_list_to_its_targets(
    bench: Bench, new_client: type[FakeClient], opened: list[Any]
) -> None:
    seen: list[RunFacts] = []
    client = new_client(before=lambda _: seen.append(opened[0].facts()))
    bench.target.before_write = lambda: seen.append(opened[0].facts())
    bench.run(bench.images(6), client, budget=Budget(price_per_call=2, currency="USD"))
    during, last = seen[0], opened[0].facts()
    assert (during.phase, during.total, during.quota) == (Phase.RECOGNIZING, 6, 100_000)
    assert during.in_flight >= 1
    assert (last.phase, last.done, last.statuses) == (Phase.DELIVERING, 6, {"recognized": 6})
    assert (last.calls, last.billed, str(last.price_per_call), last.currency) == (6, 6, "2", "USD")
    assert last.flags["missing_type"] == 6
    assert [(each.name, each.delivered) for each in last.targets] == [("warehouse:permits", 6)]


def test_facts_of_a_run_that_has_not_begun_are_zeros(bench: Bench, opened: list[Any]) -> None:
    facts: list[RunFacts] = []
    prepare = bench.ledger.prepare

    def note(key_type: str | None, listed: int = 0) -> None:
        facts.append(opened[0].facts())
        prepare(key_type, listed)

    bench.ledger.prepare = note  # type: ignore[method-assign]
    bench.run(bench.images(1))
    assert (facts[0].phase, facts[0].total, facts[0].done) == (Phase.PREPARING, 0, 0)


def test_what_was_settled_before_counts_as_done(bench: Bench, opened: list[Any]) -> None:
    bench.run(bench.images(3))
    bench.new_dag_run()
    bench.run(bench.images(5))
    facts = opened[1].facts()
    assert (facts.total, facts.skipped, facts.done, facts.calls) == (5, 3, 5, 2)


def test_error_codes_and_caps_are_told(bench: Bench, new_client: type[FakeClient], opened: list[Any]) -> None:
    bench.ledger.cap = 2
    blur = CallError("FailedOperation.ImageBlur", "blurred", Decision.IMAGE, billed=False)
    client = new_client({bench.url(0): blur})
    with pytest.raises(CapReachedError):
        bench.run(bench.images(5), client, budget=Budget(max_calls=2, on_exhausted="fail"))
    facts = opened[0].facts()
    assert facts.error_codes == {"FailedOperation.ImageBlur": 1}
    assert (facts.at_cap, facts.cap_of_run, facts.cap_of_day) == ("run", 2, None)
