"""Lists that were renamed and tables that another ledger has filled are taken over, without a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered, DeliveryState
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable, WriteMode
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, Column
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.deliveries import deliveries
from airflow_provider_permitocr.sql.ledger.deliveries.deliveries import Deliverer
from airflow_provider_permitocr.sql.ledger.exchange.statements import lock, write_images
from airflow_provider_permitocr.sql.ledger.lists import adopted_rows, adoption
from airflow_provider_permitocr.sql.ledger.lists.adopted_rows import AdoptedRows
from airflow_provider_permitocr.sql.ledger.lists.adoption import Adoption, adopt
from airflow_provider_permitocr.sql.ledger.lists.lists import register_list
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing import standings
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from tests.sql.ledger.ground import EACH_LEDGER, TARGET, identity, prepared, rows_of

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
#: As results were before they had versions.
EARLIER = tuple(each for each in COLUMNS if not each.name.startswith("attempt") and each.name != "version")


class House:
    """A ledger, and beside it the table ``permits`` that another has filled."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.tables = engine, prepared(engine)

    def fill(
        self,
        *rows: dict[str, Any],
        columns: Sequence[Column] = COLUMNS,
        mode: WriteMode = WriteMode.UPSERT,
        engine: sa.Engine | None = None,
    ) -> None:
        table = result_table("permits", columns, mode=mode)
        defaults = {"card_side": "FRONT", "status": "recognized", "tries": 1, "processed_at": NOON}
        empty = dict.fromkeys(column.name for column in columns)
        with (engine or self.engine).begin() as connection:
            table.create(connection)
            connection.execute(sa.insert(table), [empty | defaults | row for row in rows])

    def adopt(
        self,
        *,
        mode: WriteMode = WriteMode.UPSERT,
        carried: Sequence[str] = (),
        engine: sa.Engine | None = None,
        **special: Any,
    ) -> Adoption:
        described = identity(**special)
        rows = AdoptedRows(engine or self.engine, ResultTable("permits", conn_id="lake", mode=mode), carried)
        return adopt(self.engine, self.tables, described, {described.targets[0]: rows})

    def register(self, **special: Any) -> int:
        with self.engine.begin() as connection:
            lock(connection, self.tables)
            return register_list(connection, self.tables, identity(**special))

    def write(self, version: int, **standings_by_key: Standing) -> None:
        """Write images of list 1, as an exchange would."""
        images = [
            LedgerImage((key, CardSide.FRONT), standing, version=version, first_version=version)
            for key, standing in standings_by_key.items()
        ]
        with self.engine.begin() as connection:
            state = self.tables.state
            connection.execute(sa.update(state).values(version=version))
            write_images(OpenList(connection, self.tables, 1), images)

    def deliver(self, version: int, target: str = TARGET) -> None:
        """Note a delivery to the target of list 1."""
        with self.engine.begin() as connection:
            opened, run = OpenList(connection, self.tables, 1), Deliverer(target, "a run")
            deliveries.claim(opened, run)
            deliveries.note(opened, run, DeliveryState(version))
            deliveries.release(opened, run)

    def images(self, list_id: int = 1) -> dict[str, Delivered]:
        """All images of a list with their answers, by key."""
        with self.engine.connect() as connection:
            found = standings.changes(OpenList(connection, self.tables, list_id), 0, 10_000)
        return {each.row_key[0]: each for each in found}

    def undelivered(self, target: str = TARGET) -> list[str]:
        """Keys that are yet to be delivered to the target of list 1."""
        with self.engine.begin() as connection:
            opened = OpenList(connection, self.tables, 1)
            state = deliveries.claim(opened, Deliverer(target, "the next run"))
            assert state is not None
            found = standings.changes(opened, state.version, 10_000)
        return sorted(each.row_key[0] for each in found)

    def version(self) -> int:
        (state,) = rows_of(self.engine, self.tables.state)
        return int(state.version)


@pytest.fixture
def house(database: sa.Engine) -> House:
    """An empty ledger."""
    return House(database)


@EACH_LEDGER
def test_rows_of_an_earlier_version_are_taken_over_with_their_answers(house: House) -> None:
    house.fill(
        {
            **{"image_key": "a", "name": "李优图", "birthday": date(1990, 2, 3), "warn_photocopy": False},
            **{"request_id": "r-1", "image_digest": "d" * 64, "image_bytes": 77, "run_id": "monday"},
            **{"image_updated_at": NOON, "tries": 2},
        },
        {"image_key": "a", "card_side": "BACK", "back_name": "Lee"},
        {"image_key": "b", "status": "failed", "error_code": "ImageBlur", "error_message": "blurred"},
        {"image_key": "c", "status": "retry", "error_code": "ClientNetworkError", "tries": 2},
        columns=EARLIER,
    )
    assert house.adopt() == Adoption(TARGET, taken=4, recognized=2)

    with house.engine.connect() as connection:
        found = standings.changes(OpenList(connection, house.tables, 1), 0, 100)
    images = {each.row_key: each for each in found}
    front = images["a", CardSide.FRONT]
    assert front.fields is not None
    assert (front.fields["name"], front.fields["birthday"], front.fields["warn_photocopy"]) == (
        *("李优图", date(1990, 2, 3)),
        False,
    )
    standing = front.standing
    assert (standing.status, standing.request_id, standing.facts.digest, standing.facts.size) == (
        *(Status.RECOGNIZED, "r-1"),
        *("d" * 64, 77),
    )
    assert (standing.updated_at, standing.processed_at, standing.run) == (NOON, NOON, "monday")
    assert (standing.attempt_status, standing.attempted_at, standing.tries) == (Status.RECOGNIZED, NOON, 2)
    back = images["a", CardSide.BACK]
    assert back.fields is not None
    assert back.fields["back_name"] == "Lee"
    failed, given_up = images["b", CardSide.FRONT], images["c", CardSide.FRONT]
    assert (failed.standing.status, failed.standing.error_message) == (Status.FAILED, "blurred")
    assert (failed.fields, failed.standing.answer_id) == (None, None)
    assert (given_up.standing.attempt_status, given_up.standing.tries) == (Status.RETRY, 2)


@pytest.mark.slow
@EACH_LEDGER
def test_what_was_taken_over_is_selected_as_if_this_ledger_had_always_kept_it(house: House) -> None:
    house.fill(
        {"image_key": "done"},
        {"image_key": "again", "status": "retry", "tries": 2},
        {"image_key": "tried", "attempt_status": "retry", "attempt_code": "ImageNotFound"},
    )
    house.adopt()
    keys = [(key, CardSide.FRONT) for key in ("done", "again", "tried", "new")]
    with house.engine.connect() as connection:
        previous = standings.previous(OpenList(connection, house.tables, 1), "a run", keys)
    assert {key: (each.status, each.tries) for (key, _), each in previous.items()} == {
        "done": (Status.RECOGNIZED, 1),
        "again": (Status.RETRY, 2),
        "tried": (Status.RETRY, 1),
    }


@EACH_LEDGER
def test_nothing_of_it_is_delivered_again_and_its_versions_are_passed(house: House) -> None:
    house.fill({"image_key": "a", "version": 41}, {"image_key": "b", "version": 1000})
    house.adopt()
    assert house.undelivered() == []
    assert min(each.version for each in house.images().values()) > 1000
    assert house.version() > 1000


@EACH_LEDGER
def test_pages_are_taken_one_by_one_with_a_version_each(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (adopted_rows, adoption):
        monkeypatch.setattr(module, "PAGE_ROWS", 3)
    house.fill(
        *({"image_key": f"k{number}"} for number in range(8)), {"image_key": "k3", "card_side": "BACK"}
    )
    assert house.adopt() == Adoption(TARGET, taken=9, recognized=9)
    with house.engine.connect() as connection:
        found = standings.changes(OpenList(connection, house.tables, 1), 0, 100)
    assert len({each.version for each in found}) == 3
    assert house.undelivered() == []


@EACH_LEDGER
def test_a_second_adoption_takes_nothing(house: House) -> None:
    house.fill({"image_key": "a"}, {"image_key": "b", "status": "failed"})
    house.adopt()
    before = house.images()
    assert house.adopt() == Adoption(TARGET, known=2)
    assert house.images() == before


@EACH_LEDGER
def test_an_answer_that_the_ledger_has_stays_and_one_that_it_lacks_is_taken(house: House) -> None:
    house.register()
    own = Standing(Status.RECOGNIZED, answer_id="0" * 32, answer_order=1, attempt_status=Status.RECOGNIZED)
    given_up = Standing(Status.RETRY, attempt_status=Status.RETRY, tries=2)
    changed = Standing(
        Status.FAILED, attempt_status=Status.FAILED, attempt_updated_at=NOON.replace(year=2027)
    )
    house.write(5, own=own, given_up=given_up, changed=changed, failed=given_up)
    house.fill(
        *({"image_key": key, "name": "theirs"} for key in ("own", "given_up", "changed", "new")),
        {"image_key": "failed", "status": "failed"},
    )
    assert house.adopt() == Adoption(TARGET, taken=2, recognized=2, known=3)
    images = house.images()
    assert images["own"].standing.answer_id == "0" * 32
    assert images["changed"].standing.status is Status.FAILED
    assert images["failed"].standing.status is Status.RETRY
    for key in ("given_up", "new"):
        fields = images[key].fields
        assert fields is not None
        assert fields["name"] == "theirs"


@EACH_LEDGER
def test_what_the_table_does_not_have_from_this_ledger_is_still_delivered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (adopted_rows, adoption):
        monkeypatch.setattr(module, "PAGE_ROWS", 2)
    house.register()
    failed = Standing(Status.FAILED, attempt_status=Status.FAILED)
    house.write(3, delivered=failed)
    house.write(7, **{f"own_{number}": failed for number in range(5)})
    house.deliver(3)
    house.fill({"image_key": "theirs", "version": 50}, {"image_key": "other"}, {"image_key": "third"})
    house.adopt()
    assert house.undelivered() == [f"own_{number}" for number in range(5)]


@EACH_LEDGER
def test_a_restored_ledger_gets_back_what_its_table_has(house: House) -> None:
    house.register()
    failed = Standing(Status.FAILED, attempt_status=Status.FAILED)
    house.write(3, old=failed)
    house.deliver(3)
    house.fill({"image_key": "old", "status": "failed", "version": 3}, {"image_key": "new", "version": 90})
    assert house.adopt() == Adoption(TARGET, taken=1, recognized=1, known=1)
    assert house.undelivered() == []
    assert house.version() > 90


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize("delivered", [5, 0], ids=["old one noted", "nothing noted"])
@pytest.mark.parametrize("with_change_times", [True, False])
def test_a_restored_ledger_takes_the_newer_answer_of_its_table(
    house: House, delivered: int, with_change_times: bool
) -> None:
    earlier, later = NOON.replace(day=1), NOON
    house.register()
    house.write(5, a=_answered(earlier, "0" * 32, earlier if with_change_times else None, order=4))
    house.deliver(delivered)
    changed = {"image_updated_at": later} if with_change_times else {}
    house.fill({"image_key": "a", "name": "newer", "version": 90, "processed_at": later, **changed})
    assert house.adopt() == Adoption(TARGET, taken=1, recognized=1)
    image = house.images()["a"]
    assert image.fields is not None
    assert image.fields["name"] == "newer"
    # A journal may yet bring answers of calls before the one that the backup had.
    assert image.standing.answer_order == 4
    with house.engine.connect() as connection:
        previous = standings.previous(OpenList(connection, house.tables, 1), "a run", [("a", CardSide.FRONT)])
    assert previous["a", CardSide.FRONT].seen_at == later
    assert house.adopt() == Adoption(TARGET, known=1)
    assert house.undelivered() == []


@EACH_LEDGER
def test_an_answer_is_not_taken_for_newer_as_only_one_of_two_change_times_is_known(house: House) -> None:
    house.register()
    changed_long_ago = NOON.replace(year=2020)
    house.write(5, a=_answered(NOON.replace(day=30, month=6), "0" * 32, changed_long_ago))
    house.fill({"image_key": "a", "processed_at": NOON})
    assert house.adopt() == Adoption(TARGET, known=1)


@EACH_LEDGER
def test_what_the_table_has_of_a_later_version_is_not_overwritten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (adopted_rows, adoption):
        monkeypatch.setattr(module, "PAGE_ROWS", 2)
    house.register()
    keys = [f"k{number}" for number in range(5)]
    house.write(5, **{key: _answered(NOON, f"{number:032}", NOON) for number, key in enumerate(keys)})
    house.write(6, own=_answered(NOON, "6" * 32, NOON), newer=_answered(NOON, "7" * 32, NOON))
    rejected = {"status": "rejected", "image_updated_at": NOON.replace(year=2027)}
    earlier = {"image_updated_at": NOON.replace(year=2025)}
    house.fill(
        *({"image_key": key, "version": 90, **rejected} for key in keys),
        {"image_key": "newer", "version": 90, **earlier},
    )
    assert house.adopt() == Adoption(TARGET, known=6)
    assert house.undelivered() == ["newer", "own"]


def _answered(at: datetime, answer_id: str, updated_at: datetime | None, order: int = 1) -> Standing:
    return Standing(
        Status.RECOGNIZED,
        answer_id=answer_id,
        answer_order=order,
        updated_at=updated_at,
        processed_at=at,
        attempt_status=Status.RECOGNIZED,
        attempted_at=at,
        attempt_updated_at=updated_at,
    )


@EACH_LEDGER
def test_a_hold_stays(house: House) -> None:
    house.register()
    image = LedgerImage(("a", CardSide.FRONT))
    image.hold("1" * 32, "session", NOON)
    with house.engine.begin() as connection:
        write_images(OpenList(connection, house.tables, 1), [image])
    house.fill({"image_key": "a"})
    assert house.adopt().taken == 1
    (row,) = rows_of(house.engine, house.tables.images)
    assert (row.held_by, row.status) == ("1" * 32, "recognized")


@EACH_LEDGER
def test_of_a_history_the_last_row_of_each_image_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopted_rows, "PAGE_ROWS", 2)
    later = [NOON.replace(hour=hour) for hour in (13, 14, 15)]
    house.fill(
        *({"image_key": "a", "processed_at": at, "name": f"a at {at:%H}"} for at in (NOON, *later)),
        {"image_key": "b", "name": "b"},
        mode=WriteMode.APPEND,
    )
    assert house.adopt(mode=WriteMode.APPEND) == Adoption(TARGET, taken=2, recognized=2)
    named = {key: image.fields and image.fields["name"] for key, image in house.images().items()}
    assert named == {"a": "a at 15", "b": "b"}


@EACH_LEDGER
def test_columns_copied_from_the_list_are_kept(house: House) -> None:
    house.fill({"image_key": "a"})
    with house.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE permits ADD COLUMN branch varchar(20)")
        connection.exec_driver_sql("ALTER TABLE permits ADD COLUMN remark varchar(20)")
        connection.exec_driver_sql("UPDATE permits SET branch = 'north', remark = 'x'")
    house.adopt(carried=["branch", "opened_on"])
    assert house.images()["a"].standing.carried == {"branch": "north"}


@EACH_LEDGER
def test_rows_that_no_run_writes_are_left_out_and_counted(house: House) -> None:
    house.fill(
        {"image_key": "a"},
        {"image_key": "b", "status": "archived"},
        {"image_key": "c", "card_side": "SIDE"},
    )
    assert house.adopt() == Adoption(TARGET, taken=1, recognized=1, left_out=2)


@EACH_LEDGER
def test_keys_are_taken_that_the_ledger_can_hold(house: House, sqlite_engine: sa.Engine) -> None:
    holds = {"postgresql": {512, 513}, "mysql": {512}, "sqlite": {512, 513, 2_601}}
    lengths = {512, 513, 2_601}
    house.fill(*({"image_key": "k" * length} for length in lengths), engine=sqlite_engine)
    adopted = house.adopt(engine=sqlite_engine)
    expected = holds[house.engine.dialect.name]
    assert {len(key) for key in house.images()} == expected
    assert (adopted.taken, adopted.left_out) == (len(expected), len(lengths - expected))


@pytest.mark.slow
def test_rows_of_a_warehouse_elsewhere_are_taken_over(
    sqlite_engine: sa.Engine, duckdb_engine: sa.Engine
) -> None:
    house = House(sqlite_engine)
    house.fill({"image_key": "a", "name": "李"}, {"image_key": "b"}, engine=duckdb_engine, columns=EARLIER)
    assert house.adopt(engine=duckdb_engine) == Adoption(TARGET, taken=2, recognized=2)


def test_a_list_without_a_result_table_is_renamed_too(sqlite_engine: sa.Engine) -> None:
    house = House(sqlite_engine)
    house.register(name="file a.csv", targets=())
    renamed = identity(name="file b.csv", targets=())
    assert adopt(sqlite_engine, house.tables, renamed, {}) == Adoption("file b.csv", known_as="file a.csv")


def test_a_table_that_is_missing_has_no_rows(sqlite_engine: sa.Engine) -> None:
    house = House(sqlite_engine)
    assert house.adopt() == Adoption(TARGET)
    assert house.undelivered() == []


def test_a_table_that_holds_no_results_is_refused(sqlite_engine: sa.Engine) -> None:
    house = House(sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE permits (image_key text PRIMARY KEY, card_side text)")
    with pytest.raises(TargetError, match="'permits' holds no results to take over: it lacks status"):
        house.adopt()


@EACH_LEDGER
def test_while_a_run_delivers_nothing_is_taken_over(house: House) -> None:
    house.register()
    with house.engine.begin() as connection:
        deliveries.claim(OpenList(connection, house.tables, 1), Deliverer(TARGET, "a run"))
    house.fill({"image_key": "a"})
    with pytest.raises(TargetError, match="a run delivers to 'lake:permits' now"):
        house.adopt()
    assert house.images() == {}


@EACH_LEDGER
def test_a_list_is_renamed_with_its_table_and_nothing_is_written_again(house: House) -> None:
    house.register(name="lake:old", targets=("lake:old",))
    house.write(4, a=Standing(Status.FAILED, attempt_status=Status.FAILED))
    house.deliver(4, "lake:old")
    house.fill({"image_key": "a", "status": "failed", "version": 4})
    assert house.adopt() == Adoption(TARGET, known_as="lake:old", known=1)
    assert [
        (row.list_id, row.target, row.version) for row in rows_of(house.engine, house.tables.deliveries)
    ] == [(1, TARGET, 4)]
    assert house.register() == 1


@EACH_LEDGER
@pytest.mark.parametrize("is_default_name", [True, False])
def test_a_list_is_found_by_its_target_whatever_its_source_is_called(
    house: House, is_default_name: bool
) -> None:
    house.register(name="old", is_default_name=False, key_type="integer")
    source: dict[str, Any] = {
        "source_conn_id": "other",
        "source_table": "images",
        "key_column": "id",
        "key_type": None,
    }
    adopted = house.adopt(name="new", is_default_name=is_default_name, **source)
    assert (adopted.known_as, adopted.read_from) == (
        "old",
        "table 'permit_images' of connection 'lake', key 'image_id'",
    )
    (row,) = rows_of(house.engine, house.tables.lists)
    assert (row.name, row.source_conn_id, row.source_table, row.key_column, row.key_type) == (
        *("new", "other"),
        *("images", "id", None),
    )


@EACH_LEDGER
def test_a_name_of_its_own_starts_a_second_list_with_the_rows_of_its_table(house: House) -> None:
    house.register(name="first", is_default_name=False, targets=("lake:first",))
    house.fill({"image_key": "a"})
    assert house.adopt(name="second", is_default_name=False) == Adoption("second", taken=1, recognized=1)
    assert [row.name for row in rows_of(house.engine, house.tables.lists)] == ["first", "second"]
    assert (list(house.images(1)), list(house.images(2))) == ([], ["a"])


@EACH_LEDGER
def test_two_lists_are_not_made_one(house: House) -> None:
    house.register(name="first", is_default_name=False)
    house.register(name="second", is_default_name=False, targets=("lake:second",))
    with pytest.raises(TargetError, match="knows both the list 'second' and the list 'first'"):
        house.adopt(name="second", is_default_name=False)
    with pytest.raises(
        TargetError, match=r"knows more than one list .*: 'first', 'second'; name the right one"
    ):
        house.adopt(name="lake:third", targets=("lake:third",))
    assert [row.name for row in rows_of(house.engine, house.tables.lists)] == ["first", "second"]


def test_an_unknown_list_is_written_down(sqlite_engine: sa.Engine) -> None:
    house = House(sqlite_engine)
    house.adopt()
    assert house.register() == 1
