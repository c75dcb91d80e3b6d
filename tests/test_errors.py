from __future__ import annotations

import pytest

from airflow_provider_permitocr.errors import CallError, Decision, sentences
from airflow_provider_permitocr.tencent.keys.trial import Trial
from airflow_provider_permitocr.wiring.cloud import try_connection


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("It is wrong", "Correct it"), "It is wrong. Correct it"),
        (("ensure that it is correct.", "Correct it."), "ensure that it is correct. Correct it."),
        (("密钥错误。", "Correct it"), "密钥错误。 Correct it"),
        (("It is wrong", ""), "It is wrong"),
    ],
)
def test_sentences_have_one_full_stop_each(parts: tuple[str, str], joined: str) -> None:
    assert sentences(*parts) == joined


def test_advice_on_keys_follows_a_message_that_ends_with_a_full_stop() -> None:
    def attempt() -> Trial:
        raise CallError("AuthFailure", "the SecretId is correct.", Decision.ACCOUNT, advice="Correct it")

    assert try_connection(attempt) == (False, "AuthFailure: the SecretId is correct. Correct it")
