from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_provider_permitocr.emulator.__main__ import main, options_from, parser
from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.options import EmulatorOptions, KeyPair


def options(*arguments: str) -> EmulatorOptions:
    return options_from(parser().parse_args(arguments))


def test_defaults_are_those_of_the_options_but_for_the_port() -> None:
    assert options() == EmulatorOptions(port=8520)


def test_every_option_arrives(tmp_path: Path) -> None:
    given = options(
        *("--host", "127.0.0.2", "--port", "0", "--quota", "5", "--engine", "label"),
        *("--engine-threads", "3", "--latency", "uniform:0.1:0.2", "--seed", "9", "--site", "mainland"),
        *("--faults", str(tmp_path / "f"), "--journal", str(tmp_path / "j"), "--tls", str(tmp_path / "t")),
    )
    assert given == EmulatorOptions(
        host="127.0.0.2",
        quota=5,
        engine="label",
        engine_threads=3,
        latency=Latency("uniform", (0.1, 0.2)),
        seed=9,
        site="mainland",
        faults=tmp_path / "f",
        journal=tmp_path / "j",
        tls=tmp_path / "t",
    )


def test_each_secret_id_opens_a_pair_of_the_same_account() -> None:
    given = options(
        *("--secret-id", "A", "--secret-key", "a"),
        *("--secret-id", "B", "--secret-key", "b", "--token", "t"),
    )
    assert given.keys == (KeyPair("A", "a"), KeyPair("B", "b", token="t"))
    assert given.keys[0].account == given.keys[1].account


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--secret-id", "A"], "give the secret key of A"),
        (["--secret-key", "a"], "--secret-key must follow its --secret-id"),
        (["--secret-id", "A", "--token", "t", "--token", "u"], "--token must follow its --secret-id"),
        (["--latency", "soon"], "latency 'soon': give seconds"),
        (["--quota", "-1"], "quota -1 is negative"),
        (["--faults", "/nowhere.json", "--engine", "label", "--port", "0"], "cannot read the faults file"),
        (["--engine", "tesseract"], "engine 'tesseract' does not exist"),
    ],
)
def test_wrong_option_ends_with_status_2_and_says_what_to_change(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_prints_its_url_and_ends_cleanly_when_told(number: signal.Signals, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-m", "airflow_provider_permitocr.emulator"]
    arguments = ["--port", "0", "--engine", "label", "--journal", str(journal)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.fullmatch(r"Permit OCR emulator at (http://127\.0\.0\.1:\d+)\n", line)
        assert url is not None, line
        refusal = requests.post(url[1], data=b"{}", timeout=10).json()
        assert refusal["Response"]["Error"]["Code"] == "MissingParameter"
        process.send_signal(number)
        assert process.wait(30) == 0
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 1
