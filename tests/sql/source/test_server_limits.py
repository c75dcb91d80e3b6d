"""A row over a limit of the list's server concerns itself alone, and is not waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.support.mariadb import OwnMariaDb

LISTED = ImageTable("images", conn_id="lake", key="id", image="image", carry_columns=["note"])
LIMIT = 1024 * 1024


@pytest.fixture(params=["pymysql", "mysqldb"])
def small(
    request: pytest.FixtureRequest, own_mariadb: OwnMariaDb, new_engine: Callable[..., sa.Engine]
) -> Iterator[sa.Engine]:
    """An engine on a MariaDB server that takes packets of 1 MB."""
    if request.param == "mysqldb":
        pytest.importorskip("MySQLdb")
    with own_mariadb.settings(max_allowed_packet=str(LIMIT)):
        yield new_engine(own_mariadb.url(request.param))


@pytest.fixture
def fill_images(own_mariadb: OwnMariaDb) -> Callable[..., None]:
    """Make the list, its values written while the server takes larger packets."""

    def fill(*rows: tuple[str, str]) -> None:
        """Fill it with keys and images, each as SQL."""
        with own_mariadb.settings(max_allowed_packet=str(64 * LIMIT)):
            own_mariadb.run(
                "DROP TABLE IF EXISTS lake.images",
                "CREATE TABLE lake.images (id longtext, image longblob, note varchar(9))",
                *(f"INSERT INTO lake.images VALUES ({key}, {image}, 'north')" for key, image in rows),
            )

    return fill


def _read(engine: sa.Engine) -> tuple[list[ImageRow], list[float]]:
    waited: list[float] = []
    patience = Patience(clock=lambda: sum(waited), sleep=waited.append)
    source = SqlImageSource(engine, LISTED, patience=patience)
    source.check()
    return [row for page in source.pages() for row in source.images(page)], waited


def test_image_larger_than_the_servers_packets_is_read(
    small: sa.Engine, fill_images: Callable[..., None]
) -> None:
    fill_images(("'a'", "'/a'"), ("'b'", f"repeat('x', {3 * LIMIT})"), ("'c'", "'/c'"))
    rows, waited = _read(small)
    assert [row.image for row in rows] == [b"/a", b"x" * 3 * LIMIT, b"/c"]
    assert waited == []


@pytest.mark.slow
def test_keys_that_are_together_larger_than_a_packet_are_asked_for_in_parts(
    small: sa.Engine, fill_images: Callable[..., None]
) -> None:
    long = [(f"concat('{number}', repeat('k', {LIMIT // 5}))", f"'/{number}'") for number in range(9)]
    fill_images(*long)
    rows, waited = _read(small)
    assert [row.image for row in rows] == [f"/{number}".encode() for number in range(9)]
    assert waited == []


@pytest.mark.slow
def test_key_larger_than_a_packet_is_rejected_alone_by_the_limits_name(
    small: sa.Engine, fill_images: Callable[..., None]
) -> None:
    fill_images(("'a'", "'/a'"), (f"repeat('k', {LIMIT + 9})", "'/b'"), ("'z'", "'/z'"))
    read, waited = _read(small)
    rows = sorted(read, key=lambda row: row.image_key)
    assert [row.image for row in rows] == [b"/a", None, b"/z"]
    (fault,) = (row.fault for row in rows if row.fault)
    assert fault.code == "ImageValueUnreadable"
    assert "max_allowed_packet" in fault.message
    assert "kkk" not in fault.message
    assert [row.carried for row in rows] == [{"note": "north"}, {"note": None}, {"note": "north"}]
    assert waited == []


@pytest.mark.slow
def test_long_keys_are_found_again(small: sa.Engine, fill_images: Callable[..., None]) -> None:
    fill_images(*((f"concat('{number}', repeat('k', {LIMIT // 5}))", "'/a'") for number in range(9)))
    source = SqlImageSource(small, LISTED)
    wanted = [(f"{number}{'k' * (LIMIT // 5)}", CardSide.FRONT) for number in range(9)]
    assert [listed.row_key for listed in source.find(wanted)] == wanted
