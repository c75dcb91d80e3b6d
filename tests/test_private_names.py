"""Which names the package uses that a library keeps to itself, and why.

A name is found where it has an underscore in front, whichever library it is of, and where it is imported from
Airflow, urllib3 or Tencent Cloud's packages though no documentation names it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import airflow_provider_permitocr

NAME: Final = airflow_provider_permitocr.__name__
PACKAGE: Final = Path(airflow_provider_permitocr.__file__).parent
INTERNALS: Final = "cli/airflow_internals.py"

#: Each with the one module that may use it, and what it is for. Add none without need: they change in any
#: release of their library.
PRIVATE: Final = {
    "_AIRFLOW_PROCESS_CONTEXT": (INTERNALS, "connections of Airflow's database, in commands"),
    "airflow.cli.simple_table.AirflowConsole": (INTERNALS, "--output as every airflow command has it"),
    "airflow.models.pool.Pool": (INTERNALS, "pools are documented for the CLI and the REST API alone"),
    "airflow.serialization.encoders.coerce_to_core_timetable": (
        INTERNALS,
        "the timetables of airflow.sdk do not compute intervals",
    ),
    "airflow.sdk.plugins_manager.integrate_macros_plugins": (INTERNALS, "macros of plugins, in commands"),
    "airflow.sdk.execution_time.hitl.upsert_hitl_detail": (
        "operators/permit_review.py",
        "what was typed into a form can be emptied in no other way",
    ),
    "_cos_client": ("filesystems/cos.py", "cosfs takes neither a client, nor a proxy, nor time limits"),
}

#: What the documentation of each library names; a name in here covers what is in it.
DOCUMENTED: Final = {
    "airflow.sdk": "the public interface; see in_airflow_sdk for what it covers",
    "airflow.sdk.RetryDecision": "from Airflow 3.3 on",
    "airflow.sdk.RetryPolicy": "from Airflow 3.3 on",
    "airflow.cli.cli_config": "commands of providers",
    "airflow.__version__": "the package's version",
    "airflow.api_fastapi.app.get_auth_manager": "the page on auth managers",
    "airflow.api_fastapi.auth.managers.models.resource_details.AccessView": "the page on auth managers",
    "airflow.providers.common.compat.sdk": "what providers import for all releases of Airflow",
    "airflow.providers.common.compat.openlineage.facet": "lineage, in the OpenLineage provider's guide",
    "airflow.sdk.observability.stats": "metrics of tasks, in the pages on metrics",
    "airflow.providers.openlineage.extractors": "the same",
    "airflow.dag_processing.dagbag": "tests of DAGs, in the best practices",
    "airflow.dag_processing.bundles.base.BaseDagBundle": "own DAG bundles",
    "airflow.timetables.base": "own timetables",
    "airflow.providers.standard": "its reference",
    "tencentcloud.common.sign.Sign": "no documentation names it, but it is what every client signs with",
    "tencentcloud.common.profile": "the README of the SDK",
    "tencentcloud.ocr.v20181119": "the README of the SDK, and API Explorer",
    "qcloud_cos": "the README of the SDK",
    "cosfs.CosFileSystem": "its README",
    "urllib3.exceptions": "the reference",
}
LIBRARIES: Final = ("airflow", "tencentcloud", "qcloud_cos", "cosfs", "urllib3")
_SDK_MODULES: Final = ("exceptions", "io", "log", "observability", "timezone")


@cache
def sources() -> list[tuple[str, ast.Module]]:
    return [
        (path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def is_private(name: str) -> bool:
    # Those of enumerations and of named tuples are documented.
    return name.startswith("_") and not name.endswith("__") and name not in ("_missing_", "_replace")


def of_libraries(tree: ast.Module) -> Iterator[str]:
    """Name what a module imports of the libraries, with its path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in LIBRARIES)


def in_airflow_sdk(name: str) -> bool:
    """Tell whether ``airflow.sdk`` exports a name itself, or from a module that has one subject."""
    from airflow import sdk

    _, _, inside = name.partition("airflow.sdk.")
    return inside in sdk.__all__ or inside.split(".")[0] in _SDK_MODULES


def in_urllib3(name: str) -> bool:
    import urllib3.util

    _, _, inside = name.partition("urllib3.")
    return inside in urllib3.__all__ or inside.removeprefix("util.") in urllib3.util.__all__


def is_documented(name: str) -> bool:
    if any(is_private(each) for each in name.split(".")):
        return False
    if name.startswith("airflow.sdk."):
        return in_airflow_sdk(name) or name in DOCUMENTED
    return in_urllib3(name) or any(
        name == each or name.startswith(f"{each}.") for each in DOCUMENTED if each != "airflow.sdk"
    )


@cache
def names_of_the_package() -> tuple[frozenset[str], frozenset[str]]:
    """Return the private names that the package gives, and those that it uses of an object, but of a base."""
    given: set[str] = set()
    used: set[str] = set()
    for _, tree in sources():
        given |= names_given(tree)
        used |= names_used(tree)
    return frozenset(given), frozenset(used)


def names_given(tree: ast.Module) -> set[str]:
    given: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                given.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                given.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Name(id=name, ctx=ast.Store()):
                given.add(name)
    return given


def is_of_base(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"


def names_used(tree: ast.Module) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if not is_of_base(node)}


def attributes(tree: ast.Module) -> Iterator[str]:
    """Name private attributes that no class here has, and methods that nothing here calls: a base does."""
    given, used = names_of_the_package()
    given, used = given | names_given(tree), used | names_used(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in given:
            yield node.attr
        if isinstance(node, ast.ClassDef):
            yield from (
                each.name for each in node.body if isinstance(each, ast.FunctionDef) and each.name not in used
            )


def variables(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and re.fullmatch(r"_[A-Z]+(_[A-Z]+)+", str(node.value)):
            yield str(node.value)


def private_names(tree: ast.Module) -> set[str]:
    undocumented = {name for name in of_libraries(tree) if not is_documented(name)}
    return undocumented | {name for name in attributes(tree) if is_private(name)} | set(variables(tree))


@pytest.mark.slow
def test_each_private_name_is_used_in_its_one_module() -> None:
    used = {(name, module) for module, tree in sources() for name in private_names(tree)}
    assert used == {(name, module) for name, (module, _) in PRIVATE.items()}


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("from airflow.models import DagRun", "airflow.models.DagRun"),
        ("import airflow.utils.db", "airflow.utils.db"),
        ("from airflow.sdk.execution_time.comms import X", "airflow.sdk.execution_time.comms.X"),
        ("from airflow.sdk import _shared", "airflow.sdk._shared"),
        ("from urllib3.connection import HTTPConnection", "urllib3.connection.HTTPConnection"),
        ("client._secret_of_theirs", "_secret_of_theirs"),
        ("class Own(Base):\n    def _new_conn(self): pass", "_new_conn"),
        ("class Own(Base):\n    def _tunnel(self): super()._tunnel()", "_tunnel"),
        ("os.environ['_AIRFLOW_SOMETHING']", "_AIRFLOW_SOMETHING"),
    ],
)
def test_a_private_name_is_found(program: str, name: str) -> None:
    assert private_names(ast.parse(program)) == {name}


@pytest.mark.parametrize(
    "program",
    [
        "from airflow.sdk import DAG, conf, macros, timezone\nfrom airflow.sdk.exceptions import X",
        "from urllib3 import PoolManager\nfrom urllib3.util import parse_url",
        "class Own:\n    def f(self, other): self._x = other._x; self._g()\n    def _g(self): pass",
        "from elsewhere import _name",
    ],
)
def test_what_is_documented_or_of_the_module_itself_is_none(program: str) -> None:
    assert private_names(ast.parse(program)) == set()
