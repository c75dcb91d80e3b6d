"""Views beside a result table, on every database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.analytics.definitions import NEEDED, OF_RESULTS
from airflow_provider_permitocr.sql.dialects.known import database_of
from tests.sql.analytics.conftest import NOON, ZONE, Analyzed

New = Callable[..., Analyzed]


def _today() -> date:
    return datetime.now(ZONE).date()


@pytest.mark.slow
def test_permits_are_counted_by_kind_and_by_the_day_of_the_zone(analyzed: New) -> None:
    permits = analyzed()
    late = NOON.replace(hour=16)  # the next day in Shanghai
    permits.write(
        {"image_key": "a", "permit_kind": "taiwan", "is_doubtful": True},
        {"image_key": "b", "permit_kind": "taiwan", "is_doubtful": False},
        {"image_key": "b", "permit_kind": "taiwan", "card_side": "BACK"},
        {"image_key": "c", "permit_kind": "taiwan", "processed_at": late},
        {"image_key": "d"},
        {"image_key": "e", "permit_kind": "taiwan", "status": "failed"},
    )
    permits.prepare()
    counts = [tuple(row.values()) for row in permits.read("by_day")]
    assert counts == [
        (date(2026, 1, 31), "taiwan", 2, 1, 1),
        (date(2026, 1, 31), None, 1, 0, 0),
        (date(2026, 2, 1), "taiwan", 1, 0, 0),
    ]


@pytest.mark.slow
def test_permits_expire_in_the_smallest_span_that_holds(analyzed: New) -> None:
    permits = analyzed()
    in_days = {"gone": -1, "today": 0, "a": 30, "b": 31, "c": 60, "d": 61, "e": 90, "far": 91}
    permits.write(
        *(
            {"image_key": key, "valid_until": _today() + timedelta(days=days)}
            for key, days in in_days.items()
        ),
        {"image_key": "for good", "valid_until": None},
        {"image_key": "wrong", "valid_until": _today(), "review_status": "rejected"},
        {"image_key": "right", "valid_until": _today(), "review_status": "confirmed"},
    )
    permits.prepare()
    found = {row["image_key"]: (row["days_left"], row["within_days"]) for row in permits.read("expiring")}
    assert found == {
        **{"today": (0, 30), "right": (0, 30), "a": (30, 30), "b": (31, 60), "c": (60, 60), "d": (61, 90)},
        "e": (90, 90),
    }


def _corrected(**columns: str) -> dict[str, Any]:
    return {"review_status": "corrected", "corrections": json.dumps(columns)}


@pytest.mark.slow
def test_a_corrected_period_counts_as_it_was_corrected(analyzed: New) -> None:
    permits = analyzed()
    soon, far = _today() + timedelta(days=10), _today() + timedelta(days=1_000)
    period = {"valid_date": "as printed", "valid_from": "2020-01-01"}
    permits.write(
        {"image_key": "to soon", "valid_until": far} | _corrected(**period, valid_until=soon.isoformat()),
        {"image_key": "to far", "valid_until": soon} | _corrected(**period, valid_until=far.isoformat()),
        {"image_key": "from none", **_corrected(**period, valid_until=soon.isoformat())},
        {"image_key": "to no end", "valid_until": soon} | _corrected(**period),
        {"image_key": "in another field", "valid_until": soon} | _corrected(name="valid_until"),
    )
    permits.prepare()
    found = {row["image_key"]: (row["valid_until"], row["days_left"]) for row in permits.read("expiring")}
    assert found == dict.fromkeys(("to soon", "from none", "in another field"), (soon, 10))


@pytest.mark.slow
def test_people_are_seen_by_what_was_corrected_and_not_by_rejected_readings(analyzed: New) -> None:
    permits = analyzed()
    permits.write(
        {"image_key": "a", "number": "H1", "name": "A"},
        {"image_key": "b", "number": "H7", "name": "B"} | _corrected(number="H1", name='"A"'),
        {"image_key": "c", "number": "H1", "name": "陈", "review_status": "rejected"},
        {"image_key": "d", "number": "H7", "name": "D"},
        {"image_key": "e", "number": "H2", "name": "陈", "valid_from": date(2015, 1, 1), "issue_number": "2"},
        {"image_key": "f", "number": "H2", "name": "E", "issue_number": "3"}
        | _corrected(name="陈", valid_date="as printed", valid_from="2014-01-01", issue_number="1"),
    )
    permits.prepare()
    found = {
        row["image_key"]: (
            *(row["number"], row["images"], row["names_differ"]),
            *(row["valid_from"], row["issue_number"], row["issues_differ"]),
        )
        for row in permits.read("repeated")
    }
    assert found == {
        **dict.fromkeys(("a", "b"), ("H1", 2, True, None, None, False)),
        "e": ("H2", 2, False, date(2015, 1, 1), "2", False),
        "f": ("H2", 2, False, date(2014, 1, 1), "1", False),
    }


@pytest.mark.slow
def test_people_are_seen_by_number_with_what_speaks_against_one_document(analyzed: New) -> None:
    permits = analyzed()

    def front(
        key: str, number: str | None, name: str | None, year: int | None, issue: str | None
    ) -> dict[str, Any]:
        since = year and date(year, 5, 1)
        return {"image_key": key, "number": number, "name": name, "valid_from": since, "issue_number": issue}

    permits.write(
        front("one", "H0", "A", 2020, "01"),
        *(front("a1", "H1", "A", 2015, "01"), front("a2", "H1", "A", 2020, "2")),
        *(front("b1", "H2", "A", 2015, "02"), front("b2", "H2", "B", 2020, "02")),
        *(front("c1", "H3", "A", 2015, "03"), front("c2", "H3", "A", 2015, "03")),
        *(front("d1", "H4", None, None, None), front("d2", "H4", "A", 2015, "x")),
        *(front("e1", "H*****12", "A*", 2015, "1"), front("e2", "H*****12", "B*", 2016, "1")),
        *(front("f1", "H5", "A*", 2015, "1"), front("f2", "H5", "B*", 2016, "2")),
        *(front("g1", "gAAAAAB-token", "A", 2015, "1"), front("g2", "gAAAAAB-token", "B", 2016, "1")),
        *(front("h1", "", "A", 2015, "1"), front("h2", "", "B", 2016, "1")),
        *(front("i1", None, "A", 2015, "1"), front("i2", None, "B", 2016, "1")),
        front("j1", "H0", "A", 2020, "01") | {"status": "gone"},
    )
    permits.prepare()
    found = {
        row["image_key"]: (row["number"], row["images"], row["names_differ"], row["issues_differ"])
        for row in permits.read("repeated")
    }
    assert found == {
        **dict.fromkeys(("a1", "a2"), ("H1", 2, False, False)),
        **{"b1": ("H2", 2, True, False), "b2": ("H2", 2, True, True)},
        **dict.fromkeys(("c1", "c2"), ("H3", 2, False, False)),
        **dict.fromkeys(("d1", "d2"), ("H4", 2, False, False)),
        **dict.fromkeys(("f1", "f2"), ("H5", 2, False, False)),
    }


@pytest.mark.slow
def test_failures_are_counted_by_cause_and_say_what_to_do(analyzed: New) -> None:
    permits = analyzed()
    blurred = {"status": "failed", "error_code": "FailedOperation.ImageBlur"}
    permits.write(
        {"image_key": "a", **blurred},
        {"image_key": "b", **blurred, "processed_at": NOON + timedelta(hours=1)},
        {"image_key": "c", "status": "retry", "error_code": "AuthFailure.NotKnownYet"},
        {"image_key": "d", "status": "rejected", "error_code": "ImageEmpty"},
        {"image_key": "e", "status": "failed", "error_code": "Nobody.KnowsThis"},
        {"image_key": "f", "status": "failed"},
        {"image_key": "g", "error_code": "FailedOperation.ImageBlur"},
    )
    permits.prepare()
    by_code = {row["error_code"]: row for row in permits.read("failures")}
    assert {code or "none": row["images"] for code, row in by_code.items()} == {
        **{"FailedOperation.ImageBlur": 2, "AuthFailure.NotKnownYet": 1, "ImageEmpty": 1},
        **{"Nobody.KnowsThis": 1, "none": 1},
    }
    blurred_row = by_code["FailedOperation.ImageBlur"]
    assert (blurred_row["cause"], blurred_row["advice"]) == ("the image is blurred", None)
    assert blurred_row["last_at"].astimezone(UTC) == NOON + timedelta(hours=1)
    assert by_code["AuthFailure.NotKnownYet"]["advice"].startswith("Compare SecretId")
    assert by_code["ImageEmpty"]["cause"] == "the image's file is empty"
    assert by_code["Nobody.KnowsThis"]["cause"] is None


@pytest.mark.slow
def test_flags_are_counted_with_what_people_decided(analyzed: New) -> None:
    permits = analyzed()
    permits.write(
        {"image_key": "a", "quality_flags": '["expired", "name_mismatch"]', "review_status": "corrected"},
        {"image_key": "b", "quality_flags": '["expired"]', "review_status": "confirmed"},
        {"image_key": "c", "quality_flags": '["expired"]'},
        {"image_key": "d", "quality_flags": '["expired"]', "review_status": "rejected"},
        {"image_key": "e", "quality_flags": "[]"},
        {"image_key": "f", "quality_flags": None},
        {"image_key": "g", "quality_flags": '["of_a_later_version"]'},
    )
    permits.prepare()
    assert [tuple(row.values()) for row in permits.read("flagged")] == [
        ("expired", 4, 1, 1, 1, 1),
        ("name_mismatch", 1, 0, 1, 0, 0),
    ]


def test_fields_are_right_as_often_as_people_left_them(analyzed: New) -> None:
    permits = analyzed()
    read = {"permit_kind": "taiwan", "name": "a", "number": "1"}
    name = '{"name": "\\"number\\": b"}'
    permits.write(
        {"image_key": "a", **read, "review_status": "confirmed"},
        {"image_key": "b", **read, "review_status": "corrected", "corrections": name},
        {"image_key": "c", **read, "review_status": "rejected"},
        {"image_key": "d", **read},
        {
            **{"image_key": "e", "permit_kind": "taiwan", "name": "a", "review_status": "corrected"},
            "corrections": '{"number": "2", "birthday_raw": "1986.03.02", "birthday": "1986-03-02"}',
        },
    )
    permits.prepare()
    assert [tuple(row.values()) for row in permits.read("accuracy")] == [
        ("taiwan", "birthday", 1, 1),
        ("taiwan", "name", 3, 1),
        ("taiwan", "number", 3, 1),
    ]


@pytest.mark.slow
def test_keys_that_differ_in_case_alone_are_different_images(analyzed: New) -> None:
    permits = analyzed()
    permits.write(
        *({"image_key": key, "valid_until": _today(), "number": "N1"} for key in ("h1", "H1")),
        {"image_key": "H1", "card_side": "BACK", "back_name": "B"},
    )
    permits.prepare()
    assert {row["image_key"] for row in permits.read("expiring")} == {"h1", "H1"}
    assert {row["image_key"]: row["images"] for row in permits.read("repeated")} == {"h1": 2, "H1": 2}
    with permits.engine.connect() as connection:
        documents = connection.exec_driver_sql("SELECT image_key, back_name FROM permits_documents")
        assert {tuple(row) for row in documents} == {("h1", None), ("H1", "B")}


@pytest.mark.slow
def test_a_history_counts_the_last_row_of_each_image_and_side(analyzed: New) -> None:
    permits = analyzed(mode="append")
    soon = _today() + timedelta(days=5)
    early = {"processed_at": NOON, "version": 1, "number": "H1", "valid_until": soon}
    late = {"processed_at": NOON + timedelta(days=1), "version": 2}
    permits.write(
        {"image_key": "a", **early, "quality_flags": '["expired"]', "permit_kind": "taiwan"},
        {"image_key": "a", **late, "number": "H2", "quality_flags": "[]"},
        {"image_key": "b", **early},
        {"image_key": "b", **late, "status": "failed", "error_code": "FailedOperation.ImageBlur"},
        {"image_key": "c", **early, "version": 9},
        {"image_key": "c", "card_side": "BACK", "processed_at": NOON, "version": None},
    )
    permits.prepare()
    assert [tuple(row.values()) for row in permits.read("by_day")] == [
        *((date(2026, 1, 31), None, 1, 1, 0), (date(2026, 2, 1), None, 1, 0, 0)),
    ]
    assert [row["image_key"] for row in permits.read("expiring")] == ["c"]
    assert permits.read("repeated") == permits.read("flagged") == []
    assert [row["images"] for row in permits.read("failures")] == [1]


@pytest.mark.slow
def test_views_of_an_empty_table_and_of_rows_without_values_can_be_read(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    permits.prepare()
    assert [permits.read(each.suffix) for each in OF_RESULTS] == [[]] * len(OF_RESULTS)
    permits.write({"image_key": "a", "processed_at": None}, {"image_key": "b", "status": "failed"})
    assert [tuple(row.values()) for row in permits.read("by_day")] == [(None, None, 1, 0, 0)]
    assert [row["images"] for row in permits.read("failures")] == [1]


@pytest.mark.parametrize("key_type", ["integer", "text", None])
def test_keys_join_the_list_without_a_cast(analyzed: New, key_type: str | None) -> None:
    permits = analyzed(key_type=key_type)
    permits.write(
        *({"image_key": key, "number": "H1", "valid_until": _today()} for key in ("7", "-8", "x")),
        {"image_key": "7", "card_side": "BACK"},
    )
    permits.prepare()
    images = sa.Table(
        "images", sa.MetaData(), sa.Column("id", sa.BigInteger if key_type == "integer" else sa.String(20))
    )
    keys: list[Any] = [7, -8] if key_type == "integer" else ["7", "-8"]
    with permits.engine.begin() as connection:
        images.create(connection)
        connection.execute(sa.insert(images), [{"id": key} for key in keys])
        for suffix in ("expiring", "repeated", "documents"):
            joined = f"SELECT id FROM images JOIN permits_{suffix} AS v ON v.image_key = images.id"
            assert sorted(connection.execute(sa.text(joined)).scalars()) == sorted(keys), suffix


@pytest.mark.slow
def test_run_of_the_recognizing_task_leaves_the_type_of_keys_in_documents(analyzed: New) -> None:
    permits = analyzed(key_type="integer", documents_view="documents")
    permits.write({"image_key": "7"})

    def key() -> Any:
        with permits.engine.connect() as connection:
            return connection.execute(sa.text("SELECT image_key FROM documents")).scalar_one()

    assert key() == "7"
    assert permits.prepare()["documents"]
    assert key() == 7
    permits.write({"image_key": "7"}, carried=(Column("branch", ColumnKind.TEXT, "Copied"),))
    assert key() == 7
    assert permits.prepare() == dict.fromkeys(permits.prepare(), False)


@pytest.mark.slow
def test_views_are_replaced_where_their_definition_has_changed_and_left_alone_otherwise(
    analyzed: New,
) -> None:
    permits = analyzed()
    permits.write({"image_key": "7", "number": "H1"}, {"image_key": "8", "number": "H1"})
    assert set(permits.prepare().values()) == {True}
    assert set(permits.prepare().values()) == {False}
    permits.key_type = "integer"
    assert set(permits.prepare().values()) == {True}
    assert [row["image_key"] for row in permits.read("repeated")] == [7, 8]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Permits", "select", "a b", 'a"b', "a'b", "a%b", ":a", "许可"])
def test_views_of_an_awkward_name_are_made_and_read(analyzed: New, name: str) -> None:
    permits = analyzed(name)
    permits.write({"image_key": "a", "permit_kind": "taiwan"})
    assert set(permits.prepare().values()) == {True}
    assert set(permits.prepare().values()) == {False}
    assert [row["permits"] for row in permits.read("by_day")] == [1]


@pytest.mark.slow
def test_two_results_of_one_schema_have_views_of_their_own(analyzed: New) -> None:
    first, second = analyzed("permits"), analyzed("others")
    first.write({"image_key": "a"})
    second.write({"image_key": "a"}, {"image_key": "b"})
    for each in (first, second):
        assert set(each.prepare().values()) == {True}
    assert [row["permits"] for each in (first, second) for row in each.read("by_day")] == [1, 2]


@pytest.mark.slow
def test_views_are_in_the_schema_of_their_table(analyzed: New, database: sa.Engine) -> None:
    schema = {"sqlite": "main", "mysql": f"{database.url.database}_Mart"}.get(database.dialect.name, "Mart")
    if schema != "main":
        with database.begin() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
    permits = analyzed(f"{schema}.Permits")
    permits.write({"image_key": "a"})
    permits.prepare()
    assert [row["permits"] for row in permits.read("by_day")] == [1]
    with database.connect() as connection:
        assert "Permits_by_day" in database_of(connection).relations(connection, schema)


def test_names_that_are_taken_are_refused_before_a_view_is_made(analyzed: New) -> None:
    permits = analyzed()
    permits.write()
    with permits.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE permits_flagged (a integer)")
    with pytest.raises(TargetError, match=r"'permits_flagged' is a table; rename it, or drop what has it"):
        permits.prepare()
    with permits.engine.connect() as connection:
        assert not any(
            each.startswith("permits_by") for each in database_of(connection).relations(connection)
        )


def test_table_of_an_older_version_says_which_columns_are_missing(sqlite_engine: sa.Engine) -> None:
    permits = Analyzed(sqlite_engine, sqlite_engine)
    columns = (
        sa.Column(each.name, sa.Text) for each in COLUMNS if each.name not in ("permit_kind", "quality_flags")
    )
    sa.Table("permits", sa.MetaData(), *columns).create(sqlite_engine)
    with pytest.raises(TargetError, match=r"lacks the columns permit_kind, quality_flags.*let it run once"):
        permits.prepare()


def test_missing_table_and_missing_file_say_that_the_first_run_is_to_come(
    sqlite_engine: sa.Engine, new_engine: Callable[..., sa.Engine], tmp_path: Any
) -> None:
    for engine in (sqlite_engine, new_engine(f"sqlite:///{tmp_path}/missing.db")):
        with pytest.raises(TargetError, match=r"no result table 'permits'.*run the recognizing task once"):
            Analyzed(engine, engine).prepare()
    assert not (tmp_path / "missing.db").exists()


def test_name_that_the_database_would_cut_off_is_refused(postgres_engine: sa.Engine) -> None:
    permits = Analyzed(postgres_engine, postgres_engine)
    permits.described = type(permits.described)("p" * 60, conn_id="warehouse")
    permits.write()
    with pytest.raises(TargetError, match=r"has 70 bytes, and the database keeps 63"):
        permits.prepare()


def test_missing_right_to_create_views_is_said_to_be_so(
    postgres_engine: sa.Engine, new_engine: Callable[..., sa.Engine]
) -> None:
    Analyzed(postgres_engine, postgres_engine).write({"image_key": "a"})
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS analyst")
        connection.exec_driver_sql("CREATE ROLE analyst")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO analyst")
        connection.exec_driver_sql("GRANT SELECT ON permits TO analyst")
    restricted = new_engine(postgres_engine.url)

    @sa.event.listens_for(restricted, "connect")
    def give_up_rights(connection: Any, _record: object) -> None:
        connection.execute("SET ROLE analyst")
        connection.commit()

    with pytest.raises(TargetError, match=r"could not be created: .*right to create views"):
        Analyzed(restricted, restricted).prepare()
    restricted.dispose()
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY analyst")
        connection.exec_driver_sql("DROP ROLE analyst")


@pytest.mark.slow
def test_view_that_others_depend_on_keeps_the_type_of_its_keys_and_says_so(
    postgres_engine: sa.Engine,
) -> None:
    permits = Analyzed(postgres_engine, postgres_engine)
    permits.write({"image_key": "7", "valid_until": _today()})
    permits.prepare()
    with postgres_engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW mine AS SELECT image_key FROM permits_documents")
    permits.key_type = "integer"
    with pytest.raises(
        TargetError, match=r"'permits_documents' could not be created: .*drop views that depend"
    ):
        permits.prepare()
    with postgres_engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT image_key FROM mine").scalar_one() == "7"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_views_and_columns_have_comments(kind: str, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(f"{kind}_engine")
    permits = Analyzed(engine, engine)
    permits.write()
    permits.prepare()
    view = "SELECT obj_description('permits_by_day'::regclass)"
    column = "SELECT col_description('permits_by_day'::regclass, 1)"
    if kind == "duckdb":
        view = "SELECT comment FROM duckdb_views() WHERE view_name = 'permits_by_day'"
        column = (
            "SELECT comment FROM duckdb_columns() WHERE table_name = 'permits_by_day' AND column_name = 'day'"
        )
    with engine.connect() as connection:
        said = [connection.exec_driver_sql(each).scalar_one() for each in (view, column)]
    assert said == [OF_RESULTS[0].question, OF_RESULTS[0].columns[0].comment]


@pytest.mark.slow
def test_columns_are_as_they_are_declared(analyzed: New) -> None:
    permits = analyzed()
    permits.write({"image_key": "a"})
    permits.prepare()
    with permits.engine.connect() as connection:
        for each in OF_RESULTS:
            found = database_of(connection).columns(connection, each.name_beside("permits"))
            assert found is not None
            assert [column.name for column in found] == [column.name for column in each.columns]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "scans"),
    [("by_day", 1), ("expiring", 1), ("failures", 1), ("flagged", 1), ("accuracy", 1), ("repeated", 2)],
)
def test_each_row_is_looked_at_no_more_often_than_needed(
    postgres_engine: sa.Engine, suffix: str, scans: int
) -> None:
    permits = Analyzed(postgres_engine, postgres_engine)
    permits.write({"image_key": "a"})
    permits.prepare()
    with postgres_engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN SELECT * FROM permits_{suffix}").scalars()
        assert len(re.findall(r" on permits\b(?!_)", "\n".join(plan))) == scans


@pytest.mark.slow
def test_numbers_of_many_rows_are_not_compared_each_with_each(postgres_engine: sa.Engine) -> None:
    permits = Analyzed(postgres_engine, postgres_engine)
    permits.write({"image_key": "a"})
    permits.prepare()
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "INSERT INTO permits (image_key, card_side, status, number, name, corrections)"
            " SELECT 'k' || n, 'FRONT', 'recognized', 'H' || n - mod(n, 50) / 48, 'A',"
            ' CASE WHEN mod(n, 100) = 0 THEN \'{"name": "B"}\' END FROM generate_series(1, 20000) AS n'
        )
        connection.exec_driver_sql("ANALYZE permits")
        plan = connection.exec_driver_sql("EXPLAIN SELECT * FROM permits_repeated").scalars()
        assert "Nested Loop" not in "\n".join(plan)


def test_needed_columns_are_all_that_views_read() -> None:
    assert {each.name for each in COLUMNS} >= NEEDED
