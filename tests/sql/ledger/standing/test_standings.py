"""What a ledger says of images: to selection, to deliveries, and to who looks for a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import Answer, ImageFacts, Previous
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, Record
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, to_json
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from tests.sql.ledger.ground import EACH_LEDGER

LEDGER, LIST_ID = ledger_tables("permit_ocr"), 1
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRONT, BACK = CardSide.FRONT, CardSide.BACK
DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64
FIELDS: dict[str, Any] = {
    "Name": "李优图",
    "Birthday": "1958.08.12",
    "Number": "08320271",
    "Profile": "",
    "CardInfos": [],
}
RECOGNIZED = Standing(
    status=Status.RECOGNIZED,
    request_id="request-1",
    answer_id="call-1",
    answer_order=7,
    facts=ImageFacts("JPEG", 1234, None, DIGEST),
    updated_at=NOON - HOUR,
    processed_at=NOON,
    run="dag/task/monday",
    attempt_status=Status.RECOGNIZED,
    attempted_at=NOON,
    attempt_updated_at=NOON - HOUR,
    attempt_run="dag/task/monday",
    tries=1,
    carried={"branch": "華東", "weight": 0.5},
)
Put = Callable[..., None]


@pytest.fixture
def put(database: sa.Engine) -> Put:
    """Write an image of a list into the ledger, which is made where it is missing; its standing by name."""
    LEDGER.images.metadata.create_all(database)

    def write(
        image_key: str,
        side: CardSide = FRONT,
        *,
        version: int | None = 1,
        list_id: int = LIST_ID,
        **standing: Any,
    ) -> None:
        image = LedgerImage((image_key, side), Standing(**standing), version=version)
        with database.begin() as connection:
            connection.execute(sa.insert(LEDGER.images), image.row(list_id))

    return write


@pytest.fixture
def answer(database: sa.Engine) -> Put:
    """Write an answer into the ledger."""

    def write(call_id: str, fields: Any, form: int = AnswerForm.AS_ANSWERED) -> None:
        text = fields if isinstance(fields, str) else to_json(fields)
        with database.begin() as connection:
            connection.execute(
                sa.insert(LEDGER.answers), {"call_id": call_id, "form": int(form), "answer": text}
            )

    return write


def _in_force(**changes: Any) -> dict[str, Any]:
    """Return a recognized image's standing by name, some of it changed."""
    names = (name for name in Standing.__dataclass_fields__)
    return {name: getattr(RECOGNIZED, name) for name in names} | changes


def _previous(
    engine: sa.Engine, keys: Sequence[tuple[str, CardSide]], run: str | None = None
) -> dict[Any, Previous]:
    with engine.connect() as connection:
        return standings.previous(OpenList(connection, LEDGER, LIST_ID), run, keys)


def _changes(engine: sa.Engine, after: int, most: int) -> list[tuple[str, int]]:
    with engine.connect() as connection:
        found = standings.changes(OpenList(connection, LEDGER, LIST_ID), after, most)
    return [(each.row_key[0], each.version) for each in found]


def _delivered(engine: sa.Engine, *keys: tuple[str, CardSide]) -> dict[Any, Delivered]:
    with engine.connect() as connection:
        return standings.delivered(OpenList(connection, LEDGER, LIST_ID), keys)


def _find(
    engine: sa.Engine, digest: str = DIGEST, side: CardSide = FRONT, *, with_portrait: bool = False
) -> Answer | None:
    with engine.connect() as connection:
        return standings.find_answer(OpenList(connection, LEDGER, LIST_ID), digest, side, with_portrait)


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize(
    "standing",
    [
        {},
        _in_force(),
        _in_force(attempt_status=Status.RETRY, attempt_updated_at=NOON + HOUR, tries=3),
        _in_force(attempt_updated_at=None, tries=2),
        {"status": Status.RETRY, "attempt_status": Status.RETRY, "attempted_at": NOON, "tries": 0},
        {"status": Status.FAILED, "attempt_status": Status.FAILED, "attempt_run": "dag/task/monday"},
    ],
    ids=["only held", "recognized", "answer and retry", "time unknown", "never left", "by hand"],
)
@pytest.mark.parametrize("run", [None, "dag/task/monday", "dag/task/tuesday", "DAG/task/monday"])
def test_selection_is_told_what_the_standing_says(
    database: sa.Engine, put: Put, standing: dict[str, Any], run: str | None
) -> None:
    put("a", **standing)
    expected = Standing(**standing).previous(run)
    assert _previous(database, [("a", FRONT)], run).get(("a", FRONT)) == expected


def test_many_images_are_asked_for_in_parts_each_exactly(database: sa.Engine, put: Put) -> None:
    for key in ("a", "A", "a ", "1999", "𠮷"):
        put(key, attempt_status=Status.REJECTED, attempted_at=NOON)
    asked = [(str(at), FRONT) for at in range(2_500)] + [("A", FRONT), ("𠮷", FRONT), ("B", FRONT)]
    found = _previous(database, asked)
    assert set(found) == {("1999", FRONT), ("A", FRONT), ("𠮷", FRONT)}
    assert _previous(database, []) == {}


def test_images_of_another_list_are_nobodys(database: sa.Engine, put: Put, answer: Put) -> None:
    put("a", list_id=2, **_in_force())
    answer("call-1", FIELDS)
    assert _previous(database, [("a", FRONT)]) == {}
    assert _changes(database, 0, 10) == []
    assert _delivered(database, ("a", FRONT)) == {}
    assert _find(database) is None


def test_status_that_was_changed_by_hand_is_complained_about_without_its_key(
    database: sa.Engine, put: Put
) -> None:
    put("https://lake.example/a.jpg?signature=x", **_in_force())
    asked = ("https://lake.example/a.jpg?signature=x", FRONT)
    with database.begin() as connection:
        done = {"status": "done", "attempt_status": "done"}
        connection.execute(sa.update(LEDGER.images).values(done))
    expected = "^the table permit_ocr_images holds a status that this package does not know"
    with pytest.raises(TargetError, match=expected) as previous:
        _previous(database, [asked])
    with pytest.raises(TargetError, match=expected) as delivered:
        _delivered(database, asked)
    assert "signature" not in f"{previous.value}{delivered.value}"


def test_an_image_comes_with_all_that_is_known_and_its_answer(
    database: sa.Engine, put: Put, answer: Put
) -> None:
    put("a", version=9, **_in_force())
    answer("call-1", FIELDS)
    found = _delivered(database, ("a", FRONT), ("b", FRONT))
    fields = KeptAnswer(FIELDS).record(subject=RECOGNIZED.subject(FRONT))
    assert found == {("a", FRONT): Delivered(("a", FRONT), RECOGNIZED, 9, fields)}


def test_only_the_asked_side_of_images_that_stand_somewhere_comes(database: sa.Engine, put: Put) -> None:
    put("a", BACK, **_in_force())
    put("held", version=None, attempt_status=None)
    asked = [("a", FRONT), ("a", BACK), ("held", FRONT), *((str(at), FRONT) for at in range(1_200))]
    assert set(_delivered(database, *asked)) == {("a", BACK)}


@pytest.mark.parametrize("erased", [None, "", "null", "erased on 2026-05-01"])
def test_an_answer_that_was_erased_is_missing(
    database: sa.Engine, put: Put, answer: Put, erased: str | None
) -> None:
    put("a", **_in_force())
    if erased is not None:
        answer("call-1", erased)
    found = _delivered(database, ("a", FRONT))["a", FRONT]
    assert (found.standing.status, found.fields) == (Status.RECOGNIZED, None)
    assert _find(database) is None


def test_an_adopted_answer_has_the_columns_and_kinds_of_any_other(
    database: sa.Engine, put: Put, answer: Put
) -> None:
    fields: Record = dict.fromkeys(ANSWER_COLUMNS)
    fields |= {"name": "李优图", "birthday": date(1958, 8, 12), "warn_photocopy": True, "number": "0832"}
    put("a", **_in_force())
    answer("call-1", {name: value for name, value in fields.items() if value is not None}, AnswerForm.ADOPTED)
    assert _delivered(database, ("a", FRONT))["a", FRONT].fields == fields


def test_changes_come_by_version_as_many_as_asked_for(database: sa.Engine, put: Put) -> None:
    for version, key in ((5, "e"), (1, "a"), (3, "c"), (2, "b")):
        put(key, version=version, **_in_force())
    put("held", version=None)
    assert _changes(database, 0, 10) == [("a", 1), ("b", 2), ("c", 3), ("e", 5)]
    assert _changes(database, 1, 2) == [("b", 2), ("c", 3)]
    assert _changes(database, 5, 2) == []


@EACH_LEDGER
@pytest.mark.parametrize("most", range(1, 9))
def test_no_version_is_ever_cut_in_two(database: sa.Engine, put: Put, most: int) -> None:
    versions = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 3, "f": 3}
    for key, version in versions.items():
        put(key, version=version, **_in_force())
    seen: list[str] = []
    after = 0
    while found := _changes(database, after, most):
        assert len(found) <= max(most, 3)
        after = found[-1][1]
        seen += [key for key, _ in found]
        assert sorted(seen) == [key for key, version in versions.items() if version <= after]
    assert sorted(seen) == sorted(versions)


def test_the_answer_of_a_picture_is_found(database: sa.Engine, put: Put, answer: Put) -> None:
    put("a", **_in_force())
    answer("call-1", FIELDS)
    without = {name: value for name, value in KeptAnswer(FIELDS).record().items() if name != "profile"}
    assert _find(database) == Answer("a", without, "request-1", "call-1")
    assert _find(database, OTHER_DIGEST) is None
    assert _find(database, side=BACK) is None


def test_of_several_answers_the_last_one_counts(database: sa.Engine, put: Put, answer: Put) -> None:
    for order, key in ((1, "b"), (3, "c"), (2, "a")):
        put(key, **_in_force(answer_id=f"call-{order}", answer_order=order))
        answer(f"call-{order}", FIELDS | {"Number": key})
    found = _find(database)
    assert found is not None
    assert (found.image_key, found.fields["number"], found.answer_id) == ("c", "c", "call-3")


def test_an_answer_that_was_taken_over_names_the_image_that_was_paid_for(
    database: sa.Engine, put: Put, answer: Put
) -> None:
    put("second", **_in_force(reused_from="first"))
    answer("call-1", FIELDS)
    found = _find(database)
    assert found is not None
    assert found.image_key == "first"


@pytest.mark.parametrize("status", [Status.FAILED, Status.REJECTED, Status.RETRY])
def test_only_an_answer_that_is_in_force_is_taken(
    database: sa.Engine, put: Put, answer: Put, status: Status
) -> None:
    put("a", **_in_force(status=status, answer_id=None))
    answer("call-1", FIELDS)
    assert _find(database) is None


@pytest.mark.parametrize("form", [AnswerForm.AS_ANSWERED, AnswerForm.ADOPTED])
def test_who_asks_for_the_portrait_takes_the_last_answer_with_one(
    database: sa.Engine, put: Put, answer: Put, form: int
) -> None:
    portrait = {"Profile": "cG9ydHJhaXQ="} if form == AnswerForm.AS_ANSWERED else {"profile": "cG9ydHJhaXQ="}
    empty = {"Profile": ""} if form == AnswerForm.AS_ANSWERED else {"profile": None}
    quoting = json.dumps({"Profile": "x", "profile": "x"})
    for order, fields in enumerate((portrait, empty, {}, {"Name": quoting, "name": quoting})):
        put(str(order), **_in_force(answer_id=f"call-{order}", answer_order=order))
        answer(f"call-{order}", fields, form)
    found = _find(database, with_portrait=True)
    assert found is not None
    assert (found.image_key, found.fields["profile"]) == ("0", "cG9ydHJhaXQ=")
    without = _find(database)
    assert without is not None
    assert "profile" not in without.fields
    assert without.image_key == "3"


def test_a_back_has_no_portrait_to_ask_for(database: sa.Engine, put: Put, answer: Put) -> None:
    put("a", BACK, **_in_force())
    answer("call-1", FIELDS)
    assert _find(database, side=BACK, with_portrait=True) is not None


def test_pictures_and_versions_are_found_by_an_index(database: sa.Engine, put: Put) -> None:
    put("a", **_in_force())
    indexed = {tuple(each["column_names"]) for each in sa.inspect(database).get_indexes("permit_ocr_images")}
    assert {("list_id", "image_digest"), ("list_id", "version")} <= indexed
