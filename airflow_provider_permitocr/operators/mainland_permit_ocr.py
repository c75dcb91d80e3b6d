"""The operator: an image table in, a table of recognized permits out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, cast

from airflow.sdk import BaseOperator

from airflow_provider_permitocr.engine.plan.plan import PlanMode
from airflow_provider_permitocr.engine.stop_request import StopRequest
from airflow_provider_permitocr.error_privacy import private_errors
from airflow_provider_permitocr.errors import ConfigurationError, PermitOcrError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.options.privacy import Privacy, policy_of
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.readable import is_template, rendered_fields, require_rendered
from airflow_provider_permitocr.options.run import Batch, CallRetry, FailureLimits
from airflow_provider_permitocr.options.targets.portraits import PortraitFolder, Portraits, portraits_of
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.options.task import Target, TaskOptions
from airflow_provider_permitocr.plugins.page_link import PageLink
from airflow_provider_permitocr.wiring.data_interval import whole_if_empty, with_interval
from airflow_provider_permitocr.wiring.monitoring.reporting import ReportsTargets
from airflow_provider_permitocr.wiring.task_retries import airflow_errors

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


#: Is called with the task's context, as Airflow's own callbacks are.
BudgetCallback: TypeAlias = "Callable[[Context], Any]"
_DEFAULT_POOL: Final = "default_pool"
#: Name of a mapped task's instance in the UI.
_SHARD: Final = "{{ 'shard ' ~ task.shard if task.shard else ti.map_index }}"
_RENDERED_INSIDE: Final = (
    ImageTable,
    ImageQuery,
    ResultTable,
    ResultFile,
    ImageAccess,
    Ledger,
    Redo,
    Budget,
    Privacy,
    PortraitFolder,
)


class MainlandPermitOcrOperator(ReportsTargets, BaseOperator):
    """Recognizes the images of a list and writes one row per image and side into a table or file.

    Run it in a pool with one slot per request that the account may send each second (20 by default). A task
    with ``pool_slots=k`` sends at most ``k`` requests per second, so the scheduler keeps all tasks within the
    quota.

    Images that an earlier run settled are skipped. Returns the run's counts, and no value of a document.

    :param source: the image list, an ``ImageTable`` or an ``ImageQuery``. Templated inside.
    :param target: a ``ResultTable`` or ``ResultFile``, or a list of them, which needs ``list=``. Templated
        inside.
    :param shard: only this part of the list, written ``2/4``. ``.partial(...).expand(shard=shards(4))``
        splits one list over four mapped tasks; give each a fourth of the slots. Templated.
    :param tencentcloud_conn_id: connection of type ``tencentcloud``. Templated.
    :param images: how images are read, and converted for the API. Templated inside.
    :param portraits: also ask for portraits: a ``PortraitFolder``, whose paths ``profile`` then has; or
        ``column``, for base64 in ``profile``. Templated inside.
    :param privacy: what is stored of each value: a ``Privacy``, ``analytics`` or
        ``pseudonymous``; None: all values are kept. Templated inside.
    :param quality: which flags raise doubts about fields, and the copied columns to compare them with.
    :param max_per_second: requests per second; by default ``pool_slots`` times the connection's
        ``requests_per_slot``.
    :param max_in_flight: requests in flight; by default as many as that rate needs.
    :param batch: how often rows are delivered, and how long to wait for a database.
    :param call_retry: how often a call is retried after a transient error.
    :param max_runs_per_image: DAG runs that try an image before a transient error counts as failed.
    :param ledger: where runs remember calls, answers and images; by default tables called ``permit_ocr_...``
        in the schema of the result table. Set a ``Ledger`` for a file or a database that cannot hold one, to
        share caps, or to keep it apart from the result. Templated inside.
    :param list: name of the image list in the ledger; by default that of its only target: connection, schema
        and table, or the path before rendering. Set it for several targets, or to rename or move one.
        Templated.
    :param leftovers: continue what earlier runs of the list left: windows that a cap, a stop or a crash cut
        short, and images to try again.
    :param redo: settled images to recognize again. Templated inside.
    :param rebuild: fill all targets again from the answers in the ledger, without a call.
        Templated: ``true``, ``1`` and ``yes`` mean so.
    :param budget: what calls cost, and how many may be made. Templated inside.
    :param failure_limits: when to stop because too many images fail.
    :param reuse_identical: a picture that was recognized before in this list takes that answer without a
        call; its row names the key.
    :param plan_only: make no call and write nothing; return what the run would do, and what it would cost.
        ``quick`` does so without opening the images. Templated: ``true``, ``1`` and ``yes`` mean so, and
        ``quick``; an empty text, ``false``, ``0`` and ``no`` do not.
    :param journal: folder for paid answers while the ledger is unreachable; the next run that finds them
        stores them. By default ``permitocr_journal`` in ``AIRFLOW_HOME`` on the worker; if workers come and
        go, name one that all of them share. Templated.
    :param on_budget_callback: a function or notifier, or several, called with the task's context once
        ``Budget(notify_at=...)`` of a cap is used: once a day or run, over all tasks that share the ledger.
        The context has ``permit_ocr_budget``: ``cap``, ``limit`` and ``calls``.
    """

    template_fields: Sequence[str] = (
        "source",
        "target",
        "images",
        "privacy",
        "portraits",
        "shard",
        "tencentcloud_conn_id",
        "ledger",
        "list",
        "redo",
        "rebuild",
        "plan_only",
        "budget",
        "journal",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"source.sql": "sql"}
    ui_color = "#e8f1fb"
    # The plugin has the same for this class; this one is for subclasses, which Airflow matches by name.
    operator_extra_links = (PageLink(),)

    def __init__(  # noqa: PLR0913  an operator is configured by name
        self,
        *,
        source: ImageTable | ImageQuery,
        target: Target | Sequence[Target],
        shard: str | None = None,
        tencentcloud_conn_id: str = "tencentcloud_default",
        images: ImageAccess = ImageAccess(),
        portraits: Portraits | str | None = None,
        privacy: Privacy | str | None = None,
        quality: Quality = Quality(),
        max_per_second: float | None = None,
        max_in_flight: int | None = None,
        batch: Batch = Batch(),
        call_retry: CallRetry = CallRetry(),
        max_runs_per_image: int = 3,
        ledger: Ledger | None = None,
        list: str | None = None,
        leftovers: bool = True,
        redo: Redo | None = None,
        rebuild: bool | str = False,
        budget: Budget = Budget(),
        failure_limits: FailureLimits = FailureLimits(),
        reuse_identical: bool = False,
        plan_only: bool | PlanMode | str = False,
        journal: str | None = None,
        on_budget_callback: BudgetCallback | Sequence[BudgetCallback] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.target = target
        self.shard = shard
        self.tencentcloud_conn_id = tencentcloud_conn_id
        self.images = images
        self.portraits = portraits_of(portraits)
        self.privacy = policy_of(privacy)
        self.quality = quality
        self.max_per_second = max_per_second
        self.max_in_flight = max_in_flight
        self.batch = batch
        self.call_retry = call_retry
        self.max_runs_per_image = max_runs_per_image
        self.ledger = ledger
        self.list = list
        first = self.targets[0] if self.targets else None
        # If rendered, each run would be a separate list.
        self.file_list = f"file {first.path}" if isinstance(first, ResultFile) else None
        #: Whether each run lists the same rows, and those that are new.
        self.is_same_list = not isinstance(source, ImageQuery) or source.lists_same_rows
        self.leftovers = leftovers
        self.redo = redo
        self.rebuild = rebuild
        self.budget = budget
        self.failure_limits = failure_limits
        self.reuse_identical = reuse_identical
        # Every operator has a method of the other name.
        self.plan_only = plan_only if is_template(plan_only) else PlanMode.read(plan_only)
        self.journal = journal
        self.on_budget_callback = (
            (on_budget_callback,) if callable(on_budget_callback) else tuple(on_budget_callback)
        )
        self._stop = StopRequest()
        self.options.check()

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Prepare a mapped task; the UI names its instances by their shards."""
        return super().partial(**({"map_index_template": _SHARD} | kwargs))

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, in the order in which they are given."""
        if isinstance(self.target, ResultTable | ResultFile):
            return (self.target,)
        return tuple(self.target) if isinstance(self.target, list | tuple) else (cast("Target", self.target),)

    @property
    def options(self) -> TaskOptions:
        """All arguments, as rendered so far."""
        return TaskOptions(**{each.name: getattr(self, each.name) for each in fields(TaskOptions)})

    @property
    def is_rebuild(self) -> bool:
        """Whether targets are filled again, without a call."""
        return self.rebuild is True or str(self.rebuild).strip().lower() in ("true", "1", "yes")

    @property
    def plan_mode(self) -> PlanMode | None:
        """How the run is planned instead of made, as rendered; None: it is made.

        :raises ConfigurationError: when a template renders to something else.
        """
        if self.plan_only is None:
            return None
        try:
            return PlanMode.read(self.plan_only)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render the values inside an author's objects, such as ``source``, into copies.

        Airflow would set them on the objects themselves, which the DAG keeps and all runs share.
        """
        if not isinstance(content, _RENDERED_INSIDE):
            return super().render_template(content, context, jinja_env, seen_oids)
        if isinstance(content, ImageTable):
            context = cast("Context", with_interval(context))
        render = super().render_template
        rendered = rendered_fields(content, lambda value: render(value, context, jinja_env, seen_oids))
        if isinstance(content, ImageTable | ResultTable | ResultFile | Ledger | PortraitFolder):
            require_rendered(content, rendered)
        if isinstance(content, Redo | Budget):
            # A given value that renders to nothing must match no image, and must not count as no cap; None
            # would match all images, and mean no cap at all.
            given = {name for name in content.template_fields if getattr(content, name) is not None}
            rendered |= {name: "" for name in given if rendered[name] is None}
        copy = replace(content, **rendered)
        if isinstance(content, ImageTable) and isinstance(copy, ImageTable):
            return whole_if_empty(content, copy)
        return copy

    @private_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Run the pipeline, and turn its errors into Airflow's.

        :return: the summary: counts by status and error code, calls, elapsed time, rate reached. With
            ``plan_only``: the plan in numbers.
        """
        from airflow_provider_permitocr.engine.run.summary_lines import summary_lines
        from airflow_provider_permitocr.wiring.identity import run_identity
        from airflow_provider_permitocr.wiring.monitoring.cap_notice import CapNotice
        from airflow_provider_permitocr.wiring.monitoring.lineage import trail_of
        from airflow_provider_permitocr.wiring.monitoring.progress import reported
        from airflow_provider_permitocr.wiring.run import open_pipeline

        self._warn_of_default_pool()
        part = f" (shard {self.shard})" if self.shard else ""
        self.log.info(f"From {self.source}{part} to {', '.join(map(str, self.targets))}")
        if isinstance(self.source, ImageTable) and (self.source.since, self.source.until) == ("", ""):
            self.log.info("This run has no data interval, or an empty one: the whole list is read")
        # Before Airflow 3.3 no task has a policy.
        has_policy = getattr(self, "retry_policy", None) is not None
        with airflow_errors(has_policy=has_policy):
            self._require_redo_before(context)
            if plan_mode := self.plan_mode:
                return self._plan(context, plan_mode)
            if self.is_rebuild:
                return self._rebuild(context)
            notice = CapNotice(self.on_budget_callback, context)
            opened = open_pipeline(self.options, run_identity(context), self._stop, notice, log=self.log)
            with (
                opened as pipeline,
                reported(pipeline, self.options, context, log=self.log, link=self._own_link),
            ):
                try:
                    summary = pipeline.run()
                except BaseException:  # a timeout, too
                    self.log.warning(f"Ended early, after {pipeline.so_far}")
                    raise
                finally:
                    notice.wait()
                    with suppress(PermitOcrError):  # lineage fails no task
                        self._trail = trail_of(self.options, pipeline)
        for line in summary_lines(summary):
            (self.log.warning if line.is_warning else self.log.info)(line.text)
        self._announce(context, self._conn_ids, summary.as_dict(), summary.delivered)
        return summary.as_dict()

    def _plan(self, context: Context, mode: PlanMode) -> dict[str, Any]:
        from airflow_provider_permitocr.wiring.identity import run_identity
        from airflow_provider_permitocr.wiring.plan import open_planner

        is_quick = mode is PlanMode.QUICK
        with open_planner(
            self.options, run_identity(context), self._stop, is_quick=is_quick, log=self.log
        ) as planner:
            plan = planner.plan()
        self.log.info("Plan only: no call was made and nothing was written. A run would do this:")
        for name, text in plan.lines():
            self.log.info(f"  {name}: {text}")
        self._announce_plan(context, plan.as_dict())
        return plan.as_dict()

    def _rebuild(self, context: Context) -> dict[str, Any]:
        from airflow_provider_permitocr.wiring.without_calls import open_rebuild

        with open_rebuild(self.options, self._stop, is_of_run=True, log=self.log) as rebuild:
            try:
                done = rebuild.run()
            finally:
                self._trace(self.options, rebuild)
        self.log.info(f"Rebuilt, without a call: {done}")
        written = {target: rows for target, rows in done.delivered.items() if rows}
        self._announce(context, self._conn_ids, done.as_dict(), written)
        return done.as_dict()

    @property
    def _conn_ids(self) -> list[str]:
        return [table.conn_id for table in self.options.tables]

    @property
    def _own_link(self) -> PageLink | None:
        """The button for subclasses; the plugin has the one for this class."""
        return None if type(self) is MainlandPermitOcrOperator else PageLink()

    def _require_redo_before(self, context: Context) -> None:
        """Refuse what each run of a schedule would pay for again.

        :raises ConfigurationError: saying what to add.
        """
        dag = context.get("dag")
        if self.redo and self.redo.before is None and dag is not None and dag.schedule is not None:
            raise ConfigurationError(
                "redo in a DAG with a schedule would pay for the same images in each run. Say which calls are"
                " too old: Redo(..., before='2026-01-31T00:00:00+00:00'); or use airflow permitocr redo,"
                " which does it once"
            )

    def on_kill(self) -> None:
        """End the run early: calls in flight are closed, the rest is left for the next run."""
        self._stop.set()

    def _warn_of_default_pool(self) -> None:
        if self.pool == _DEFAULT_POOL:
            self.log.warning(
                f"This task runs in {_DEFAULT_POOL}, so nothing keeps its calls and those of other tasks"
                " within the account's quota. Create a pool with one slot per request that the account may"
                " send each second, and set pool='tencent_permit_ocr'. To check: airflow permitocr check"
            )
