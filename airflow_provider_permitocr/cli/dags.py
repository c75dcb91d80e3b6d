"""Reads DAG files as the scheduler knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.cli.checks.findings import Finding, FollowingTask, OcrTask, wrong
from airflow_provider_permitocr.cli.ocr_tasks import is_following_task, is_ocr_task, read_following, read_task

if TYPE_CHECKING:
    from airflow.dag_processing.bundles.base import BaseDagBundle
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG


@dataclass(frozen=True)
class DagFiles:
    """All DAGs of this Airflow.

    :param dags: as created by their files.
    :param tasks: their tasks of the operator or of a subclass.
    :param following: tasks that follow them: reviews and updates of analytics.
    :param findings: bundles and files that could not be read.
    """

    dags: tuple[DAG, ...]
    tasks: tuple[OcrTask, ...]
    following: tuple[FollowingTask, ...]
    findings: tuple[Finding, ...]

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(dag.dag_id for dag in self.dags)


def read_dags() -> DagFiles:
    """Parse the DAG files of every bundle, without writing to Airflow's database."""
    from airflow.sdk import conf

    dags: list[DAG] = []
    findings: list[Finding] = []
    configured: Any = conf.getjson("dag_processor", "dag_bundle_config_list")
    for described in configured:
        try:
            bag = _parse(_bundle(described))
        except Exception as error:  # noqa: BLE001  each kind of bundle fails in its own ways
            reason = f"{type(error).__name__}: {error}"
            findings.append(_wrong(f"bundle {_name(described)} cannot be read: {reason}"))
            continue
        dags += bag.dags.values()
        findings += (_import_error(file, trace) for file, trace in bag.import_errors.items())
    tasks = [read_task(dag, task) for dag in dags for task in dag.tasks if is_ocr_task(task)]
    following = [read_following(dag, task) for dag in dags for task in dag.tasks if is_following_task(task)]
    return DagFiles(tuple(dags), tuple(tasks), tuple(following), tuple(findings))


def _bundle(described: Any) -> BaseDagBundle:
    """Make a bundle as ``[dag_processor] dag_bundle_config_list`` describes it."""
    kind: type[BaseDagBundle] = resolve_name(described["classpath"])
    return kind(name=described["name"], **described.get("kwargs", {}))


def _name(described: Any) -> str:
    return (
        str(described["name"]) if isinstance(described, Mapping) and "name" in described else "without name"
    )


def _parse(bundle: BaseDagBundle) -> DagBag:
    from airflow.dag_processing.dagbag import BundleDagBag

    bundle.initialize()
    return BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)


def _import_error(file: str, trace: str) -> Finding:
    last_line = trace.strip().rpartition("\n")[2]
    return _wrong(f"{file} cannot be imported; nothing in it is checked or runs: {last_line}")


def _wrong(message: str) -> Finding:
    return wrong("DAG files", message)
