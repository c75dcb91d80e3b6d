"""The command line: ``python -m airflow_provider_permitocr.emulator``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.emulator.engines import ENGINE_NAMES, Engine, load_engine
from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.options import (
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    EmulatorOptions,
    KeyPair,
    WebIdentity,
)
from airflow_provider_permitocr.emulator.server import serve
from airflow_provider_permitocr.permit.api import DEFAULT_REQUESTS_PER_SECOND, SITES

DEFAULT_PORT: Final = 8520
_WEB_IDENTITY: Final = "a service account's token, for AssumeRoleWithWebIdentity; repeat for more"


class _PairAction(argparse.Action):
    """Collect --secret-id, --secret-key and --token in the order given: an id opens a pair."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        pairs: list[dict[str, str]] = [dict(pair) for pair in getattr(namespace, "pairs", None) or []]
        field = (option_string or "").removeprefix("--").replace("-", "_")
        if field == "secret_id":
            pairs.append({})
        elif not pairs or field in pairs[-1]:
            parser.error(f"{option_string} must follow its --secret-id")
        pairs[-1][field] = str(values)
        namespace.pairs = pairs


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="python -m airflow_provider_permitocr.emulator",
        description="A local server that speaks the wire protocol of MainlandPermitOCR and reads images.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = result.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", default=DEFAULT_PORT, type=int, help="port to listen on; 0 picks a free one")
    _add_pair_options(result)
    add("--quota", default=DEFAULT_REQUESTS_PER_SECOND, type=int, help="calls per second; 0 for no limit")
    add("--engine", default="rapidocr", help=f"what reads the images: {' or '.join(ENGINE_NAMES)}")
    add("--engine-threads", type=int, help="images read at the same time (default: number of CPUs)")
    add("--latency", default="0", help="SECONDS, uniform:LOW:HIGH or lognormal:MEDIAN:SIGMA:MAX")
    add("--seed", default=0, type=int, help="seed of the latency's random series")
    add("--faults", type=Path, metavar="FILE", help="JSON file of scripted faults")
    add("--journal", type=Path, metavar="FILE", help="file that gets a JSON line per call")
    add("--site", default="intl", choices=list(SITES), help="which of Tencent Cloud's two sites to be")
    add("--instance-role", metavar="NAME", help="role that the metadata service of CVM gives keys of")
    add("--web-identity", nargs=2, action="append", metavar=("PROVIDER", "TOKEN"), help=_WEB_IDENTITY)
    add("--tls", type=Path, metavar="DIR", help="speak HTTPS; the CA to trust is written to DIR/ca.pem")
    return result


def _add_pair_options(result: argparse.ArgumentParser) -> None:
    default = f"{DEFAULT_SECRET_ID} with {DEFAULT_SECRET_KEY}"
    for flag, text in (
        ("--secret-id", f"id of a key pair; repeat for more of the same account (default: {default})"),
        ("--secret-key", "secret key of the preceding --secret-id"),
        ("--token", "makes the preceding pair temporary: calls must include this token"),
    ):
        result.add_argument(flag, action=_PairAction, dest="pairs", metavar="TEXT", help=text)


def options_from(arguments: argparse.Namespace) -> EmulatorOptions:
    """Turn parsed arguments into options.

    :raises ValueError: naming what is wrong.
    """
    values = vars(arguments) | {"latency": Latency.parse(arguments.latency)}
    identities = values.pop("web_identity", ())
    values["web_identities"] = tuple(WebIdentity(*identity) for identity in identities)
    pairs = values.pop("pairs", None)
    if pairs is not None:
        values["keys"] = tuple(KeyPair(**{"secret_key": "", **pair}) for pair in pairs)
    return EmulatorOptions(**values)


async def run(options: EmulatorOptions, engine: Engine) -> None:
    """Serve until SIGTERM or SIGINT, after printing the URL on its own line."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with serve(options, engine) as (_, url):
        sys.stdout.write(f"Permit OCR emulator at {url}\n")
        sys.stdout.flush()
        await stopping.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a wrong option ends it with status 2 and a message."""
    command = parser()
    parsed = command.parse_args(arguments)
    try:
        options = options_from(parsed)
        asyncio.run(run(options, load_engine(options.engine)))
    except (ValueError, OSError) as error:
        command.error(str(error))


if __name__ == "__main__":
    main()
