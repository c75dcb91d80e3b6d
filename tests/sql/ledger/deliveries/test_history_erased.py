"""Erased people stay out of a history, whichever process was about to write them there."""

from __future__ import annotations

import threading
import time as clock
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.table_filler import Step, TableFiller
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.ledger.deliveries.deliveries import CLAIM_SECONDS
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.sql.ledger.ground import EACH_LEDGER, TARGET
from tests.sql.ledger.histories import history
from tests.sql.ledger.processes import LedgerTime, Process, answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

SECRET = "H66554433"


class LateTable(SqlResultTarget):
    """A history whose writes wait for a lock, while another process delivers."""

    meanwhile: Any = None

    def write(self, frame: pd.DataFrame, **how: Any) -> Mapping[int, str]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().write(frame, **how)


def filler(process: Process, target: SqlResultTarget) -> TableFiller:
    made = TableFiller(
        *(history(process), target, COLUMNS, 500),
        is_rebuilt=False,
        is_over=lambda: False,
        clock=clock.monotonic,
    )
    made.prepare()
    return made


def deliver(some: TableFiller) -> None:
    while some.step() is not Step.NOTHING:
        pass


@pytest.mark.slow
@EACH_LEDGER
def test_a_delivery_that_lost_its_turn_brings_nobody_back(database: sa.Engine, time: LedgerTime) -> None:
    described = ResultTable("permits", conn_id="lake", mode="append")
    process = Process(database)
    for key in ("erased", "kept"):
        intent = process.intent(key)
        process.open(intent)
        process.close(answered(intent, number=SECRET if key == "erased" else "H11223344"))
    table = LateTable(database, described)
    late = filler(process, table)

    def erase_and_deliver() -> None:
        time.pass_seconds(CLAIM_SECONDS + 1)
        eraser = Process(database)
        erasing = Erasing(ErasureRule(keys=["erased"]), [TARGET], "somebody")
        eraser.ledger.erasure(erasing).erase(threading.Event())
        deliver(filler(eraser, SqlResultTarget(database, described)))
        history(eraser).release()

    table.meanwhile = erase_and_deliver
    deliver(late)
    with database.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, status, number FROM permits ORDER BY 1")).all()
    assert [tuple(row) for row in rows] == [("erased", "erased", None), ("kept", "recognized", "H11223344")]
