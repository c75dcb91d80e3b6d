from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import EmulatorOptions, KeyPair


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"host": ""}, "give a host"),
        ({"port": 70000}, "port 70000 is not between"),
        ({"keys": ()}, "at least one key pair"),
        ({"keys": (KeyPair("A", "a"), KeyPair("A", "b"))}, "given twice"),
        ({"quota": -1}, "quota -1 is negative"),
        ({"engine_threads": 0}, "engine_threads is 0"),
        ({"site": "china"}, "site 'china' is not one of intl, mainland"),
        ({"download_seconds": 0}, "download_seconds is 0"),
    ],
)
def test_option_that_makes_no_sense_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmulatorOptions(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("", "key"), "a secret id must not be empty"),
        (("A/B", "key"), "a secret id must not be empty"),
        (("A", ""), "give the secret key of A"),
        (("A", "key", ""), "the token of A is empty"),
        (("A", "key", None, ""), "give the account of A"),
    ],
)
def test_key_pair_that_makes_no_sense_is_named(values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KeyPair(*values)


def test_secrets_stay_out_of_the_repr() -> None:
    options = EmulatorOptions(keys=(KeyPair("AKIDSHOWN", "hidden-key", token="hidden-token"),))
    assert "AKIDSHOWN" in repr(options)
    assert "hidden" not in repr(options)
