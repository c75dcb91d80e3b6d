"""The operator that keeps views, small tables and a report up to date for analysts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_permitocr.engine.stop_request import StopRequest
from airflow_provider_permitocr.error_privacy import private_errors
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.options.ledger import Ledger, beside
from airflow_provider_permitocr.options.readable import rendered_fields, require_rendered
from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport, fixed_zone, report_of
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.options.validation import held
from airflow_provider_permitocr.permit.quality.assessment import DEFAULT_ZONE
from airflow_provider_permitocr.wiring.monitoring.reporting import ReportsTargets
from airflow_provider_permitocr.wiring.task_retries import airflow_errors

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


class PermitAnalyticsOperator(ReportsTargets, BaseOperator):
    """Creates views beside a result table, small tables of calls, and a page of pictures.

    Schedule its DAG on the asset that the recognizing task updates. Its views read the result table as it is;
    the tables ``..._cost_by_day`` and ``..._calls_by_hour`` and the report date from its last run. Returns
    counts only.

    :param result: the result table, as the recognizing task names it. Templated inside.
    :param ledger: the ledger of that task; by default the one beside the result table. Templated inside.
    :param report: an ``AnalyticsReport``, or its path. Templated inside.
    :param timezone: a day begins at midnight in this time zone, which must not have daylight saving time.
    :raises ValueError, TypeError: naming the argument.
    """

    template_fields: Sequence[str] = ("result", "ledger", "report")
    ui_color = "#e9f5ec"

    def __init__(
        self,
        *,
        result: ResultTable,
        ledger: Ledger | None = None,
        report: AnalyticsReport | str | None = None,
        timezone: str = DEFAULT_ZONE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(result, ResultTable):
            raise TypeError(f"result must be a ResultTable, not {type(result).__name__}: files have no views")
        if not isinstance(ledger, Ledger | None):
            raise TypeError(f"ledger must be a Ledger or None, not {type(ledger).__name__}")
        self.result = result
        self.ledger = ledger
        self.report = report_of(report)
        self.timezone = held("timezone", timezone, fixed_zone())
        self._stop = StopRequest()

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render the values inside what an author writes into copies, which no other run shares."""
        if not isinstance(content, ResultTable | Ledger | AnalyticsReport):
            return super().render_template(content, context, jinja_env, seen_oids)
        render = super().render_template
        rendered = rendered_fields(content, lambda value: render(value, context, jinja_env, seen_oids))
        require_rendered(content, rendered)
        return replace(content, **rendered)

    @private_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Bring all up to date, and turn errors into Airflow's.

        :return: how many views there are and were changed, rows of small tables, and files of the report.
        """
        from airflow_provider_permitocr.wiring.analytics import open_analysis

        ledger = self.ledger or beside(self.result)
        with (
            airflow_errors(),
            open_analysis(
                self.result, ledger, self.report, timezone=self.timezone, stop=self._stop, log=self.log
            ) as opened,
        ):
            done = opened.update.run()
            with suppress(PermitOcrError):  # lineage fails no task
                self._trail = opened.trail(done)
        self.log.info(f"Done: {done}")
        self._announce(context, [self.result.conn_id], done.as_dict(), opened.delivered(done))
        return done.as_dict()

    def on_kill(self) -> None:
        """Stop waiting for databases."""
        self._stop.set()
