"""What a ledger does not know again: a renamed table, a renamed connection, a table filled by another."""

from __future__ import annotations

from typing import Any, Final

from labs.chaos.scene import Listing, Scene, Setting, Stage, arguments_of
from labs.chaos.verdict import every_image_once, failed_for_good, none_of, of_situation, succeeded
from labs.ground.figures import Figure

_RENAME: Final = "ALTER TABLE permits RENAME TO permits_renamed"


def identity(stage: Stage) -> list[Figure]:
    """Rename the result table, then the connection, then lose the ledger; each time, run, adopt and run."""
    from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

    renamed = Listing(stage.images[: stage.sizes.identity_images], permits="permits_renamed")
    with Scene(stage, "identity", Setting(stage.sizes.identity_images)) as scene:
        figures = [succeeded("the first run", scene.start("first").end())]
        scene.warehouse.execute(_RENAME)
        figures += of_situation("renamed table", _adopted(scene, arguments_of(renamed)))

        scene.connect("lake", scene.warehouse.airflow_connection())
        elsewhere = arguments_of(renamed, "lake")
        figures += of_situation("renamed connection", _adopted(scene, elsewhere))

        names = ", ".join(table.name for table in ledger_tables("permit_ocr"))
        scene.warehouse.execute(f"DROP TABLE {names}")
        figures += of_situation("lost ledger", _adopted(scene, elsewhere))
        evidence = scene.evidence(renamed)
    calls = len(evidence.calls) - len(renamed.images)
    return [
        *figures,
        *of_situation("in the end", [none_of("calls too many", calls), *every_image_once(evidence)]),
    ]


def _adopted(scene: Scene, arguments: dict[str, Any]) -> list[Figure]:
    before = len(scene.calls())
    refused = scene.start("refused", **arguments).end()
    calls = len(scene.calls()) - before
    adopted = scene.start("adopted", adopts=True, **arguments).end()
    after = scene.start("after", **arguments).end()
    return [
        failed_for_good("the run", refused, "airflow permitocr adopt"),
        none_of("its calls", calls),
        succeeded("airflow permitocr adopt", adopted),
        succeeded("the run after it", after),
        none_of("calls of both", len(scene.calls()) - before),
    ]
