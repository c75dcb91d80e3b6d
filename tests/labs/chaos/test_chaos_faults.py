from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_permitocr.emulator.faults.faults import Faults
from airflow_provider_permitocr.emulator.faults.faults_file import load_rules
from labs.chaos.situations.faults import rules


@pytest.mark.slow
def test_each_fault_strikes_five_percent_of_the_calls(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": rules()}))
    faults = Faults(load_rules(file))
    struck = Counter[str]()
    for number in range(20_000):
        rule = faults.strike("MainlandPermitOCR", f"{number:064x}")
        struck[rule.name if rule else "none"] += 1

    shares = {name: count / 20_000 for name, count in struck.items()}
    assert shares.pop("none") == pytest.approx(0.7, abs=0.02)
    assert len(shares) == 6
    assert all(share == pytest.approx(0.05, abs=0.01) for share in shares.values())
