"""Specimens that are drawn once for all processes of a test session."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable
from pathlib import Path

from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen, draw_specimen
from airflow_provider_permitocr.permit.api import CardSide, ImageFormat


def drawer(directory: Path) -> Callable[..., Specimen]:
    """Return what draws small specimens, or takes them from this directory where another has drawn them."""

    @functools.cache
    def draw(
        kind: PermitKind = PermitKind.HONG_KONG_MACAO, side: CardSide = CardSide.FRONT, seed: int = 0
    ) -> Specimen:
        kept = directory / f"{kind.value}-{side.value}-{seed}"
        if kept.exists():
            specimen: Specimen = pickle.loads(kept.read_bytes())
            return specimen
        specimen = draw_specimen(kind, side, seed, image_format=ImageFormat.JPEG, width=480)
        own = kept.with_name(f"{kept.name}.{os.getpid()}")
        own.write_bytes(pickle.dumps(specimen))
        own.replace(kept)
        return specimen

    return draw
