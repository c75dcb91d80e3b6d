"""The demo's warehouse: the image list that goes in, the permits that come out, and what analysts get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS permit_images (
    image_id text,
    image text NOT NULL,
    card_side text,
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (image_id, card_side)
)
"""
#: A checkout that was moved keeps its rows and gets its new paths.
_LIST: Final = """
INSERT INTO permit_images VALUES (%s, %s, %s, %s)
ON CONFLICT (image_id, card_side)
DO UPDATE SET image = EXCLUDED.image WHERE permit_images.image <> EXCLUDED.image
"""
_UPLOADS: Final = "SELECT min(uploaded_at), max(uploaded_at) FROM permit_images"
_COUNT: Final = """
SELECT count(*) FROM permits JOIN permit_images
ON image_id = image_key AND permit_images.card_side = permits.card_side
"""
#: A document of two sides, one that they disagree about if there is any.
_DOCUMENT: Final = """
SELECT * FROM permits_documents WHERE front_status = 'recognized' AND back_status = 'recognized'
ORDER BY coalesce(type_mismatch, false) OR coalesce(name_mismatch, false) DESC, image_key LIMIT 1
"""
_COST: Final = """
SELECT day, dag_id, permit_kind, calls, billed, cost_micros, currency FROM permits_cost_by_day
ORDER BY day, dag_id, permit_kind NULLS LAST
"""
_LEDGER: Final = """
SELECT count(*), coalesce(sum(billed), 0), count(*) - count(billed) FROM permit_ocr_calls
WHERE run_id = %s
"""


@dataclass(frozen=True)
class LedgerSums:
    """The ledger's sums for a run.

    :param billed: billed calls.
    :param unknown: refused calls that the billing page does not mention.
    """

    calls: int
    billed: int
    unknown: int


@dataclass(frozen=True)
class ListedImage:
    """A row of the image list."""

    image_id: str
    image: str
    card_side: str


class Warehouse:
    """The demo's warehouse.

    :param dsn: libpq URI of the database.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def list_images(self, images: Iterable[ListedImage], last_upload: datetime) -> None:
        """Make the image list, as if an image had been uploaded each minute; once.

        :param last_upload: time of the last one, for images that are not listed yet.
        """
        with psycopg.connect(self._dsn) as connection:
            connection.execute(_CREATE)
            for minutes, image in enumerate(reversed(list(images))):
                uploaded_at = last_upload - timedelta(minutes=minutes)
                connection.execute(_LIST, (image.image_id, image.image, image.card_side, uploaded_at))

    def upload_interval(self) -> tuple[datetime, datetime]:
        """Return a half-open interval that holds the time of every upload."""
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(_UPLOADS).fetchone()
        assert row is not None
        return row[0], row[1] + timedelta(seconds=1)

    def count_results(self) -> int:
        """Count the listed images that have a row in the result table."""
        with psycopg.connect(self._dsn) as connection:
            try:
                row = connection.execute(_COUNT).fetchone()
            except psycopg.errors.UndefinedTable:  # the operator makes it with the first answers
                return 0
        assert row is not None
        return int(row[0])

    def ledger_sums(self, run_id: str) -> LedgerSums:
        """Return the ledger's sums for a run."""
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute(_LEDGER, (run_id,)).fetchone()
        assert row is not None
        return LedgerSums(*(int(value) for value in row))

    def document(self) -> dict[str, Any] | None:
        """Return one document of both sides."""
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            return connection.execute(_DOCUMENT).fetchone()

    def costs(self) -> Sequence[dict[str, Any]]:
        """Return what calls have cost, by day, DAG and kind."""
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            return connection.execute(_COST).fetchall()

    def results(self) -> Sequence[dict[str, Any]]:
        """Return the result table, in the order of the keys."""
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            return connection.execute("SELECT * FROM permits ORDER BY image_key, card_side").fetchall()
