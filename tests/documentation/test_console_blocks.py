"""Commands are read by what would run them, and what can run here does."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import requests
import sqlalchemy as sa

from airflow_provider_permitocr import Privacy, pseudonym
from airflow_provider_permitocr.cli.definition import get_permitocr_cli_commands
from airflow_provider_permitocr.emulator.__main__ import options_from, parser
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.emulator.specimens.__main__ import parser as specimens_parser
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.wiring.privacy import protection_of
from tests.documentation.blocks import PAGES, ROOT, SPANS, Shown, blocks

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand

_EMULATOR: Final = "airflow_provider_permitocr.emulator"
_EMULATORS_PAGE: Final = "docs/reference/emulator.md"
_TCCLI: Final = ROOT / ".venv-tccli" / "bin"
_NAMED: Final = re.compile(r"airflow (?!permitocr)(\w+) (\w+)( --[\w-]+)?")
#: Commands of the shell and of others, which a test below runs as they stand.
_RUN_HERE: Final = {"curl", "mkdir", "echo", "export", "printf", "tccli"}
#: Those that ``tests/dbt`` runs.
DBT_COMMANDS: Final = {"deps", "build", "source freshness", "test"}
_PRIVACY_PAGE: Final = "docs/guides/privacy.md"


def commands() -> list[Shown]:
    """Read the lines that blocks show after a prompt; all others are what the commands say."""
    found = []
    for block in blocks("console"):
        for each in re.finditer(r"^\$ ((?:.*\\\n)*.*)$", block.text, re.M):
            line = block.line + block.text.count("\n", 0, each.start())
            found.append(Shown(block.page, line, each[1].replace("\\\n", " ")))
    return found


def command_spans() -> list[Shown]:
    """Read the commands that stand in sentences, but for those that are only named: ``airflow permitocr``."""
    spans = [span for span in SPANS if re.match(r"(make|pip install|python -m|airflow \w+|dbt) ", span.text)]
    return [span for span in spans if "…" not in span.text and not _NAMED.fullmatch(span.text)]


def named_commands() -> list[Shown]:
    """Read Airflow's own commands that a sentence names, with an option at most."""
    return [span for span in SPANS if _NAMED.fullmatch(span.text)]


def permitocr_commands() -> dict[str, ActionCommand]:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    (group,) = get_permitocr_cli_commands()
    assert isinstance(group, GroupCommand)
    return {each.name: each for each in group.subcommands if isinstance(each, ActionCommand)}


def extras() -> set[str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(setup["options.extras_require"])


def read_make(words: list[str]) -> None:
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    variables = [word.partition("=")[0] for word in words if "=" in word]
    assert [each for each in variables if f"$({each})" not in (ROOT / "Makefile").read_text()] == []


def read_airflow(words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    if words[:1] == ["permitocr"] and len(words) == 2:  # named in a sentence
        assert words[1] in permitocr_commands()
        return
    assert callable(get_parser().parse_args(words).func)


def read_pip(words: list[str]) -> None:
    (requirement,) = [word for word in words[1:] if not word.startswith("-")]
    asked = re.fullmatch(r"\.(?:\[(.+)\])?", requirement)
    assert asked
    assert set((asked[1] or "").split(",")) - {""} <= extras()


def read_python(words: list[str]) -> None:
    option, module, *arguments = words
    assert (option, module.partition(".")[0]) == ("-m", "airflow_provider_permitocr")
    if module == _EMULATOR:
        options_from(parser().parse_args(arguments))
    elif module == f"{_EMULATOR}.specimens":
        specimens_parser().parse_args(arguments)
    else:
        assert (ROOT.joinpath(*module.split(".")) / "__main__.py").exists()
        assert not arguments


def read_dbt(words: list[str]) -> None:
    assert " ".join(words) in DBT_COMMANDS


_READERS: Final[dict[str, Callable[[list[str]], None]]] = {
    "make": read_make,
    "airflow": read_airflow,
    "dbt": read_dbt,
    "pip": read_pip,
    "python": read_python,
}


@pytest.mark.parametrize("shown", named_commands(), ids=str)
def test_a_command_that_is_named_is_one_of_airflows(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    _, group, command, *options = shown.text.split()
    with pytest.raises(SystemExit) as ended:
        get_parser().parse_args([group, command, "--help"])
    assert ended.value.code == 0
    assert all(option in capsys.readouterr().out for option in options)


@pytest.mark.parametrize("shown", [*commands(), *command_spans()], ids=str)
def test_a_command_is_taken_by_what_runs_it(shown: Shown) -> None:
    program, *words = shlex.split(shown.text, comments=True)
    if program not in _RUN_HERE and "=" not in program:
        try:
            _READERS[program](words)
        except SystemExit:
            pytest.fail(f"{shown}: {program} does not take {words}")


def test_every_extra_that_a_page_names_is_there() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = re.findall(r"airflow_provider_permitocr\[(.+?)\]", text)
    named += re.findall(r"`\[([a-z]\w+)\]`", text) + re.findall(r"\((?:the )?extra `(\w+)`", text)
    words = {
        name
        for each in named
        for part in ([each] if isinstance(each, str) else each)
        for name in part.split(",")
    }
    assert len(words) > 5
    assert words - {""} <= extras()


def known_options(page: str) -> set[str]:
    if page == _EMULATORS_PAGE:
        return {flag for action in parser()._actions for flag in action.option_strings}
    arguments = [argument for command in permitocr_commands().values() for argument in command.args]
    return {flag for argument in arguments for flag in argument.flags}


@pytest.mark.parametrize("page", sorted({span.page for span in SPANS if span.text.startswith("--")}))
def test_every_option_in_a_sentence_is_there(page: str) -> None:
    known = known_options(page)
    shown = [span for span in SPANS if span.page == page and re.match(r"--(?!conn-)\w", span.text)]
    assert [f"{span}: {span.text}" for span in shown if span.text.split()[0] not in known] == []


def test_the_emulators_page_names_all_of_its_options() -> None:
    named = {span.text for span in SPANS if span.page == _EMULATORS_PAGE}
    assert known_options(_EMULATORS_PAGE) - {"-h", "--help"} <= named


@pytest.mark.slow
def test_a_connection_that_a_page_adds_is_read_by_the_hook_and_leads_to_the_emulator(
    airflow_metadata: None,
    start_label_emulator: Callable[..., RunningEmulator],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.cli.cli_parser import get_parser
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    connections = [each for each in commands() if each.text.startswith("airflow connections add")]
    shown = [each for each in connections if "--conn-type tencentcloud" in each.text]
    assert {each.page for each in shown} == {
        *("docs/start/five-minutes.md", "docs/start/setup.md", "docs/reference/connection.md"),
        _EMULATORS_PAGE,
    }
    emulator = start_label_emulator(instance_role="permit-reader")
    for each in shown:
        words = shlex.split(each.text.replace("8520", str(emulator.port)))
        conn_id = words[3]
        add: argparse.Namespace = get_parser().parse_args(words[1:])
        add.func(add)
        with create_session() as session:
            added = session.scalars(sa.select(Connection).filter_by(conn_id=conn_id)).one()
            # Tasks ask Airflow's API for it, and there is none here.
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", added.as_json())
            session.delete(added)
        hook = MainlandPermitOcrHook(conn_id)
        assert hook.client_options.site
        if each.page == _EMULATORS_PAGE:
            assert hook.test_connection()[0]


def test_a_connection_that_a_page_sets_in_the_environment_is_read_by_the_hook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = [each.text for each in commands() if each.text.startswith("export AIRFLOW_CONN_")]
    assert shown
    for text in shown:
        name, _, value = shlex.split(text)[1].partition("=")
        monkeypatch.setenv(name, value)
        conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
        assert MainlandPermitOcrHook(conn_id).client_options.secret_id


@pytest.mark.slow
def test_the_shells_commands_of_the_emulators_page_reach_it_over_tls(
    start_label_emulator: Callable[..., RunningEmulator],
    tmp_path: Path,
    front: Specimen,
    serve_image: Callable[[bytes], str],
) -> None:
    assert (_TCCLI / "tccli").exists(), (
        "tccli is missing: `make tccli` installs it in an environment of its own"
    )
    emulator = start_label_emulator(tls=tmp_path / "DIR")
    lines = []
    for shown in commands():
        is_run = shlex.split(shown.text, comments=True)[0] in _RUN_HERE or "tccli" in shown.text
        if is_run and shown.page == _EMULATORS_PAGE:
            line = shown.text.replace("http://127.0.0.1:9000/permit.jpg", serve_image(front.image))
            lines.append(line.replace("127.0.0.1:8520", emulator.endpoint))
    curls = [shlex.split(line) for line in lines if line.startswith("curl ")]
    assert curls
    for _, option, authority, url in curls:  # not every machine has curl
        assert option == "--cacert"
        assert requests.get(url, verify=str(tmp_path / authority), timeout=10).status_code == 200

    script = "\n".join(["set -e", *(line for line in lines if not line.startswith("curl "))])
    environment = {"PATH": f"{_TCCLI}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert front.fields["Number"] in done.stdout


def of_privacy(start: str) -> list[str]:
    """Return the commands of the page on privacy that begin so."""
    return [each.text for each in commands() if each.page == _PRIVACY_PAGE and each.text.startswith(start)]


def output_of(command: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_keys_that_the_page_on_privacy_makes_are_taken_by_a_policy(
    set_connection: Callable[..., None],
) -> None:
    added = of_privacy("airflow connections add")
    assert len(added) == 2
    for command in added:
        words = shlex.split(command)
        password = output_of(f'printf %s "{words[words.index("--conn-password") + 1]}"')
        set_connection(words[3], conn_type=words[words.index("--conn-type") + 1], password=password)
    assert protection_of(Privacy(name="encrypt", number="hmac")).protect({"name": "x", "number": "1"})


def test_the_shell_makes_the_pseudonym_that_the_package_makes() -> None:
    (command,) = of_privacy("printf")
    made = output_of(command, KEY="the key of the test").rpartition(" ")[2]
    assert made == pseudonym("H12345678", key=b"the key of the test")
