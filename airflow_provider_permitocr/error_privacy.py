"""Keeps personal data and secrets out of records of errors that leave this package.

Error trackers record the local variables of each frame that an error has passed. This package's contain
answers and images; those of libraries below contain a call's signature or a database's password. No frame
needs its locals once an error has left it, so they are cleared. Files, lines and messages stay.

Python's tracebacks omit a replaced error (``raise ... from None``), but it is still attached. A driver's own
error quotes the row that it refused, so it is removed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def private_errors(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Have errors leave a function without data; its own arguments are not recorded either."""

    @wraps(function)
    def call(*args: Parameters.args, **named: Parameters.kwargs) -> Result:
        try:
            return function(*args, **named)
        except BaseException as error:
            del args, named
            remove_data(error)
            raise

    return call


def remove_data(error: BaseException) -> None:
    """Clear the locals of frames that an error and its causes have left, and remove what they replaced."""
    for each in _with_causes(error):
        traceback.clear_frames(each.__traceback__)
        if each.__suppress_context__:
            each.__context__ = None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [error]
    seen: set[int] = set()
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        # Before what is yielded loses it.
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
        yield each
