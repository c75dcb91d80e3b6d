"""The operator that erases what a recognizing task has stored."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.stop_request import StopRequest
from airflow_provider_permitocr.error_privacy import private_errors
from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.wiring.monitoring.reporting import ReportsTargets
from airflow_provider_permitocr.wiring.task_retries import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class PermitErasureOperator(ReportsTargets, BaseOperator):
    """Erases personal data from everything a task has filled: ledger, tables, stored portraits and files.

    Give exactly one of ``keys``, ``older_than_days`` and ``policy``. An erased image stays known by its key,
    and is not called for again unless it changes or ``redo`` names it. No call is made, and the ledger's
    sums of calls and cost stay. Returns what was done, in numbers, and what could not be reached.

    It may run again after an error, and while the recognizing task runs.

    :param recognition: the task whose list it is, which is not mapped.
    :param keys: keys of images, both sides of each; a list, or one text with commas. The same picture under
        another key is erased, too. Templated; a template may render to a list.
    :param older_than_days: images whose last result is older than this many days.
    :param policy: rewrite everything stored according to the recognizing task's current ``privacy=``.
    :param plan_only: change nothing; return what would be erased.
    :raises ValueError, TypeError: naming the argument.
    """

    template_fields: Sequence[str] = ("keys",)
    ui_color = "#fbe8e8"

    def __init__(
        self,
        *,
        recognition: MainlandPermitOcrOperator,
        keys: Sequence[str] | str | None = None,
        older_than_days: int | None = None,
        policy: bool = False,
        plan_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(recognition, MainlandPermitOcrOperator):
            raise TypeError(
                "recognition must be a MainlandPermitOcrOperator that is not mapped, not"
                f" {type(recognition).__name__}; for a mapped one, use airflow permitocr erase"
            )
        self.recognition = recognition
        self.keys = keys
        self.older_than_days = older_than_days
        self.policy = policy
        self.plan_only = plan_only
        self._stop = StopRequest()
        self._rule(None if keys is None else ())

    @private_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Erase, and turn errors into Airflow's.

        :return: what was done, in numbers, and what was not reached; with ``plan_only``, what would be done.
        """
        from airflow_provider_permitocr.wiring.identity import run_identity
        from airflow_provider_permitocr.wiring.without_calls import open_erasure

        rule = self._rule(None if self.keys is None else _listed(self.keys))
        with airflow_errors():
            recognition = copy(self.recognition)
            recognition.render_template_fields(context)
            by = run_identity(context).name or "a run outside of Airflow"
            with open_erasure(recognition.options, rule, self._stop, erased_by=by, log=self.log) as erasure:
                if self.plan_only:
                    plan = erasure.plan()
                    self.log.info(f"Plan only: nothing was changed. This would erase {plan}")
                    self._announce_plan(context, plan.as_dict())
                    return plan.as_dict()
                try:
                    done = erasure.run()
                finally:
                    self._trace(recognition.options, erasure)
        self.log.info(f"Erased {done}")
        for each in done.not_reached:
            self.log.info(f"  not reached: {each}")
        if done.refused:
            raise AirflowException(
                f"{many(done.refused, 'row is', 'rows are')} refused by a result table, and may still"
                " contain data that should be erased. See permit_ocr_refused for the reason, fix the table's"
                " constraints, and clear the task"
            )
        conn_ids = [table.conn_id for table in recognition.options.tables]
        self._announce(context, conn_ids, done.as_dict(), done.delivered)
        return done.as_dict()

    def _rule(self, keys: Sequence[str] | None) -> ErasureRule:
        return ErasureRule(keys=keys, older_than_days=self.older_than_days, policy=self.policy)

    def on_kill(self) -> None:
        """End early; what was erased stays erased, and the task can be cleared."""
        self._stop.set()


def _listed(keys: Sequence[str] | str) -> Sequence[str]:
    if not isinstance(keys, str):
        return keys
    if keys.strip().startswith("["):  # a template of a list renders to its text
        with suppress(ValueError, SyntaxError):
            return list(map(str, ast.literal_eval(keys.strip())))
    return [part for each in keys.split(",") if (part := each.strip())]
