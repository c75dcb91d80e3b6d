"""A user who may only trigger a DAG: what the run's conf and params are rendered into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import (
    ImageQuery,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    Redo,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

pytestmark = pytest.mark.slow

NewOperator = Callable[..., MainlandPermitOcrOperator]
ImageList = Callable[..., list[Specimen]]

#: What whoever triggers gives, and where a DAG's author has put it.
_GIVEN = "{{ dag_run.conf['given'] }}"
_COLUMNS: dict[str, Any] = {"conn_id": "warehouse", "key": "image_id", "image": "image"}
_PAYLOADS = [
    "x'; DROP TABLE permit_images; --",
    'x"; DROP TABLE permit_images; --',
    "x') AS listed; DROP TABLE permit_images; --",
    "' OR '1'='1",
    "{{ conn.warehouse.password }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
]


@pytest.fixture
def triggered(
    operator: NewOperator,
    image_list: ImageList,
    connected: RunningEmulator,
    warehouse: sa.Engine,
) -> Callable[..., dict[str, Any]]:
    """Execute a task in a run that was triggered with a value; the list has to be there afterwards."""
    image_list(2)

    def trigger(given: str, **arguments: Any) -> dict[str, Any]:
        task = operator(**arguments)
        try:
            task.render_template_fields({"dag_run": SimpleNamespace(conf={"given": given})})
            return task.execute({"run_id": "run-1"})
        finally:
            with warehouse.connect() as connection:
                count = connection.execute(sa.text("SELECT count(*) FROM permit_images")).scalar_one()
            assert count == 2

    return trigger


@pytest.mark.parametrize("payload", _PAYLOADS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM permit_images WHERE image_id = :given",
        "SELECT * FROM permit_images WHERE image_id IN :given",
    ],
)
def test_what_is_given_for_a_parameter_is_a_value(
    triggered: Callable[..., dict[str, Any]], payload: str, sql: str
) -> None:
    given: Any = [_GIVEN] if "IN" in sql else _GIVEN
    summary = triggered(payload, source=ImageQuery(sql, **_COLUMNS, parameters={"given": given}))
    assert (summary["listed"], summary["calls"]) == (0, 0)


@pytest.mark.parametrize("payload", _PAYLOADS)
def test_what_is_given_for_images_to_redo_is_a_list_of_keys(
    triggered: Callable[..., dict[str, Any]], payload: str
) -> None:
    assert triggered(payload, redo=Redo(keys=_GIVEN))["calls"] == 2


@pytest.mark.parametrize("payload", _PAYLOADS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"source": ImageTable(_GIVEN, **_COLUMNS)},
        {"source": ImageTable(f"public.{_GIVEN}", **_COLUMNS)},
        {"source": ImageTable("permit_images", **_COLUMNS, updated_at="uploaded_at", since=_GIVEN)},
        {"source": ImageTable("permit_images", **(_COLUMNS | {"conn_id": _GIVEN}))},
        {"target": ResultTable(f"no_such.{_GIVEN}", conn_id="warehouse")},
        {"ledger": Ledger(f"no_such.{_GIVEN}", conn_id="warehouse")},
        {"redo": Redo(before=_GIVEN)},
        {"shard": _GIVEN},
    ],
    ids=["table", "table in a schema", "since", "conn_id", "result table", "ledger", "redo before", "shard"],
)
def test_what_is_given_for_a_name_or_a_time_is_none_and_fails_before_the_first_call(
    triggered: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    payload: str,
    arguments: dict[str, Any],
) -> None:
    with pytest.raises((AirflowException, ValueError)):
        triggered(payload, **arguments)
    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize("given", ["../../secret", "a/../../../secret", "..", "{{ ds }}/../../secret"])
def test_what_is_given_for_a_part_of_a_path_does_not_leave_its_folder(
    triggered: Callable[..., dict[str, Any]], tmp_path: Path, given: str
) -> None:
    (tmp_path / "exports" / "a").mkdir(parents=True)
    target = ResultFile(f"{tmp_path}/exports/{_GIVEN}/permits.csv")
    with pytest.raises(ValueError, match="ResultFile: path"):
        triggered(given, target=target, ledger=Ledger("permit_ocr", conn_id="warehouse"))
    assert not [*tmp_path.rglob("permits.csv")]


@pytest.mark.parametrize(
    "payload", ["x'; DROP TABLE permit_images; --", "x') AS listed; DROP TABLE permit_images; --"]
)
def test_what_an_author_has_pasted_into_a_query_can_do_no_more_than_a_select(
    triggered: Callable[..., dict[str, Any]], payload: str
) -> None:
    source = ImageQuery(f"SELECT * FROM permit_images WHERE image_id = '{_GIVEN}'", **_COLUMNS)
    with pytest.raises(AirflowException, match="does not work"):
        triggered(payload, source=source)
