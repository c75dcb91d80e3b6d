"""The pipeline with real tables, and recognition stubbed at the wire."""

from __future__ import annotations

import logging
import threading

import sqlalchemy as sa

from airflow_provider_permitocr.core.image_loader import ImageLoader
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse, RunSummary
from airflow_provider_permitocr.core.options import Batch, Pace, RunOptions
from airflow_provider_permitocr.core.pipeline import Pipeline
from airflow_provider_permitocr.core.ports import Call, Ports
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ImageTable, ResultTable

_SOURCE = ImageTable("images", conn_id="warehouse", key="image_id", image="image")
_TARGET = ResultTable("permits", conn_id="warehouse")
#: Many times as fast as the pipeline can go, so that no turn is waited for. Not more: the pacing remembers
#: the turns of the last second.
_PER_SECOND = 100_000
#: A batch of 50 rows is made for tens of images a second, not for thousands.
_BATCH = Batch(rows=500)
ANSWER = {
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
    """Answers each call at once, and always the same."""

    def prepare(self, _request: PermitRequest) -> Call:
        """Prepare what costs nothing."""
        return lambda: PermitResponse(dict(ANSWER), "stub")


def engine(dsn: str) -> sa.Engine:
    """Make the engine that a PostgreSQL connection of Airflow gives."""
    return sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))


def run_stubbed(database: sa.Engine, *, source: sa.Engine | None = None) -> RunSummary:
    """Run the pipeline as the operator does.

    :param source: where the list is, if it is reached by another connection than the result.
    """
    listed = (
        SqlImageSource(database, _SOURCE, settled_in=_TARGET)
        if source is None
        else SqlImageSource(source, _SOURCE)
    )
    pipeline = Pipeline(
        Ports(
            listed,
            ImageLoader(max_base64_bytes=7_000_000),
            StubbedClient(),
            SqlResultTarget(database, _TARGET),
        ),
        RunOptions(Pace(_PER_SECOND), batch=_BATCH),
        run_id="bench",
        log=logging.getLogger("bench"),
        stop=threading.Event(),
    )
    return pipeline.run()
