from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import UNSETTLED, Status
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.sql.ledger.ground import EACH_LEDGER

CountLeftOut = Callable[..., int]
ImageList = Callable[..., None]

LISTED = ImageTable(
    "permit_images",
    conn_id="lake",
    key="image_id",
    image="image_url",
    card_side="side",
    updated_at="uploaded_at",
)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)

_KEYS = st.sampled_from(["a", "A", "b ", "b", "01", "1", "中", "𠮷", "Ä", "", "'"])
_SIDES = st.sampled_from(["FRONT", "BACK"])
_TIMES = st.none() | st.builds(
    lambda ticks, hours: (NOON + ticks * TICK).astimezone(timezone(timedelta(hours=hours))),
    st.integers(-2, 2),
    st.integers(-8, 8),
)
_LISTS = st.dictionaries(st.tuples(_KEYS, _SIDES), _TIMES, max_size=12)
_ATTEMPTS = st.tuples(st.none() | st.sampled_from(list(Status)), _TIMES, _TIMES)
_KNOWN = st.dictionaries(st.tuples(_KEYS, _SIDES), _ATTEMPTS, max_size=12)


@pytest.fixture
def cleared(database: sa.Engine, image_list: ImageList, known: Callable[..., None]) -> Callable[[], None]:
    """An empty list and an empty ledger; emptied again at each call."""
    image_list([])
    known()

    def clear() -> None:
        with database.begin() as connection:
            for table in ("permit_images", "permit_ocr_images"):
                connection.execute(sa.text(f"DELETE FROM {table}"))

    return clear


@pytest.mark.slow
@EACH_LEDGER
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(listed=_LISTS, tried=_KNOWN, of=st.integers(1, 4), times=st.booleans(), rows=st.integers(1, 5))
def test_a_run_wants_the_same_rows_whether_the_database_leaves_some_out_or_not(
    count_left_out: CountLeftOut,
    database: sa.Engine,
    known: Callable[..., None],
    cleared: Callable[[], None],
    listed: dict[tuple[str, str], datetime | None],
    tried: dict[tuple[str, str], tuple[Status | None, datetime | None, datetime | None]],
    of: int,
    times: bool,
    rows: int,
) -> None:
    cleared()
    listing = sa.table("permit_images", *(sa.column(name) for name in ("image_id", "side")))
    uploaded_at: sa.ColumnClause[datetime] = sa.column("uploaded_at", sa.DateTime(timezone=True))
    listing.append_column(uploaded_at)
    with database.begin() as connection:
        for (key, side), changed in listed.items():
            in_utc = changed and changed.astimezone(UTC)
            row = {"image_id": key, "side": side, "uploaded_at": in_utc}
            connection.execute(sa.insert(listing).values(row))
    known(
        *(
            {"image_key": key, "card_side": side, "attempt_status": status, "list_id": list_id}
            | {"attempt_updated_at": seen and seen.astimezone(UTC)}
            | {"attempted_at": at and at.astimezone(UTC)}
            for (key, side), (status, seen, at) in tried.items()
            # Another list has all of the same keys, each as something else stands here.
            for list_id, status in ((1, status), (2, None if status else Status.FAILED))
        )
    )
    described = LISTED if times else replace(LISTED, updated_at=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", rows)
        for number in range(1, of + 1):
            count_left_out(database, described, Shard(number, of))
        assert count_left_out(database, described) >= len(
            [each for each in listed.items() if _is_plainly_settled(*each, tried, times)]
        )


def _is_plainly_settled(
    row_key: tuple[str, str], changed: datetime | None, tried: dict[Any, Any], times: bool
) -> bool:
    status, seen, at = tried.get(row_key, (None, None, None))
    seen_at = seen or at
    return status not in (None, *UNSETTLED) and (
        not times or changed is None or (seen_at is not None and seen_at >= changed)
    )


def test_shards_hold_every_row_once_and_both_sides_together(
    database: sa.Engine, image_list: ImageList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_permitocr.sql.source.image_source._ROWS", 7)
    image_list({"image_id": f"key-{at}", "side": side} for at in range(50) for side in ("FRONT", "BACK"))
    everything = [(f"key-{at}", side) for at in range(50) for side in (CardSide.FRONT, CardSide.BACK)]
    parts = []
    for number in (1, 2, 3):
        source = SqlImageSource(database, LISTED, shard=Shard(number, 3))
        part = [row.row_key for page in source.pages() for row in page]
        assert 0 < len(part) == source.check()
        parts.append(part)
    assert sorted(row for part in parts for row in part) == sorted(everything)
    keys = [{key for key, _ in part} for part in parts]
    assert not keys[0] & keys[1] | keys[1] & keys[2] | keys[0] & keys[2]
