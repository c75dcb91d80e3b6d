"""Looks at templates of dates: do they work in every run, those without a logical date among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_permitocr.cli.checks.findings import Finding, noted, wrong
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.source.times import read_time
from airflow_provider_permitocr.wiring.data_interval import INTERVAL

if TYPE_CHECKING:
    import jinja2

    from airflow_provider_permitocr.cli.checks.findings import ImageList

Described: TypeAlias = "ImageList | ResultTable | ResultFile | Ledger"

_SUBJECTS: Final[Mapping[type[Any], str]] = {
    ImageTable: "image list",
    ImageQuery: "image list",
    ResultTable: "result table",
    ResultFile: "result file",
    Ledger: "ledger",
}
_DAY: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
_DATES: Final[dict[str, Any]] = {
    **dict(zip(INTERVAL, _DAY, strict=True)),
    "logical_date": _DAY[0],
    "ds": "2026-01-01",
    "ds_nodash": "20260101",
    "ts": _DAY[0].isoformat(),
    "ts_nodash": "20260101T000000",
    "ts_nodash_with_tz": "20260101T000000+0000",
}


def check_templates(described: Described) -> Iterator[Finding]:
    """Find templates that cannot work, or not in every run; others are ignored."""
    subject = _SUBJECTS[type(described)]
    # A list is given an empty interval in runs without one; see ``with_interval``.
    absent = dict.fromkeys(INTERVAL, "") if isinstance(described, ImageTable) else {}
    if isinstance(described, ImageTable):
        since, until = (_rendered(value, _DATES) for value in (described.since, described.until))
        if since and until and (begin := _moment(since)) and (end := _moment(until)) and begin >= end:
            message = "since and until: in a run with a data interval, since is not before until"
            remedy = 'since="{{ data_interval_start }}", until="{{ data_interval_end }}"'
            yield wrong(subject, message, remedy)
    in_every_run = _in_every_run()
    for name, template in _values(described).items():
        if (
            _takes_only(template, in_every_run.keys() | _DATES.keys())
            and _rendered(template, in_every_run | _DATES) is not None
            and _rendered(template, in_every_run | absent) is None
        ):
            # It is for its author to know whether there are such runs.
            yield noted(
                subject,
                f"{name}: {template} fails in runs without a logical date, such as those of an asset",
                "name the file of such runs too: {{ ds if ds is defined else run_id }}"
                if isinstance(described, ResultFile)
                else "give a value for them: {{ ... if logical_date is defined else ... }}",
            )


def _values(described: Described) -> dict[str, Any]:
    values = {name: getattr(described, name) for name in described.template_fields}
    if isinstance(described, ImageQuery):
        values |= {f"parameter {name}": value for name, value in values.pop("parameters").items()}
    return values


def _in_every_run() -> dict[str, Any]:
    """Return example values for the names that templates can use in every run."""
    from airflow.sdk import macros

    run_id = "manual__2026-01-01T00:00:00+00:00"
    return {
        "run_id": run_id,
        "dag_run": SimpleNamespace(run_id=run_id, run_after=_DAY[1]),
        "macros": macros,
    }


@cache
def _environment() -> jinja2.Environment:
    """Return an environment with Airflow's filters, which raises an error for undefined names."""
    from airflow.sdk import DAG

    return DAG("of_the_check", schedule=None).get_template_env()


def _takes_only(template: object, names: Set[str]) -> bool:
    from jinja2 import TemplateError, meta

    if not is_template(template):
        return False
    try:
        return meta.find_undeclared_variables(_environment().parse(str(template))) <= names
    except TemplateError:
        return False


def _rendered(template: object, context: Mapping[str, Any]) -> str | None:
    """Render a template; None if it fails, or the value is not a template."""
    from jinja2 import TemplateError

    if not is_template(template):
        return None
    try:
        return _environment().from_string(str(template)).render(context)
    # Of filters and their arguments.
    except (TemplateError, AttributeError, TypeError, ValueError, ArithmeticError):
        return None


def _moment(text: str) -> datetime | None:
    try:
        return read_time(text)
    except ValueError:
        return None
