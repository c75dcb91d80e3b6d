"""An image list of specimens in the warehouse, and operators that read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.ledger import call_ledger
from tests.support.kept_ledger import KeptLedgers

NewOperator = Callable[..., MainlandPermitOcrOperator]
ImageList = Callable[..., list[Specimen]]

UPLOADED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quick_exchanges(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchanges with the ledger wait for others for a moment alone; slow tests prove what real ones do."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr(call_ledger, "_GATHER_SECONDS", 0.02)


@pytest.fixture
def kept_ledgers(session_ledgers: KeptLedgers, monkeypatch: pytest.MonkeyPatch) -> KeptLedgers | None:
    """Each test's database holds the tables of a ledger; tests that look at their making override it."""
    session_ledgers.prepare_once(monkeypatch)
    return session_ledgers


@pytest.fixture
def image_list(warehouse: sa.Engine, draw: Callable[..., Specimen], tmp_path: Path) -> ImageList:
    """Fill ``permit_images`` with so many fronts, keys ``k000`` on, and with further rows."""

    def fill(count: int, further: Iterable[dict[str, Any]] = ()) -> list[Specimen]:
        specimens = [draw(seed=seed) for seed in range(count)]
        rows = []
        for number, specimen in enumerate(specimens):
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(specimen.image)
            rows.append({"image_id": f"k{number:03}", "image": str(path)})
        rows += further
        defaults = {"card_side": None, "uploaded_at": UPLOADED_AT}
        with warehouse.begin() as connection:
            connection.execute(
                sa.text(
                    "CREATE TABLE IF NOT EXISTS permit_images"
                    " (image_id text, image text, card_side text, uploaded_at timestamptz)"
                )
            )
            connection.execute(
                sa.text("INSERT INTO permit_images VALUES (:image_id, :image, :card_side, :uploaded_at)"),
                [defaults | row for row in rows],
            )
        return specimens

    return fill


@pytest.fixture
def permits(warehouse: sa.Engine) -> Callable[[], dict[tuple[str, str], dict[str, Any]]]:
    """Read the result table, as a mapping from key and side to the row."""

    def read() -> dict[tuple[str, str], dict[str, Any]]:
        with warehouse.connect() as connection:
            rows = connection.execute(sa.text("SELECT * FROM permits")).mappings().all()
        return {(row["image_key"], row["card_side"]): dict(row) for row in rows}

    return read


@pytest.fixture
def standings(warehouse: sa.Engine) -> Callable[[], dict[tuple[str, str], dict[str, Any]]]:
    """Read what the ledger beside the result table says of images, as a mapping from key and side."""

    def read() -> dict[tuple[str, str], dict[str, Any]]:
        statement = "SELECT * FROM permit_ocr_images WHERE attempt_status IS NOT NULL"
        with warehouse.connect() as connection:
            rows = connection.execute(sa.text(statement)).mappings().all()
        return {(row["image_key"], row["card_side"]): dict(row) for row in rows}

    return read


@pytest.fixture
def operator() -> NewOperator:
    """Make an operator from ``permit_images`` to ``permits``, fast; its arguments by name."""

    def make(**arguments: Any) -> MainlandPermitOcrOperator:
        defaults: dict[str, Any] = {
            "task_id": "recognize",
            "source": ImageTable(
                "permit_images",
                conn_id="warehouse",
                key="image_id",
                image="image",
                card_side="card_side",
                updated_at="uploaded_at",
            ),
            "target": ResultTable("permits", conn_id="warehouse"),
            "pool_slots": 20,
            "max_per_second": 200,
        }
        return MainlandPermitOcrOperator(**(defaults | arguments))

    return make


@pytest.fixture
def execute(operator: NewOperator) -> Callable[..., dict[str, Any]]:
    """Make an operator and execute it, as DAG run ``run-1`` unless told otherwise."""

    def run(run_id: str = "run-1", **arguments: Any) -> dict[str, Any]:
        return operator(**arguments).execute({"run_id": run_id})

    return run


@pytest.fixture
def try_task(operator: NewOperator) -> Callable[..., dict[str, Any]]:
    """Execute one try of a task of a DAG, as Airflow does."""

    def execute(
        run_id: str = "run-1", try_number: int = 1, map_index: int = -1, **arguments: Any
    ) -> dict[str, Any]:
        instance = SimpleNamespace(
            dag_id="permits",
            task_id="recognize",
            run_id=run_id,
            map_index=map_index,
            try_number=try_number,
            xcom_push=lambda **_: None,
        )
        return operator(**arguments).execute({"run_id": run_id, "ti": instance})  # type: ignore[typeddict-item]

    return execute


@pytest.fixture
def connected(emulator: RunningEmulator, connect_emulator: Callable[..., None]) -> RunningEmulator:
    """An emulator that ``tencentcloud_default`` leads to."""
    connect_emulator(emulator)
    return emulator
