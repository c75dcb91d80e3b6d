from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.cli.checks.findings import Finding, ImageList, Verdict
from airflow_provider_permitocr.cli.checks.list_and_target_checks import check_image_list, check_result_table
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable

SetConnection = Callable[..., None]
SELECT = "SELECT image_id, image FROM permit_images"


def table(name: str = "permit_images", **special: str) -> ImageTable:
    described: dict[str, str] = {"conn_id": "lake", "key": "image_id", "image": "image", "updated_at": "at"}
    return ImageTable(name, **(described | special))


def query(sql: str = SELECT, **parameters: str) -> ImageQuery:
    return ImageQuery(sql, conn_id="lake", key="image_id", image="image", parameters=parameters)


def said(findings: list[Finding]) -> list[tuple[Verdict, str]]:
    return [(each.verdict, each.message) for each in findings]


def tables_of(engine: sa.Engine) -> list[str]:
    return sa.inspect(engine).get_table_names()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (table(), "permit_images on lake: 2 images"),
        (table(since="2026-01-01"), "permit_images on lake: 1 image"),
        (query(), "the SELECT on lake: 2 images"),
        (query(f"{SELECT} WHERE image_id = :key", key="a"), "the SELECT on lake: 1 image"),
    ],
)
def test_a_list_that_can_be_read_is_counted(lake: sa.Engine, source: ImageList, message: str) -> None:
    assert said(check_image_list(source)) == [(Verdict.OK, message)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (table("permit_image"), "did you mean 'permit_images'"),
        (table(key="id"), "no column 'id'"),
        (query("SELECT image_id, image FROM nowhere"), "no such table"),
        (table(conn_id="nowhere"), "there is no connection 'nowhere'"),
    ],
)
def test_a_list_that_cannot_be_read_says_why(lake: sa.Engine, source: ImageList, message: str) -> None:
    (finding,) = check_image_list(source)
    assert finding.verdict is Verdict.WRONG
    assert message in finding.message


def test_a_template_in_the_bounds_leaves_the_columns_to_check(lake: sa.Engine) -> None:
    bounds = {"since": "{{ data_interval_start }}", "until": "{% if x %}{% endif %}"}
    right, unchecked = check_image_list(table(**bounds))
    wrong, _ = check_image_list(table(image="scan", **bounds))
    assert said([right]) == [(Verdict.OK, "permit_images on lake has the columns")]
    assert said([unchecked]) == [(Verdict.UNCHECKED, "since, until: templated; known only at run time")]
    assert wrong.verdict is Verdict.WRONG


def test_a_key_that_is_twice_in_the_table_may_be_once_within_templated_bounds(lake: sa.Engine) -> None:
    with lake.begin() as connection:
        connection.execute(sa.text("INSERT INTO permit_images VALUES ('a', '/a2.jpg', '2026-05-02')"))
    whole = check_image_list(table())
    bounded = check_image_list(table(since="{{ data_interval_start }}"))
    assert whole[0].verdict is Verdict.WRONG
    assert bounded[0].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("source", "unchecked"),
    [
        (table("images_{{ ds }}"), "table"),
        (query("SELECT {{ params.columns }} FROM nowhere"), "sql"),
        (query("SELECT :day", day="{{ ds }}"), "parameter day"),
    ],
)
def test_a_templated_list_is_not_read_but_its_database_is_reached(
    lake: sa.Engine, source: ImageList, unchecked: str
) -> None:
    assert said(check_image_list(source)) == [
        (Verdict.OK, "connection lake answers"),
        (Verdict.UNCHECKED, f"{unchecked}: templated; known only at run time"),
    ]


def test_a_templated_connection_leaves_nothing_to_check() -> None:
    source = table(conn_id="{{ var.value.lake }}")
    target = ResultTable("permits", conn_id="{{ var.value.lake }}")
    for findings in (check_image_list(source), check_result_table(target)):
        assert said(findings) == [(Verdict.UNCHECKED, "conn_id: templated; known only at run time")]


def test_a_missing_result_table_is_told_and_not_created(lake: sa.Engine) -> None:
    findings = check_result_table(ResultTable("permits", conn_id="lake"))
    assert said(findings) == [
        (Verdict.OK, "permits on lake does not exist yet; the first run creates it"),
    ]
    assert tables_of(lake) == ["permit_images"]


def test_a_table_of_somebody_else_is_wrong(lake: sa.Engine) -> None:
    (finding,) = check_result_table(ResultTable("permit_images", conn_id="lake"))
    assert finding.verdict is Verdict.WRONG
    assert "exists already and cannot hold the result: it lacks" in finding.message


def test_a_templated_result_table_is_not_looked_for(lake: sa.Engine) -> None:
    right, unchecked = check_result_table(ResultTable("permits_{{ ti.map_index }}", conn_id="lake"))
    assert (right.message, right.verdict) == ("connection lake answers", Verdict.OK)
    assert unchecked.message.startswith("table: templated")


def test_a_result_table_where_no_table_may_be_created_is_wrong(warehouse: sa.Engine) -> None:
    (finding,) = check_result_table(ResultTable("mart.permits", conn_id="warehouse"))
    assert finding.verdict is Verdict.WRONG
    assert "there is no schema 'mart'" in finding.message


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path: Path, set_connection: SetConnection) -> None:
    file = tmp_path / "new.db"
    set_connection("lake", conn_type="sqlite", host=str(file))

    (source,) = check_image_list(table())
    (target,) = check_result_table(ResultTable("permits", conn_id="lake"))

    assert source.verdict is Verdict.WRONG
    assert f"{file}, which does not exist" in source.message
    assert target.verdict is Verdict.OK
    assert "the first run creates both" in target.message
    assert not file.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_database_that_cannot_be_reached_shows_no_password(set_connection: SetConnection) -> None:
    set_connection("lake", conn_type="postgres", host="127.0.0.1", port=1, login="a", password="secret-word")
    for finding in (*check_image_list(table()), *check_result_table(ResultTable("permits", conn_id="lake"))):
        assert finding.verdict is Verdict.WRONG
        assert "refused" in finding.message
        assert "secret-word" not in f"{finding}"


def test_a_hook_that_fails_in_its_own_way_is_told_without_its_words(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.sqlite.hooks.sqlite import SqliteHook

    def fail(hook: object) -> None:
        raise ValueError("cannot parse sqlite://me:secret-word@")

    set_connection("lake", conn_type="sqlite", host="unused")
    monkeypatch.setattr(SqliteHook, "get_uri", fail)

    (finding,) = check_image_list(table())

    assert (
        finding.message
        == "connection 'lake' cannot be used: its hook failed with ValueError; correct the connection"
    )


def test_databases_that_are_not_promised_are_findings_that_name_the_way(
    set_connection: SetConnection,
) -> None:
    set_connection("lake", conn_type="gcpbigquery")
    for findings, words in (
        (check_result_table(ResultTable("permits", conn_id="lake")), "GCSToBigQueryOperator"),
        (check_image_list(table()), "GenericTransfer"),
    ):
        (finding,) = findings
        assert finding.verdict is Verdict.WRONG
        assert words in finding.message
