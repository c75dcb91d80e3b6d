"""The main job in each environment: the shipped DAG, an emulator outside, a SQLite file as the warehouse."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labs.alone.environment import (
    Environment,
    NotInstallableError,
    build_wheel,
    make_environment,
    pythons,
)
from labs.ground.command import ROOT
from labs.ground.images import BenchImage, draw_images
from labs.ground.phases import phase
from labs.ground.servers.emulator_service import EmulatorService

if TYPE_CHECKING:
    from rich.console import Console

#: One of each kind and side.
_IMAGES: Final = 6
_SECONDS: Final = 300
#: Of dags/, those that need no provider beyond the warehouse's, as BigQuery's needs Google's.
_DAGS: Final = {"permit_ocr_analytics", "permit_ocr_archive", "permit_ocr_daily", "permit_ocr_review"}


def run_alone(releases: Sequence[str], only: Sequence[str] | None, folder: Path, console: Console) -> None:
    """Run the job under each Airflow and Python; the next Airflow is skipped where it cannot be installed.

    :param releases: some of `RELEASES`.
    :param only: paths of interpreters; None: each that is found.
    :param folder: for all that it makes.
    :raises RuntimeError: when a job went wrong, a promised Airflow cannot be installed, or no Python is
        found.
    """
    interpreters = only or pythons()
    if not interpreters:
        raise RuntimeError("No Python that setup.cfg allows is found here; name one: --python PATH")
    wheel = build_wheel(folder / "dist")
    console.print(f"{wheel.name}: {wheel.stat().st_size:,} bytes", highlight=False)
    images = draw_images(_IMAGES, folder / "images")
    failed = []
    with EmulatorService(folder, engine="label", quota=0) as emulator:
        emulator.wait_until_ready()
        for number, (airflow, python) in enumerate(product(releases, interpreters)):
            place = folder / str(number)
            with phase("Running the main job", f"{airflow} Airflow, {python}: tried", console):
                try:
                    environment = make_environment(airflow, python, wheel, place)
                    wrong = _run_job(environment, images, emulator.airflow_connection, place, console)
                except NotInstallableError as error:
                    wrong = f"it cannot be installed:\n{error}"
                    if airflow == "next":  # nobody has promised that it can be
                        console.print(f"  skipped, as {wrong}", highlight=False)
                        wrong = ""
            if wrong:
                failed.append(f"{airflow} Airflow, {python}: {wrong}")
            shutil.rmtree(place, ignore_errors=True)
    if failed:
        raise RuntimeError("\n".join(failed))


def _run_job(
    environment: Environment,
    images: Sequence[BenchImage],
    account: dict[str, str],
    place: Path,
    console: Console,
) -> str:
    """Return what went wrong; nothing if nothing did."""
    warehouse = place / "warehouse.db"
    _fill(warehouse, images)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    variables.pop("PYTHONPATH", None)
    variables |= {
        "AIRFLOW_HOME": str(place / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "labs-only-" + "x" * 64,
        "AIRFLOW_CONN_TENCENTCLOUD_DEFAULT": json.dumps(account),
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(warehouse)}),
    }
    # -P keeps the repository's folder off the path.
    said = place / "seen.json"
    command = [str(environment.python), "-P", str(ROOT / "labs" / "alone" / "job.py"), str(said)]
    try:
        done = subprocess.run(  # noqa: S603  nothing of it comes from outside
            command, cwd=place, env=variables, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the job took longer than {_SECONDS} seconds"
    if done.returncode:
        return f"the job ended with {done.returncode}:\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    seen = json.loads(said.read_text(encoding="utf-8"))
    versions = f"Airflow {seen['airflow']}, Python {seen['python']}, provider {seen['provider']}"
    wrong = what_is_wrong(seen, _found(warehouse), {each.image_id: each.number for each in images}, place)
    console.print(f"  {versions}: {'failed' if wrong else 'all images have their number'}", highlight=False)
    return wrong


def what_is_wrong(seen: dict[str, Any], found: dict[str, str], wanted: dict[str, str], place: Path) -> str:
    """Compare what a job saw and delivered with what is right; nothing if it is.

    :param seen: what ``job.py`` wrote.
    :param found: numbers in the result table, by the image's key.
    :param place: where the package has to be installed.
    """
    complaints = [
        (
            not Path(seen["package"]).is_relative_to(place),
            f"the package was imported from {seen['package']}, not from the wheel",
        ),
        (seen["import_errors"], "DAGs cannot be imported:\n" + "\n".join(seen["import_errors"])),
        (_DAGS - set(seen["dags"]), f"only these DAGs are there: {', '.join(seen['dags'])}"),
        (seen["pages"] != ["/permitocr"], f"the plugin's page is not at /permitocr: {seen['pages']}"),
        (seen["state"] != "success", f"the run of the daily DAG ended as {seen['state']}"),
        (found != wanted, f"{len(found.items() & wanted.items())} of {len(wanted)} images have their number"),
    ]
    return next((text for is_wrong, text in complaints if is_wrong), "")


def _fill(warehouse: Path, images: Sequence[BenchImage]) -> None:
    with closing(sqlite3.connect(warehouse)) as connection, connection:
        connection.execute(
            "CREATE TABLE permit_images (image_id TEXT, image TEXT, card_side TEXT, uploaded_at TIMESTAMP)"
        )
        rows = [(each.image_id, str(each.file), each.card_side, "2026-05-01 12:00:00") for each in images]
        connection.executemany("INSERT INTO permit_images VALUES (?, ?, ?, ?)", rows)


def _found(warehouse: Path) -> dict[str, str]:
    query = "SELECT image_key, coalesce(number, back_id_number, '') FROM permits"
    with closing(sqlite3.connect(warehouse)) as connection:
        return dict(connection.execute(query).fetchall())
