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
    """The part of its list that a run reads.

    :param since: only images changed at this time or later; None: all.
    :param until: only images changed before this time; None: all.
    :param shard: such as ``2/4``; None: the whole list.
    :param is_repeatable: whether a later run can read the same part: not for a query with templates.
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
    :param file_mode: its permissions on a disk.
    :param escape_formulas: whether texts are escaped so that spreadsheets don't run them as formulas; None:
        the format's default.
    :param byte_order_mark: whether it starts with one.
    """

    path: str
    conn_id: str | None
    file_format: str
    file_mode: int = PRIVATE
    escape_formulas: bool | None = None
    byte_order_mark: bool = False

    @property
    def place(self) -> tuple[str | None, str]:
        """Its identifying values."""
        return self.conn_id, self.path


@dataclass(frozen=True)
class LeftRun:
    """A run whose window or file is unfinished.

    :param run: its identifying values: DAG, task, DAG run and map index.
    :param files: what its window will be written to.
    """

    run: tuple[str, str, str, int]
    window: Window
    files: tuple[DueFile, ...] = ()


@dataclass(frozen=True)
class Leftovers:
    """What earlier runs of a list have left, and this run takes over.

    :param runs: those whose window can be read again, oldest window first.
    :param unread: images that cannot be listed again, left by runs of a query with templates.
    :param unread_runs: names of these runs, so that a user can clear them.
    """

    runs: Sequence[LeftRun] = ()
    unread: int = 0
    unread_runs: Sequence[str] = field(default_factory=tuple)
