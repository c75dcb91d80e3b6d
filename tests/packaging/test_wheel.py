"""The wheel as a user installs it: into a clean environment, with nothing of the repository around."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from airflow_provider_permitocr import __version__

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]


def run(*command: str | Path, home: Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(home / "airflow"), "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "build", "--wheel", "--installer", "uv", "--outdir", folder, _ROOT)
    run(sys.executable, *build, home=folder, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it asks for, no extras."""
    folder = tmp_path_factory.mktemp("clean")
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--python", sys.executable, folder / "venv", home=folder, cwd=folder)
    python = folder / "venv" / "bin" / "python"
    install = ("pip", "install", "--python", python, "-c", _ROOT / "constraints.txt", wheel)
    run(uv, *install, home=folder, cwd=folder)
    return folder


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"airflow_provider_permitocr"}
    assert "airflow_provider_permitocr/py.typed" in names
    page = _ROOT / "airflow_provider_permitocr" / "plugins" / "static"
    files = {file.relative_to(_ROOT).as_posix() for file in page.rglob("*") if file.is_file()}
    assert len(files) > 10
    assert files <= set(names)


def test_a_source_distribution_has_the_dbt_package(tmp_path: Path) -> None:
    build = ("-m", "build", "--sdist", "--installer", "uv", "--outdir", tmp_path, _ROOT)
    run(sys.executable, *build, home=tmp_path, cwd=tmp_path)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(
        ["git", "ls-files", "dbt"], cwd=_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "dbt/permit_ocr/dbt_project.yml" in listed
    assert [name for name in listed if name not in names] == []


def test_the_wheel_is_small_enough_for_every_image_of_a_worker(wheel: Path) -> None:
    assert wheel.stat().st_size < 1_000_000


def test_a_clean_environment_lists_the_provider(clean: Path) -> None:
    listed = run(clean / "venv/bin/airflow", "providers", "list", "--output", "json", home=clean, cwd=clean)
    providers = {each["package_name"]: each for each in json.loads(listed[listed.index("[") :])}
    assert providers["airflow-provider-permitocr"]["version"] == __version__


def test_a_clean_environment_finds_the_plugin_with_its_page(clean: Path) -> None:
    script = (
        "from airflow.plugins_manager import get_fastapi_plugins\n"
        "print([each['url_prefix'] for each in get_fastapi_plugins()[0] if each['name'] == 'Permit OCR'])\n"
    )
    said = run(clean / "venv/bin/python", "-c", script, home=clean, cwd=clean)
    assert "['/permitocr']" in said


def test_a_clean_environment_has_the_connection_type_and_runs_without_extras(clean: Path) -> None:
    script = (
        "from airflow.providers_manager import ProvidersManager\n"
        "print(ProvidersManager().hooks['tencentcloud'].hook_name)\n"
        "import airflow_provider_permitocr.operators.mainland_permit_ocr\n"
        "from airflow_provider_permitocr import MainlandPermitOcrHook\n"
        "print(MainlandPermitOcrHook('nobody').test_connection())\n"
    )
    said = run(clean / "venv/bin/python", "-c", script, home=clean, cwd=clean)
    assert "Tencent Cloud" in said
    assert "(False, \"there is no connection 'nobody'" in said
