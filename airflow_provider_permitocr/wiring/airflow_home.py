"""The worker's own directory."""

from __future__ import annotations

import os
from pathlib import Path


def journal_folder(named: str | None) -> Path:
    """Return the folder of journals.

    :param named: by the user; None: ``permitocr_journal`` in ``AIRFLOW_HOME``.
    """
    # As Airflow itself looks for it.
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
    return Path(named) if named else home / "permitocr_journal"
