"""SQLAlchemy's own log of statements, kept from showing rows."""

from __future__ import annotations

import logging


def keep_rows_out_of_the_log() -> None:
    """Cap SQLAlchemy's logger where it is at DEBUG: there it prints every row that it reads."""
    logger = logging.getLogger("sqlalchemy.engine")
    if logger.isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.INFO)
