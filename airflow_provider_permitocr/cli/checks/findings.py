"""What a check has found, and the values that it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.privacy import Privacy
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.portraits import Portraits
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable

if TYPE_CHECKING:
    from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
    from airflow_provider_permitocr.operators.permit_review import PermitReviewOperator
    from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity

ImageList: TypeAlias = "ImageTable | ImageQuery"


class Verdict(StrEnum):
    """How it looks; only ``WRONG`` makes the command fail."""

    OK = "ok"
    WRONG = "WRONG"
    NOTE = "note"  #: works, but could be better
    UNCHECKED = "unchecked"  #: cannot be known before a run


@dataclass(frozen=True)
class Finding:
    """One finding.

    :param subject: what was checked, in a word or two.
    :param remedy: what to do about it.
    :param command: the same as a shell command, if there is one.
    """

    verdict: Verdict
    subject: str
    message: str
    remedy: str = ""
    command: str = ""

    def as_row(self, task: Task | None) -> dict[str, str | None]:
        """Return plain values, with the task that it is about; None: all of Airflow."""
        return {
            "dag_id": task.dag_id if task else None,
            "task_id": task.task_id if task else None,
            "verdict": self.verdict.lower(),
            "subject": self.subject,
            "message": self.message,
            "remedy": self.remedy or None,
            "command": self.command or None,
        }


def ok(subject: str, message: str) -> Finding:
    """Return what is as it should be."""
    return Finding(Verdict.OK, subject, message)


def wrong(subject: str, message: str, remedy: str = "", command: str = "") -> Finding:
    """Return what keeps tasks from working."""
    return Finding(Verdict.WRONG, subject, message, remedy, command)


def noted(subject: str, message: str, remedy: str = "") -> Finding:
    """Return what works, and could be better."""
    return Finding(Verdict.NOTE, subject, message, remedy)


def unchecked(subject: str, message: str) -> Finding:
    """Return what cannot be known before a run."""
    return Finding(Verdict.UNCHECKED, subject, message)


@dataclass(frozen=True)
class Variant:
    """What a task executes: a plain task has one variant, a mapped task one per instance.

    :param source: None if only known at run time, like most others.
    :param targets: empty if only known at run time.
    :param ledger: also None if the ledger is the default one beside the result table.
    :param identity: what identifies the list in the ledger.
    """

    source: ImageList | None = None
    targets: tuple[ResultTable | ResultFile, ...] = ()
    ledger: Ledger | None = None
    identity: ListIdentity | None = None
    tencentcloud_conn_id: str | None = None
    max_per_second: float | None = None
    shard: str | None = None
    privacy: Privacy | None = None
    portraits: Portraits | None = None
    quality: Quality | None = None

    @property
    def tables(self) -> tuple[ResultTable, ...]:
        """The targets that are tables."""
        return tuple(each for each in self.targets if isinstance(each, ResultTable))


@dataclass(frozen=True)
class Task:
    """One task of a DAG.

    :param file: the DAG file, as Airflow names it.
    """

    dag_id: str
    task_id: str
    file: str


@dataclass(frozen=True)
class FollowingTask(Task):
    """One task that follows recognition, as its DAG file describes it.

    :param operators: its instances, as far as they are known before a run.
    :param findings: findings while reading it.
    """

    operators: tuple[PermitReviewOperator | PermitAnalyticsOperator, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class OcrTask(Task):
    """One task of the operator, as its DAG file describes it.

    :param limits: Airflow's own limits on instances of it that run side by side, by name.
    :param findings: findings while reading it.
    """

    pool: str
    pool_slots: int
    variants: tuple[Variant, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Connections of the API without duplicates, if known before a run."""
        conn_ids = (each.tencentcloud_conn_id for each in self.variants)
        return tuple(dict.fromkeys(each for each in conn_ids if each and not is_template(each)))
