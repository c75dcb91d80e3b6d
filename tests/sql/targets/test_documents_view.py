from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import permit_kind
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import RelationKind
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.document_flags import document_flags
from tests.support.found_columns import columns

NewEngine = Callable[..., sa.Engine]
_BRANCH = Column("branch", ColumnKind.TEXT, "Carried along")
_DESK = Column("desk", ColumnKind.INTEGER, "Carried along")


def _at(hour: int) -> datetime:
    return datetime(2026, 1, 31, hour, 30, 15, 123456, tzinfo=UTC)


def _target(engine: sa.Engine, *carried: Column, **options: Any) -> SqlResultTarget:
    described = ResultTable(
        **({"table": "permits", "conn_id": "warehouse", "documents_view": "documents"} | options)
    )
    target = SqlResultTarget(engine, described)
    target.prepare(result_columns(carried))
    return target


def _row(image_key: str, card_side: str, **values: Any) -> dict[str, Any]:
    return {
        "image_key": image_key,
        "card_side": card_side,
        "status": "recognized",
        "processed_at": _at(1),
    } | values


def _write(target: SqlResultTarget, *rows: dict[str, Any], carried: tuple[Column, ...] = ()) -> None:
    assert target.write(to_frame(rows, result_columns(carried))) == {}


def _documents(engine: sa.Engine, view: str = "documents") -> dict[str, dict[str, Any]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {view} ORDER BY image_key")).mappings()
        return {row["image_key"]: dict(row) for row in rows}


def _shown(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(columns(connection, "documents") or ())


def test_fields_of_both_sides_stand_in_one_row(database: sa.Engine) -> None:
    target = _target(database)
    _write(
        target,
        _row("a", "FRONT", name="李优图", number="08320271", profile="x", processed_at=_at(2)),
        _row("a", "BACK", back_name="LI YOUTU", error_code="E1", status="failed"),
        _row("b", "BACK", back_id_number="M001", processed_at=_at(3)),
        _row("c", "FRONT", status="rejected", error_code="ImageEmpty"),
    )
    documents = _documents(database)
    assert list(documents) == ["a", "b", "c"]
    both, back, front = documents.values()
    assert (both["front_status"], both["back_status"]) == ("recognized", "failed")
    assert (both["front_error_code"], both["back_error_code"]) == (None, "E1")
    assert (both["name"], both["number"], both["back_name"]) == ("李优图", "08320271", "LI YOUTU")
    assert (back["front_status"], back["back_status"], back["back_id_number"]) == (None, "recognized", "M001")
    assert (front["front_status"], front["front_error_code"]) == ("rejected", "ImageEmpty")
    assert "profile" not in both
    hours = [int(str(each["processed_at"])[11:13]) for each in documents.values()]
    assert hours == [2, 3, 1]


@pytest.mark.slow
def test_warning_of_either_side_is_shown(database: sa.Engine) -> None:
    target = _target(database)
    _write(
        target,
        _row("a", "FRONT", warn_photocopy=False, warn_recapture=False, warn_card_infos="[]"),
        _row("a", "BACK", warn_photocopy=True, warn_recapture=None, warn_card_infos="[-9102]"),
    )
    (document,) = _documents(database).values()
    assert document["warn_photocopy"] == 1
    assert document["warn_recapture"] == 0
    assert document["warn_photoshopped"] is None
    assert (document["front_warn_card_infos"], document["back_warn_card_infos"]) == ("[]", "[-9102]")


def test_what_is_carried_along_comes_from_the_front_or_else_the_back(database: sa.Engine) -> None:
    target = _target(database, _BRANCH)
    _write(
        target,
        _row("a", "FRONT", branch="north"),
        _row("a", "BACK", branch="south"),
        _row("b", "BACK", branch="west"),
        carried=(_BRANCH,),
    )
    assert [each["branch"] for each in _documents(database).values()] == ["north", "west"]


def test_last_recognition_of_each_side_counts_where_all_are_kept(database: sa.Engine) -> None:
    target = _target(database, mode="append")
    _write(
        target,
        _row("a", "FRONT", number="new", processed_at=_at(5)),
        _row("a", "FRONT", number="old", processed_at=_at(4)),
        _row("a", "BACK", back_name="first", processed_at=_at(2)),
        _row("a", "BACK", back_name="second", processed_at=_at(3)),
    )
    (document,) = _documents(database).values()
    assert (document["number"], document["back_name"]) == ("new", "second")


def test_largest_version_of_each_side_counts_before_its_time(database: sa.Engine) -> None:
    target = _target(database, mode="append")
    _write(
        target,
        _row("a", "FRONT", number="without a version", processed_at=_at(9)),
        _row("a", "FRONT", number="new", processed_at=_at(4), version=8),
        _row("a", "FRONT", number="old", processed_at=_at(5), version=7),
    )
    assert _documents(database)["a"]["number"] == "new"


@pytest.mark.slow
def test_view_gets_the_columns_that_the_table_got(database: sa.Engine) -> None:
    _target(database)
    before = _shown(database)
    _target(database, _BRANCH)
    _target(database, _DESK)
    assert _shown(database) == [*before, "branch", "desk"]
    target = _target(database)
    _write(target, _row("a", "FRONT"))
    assert _documents(database)["a"]["branch"] is None


@pytest.mark.slow
def test_view_follows_when_it_is_asked_for_another_table(database: sa.Engine) -> None:
    _write(_target(database), _row("a", "FRONT"))
    _write(_target(database, table="others"), _row("b", "FRONT"))
    assert list(_documents(database)) == ["b"]


def test_view_that_is_up_to_date_is_left_alone(postgres_engine: sa.Engine) -> None:
    _target(postgres_engine)

    def version() -> Any:
        with postgres_engine.connect() as connection:
            statement = "SELECT ctid, xmin FROM pg_rewrite WHERE ev_class = 'documents'::regclass"
            return connection.execute(sa.text(statement)).one()

    made = version()
    _target(postgres_engine)
    assert version() == made


def test_table_or_view_of_somebody_else_is_never_replaced(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE taken (image_key varchar(20))")
        connection.exec_driver_sql("CREATE VIEW seen AS SELECT image_key FROM taken")
    for name, reason in (("taken", "is a table"), ("seen", "is a view of another program")):
        with pytest.raises(TargetError, match=f"'{name}' {reason}.*give documents_view another name"):
            _target(database, documents_view=name)
    with database.connect() as connection:
        assert database_of(connection).relation_kind(connection, "permits") is None
        assert database_of(connection).relation_kind(connection, "taken") is RelationKind.TABLE
        assert "taken" in (database_of(connection).view_definition(connection, "seen") or "")


def test_carried_column_that_the_view_has_already_is_refused(sqlite_engine: sa.Engine) -> None:
    with pytest.raises(TargetError, match="would have two columns front_status"):
        _target(sqlite_engine, Column("front_status", ColumnKind.TEXT, "Carried along"))


@pytest.mark.slow
def test_tasks_that_prepare_the_view_at_the_same_moment_all_succeed(database: sa.Engine) -> None:
    together = threading.Barrier(4)

    def prepare(number: int) -> None:
        together.wait()
        _target(database, *([_BRANCH] if number % 2 else []))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, range(4)))
    _target(database)
    assert "branch" in _shown(database)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["select", "a b", 'a"b', "a'b", "a;b--", "a%b", ":a", "表", "a`b"])
def test_view_of_an_awkward_name_is_made_and_read(database: sa.Engine, name: str) -> None:
    carried = Column(f"{name} of", ColumnKind.TEXT, f"Carried along; 100% {name}")
    for _ in range(2):
        _target(database, carried, table=f"{name} table", documents_view=name)
    with database.begin() as connection:
        table = result_table(f"{name} table", result_columns([carried]))
        connection.execute(sa.insert(table), [_row("a", "FRONT", **{carried.name: "x"})])
        view = sa.table(name, sa.column("image_key"), sa.column(carried.name))
        assert connection.execute(sa.select(view)).all() == [("a", "x")]


def test_missing_right_to_create_views_is_said_to_be_so(
    postgres_engine: sa.Engine, new_engine: NewEngine
) -> None:
    _target(postgres_engine, documents_view=None)
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS viewless")
        connection.exec_driver_sql("CREATE ROLE viewless")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO viewless")
        connection.exec_driver_sql("GRANT SELECT, INSERT, UPDATE ON permits TO viewless")
    restricted = new_engine(postgres_engine.url)

    @sa.event.listens_for(restricted, "connect")
    def give_up_rights(connection: Any, record: object) -> None:
        connection.execute("SET ROLE viewless")
        connection.commit()

    with pytest.raises(TargetError, match=r"'documents' could not be created: .*right to create views"):
        _target(restricted)
    restricted.dispose()
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY viewless")
        connection.exec_driver_sql("DROP ROLE viewless")


def test_view_cannot_have_the_tables_name() -> None:
    with pytest.raises(ValueError, match="documents_view must not have the table's name"):
        ResultTable("permits", conn_id="warehouse", documents_view="permits")


_HONG_KONG, _TAIWAN, _EXIT_ENTRY = "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "往来港澳通行证"
_TOKEN = "gAAAAABh" + 100 * "x"
#: Front's type, number and name, back's type and name, and whether types and names differ.
_PAIRS: list[tuple[str | None, str | None, str | None, str | None, str | None, bool | None, bool | None]] = [
    (_HONG_KONG, "H12345678", "陈大文", _HONG_KONG, "陈大文", False, False),
    (_HONG_KONG, "H12345678", "陈大文", _HONG_KONG, "陈大", False, True),
    (_HONG_KONG, "H12345678", "陳大文", _HONG_KONG, "陈大文", False, True),
    (_HONG_KONG, "H12345678", "A", _HONG_KONG, "a", False, True),
    (_HONG_KONG, "H12345678", "陈𠮷", _HONG_KONG, "陈𠮶", False, True),
    (_HONG_KONG, "H12345678", "  陈大文 ", _HONG_KONG, "陈大文", False, False),
    (_HONG_KONG, "H12345678", " ", _HONG_KONG, "陈大文", False, None),
    (_HONG_KONG, "HA1234567", None, f"{_HONG_KONG}(非中国籍)", "陈大文", False, None),
    (_HONG_KONG, "HA1234567", None, _HONG_KONG, None, False, None),
    (_TAIWAN, "08320271", "李优图", _HONG_KONG, "陈大文", True, True),
    (_EXIT_ENTRY, "C12345678", "李优图", None, None, None, None),
    ("居住证", "830000199706020042", "李优图", _HONG_KONG, "李优图", None, False),
    (_HONG_KONG, "H12345678", _TOKEN, _HONG_KONG, _TOKEN, False, None),
    (_HONG_KONG, "H12345678", _TOKEN, _HONG_KONG, "陈大文", False, None),
    (_HONG_KONG, "H12345678", _TOKEN.lower(), _HONG_KONG, _TOKEN.upper(), False, True),
]


def test_view_says_of_both_sides_what_the_examination_says(database: sa.Engine) -> None:
    target = _target(database)
    fronts, backs = {}, {}
    for place, (front_type, number, name, back_type, back_name, _, _) in enumerate(_PAIRS):
        fronts[f"{place:02d}"] = {"type": front_type, "number": number, "name": name}
        backs[f"{place:02d}"] = {"type": back_type, "back_type": back_type, "back_name": back_name}
    rows = [
        _row(key, side, **record, permit_kind=permit_kind(record))
        for side, records in (("FRONT", fronts), ("BACK", backs))
        for key, record in records.items()
    ]
    _write(target, *rows)
    found = _documents(database)
    for key, (*_, types_differ, names_differ) in zip(found, _PAIRS, strict=True):
        flags = document_flags(fronts[key], backs[key])
        assert (Flag.TYPE_MISMATCH in flags, Flag.NAME_MISMATCH in flags) == (
            bool(types_differ),
            bool(names_differ),
        )
        assert (found[key]["type_mismatch"], found[key]["name_mismatch"]) == (types_differ, names_differ), key


def test_kind_of_a_document_is_the_fronts_or_else_the_backs(database: sa.Engine) -> None:
    target = _target(database)
    _write(
        target,
        _row("a", "FRONT", permit_kind="hong_kong_macao_non_chinese"),
        _row("a", "BACK", permit_kind="hong_kong_macao"),
        _row("b", "BACK", permit_kind="hong_kong_macao"),
    )
    kinds = [each["permit_kind"] for each in _documents(database).values()]
    assert kinds == ["hong_kong_macao_non_chinese", "hong_kong_macao"]


def test_doubt_of_either_side_is_shown(database: sa.Engine) -> None:
    target = _target(database)
    _write(
        target,
        _row("a", "FRONT", is_doubtful=False, is_expired=True, quality_flags='["expired"]'),
        _row("a", "BACK", is_doubtful=True, is_expired=False, quality_flags='["back_id_checksum"]'),
    )
    (document,) = _documents(database).values()
    assert (document["is_doubtful"], document["is_expired"], document["declared_differs"]) == (1, 1, None)
    assert document["front_quality_flags"] == '["expired"]'
    assert document["back_quality_flags"] == '["back_id_checksum"]'
