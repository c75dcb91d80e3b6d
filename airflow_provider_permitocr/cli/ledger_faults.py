"""Reports errors of a command that changes a ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_permitocr.errors import PermitOcrError


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
    except Exception as error:  # noqa: BLE001  hooks and drivers of any provider raise their own errors
        # Their own words stay out, but of those about an import: URLs with passwords are among them.
        words = f": {error}" if isinstance(error, ImportError) else ""
        faults.append(f"a connection's hook failed with {type(error).__name__}{words}")
    for fault in faults:
        sys.stderr.write(f"{named}: {fault}\n")
