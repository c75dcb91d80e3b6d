"""The tables of the proof: a list and a result for each DAG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from labs.distributed.image_lists import ImageList


class ProofWarehouse:
    """The warehouse that both DAGs read from and write to.

    :param dsn: libpq URI of the database.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def list_images(self, lists: Iterable[ImageList], directory: Path) -> None:
        """Make the tables of images.

        :param directory: where the files are.
        """
        with psycopg.connect(self._dsn) as connection:
            for each in lists:
                table = sql.Identifier(f"{each.dag_id}_images")
                columns = sql.SQL("(image_id text PRIMARY KEY, image text, card_side text)")
                connection.execute(sql.SQL("CREATE TABLE {} {}").format(table, columns))
                with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as rows:
                    for image in each.images:
                        rows.write_row((image.image_id, str(directory / image.file), image.card_side))

    def settled(self, dag_id: str) -> set[str]:
        """Return the keys that a DAG's result table holds by now."""
        return {row["image_key"] for row in self._rows("image_key", dag_id)}

    def results(self, dag_id: str) -> list[dict[str, Any]]:
        """Return a DAG's result table."""
        return self._rows("*", dag_id)

    def _rows(self, columns: str, dag_id: str) -> list[dict[str, Any]]:
        table = sql.Identifier(f"{dag_id}_permits")
        chosen = sql.SQL("*") if columns == "*" else sql.Identifier(columns)
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            try:
                return connection.execute(sql.SQL("SELECT {} FROM {}").format(chosen, table)).fetchall()
            except psycopg.errors.UndefinedTable:  # the operator makes it with the first answers
                return []
