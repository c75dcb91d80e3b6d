"""Looks at tasks one after the other, and at what several of them share only once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from airflow_provider_permitocr.cli.checks.connection_checks import (
    Account,
    check_connection,
    note_connection,
    read_account,
)
from airflow_provider_permitocr.cli.checks.findings import (
    Finding,
    FollowingTask,
    OcrTask,
    Variant,
    unchecked,
)
from airflow_provider_permitocr.cli.checks.following_checks import check_analytics, check_review
from airflow_provider_permitocr.cli.checks.ledger_checks import check_ledger
from airflow_provider_permitocr.cli.checks.list_and_target_checks import (
    check_image_list,
    check_result_file,
    check_result_table,
)
from airflow_provider_permitocr.cli.checks.pool_rules import (
    PoolUse,
    Rate,
    is_bounded,
    pool_findings,
    quota_shared_by_pools,
)
from airflow_provider_permitocr.cli.checks.privacy_checks import check_portraits, check_privacy, check_quality
from airflow_provider_permitocr.cli.checks.shard_rules import shard_findings, shards_by_list
from airflow_provider_permitocr.cli.checks.template_checks import check_templates
from airflow_provider_permitocr.cli.ocr_tasks import read_variant
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.result_file import ResultFile

Looked = TypeVar("Looked")


class Inspection:
    """All that one call of the command looks at.

    :param tasks: the tasks of all DAGs, as they share pools and lists.
    :param pools: slots of every pool; None if Airflow's database cannot be read.
    :param quota: requests per second that the account may send.
    :param ask: ask Tencent Cloud whether credentials are valid.
    """

    def __init__(
        self, tasks: Sequence[OcrTask], pools: Mapping[str, int] | None, quota: float, *, ask: bool
    ) -> None:
        self._pools = pools
        self._quota = quota
        self._ask = ask
        self._seen: dict[str, object] = {}
        self._shards = shards_by_list(tasks)
        self._shared = quota_shared_by_pools(self._pool_uses(tasks), quota)

    def findings(self, task: OcrTask) -> list[Finding]:
        """Return a task's findings without duplicates."""
        found = [*self._of_slots(task), *shard_findings(task, self._shards, self._pools or {})]
        for variant in task.variants:
            found += self._of_variant(variant)
        return list(dict.fromkeys([*found, *task.findings]))

    def of_following(self, task: FollowingTask) -> list[Finding]:
        """Return the findings about a task that follows recognition, without duplicates."""
        found = list(task.findings)
        for operator in task.operators:
            if isinstance(operator, PermitAnalyticsOperator):
                known = (operator.result, operator.ledger, operator.report)
                found += self._once(f"analytics {known!r}", partial(check_analytics, operator))
            else:
                found += check_review(operator)
                found += self._of_storage(read_variant(operator.recognition, found))
        return list(dict.fromkeys(found))

    def _of_slots(self, task: OcrTask) -> Iterator[Finding]:
        if self._pools is None:
            yield unchecked("pool", f"{task.pool}: Airflow's database cannot be read")
            return
        accounts = [account for conn_id in task.accounts if (account := self._account(conn_id))]
        # The connection says what a slot is worth; without a connection, assume the default.
        for per_slot in {account.requests_per_slot for account in accounts} or {1.0}:
            yield from pool_findings(task, self._pools, Rate(per_slot, self._quota))
        if task.pool in self._shared:
            yield self._shared[task.pool]

    def _of_variant(self, variant: Variant) -> Iterator[Finding]:
        conn_id = variant.tencentcloud_conn_id
        if conn_id is not None and is_template(conn_id):
            message = "tencentcloud_conn_id: templated; known only at run time"
            yield unchecked("connection", message)
        elif conn_id is not None:
            yield self._once(conn_id, lambda: check_connection(conn_id, ask=self._ask))
            yield from self._once(f"notes on {conn_id}", lambda: note_connection(conn_id))
        if (source := variant.source) is not None:
            yield from self._once(repr(source), lambda: check_image_list(source))
        yield from self._of_storage(variant)
        for file in variant.targets:
            if isinstance(file, ResultFile):
                yield from self._once(
                    repr((file, variant.shard)), partial(check_result_file, file, variant.shard)
                )
        yield from self._of_people(variant)
        for described in (source, *variant.targets, variant.ledger):
            if described is not None:
                yield from check_templates(described)

    def _of_storage(self, variant: Variant) -> Iterator[Finding]:
        for table in variant.tables:
            yield from self._once(repr(table), partial(check_result_table, table))
        known = (variant.ledger, variant.targets, variant.identity)
        yield from self._once(f"ledger {known!r}", lambda: check_ledger(variant))

    def _of_people(self, variant: Variant) -> Iterator[Finding]:
        if (policy := variant.privacy) is not None:
            yield self._once(repr(policy), lambda: check_privacy(policy))
        if (quality := variant.quality) is not None and quality.declared:
            yield self._once(repr(quality), lambda: check_quality(quality))
        if (portraits := variant.portraits) is not None:
            yield self._once(f"portraits {portraits!r}", lambda: check_portraits(portraits))

    def _pool_uses(self, tasks: Iterable[OcrTask]) -> Iterator[PoolUse]:
        for task in tasks:
            size = (self._pools or {}).get(task.pool)
            if size is None or not is_bounded(task.pool, size):
                continue
            for conn_id in task.accounts:
                if account := self._account(conn_id):
                    yield PoolUse(account.payer, task.pool, size, account.requests_per_slot)

    def _account(self, conn_id: str) -> Account | None:
        def read() -> Account | None:
            try:
                return read_account(conn_id)
            except ConfigurationError:
                return None  # check_connection reports it

        return self._once(f"account {conn_id}", read)

    def _once(self, name: str, look: Callable[[], Looked]) -> Looked:
        if name not in self._seen:
            self._seen[name] = look()
        return self._seen[name]  # type: ignore[return-value]
