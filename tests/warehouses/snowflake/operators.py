"""Runs of the operator into Snowflake; runs in ``.venv-snowflake``.

Takes what to do as JSON from one file, and writes what it saw into another.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.cli.checks.list_and_target_checks import check_image_list, check_result_table
from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.wiring.without_calls import open_rebuild
from tests.warehouses.snowflake.stand_in import CONN_ID, Snow, snow


def operator(source: str, carried: list[str], **options: Any) -> MainlandPermitOcrOperator:
    arguments: dict[str, Any] = {
        "source": ImageTable(source, conn_id="warehouse", key="key", image="image", carry_columns=carried),
        "target": ResultTable(f"permits_of_{source}", conn_id=CONN_ID),
        "ledger": Ledger("permit_ocr", conn_id="warehouse"),
        "pool": "tencent_permit_ocr",
        **options,
    }
    return MainlandPermitOcrOperator(task_id="recognize", **arguments)


def filled(servers: Snow, lists: list[str], carried: list[str]) -> Any:
    """Fill tables from a ledger that another database's runs have left."""
    told: dict[str, Any] = {}
    for source in lists:
        number = len(servers.statements)
        described = operator(source, carried, list=f"warehouse:permits_of_{source}", max_per_second=1)
        with open_rebuild(
            described.options, threading.Event(), is_of_run=False, log=described.log
        ) as rebuild:
            rebuild.run()
        told[source] = {
            "merges": servers.since(number).count("MERGE"),
            "rows": servers.rows(f"permits_of_{source}"),
        }
    return told


def runs(servers: Snow, list_name: str) -> Any:
    """Recognize a list, and again."""
    told: dict[str, Any] = {}
    summaries = []
    merges = []
    for run_id in ("run 1", "run 2"):
        number = len(servers.statements)
        summaries.append(operator(list_name, ["day"], max_per_second=50).execute({"run_id": run_id}))
        merges.append(servers.since(number).count("MERGE"))
    told["merges"], told["summaries"] = merges, summaries
    told["rows"] = servers.rows(f"permits_of_{list_name}")
    table = ResultTable(f"permits_of_{list_name}", conn_id=CONN_ID)
    told["checked"] = [
        [str(found.verdict), found.message]
        for described in (table, ResultTable("not_yet", conn_id=CONN_ID))
        for found in check_result_table(described)
    ]
    source = ImageTable("permits", conn_id=CONN_ID, key="key", image="image")
    told["list"] = [[str(found.verdict), found.message] for found in check_image_list(source)]
    told["plan"] = operator(list_name, ["day"], max_per_second=50, plan_only=True).execute(
        {"run_id": "run 3"}
    )
    told["ledger"] = _refusal(
        lambda: operator(list_name, ["day"], ledger=None, max_per_second=50).execute({"run_id": "run 4"})
    )
    told["adopt"] = _refusal(lambda: adopt_list(operator(list_name, ["day"], max_per_second=50)))
    told["other spelling"] = _refusal(
        lambda: operator(
            list_name,
            ["day"],
            target=ResultTable("DB.Public.permits_OF_few", conn_id=CONN_ID),
            list="another",
        ).execute({"run_id": "run 5"})
    )
    return told


def _refusal(do: Callable[[], object]) -> str:
    try:
        do()
    except PermitOcrError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001  Airflow's, which ends a task without its retries
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


def main() -> None:
    wanted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with snow() as servers:
        told = {name: globals()[name](servers, **arguments) for name, arguments in wanted.items()}
    Path(sys.argv[2]).write_text(json.dumps(told, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
