from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_permitocr.core.models import ListedImage, Previous, Status
from airflow_provider_permitocr.core.selection import needs_recognition, tries_before

SEEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = SEEN + timedelta(microseconds=1)
SETTLED = [Status.RECOGNIZED, Status.REJECTED, Status.FAILED]


def listed(updated_at: datetime | None = None) -> ListedImage:
    return ListedImage("k", updated_at=updated_at)


def test_a_new_image_is_tried_for_the_first_time() -> None:
    assert needs_recognition(listed(), None)
    assert tries_before(listed(), None) == 0


@pytest.mark.parametrize("status", SETTLED)
@pytest.mark.parametrize("updated_at", [None, SEEN, SEEN - timedelta(days=1)])
def test_what_is_settled_is_skipped_unless_the_image_changed(
    status: Status, updated_at: datetime | None
) -> None:
    assert not needs_recognition(listed(updated_at), Previous(status, 1, SEEN))


@pytest.mark.parametrize("status", Status)
def test_a_changed_image_is_tried_anew_whatever_became_of_it(status: Status) -> None:
    previous = Previous(status, 3, SEEN)
    assert needs_recognition(listed(LATER), previous)
    assert tries_before(listed(LATER), previous) == 0


@pytest.mark.parametrize("updated_at", [None, SEEN])
def test_an_image_given_up_for_a_while_is_tried_again_and_keeps_count(updated_at: datetime | None) -> None:
    previous = Previous(Status.RETRY, 2, SEEN)
    assert needs_recognition(listed(updated_at), previous)
    assert tries_before(listed(updated_at), previous) == 2


@pytest.mark.parametrize("status", SETTLED)
def test_a_result_that_tells_no_time_stays_settled(status: Status) -> None:
    assert not needs_recognition(listed(LATER), Previous(status, 1, None))


def test_times_are_compared_across_time_zones() -> None:
    same_moment = SEEN.astimezone(timezone(timedelta(hours=8)))
    assert not needs_recognition(listed(same_moment), Previous(Status.RECOGNIZED, 1, SEEN))
