"""What an erasure asks of the ledger, and of stored portraits."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading


@dataclass(frozen=True)
class ErasedImages:
    """What an erasure covers, or has done in the ledger, in numbers only.

    :param images: images that are erased, or rewritten under a policy.
    :param identical: images among them with the same picture as one whose key is given.
    :param answers: answers that are deleted or rewritten, including those no longer in force.
    :param portraits: stored portraits that were removed; unknown before an erasure.
    :param erased_before: images whose key is given, and that an earlier erasure has handled.
    :param unknown_keys: given keys that the ledger does not know.
    :param unreadable: images whose answer is gone from the ledger, so that no policy can be applied to it.
    """

    images: int = 0
    identical: int = 0
    answers: int = 0
    portraits: int = 0
    erased_before: int = 0
    unknown_keys: int = 0
    unreadable: int = 0

    def __add__(self, more: ErasedImages) -> ErasedImages:
        return ErasedImages(*map(operator.add, astuple(self), astuple(more)))


class Portraits(Protocol):
    """Portraits that are stored outside of the ledger."""

    def remove(self, profiles: Collection[str]) -> int:
        """Delete stored portraits; one that is already gone is not an error.

        :param profiles: values of the column ``profile``: paths of stored portraits; base64, which needs no
            deletion; and names of portraits whose paths are unknown.
        :return: how many were deleted, as far as known.
        :raises UnreachableError: when a retry may succeed.
        """
        ...


class LedgerErasure(Protocol):
    """One erasure in the ledger, of one list."""

    def count(self) -> ErasedImages:
        """Count what ``erase`` would do. Changes nothing."""
        ...

    def erase(self, stop: threading.Event) -> ErasedImages:
        """Erase, a few images at a time; safe to repeat after an error.

        :param stop: set it to end early; what was erased stays erased.
        :raises RunStoppedError: when asked to stop.
        """
        ...

    def other_targets(self) -> Sequence[str]:
        """Name the targets that the list has had, and that its task does not name."""
        ...

    def unfinished_files(self) -> int:
        """Count the files of runs whose window is incomplete, and that may contain part of it."""
        ...

    def end(self, outcome: str) -> None:
        """Write down that the erasure has ended.

        :param outcome: what became of targets and files, in words, without values.
        """
        ...
