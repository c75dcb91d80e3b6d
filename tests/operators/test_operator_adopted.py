"""A ledger that was lost or renamed is refused before the first call, and adopted without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

pytestmark = pytest.mark.slow

NewOperator = Callable[..., MainlandPermitOcrOperator]
ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture
def recognized(image_list: ImageList, execute: Execute, connected: RunningEmulator) -> None:
    """Three images are recognized."""
    image_list(3)
    assert execute()["calls"] == 3


def drop_ledger(warehouse: sa.Engine) -> None:
    with warehouse.begin() as connection:
        for table in ledger_tables("permit_ocr"):
            table.drop(connection)


@pytest.mark.usefixtures("recognized")
def test_a_lost_ledger_takes_the_answers_of_its_table_over(
    warehouse: sa.Engine, operator: NewOperator, execute: Execute, permits: Rows, emulator: RunningEmulator
) -> None:
    drop_ledger(warehouse)
    before = permits()
    with pytest.raises(AirflowFailException, match="airflow permitocr adopt"):
        execute()
    adoption = adopt_list(operator())
    assert (adoption.taken, adoption.recognized) == (3, 3)
    assert execute()["skipped"] == 3
    assert permits() == before
    assert emulator.stats()["calls"] == 3


@pytest.mark.usefixtures("recognized")
def test_a_renamed_table_keeps_its_answers(
    warehouse: sa.Engine, operator: NewOperator, execute: Execute, emulator: RunningEmulator
) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permits RENAME TO permits_2"))
    renamed = {"target": ResultTable("permits_2", conn_id="warehouse")}
    with pytest.raises(AirflowFailException, match="list='warehouse:permits'"):
        execute(**renamed)
    assert adopt_list(operator(**renamed)).known_as == "warehouse:permits"
    assert execute(**renamed)["skipped"] == 3
    assert emulator.stats()["calls"] == 3


@pytest.mark.usefixtures("recognized")
def test_a_renamed_list_keeps_its_answers(
    warehouse: sa.Engine, operator: NewOperator, execute: Execute, emulator: RunningEmulator
) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permit_images RENAME TO pictures"))
    source = ImageTable("pictures", conn_id="warehouse", key="image_id", image="image")
    with pytest.raises(AirflowFailException, match="with another source"):
        execute(source=source)
    adopt_list(operator(source=source))
    assert execute(source=source)["skipped"] == 3
    assert emulator.stats()["calls"] == 3
