"""Emulators in separate processes: each is an account with a quota, and keeps a journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from airflow_provider_permitocr.emulator.options import KeyPair
from labs.ground.emulator_calls import Call, read_calls
from labs.ground.servers.emulator_service import QUOTA, EmulatorService
from labs.ground.servers.ports import HOST

#: Median 0.4 s, mean 0.45 s, longest 3 s.
LATENCY: Final = "lognormal:0.4:0.5:3"
STRANGER: Final = KeyPair("AKIDSTRANGER", "strangers-secret-key")


@dataclass(frozen=True)
class Account:
    """An emulator's settings.

    :param name: of its files.
    :param quota: calls per second; 0 for no limit.
    :param latency: how long a call takes, in the format of ``--latency``.
    """

    name: str
    quota: int = QUOTA
    latency: str = LATENCY


class Emulator(EmulatorService):
    """An emulator that reads labels and knows two key pairs of one account, its own and a stranger's.

    It answers once its context is entered, with an empty journal.

    :param state: directory for its journal and log.
    """

    def __init__(self, account: Account, state: Path) -> None:
        super().__init__(
            state, "label", account.latency, name=account.name, quota=account.quota, others=(STRANGER,)
        )

    def __enter__(self) -> Self:
        self.journal.unlink(missing_ok=True)
        super().__enter__()
        try:
            self.wait_until_ready()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    def calls(self) -> list[Call]:
        """Return the calls that its journal holds."""
        return read_calls(self.journal)
