"""OpenLineage lineage of a run: the list that it read, and its outputs with columns and rows. No values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.wiring.monitoring.datasets import dataset_of_table, datasets_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_permitocr.engine.run.pipeline import Pipeline
    from airflow_provider_permitocr.options.task import TaskOptions
    from airflow_provider_permitocr.permit.columns import Column
    from airflow_provider_permitocr.sql.dialects.dataset import Dataset


@dataclass(frozen=True)
class Trail:
    """What a run has read and written.

    :param source: None for a query, which may read any table.
    :param columns: of the output.
    :param written: rows by table and file.
    """

    source: Dataset | None
    columns: Sequence[Column]
    written: Mapping[Dataset, int]


def trail_of(task: TaskOptions, pipeline: Pipeline) -> Trail:
    """Return a run's inputs and outputs so far.

    :raises ConfigurationError: when a connection is gone.
    """
    delivered = pipeline.delivered
    written = {dataset: delivered[target] for target, dataset in datasets_of(task, delivered).items()}
    return Trail(_source(task, pipeline), pipeline.columns, written)


def facets(trail: Trail) -> OperatorLineage[Any, Any]:
    """Return it as the OpenLineage provider expects."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as InputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage

    inputs = [InputDataset(trail.source.namespace, trail.source.name)] if trail.source else []
    outputs = [_output(dataset, rows, trail.columns) for dataset, rows in trail.written.items()]
    return OperatorLineage(inputs=inputs, outputs=outputs)


def _source(task: TaskOptions, pipeline: Pipeline) -> Dataset | None:
    source = pipeline.source
    if not isinstance(task.source, ImageTable) or not isinstance(source, SqlImageSource):
        return None
    return dataset_of_table(task.source.conn_id, source.located(task.source.table))


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
