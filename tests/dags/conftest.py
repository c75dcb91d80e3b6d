"""DAGs in real Airflow, in this process (``dag.test``); the demo runs one under the scheduler."""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy, deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.specimens import Specimen

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture(scope="session")
def _parsed(airflow_metadata: None) -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    folder = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    return DagBag(folder, known_pools={"default_pool", "tencent_permit_ocr"})


@pytest.fixture
def dags(_parsed: DagBag) -> DagBag:
    """The DAGs of ``dags/`` and ``tests/airflow_dags/``, parsed once.

    Each test has its own: Airflow before 3.3 renders templates into the DAG that it is given.
    """
    own = copy(_parsed)
    own.dags = deepcopy(_parsed.dags)
    return own


@pytest.fixture
def images(warehouse: sa.Engine, draw: Callable[..., Specimen], tmp_path: Path) -> dict[str, Specimen]:
    """Three images of 1 May 2026, one of 2 May."""
    specimens = {f"k{seed}": draw(seed=seed) for seed in range(4)}
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE permit_images (image_id text PRIMARY KEY, image text, card_side text,"
                " uploaded_at timestamptz)"
            )
        )
        for number, (key, specimen) in enumerate(specimens.items()):
            path = tmp_path / f"{key}.jpg"
            path.write_bytes(specimen.image)
            uploaded_at = datetime(2026, 5, 1 if number < 3 else 2, 12, tzinfo=UTC)
            connection.execute(
                sa.text("INSERT INTO permit_images VALUES (:key, :image, 'FRONT', :uploaded_at)"),
                {"key": key, "image": str(path), "uploaded_at": uploaded_at},
            )
    return specimens
