"""JSON is fed to what reads it: faults to the emulator, extras to the hook of their connection."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.faults.faults_file import load_rules
from airflow_provider_permitocr.emulator.journal import CallRecord
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.permit.api import ACTION, SERVICE
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.documentation.blocks import SPANS, Shown, blocks

#: Which keys each kind of object has: at least one, and no others than its reader knows.
EXTRA = {"price_per_call", "currency"}
POSTGRES_EXTRA = {"connect_timeout", "keepalives_idle", "tcp_user_timeout"}
EFFECT = {"error", "message", "http_status", "drop", "body", "content_type", "delay", "retry_after"}


def json_spans() -> list[Shown]:
    return [span for span in SPANS if span.text.startswith('{"')]


def kind_of(read: dict[str, Any]) -> str:
    """Tell what an object is by its keys; one of no known kind fails the test."""
    kinds = {"faults": {"rules"}, "extra": EXTRA, "postgres extra": POSTGRES_EXTRA, "effect": EFFECT}
    kinds["cam policy"] = {"version", "statement"}
    kinds["journal"] = {field.name for field in dataclasses.fields(CallRecord)}
    (kind,) = [kind for kind, keys in kinds.items() if read.keys() <= keys]
    return kind


@pytest.mark.parametrize("shown", [*blocks("json"), *json_spans()], ids=str)
def test_what_reads_it_takes_it(
    shown: Shown,
    tmp_path: Path,
    postgres: EmbeddedPostgres,
    postgres_database: str,
    set_connection: Callable[..., None],
) -> None:
    read = json.loads(shown.text)
    kind = kind_of(read)
    if kind in ("faults", "effect"):
        file = tmp_path / "faults.json"
        rules = read if kind == "faults" else {"rules": [{"match": {}, "effect": read}]}
        file.write_text(json.dumps(rules), encoding="utf-8")
        assert len(load_rules(file)) == len(rules["rules"])
    elif kind == "extra":
        set_connection("tencentcloud_default", conn_type="tencentcloud", login="a", password="b", extra=read)
        priced = MainlandPermitOcrHook().priced(Budget())
        assert (priced.price_per_call, priced.currency) == (
            Decimal(str(read["price_per_call"])),
            read["currency"],
        )
    elif kind == "postgres extra":
        set_connection("warehouse", **postgres.airflow_connection(postgres_database), extra=read)
        engine = sql_engine("warehouse")
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT 1")).scalar() == 1
        engine.dispose()
    elif kind == "cam policy":
        (statement,) = read["statement"]
        assert (statement["effect"], statement["resource"]) == ("allow", ["*"])
        called = {f"{SERVICE}:{ACTION}", "sts:GetCallerIdentity"}
        assert set(statement["action"]) == called
    else:
        assert list(read) == [field.name for field in dataclasses.fields(CallRecord)]
