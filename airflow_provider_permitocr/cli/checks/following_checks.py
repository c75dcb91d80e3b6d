"""Looks at what tasks that follow recognition need, without changing anything."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.cli.checks.database_checks import find_out, templated, templated_finding
from airflow_provider_permitocr.cli.checks.findings import Finding, wrong
from airflow_provider_permitocr.options.ledger import beside
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.permit.replacement import Method

if TYPE_CHECKING:
    from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
    from airflow_provider_permitocr.operators.permit_review import PermitReviewOperator

_REVIEW, _ANALYTICS = "review", "analytics"
_log: Final = logging.getLogger(__name__)


def check_review(operator: PermitReviewOperator) -> list[Finding]:
    """Check that a task's recognition leaves something to review."""
    policy = operator.recognition.privacy
    if policy is None or policy.methods.get("quality_flags") is not Method.DROP:
        return []
    return [
        wrong(
            _REVIEW,
            "the policy of the recognizing task drops quality flags, so no reading is known to be doubtful",
            remedy="keep them: Privacy(..., quality_flags='keep')",
        )
    ]


def check_analytics(operator: PermitAnalyticsOperator) -> list[Finding]:
    """Check that views, tables and the report can be made: connections, names, the ledger."""
    ledger, report = operator.ledger or beside(operator.result), operator.report
    names = [*templated(operator.result), *(templated(ledger) if operator.ledger else ())]
    if names:
        return [templated_finding(_ANALYTICS, names)]
    found = [find_out(_ANALYTICS, operator.result.conn_id, lambda: _look(operator))]
    if report is not None and is_template(report.path):
        found.append(templated_finding("report", ["path"]))
    return found


def _look(operator: PermitAnalyticsOperator) -> str:
    from airflow_provider_permitocr.wiring.analytics import open_analysis
    from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
    from airflow_provider_permitocr.wiring.result_table import open_result_table

    result, report = operator.result, operator.report
    named = f"{result.table} on {result.conn_id}"
    with SqlEngines() as engines:
        table = open_result_table(result, engines)
        if table.missing_file() is not None or not table.check():
            return f"{named} does not exist yet; views can be created after the first run"
    with open_analysis(
        result,
        operator.ledger or beside(result),
        None if report is None or is_template(report.path) else report,
        timezone=operator.timezone,
        stop=threading.Event(),
        log=_log,
    ) as opened:
        opened.update.check()
    return f"views and tables beside {named} can be created, or are there"
