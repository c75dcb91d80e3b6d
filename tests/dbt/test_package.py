"""The dbt package says of columns and flags what the provider's own code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.utils import yaml

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.quality.kinds import PermitKind
from airflow_provider_permitocr.permit.status import Status
from labs.ground.analytics_project import PACKAGE
from tests.dbt.generated import GENERATED, LEDGER_TABLES, documented
from tests.documentation.test_grants import grants

_MODELS: Final = PACKAGE / "models"


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def selected(model: Path) -> list[str]:
    """Return the expressions of a model's last SELECT."""
    body = model.read_text(encoding="utf-8").rpartition("\nselect\n")[2].partition("\nfrom ")[0]
    lines = [line.strip().rstrip(",") for line in body.split("{{ permit_ocr.carried")[0].splitlines()]
    return [line for line in lines if line]


def staging_names() -> dict[str, str]:
    """Return the names of the result's columns in the models, by their own."""
    names = (each.split(" as ") for each in selected(_MODELS / "staging" / "stg_permit_ocr__permits.sql"))
    return {each[0]: each[-1] for each in names}


def described(folder: str) -> dict[str, dict[str, str]]:
    """Return the descriptions of each model's columns."""
    (file,) = (_MODELS / folder).glob("*.yml")
    return {
        model["name"]: {column["name"]: column["description"] for column in model["columns"]}
        for model in read_yaml(file)["models"]
    }


def accepted(column: str) -> list[set[str]]:
    """Return the values that each model accepts in a column."""
    files = [*_MODELS.rglob("*.yml")]
    columns = [
        each for file in files for model in read_yaml(file).get("models", ()) for each in model["columns"]
    ]
    tests = [test for each in columns if each["name"] == column for test in each.get("data_tests", ())]
    return [
        set(test["accepted_values"]["arguments"]["values"]) for test in tests if "accepted_values" in test
    ]


def test_the_version_is_the_providers() -> None:
    assert read_yaml(PACKAGE / "dbt_project.yml")["version"] == __version__


@pytest.mark.parametrize("file", GENERATED, ids=lambda file: file.stem)
def test_what_is_said_of_columns_and_flags_is_what_the_provider_says(file: Path) -> None:
    written = file.read_text(encoding="utf-8").rstrip("\n")
    assert written == GENERATED[file](), "run `python -m tests.dbt.generated`"


def test_sources_have_all_columns_of_their_tables() -> None:
    (results, ledger) = read_yaml(_MODELS / "sources.yml")["sources"]
    found = {
        table["name"]: {column["name"]: column["description"] for column in table["columns"]}
        for table in [*results["tables"], *ledger["tables"]]
    }
    assert found == {
        table: {name: f"{{{{ doc('{table}__{name}') }}}}" for name in comments}
        for table, comments in documented().items()
    }


def test_staging_has_every_column_of_the_result_with_its_description() -> None:
    names = staging_names()
    assert list(names) == [column.name for column in COLUMNS]
    assert described("staging")["stg_permit_ocr__permits"] == {
        shown: f"{{{{ doc('permits__{name}') }}}}" for name, shown in names.items()
    }


@pytest.mark.parametrize("folder", ["staging", "documents", "costs"])
def test_every_column_of_every_model_is_described(folder: str) -> None:
    for model, columns in described(folder).items():
        sql = _MODELS / folder / f"{model}.sql"
        text = "\n".join(selected(sql))
        names = re.findall(r"(?: as |\.|^)(?!case$)(\w+)$", text, re.M)
        assert list(dict.fromkeys(names)) == list(columns), model


def test_accepted_values_are_those_that_the_provider_writes() -> None:
    in_force = {each.value for each in Status} - {Status.REDO}
    assert accepted("status") == [in_force]
    assert accepted("front_status") == accepted("back_status") == [in_force]
    assert accepted("attempt_status") == [in_force | {Status.REDO}]
    kinds = accepted("permit_kind")
    assert len(kinds) == 4
    assert all(each == {kind.value for kind in PermitKind} for each in kinds)
    assert accepted("review_status")[0] == {"confirmed", "corrected", "rejected"}


def test_encrypted_names_are_known_by_the_providers_prefix() -> None:
    macro = (PACKAGE / "macros" / "comparable_name.sql").read_text(encoding="utf-8")
    assert f", 1, {len(TOKEN_PREFIX)}) = '{TOKEN_PREFIX}'" in macro


def test_models_read_only_what_analysts_are_granted() -> None:
    (for_analysts,) = [
        each for each in grants()[0] if each.endswith("TO permit_analyst") and "SELECT" in each
    ]
    granted = set(re.findall(r"\w+", for_analysts.partition(" ON ")[2].partition(" TO ")[0]))
    assert {"permits", *(f"permit_ocr_{name}" for name in LEDGER_TABLES)} <= granted


def test_it_needs_no_other_package() -> None:
    assert not (PACKAGE / "packages.yml").exists()
