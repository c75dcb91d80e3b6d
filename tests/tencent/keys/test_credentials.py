from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from airflow_provider_permitocr.errors import CallError, ConfigurationError, Decision
from airflow_provider_permitocr.tencent.keys.credentials import (
    ConnectionKeys,
    IssuedKeys,
    Keys,
    TemporaryKeys,
    after_refusal,
    assumed,
)

OLD, NEW = Keys("AKIDold", "old-key", "old-token"), Keys("AKIDnew", "new-key", "new-token")


def refusal(code: str = "AuthFailure.TokenFailure", decision: Decision = Decision.REPAIR) -> CallError:
    return CallError(code, "refused", decision, billed=False)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sts:
    """Issues keys with numbers, or raises what it was told to."""

    def __init__(self, seconds: float = 100) -> None:
        self.seconds = seconds
        self.asked_with: list[Keys] = []
        self.faults: list[CallError] = []

    def __call__(self, base: Keys) -> IssuedKeys:
        self.asked_with.append(base)
        if self.faults:
            raise self.faults.pop(0)
        number = len(self.asked_with)
        return IssuedKeys(Keys(f"AKID{number}", f"key{number}", f"token{number}"), self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def role(sts: Sts, clock: Clock) -> TemporaryKeys:
    return TemporaryKeys(partial(assumed, ConnectionKeys(OLD), sts), clock=clock)


def test_keys_of_a_connection_are_looked_up_only_once_they_are_refused(clock: Clock) -> None:
    looked_up: list[Keys] = []

    def look_up() -> Keys:
        looked_up.append(NEW)
        return NEW

    keys = ConnectionKeys(OLD, look_up, clock=clock)
    assert (keys.current(), looked_up) == (OLD, [])
    assert keys.renew(OLD)
    assert keys.current() == NEW
    # Those that had been signed with the old ones meanwhile.
    assert keys.renew(OLD)
    assert len(looked_up) == 1


def test_threads_that_met_the_same_fault_look_up_once_in_all(clock: Clock) -> None:
    looked_up: list[int] = []
    all_there = threading.Barrier(16)

    def look_up() -> Keys:
        looked_up.append(1)
        return OLD

    keys = ConnectionKeys(OLD, look_up, clock=clock)

    def meet(_: int) -> bool:
        all_there.wait()
        return keys.renew(OLD)

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(meet, range(16))) == {False}
    assert len(looked_up) == 1


def test_keys_that_are_replaced_a_little_late_are_found_by_the_next_look(clock: Clock) -> None:
    filled_in = [OLD, NEW]
    keys = ConnectionKeys(OLD, lambda: filled_in.pop(0), clock=clock)
    assert not keys.renew(OLD)
    assert not keys.renew(OLD)
    clock.now += 1
    assert keys.renew(OLD)
    assert keys.current() == NEW


def test_keys_without_a_connection_stay_as_they_are() -> None:
    assert not ConnectionKeys(OLD).renew(OLD)


def test_a_connection_that_is_gone_is_a_fault_for_good() -> None:
    def look_up() -> Keys:
        raise ConfigurationError("there is no connection 'tc'")

    with pytest.raises(CallError, match="there is no connection 'tc'") as caught:
        ConnectionKeys(OLD, look_up).renew(OLD)
    assert (caught.value.decision, caught.value.billed) == (Decision.ACCOUNT, False)


def test_a_place_of_secrets_that_is_away_may_come_back_and_is_not_quoted() -> None:
    def look_up() -> Keys:
        raise OSError("vault: secret-word")

    with pytest.raises(CallError, match=r"reading them again failed \(OSError\)") as caught:
        ConnectionKeys(OLD, look_up).renew(OLD)
    assert (caught.value.decision, caught.value.was_sent) == (Decision.RETRY, False)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    "code",
    [
        "AuthFailure.InvalidSecretId",
        "AuthFailure.SecretIdNotFound",
        "AuthFailure.SignatureExpire",
        "AuthFailure.SignatureFailure",
        "AuthFailure.TokenFailure",
    ],
)
def test_a_call_whose_keys_were_replaced_is_repeated(code: str) -> None:
    error = after_refusal(refusal(code, Decision.ACCOUNT), ConnectionKeys(OLD, lambda: NEW), OLD)
    assert (error.code, error.decision) == (code, Decision.REPAIR)


def test_a_fault_stands_where_the_connection_has_the_same_keys() -> None:
    fault = refusal("AuthFailure.SecretIdNotFound", Decision.ACCOUNT)
    assert after_refusal(fault, ConnectionKeys(OLD, lambda: OLD), OLD).decision is Decision.ACCOUNT


@pytest.mark.parametrize("code", ["FailedOperation.ArrearsError", "InternalError", "AuthFailure.MFAFailure"])
def test_other_faults_look_nothing_up(code: str) -> None:
    def look_up() -> Keys:
        raise AssertionError("it was looked up")

    after_refusal(refusal(code, Decision.RETRY), ConnectionKeys(OLD, look_up), OLD)


@pytest.mark.parametrize("seconds", [0.4, 2, 30, 7200, 43200])
def test_keys_of_a_role_are_renewed_at_three_quarters_of_any_lifetime(
    role: TemporaryKeys, sts: Sts, clock: Clock, seconds: float
) -> None:
    sts.seconds = seconds
    first = role.current()
    clock.now += 0.74 * seconds
    assert role.current() == first
    clock.now += 0.02 * seconds
    assert role.current().secret_id == "AKID2"
    assert len(sts.asked_with) == 2


def test_others_go_on_with_the_old_keys_while_one_thread_asks(clock: Clock) -> None:
    asked, answer = threading.Event(), threading.Event()
    sts = Sts()

    def slow(base: Keys) -> IssuedKeys:
        if sts.asked_with:
            asked.set()
            assert answer.wait(10)
        return sts(base)

    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD), slow), clock=clock)
    first = role.current()
    clock.now += 80
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(role.current)
        assert asked.wait(10)
        assert role.current() == first
        answer.set()
        assert renewing.result().secret_id == role.current().secret_id == "AKID2"


def test_all_wait_for_one_answer_where_there_are_no_keys(clock: Clock) -> None:
    sts = Sts()
    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD), sts), clock=clock)
    all_there = threading.Barrier(16)

    def ask(_: int) -> str:
        all_there.wait()
        return role.current().secret_id

    with ThreadPoolExecutor(16) as threads:
        for number in (1, 2, 3):
            assert set(threads.map(ask, range(16))) == {f"AKID{number}"}
            assert len(sts.asked_with) == number
            clock.now += 101


@pytest.mark.slow
def test_no_thread_ever_has_parts_of_two_issues() -> None:
    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD), Sts(seconds=0.002)))
    done = threading.Event()

    def look(_: int) -> set[Keys]:
        seen = set()
        while not done.is_set():
            seen.add(role.current())
        return seen

    with ThreadPoolExecutor(8) as threads:
        looking = [threads.submit(look, number) for number in range(8)]
        done.wait(0.5)
        done.set()
    seen = set().union(*(each.result() for each in looking))
    assert len(seen) > 10
    assert {(each.secret_id[4:], each.secret_key[3:]) for each in seen} == {
        (str(each.token)[5:], str(each.token)[5:]) for each in seen
    }


def test_the_old_keys_serve_while_sts_is_away(role: TemporaryKeys, sts: Sts, clock: Clock) -> None:
    first = role.current()
    sts.faults = [refusal("ClientNetworkError", Decision.RETRY)] * 2
    clock.now += 80
    assert [role.current() for _ in range(50)] == [first] * 50
    # Not at each call, but again before they end.
    assert len(sts.asked_with) == 2
    clock.now += 6
    assert role.current() == first
    clock.now += 6
    assert role.current().secret_id == "AKID4"


def test_keys_that_have_ended_are_not_signed_with(role: TemporaryKeys, sts: Sts, clock: Clock) -> None:
    role.current()
    clock.now += 100
    sts.faults = [refusal("ClientNetworkError", Decision.RETRY)]
    with pytest.raises(CallError) as caught:
        role.current()
    assert caught.value.decision is Decision.RETRY
    clock.now += 1
    assert role.current().secret_id == "AKID3"


def test_a_call_has_time_to_arrive_before_its_keys_end(role: TemporaryKeys, sts: Sts, clock: Clock) -> None:
    role.current()
    sts.faults = [refusal("ClientNetworkError", Decision.RETRY)] * 9
    clock.now += 99
    with pytest.raises(CallError):
        role.current()


def test_many_threads_are_told_of_a_fault_without_asking_each(
    role: TemporaryKeys, sts: Sts, clock: Clock
) -> None:
    advised = CallError("UnauthorizedOperation", "no", Decision.ACCOUNT, "r", billed=False, advice="Let it")
    sts.faults = [advised] * 2
    raised = []
    for _ in range(20):
        with pytest.raises(CallError) as caught:
            role.current()
        raised.append(caught.value)
    assert len(sts.asked_with) == 1
    assert len(set(map(id, raised))) == 20
    assert {(each.code, each.decision, each.advice, each.request_id) for each in raised} == {
        ("UnauthorizedOperation", Decision.ACCOUNT, "Let it", "r")
    }
    clock.now += 1
    with pytest.raises(CallError):
        role.current()
    assert len(sts.asked_with) == 2


def test_refused_keys_of_a_role_are_renewed_at_once_and_once(role: TemporaryKeys, sts: Sts) -> None:
    first = role.current()
    assert role.renew(first)
    second = role.current()
    # Answers to calls that were signed before that.
    assert role.renew(first)
    assert role.current() == second
    assert len(sts.asked_with) == 2


def test_keys_to_assume_the_role_with_may_be_replaced_too(sts: Sts, clock: Clock) -> None:
    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD, lambda: NEW, clock=clock), sts), clock=clock)
    sts.faults = [refusal("AuthFailure.SecretIdNotFound", Decision.ACCOUNT)]
    assert role.current().secret_id == "AKID2"
    assert sts.asked_with == [OLD, NEW]


def test_keys_that_may_not_assume_the_role_are_not_asked_with_twice(sts: Sts, clock: Clock) -> None:
    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD, lambda: OLD, clock=clock), sts), clock=clock)
    sts.faults = [refusal("AuthFailure.SignatureFailure", Decision.ACCOUNT)]
    with pytest.raises(CallError, match="SignatureFailure"):
        role.current()
    assert sts.asked_with == [OLD]


def test_new_keys_are_told_before_they_are_used(sts: Sts, clock: Clock) -> None:
    told: list[Keys] = []
    role = TemporaryKeys(partial(assumed, ConnectionKeys(OLD), sts), mask=told.append, clock=clock)
    issued = [role.current()]
    clock.now += 80
    issued.append(role.current())
    assert told == issued
    assert issued[0] != issued[1]


@pytest.mark.parametrize(
    "make", [lambda: ConnectionKeys(OLD), lambda: TemporaryKeys(partial(assumed, ConnectionKeys(OLD), Sts()))]
)
def test_the_repr_of_a_source_shows_no_secret(make: Callable[[], ConnectionKeys | TemporaryKeys]) -> None:
    source = make()
    source.current()
    assert not [each for each in ("old-key", "old-token", "key1", "token1") if each in repr(source)]
