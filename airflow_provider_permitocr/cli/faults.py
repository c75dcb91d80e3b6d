"""Errors of commands in words: hooks and drivers of any provider raise their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_permitocr.errors import PermitOcrError


def hook_fault(error: Exception, whose: str = "a connection's hook") -> str:
    """Describe an error of a connection's hook or driver.

    Its own words stay out, but of those about an import: URLs with passwords are among them.
    """
    words = f": {error}" if isinstance(error, ImportError) else ""
    return f"{whose} failed with {type(error).__name__}{words}"


@contextmanager
def ledger_faults(named: str) -> Iterator[list[str]]:
    """Report an error on stderr, and continue after the block.

    :param named: the task.
    :return: the reported messages; empty if there were no errors.
    """
    faults: list[str] = []
    try:
        yield faults
    except PermitOcrError as error:
        faults.append(str(error))
    except Exception as error:  # noqa: BLE001  see ``hook_fault``
        faults.append(hook_fault(error))
    for fault in faults:
        sys.stderr.write(f"{named}: {fault}\n")
