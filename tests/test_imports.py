"""What each part of the package may import, as docs/architecture.md has it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_permitocr

NAME = airflow_provider_permitocr.__name__
PACKAGE = Path(airflow_provider_permitocr.__file__).parent
PARTS = {
    *("options", "permit", "engine", "images", "net", "tencent", "sql", "files", "report"),
    *("wiring", "hooks", "operators", "plugins", "filesystems", "assets", "notifications", "cli", "emulator"),
}
OUTSIDE = {"airflow", "tencentcloud", "qcloud_cos", "cosfs", "fsspec", "sqlalchemy"}


def others(*allowed: str) -> set[str]:
    """Return all rooms but these."""
    return {f"{NAME}.{part}" for part in PARTS - set(allowed)}


#: What each part never imports, lazily or for types alone either.
NEVER: dict[str, set[str]] = {
    "permit": OUTSIDE | others("permit"),
    "options": OUTSIDE | others("options", "permit"),
    "engine": OUTSIDE | others("engine", "options", "permit"),
    "net": OUTSIDE | others("net"),
    "images": OUTSIDE | others("images", "engine", "options", "permit", "net"),
    "tencent": {"airflow", "sqlalchemy"} | others("tencent", "engine", "options", "permit", "net"),
    "sql": {"airflow", "tencentcloud"} | others("sql", "engine", "options", "permit"),
    "files": OUTSIDE | others("files", "engine", "options", "permit"),
    "report": OUTSIDE | {"pandas"} | others("report", "engine", "permit"),
    "wiring": {f"{NAME}.{part}" for part in ("hooks", "operators", "plugins", "emulator", "cli")},
    "hooks": {f"{NAME}.{part}" for part in ("operators", "plugins", "emulator", "cli")},
    "plugins": others("plugins", "permit", "tencent"),
    "filesystems": {f"{NAME}.{part}" for part in ("operators", "plugins", "emulator", "cli", "sql")},
    "notifications": OUTSIDE | others("notifications", "engine", "options", "permit"),
    "assets": OUTSIDE - {"airflow"} | others("assets"),
    "operators": {"tencentcloud", f"{NAME}.emulator", f"{NAME}.cli"},
    "cli": {"tencentcloud", f"{NAME}.emulator", f"{NAME}.tencent"},
    "emulator": {"airflow", "tencentcloud", "sqlalchemy", "pandas"},
}


def sources(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Name every module that a file imports anywhere, `from a import b` as `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(module: str, parents: set[str]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("part", NEVER)
def test_no_part_names_what_it_must_not_import(part: str) -> None:
    found = {
        f"{module_name(path)} imports {module}"
        for path in sources(part)
        for module in imported(path)
        if is_within(module, NEVER[part])
    }
    assert sources(part)
    assert found == set()


@pytest.mark.parametrize(
    "part", ["permit", "options", "engine", "net", "images", "files", "report", "tencent", "sql"]
)
def test_a_part_can_be_imported_where_the_others_are_not_installed(part: str) -> None:
    program = (
        "import sys, importlib\n"
        "blocked, modules = (argument.split(',') for argument in sys.argv[1:])\n"
        "sys.modules.update(dict.fromkeys(blocked))\n"
        "for module in modules: importlib.import_module(module)\n"
    )
    modules = [module_name(path) for path in sources(part)]
    outcome = run_python(program, ",".join(NEVER[part]), ",".join(modules))
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_only_frames_need_pandas_in_the_engine() -> None:
    program = (
        "import sys, importlib\n"
        "sys.modules['pandas'] = None\n"
        "for module in sys.argv[1].split(','): importlib.import_module(module)\n"
    )
    modules = {module_name(path) for path in sources("engine")} - {f"{NAME}.engine.delivery.frame"}
    outcome = run_python(program, ",".join(sorted(modules)))
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_the_emulator_knows_nothing_of_the_package_but_the_facts_of_the_api() -> None:
    own = {f"{NAME}.emulator", f"{NAME}.permit.api"}
    found = {
        f"{module_name(path)} imports {module}"
        for path in sources("emulator")
        for module in imported(path)
        if is_within(module, {NAME}) and not is_within(module, own)
    }
    assert found == set()


def test_all_that_a_dag_file_needs_is_imported_from_the_package() -> None:
    for name in airflow_provider_permitocr.__all__:
        assert getattr(airflow_provider_permitocr, name).__name__ == name
    assert set(airflow_provider_permitocr.__all__) <= set(dir(airflow_provider_permitocr))


def test_a_name_that_the_package_does_not_have_is_refused_by_its_name() -> None:
    with pytest.raises(AttributeError, match="'Images'"):
        _ = airflow_provider_permitocr.Images


@pytest.mark.slow
def test_what_users_import_has_its_types(tmp_path: Path) -> None:
    program = (
        f"import {NAME} as permitocr\n"
        "reveal_type(permitocr.MainlandPermitOcrOperator)\n"
        "permitocr.Budget(max_calls_per_day=[1])\n"
        "permitocr.ImageTable('images', conn_id='lake', key='id', image='url', nothing=1)\n"
    )
    (tmp_path / "dag.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--config-file=", "--ignore-missing-imports", "dag.py"]
    outcome = subprocess.run(
        command,
        env=dict(os.environ) | {"MYPYPATH": str(PACKAGE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if re.search(r"/cryptography/\S+: error: invalid syntax", outcome.stdout):
        pytest.skip("mypy on Python before 3.12 cannot read the stubs of some releases of cryptography")
    assert re.search(r"^dag\.py:2: .*MainlandPermitOcrOperator", outcome.stdout, re.MULTILINE)
    assert 'Argument "max_calls_per_day" to "Budget" has incompatible type' in outcome.stdout
    assert 'Unexpected keyword argument "nothing" for "ImageTable"' in outcome.stdout


@pytest.mark.slow
def test_importing_the_operator_in_a_dag_file_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from airflow.sdk import BaseOperator\n"
        "before = set(sys.modules)\n"
        f"from {NAME} import {', '.join(sorted(airflow_provider_permitocr.__all__))}\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    outcome = run_python(program)
    assert outcome.returncode == 0, outcome.stderr
    heavy = {"pandas", "numpy", "tencentcloud", "requests", "urllib3", "sqlalchemy", "PIL", "aiohttp"}
    assert set(outcome.stdout.split()) & heavy == set()


def test_the_rules_of_the_check_need_no_airflow() -> None:
    program = (
        "import sys, importlib\n"
        "sys.modules['airflow'] = None\n"
        "for module in sys.argv[1:]: importlib.import_module(module)\n"
    )
    modules = [f"{NAME}.cli.checks.{each}" for each in ("findings", "pool_rules", "shard_rules")]
    modules.append(f"{NAME}.cli.report")
    outcome = run_python(program, *modules)
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.slow
def test_what_every_airflow_command_imports_for_its_parser_is_light() -> None:
    program = (
        "import sys, airflow.cli.cli_config\n"
        "before = set(sys.modules)\n"
        f"import {NAME}.cli.definition\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    outcome = run_python(program)
    assert outcome.returncode == 0, outcome.stderr
    permit = {f"{NAME}.permit", f"{NAME}.permit.api", f"{NAME}.permit.columns"}
    light = {NAME, f"{NAME}.cli", f"{NAME}.cli.definition", *permit}
    assert set(outcome.stdout.split()) <= light


def test_importing_the_package_itself_loads_nothing_of_it() -> None:
    program = f"import sys, {NAME}\nprint(*(name for name in sys.modules if name.startswith('{NAME}.')))\n"
    assert run_python(program).stdout.strip() == ""
