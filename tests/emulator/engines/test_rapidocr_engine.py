from __future__ import annotations

import base64
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import NoReturn

import pytest
from PIL import Image

from airflow_provider_permitocr.emulator.engines import load_engine
from airflow_provider_permitocr.emulator.engines.rapidocr import RapidOcrEngine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    Effect,
    PermitKind,
    draw_scenery,
    draw_specimen,
    read_label,
)
from airflow_provider_permitocr.emulator.specimens.accuracy import measure
from airflow_provider_permitocr.emulator.specimens.specimen import encode
from airflow_provider_permitocr.permit.api import CardSide


@pytest.fixture(scope="module")
def engine() -> RapidOcrEngine:
    return RapidOcrEngine()


@pytest.mark.slow
def test_clean_specimens_of_every_kind_and_side_are_read(engine: RapidOcrEngine) -> None:
    specimens = [draw_specimen(kind, side, seed) for kind, side in DRAWABLE for seed in (101, 102)]
    score = measure(engine, specimens).score()
    assert score.printed > 80
    assert score.rate >= 0.98
    assert score.invented == 0


@pytest.mark.slow
@pytest.mark.parametrize("effects", [{Effect.SKEWED, Effect.NOISY}, {Effect.PHOTOCOPIED, Effect.BLURRED}])
def test_poor_pictures_are_read(engine: RapidOcrEngine, effects: set[Effect]) -> None:
    specimen = draw_specimen(PermitKind.HONG_KONG_MACAO, seed=103, effects=frozenset(effects))
    assert engine.read(specimen.image, CardSide.FRONT, with_portrait=False) == specimen.fields


@pytest.mark.slow
def test_without_its_label_a_specimen_reads_the_same(engine: RapidOcrEngine) -> None:
    specimen = draw_specimen(PermitKind.NON_CHINESE, CardSide.BACK, seed=104)
    picture = Image.open(BytesIO(specimen.image)).convert("RGB")
    picture.info.clear()
    bare = encode(picture, specimen.image_format)
    assert read_label(bare) is None
    assert engine.read(bare, CardSide.BACK, with_portrait=False) == specimen.fields


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [90, 180])
def test_cards_lying_the_wrong_way_up_are_read(engine: RapidOcrEngine, degrees: int) -> None:
    specimen = draw_specimen(PermitKind.TAIWAN, seed=105)
    picture = Image.open(BytesIO(specimen.image)).convert("RGB").rotate(degrees, expand=True)
    turned = encode(picture, specimen.image_format)
    assert engine.read(turned, CardSide.FRONT, with_portrait=False) == specimen.fields


@pytest.mark.slow
@pytest.mark.parametrize("width", [640, 2400])
def test_small_and_large_pictures_are_read(engine: RapidOcrEngine, width: int) -> None:
    specimen = draw_specimen(PermitKind.EXIT_ENTRY, seed=106, width=width)
    assert engine.read(specimen.image, CardSide.FRONT, with_portrait=False) == specimen.fields


@pytest.mark.slow
def test_the_portrait_is_cut_out_when_asked_for(engine: RapidOcrEngine) -> None:
    specimen = draw_specimen(PermitKind.TAIWAN, seed=107, effects=frozenset({Effect.SKEWED}))
    profile = engine.read(specimen.image, CardSide.FRONT, with_portrait=True)["Profile"]
    portrait = Image.open(BytesIO(base64.b64decode(profile, validate=True)))
    assert portrait.format == "JPEG"
    assert portrait.width / portrait.height == pytest.approx(252 / 315, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "shown", "asked"),
    [
        (PermitKind.HONG_KONG_MACAO, CardSide.FRONT, CardSide.BACK),
        (PermitKind.HONG_KONG_MACAO, CardSide.BACK, CardSide.FRONT),
        pytest.param(PermitKind.TAIWAN, CardSide.FRONT, CardSide.BACK, marks=pytest.mark.slow),
    ],
)
def test_the_wrong_side_is_no_specified_card(
    engine: RapidOcrEngine, kind: PermitKind, shown: CardSide, asked: CardSide
) -> None:
    with pytest.raises(ApiError) as refused:
        engine.read(draw_specimen(kind, shown).image, asked, with_portrait=False)
    assert refused.value.code == "FailedOperation.ImageNoSpecifiedCard"


def test_scenery_is_no_specified_card(engine: RapidOcrEngine) -> None:
    with pytest.raises(ApiError) as refused:
        engine.read(draw_scenery(1), CardSide.FRONT, with_portrait=False)
    assert refused.value.code == "FailedOperation.ImageNoSpecifiedCard"


@pytest.mark.slow
def test_a_truncated_file_cannot_be_decoded(engine: RapidOcrEngine) -> None:
    with pytest.raises(ApiError) as refused:
        engine.read(draw_specimen(PermitKind.TAIWAN).image[:20_000], CardSide.FRONT, with_portrait=False)
    assert refused.value.code == "FailedOperation.ImageDecodeFailed"


@pytest.mark.slow
def test_threads_share_an_engine_without_mixing_their_answers(engine: RapidOcrEngine) -> None:
    specimens = [draw_specimen(kind, seed=108, width=900) for kind in PermitKind]
    with ThreadPoolExecutor(len(specimens)) as pool:
        answers = pool.map(lambda one: engine.read(one.image, CardSide.FRONT, with_portrait=False), specimens)
        assert [answer["Number"] for answer in answers] == [one.fields["Number"] for one in specimens]


@pytest.mark.slow
def test_a_new_engine_loads_and_reads_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the engine went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    specimen = draw_specimen(PermitKind.HONG_KONG_MACAO, CardSide.BACK, seed=109, width=900)
    engine = load_engine("rapidocr")
    assert engine.read(specimen.image, CardSide.BACK, with_portrait=False) == specimen.fields


@pytest.mark.slow
def test_the_engine_knows_nothing_of_labels_or_drawing() -> None:
    script = (
        "import sys; import airflow_provider_permitocr.emulator.engines.rapidocr; "
        "print([name for name in sys.modules if '.specimens' in name])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
