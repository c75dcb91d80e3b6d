"""OpenLineage lineage of a task: what it has read, and its outputs with columns and rows. No values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.wiring.identity import ledger_of
from airflow_provider_permitocr.wiring.monitoring.datasets import dataset_of_table, datasets_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_permitocr.engine.delivery.refill import Refill
    from airflow_provider_permitocr.engine.run.pipeline import Pipeline
    from airflow_provider_permitocr.options.task import TaskOptions
    from airflow_provider_permitocr.permit.columns import Column
    from airflow_provider_permitocr.sql.dialects.dataset import Dataset


@dataclass(frozen=True)
class Output:
    """A table or file that was written.

    :param rows: that were written.
    """

    dataset: Dataset
    columns: Sequence[Column]
    rows: int


@dataclass(frozen=True)
class Trail:
    """What a task has read and written."""

    inputs: Sequence[Dataset]
    outputs: Sequence[Output]


def trail_of(task: TaskOptions, run: Pipeline) -> Trail:
    """Return a run's inputs and outputs so far.

    :raises ConfigurationError: when a connection is gone.
    """
    return Trail(_lists(task, run), _outputs(task, run))


def trail_from_ledger(task: TaskOptions, refill: Refill) -> Trail:
    """Return what was read and written without a call: the ledger has what it knows from the list.

    :raises ConfigurationError: when a connection is gone.
    """
    answers = dataset_of_table(ledger_of(task).conn_id, refill.ledger.answers_table)
    return Trail([*_lists(task, refill), answers], _outputs(task, refill))


def trail_of_analysis(
    conn_id: str, inputs: Mapping[str, str], tables: Mapping[str, Sequence[Column]], rows: Mapping[str, int]
) -> Trail:
    """Return what an update of analytics has read, and the tables that it has filled.

    :param conn_id: connection of the result table.
    :param inputs: connections of the tables that it reads, by their names.
    :param tables: columns by target.
    :param rows: written, by target.
    :raises ConfigurationError: when a connection is gone.
    """
    read = [dataset_of_table(of_table, table) for table, of_table in inputs.items()]
    filled = datasets_of([conn_id], rows)
    return Trail(read, [Output(filled[target], tables[target], count) for target, count in rows.items()])


def facets(trail: Trail) -> OperatorLineage[Any, Any]:
    """Return it as the OpenLineage provider expects."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as InputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = [InputDataset(each.namespace, each.name) for each in trail.inputs]
    outputs = [_output(each.dataset, each.rows, each.columns) for each in trail.outputs]
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _lists(task: TaskOptions, run: Pipeline | Refill) -> list[Dataset]:
    """Return the list; none for a query, which may read any table."""
    source = run.source
    if not isinstance(task.source, ImageTable) or not isinstance(source, SqlImageSource):
        return []
    return [dataset_of_table(task.source.conn_id, source.located(task.source.table))]


def _outputs(task: TaskOptions, run: Pipeline | Refill) -> list[Output]:
    delivered, columns = run.delivered, run.columns
    datasets = datasets_of([table.conn_id for table in task.tables], delivered)
    return [Output(datasets[target], columns, rows) for target, rows in delivered.items()]


def _output(dataset: Dataset, rows: int, columns: Sequence[Column]) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        SchemaDatasetFacet,
        SchemaDatasetFacetFields,
    )

    fields = [
        SchemaDatasetFacetFields(name=column.name, type=column.kind.value, description=column.comment)
        for column in columns
    ]
    return OutputDataset(
        dataset.namespace,
        dataset.name,
        facets={"schema": SchemaDatasetFacet(fields=fields)} if fields else {},
        outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)},
    )
