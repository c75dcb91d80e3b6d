"""Whether the rows of a result table are those that its ledger has delivered."""

from __future__ import annotations

import logging
from typing import Final

from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.ports import Ledger, ResultTarget

_ADOPT: Final = "`airflow permitocr adopt DAG TASK` takes over what the table holds, without a call"
_log = logging.getLogger(__name__)


def reconcile(ledger: Ledger, delivered: int, *, is_new: bool) -> bool:
    """Have a table that is new or empty filled again, and refuse one with rows from elsewhere.

    :param ledger: its delivery is claimed.
    :param delivered: the version that the ledger has delivered; 0: none ever.
    :param is_new: the table is, or holds no row.
    :return: whether all is to be delivered again.
    :raises TargetError: naming what to do.
    """
    if not is_new and not delivered:
        raise TargetError(
            f"The result table has rows that this ledger never delivered. {_ADOPT}; or name another table"
        )
    if not is_new or not delivered:
        return False
    earliest = ledger.changes(0, 1)
    if not earliest or earliest[0].version > delivered:  # what it was given is all to come
        return False
    _log.info("The result table is new or empty; it is filled again from the ledger")
    ledger.note_delivery(0)
    return True


def require_not_ahead(ledger: Ledger, target: ResultTarget, delivered: int) -> None:
    """Refuse a table with a version that the ledger has not come to.

    :param delivered: the version that the ledger has delivered. A run that died after writing and before
        noting it leaves a larger one in the table, too.
    :raises TargetError: naming what to do.
    """
    version = target.highest_version() if delivered else None
    if version is not None and version > delivered and not ledger.changes(version - 1, 1):
        raise TargetError(
            f"The result table is ahead of its ledger: it has rows of version {version:,}, and the ledger has"
            f" none as new. Was a backup of the ledger restored? {_ADOPT}"
        )
