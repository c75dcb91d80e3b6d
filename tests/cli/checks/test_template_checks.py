from __future__ import annotations

import pytest

from airflow_provider_permitocr.cli.checks.findings import Verdict
from airflow_provider_permitocr.cli.checks.template_checks import Described, check_templates
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable


def table(since: str | None = None, until: str | None = None) -> ImageTable:
    return ImageTable("i", conn_id="lake", key="k", image="i", updated_at="at", since=since, until=until)


def query(day: str) -> ImageQuery:
    return ImageQuery("SELECT :day", conn_id="lake", key="k", image="i", parameters={"day": day})


@pytest.mark.parametrize(
    ("described", "verdict", "words"),
    [
        (
            table("{{ data_interval_end }}", "{{ data_interval_start }}"),
            Verdict.WRONG,
            "since is not before until",
        ),
        (table("{{ ds }}"), Verdict.NOTE, "since: {{ ds }} fails in runs without a logical date"),
        (
            table(until="{{ logical_date.isoformat() }}"),
            Verdict.NOTE,
            "until: {{ logical_date.isoformat() }} fails",
        ),
        (
            table("{{ data_interval_start | ds }}"),
            Verdict.NOTE,
            "since: {{ data_interval_start | ds }} fails",
        ),
        (table(until="{{ macros.ds_add(ds, 1) }}"), Verdict.NOTE, "until: {{ macros.ds_add(ds, 1) }} fails"),
        (query("{{ ds }}"), Verdict.NOTE, "parameter day: {{ ds }} fails"),
        (ResultFile("/x/{{ ds }}.csv"), Verdict.NOTE, "path: /x/{{ ds }}.csv fails in runs without"),
        (ResultFile("/x/{{ run_id }}/{{ data_interval_start | ds }}.csv"), Verdict.NOTE, "path: "),
        (ResultFile("/x/{{ (logical_date or dag_run.run_after) | ds }}.csv"), Verdict.NOTE, "path: "),
        (ResultTable("permits_{{ ds_nodash }}", conn_id="lake"), Verdict.NOTE, "table: permits_{{ ds_nodash"),
        (Ledger("permit_ocr_{{ ds_nodash }}", conn_id="lake"), Verdict.NOTE, "name: permit_ocr_{{ ds_nodash"),
    ],
)
def test_templates_that_cannot_work_in_every_run_are_told(
    described: Described, verdict: Verdict, words: str
) -> None:
    (finding,) = check_templates(described)
    assert finding.verdict is verdict
    assert words in finding.message
    assert finding.remedy


@pytest.mark.parametrize(
    "described",
    [
        table(),
        table("2026-05-01", "2026-05-02"),
        table("{{ data_interval_start }}", "{{ data_interval_end }}"),
        table("{{ params.since }}", "{{ macros.ds_add(ds, params.days) }}"),
        query("{{ ds if ds is defined else 'all' }}"),
        ResultFile("/x/{{ ds if ds is defined else run_id }}.csv"),
        ResultFile("/x/{{ dag_run.run_after | ds }}.csv"),
        ResultFile("/x/{{ params.name }}-{{ ds }}.csv"),
        ResultFile("/x/{{ ds | of_my_own }}.csv"),
        ResultFile("/x/{{ dag_run.conf['day'] }}.csv"),
        ResultTable("permits", conn_id="lake"),
    ],
)
def test_templates_that_work_in_every_run_or_take_more_than_dates_are_left_alone(
    described: Described,
) -> None:
    assert list(check_templates(described)) == []


def test_a_file_that_needs_a_date_gets_a_remedy_that_works() -> None:
    (finding,) = check_templates(ResultFile("/x/{{ ds }}.csv"))
    template = finding.remedy.partition(": ")[2]
    assert list(check_templates(ResultFile(f"/x/{template}.csv"))) == []


def test_an_interval_is_compared_only_where_dates_alone_make_it() -> None:
    two_days_later = "{{ data_interval_start + macros.timedelta(days=2) }}"
    findings = check_templates(table(two_days_later, "{{ data_interval_end }}"))
    assert [each.verdict for each in findings] == [Verdict.NOTE]
