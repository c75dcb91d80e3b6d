"""Reads from DAGs the operator's tasks and those that follow; of mapped ones, what the DAG file shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_permitocr import ImageQuery, ImageTable, Ledger, Redo, ResultFile, ResultTable
from airflow_provider_permitocr.cli.checks.findings import (
    Finding,
    FollowingTask,
    ImageList,
    OcrTask,
    Variant,
    noted,
    unchecked,
    wrong,
)
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
from airflow_provider_permitocr.operators.permit_review import PermitReviewOperator
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.lists.image_list import ImageKind
from airflow_provider_permitocr.options.privacy import policy_of
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.portraits import portraits_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

Looked = TypeVar("Looked")

#: The scheduler reads these before it expands a task.
_NOT_MAPPABLE = ("pool", "pool_slots")
_MAYBE_URLS = (ImageKind.AUTO, ImageKind.URL)
#: What a user who may only trigger a DAG can give it.
_TRIGGERED = re.compile(r"\{[{%][^}%]*\b(?:conf|params)\b")
_MAYBE_PATHS = (ImageKind.AUTO, ImageKind.PATH)


def is_ocr_task(task: Any) -> bool:
    """Return whether a task, plain or mapped, is of the operator or of a subclass."""
    return issubclass(task.operator_class, MainlandPermitOcrOperator)


def is_following_task(task: Any) -> bool:
    """Return whether a task, plain or mapped, asks about readings or updates analytics."""
    return issubclass(task.operator_class, PermitReviewOperator | PermitAnalyticsOperator)


def read_task(dag: DAG, task: Any) -> OcrTask:
    """Read a task, plain or mapped, from a DAG."""
    findings: list[Finding] = []
    variants = list(_mapped(task, findings)) if task.is_mapped else [read_variant(task, findings)]
    variants = [replace(each, source=_with_statement(dag, each.source, findings)) for each in variants]
    findings += _of_redo(dag, task)
    limits = {
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tasks": dag.max_active_tasks,
    }
    return OcrTask(
        dag_id=dag.dag_id,
        task_id=task.task_id,
        file=str(dag.relative_fileloc or dag.fileloc),
        pool=task.pool,
        pool_slots=task.pool_slots,
        variants=tuple(variants),
        limits={name: limit for name, limit in limits.items() if limit is not None},
        findings=tuple(dict.fromkeys(findings)),
    )


def instances(task: Any) -> list[MainlandPermitOcrOperator]:
    """Make a task's operators: one, or as many as it is mapped to.

    :raises ConfigurationError: when they are only known at run time, or cannot be created.
    """
    if not task.is_mapped:
        return [task]
    made = []
    for arguments in expanded(task.expand_input.value):
        if names := arguments.unknown_names:
            raise ConfigurationError(
                f"{names}: known only at run time, from an upstream task; plan it in a run, with"
                " plan_only=True"
            )
        try:
            made.append(task.unmap(arguments.known))
        except Exception as error:  # noqa: BLE001  subclasses raise their own errors
            raise ConfigurationError(f"the task cannot be mapped: {error}") from None
    return made


@dataclass(frozen=True)
class Arguments:
    """The arguments of one instance of a mapped task.

    :param at_run_time: names of arguments that an upstream task provides.
    :param all_at_run_time: only the arguments of ``partial()`` are known.
    """

    known: dict[str, Any] = field(default_factory=dict)
    at_run_time: frozenset[str] = frozenset()
    all_at_run_time: bool = False

    @property
    def unknown_names(self) -> str:
        """Those that are known only at run time, in words; '' if all are known now."""
        named = ", ".join(sorted(self.at_run_time))
        return named or ("what it is mapped over" if self.all_at_run_time else "")


def _of_redo(dag: DAG, task: Any) -> list[Finding]:
    """Find what each run of a schedule would pay for again."""
    redo = task.partial_kwargs.get("redo") if task.is_mapped else task.redo
    if not isinstance(redo, Redo) or redo.before is not None or dag.schedule is None:
        return []
    message = "redo in a DAG with a schedule would pay for the same images in each run"
    remedy = "set a time, Redo(..., before=...), or use airflow permitocr redo"
    return [wrong("redo", message, remedy)]


def _mapped(task: Any, findings: list[Finding]) -> Iterator[Variant]:
    for arguments in expanded(task.expand_input.value):
        for name in _NOT_MAPPABLE:
            if name in arguments.known or name in arguments.at_run_time:
                message = f"Airflow does not map {name}: its value in expand() never takes effect"
                findings.append(wrong("pool", message, f"give {name} to partial() instead"))
        if names := arguments.unknown_names:
            findings.append(unchecked("task", f"{names}: known only at run time"))
            yield _known_before_a_run(task, arguments, findings)
            continue
        instance = _unmapped(task, arguments, findings, "correct the arguments of expand()")
        if instance is not None:
            yield read_variant(instance, findings)


def _unmapped(task: Any, arguments: Arguments, findings: list[Finding], remedy: str) -> Any:
    """Make one instance of a mapped task; None, and a finding, if it cannot be created."""
    try:
        return task.unmap(arguments.known)
    except Exception as error:  # noqa: BLE001  subclasses raise their own errors
        findings.append(wrong("task", f"cannot be mapped: {error}", remedy))
        return None


def read_following(dag: DAG, task: Any) -> FollowingTask:
    """Read a task that follows recognition, plain or mapped, from a DAG."""
    findings: list[Finding] = []
    operators = tuple(_following(task, findings)) if task.is_mapped else (task,)
    return FollowingTask(
        dag_id=dag.dag_id,
        task_id=task.task_id,
        file=str(dag.relative_fileloc or dag.fileloc),
        operators=operators,
        findings=tuple(dict.fromkeys(findings)),
    )


def _following(task: Any, findings: list[Finding]) -> Iterator[Any]:
    for arguments in expanded(task.expand_input.value):
        if names := arguments.unknown_names:
            findings.append(unchecked("task", f"{names}: known only at run time"))
            continue
        made = _unmapped(task, arguments, findings, "correct the arguments of partial() and expand()")
        if made is not None:
            yield made


def read_variant(operator: MainlandPermitOcrOperator, findings: list[Finding]) -> Variant:
    """Read what one operator executes, and add what is found."""
    from airflow_provider_permitocr.wiring.identity import list_identity

    variant = _variant(vars(operator), findings)
    is_named = operator.list is None or isinstance(operator.list, str)  # and not by an upstream task
    return replace(variant, identity=list_identity(operator.options) if is_named else None)


def _known_before_a_run(task: Any, arguments: Arguments, findings: list[Finding]) -> Variant:
    known = task.partial_kwargs | arguments.known
    if not arguments.all_at_run_time and "tencentcloud_conn_id" not in arguments.at_run_time:
        known.setdefault("tencentcloud_conn_id", MainlandPermitOcrHook.default_conn_name)
    return _variant(known, findings)


def expanded(value: Any) -> Iterator[Arguments]:
    """Return the arguments of each instance of a mapped task, as far as its DAG file shows them."""
    if isinstance(value, Mapping):  # expand(): values by name; every combination is an instance
        known = {name: _items(values) for name, values in value.items() if _is_literal(values)}
        at_run_time = set(value) - set(known)
        for combination in product(*known.values()):
            yield _separate(dict(zip(known, combination, strict=True)), at_run_time)
    elif _is_literal(value):  # expand_kwargs(): the arguments of one instance each
        for arguments in value:
            is_known = isinstance(arguments, Mapping)
            yield _separate(arguments, set()) if is_known else Arguments(all_at_run_time=True)
    else:
        yield Arguments(all_at_run_time=True)


def _separate(arguments: Mapping[str, Any], at_run_time: set[str]) -> Arguments:
    from airflow.sdk import XComArg

    given = {name for name, value in arguments.items() if isinstance(value, XComArg)}
    known = {name: value for name, value in arguments.items() if name not in given}
    return Arguments(known, frozenset(at_run_time | given))


def _is_literal(value: Any) -> bool:
    from airflow.sdk import XComArg

    return isinstance(value, Sequence | Mapping) and not isinstance(value, XComArg)


def _items(values: Any) -> list[Any]:
    return list(values.items() if isinstance(values, Mapping) else values)


def _variant(values: Mapping[str, Any], findings: list[Finding]) -> Variant:
    source, target, rate = (values.get(name) for name in ("source", "target", "max_per_second"))
    conn_id, shard = (values.get(name) for name in ("tencentcloud_conn_id", "shard"))
    targets = target if isinstance(target, tuple | list) else (target,)
    ledger, quality = values.get("ledger"), values.get("quality")
    if conn_id is not None and not isinstance(conn_id, str):
        message = "tencentcloud_conn_id: known only at run time"
        findings.append(unchecked("connection", message))
        conn_id = None
    if is_template(shard):
        findings.append(unchecked("shards", "shard: templated; known only at run time"))
        shard = None
    findings += [*_of_copies(values), *_of_places(values), *_of_triggers(values)]
    return Variant(
        source=source if isinstance(source, ImageTable | ImageQuery) else None,
        targets=tuple(each for each in targets if isinstance(each, ResultTable | ResultFile)),
        ledger=ledger if isinstance(ledger, Ledger) else None,
        tencentcloud_conn_id=conn_id,
        max_per_second=rate if isinstance(rate, int | float) else None,
        shard=None if shard is None else str(shard),
        privacy=_known(policy_of, values.get("privacy")),
        portraits=_known(portraits_of, values.get("portraits")),
        quality=quality if isinstance(quality, Quality) else None,
    )


def _known(read: Callable[[Any], Looked], value: Any) -> Looked | None:
    """Return an argument's value; None if only known at run time."""
    try:
        return read(value)
    except (TypeError, ValueError):  # a mapped task's argument
        return None


def _of_copies(values: Mapping[str, Any]) -> list[Finding]:
    """Find copies that no run can know of, because only the API sees the images."""
    source, images = values.get("source"), values.get("images", ImageAccess())
    may_be_urls = isinstance(source, ImageTable | ImageQuery) and source.image_kind in _MAYBE_URLS
    if not values.get("reuse_identical") or not isinstance(images, ImageAccess):
        return []
    if images.fetch_images or not may_be_urls:
        return []
    message = "reuse_identical saves nothing for images that are URLs: only the API sees them"
    remedy = "let the worker fetch them: images=ImageAccess(fetch_images=True)"
    return [noted("images", message, remedy)]


def _of_places(values: Mapping[str, Any]) -> list[Finding]:
    """Find that a row of the list may name any file of the worker."""
    source, images = values.get("source"), values.get("images", ImageAccess())
    may_be_paths = isinstance(source, ImageTable | ImageQuery) and source.image_kind in _MAYBE_PATHS
    if not may_be_paths or not isinstance(images, ImageAccess) or images.roots is not None:
        return []
    message = "image paths are read from anywhere on the worker, and object URLs by any connection"
    remedy = 'name the places: images=ImageAccess(roots=["/data/permits"]); for URLs alone, image_kind="url"'
    return [noted("images", message, remedy)]


def _of_triggers(values: Mapping[str, Any]) -> list[Finding]:
    """Find values of a run's trigger that become part of a SELECT's text."""
    source = values.get("source")
    if not isinstance(source, ImageQuery) or not _TRIGGERED.search(source.sql):
        return []
    message = "the SELECT is rendered from the run's parameters: anyone who triggers the DAG can write SQL"
    remedy = 'bind it: WHERE branch = :branch, parameters={"branch": "{{ params.branch }}"}'
    return [noted("image list", message, remedy)]


def _with_statement(dag: DAG, source: ImageList | None, findings: list[Finding]) -> ImageList | None:
    """Read the statement of an ``ImageQuery`` that names a file, from where Airflow would read it."""
    from jinja2 import TemplateError

    endings = tuple(MainlandPermitOcrOperator.template_ext)
    if not isinstance(source, ImageQuery) or not source.sql.endswith(endings) or is_template(source.sql):
        return source
    environment = dag.get_template_env()
    try:
        assert environment.loader is not None
        statement = environment.loader.get_source(environment, source.sql)[0]
        return replace(source, sql=statement)
    except (TemplateError, ValueError) as error:
        message = f"the file {source.sql!r} of the image list cannot be read ({type(error).__name__})"
        remedy = "put it beside the DAG file, or add its directory to the DAG's template_searchpath"
        findings.append(wrong("image list", message, remedy))
        return None
