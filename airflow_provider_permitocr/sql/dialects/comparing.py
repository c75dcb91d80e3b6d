"""What is compared to decide whether a ledger already knows the current version of a list's row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class Typed:
    """A column, or what a query selects, with its type in the driver's own terms.

    :param type: as returned by ``Database.driver_types``.
    """

    column: sa.ColumnElement[Any]
    type: Any
