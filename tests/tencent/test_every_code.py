"""Every code of the table, answered by an emulator, and what the client and the caller make of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.running import RunningEmulator, start_emulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import ImageRow, Outcome, PermitRequest
from airflow_provider_permitocr.errors import AccountError, CallError, Decision
from airflow_provider_permitocr.options.run import CallRetry
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import QUALITY_COLUMNS
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.decisions import look_up
from airflow_provider_permitocr.tencent.options import ClientOptions
from tests.tencent.paced_calls import PacedCalls

_CODES = [*(each.code for each in SERVICE_CODES), "SomethingNew", "FailedOperation.SomethingNew"]
_CONTENT_TYPES = ("application/json", "application/json; charset=utf-8", "text/html")
#: More than the caller grants to a fault that may be the image's own.
_ATTEMPTS = 5
_THROTTLED = 2
_RETRY_AFTER = 9
#: Calls for one image whose every call ends with a code of this decision, where others have worked.
_CALLS = {
    Decision.THROTTLE: _THROTTLED + 1,
    Decision.RETRY: _ATTEMPTS,
    Decision.UNCLEAR: 3,
    Decision.IMAGE: 1,
    Decision.ACCOUNT: 1 + 3,
    Decision.REPAIR: 1 + 1 + 3,
}


def _request(code: str, way: str) -> PermitRequest:
    """Ask with an image that the rules of this code know; none of them gets as far as being looked at."""
    text = f"{way} {code}"
    return PermitRequest(CardSide.FRONT, image=text.encode(), call_id=text)


def _rules() -> Iterator[dict[str, object]]:
    for code in _CODES:
        effects = {way: {"error": code, "content_type": way} for way in _CONTENT_TYPES}
        for way, effect in (effects | {"paced": {"error": code, "retry_after": _RETRY_AFTER}}).items():
            match: dict[str, object] = {"image": hashlib.sha256(f"{way} {code}".encode()).hexdigest()}
            if look_up(code).decision is Decision.THROTTLE and way == "paced":
                match["attempts"] = [f"1-{_THROTTLED}"]
            yield {"name": f"{way} {code}", "match": match, "effect": effect}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """An emulator that answers each code to the images that ask for it."""
    faults = tmp_path_factory.mktemp("faults") / "faults.json"
    faults.write_text(json.dumps({"rules": list(_rules())}))
    with start_emulator(EmulatorOptions(quota=0, faults=faults), LabelEngine()) as running:
        yield running


@pytest.fixture
def client(failing: RunningEmulator, options_for: Callable[..., ClientOptions]) -> MainlandPermitClient:
    return MainlandPermitClient(options_for(failing))


@pytest.mark.parametrize("content_type", _CONTENT_TYPES)
@pytest.mark.parametrize("code", _CODES)
def test_code_is_read_whatever_the_content_type_says_and_told_as_the_table_has_it(
    client: MainlandPermitClient, failing: RunningEmulator, code: str, content_type: str
) -> None:
    with pytest.raises(CallError) as caught:
        client.recognize(_request(code, content_type))
    error, known = caught.value, look_up(code)
    assert (error.code, error.decision, error.billed) == (code, known.decision, known.billed)
    assert error.advice == known.advice
    records = {record.trace_id: record for record in failing.records()}
    record = records[f"{content_type} {code}"]
    assert error.request_id == record.request_id
    # What nobody can tell is in no sum; the emulator, as the service, knows.
    assert error.billed in (record.billed, None)


@pytest.mark.parametrize("code", _CODES)
def test_call_is_repeated_as_its_decision_says_and_each_try_has_its_row_in_the_ledger(
    client: MainlandPermitClient, failing: RunningEmulator, front: Specimen, code: str
) -> None:
    paced = PacedCalls(client, CallRetry(attempts=_ATTEMPTS))
    good = PermitRequest(CardSide.FRONT, image=front.image)
    answered = paced.caller.call(ImageRow("good", None), lambda: good)
    assert isinstance(answered, Outcome)
    read = {name: value for name, value in answered.fields.items() if name not in QUALITY_COLUMNS}
    assert read == flatten(front.fields)
    with suppress(AccountError):
        paced.caller.call(ImageRow(code, None), partial(_request, code, "paced"))

    decision = look_up(code).decision
    assert paced.caller.calls == 1 + _CALLS[decision]
    if decision not in (Decision.ACCOUNT, Decision.REPAIR):
        assert paced.clock.waits == [_RETRY_AFTER] * (_CALLS[decision] - 1)
    records = {record.trace_id: record for record in failing.records()}
    rows = paced.ledger_rows()
    assert len(rows) == paced.caller.calls
    for row in rows:
        record = records[row.call_id]
        assert (row.code, row.request_id) == (record.code, record.request_id)
        assert row.billed in (record.billed, None)
