"""Calls of a client that is made for them alone."""

from __future__ import annotations

import pytest

from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import Identity, caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions


def recognize(options: ClientOptions, specimen: Specimen, times: int = 1) -> None:
    with MainlandPermitClient(options) as client:
        for _ in range(times):
            response = client.recognize(PermitRequest(CardSide.FRONT, image=specimen.image))
            assert response.fields == specimen.fields


def fault(options: ClientOptions, specimen: Specimen) -> CallError:
    with pytest.raises(CallError) as caught, MainlandPermitClient(options) as client:
        client.recognize(PermitRequest(CardSide.FRONT, image=specimen.image))
    return caught.value


def identity_of(options: ClientOptions) -> Identity:
    return caller_identity(options, key_source(options))
