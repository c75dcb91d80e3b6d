"""A result table that is gone in mid-run."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from chaos.scene import Scene, Setting, Stage
from chaos.verdict import every_image_once, exactly, ledger_equals_journal, none_of, paid_twice, succeeded
from distributed.verdict import Figure


def spill(stage: Stage) -> list[Figure]:
    """Take the result table away in mid-run, put it back, and run again."""
    images = stage.sizes.images
    with Scene(stage, "spill", Setting(images)) as scene:
        kept_in = scene.state / "spill"
        task = scene.start("the first run", spill_to=str(kept_in))
        scene.wait_for_calls(images // 2, task)
        _rename(scene.dsn, "permits", "permits_elsewhere")
        first = task.end()
        stage.say("the run has failed, as it should")
        spilled = _files(kept_in)
        _rename(scene.dsn, "permits_elsewhere", "permits")
        second = scene.start("the next run", spill_to=str(kept_in)).end()
        evidence = scene.evidence()
    named = sum(path in first.message for path in spilled)
    return [
        Figure("the first run", first.error or "succeeded", "fails", bool(first.error)),
        Figure("spill files", f"{len(spilled)}, {named} named", "≥ 1, all named", 0 < named == len(spilled)),
        succeeded("the next run", second),
        exactly("spill files left", len(_files(kept_in)), 0),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def _rename(dsn: str, table: str, name: str) -> None:
    with psycopg.connect(dsn) as connection:
        query = sql.SQL("ALTER TABLE {} RENAME TO {}")
        connection.execute(query.format(sql.Identifier(table), sql.Identifier(name)))


def _files(folder: Path) -> list[str]:
    return sorted(str(each) for each in folder.rglob("*") if each.is_file())
