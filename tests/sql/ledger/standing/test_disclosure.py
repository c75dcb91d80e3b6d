"""Portraits on their way from a ledger to their folder, while others change the answers that they are of."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.permit.answers import KeptAnswer, Reading
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Method
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing
from airflow_provider_permitocr.sql.ledger.standing import disclosure, images
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure, is_portrait_name
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, rows_of
from tests.sql.ledger.processes import TABLES, Process, answered

PORTRAIT = base64.b64encode(b"\xff\xd8\xff a face").decode()
SECRET = "H66554433"


@dataclass
class Folder:
    """A folder of portraits, as deliveries see it.

    :param before, after: called with each writing of portraits, once.
    """

    path: str = "/portraits"
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    files: set[str] = field(default_factory=set)

    def prepare(self) -> None:
        pass

    def put(self, portraits: Mapping[str, bytes]) -> Mapping[str, str]:
        before, self.before = self.before, None
        if before:
            before()
        self.files |= {f"{name}.jpg" for name in portraits}
        after, self.after = self.after, None
        if after:
            after()
        return {name: f"{self.path}/{name}.jpg" for name in portraits}

    def remove(self, files: Collection[str]) -> None:
        self.files -= set(files)


@dataclass
class Stored:
    """The same folder, as erasures see it."""

    folder: Folder

    def remove(self, profiles: Collection[str]) -> int:
        names = {profile.rpartition("/")[2] for profile in profiles}
        self.folder.remove(names | {f"{name}.jpg" for name in names if is_portrait_name(name)})
        return len(names)


def recognized(engine: sa.Engine, folder: Folder, *keys: str) -> Process:
    """Return a process that has recognized images with portraits, and puts these into a folder."""
    process = Process(engine, run_options={"disclosure": Disclosure(with_portrait=True, portraits=folder)})
    for key in keys:
        intent = process.intent(key)
        process.open(intent)
        answer = KeptAnswer({"Number": SECRET, "Profile": PORTRAIT})
        process.close(replace(answered(intent), answer=answer))
    return process


def erase(engine: sa.Engine, folder: Folder, protection: Protection = Protection(), **rule: Any) -> None:
    stored = Stored(folder)
    erasing = Erasing(ErasureRule(**rule), [TARGET], "somebody", Reading(protection=protection), stored)
    Process(engine).ledger.erasure(erasing).erase(threading.Event())


def changes(process: Process) -> dict[str, Delivered]:
    return {each.row_key[0]: each for each in process.ledger.delivery(TARGET).changes(0, 9)}


def profile(delivered: Delivered) -> object:
    assert delivered.fields is not None
    return delivered.fields["profile"]


@EACH_LEDGER
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_erasure_while_portraits_are_written_leaves_no_file(database: sa.Engine, when: str) -> None:
    folder = Folder()
    process = recognized(database, folder, "erased", "kept")
    setattr(folder, when, lambda: erase(database, folder, keys=["erased"]))
    delivered = changes(process)
    (file,) = folder.files
    assert profile(delivered["kept"]) == f"/portraits/{file}"
    assert profile(delivered["erased"]) is None
    assert changes(process)["erased"].fields is None


@EACH_LEDGER
def test_an_erasure_removes_a_portrait_whose_delivery_died_before_it_was_noted(database: sa.Engine) -> None:
    folder = Folder()
    process = recognized(database, folder, "a")

    def die() -> None:
        raise OSError("killed")

    folder.after = die
    with pytest.raises(OSError, match="killed"):
        changes(process)
    assert folder.files
    erase(database, folder, keys=["a"])
    assert not folder.files


@EACH_LEDGER
@pytest.mark.parametrize("dropped", ["number", "profile"])
def test_what_a_stricter_policy_hides_meanwhile_does_not_come_back(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch, dropped: str
) -> None:
    folder = Folder()
    process = recognized(database, folder, "a")
    protection = Protection({dropped: Method.DROP})
    to_json = f"{disclosure.__name__}.to_json"

    def rewrite_first(values: Mapping[str, Any]) -> str:
        monkeypatch.setattr(to_json, images.to_json)
        erase(database, folder, protection, policy=True)
        return images.to_json(values)

    monkeypatch.setattr(to_json, rewrite_first)
    (delivered,) = changes(process).values()
    (answer,) = rows_of(database, TABLES.answers)
    if dropped == "number":
        assert SECRET not in answer.answer
        assert profile(delivered) in answer.answer
    else:
        assert not folder.files
        assert "/portraits" not in answer.answer
        assert profile(delivered) is None


@EACH_LEDGER
def test_a_portrait_has_one_file_though_two_runs_write_it_to_different_folders(database: sa.Engine) -> None:
    first, second = Folder(), Folder("/elsewhere")
    process = recognized(database, first, "a")
    other = recognized(database, second)
    second.after = lambda: changes(process)
    (delivered,) = changes(other).values()
    (file,) = first.files
    assert not second.files
    assert profile(delivered) == f"/portraits/{file}"
