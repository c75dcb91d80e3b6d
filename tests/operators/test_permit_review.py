"""Questions as Airflow asks them, and what their answers come to in tables, logs and XCom."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators import hitl
from airflow.sdk import exceptions
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    MainlandPermitOcrOperator,
    PermitErasureOperator,
    PermitReviewOperator,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.review.review import Recorded, Review
from airflow_provider_permitocr.errors import LedgerUnreachableError, UnreachableError
from airflow_provider_permitocr.operators import permit_review
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.wiring.review_form import CONFIRM_REST, RECORD
from tests.operators.test_operator_privacy import everything_in

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]

#: How a task waits for an answer: before Airflow 3.3, by a trigger.
Waiting: type[BaseException] = getattr(exceptions, "TaskAwaitingInput", None) or exceptions.TaskDeferred
AT = datetime(2026, 5, 2, 9, 30, tzinfo=UTC)
TYPED = "司马相如"


@dataclass
class Airflow:
    """What Airflow's database has of questions, and the states of tasks."""

    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def upsert(self, *, ti_id: str, **asked: Any) -> None:
        """As the API does: what is there stays, without its answer."""
        detail = self.details.setdefault(
            ti_id, {name: asked.get(name) for name in ("params", "body", "subject")}
        )
        detail.pop("answer", None)

    def context(
        self, run_id: str = "run-1", *, map_index: int = -1, try_number: int = 1, task_id: str = "review"
    ) -> Any:
        instance = SimpleNamespace(
            id=f"{task_id} {run_id} {map_index}",
            dag_id="permits",
            task_id=task_id,
            map_index=map_index,
            try_number=try_number,
            get_task_states=lambda **_: self.states,
        )
        return {"run_id": run_id, "ti": instance, "task_instance": instance, "params": {}}


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    known = Airflow()
    for module in (hitl, permit_review):
        monkeypatch.setattr(module, "upsert_hitl_detail", known.upsert)

    def all_are_doubtful(*_: Any, **__: Any) -> tuple[Flag, ...]:
        return (Flag.NUMBER_FORMAT,)

    monkeypatch.setattr(Examination, "flags", all_are_doubtful)
    monkeypatch.setattr(permit_review, "_PAUSE_SECONDS", 0.01)
    return known


@pytest.fixture
def recognized(
    image_list: ImageList, execute: Execute, airflow: Airflow, connected: RunningEmulator
) -> RunningEmulator:
    """Four readings, ``k000`` on, all of them doubtful."""
    image_list(4)
    assert execute()["calls"] == 4
    return connected


def ask(task: PermitReviewOperator, airflow: Airflow, context: Any) -> dict[str, str]:
    """Ask as Airflow does; return the names of the form's fields, by their titles."""
    with pytest.raises(Waiting):
        task.execute(context)
    params = airflow.details[context["ti"].id]["params"]
    return {each["schema"]["title"]: name for name, each in params.items()}


def answer(
    task: PermitReviewOperator, context: Any, entries: dict[str, Any], chosen: Sequence[str] = (RECORD,)
) -> dict[str, Any]:
    event = {
        "chosen_options": list(chosen),
        "params_input": entries,
        "responded_at": AT,
        "responded_by_user": {"id": "7", "name": "li"},
        "timedout": False,
    }
    return task.execute_complete(context, event)


def review(recognition: MainlandPermitOcrOperator, **arguments: Any) -> PermitReviewOperator:
    return PermitReviewOperator(task_id="review", recognition=recognition, **arguments)


def test_decisions_reach_every_target_without_a_call_and_readings_stay(
    image_list: ImageList,
    operator: NewOperator,
    warehouse: sa.Engine,
    airflow: Airflow,
    connected: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    people = image_list(4)
    history = ResultTable("recognitions", conn_id="warehouse", mode="append")
    targets = [ResultTable("permits", conn_id="warehouse"), history]
    operator(target=targets, list="permits").execute({"run_id": "run-1"})
    with_a_new_one = [*targets, ResultTable("added", conn_id="warehouse")]
    task = review(operator(target=with_a_new_one, list="permits"))
    context = airflow.context()
    fields = ask(task, airflow, context)
    assert list(fields) == ["k000 FRONT", "k001 FRONT", "k002 FRONT", "k003 FRONT"]
    said = ["right", "wrong", f"name={TYPED}; birthday=1986.03.02", None]
    done = answer(task, context, dict(zip(fields.values(), said, strict=True)))
    assert (done["confirmed"], done["rejected"], done["corrected"], done["open"]) == (1, 1, 1, 1)
    assert (done["calls"], connected.stats()["calls"]) == (0, 4)
    for table in ("permits", "recognitions", "added"):
        with warehouse.connect() as connection:
            rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY image_key")).mappings().all()
        assert [row["review_status"] for row in rows] == ["confirmed", "rejected", "corrected", None]
        assert [row["reviewed_at"] for row in rows] == [AT, AT, AT, None]
        assert json.loads(rows[2]["corrections"]) == {
            "name": TYPED,
            "birthday_raw": "1986.03.02",
            "birthday": "1986-03-02",
        }
        assert [row["name"] for row in rows] == [each.fields["Name"] for each in people]
    with warehouse.connect() as connection:
        who = connection.execute(
            sa.text(
                "SELECT DISTINCT decided_by, decided_at FROM permit_ocr_reviews WHERE version IS NOT NULL"
            )
        ).all()
    assert who == [("li (7)", AT)]
    # Nothing that a person typed, or that was read, is where others see it. Airflow prints a task's own log,
    # past caplog.
    logged = caplog.text + "".join(capfd.readouterr())
    kept = json.dumps([done, airflow.details], default=str, ensure_ascii=False) + logged
    assert TYPED not in kept
    assert not any(each.fields["Number"] in kept or each.fields["Name"] in kept for each in people)


@pytest.mark.whole_runs
def test_files_have_decisions_when_they_are_next_written(
    image_list: ImageList,
    operator: NewOperator,
    airflow: Airflow,
    connected: RunningEmulator,
    tmp_path: Any,
) -> None:
    image_list(1)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    operator(target=targets, list="permits").execute({"run_id": "run-1"})
    task, context = review(operator(target=targets, list="permits")), airflow.context()
    fields = ask(task, airflow, context)
    answer(task, context, dict.fromkeys(fields.values(), "right"))
    assert "confirmed" not in file.read_text(encoding="utf-8")
    operator(target=targets, list="permits", rebuild=True).execute({"run_id": "run-1"})
    assert "confirmed" in file.read_text(encoding="utf-8")


@pytest.mark.whole_runs
def test_one_button_takes_empty_rows_for_right_but_none_that_could_not_be_read(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow, permits: Rows
) -> None:
    task, context = review(operator()), airflow.context()
    names = list(ask(task, airflow, context).values())
    done = answer(task, context, {names[0]: "", names[1]: "no", names[2]: "nmae=x"}, [CONFIRM_REST])
    # A row that was not sent at all, as by a program, is an empty one.
    assert (done["confirmed"], done["rejected"], done["unreadable"], done["open"]) == (2, 1, 1, 1)
    statuses = [row["review_status"] for _, row in sorted(permits().items())]
    assert statuses == ["confirmed", "rejected", None, "confirmed"]


@pytest.mark.whole_runs
def test_the_form_names_the_fields_of_the_sides_that_it_asks_about(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow
) -> None:
    context = airflow.context()
    ask(review(operator()), airflow, context)
    body = airflow.details[context["ti"].id]["body"]
    assert "Fields of the front: type, name, english_name" in body
    assert "back_name" not in body


@pytest.mark.whole_runs
def test_a_decision_about_an_image_that_was_erased_meanwhile_is_refused_and_forgotten(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    warehouse: sa.Engine,
    capfd: pytest.CaptureFixture[str],
) -> None:
    task, context = review(operator()), airflow.context()
    fields = ask(task, airflow, context)
    erasing = PermitErasureOperator(task_id="erase", recognition=operator(), keys=["k000"])
    assert erasing.execute({"run_id": "erasing"})["images"] == 1
    said = dict.fromkeys(fields.values(), "right") | {fields["k000 FRONT"]: f"name={TYPED}"}
    airflow.details[context["ti"].id]["answer"] = said
    done = answer(task, context, said)
    assert (done["asked"], done["confirmed"], done["unknown"], done["changed"]) == (3, 3, 1, 0)
    assert "or their images were erased meanwhile" in "".join(capfd.readouterr())
    assert "answer" not in airflow.details[context["ti"].id]
    assert TYPED not in everything_in(warehouse)


@pytest.mark.whole_runs
def test_what_airflow_keeps_of_a_question_is_keys_and_flags(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow, permits: Rows
) -> None:
    context = airflow.context()
    ask(review(operator(), link="https://viewer.example.com/{image_key}"), airflow, context)
    detail = json.dumps(airflow.details, ensure_ascii=False)
    numbers = [row["number"] for row in permits().values()]
    assert "number_format" in detail
    assert "https://viewer.example.com/k001" in detail
    assert not any(number in detail for number in numbers)
    shown = airflow.context("run-2")
    airflow.states = {"run-1": {"review": "failed"}}
    ask(review(operator(), show=["number"]), airflow, shown)
    detail = json.dumps(airflow.details, ensure_ascii=False)
    assert all(number in detail for number in numbers)


@pytest.mark.whole_runs
@pytest.mark.parametrize("number", [2, 3])
def test_mapped_tasks_never_ask_about_the_same_reading(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow, number: int
) -> None:
    airflow.states = {"run-1": {f"review_{each}": "awaiting_input" for each in range(number)}}
    asked: list[str] = []
    for each in range(number):
        task = review(operator(), rows=2)
        context = airflow.context(map_index=each)
        if each < 2:
            asked += ask(task, airflow, context)
        else:
            assert task.execute(context)["asked"] == 0
    assert sorted(asked) == [f"k00{each} FRONT" for each in range(4)]


@pytest.mark.whole_runs
@pytest.mark.parametrize(("state", "is_asked"), [("awaiting_input", False), (None, False), ("failed", True)])
def test_a_later_run_asks_only_about_what_no_waiting_question_has(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    state: str | None,
    is_asked: bool,
) -> None:
    ask(review(operator()), airflow, airflow.context("run-1"))
    airflow.states = {"run-1": {"review": state}}
    task, context = review(operator()), airflow.context("run-2")
    if is_asked:
        assert len(ask(task, airflow, context)) == 4
    else:
        assert task.execute(context)["asked"] == 0


@pytest.mark.whole_runs
def test_a_task_that_is_cleared_asks_the_same_and_once_answered_nothing(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow
) -> None:
    task = review(operator())
    first = ask(task, airflow, airflow.context())
    again = airflow.context(try_number=2)
    assert ask(review(operator()), airflow, again) == first
    assert answer(review(operator()), again, dict.fromkeys(first.values(), "right"))["confirmed"] == 4
    assert review(operator()).execute(airflow.context(try_number=3))["asked"] == 0


def test_a_policy_that_drops_flags_is_said_to_leave_nothing_to_ask_about(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow
) -> None:
    with pytest.raises(AirflowFailException, match=r"drops quality flags.*quality_flags='keep'"):
        review(operator(privacy="analytics")).execute(airflow.context())


@pytest.mark.whole_runs
def test_a_dag_run_that_was_deleted_and_made_again_asks_anew(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow
) -> None:
    before = ask(review(operator()), airflow, airflow.context())
    airflow.details.clear()
    again = ask(review(operator()), airflow, airflow.context())
    assert again.keys() == before.keys()
    assert not set(again.values()) & set(before.values())


@pytest.mark.whole_runs
def test_a_question_that_nobody_answers_leaves_readings_to_the_next(
    recognized: RunningEmulator, operator: NewOperator, airflow: Airflow
) -> None:
    timeout = {"error": "The timeout has passed", "error_type": "timeout"}
    task = review(operator(), response_timeout=timedelta(seconds=1))
    ask(task, airflow, airflow.context())
    done = task.execute_complete(airflow.context(), timeout)
    assert (done["confirmed"], done["open"], done["calls"]) == (0, 4, 0)
    strict = review(operator(), fail_on_timeout=True)
    assert len(ask(strict, airflow, airflow.context("run-2"))) == 4
    with pytest.raises(HITLTimeoutError, match="No one answered in time"):
        strict.execute_complete(airflow.context("run-2"), timeout)
    assert len(ask(review(operator()), airflow, airflow.context("run-3"))) == 4


@pytest.mark.whole_runs
def test_an_answer_waits_for_a_ledger_that_is_down(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    permits: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, context = review(operator()), airflow.context()
    fields = ask(task, airflow, context)
    record, outages = Review.record, [1, 2]

    def record_after_outages(self: Review, *given: Any, **named: Any) -> Recorded:
        if outages:
            raise LedgerUnreachableError(f"the ledger is down for the {outages.pop()}. time")
        return record(self, *given, **named)

    monkeypatch.setattr(Review, "record", record_after_outages)
    assert answer(task, context, dict.fromkeys(fields.values(), "right"))["confirmed"] == 4
    assert {row["review_status"] for row in permits().values()} == {"confirmed"}


@pytest.mark.whole_runs
def test_decisions_are_kept_while_a_target_is_down_and_brought_by_a_further_try(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    permits: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, context = review(operator()), airflow.context()
    fields = ask(task, airflow, context)

    def is_down(_self: Review) -> None:
        raise UnreachableError("the result table is down")

    with monkeypatch.context() as for_now:
        for_now.setattr(Review, "deliver", is_down)
        with pytest.raises(AirflowException, match="the result table is down"):
            answer(task, context, dict.fromkeys(fields.values(), "right"))
    assert {row["review_status"] for row in permits().values()} == {None}
    done = review(operator()).execute(airflow.context(try_number=2))
    assert (done["asked"], done["written"], done["calls"]) == (0, 4, 0)
    assert {row["review_status"] for row in permits().values()} == {"confirmed"}


@pytest.mark.whole_runs
def test_nothing_of_a_person_is_left_of_reviews_after_an_erasure(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    warehouse: sa.Engine,
) -> None:
    task, context = review(operator()), airflow.context()
    fields = ask(task, airflow, context)
    answer(task, context, dict.fromkeys(fields.values(), f"name={TYPED}"))
    assert TYPED in everything_in(warehouse)
    erasing = PermitErasureOperator(
        task_id="erase", recognition=operator(), keys=["k000", "k001", "k002", "k003"]
    )
    assert erasing.execute({"run_id": "erasing"})["images"] == 4
    everything = everything_in(warehouse)
    assert TYPED not in everything
    assert json.dumps(TYPED)[1:-1] not in everything
    with warehouse.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permit_ocr_reviews")).scalar_one() == 0


@pytest.mark.whole_runs
@pytest.mark.parametrize(
    "event",
    [
        {"chosen_options": [RECORD], "params_input": {f"secret_{'0' * 32}": "right", "k000 FRONT": "right"}},
        {"chosen_options": [], "params_input": {"secret_": "right"}},
        {"chosen_options": ["Approve"], "params_input": {"'; DROP TABLE permits --": "right"}},
        {"chosen_options": [RECORD], "params_input": None},
    ],
)
def test_a_forged_answer_decides_nothing(
    recognized: RunningEmulator,
    operator: NewOperator,
    airflow: Airflow,
    permits: Rows,
    event: dict[str, Any],
) -> None:
    task, context = review(operator()), airflow.context()
    ask(task, airflow, context)
    done = task.execute_complete(context, event | {"responded_at": AT, "responded_by_user": None})
    assert (done["confirmed"], done["open"]) == (0, 4)
    assert done["unknown"] == len(event["params_input"] or ())
    assert {row["review_status"] for row in permits().values()} == {None}


def test_what_airflow_could_not_read_fails_without_its_words(operator: NewOperator, airflow: Airflow) -> None:
    event = {"error": f"{TYPED} is not valid", "error_type": "validation"}
    with pytest.raises(AirflowFailException) as refused:
        review(operator()).execute_complete(airflow.context(), event)
    assert TYPED not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"recognition": "recognize"}, "recognition must be a MainlandPermitOcrOperator"),
        ({"rows": 0}, "rows must be"),
        ({"options": ["yes"]}, "makes its own form; remove options="),
        ({"defaults": [RECORD]}, "makes its own form; remove defaults="),
    ],
)
def test_wrong_arguments_are_refused_when_the_dag_is_parsed(
    operator: NewOperator, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        PermitReviewOperator(task_id="review", **({"recognition": operator()} | arguments))


def test_what_hitl_takes_is_passed_on(operator: NewOperator) -> None:
    users = [{"id": "7", "name": "li"}]
    wait = timedelta(hours=1)
    task = review(operator(), assigned_users=users, response_timeout=wait, subject="Please", notifiers=[])
    assert (task.assigned_users, task.response_timeout, task.subject) == (users, wait, "Please")
