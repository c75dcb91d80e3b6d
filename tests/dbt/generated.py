"""``python -m tests.dbt.generated`` writes what the dbt package says of columns and of flags, from code."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.permit.quality.flags import FLAGS
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPES
from labs.ground.analytics_project import PACKAGE

#: The ledger's tables that analysts may read, less the counters, which say nothing that calls don't.
LEDGER_TABLES: Final = ("lists", "runs", "calls")


def documented() -> dict[str, dict[str, str]]:
    """Return the comment of each column, by table."""
    shapes = {shape.name: shape.columns for shape in SHAPES}
    tables = {"permits": COLUMNS, **{name: shapes[name] for name in LEDGER_TABLES}}
    return {table: {each.name: each.comment for each in columns} for table, columns in tables.items()}


def column_docs() -> str:
    """Return the file of dbt's doc blocks: one per table and column."""
    return "\n".join(
        f"{{% docs {table}__{column} %}}{comment}{{% enddocs %}}"
        for table, comments in documented().items()
        for column, comment in comments.items()
    )


def flag_kinds() -> str:
    """Return the seed of flags."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("flag", "flag_group", "is_doubt", "meaning"))
    for flag, facts in FLAGS.items():
        writer.writerow((flag.value, facts.group.value, str(facts.is_doubt).lower(), facts.meaning))
    return text.getvalue().rstrip("\n")


GENERATED: Final[dict[Path, Callable[[], str]]] = {
    PACKAGE / "models" / "columns.md": column_docs,
    PACKAGE / "seeds" / "permit_ocr__flag_kinds.csv": flag_kinds,
}


if __name__ == "__main__":
    for file, content in GENERATED.items():
        file.write_text(content() + "\n", encoding="utf-8")
