"""The operator that has persons decide about doubtful readings."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.stop_request import StopRequest
from airflow_provider_permitocr.error_privacy import private_errors
from airflow_provider_permitocr.errors import UnreachableError
from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
from airflow_provider_permitocr.options.review import ReviewRule
from airflow_provider_permitocr.wiring.monitoring.reporting import ReportsTargets
from airflow_provider_permitocr.wiring.review_form import (
    CONFIRM_REST,
    RECORD,
    Answered,
    form_body,
    form_fields,
    read_answer,
)
from airflow_provider_permitocr.wiring.task_retries import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_permitocr.engine.review.review import Recorded, Review

#: How long an answer waits for a ledger that is down. A further try of the task would not have it.
_PATIENCE_SECONDS: Final = 3_600.0
_PAUSE_SECONDS: Final = 15.0
#: A question of a task in one of these gets no answer any more.
_OVER: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: Arguments for the form, which this operator sets itself. Airflow itself passes on a DAG's params.
_OWN: Final = ("options", "defaults", "multiple")


class PermitReviewOperator(ReportsTargets, HITLOperator):
    """Asks a person about readings that may be wrong, many in one question.

    The question appears among Airflow's required actions; from Airflow 3.3 on, it takes no worker slot while
    it waits. Each reading is confirmed, rejected or corrected, or left open for the next question. Decisions
    are stored in the ledger, and all targets get them without a call. A correction is stored beside the
    reading and never replaces it. Returns what was decided, in numbers.

    For several questions at once, map it: ``.partial(...).expand(question=[1, 2, 3])``. No two questions are
    about the same reading.

    It also takes the arguments of Airflow's ``HITLOperator``: ``subject``, ``body``, ``assigned_users``,
    ``notifiers`` and ``response_timeout``.

    :param recognition: the task whose readings these are, which is not mapped.
    :param rows: maximum number of readings in one question, up to 200.
    :param flags: names of quality flags: ask about readings with one of these; by default about doubtful
        ones.
    :param show: columns of the result to show beside key, side and flags. Airflow's database then holds these
        values until its task instances are deleted.
    :param link: address of a page that shows an image: ``https://viewer.example.com/{image_key}``;
        ``{card_side}`` may be in it, too.
    :param question: number of this question, to name mapped tasks.
    :param fail_on_timeout: fail if nobody has answered within ``response_timeout``; otherwise the readings
        are left for the next question.
    :raises ValueError, TypeError: naming the argument.
    """

    ui_color = "#fdf3dc"

    def __init__(
        self,
        *,
        recognition: MainlandPermitOcrOperator,
        rows: int = 50,
        flags: Sequence[str] | None = None,
        show: Sequence[str] = (),
        link: str | None = None,
        question: int = 1,
        fail_on_timeout: bool = False,
        subject: str = "Are these readings of travel permits right?",
        **kwargs: Any,
    ) -> None:
        if given := [name for name in _OWN if name in kwargs]:
            raise TypeError(f"PermitReviewOperator makes its own form; remove {given[0]}=")
        super().__init__(subject=subject, options=[RECORD, CONFIRM_REST], **kwargs)
        if not isinstance(recognition, MainlandPermitOcrOperator):
            raise TypeError(
                "recognition must be a MainlandPermitOcrOperator that is not mapped, not"
                f" {type(recognition).__name__}"
            )
        self.recognition = recognition
        self.rows = rows
        self.flags = flags
        self.show = show
        self.link = link
        self.question = question
        self.fail_on_timeout = fail_on_timeout
        self._stop = StopRequest()
        _ = self._rule

    @property
    def _rule(self) -> ReviewRule:
        return ReviewRule(rows=self.rows, flags=self.flags, show=self.show, link=self.link)

    @private_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and wait for an answer.

        A task that is cleared while it waits asks the same again. One that is cleared after its answer asks
        nothing, because Airflow would show the old question; it delivers what was decided.

        :return: numbers, if there is nothing to ask.
        """
        is_first = int(context["ti"].try_number) <= 1
        with airflow_errors(), self._opened(context) as review:
            asked = review.question(is_new=is_first, waiting=partial(_those_waiting, context["ti"]))
            if not asked:
                self.log.info(
                    "This task's question was answered before. The next DAG run asks about what was left open"
                    if asked is None
                    else "There are no readings to ask about"
                )
                return self._delivered(context, review, {"asked": 0})
        self.log.info(f"Asking about {many(len(asked), 'reading')}")
        self.params = type(self.params)(form_fields(asked))
        self.body = form_body(asked, self.body, self.link)
        super().execute(context)  # ends by waiting
        return {}

    @private_errors
    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Write down what was decided, and bring it to the targets.

        :return: numbers.
        """
        is_timeout = event.get("error_type") == "timeout"
        if "error" in event and not is_timeout:
            # Without Airflow's words, which may quote what was typed.
            raise AirflowFailException("Airflow could not read the answer. Clear the task to ask again")
        answered = read_answer(event.get("chosen_options") or (), event.get("params_input") or {})
        with airflow_errors():
            recorded = self._recorded(context, answered, event)
            if recorded.has_text:
                self._forget(context)
            self._warn_about_rest(recorded)
            if is_timeout and self.fail_on_timeout:
                raise HITLTimeoutError("No one answered in time. The next question asks about these readings")
            numbers = {
                **recorded.reviewed.as_dict(),
                "unreadable": sum(recorded.unreadable.values()),
            }
            with self._opened(context) as review:
                return self._delivered(context, review, numbers)

    def _delivered(self, context: Context, review: Review, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Bring decisions to the targets, and report it."""
        task = self._rendered(context).options
        try:
            filled = review.deliver()
        finally:
            self._trace(task, review)
        if filled.refused:
            self.log.warning(
                f"{many(filled.refused, 'row is', 'rows are')} refused by a result table; see"
                " permit_ocr_refused"
            )
        numbers = {**numbers, **filled.as_dict()}
        self._announce(context, [table.conn_id for table in task.tables], numbers, filled.delivered)
        return numbers

    def on_kill(self) -> None:
        """End early; what was decided stays so."""
        self._stop.set()

    def _opened(self, context: Context) -> AbstractContextManager[Review]:
        """Open the list of the recognizing task."""
        from airflow_provider_permitocr.wiring.identity import run_identity
        from airflow_provider_permitocr.wiring.without_calls import open_review

        return open_review(self._rendered(context).options, self._rule, run_identity(context), self._stop)

    def _rendered(self, context: Context) -> MainlandPermitOcrOperator:
        """Return the recognizing task, rendered for this run."""
        recognition = copy(self.recognition)
        recognition.render_template_fields(context)
        return recognition

    def _recorded(self, context: Context, answered: Answered, event: Mapping[str, Any]) -> Recorded:
        """Write decisions into the ledger, once it is there.

        :raises UnreachableError: when it was down for long.
        """
        began = time.monotonic()
        while True:
            try:
                with self._opened(context) as review:
                    return review.record(
                        answered.given,
                        confirms_rest=answered.confirms_rest,
                        decided_by=_person(event),
                        decided_at=_moment(event),
                    )
            except UnreachableError as error:
                if self._stop.is_set() or time.monotonic() - began > _PATIENCE_SECONDS:
                    raise UnreachableError(
                        f"The answer could not be recorded: {error}. Clear the task and answer again"
                    ) from None
                self.log.warning(f"The answer waits for the ledger: {error}")
                self._stop.wait(_PAUSE_SECONDS)

    def _warn_about_rest(self, recorded: Recorded) -> None:
        done = recorded.reviewed
        self.log.info(str(done))
        for reason, count in recorded.unreadable.items():
            self.log.warning(
                f"{many(count, 'entry', 'entries')} could not be read, and their readings are left open:"
                f" {reason}"
            )
        if done.changed:
            self.log.warning(
                f"{many(done.changed, 'decision was', 'decisions were')} refused: a newer answer has"
                " replaced the readings. The next"
                " question shows the new ones; decide about those"
            )
        if done.unknown:
            self.log.warning(
                f"{many(done.unknown, 'entry was', 'entries were')} ignored: this question does not ask"
                " about such readings, or"
                " their images were erased meanwhile"
            )

    def _forget(self, context: Context) -> None:
        """Have Airflow's database drop what was typed: writing a question again empties its answer."""
        try:
            upsert_hitl_detail(ti_id=context["ti"].id, options=self.options, subject=self.subject, params={})
        except AirflowException as error:
            self.log.warning(
                "The corrections are recorded, but Airflow keeps what was typed, as its answer could not be"
                f" emptied ({type(error).__name__})"
            )


def _those_waiting(instance: Any, askers: Collection[RunIdentity]) -> Collection[RunIdentity]:
    """Select, by their tasks' states, askers who may still get an answer."""
    by_dag: dict[str, list[RunIdentity]] = {}
    for each in askers:
        by_dag.setdefault(each.dag_id, []).append(each)
    return {each for dag_id, some in by_dag.items() for each in _waiting_of_dag(instance, dag_id, some)}


def _waiting_of_dag(instance: Any, dag_id: str, askers: Sequence[RunIdentity]) -> list[RunIdentity]:
    states: Mapping[str, Mapping[str, str | None]] = instance.get_task_states(
        dag_id=dag_id,
        task_ids=sorted({each.task_id for each in askers}),
        run_ids=sorted({each.run_id for each in askers}),
    )

    def may_be_answered(each: RunIdentity) -> bool:
        named = each.task_id if each.map_index < 0 else f"{each.task_id}_{each.map_index}"
        of_run = states.get(each.run_id) or {}
        return named in of_run and of_run[named] not in _OVER

    return [each for each in askers if may_be_answered(each)]


def _person(event: Mapping[str, Any]) -> str:
    user = event.get("responded_by_user")
    if not user:
        return "nobody"
    name, user_id = str(user["name"]), str(user["id"])
    return name if name == user_id else f"{name} ({user_id})"


def _moment(event: Mapping[str, Any]) -> datetime:
    moment = event.get("responded_at")
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment if isinstance(moment, datetime) else datetime.now(UTC)
