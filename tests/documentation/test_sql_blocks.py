"""SQL blocks run on the tables that a run of the operator has prepared and filled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    PermitAnalyticsOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from tests.documentation.blocks import SPANS, blocks

#: Rows of each statement after a run that has recognized front and back of one document.
ROWS = {
    "docs/reference/ledger.md": [1, 0, 0, 1, 1],
    "docs/guides/tables.md": [0, 0, 1],
    "docs/guides/quality.md": [0, 0, 0],
    "docs/guides/analytics.md": [1, 1, 0, 0, 0, 0, 0, 1, 1],
    "docs/guides/review.md": [1, 0],
}
#: Its statements are run by `test_grants.py`.
GRANTS_PAGE = "docs/guides/erasure.md"
#: What the ledger's page says to take on SQLite.
ON_SQLITE = {"CAST(intended_at AS DATE)": "date(intended_at)", "now()": "datetime('now')"}


def statements(page: str) -> list[str]:
    text = "\n".join(block.text for block in blocks("sql") if block.page == page)
    return [each for each in text.replace("\n\n", ";\n").split(";\n") if each.strip()]


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def filled(
    request: pytest.FixtureRequest,
    set_connection: Callable[..., None],
    tmp_path: Path,
    front: Specimen,
    back: Specimen,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> sa.Engine:
    """A database with a list, its result table with the view of documents, and its ledger."""
    engine: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    url = engine.url
    fields: dict[str, Any] = {"conn_type": "sqlite", "host": url.database}
    if request.param != "sqlite":
        kind = "mysql" if request.param == "mariadb" else "postgres"
        fields = {"conn_type": kind, "host": url.host, "port": url.port, "login": url.username}
        fields |= {"password": url.password, "schema": url.database}
        fields |= {"extra": {"client": "pymysql"}} if kind == "mysql" else {}
    set_connection("warehouse", **fields)
    connect_emulator(emulator)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_images (id varchar(9) PRIMARY KEY, f text, b text)"))
        for name, specimen in (("front", front), ("back", back)):
            (tmp_path / f"{name}.jpg").write_bytes(specimen.image)
        values = {"front": f"{tmp_path}/front.jpg", "back": f"{tmp_path}/back.jpg"}
        connection.execute(sa.text("INSERT INTO permit_images VALUES ('a', :front, :back)"), values)
    permits = ResultTable("permits", conn_id="warehouse", documents_view="permit_documents")
    MainlandPermitOcrOperator(
        task_id="recognize_permits",
        source=ImageTable("permit_images", conn_id="warehouse", key="id", image="f", back_image="b"),
        target=permits,
        pool_slots=20,
        max_per_second=100,
    ).execute({"run_id": "run-1"})
    for named in (permits, ResultTable("permits", conn_id="warehouse")):
        PermitAnalyticsOperator(task_id="update_analytics", result=named).execute({"run_id": "run-1"})
    return engine


@pytest.mark.slow
def test_the_statements_of_every_page_run_and_find_what_a_run_has_written(filled: sa.Engine) -> None:
    assert {block.page for block in blocks("sql")} == {*ROWS, GRANTS_PAGE}
    with filled.begin() as connection:
        for span in SPANS:
            if span.text.startswith("CREATE INDEX permits"):
                connection.exec_driver_sql(span.text)
        for page, expected in ROWS.items():
            found = []
            for shown in statements(page):
                statement = shown
                if filled.dialect.name == "sqlite":
                    for word, here in ON_SQLITE.items():
                        statement = statement.replace(word, here)
                # As text, a driver takes % for itself.
                found.append(len(connection.execute(sa.text(statement.replace(":", "\\:"))).all()))
            assert found == expected, page
