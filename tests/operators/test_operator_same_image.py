"""The same picture once, with real pieces: PostgreSQL, the emulator, the operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from PIL import Image

from airflow_provider_permitocr import (
    ImageAccess,
    ImageTable,
    Ledger,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Execute = Callable[..., dict[str, Any]]


@pytest.fixture
def copies(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Write images to files of their own, and list them: key and image each, and further columns."""

    def write(images: Iterable[tuple[str, bytes]], **columns: Any) -> list[dict[str, Any]]:
        rows = []
        for key, image in images:
            path = tmp_path / f"copy {key} {columns.get('card_side')}.jpg"
            path.write_bytes(image)
            rows.append({"image_id": key, "image": str(path), **columns})
        return rows

    return write


Copies = Callable[..., list[dict[str, Any]]]


def _own_answers(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["reused_from"] is None]


def test_a_list_with_doubles_costs_a_call_for_each_picture_and_side(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    copies: Copies,
    permits: Permits,
    draw: Callable[..., Specimen],
    back: Specimen,
) -> None:
    pictures = [draw(seed=seed) for seed in range(5)]
    again = [(f"again {number}", pictures[number % 5].image) for number in range(40)]
    backs = copies([(f"back {number}", back.image) for number in range(4)], card_side="BACK")
    image_list(5, [*copies(again), *backs])

    summary = execute(reuse_identical=True)

    rows = permits()
    assert (len(rows), summary["statuses"]) == (49, {"recognized": 49})
    journal = connected.stats()
    assert summary["calls"] == journal["calls"] == 6
    assert set(journal["calls_per_image"].values()) == {1}
    assert summary["reused"] == 43
    for key, number in [(f"k{number:03}", number) for number in range(5)] + [
        (f"again {number}", number % 5) for number in range(40)
    ]:
        row, fields = rows[key, "FRONT"], pictures[number].fields
        assert (row["name"], row["number"]) == (fields["Name"], fields["Number"])
        assert row["birthday"].strftime("%Y.%m.%d") == fields["Birthday"]
        first = rows[row["reused_from"] or key, "FRONT"]
        same = (*ANSWER_COLUMNS, "request_id", "image_digest", "image_bytes", "image_format")
        assert {name: row[name] for name in same} == {name: first[name] for name in same}
        assert first["reused_from"] is None
        assert (row["run_id"], row["tries"]) == ("run-1", 1)
    assert len(_own_answers(rows.values())) == 6


def test_a_list_that_was_uploaded_again_under_other_keys_makes_no_call(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    copies: Copies,
    permits: Permits,
    warehouse: sa.Engine,
) -> None:
    specimens = image_list(4)
    execute()
    with warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM permit_images"))
    image_list(0, copies((f"new {seed}", each.image) for seed, each in enumerate(specimens)))

    summary = execute(reuse_identical=True)

    assert (summary["calls"], summary["reused"], connected.stats()["calls"]) == (0, 4, 4)
    rows = permits()
    for seed, specimen in enumerate(specimens):
        row = rows[f"new {seed}", "FRONT"]
        assert (row["reused_from"], row["number"]) == (f"k{seed:03}", specimen.fields["Number"])
        assert row["request_id"] == rows[f"k{seed:03}", "FRONT"]["request_id"]


def test_an_image_that_changed_to_the_same_bytes_takes_its_own_answer(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    warehouse: sa.Engine,
) -> None:
    image_list(2)
    execute(reuse_identical=True)
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day'"))

    summary = execute(reuse_identical=True)

    assert (summary["calls"], summary["reused"], connected.stats()["calls"]) == (0, 2, 2)
    assert {key: row["reused_from"] for (key, _), row in permits().items()} == {
        "k000": "k000",
        "k001": "k001",
    }
    assert execute(reuse_identical=True)["skipped"] == 2


def test_a_picture_that_failed_is_called_for_each_time(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    copies: Copies,
    permits: Permits,
    tmp_path: Path,
) -> None:
    Image.new("RGB", (300, 200), "white").save(tmp_path / "blank.jpg")
    blank = (tmp_path / "blank.jpg").read_bytes()
    image_list(0, copies((key, blank) for key in "abc"))

    first = execute(reuse_identical=True)
    again = execute(reuse_identical=True)

    assert {row["status"] for row in permits().values()} == {"failed"}
    assert {row["reused_from"] for row in permits().values()} == {None}
    assert (first["calls"], first["reused"], again["skipped"]) == (3, 0, 3)
    assert connected.stats()["calls"] == 3


def test_an_answer_without_the_portrait_is_none_for_who_asks_for_it(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, copies: Copies, permits: Permits
) -> None:
    (specimen,) = image_list(1)
    execute(reuse_identical=True)
    image_list(0, copies([("with", specimen.image)]))
    with_portrait = execute(reuse_identical=True, portraits="column")
    image_list(0, copies([("with too", specimen.image)]))
    with_too = execute(reuse_identical=True, portraits="column")
    image_list(0, copies([("without", specimen.image)]))
    without = execute(reuse_identical=True)

    assert [each["calls"] for each in (with_portrait, with_too, without)] == [1, 0, 0]
    rows = {key: row for (key, _), row in permits().items()}
    assert {key: row["profile"] is not None for key, row in rows.items()} == {
        "k000": False,
        "with": True,
        "with too": True,
        "without": False,
    }
    assert rows["without"]["number"] == specimen.fields["Number"]
    assert (rows["with too"]["reused_from"], rows["with too"]["profile"]) == ("with", rows["with"]["profile"])


def test_what_the_api_fetches_itself_has_no_digest_and_is_called_for(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    serve_image: Callable[[bytes], str],
    front: Specimen,
) -> None:
    url = serve_image(front.image)
    image_list(0, [{"image_id": key, "image": url} for key in "ab"])

    here = ImageAccess(fetch_hosts=("127.0.0.1",))
    summary = execute(reuse_identical=True, images=here)

    assert (summary["calls"], summary["reused"]) == (2, 0)
    assert {row["image_digest"] for row in permits().values()} == {None}


def test_carried_columns_are_the_rows_own(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    warehouse: sa.Engine,
) -> None:
    image_list(1)
    with warehouse.begin() as connection:
        connection.execute(sa.text("ALTER TABLE permit_images ADD COLUMN branch text DEFAULT 'HK'"))
        connection.execute(
            sa.text(
                "INSERT INTO permit_images (image_id, image, branch) SELECT 'other', image, 'MO'"
                " FROM permit_images"
            )
        )
    source = ImageTable(
        "permit_images", conn_id="warehouse", key="image_id", image="image", carry_columns=["branch"]
    )

    summary = execute(source=source, reuse_identical=True)

    rows = permits()
    assert summary["calls"] == 1
    assert rows["k000", "FRONT"]["number"] == rows["other", "FRONT"]["number"]
    assert {key: row["branch"] for (key, _), row in rows.items()} == {"k000": "HK", "other": "MO"}


def test_a_history_keeps_a_row_for_each_answer_that_was_taken(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, copies: Copies, warehouse: sa.Engine
) -> None:
    (specimen,) = image_list(1)
    target = ResultTable("permits", conn_id="warehouse", mode="append")
    execute(target=target, reuse_identical=True)
    image_list(0, copies([("again", specimen.image)]))
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day'"))

    summary = execute(target=target, reuse_identical=True)

    assert (summary["calls"], summary["reused"]) == (0, 2)
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, reused_from FROM permits ORDER BY processed_at"))
        found = rows.all()
    assert found[0] == ("k000", None)
    assert sorted(found[1:]) == [("again", "k000"), ("k000", "k000")]


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_shares_the_answers_of_one_run(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    copies: Copies,
    tmp_path: Path,
    suffix: str,
) -> None:
    (specimen,) = image_list(1)
    image_list(0, copies((key, specimen.image) for key in "abc"))

    summary = execute(
        target=ResultFile(f"{tmp_path}/permits.{suffix}"),
        ledger=Ledger("permit_ocr", conn_id="warehouse"),
        reuse_identical=True,
    )

    assert (summary["calls"], summary["reused"], connected.stats()["calls"]) == (1, 3, 1)
    read = pd.read_parquet if suffix == "parquet" else pd.read_csv
    frame = read(tmp_path / f"permits.{suffix}").astype("string")
    assert set(frame["number"]) == {specimen.fields["Number"]}
    assert frame["reused_from"].notna().sum() == 3
