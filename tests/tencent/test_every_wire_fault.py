"""Every fault on the way, met with real sockets, TLS and proxies, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import ImageRow, Left, Outcome, PermitRequest
from airflow_provider_permitocr.errors import (
    AccountError,
    ApiUnreachableError,
    Decision,
    PermitOcrError,
    ThrottledTooLongError,
)
from airflow_provider_permitocr.options.run import CallRetry
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.decisions import look_up
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.wire_codes import MALFORMED, NETWORK, WIRE_CODES
from tests.net.proxy import Proxy
from tests.tencent.paced_calls import PacedCalls
from tests.tencent.wire_faults import FAULTS, NEVER_SENT, RETRY_AFTER, FaultyClient, World

_ATTEMPTS = 2
#: Calls for one image whose every call ends with a code of this decision, where none has ever worked.
_CALLS = {
    Decision.RETRY: _ATTEMPTS,
    Decision.IMAGE: 1,
    Decision.ACCOUNT: 1 + 1,
    Decision.THROTTLE: 3,
    Decision.UNREACHABLE: 1 + 6,
}


@pytest.fixture
def world(
    raw_server: Callable[..., Any],
    emulator: RunningEmulator,
    tls_emulator: RunningEmulator,
    options_for: Callable[..., ClientOptions],
    proxy: Proxy,
    front: Specimen,
) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(raw_server, emulator, tls_emulator, options_for, proxy, stack, front.image)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "faulty", "code", "billed"), FAULTS, ids=[each[0] for each in FAULTS])
def test_fault_has_its_code_is_repeated_as_that_says_and_billed_only_if_it_may_be(
    world: World,
    private_values: Callable[[Specimen], set[str]],
    front: Specimen,
    told_by: Callable[[BaseException], str],
    name: str,
    faulty: FaultyClient,
    code: str,
    billed: bool | None,
) -> None:
    with faulty(world) as client:
        paced = PacedCalls(client, CallRetry(attempts=_ATTEMPTS, max_throttled_seconds=100))
        end: Outcome | Left | PermitOcrError
        try:
            end = paced.caller.call(
                ImageRow("k1", None), lambda: PermitRequest(CardSide.FRONT, image=world.image)
            )
        except (AccountError, ApiUnreachableError, ThrottledTooLongError) as error:
            end = error
    rows = paced.ledger_rows()
    assert {(row.code, row.billed, row.request_id) for row in rows} == {
        (code, billed, "r" if code.endswith("NoFields") else None)
    }
    assert len(rows) == _CALLS[look_up(code).decision]
    said = told_by(end) if isinstance(end, PermitOcrError) else repr(end)
    assert code in said
    if isinstance(end, Outcome):
        assert end.counts is (name not in NEVER_SENT)
    assert not [value for value in private_values(front) if value in said]


@pytest.mark.parametrize(("status", "waits"), [(b"429 Too Many", 2), (b"503 Unavailable", 1)])
def test_next_try_waits_as_long_as_the_answer_asks_for(world: World, status: bytes, waits: int) -> None:
    client = world.saying(b"", b"%s\r\nRetry-After: %d" % (status, RETRY_AFTER))
    paced = PacedCalls(client, CallRetry(attempts=_ATTEMPTS, max_throttled_seconds=100))
    with suppress(ThrottledTooLongError):
        paced.caller.call(ImageRow("k1", None), lambda: PermitRequest(CardSide.FRONT, image=world.image))
    assert paced.clock.waits == [RETRY_AFTER] * waits


def test_every_code_for_a_fault_on_the_way_is_met_here() -> None:
    # The bare ones stand for faults that have no code of their own yet.
    assert {each[2] for each in FAULTS} == {each.code for each in WIRE_CODES} - {NETWORK, MALFORMED}
