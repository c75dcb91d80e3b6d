"""The rights that the page of erasures grants are those that runs, erasures and pruning need, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    PermitErasureOperator,
    PermitReviewOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.sql.ledger.runs.pruning import prune
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from tests.documentation.blocks import blocks

PAGE = "docs/guides/erasure.md"
USERS = ("permit_run", "permit_eraser", "permit_analyst")


def grants() -> list[list[str]]:
    """Return the statements of each block of the page."""
    found = [block.text for block in blocks("sql") if block.page == PAGE]
    texts = ["\n".join(line for line in text.splitlines() if not line.startswith("--")) for text in found]
    return [[each.strip() for each in text.split(";") if each.strip()] for text in texts]


def task(**special: Any) -> MainlandPermitOcrOperator:
    arguments: dict[str, Any] = {
        "task_id": "recognize_permits",
        "source": ImageTable("permit_images", conn_id="warehouse", key="id", image="image"),
        "target": [
            ResultTable("permits", conn_id="warehouse"),
            ResultTable("recognitions", conn_id="warehouse", mode="append"),
        ],
        "list": "permits",
        "pool_slots": 20,
        "max_per_second": 100,
    }
    return MainlandPermitOcrOperator(**(arguments | special))


@dataclass
class Warehouse:
    """A database whose tables an administrator's run has made, and users who may do what the page grants."""

    engine: sa.Engine
    set_connection: Callable[..., None]
    images: Path

    def __post_init__(self) -> None:
        is_mysql = self.engine.dialect.name == "mysql"
        self.become("")
        kind = "varchar(9)" if is_mysql else "text"
        self.execute(f"CREATE TABLE permit_images (id {kind} PRIMARY KEY, image text)")
        self.list_image("a")
        task().execute({"run_id": "first"})
        for user in USERS:
            self.execute(
                f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'secret'"
                if is_mysql
                else f"CREATE ROLE {user} LOGIN PASSWORD 'secret'"
            )
        self.execute(*grants()[is_mysql])

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def list_image(self, key: str) -> None:
        with self.engine.begin() as connection:
            row = {"id": key, "image": str(self.images / f"{key}.jpg")}
            connection.execute(sa.text("INSERT INTO permit_images VALUES (:id, :image)"), row)

    def url(self, user: str) -> sa.URL:
        return self.engine.url.set(username=user, password="secret") if user else self.engine.url

    def become(self, user: str) -> None:
        """Have tasks connect as a user; '' is the administrator."""
        url = self.url(user)
        fields: dict[str, Any] = {"conn_type": "postgres", "host": url.host, "port": url.port}
        if url.drivername.startswith("mysql"):
            fields |= {"conn_type": "mysql", "extra": {"client": "pymysql"}}
        self.set_connection(
            "warehouse", **fields, login=url.username, password=url.password, schema=url.database
        )

    def drop_users(self) -> None:
        for user in USERS:
            if self.engine.dialect.name == "mysql":
                self.execute(f"DROP USER {user}")
            else:
                self.execute(f"DROP OWNED BY {user}", f"DROP ROLE {user}")


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.slow)])
def warehouse(
    request: pytest.FixtureRequest,
    set_connection: Callable[..., None],
    tmp_path: Path,
    draw: Callable[..., Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> Iterator[Warehouse]:
    """Such a database, on each server."""
    connect_emulator(emulator)
    for seed, key in enumerate(("a", "b", "c")):
        (tmp_path / f"{key}.jpg").write_bytes(draw(seed=seed).image)
    made = Warehouse(request.getfixturevalue(f"{request.param}_engine"), set_connection, tmp_path)
    yield made
    made.drop_users()


@pytest.mark.slow
def test_a_run_an_erasure_and_pruning_have_the_rights_that_they_need(
    warehouse: Warehouse, new_engine: Callable[..., sa.Engine]
) -> None:
    warehouse.list_image("b")
    warehouse.become("permit_run")
    ledger = Ledger("permit_ocr", conn_id="warehouse", keep_answers="delivered")
    assert task(ledger=ledger).execute({"run_id": "second"})["calls"] == 1
    with warehouse.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permit_ocr_answers")).scalar() == 0
    warehouse.list_image("c")
    assert task().execute({"run_id": "third"})["calls"] == 1
    asker = SimpleNamespace(dag_id="d", task_id="review", map_index=-1, try_number=2)
    review = PermitReviewOperator(task_id="review", recognition=task(), flags=["image_small"])
    review.execute_complete(
        {"run_id": "third", "ti": asker},  # type: ignore[typeddict-item]
        {"chosen_options": [], "params_input": {"secret_unknown": "right"}},
    )
    is_mysql = warehouse.engine.dialect.name == "mysql"
    if is_mysql:  # as the page says
        warehouse.execute("GRANT DELETE ON permit_ocr_reviews TO permit_run")
    warehouse.become("permit_run" if is_mysql else "permit_eraser")
    erasure = PermitErasureOperator(task_id="erase", recognition=task(), keys=["a", "b", "c"])
    assert erasure.execute({"run_id": "erasing"})["images"] == 3
    if not is_mysql:
        eraser = new_engine(warehouse.url("permit_eraser"))
        assert prune(eraser, ledger_tables("permit_ocr"), 1).calls == 0


@pytest.mark.slow
def test_analysts_see_results_and_costs_and_no_answer(
    warehouse: Warehouse, new_engine: Callable[..., sa.Engine]
) -> None:
    if warehouse.engine.dialect.name == "mysql":
        warehouse.execute("GRANT SELECT ON permits TO permit_analyst")
    analyst = new_engine(warehouse.url("permit_analyst"))
    with analyst.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permits")).scalar() == 1
    for table in ("permit_ocr_answers", "permit_ocr_images"):
        with analyst.connect() as connection, pytest.raises(DBAPIError):
            connection.execute(sa.text(f"SELECT * FROM {table}"))
