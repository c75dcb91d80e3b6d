"""Looks at templates of dates: do they work in every run, those without a logical date among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from airflow_provider_permitocr.cli.checks.findings import Finding, ImageList, Verdict
from airflow_provider_permitocr.options.image_list import ImageTable
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.sql.source.times import read_time
from airflow_provider_permitocr.wiring.data_interval import INTERVAL

_LIST: Final = "image list"
_DAY: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
_DATED: Final[Mapping[str, Any]] = {
    **dict(zip(INTERVAL, _DAY, strict=True)),
    "logical_date": _DAY[0],
    "ds": "2026-01-01",
    "ds_nodash": "20260101",
    "ts": _DAY[0].isoformat(),
    "ts_nodash": "20260101T000000",
    "ts_nodash_with_tz": "20260101T000000+0000",
}
#: As the operator renders them in runs that are triggered without a logical date, or by an asset.
_UNDATED: Final[Mapping[str, Any]] = dict.fromkeys(INTERVAL, "")


def check_templates(source: ImageList) -> Iterator[Finding]:
    """Find templates of a list that cannot work, or not in every run; other ones are left alone."""
    if isinstance(source, ImageTable):
        since, until = (_rendered(value, _DATED) for value in (source.since, source.until))
        if since and until and (begin := _moment(since)) and (end := _moment(until)) and begin >= end:
            message = "since and until: in a run with a data interval, since is not before until"
            remedy = 'since="{{ data_interval_start }}", until="{{ data_interval_end }}"'
            yield Finding(Verdict.WRONG, _LIST, message, remedy)
        templates = {"since": source.since, "until": source.until}
        absent = _UNDATED
    else:
        templates = {"sql": source.sql, **{f"parameter {name}": at for name, at in source.parameters.items()}}
        absent = {}
    for name, template in templates.items():
        if _rendered(template, _DATED) is not None and _rendered(template, absent) is None:
            # It is for its author to know whether there are such runs.
            yield Finding(
                Verdict.NOTE,
                _LIST,
                f"{name}: {template} fails in runs without a logical date, such as those of an asset",
                "give a value for them: {{ ... if logical_date is defined else ... }}",
            )


def _rendered(template: object, context: Mapping[str, Any]) -> str | None:
    """Render a template of dates alone; None where it fails, or takes more than dates."""
    import jinja2
    from jinja2 import meta
    from jinja2.sandbox import SandboxedEnvironment

    if not is_template(template):
        return None
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    try:
        parsed = environment.parse(str(template))
        if not meta.find_undeclared_variables(parsed) <= _DATED.keys():
            return None
        return environment.from_string(str(template)).render(context)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError):  # filters of Airflow's, too
        return None


def _moment(text: str) -> datetime | None:
    try:
        return read_time(text)
    except ValueError:
        return None
