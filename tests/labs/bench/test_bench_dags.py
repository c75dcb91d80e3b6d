"""The DAGs that this provider is compared with do their work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from labs.bench.cases import TASK_PER_IMAGE, WAREHOUSE
from labs.bench.emulators import Account, Emulator
from labs.ground.servers.postgres import EmbeddedPostgres


@pytest.mark.slow
def test_a_task_per_image_recognizes_its_image(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    postgres_engine: sa.Engine,
    emulator: RunningEmulator,
    draw: Callable[..., Specimen],
    set_connection: Callable[..., None],
    tmp_path: Path,
) -> None:
    from labs.bench.dags.task_per_image import recognize

    set_connection(WAREHOUSE, **postgres.airflow_connection(postgres_database))
    account = Emulator(Account(TASK_PER_IMAGE), tmp_path).airflow_connection
    set_connection(f"account_{TASK_PER_IMAGE}", **(account | {"host": f"http://{emulator.endpoint}"}))
    specimen = draw()
    image = tmp_path / "image.jpg"
    image.write_bytes(specimen.image)
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {TASK_PER_IMAGE}_permits"
            " (image_id text, number text, back_number text, status text)"
        )
    recognize.function(["k1", str(image), "FRONT"])
    with postgres_engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT * FROM {TASK_PER_IMAGE}_permits").all()
    assert rows == [("k1", specimen.fields["Number"], "", "recognized")]
