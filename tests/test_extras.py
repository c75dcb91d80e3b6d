from __future__ import annotations

import configparser
import re
from pathlib import Path

from airflow_provider_permitocr.extras import PACKAGES, install


def test_what_is_named_is_what_the_extras_bring() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    extras = setup["options.extras_require"]
    for extra, packages in PACKAGES.items():
        required = [re.split("[><=]", line)[0] for line in extras[extra].split() if not line.startswith("#")]
        assert sorted(packages) == sorted(required)


def test_a_package_with_an_extra_of_its_own_is_quoted_for_the_shell() -> None:
    assert install("s3") == "pip install 'apache-airflow-providers-amazon[s3fs]'"
