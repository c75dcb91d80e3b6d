"""Which part of its list a run reads, and what runs have left for those that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from airflow_provider_permitocr.options.targets.result_file import PRIVATE

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """Which part of its list a run reads.

    :param since: only images changed at this time or later; None: all.
    :param until: only images changed before this time; None: all.
    :param shard: such as ``2/4``; None: the whole list.
    :param is_repeatable: whether a later run can read the same part: not that of a query with templates.
    """

    since: datetime | None = None
    until: datetime | None = None
    shard: str | None = None
    is_repeatable: bool = True

    def covers(self, other: Window) -> bool:
        """Return whether who reads this window reads all of another one."""
        return (
            self.is_repeatable
            and other.is_repeatable
            and self.shard in (None, other.shard)
            and (self.since or _FIRST) <= (other.since or _FIRST)
            and (other.until or _LAST) <= (self.until or _LAST)
        )


@dataclass(frozen=True)
class DueFile:
    """A file that a run's window is written to, as the run has rendered it.

    :param file_format: such as ``parquet``.
    :param file_mode: who may read and write it, on a disk.
    :param escape_formulas: whether texts are kept from being taken for formulas; None: as the format has it.
    :param byte_order_mark: whether it begins with one.
    """

    path: str
    conn_id: str | None
    file_format: str
    file_mode: int = PRIVATE
    escape_formulas: bool | None = None
    byte_order_mark: bool = False

    @property
    def place(self) -> tuple[str | None, str]:
        """What tells it from other files."""
        return self.conn_id, self.path


@dataclass(frozen=True)
class LeftRun:
    """A run whose window is unfinished, or whose file is.

    :param run: what tells it from other runs: DAG, task, DAG run and number in a mapped task.
    :param files: what its window will be written to.
    """

    run: tuple[str, str, str, int]
    window: Window
    files: tuple[DueFile, ...] = ()


@dataclass(frozen=True)
class Leftovers:
    """What earlier runs of a list have left, and this run takes over.

    :param runs: those whose window can be read again, the oldest window first.
    :param unread: images that nobody can list again, left by runs of a query with templates.
    :param unread_runs: names of these runs, for clearing them.
    """

    runs: Sequence[LeftRun] = ()
    unread: int = 0
    unread_runs: Sequence[str] = field(default_factory=tuple)
