"""The tables of the benchmark: image lists with the right numbers in them, and result tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from labs.ground.images import BenchImage

_LIST: Final = "CREATE TABLE {} (image_id text PRIMARY KEY, image text, card_side text, right_number text)"
_RIGHT: Final = """
SELECT count(*) FROM {} JOIN {} ON image_id = image_key
WHERE status = 'recognized' AND coalesce(nullif(number, ''), back_id_number) = right_number
"""
#: What the alternatives write; of the provider's result table, just what is counted.
_PLAIN: Final = "CREATE TABLE {} (image_key text PRIMARY KEY, number text, back_id_number text, status text)"


class BenchWarehouse:
    """The warehouse that all parts read from and write to.

    :param dsn: libpq URI of the database.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def list_images(self, table: str, images: Iterable[BenchImage]) -> None:
        """Make an image list."""
        name = sql.Identifier(table)
        with psycopg.connect(self.dsn) as connection:
            connection.execute(sql.SQL(_LIST).format(name))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(name)) as rows:
                for image in images:
                    rows.write_row((image.image_id, str(image.file), image.card_side, image.number))

    def make_plain_permits(self, table: str) -> None:
        """Make the result table of an alternative to the provider."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute(sql.SQL(_PLAIN).format(sql.Identifier(table)))

    def count_right(self, images: str, permits: str) -> int:
        """Count the listed images that were recognized with the right number.

        :param images: the list's name.
        :param permits: the result table's name.
        """
        query = sql.SQL(_RIGHT).format(sql.Identifier(images), sql.Identifier(permits))
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])
