"""A row over a limit of the server of a result table is refused alone, and is not waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.mariadb import OwnMariaDb

LIMIT = 1024 * 1024


@pytest.fixture(params=["pymysql", "mysqldb"])
def small(
    request: pytest.FixtureRequest, own_mariadb: OwnMariaDb, new_engine: Callable[..., sa.Engine]
) -> Iterator[sa.Engine]:
    """An engine as runs have it, on a MariaDB server that takes packets of 1 MB."""
    if request.param == "mysqldb":
        pytest.importorskip("MySQLdb")
    own_mariadb.run("DROP DATABASE IF EXISTS lake", "CREATE DATABASE lake CHARACTER SET utf8mb4")
    with own_mariadb.settings(max_allowed_packet=str(LIMIT)):
        engine = new_engine(own_mariadb.url(request.param))
        database_of(engine).set_up(engine)
        yield engine


@pytest.mark.slow
@pytest.mark.parametrize(
    "portrait", ["p" * LIMIT, "'" * (LIMIT // 2), "李" * (LIMIT // 3)], ids=lambda text: text[0]
)
def test_a_row_larger_than_a_packet_is_refused_alone_by_the_limits_name(
    small: sa.Engine, frame_of: Callable[..., pd.DataFrame], portrait: str
) -> None:
    waited: list[float] = []
    patience = Patience(clock=lambda: sum(waited), sleep=waited.append)
    target = SqlResultTarget(small, ResultTable("permits", conn_id="lake"), patience=patience)
    target.prepare()
    frame = pd.concat([frame_of("a"), frame_of("b", profile=portrait), frame_of("c")], ignore_index=True)
    (refused,) = target.write(frame).items()
    assert refused[0] == 1
    assert "max_allowed_packet" in refused[1]
    assert portrait[:9] not in refused[1]
    with small.connect() as connection:
        assert connection.scalars(sa.text("SELECT image_key FROM permits ORDER BY 1")).all() == ["a", "c"]
    assert waited == []


@pytest.mark.slow
def test_rows_that_are_together_larger_than_a_packet_are_written(
    small: sa.Engine, frame_of: Callable[..., pd.DataFrame]
) -> None:
    target = SqlResultTarget(small, ResultTable("permits", conn_id="lake"))
    target.prepare()
    keys = [f"k{number:02}" for number in range(20)]
    assert target.write(frame_of(*keys, profile="'" * (LIMIT // 5))) == {}
    with small.connect() as connection:
        assert connection.scalars(sa.text("SELECT image_key FROM permits ORDER BY 1")).all() == keys
