"""What a run reads: its own window, and what earlier runs of its list have left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, TypeVar

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.ports import LeftBehind
from airflow_provider_permitocr.engine.models import ListedImage, RowKey
from airflow_provider_permitocr.engine.ports import ImageSource
from airflow_provider_permitocr.engine.run.window import Leftovers, LeftRun
from airflow_provider_permitocr.errors import PermitOcrError, UnreachableError
from airflow_provider_permitocr.permit.status import Status

T = TypeVar("T")

_KEYS_AT_ONCE: Final = 1_000
_log = logging.getLogger(__name__)


@dataclass
class Part:
    """Rows that are read together.

    :param left: earlier runs whose windows are included.
    :param is_own: this run's own window is included.
    :param is_taken_up: rows left by earlier runs are included; they stop no run.
    :param listed: how many rows it has.
    :param is_whole: every row has been processed.
    :param is_given_up: it is left again.
    """

    source: ImageSource
    left: Sequence[LeftRun] = ()
    is_own: bool = False
    is_taken_up: bool = False
    listed: int = 0
    is_whole: bool = field(default=False, init=False)
    is_given_up: bool = field(default=False, init=False)

    def give_up(self, why: str) -> None:
        """Leave it to the next run, and log that once."""
        if not self.is_given_up:
            self.is_given_up = True
            _warn(self.left, why)

    def readable(self, rows: Iterator[T]) -> Iterator[T]:
        """Yield its readable rows; unreadable ones do not keep a run from its own images and files."""
        try:
            yield from rows
        except PermitOcrError as error:
            if not self.is_taken_up or isinstance(error, UnreachableError):
                raise
            self.give_up(f"cannot be read, and stays unfinished: {error}")


def own_part(source: ImageSource, listed: int, leftovers: Leftovers) -> Part:
    """Return the part with a run's own window, and the earlier runs whose windows lie within it."""
    covered = [each for each in leftovers.runs if source.window.covers(each.window)]
    return Part(source, covered, is_own=True, listed=listed)


def left_parts(own: Part, leftovers: Leftovers) -> Iterator[Part]:
    """Return the windows of earlier runs, oldest first, without the rows of this run's own.

    A window that cannot be read is left to the next run, and does not affect the others.
    """
    for left in leftovers.runs:
        if left not in own.left:
            source = own.source.within([left.window], besides=own.source)
            if part := _checked(source, [left]):
                yield part


def ordered_parts(own: Part, leftovers: Leftovers, found: Sequence[ListedImage]) -> Iterator[Part]:
    """Return the same in one order over all, for a list that has one; shards that differ are apart.

    :param found: images of earlier runs to read as well.
    """
    rest = [each for each in leftovers.runs if each not in own.left]
    same = [each for each in rest if each.window.shard == own.source.window.shard]
    together = None
    if same or found:
        windows = [own.source.window, *(each.window for each in same)]
        together = _checked(own.source.within(windows, found=found), [*own.left, *same], is_own=True)
        if together:
            yield together
    if together is None or together.is_given_up:
        yield own
    others = sorted((each for each in rest if each not in same), key=lambda each: each.window.shard or "")
    for _, of_shard in groupby(others, key=lambda each: each.window.shard):
        left = list(of_shard)
        source = own.source.within([each.window for each in left], besides=own.source)
        if part := _checked(source, left):
            yield part


def unsettled_images(
    source: ImageSource,
    ledger: LeftBehind,
    *,
    only_redone: bool,
    is_over: Callable[[], bool],
    note: Callable[[Attempt], object],
    unread: Callable[[int], object] = lambda _: None,
) -> Iterator[Sequence[ListedImage]]:
    """Look up the images that earlier runs could not settle, or that were requested again.

    :param only_redone: only those that were requested again.
    :param is_over: whether to stop.
    :param note: receives images that are no longer listed.
    :param unread: receives the number of images that are not listed here, but may be elsewhere.
    """
    last: RowKey | None = None
    while not is_over() and (keys := ledger.unsettled(last, _KEYS_AT_ONCE, only_redone=only_redone)):
        last = keys[-1]
        own = [key for key in keys if source.holds(key[0])]
        found = source.find(own)
        if source.finds_all:
            listed = {each.row_key for each in found}
            for key in own:
                if key not in listed:
                    note(Attempt(key, Status.GONE, counts=False))
        else:
            unread(len(own) - len(found))
        yield found


def _checked(source: ImageSource, left: Sequence[LeftRun], *, is_own: bool = False) -> Part | None:
    try:
        return Part(source, left, is_own=is_own, is_taken_up=True, listed=source.check())
    except PermitOcrError as error:
        if isinstance(error, UnreachableError):
            raise
        _warn(left, f"cannot be read, and stays unfinished: {error}")
        return None


def _warn(left: Sequence[LeftRun], why: str) -> None:
    names = f" ({', '.join(each.run[2] for each in left)})" if left else ""
    _log.warning("What earlier runs%s left %s", names, why)
