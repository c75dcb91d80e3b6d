"""Which images to recognize anew, as a DAG author writes it down."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.status import Status

TEMPLATE = "{{ params.wanted }}"


def test_redo_of_nothing_in_particular_is_refused() -> None:
    with pytest.raises(ValueError, match="select images by statuses, error_codes, keys or before"):
        Redo()


@pytest.mark.parametrize("statuses", [["retry"], "retry", ["recognized", "retry"], "failed,redo", ["no"]])
def test_a_status_that_there_is_none_to_redo_of_is_refused_by_its_name(statuses: Any) -> None:
    with pytest.raises(ValueError, match=r"must be of recognized, rejected, failed, not '(retry|redo|no)';"):
        Redo(statuses=statuses)


@pytest.mark.parametrize("before", ["yesterday", "None", "2026-13-01", "  ", "0001-01-01T00:00:00+08:00"])
def test_a_before_that_is_no_time_is_refused_with_an_example(before: str) -> None:
    with pytest.raises(ValueError, match=r"before must be a time such as 2026-01-31T00:00:00\+00:00, not"):
        Redo(before=before)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a", ("a",)),
        (" a , b,", ("a", "b")),
        (["a", "b, c", ""], ("a", "b, c")),
        ([1, 2], ("1", "2")),
        ([Status.FAILED], ("failed",)),
        (("a",), ("a",)),
    ],
    ids=str,
)
def test_a_list_may_be_a_text_with_commas(given: Any, meant: tuple[str, ...]) -> None:
    assert Redo(keys=given).wanted_keys == meant
    assert Redo(error_codes=given).wanted_codes == meant


def test_statuses_may_be_a_text_or_the_statuses_themselves() -> None:
    expected = ("rejected", "failed")
    assert Redo(statuses="rejected, failed").wanted_statuses == expected
    assert Redo(statuses=[Status.REJECTED, Status.FAILED]).wanted_statuses == expected


def test_a_criterion_that_is_not_given_leaves_open_what_it_is_about() -> None:
    redo = Redo(keys="a")
    assert (redo.wanted_statuses, redo.wanted_codes, redo.moment) == (None, None, None)
    assert not redo.is_met_by_none
    assert not Redo(before="2026-01-31").is_met_by_none


@pytest.mark.parametrize("name", ["statuses", "error_codes", "keys"])
@pytest.mark.parametrize("given", ["", " ", ",", [], [""]], ids=repr)
def test_a_criterion_that_is_given_and_empty_is_met_by_no_image(name: str, given: Any) -> None:
    values: dict[str, Any] = {"statuses": "failed", "before": "2026-01-31", name: given}
    assert Redo(**values).is_met_by_none
    assert Redo(**{name: given}).is_met_by_none


def test_a_before_that_is_given_and_empty_is_met_by_no_image() -> None:
    assert Redo(before="").is_met_by_none
    assert Redo(keys="a", before="").is_met_by_none


@pytest.mark.parametrize("name", ["statuses", "error_codes", "keys", "before"])
def test_a_template_is_looked_at_once_it_is_rendered(name: str) -> None:
    redo = Redo(**{name: TEMPLATE})
    assert getattr(redo, name) == TEMPLATE
    assert name in redo.template_fields
    assert replace(redo, **{name: ""}).is_met_by_none


def test_a_template_that_renders_to_a_text_with_commas_is_a_list() -> None:
    assert replace(Redo(keys=TEMPLATE), keys="a, b").wanted_keys == ("a", "b")
    assert replace(Redo(statuses=TEMPLATE), statuses="failed").wanted_statuses == ("failed",)
    with pytest.raises(ValueError, match="not 'retry'"):
        replace(Redo(statuses=TEMPLATE), statuses="failed,retry")


def test_templates_may_be_in_a_list() -> None:
    redo = Redo(statuses=["failed", TEMPLATE], keys=[TEMPLATE, "b"])
    assert (redo.statuses, redo.keys) == (("failed", TEMPLATE), (TEMPLATE, "b"))
    with pytest.raises(ValueError, match="not 'retry'"):
        replace(redo, statuses=("failed", "retry"))


@pytest.mark.parametrize(
    "before",
    [
        "2026-01-31T08:00:00+08:00",
        "2026-01-31",
        "2026-01-31 00:00:00",
        datetime(2026, 1, 31),
        datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=8))),
    ],
    ids=str,
)
def test_a_time_without_a_zone_is_in_utc_and_one_with_a_zone_is_turned_into_it(before: Any) -> None:
    moment = Redo(before=before).moment
    assert moment == datetime(2026, 1, 31, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


def test_what_was_given_can_be_read_and_not_changed() -> None:
    redo = Redo(statuses="failed", before="2026-01-31")
    assert repr(redo) == "Redo(statuses=('failed',), before='2026-01-31')"
    with pytest.raises(FrozenInstanceError):
        redo.before = None  # type: ignore[misc]


@given(st.lists(st.text(st.characters(exclude_characters=",")), min_size=1, max_size=5))
def test_a_text_means_the_parts_between_its_commas(parts: list[str]) -> None:
    text = ",".join(parts)
    if "{{" in text or "{%" in text or "{#" in text:
        return
    redo = Redo(keys=text)
    assert redo.wanted_keys == tuple(part.strip() for part in parts if part.strip())
    assert redo.is_met_by_none is not bool(redo.wanted_keys)
