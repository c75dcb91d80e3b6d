"""What a value is replaced by, alone: what others can check."""

from __future__ import annotations

import subprocess

import pytest
from cryptography.fernet import Fernet

from airflow_provider_permitocr.permit.replacement import decrypt, masked, pseudonym

HMAC_KEY = b"a key of pseudonyms, made for tests"


@pytest.mark.parametrize("value", ["H12345678", "h1234 5678", " Ｈ１２３４５６７８ "])
def test_a_pseudonym_is_what_openssl_makes_of_the_value_in_its_normal_form(value: str) -> None:
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", HMAC_KEY.decode()],
        input=b"H12345678",
        capture_output=True,
        check=True,
    )
    assert pseudonym(value, key=HMAC_KEY) == made.stdout.decode().rpartition(" ")[2].strip()


def test_nothing_is_decrypted_to_nothing() -> None:
    assert decrypt(None, Fernet.generate_key().decode()) is None


@pytest.mark.parametrize(
    ("value", "is_number", "shown"),
    [
        ("陳大文", False, "陳**"),
        ("CHAN, TAI MAN", False, "C***, *** ***"),
        ("H12345678", True, "H******78"),
        ("Z683365(5)", True, "Z*****5(5)"),
        ("12", True, "1*"),
        ("男", False, "*"),
        ("", False, ""),
    ],
)
def test_a_masked_value_shows_its_first_character_and_the_end_of_a_number(
    value: str, is_number: bool, shown: str
) -> None:
    assert masked(value, is_number=is_number) == shown
    assert masked(shown, is_number=is_number) == shown
