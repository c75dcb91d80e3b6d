"""After each run that filled the result table: bring views, tables and the report for analysts up to date.

The recognizing task names the same asset, so that this DAG follows it::

    MainlandPermitOcrOperator(..., outlets=[Asset("permits")])
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset

from airflow_provider_permitocr import AnalyticsReport, PermitAnalyticsOperator, ResultTable

with DAG(
    dag_id="permit_ocr_analytics",
    schedule=[Asset("permits")],
    max_active_runs=1,
    default_args={"retries": 2},
    tags=["permit-ocr"],
    doc_md=__doc__,
):
    PermitAnalyticsOperator(
        task_id="update_analytics",
        result=ResultTable("permits", conn_id="warehouse"),
        # A run that an asset triggers has no logical date; it has the time at which it was created.
        report=AnalyticsReport(
            "{{ var.value.get('permit_ocr_reports', '/opt/reports') }}"
            "/permits-{{ dag_run.run_after | ds }}.html",
            file_mode=0o644,
        ),
    )
