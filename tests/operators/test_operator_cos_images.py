"""An image list that points into object storage, from end to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from tests.support.cos_stand_in import CosStandIn

pytestmark = pytest.mark.slow

BUCKET = "permits-1250000000"

Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Execute = Callable[..., dict[str, Any]]


@pytest.fixture
def listed_in_cos(
    cos_store: CosStandIn,
    set_connection: Callable[..., None],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    image_list: Callable[..., list[Specimen]],
    front: Specimen,
) -> CosStandIn:
    """A list of one image in COS, and one that is not there."""
    connect_emulator(emulator)
    extra = {"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint}
    set_connection("cos", conn_type="tencentcloud", login="AKIDcos", password="cos-key", extra=extra)
    cos_store.objects[BUCKET, "2026/通行证 1.jpg"] = front.image
    image_list(
        0,
        [
            {"image_id": "there", "image": f"cos://{BUCKET}/2026/通行证 1.jpg"},
            {"image_id": "gone", "image": f"cos://{BUCKET}/2026/gone.jpg"},
        ],
    )
    return cos_store


def test_presigned_images_are_fetched_by_the_api_and_never_by_the_worker(
    listed_in_cos: CosStandIn, execute: Execute, permits: Permits, front: Specimen
) -> None:
    execute(images=ImageAccess(storage_conn_id="cos", presign_cos=True))

    rows = permits()
    there, gone = rows["there", "FRONT"], rows["gone", "FRONT"]
    assert (there["status"], there["number"]) == ("recognized", front.fields["Number"])
    assert gone["error_code"] == "FailedOperation.DownLoadError"
    (seen,) = [each for each in listed_in_cos.seen if each.status == 200]
    assert (seen.presigned, seen.sent) == (True, len(front.image))
    # The emulator's client; the SDK and cosfs would have said who they are.
    assert all("aiohttp" in each.user_agent for each in listed_in_cos.seen)


def test_otherwise_the_worker_reads_them(
    listed_in_cos: CosStandIn, execute: Execute, permits: Permits, front: Specimen
) -> None:
    execute(images=ImageAccess(storage_conn_id="cos"))

    rows = permits()
    there, gone = rows["there", "FRONT"], rows["gone", "FRONT"]
    assert (there["status"], there["number"]) == ("recognized", front.fields["Number"])
    assert (gone["status"], gone["error_code"]) == ("retry", "ImageNotFound")
    assert not any(each.presigned for each in listed_in_cos.seen)


@pytest.mark.parametrize("presign_cos", [True, False], ids=["by the API", "by the worker"])
@pytest.mark.parametrize("root", [f"cos://{BUCKET}/2025", f"cos://cos@{BUCKET}", "/data/permits"])
def test_an_object_outside_the_roots_is_neither_read_nor_presigned(
    listed_in_cos: CosStandIn, execute: Execute, permits: Permits, root: str, presign_cos: bool
) -> None:
    summary = execute(images=ImageAccess(storage_conn_id="cos", presign_cos=presign_cos, roots=(root,)))

    assert {(row["status"], row["error_code"]) for row in permits().values()} == {
        ("retry", "ImagePathRefused")
    }
    assert (summary["calls"], listed_in_cos.seen) == (0, [])
