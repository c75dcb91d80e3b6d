"""Looks at a result file and its place, without changing either of them."""

from __future__ import annotations

from airflow_provider_permitocr.cli.checks.database_checks import look_at, templated, unchecked
from airflow_provider_permitocr.cli.checks.findings import Finding, Verdict
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.targets.result_file import ResultFile

_SUBJECT = "result file"


def check_result_file(described: ResultFile, shard: str | None) -> list[Finding]:
    """Check that a file can be written, as far as possible without writing: its place, its format.

    :param shard: the shard that writes it, if known before a run.
    """
    if names := templated(described):
        return [unchecked(_SUBJECT, names), *_without_package(described)]
    return [look_at(_SUBJECT, lambda: _look(described, shard))]


def _without_package(described: ResultFile) -> list[Finding]:
    """Find packages that a format needs; its suffix is mostly visible even in a template."""
    from airflow_provider_permitocr.files.row_format import row_format

    try:
        row_format(described).check()
    except ConfigurationError as error:
        return [Finding(Verdict.WRONG, _SUBJECT, str(error))]
    except ValueError:  # the suffix is known only in a run
        return []
    return []


def _look(described: ResultFile, shard: str | None) -> str:
    from airflow_provider_permitocr.wiring.result_file import open_result_file

    if shard is not None:
        described = described.of_shard(Shard.parse(shard))
    if open_result_file(described).check():
        return f"{described.path} exists; a run replaces it"
    return f"{described.path} does not exist yet; the first run writes it"
