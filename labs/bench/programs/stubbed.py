"""The pipeline with real tables and a real ledger, and recognition stubbed at the wire."""

from __future__ import annotations

import logging
import tempfile
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import Final
from unittest import mock

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.engine.ports import Call, Ports
from airflow_provider_permitocr.engine.run.pipeline import Pipeline
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger, beside
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.run import Pace, RunOptions
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, target_name
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

SOURCE: Final = ImageTable("images", conn_id="warehouse", key="image_id", image="image")
TARGET: Final = ResultTable("permits", conn_id="warehouse")
BESIDE: Final = beside(TARGET)
IDENTITY: Final = ListIdentity(
    name=target_name(TARGET),
    is_default_name=True,
    source_conn_id=SOURCE.conn_id,
    source_table=SOURCE.table,
    key_column=SOURCE.key,
    targets=(target_name(TARGET),),
)
#: Several times as fast as the pipeline, so that it never waits for a turn. Not more: the pacing keeps this
#: many turns in memory, and a short list should fill that memory as a long one does.
_PER_SECOND: Final = 10_000
ANSWER: Final = {
    "Name": "李优图",
    "EnglishName": "LI,YOU-TU",
    "Sex": "男",
    "Birthday": "1986.03.02",
    "IssueAuthority": "公安部出入境管理局",
    "ValidDate": "2016.02.03-2021.02.02",
    "Number": "08320271",
    "IssueAddress": "广东",
    "IssueNumber": "02",
    "Type": "台湾居民来往大陆通行证",
    "Profile": "",
    "Nationality": "",
    "MainlandTravelPermitBackInfos": {"Type": "", "Name": "", "IDNumber": "", "HistoryNumber": ""},
    "WarnCardInfos": [],
}


class StubbedClient:
    """Answers each call immediately, and always the same."""

    def prepare(self, _request: PermitRequest) -> Call:
        """Prepare what costs nothing."""
        return lambda: PermitResponse(dict(ANSWER), "stub")


def engine(dsn: str, driver: str = "psycopg") -> sa.Engine:
    """Make the engine that a PostgreSQL connection of Airflow gives."""
    url = dsn.replace("postgresql://", f"postgresql+{driver}://", 1)
    return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)


def open_ledger(database: sa.Engine, described: Ledger = BESIDE, *, makes_calls: bool = True) -> SqlLedger:
    """Return the ledger of a separate run.

    :param makes_calls: False: the ledger of a run that only fills targets.
    """
    run = LedgerRun(
        identity=IDENTITY,
        account="bench",
        run=RunIdentity("bench", "recognize", f"run {uuid.uuid4().hex}"),
        window=Window(),
        budget=Budget(),
        makes_calls=makes_calls,
    )
    return SqlLedger(database, described, run)


def run_stubbed(dsn: str, *, source: sa.Engine | None = None) -> RunSummary:
    """Run the pipeline as the operator does.

    :param dsn: of the database of ledger and result.
    :param source: where the list is, if it is not there, too.
    """
    with (
        closing(Engines(dsn)) as engines,
        tempfile.TemporaryDirectory() as journal,
        # At 20 calls a second it gathers a few calls; here, many arrive in that time.
        mock.patch.object(call_ledger, "_GATHER_SECONDS", 0.0),
    ):
        ledger = open_ledger(engines.ledger)
        listed = (
            SqlImageSource(engines.tables, SOURCE, settled_in=ledger.where)
            if source is None
            else SqlImageSource(source, SOURCE)
        )
        ports = Ports(
            source=listed,
            request_builder=PermitRequestBuilder(max_base64_bytes=7_000_000),
            client=StubbedClient(),
            ledger=ledger,
            journal=FileJournal(Path(journal), session_id=uuid.uuid4().hex),
            tables={target_name(TARGET): SqlResultTarget(engines.tables, TARGET)},
        )
        options = RunOptions(Pace(_PER_SECOND))
        return Pipeline(ports, options, log=logging.getLogger("bench"), stop=threading.Event()).run()


class Engines:
    """Engines as the operator has them: a separate one for the ledger."""

    def __init__(self, dsn: str) -> None:
        self.tables, self.ledger = engine(dsn), engine(dsn)

    def close(self) -> None:
        self.tables.dispose()
        self.ledger.dispose()
