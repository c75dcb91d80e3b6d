from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.mark.whole_runs
def test_a_finished_task_leaves_events_of_its_asset_and_of_its_alias(
    dags: DagBag,
    images: dict[str, Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    connect_emulator(emulator)

    done = dags.dags["permit_assets"].test(logical_date=datetime(2026, 5, 1, tzinfo=UTC))

    assert done.state == "success"
    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == done.run_id)).all()
        found = {
            each.asset.uri: (each.extra["rows"], [alias.name for alias in each.source_aliases])
            for each in events
        }
    table = next(uri for uri in found if uri.startswith("postgres://"))
    assert table.endswith("/public/permits")
    assert found == {"permits_table": (4, []), table: (4, ["permit_targets"])}
