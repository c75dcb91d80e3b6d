"""Names that have to be quoted, where SQLAlchemy's dialect does not know them all."""

from __future__ import annotations

import sqlalchemy as sa


def quote_reserved_words(engine: sa.Engine) -> None:
    """Have DuckDB's reserved words quoted: its dialect takes them to be those of PostgreSQL.

    A column called ``at`` or ``pivot`` could not be read otherwise.
    """
    if engine.dialect.name != "duckdb":
        return
    import duckdb

    with duckdb.connect() as connection:
        words = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords()"
            " WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    preparer = engine.dialect.identifier_preparer
    preparer.reserved_words = {*preparer.reserved_words, *(word for (word,) in words)}
