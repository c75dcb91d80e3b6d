from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen, draw_specimen
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import AccountError, ConfigurationError
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from tests.support.row_calls import request_of

Connect = Callable[..., None]


@pytest.fixture
def hook(emulator: RunningEmulator, connect_emulator: Connect) -> MainlandPermitOcrHook:
    connect_emulator(emulator)
    return MainlandPermitOcrHook(max_per_second=100)


def test_one_image_is_recognized_from_its_bytes(hook: MainlandPermitOcrHook, front: Specimen) -> None:
    record = hook.recognize(front.image)

    assert (record["status"], record["card_side"]) == ("recognized", "FRONT")
    assert record["name"] == front.fields["Name"]
    assert isinstance(record["birthday"], date)
    assert set(record) == {column.name for column in COLUMNS}


def test_a_back_is_recognized_from_a_file_of_any_path_type(
    hook: MainlandPermitOcrHook, back: Specimen, tmp_path: Path
) -> None:
    file = tmp_path / "back.jpg"
    file.write_bytes(back.image)

    by_path = hook.recognize(file, card_side="BACK")
    by_text = hook.recognize(str(file), card_side=CardSide.BACK)

    expected = back.fields["MainlandTravelPermitBackInfos"]["IDNumber"]
    assert by_path["back_id_number"] == by_text["back_id_number"] == expected


def test_an_image_is_recognized_from_its_url(
    emulator: RunningEmulator,
    connect_emulator: Connect,
    front: Specimen,
    serve_image: Callable[[bytes], str],
) -> None:
    connect_emulator(emulator)
    hook = MainlandPermitOcrHook(images=ImageAccess(fetch_hosts=("127.0.0.1",)))
    assert hook.recognize(serve_image(front.image))["number"] == front.fields["Number"]


def test_a_bad_image_is_a_record_with_its_reason(hook: MainlandPermitOcrHook) -> None:
    record = hook.recognize(b"PK\x03\x04...")
    assert (record["status"], record["error_code"]) == ("rejected", "ImageFormatUnsupported")


def test_the_portrait_comes_where_it_was_asked_for(
    emulator: RunningEmulator, connect_emulator: Connect, front: Specimen
) -> None:
    connect_emulator(emulator)
    assert MainlandPermitOcrHook(portraits="column").recognize(front.image)["profile"]
    assert MainlandPermitOcrHook().recognize(front.image)["profile"] is None


def test_a_wrong_side_is_named(hook: MainlandPermitOcrHook) -> None:
    with pytest.raises(ValueError, match="FRONT or BACK"):
        hook.recognize(b"", card_side="SIDEWAYS")


def test_a_stream_of_rows_comes_back_keyed(
    hook: MainlandPermitOcrHook, draw: Callable[..., Specimen]
) -> None:
    specimens = {f"k{seed}": draw(seed=seed) for seed in range(5)}

    records = list(hook.recognize_rows(ImageRow(key, each.image) for key, each in specimens.items()))

    assert {record["image_key"]: record["number"] for record in records} == {
        key: each.fields["Number"] for key, each in specimens.items()
    }


@pytest.mark.slow
def test_calls_in_a_loop_keep_one_pace_and_one_client(
    emulator: RunningEmulator, connect_emulator: Connect, front: Specimen, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_emulator(emulator)
    made: list[MainlandPermitClient] = []

    def make(hook: MainlandPermitOcrHook) -> MainlandPermitClient:
        made.append(MainlandPermitClient(hook.client_options))
        return made[-1]

    monkeypatch.setattr(MainlandPermitOcrHook, "client", make)
    hook = MainlandPermitOcrHook(max_per_second=10)

    records = [hook.recognize(front.image) for _ in range(6)]

    assert [record["status"] for record in records] == ["recognized"] * 6
    arrivals = [record.time for record in emulator.records()]
    # Half a second; the first may have been late on its way.
    assert arrivals[-1] - arrivals[0] > 0.25
    assert len(made) == 1


@pytest.mark.slow
def test_after_an_account_fault_the_next_call_is_made(
    emulator: RunningEmulator, connect_emulator: Connect, front: Specimen
) -> None:
    connect_emulator(emulator, password="wrong")
    hook = MainlandPermitOcrHook()

    for _ in range(2):
        with pytest.raises(AccountError):
            hook.recognize(front.image)

    assert emulator.stats()["calls"] >= 2


def test_a_frame_comes_back_in_its_order_with_its_index_one_row_each(
    hook: MainlandPermitOcrHook, front: Specimen, back: Specimen
) -> None:
    frame = pd.DataFrame(
        {
            "picture": [back.image, b"", front.image, front.image, None],
            "side": ["back", None, "FRONT", pd.NA, "BACK"],
        },
        index=[9, 3, 3, 7, 1],
    )

    answer = hook.recognize_frame(frame, image="picture", card_side="side")

    assert list(answer.index) == [9, 3, 3, 7, 1]
    assert list(answer["status"]) == ["recognized", "rejected", "recognized", "recognized", "rejected"]
    assert list(answer["card_side"]) == ["BACK", "FRONT", "FRONT", "FRONT", "BACK"]
    assert list(answer["number"])[2:4] == [front.fields["Number"]] * 2
    assert list(answer["image_key"]) == ["9", "3", "3", "7", "1"]


def test_a_picture_that_a_frame_holds_again_takes_its_first_answer(
    hook: MainlandPermitOcrHook, emulator: RunningEmulator, draw: Callable[..., Specimen], back: Specimen
) -> None:
    one, other = draw(seed=1), draw(seed=2)
    frame = pd.DataFrame(
        {
            "image": [one.image, other.image, one.image, back.image, one.image],
            "side": ["FRONT", "FRONT", "FRONT", "BACK", "FRONT"],
        },
        index=list("abcde"),
    )

    answer = hook.recognize_frame(frame, card_side="side", reuse_identical=True)

    assert emulator.stats()["calls"] == 3
    taken = answer["reused_from"].dropna()
    assert len(taken) == 2
    assert set(taken) | set(taken.index) == set("ace")
    assert list(answer["number"][["a", "b", "c", "e"]]) == [
        each.fields["Number"] for each in (one, other, one, one)
    ]


def test_a_stream_calls_for_each_row_unless_told_otherwise(
    hook: MainlandPermitOcrHook, emulator: RunningEmulator, front: Specimen
) -> None:
    rows = [ImageRow(key, front.image) for key in "abc"]
    assert {record["reused_from"] for record in hook.recognize_rows(rows)} == {None}
    assert len(list(hook.recognize_rows(rows, reuse_identical=True))) == 3
    assert emulator.stats()["calls"] == 3 + 1


def test_an_empty_frame_gives_an_empty_one_with_all_columns(hook: MainlandPermitOcrHook) -> None:
    answer = hook.recognize_frame(pd.DataFrame({"image": []}))
    assert (len(answer), list(answer.columns)) == (0, [column.name for column in COLUMNS])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "picture"}, "picture"),
        ({"key": "id"}, "id"),
        ({"card_side": "side"}, "side"),
        ({"default_side": "UP"}, "FRONT or BACK"),
    ],
)
def test_a_frame_without_the_column_is_refused_before_a_call(
    hook: MainlandPermitOcrHook, emulator: RunningEmulator, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        hook.recognize_frame(pd.DataFrame({"image": [b"x"]}), **arguments)
    assert emulator.stats()["calls"] == 0


@pytest.mark.slow
def test_credentials_that_are_wrong_raise_and_name_the_code(
    emulator: RunningEmulator, connect_emulator: Connect, front: Specimen
) -> None:
    connect_emulator(emulator, password="wrong")
    with pytest.raises(AccountError, match=r"AuthFailure\.SignatureFailure"):
        MainlandPermitOcrHook().recognize(front.image)


def test_get_conn_is_the_official_typed_client(hook: MainlandPermitOcrHook, front: Specimen) -> None:
    import base64

    from tencentcloud.ocr.v20181119 import models, ocr_client

    client = hook.get_conn()
    request = models.MainlandPermitOCRRequest()
    request.ImageBase64 = base64.b64encode(front.image).decode()

    assert isinstance(client, ocr_client.OcrClient)
    assert client.MainlandPermitOCR(request).Number == front.fields["Number"]


def test_the_connection_test_is_free_and_tells_whose_credentials_these_are(
    hook: MainlandPermitOcrHook, emulator: RunningEmulator
) -> None:
    works, message = hook.test_connection()
    assert works
    assert "qcs::cam::uin/" in message
    assert emulator.stats()["billed"] == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": "wrong"}, "SignatureFailure"),
        ({"login": "AKIDnobody"}, "SecretIdNotFound"),
        ({"password": ""}, "SecretKey"),
        ({"host": "http://127.0.0.1:1"}, "ClientNetworkError"),
    ],
)
def test_the_connection_test_tells_what_is_wrong(
    emulator: RunningEmulator, connect_emulator: Connect, fields: dict[str, Any], message: str
) -> None:
    connect_emulator(emulator, **fields)
    works, said = MainlandPermitOcrHook().test_connection()
    assert not works
    assert message in said


@pytest.mark.parametrize("port", [0, None, 443])
def test_the_connection_test_works_with_whatever_port_airflows_form_sends(
    emulator: RunningEmulator, connect_emulator: Connect, port: int | None
) -> None:
    connect_emulator(emulator, port=port)
    works, message = MainlandPermitOcrHook().test_connection()
    assert works, message


def test_a_host_that_is_not_tencents_is_warned_of_by_each_client(
    set_connection: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    extra = {"allow_endpoint": "gateway.test"}
    fields = {"login": "AKIDx", "password": "k", "host": "gateway.test", "extra": extra}
    set_connection("tencentcloud_default", conn_type="tencentcloud", **fields)
    MainlandPermitOcrHook().client().close()
    MainlandPermitOcrHook().get_conn()
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([each for each in warned if "go to https://gateway.test, which is not" in each]) == 2


def test_this_machine_and_tencents_hosts_are_not_warned_of(
    hook: MainlandPermitOcrHook, set_connection: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    hook.client().close()
    set_connection("other", conn_type="tencentcloud", login="AKIDx", password="k")
    MainlandPermitOcrHook("other").client().close()
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_missing_connection_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'nobody'"):
        MainlandPermitOcrHook("nobody").get_conn()


def test_outside_a_task_the_pace_is_that_of_one_slot(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, extra={"requests_per_slot": 2.5})
    assert MainlandPermitOcrHook().run_options().pace.max_per_second == 2.5


def test_in_a_task_the_pace_is_the_share_of_the_pool(
    emulator: RunningEmulator, connect_emulator: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_emulator(emulator, extra={"requests_per_slot": "2"})
    running = {"ti": SimpleNamespace(task=SimpleNamespace(pool_slots=4))}
    monkeypatch.setattr("airflow.sdk.get_current_context", lambda: running)
    assert MainlandPermitOcrHook().run_options().pace.max_per_second == 8


def test_the_site_decides_how_large_an_image_may_be(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, schema="mainland")
    image = draw_specimen(PermitKind.TAIWAN, width=480).image.ljust(7_000_000, b"\x00")
    assert request_of(MainlandPermitOcrHook().request_builder(), ImageRow("k", image)).image == image
