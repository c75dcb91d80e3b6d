from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.mark.slow
def test_a_mapped_task_renders_source_and_target_for_itself(
    dags: DagBag,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)

    done = dags.dags["mapped_permits"].test(logical_date=datetime(2026, 5, 1, tzinfo=UTC))

    assert done.state == "success"
    with warehouse.connect() as connection:
        for index, key in enumerate(("k0", "k1")):
            found = connection.execute(sa.text(f"SELECT image_key, number FROM permits_{index}")).all()
            assert found == [(key, images[key].fields["Number"])]
