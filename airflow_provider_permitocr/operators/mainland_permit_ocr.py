"""The operator: an image table in, a table of recognized permits out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr.core.errors import (
    AccountError,
    CapReachedError,
    ConfigurationError,
    PermitOcrError,
)
from airflow_provider_permitocr.core.options import (
    Batch,
    CallRetry,
    FailureLimits,
    Images,
    Pace,
    RunOptions,
)
from airflow_provider_permitocr.core.plan import DryRun
from airflow_provider_permitocr.core.shard import Shard, shards
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.files.result_file import ResultFile
from airflow_provider_permitocr.sql.ledger.options import Ledger
from airflow_provider_permitocr.sql.tables import Carry, ImageQuery, ImageTable, ResultTable

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

__all__ = [
    "Batch",
    "CallRetry",
    "Carry",
    "FailureLimits",
    "ImageQuery",
    "ImageTable",
    "Images",
    "Ledger",
    "MainlandPermitOcrOperator",
    "ResultFile",
    "ResultTable",
    "Spending",
    "shards",
]

_DEFAULT_POOL: Final = "default_pool"
_LEDGER: Final = 'ledger=Ledger("permit_ocr", conn_id="...")'
_RENDERED_INSIDE: Final = (ImageTable, ImageQuery, ResultTable, ResultFile, Images, Ledger)


class MainlandPermitOcrOperator(BaseOperator):
    """Recognizes the images of a list and writes one row per image and side into a table or file.

    Run it in a pool with as many slots as the account may send requests per second (20, unless it was
    raised): a task with ``pool_slots=k`` sends at most ``k`` requests per second, so that the scheduler
    keeps all tasks together within the quota.

    Images that an earlier run has settled are skipped. Returns the run's summary in numbers; no value of
    any document leaves the result table.

    :param source: the image list, an ``ImageTable`` or an ``ImageQuery``. Templated inside.
    :param target: the ``ResultTable``, or a ``ResultFile`` in its place. Templated inside.
    :param export: a ``ResultFile`` that after the run gets the table's rows of all listed images, those
        settled earlier too, in the order of the list. Templated inside.
    :param shard: take only this part of the list, written ``2/4``. ``.partial(...).expand(shard=shards(4))``
        splits one list over four mapped tasks; give each a fourth of the slots. Templated.
    :param tencentcloud_conn_id: connection of type ``tencentcloud``. Templated.
    :param images: how images are reached, and made fit for the API. Templated inside.
    :param ret_profile: ask for the portrait too, and keep it as base64 in ``profile``.
    :param max_per_second: requests per second; by default ``pool_slots`` times the connection's
        ``requests_per_slot``.
    :param max_at_once: requests in flight; by default what that rate needs.
    :param batch: how often answers are committed.
    :param call_retry: how often a call that met a passing fault is repeated.
    :param max_runs_per_image: DAG runs that try an image before a transient error counts as failed.
    :param ledger: where runs remember calls, answers and images; by default tables called ``permit_ocr_...``
        in the schema of the result table. Name one with ``Ledger`` for a file or a database that cannot
        hold it, to share caps, and to keep it apart from the result. Templated inside.
    :param list: name of the image list in the ledger; by default that of its target: connection, schema and
        table, or the path before rendering. Give one to rename or move the target. Templated.
    :param spending: what calls cost, and how many may be made.
    :param failure_limits: when so many images fail that going on makes no sense.
    :param reuse_same_image: a picture that was recognized before in this list takes that
        answer without a call; its row says from which key.
    :param dry_run: make no call and write nothing; return what the run would do, and what it would cost.
        ``quick`` does so without looking at the images.
    :param journal: folder for answers that are paid for while the ledger cannot be reached; the next run that
        finds it hands them in. By default ``permitocr_journal`` in ``AIRFLOW_HOME`` on the worker; name one
        that all workers share where they come and go. Templated.
    """

    template_fields: Sequence[str] = (
        "source",
        "target",
        "export",
        "images",
        "shard",
        "tencentcloud_conn_id",
        "ledger",
        "list",
        "journal",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8f1fb"

    def __init__(  # noqa: PLR0913  an operator is configured by name
        self,
        *,
        source: ImageTable | ImageQuery,
        target: ResultTable | ResultFile,
        export: ResultFile | None = None,
        shard: str | None = None,
        tencentcloud_conn_id: str = "tencentcloud_default",
        images: Images = Images(),
        ret_profile: bool = False,
        max_per_second: float | None = None,
        max_at_once: int | None = None,
        batch: Batch = Batch(),
        call_retry: CallRetry = CallRetry(),
        max_runs_per_image: int = 3,
        ledger: Ledger | None = None,
        list: str | None = None,
        spending: Spending = Spending(),
        failure_limits: FailureLimits = FailureLimits(),
        reuse_same_image: bool = False,
        dry_run: bool | DryRun | str = False,
        journal: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _require_type("source", source, (ImageTable, ImageQuery))
        _require_type("target", target, (ResultTable, ResultFile))
        if export is not None:
            _require_type("export", export, (ResultFile,))
            _require_type("the target of an export", target, (ResultTable,))
        _require_type("images", images, (Images,))
        _require_type("spending", spending, (Spending,))
        _require_type("failure_limits", failure_limits, (FailureLimits,))
        if ledger is not None:
            _require_type("ledger", ledger, (Ledger,))
        elif isinstance(target, ResultFile):
            raise ValueError(
                f"A file cannot hold the ledger of its runs. Name a database that can: {_LEDGER}"
            )
        elif spending.is_capped:
            raise ValueError(
                f"max_calls and max_calls_per_day are counted in a ledger that is given by name: {_LEDGER}"
            )
        if shard is not None and "{{" not in shard:
            Shard.parse(shard)
        if journal is not None and not journal.startswith(("/", "{")):
            raise ValueError(f"journal must be an absolute path, not {journal!r}")
        for file in (target, export):
            if isinstance(file, ResultFile):
                file.require_shard_place(sharded=shard is not None)
        # What the connection adds is not known before execution; all the rest is checked here.
        pace = Pace(1 if max_per_second is None else max_per_second, max_at_once)
        RunOptions(pace, max_runs_per_image=max_runs_per_image)
        self.source = source
        self.target = target
        self.export = export
        self.shard = shard
        self.tencentcloud_conn_id = tencentcloud_conn_id
        self.images = images
        self.ret_profile = ret_profile
        self.max_per_second = max_per_second
        self.max_at_once = max_at_once
        self.batch = batch
        self.call_retry = call_retry
        self.max_runs_per_image = max_runs_per_image
        self.ledger = ledger
        self.list = list
        # Rendered, each run would be a list of its own.
        self.file_list = f"file {target.path}" if isinstance(target, ResultFile) else None
        self.spending = spending
        self.failure_limits = failure_limits
        self.reuse_same_image = reuse_same_image
        # Every operator has a method of the other name.
        self.plan_only = _how_dry(dry_run)
        self.journal = journal
        self._stop: threading.Event | None = None
        self._killed = False

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render the values inside ``source``, ``target``, ``export``, ``images`` and ``ledger`` into copies.

        Airflow would set them on the objects themselves, which the DAG holds and every run shares.
        """
        self._label(context)
        if not isinstance(content, _RENDERED_INSIDE):
            return super().render_template(content, context, jinja_env, seen_oids)
        rendered = {
            name: super(MainlandPermitOcrOperator, self).render_template(
                getattr(content, name), context, jinja_env, seen_oids
            )
            for name in content.template_fields
        }
        return replace(content, **rendered)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the pipeline, and turn its errors into Airflow's.

        :return: the summary: counts by status and error code, calls, elapsed time, rate reached. Of a dry
            run: the plan, likewise in numbers.
        """
        from airflow_provider_permitocr.operators.assembly import open_pipeline, run_identity

        self._stop = threading.Event()
        if self._killed:  # while Airflow prepared the task
            self._stop.set()
        self._warn_of_default_pool()
        part = f" (shard {self.shard})" if self.shard else ""
        self.log.info(f"From {self.source}{part} to {self.target}")
        try:
            if self.plan_only:
                return self._plan(context)
            with open_pipeline(self, run_identity(context), self._stop) as pipeline:
                try:
                    summary = pipeline.run()
                except BaseException:  # a timeout, too
                    self.log.warning(f"Ended early, after {pipeline.so_far}")
                    raise
        except (ConfigurationError, AccountError, CapReachedError) as error:
            # Trying again changes nothing, so Airflow should not.
            raise AirflowFailException(str(error)) from None
        except PermitOcrError as error:
            raise AirflowException(str(error)) from error
        self.log.info(f"Done: {summary}")
        for code, count in summary.error_codes.items():
            self.log.info(f"  {count:,} x {code}")
        return summary.as_dict()

    def _plan(self, context: Context) -> dict[str, Any]:
        from airflow_provider_permitocr.operators.assembly import run_identity
        from airflow_provider_permitocr.operators.planning import open_planner

        assert self._stop
        is_quick = self.plan_only is DryRun.QUICK
        with open_planner(
            self, run_identity(context), self._stop, is_quick=is_quick, log=self.log
        ) as planner:
            plan = planner.plan()
        self.log.info("A dry run: no call was made, and nothing was written. A run would do this:")
        for name, text in plan.lines():
            self.log.info(f"  {name}: {text}")
        return plan.as_dict()

    def on_kill(self) -> None:
        """End the run early: calls in flight are closed, the rest is left for the next run."""
        self._killed = True
        if self._stop is not None:
            self._stop.set()

    def _label(self, context: Context) -> None:
        # The last place before Airflow labels a mapped task for the UI, which happens before ``execute``.
        mapped = getattr(context.get("ti"), "map_index", -1) >= 0
        if self.shard and mapped and not context.get("map_index_template"):
            context["map_index_template"] = "shard {{ task.shard }}"

    def _warn_of_default_pool(self) -> None:
        if self.pool == _DEFAULT_POOL:
            self.log.warning(
                f"This task runs in {_DEFAULT_POOL}, so nothing keeps it and other tasks together within the"
                " account's quota; create a pool with a slot per request that the account may send in a"
                " second, and give it to the task: pool='tencent_permit_ocr'. To check it: airflow permitocr"
                " check"
            )


def _how_dry(given: bool | DryRun | str) -> DryRun | None:
    if isinstance(given, bool):
        return DryRun.LOOK if given else None
    try:
        return DryRun(given)
    except ValueError:
        raise ValueError(f"dry_run must be True, False or 'quick', not {given!r}") from None


def _require_type(name: str, value: object, types: tuple[type, ...]) -> None:
    if not isinstance(value, types):
        expected = " or ".join(each.__name__ for each in types)
        raise TypeError(f"{name} must be {expected}, not {type(value).__name__}")
