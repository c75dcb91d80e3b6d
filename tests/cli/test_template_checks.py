from __future__ import annotations

import pytest

from airflow_provider_permitocr.cli.checks.findings import ImageList, Verdict
from airflow_provider_permitocr.cli.checks.template_checks import check_templates
from airflow_provider_permitocr.options.image_list import ImageQuery, ImageTable


def table(since: str | None = None, until: str | None = None) -> ImageTable:
    return ImageTable("i", conn_id="lake", key="k", image="i", updated_at="at", since=since, until=until)


def query(day: str) -> ImageQuery:
    return ImageQuery("SELECT :day", conn_id="lake", key="k", image="i", parameters={"day": day})


@pytest.mark.parametrize(
    ("source", "verdict", "words"),
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
        (query("{{ ds }}"), Verdict.NOTE, "parameter day: {{ ds }} fails"),
    ],
)
def test_templates_that_cannot_work_in_every_run_are_told(
    source: ImageList, verdict: Verdict, words: str
) -> None:
    (finding,) = check_templates(source)
    assert finding.verdict is verdict
    assert words in finding.message
    assert finding.remedy


@pytest.mark.parametrize(
    "source",
    [
        table(),
        table("2026-05-01", "2026-05-02"),
        table("{{ data_interval_start }}", "{{ data_interval_end }}"),
        table("{{ params.since }}", "{{ macros.ds_add(ds, 1) }}"),
        query("{{ ds if ds is defined else 'all' }}"),
    ],
)
def test_templates_that_work_in_every_run_or_take_more_than_dates_are_left_alone(source: ImageList) -> None:
    assert list(check_templates(source)) == []
