"""What error trackers record of an error that leaves the package."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType

import pytest

from airflow_provider_permitocr.error_privacy import private_errors, remove_data

SECRET = "LI,YOU-TU"


class DriverError(Exception):
    """Quotes the row."""


def fail(row: str) -> None:
    found = [{"name": row}]
    raise DriverError(f"Failing row contains {found}")


def translate(row: str) -> None:
    try:
        fail(row)
    except DriverError:
        raise ValueError("the row was refused") from None


def wrap(row: str) -> None:
    try:
        translate(row)
    except ValueError as error:
        raise RuntimeError("the run ended") from error


def frames(trace: TracebackType | None) -> Iterator[dict[str, object]]:
    while trace is not None:
        yield trace.tb_frame.f_locals
        trace = trace.tb_next


def caught(work: object) -> BaseException:
    try:
        work(SECRET)  # type: ignore[operator]
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("it raises nothing")


def locals_of(error: BaseException) -> str:
    # The first frame is this module's own, which still runs.
    return str(list(frames(error.__traceback__))[1:])


def test_frames_lose_their_locals_and_keep_their_lines() -> None:
    error = caught(private_errors(fail))
    assert SECRET not in locals_of(error)
    assert "in fail" in "".join(traceback.format_exception(error))
    assert SECRET in locals_of(caught(fail))


def test_an_error_that_was_replaced_is_removed_and_a_cause_stays_without_locals() -> None:
    error = caught(private_errors(wrap))
    cause = error.__cause__
    assert isinstance(cause, ValueError)
    assert cause.__context__ is None
    assert error.__context__ is None
    assert SECRET not in locals_of(error) + locals_of(cause)
    unchanged = caught(wrap).__cause__
    assert unchanged
    assert isinstance(unchanged.__context__, DriverError)


def test_arguments_are_not_recorded_where_an_error_leaves() -> None:
    def method(*, row: str) -> None:
        fail(row)

    error = caught(lambda row: private_errors(method)(row=row))
    (wrapper,) = [each for each in frames(error.__traceback__) if "function" in each]
    assert SECRET not in str(wrapper)


def test_errors_of_a_group_and_in_a_circle_lose_their_locals() -> None:
    first, second = caught(fail), caught(translate)
    first.__context__, second.__context__ = second, first
    remove_data(BaseExceptionGroup("both", [first, second]))
    assert SECRET not in locals_of(first) + locals_of(second)


def test_what_a_function_returns_passes() -> None:
    @private_errors
    def double(number: int) -> int:
        return 2 * number

    assert double(21) == 42
    assert double.__name__ == "double"


def test_an_interruption_loses_its_locals_too() -> None:
    def interrupted(row: str) -> None:
        raise KeyboardInterrupt

    error = caught(private_errors(interrupted))
    assert isinstance(error, KeyboardInterrupt)
    assert SECRET not in locals_of(error)


def test_a_generator_that_ended_by_the_error_is_no_obstacle() -> None:
    def rows(row: str) -> Iterator[str]:
        yield row
        fail(row)

    error = caught(private_errors(lambda row: list(rows(row))))
    assert SECRET not in locals_of(error)


@pytest.mark.parametrize("kind", [ValueError, AssertionError])
def test_the_error_itself_is_the_one_that_was_raised(kind: type[Exception]) -> None:
    raised = kind("as it was")

    @private_errors
    def work() -> None:
        raise raised

    with pytest.raises(kind) as caught_error:
        work()
    assert caught_error.value is raised
