"""Reads DAG files and pools as the scheduler knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Verdict
from airflow_provider_permitocr.cli.ocr_tasks import is_ocr_task, read_task

if TYPE_CHECKING:
    from airflow.dag_processing.bundles.base import BaseDagBundle
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG


@dataclass(frozen=True)
class DagFiles:
    """All DAGs of this Airflow.

    :param dags: as their files make them.
    :param tasks: their tasks of the operator, or of a subclass of it.
    :param findings: bundles and files that could not be read.
    """

    dags: tuple[DAG, ...]
    tasks: tuple[OcrTask, ...]
    findings: tuple[Finding, ...]

    @property
    def dag_ids(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(dag.dag_id for dag in self.dags)


def read_dags() -> DagFiles:
    """Parse the DAG files of every bundle, without writing to Airflow's database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    dags: list[DAG] = []
    findings: list[Finding] = []
    manager = DagBundlesManager()  # type: ignore[no-untyped-call]
    # A bundle that cannot be made is left out by Airflow, with no more than a line in the log.
    unread = dict.fromkeys(manager.get_all_bundle_names(), "its configuration does not work")
    for bundle in manager.get_all_dag_bundles():
        try:
            bag = _parse(bundle)
        except Exception as error:  # noqa: BLE001  each kind of bundle fails in ways of its own
            unread[bundle.name] = f"{type(error).__name__}: {error}"
            continue
        del unread[bundle.name]
        dags += bag.dags.values()
        findings += (_import_error(file, trace) for file, trace in bag.import_errors.items())
    findings += (_wrong(f"bundle {name} cannot be read: {reason}") for name, reason in unread.items())
    tasks = [read_task(dag, task) for dag in dags for task in dag.tasks if is_ocr_task(task)]
    return DagFiles(tuple(dags), tuple(tasks), tuple(findings))


def read_pools() -> dict[str, int]:
    """Return the slots of every pool.

    :raises SQLAlchemyError: when Airflow's database cannot be read.
    """
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(Pool.pool, Pool.slots))
        return {str(name): int(slots) for name, slots in rows}


def _parse(bundle: BaseDagBundle) -> DagBag:
    from airflow.dag_processing.dagbag import BundleDagBag

    bundle.initialize()
    return BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)


def _import_error(file: str, trace: str) -> Finding:
    last_line = trace.strip().rpartition("\n")[2]
    return _wrong(f"{file} cannot be imported, so nothing in it is checked, and nothing runs: {last_line}")


def _wrong(message: str) -> Finding:
    return Finding(Verdict.WRONG, "DAG files", message)
