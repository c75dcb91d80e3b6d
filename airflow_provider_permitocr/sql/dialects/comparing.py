"""What is compared to tell that a ledger knows a row of an image list as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class Typed:
    """A column, or what a query selects, with its type in the driver's own terms.

    :param type: as ``Database.driver_types`` tells it.
    """

    column: sa.ColumnElement[Any]
    type: Any
