"""All arguments of a task, rendered: the input of runs, plans and rebuilds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger, beside
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.privacy import Privacy
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.run import RUN_RULES, Batch, CallRetry, FailureLimits
from airflow_provider_permitocr.options.targets.portraits import PortraitColumn, PortraitFolder, Portraits
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.options.validation import (
    Rule,
    check,
    instance_of,
    number,
    optional,
    text,
    whole,
)

Target: TypeAlias = ResultTable | ResultFile
_LEDGER: Final = 'ledger=Ledger("permit_ocr", conn_id="...")'


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """An operator's arguments; its docstring describes each of them.

    :param file_list: name of the list if its only target is a file: the path before rendering.
    :param is_same_list: whether each run lists the same rows, plus new ones.
    """

    #: The operator itself is known from the DAG's line, so errors need not name it.
    said_by: ClassVar[str] = ""
    template_fields: ClassVar[tuple[str, ...]] = ("shard", "tencentcloud_conn_id", "list", "journal")

    source: ImageTable | ImageQuery
    targets: tuple[Target, ...]
    shard: str | None
    tencentcloud_conn_id: str
    images: ImageAccess
    portraits: Portraits | None
    privacy: Privacy | None
    quality: Quality
    max_per_second: float | None
    max_in_flight: int | None
    pool_slots: int
    batch: Batch
    call_retry: CallRetry
    max_runs_per_image: int
    ledger: Ledger | None
    list: str | None
    file_list: str | None
    is_same_list: bool
    leftovers: bool
    redo: Redo | None
    budget: Budget
    failure_limits: FailureLimits
    reuse_identical: bool
    journal: str | None

    @property
    def tables(self) -> tuple[ResultTable, ...]:
        """The targets that are tables."""
        return tuple(each for each in self.targets if isinstance(each, ResultTable))

    @property
    def files(self) -> tuple[ResultFile, ...]:
        """The targets that are files."""
        return tuple(each for each in self.targets if isinstance(each, ResultFile))

    def check(self) -> None:
        """Refuse arguments that cannot work, before anything is rendered.

        :raises ValueError, TypeError: naming the argument.
        """
        check(
            self,
            source=instance_of(ImageTable, ImageQuery),
            tencentcloud_conn_id=text(),
            images=instance_of(ImageAccess),
            portraits=optional(instance_of(PortraitFolder, PortraitColumn)),
            privacy=optional(instance_of(Privacy)),
            quality=instance_of(Quality),
            max_per_second=optional(number(above=0)),
            max_in_flight=optional(whole(1)),
            ledger=optional(instance_of(Ledger)),
            list=optional(text()),
            journal=optional(Rule("an absolute path", _absolute)),
            **RUN_RULES,
        )
        if self.shard is not None and not is_template(self.shard):
            Shard.parse(self.shard)
        carried = [each.result_name for each in self.source.carried]
        self.quality.require_carried(carried)
        self.quality.require_own_answers(
            is_protected=self.privacy is not None, reuse_identical=self.reuse_identical
        )
        if self.privacy is not None:
            self.privacy.require_carried(carried)
            self.privacy.require_portraits(wanted=self.portraits is not None)
        self._check_targets()
        self._check_ledger()

    def _check_targets(self) -> None:
        if not self.targets:
            raise TypeError("target must be ResultTable or ResultFile, and at least one of them")
        for each in self.targets:
            if not isinstance(each, ResultTable | ResultFile):
                raise TypeError(f"target must be ResultTable or ResultFile, not {type(each).__name__}")
            if isinstance(each, ResultFile):
                each.require_shard_place(sharded=self.shard is not None)
        places = [(each.conn_id, _place(each)) for each in self.targets]
        if doubled := next((place for place in places if places.count(place) > 1), None):
            raise ValueError(f"the target {doubled[1]!r} is named twice; name it once")
        if len(self.targets) > 1 and self.list is None:
            raise ValueError("a list with several targets needs a name: list='permits'")

    def _check_ledger(self) -> None:
        if self.ledger is not None:
            self._check_kept_answers(self.ledger)
            return
        if not self.tables:
            raise ValueError(
                f"A file cannot hold the ledger of its runs. Name a database that can: {_LEDGER}"
            )
        if len({repr(beside(each)) for each in self.tables}) > 1:
            raise ValueError(
                f"The result tables are in more than one schema. Say where to keep the ledger: {_LEDGER}"
            )
        if self.budget.is_capped:
            raise ValueError(f"max_calls and max_calls_per_day need a ledger with a name: {_LEDGER}")

    def _check_kept_answers(self, ledger: Ledger) -> None:
        has_window = isinstance(self.source, ImageTable) and self.source.since is not None
        if ledger.keep_answers is not None and self.files and not has_window:
            raise ValueError(
                "Each file of a list without a window holds all of its images, so their answers are needed."
                " Leave out Ledger(keep_answers=...), or give the ImageTable since and until"
            )


def _place(target: Target) -> str:
    return target.table if isinstance(target, ResultTable) else target.path


def _absolute(given: str) -> str:
    if not given.startswith("/"):
        raise ValueError
    return given
