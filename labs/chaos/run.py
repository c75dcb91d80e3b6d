"""All scenarios, a few at a time, from the first process to the table of figures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from rich.console import Console
from rich.table import Table

from labs.chaos.airflow.resume import airflow
from labs.chaos.scene import Stage
from labs.chaos.situations.account import account, bad_node
from labs.chaos.situations.cap import cap
from labs.chaos.situations.cap_drivers import cap_drivers
from labs.chaos.situations.clocks import clocks
from labs.chaos.situations.distance import distance
from labs.chaos.situations.faults import faults
from labs.chaos.situations.identity import identity
from labs.chaos.situations.kill import kill
from labs.chaos.situations.outage import DURABLE, journal, outage
from labs.chaos.situations.role import role
from labs.chaos.situations.target_gone import target_gone
from labs.chaos.situations.together import two_lists, two_runs, two_tries
from labs.chaos.sizes import SHORT, Sizes
from labs.chaos.task_process import prepare_tasks
from labs.ground.figures import Figure
from labs.ground.images import draw_images
from labs.ground.phases import phase
from labs.ground.servers.postgres import EmbeddedPostgres

#: Begun in this order, with those that take longest.
SCENARIOS: Final[dict[str, Callable[[Stage], list[Figure]]]] = {
    "kill": kill,
    "airflow": airflow,
    "outage": outage,
    "journal": journal,
    "two_lists": two_lists,
    "faults": faults,
    "account": account,
    "bad_node": bad_node,
    "cap": cap,
    "cap_drivers": cap_drivers,
    "clocks": clocks,
    "role": role,
    "two_runs": two_runs,
    "two_tries": two_tries,
    "target_gone": target_gone,
    "identity": identity,
    "distance": distance,
}
_AT_ONCE: Final = 3
#: What measures a rate has the machine to itself.
_ALONE: Final = ("distance",)


@dataclass(frozen=True)
class ChaosOptions:
    """What to break, and where.

    :param only: names of scenarios.
    :param short: small sizes.
    :param state: working directory; emptied first.
    :raises ValueError: there is no such scenario.
    """

    only: tuple[str, ...]
    short: bool
    state: Path

    def __post_init__(self) -> None:
        if unknown := set(self.only) - set(SCENARIOS):
            raise ValueError(f"there is no scenario {unknown.pop()!r}; they are {', '.join(SCENARIOS)}")


class NotAsPromisedError(RuntimeError):
    """A figure is not as promised; the message names it."""


def run_chaos(options: ChaosOptions, console: Console) -> None:
    """Run the scenarios, and compare the results with the promises.

    :raises NotAsPromisedError: a figure does not match its promise.
    :raises RuntimeError: something could not be started; the message gives the reason.
    """
    began = time.monotonic()
    shutil.rmtree(options.state, ignore_errors=True)
    options.state.mkdir(parents=True)
    prepare_tasks(options.state / "airflow")
    sizes = SHORT if options.short else Sizes()
    with EmbeddedPostgres(options.state / "postgres", DURABLE) as postgres:
        images = draw_images(sizes.most_images, options.state / "images")
        stage = Stage(options.state, sizes, postgres, images, lambda text: _say(text, console))
        names = options.only or tuple(SCENARIOS)
        figures = _play([name for name in names if name not in _ALONE], stage, console)
        for name in _ALONE:
            if name in names:
                figures |= _play([name], stage, console)
    show(figures, console)
    console.print(f"[dim]All this took {time.monotonic() - began:.0f} s.[/dim]", highlight=False)
    broken = [f"{name}: {each.name}" for name, shown in figures.items() for each in shown if not each.kept]
    if broken:
        raise NotAsPromisedError(f"Not as promised: {'; '.join(broken)}. The logs are in {options.state}.")


def _play(names: Sequence[str], stage: Stage, console: Console) -> dict[str, list[Figure]]:
    """Play scenarios side by side: they mostly wait, and do not know of each other."""
    waiting, played = SimpleQueue[str](), SimpleQueue[tuple[str, list[Figure] | Exception]]()
    for name in names:
        waiting.put(name)

    def play() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except Empty:
                return
            try:
                with phase(None, f"Played: {name}", console):
                    played.put((name, SCENARIOS[name](_named(stage, name))))
            except Exception as error:  # noqa: BLE001 - raised in the main thread
                played.put((name, error))

    for _ in range(min(_AT_ONCE, len(names))):
        # A daemon, so that an interruption need not wait for the end of its scenario.
        Thread(target=play, daemon=True).start()
    figures: dict[str, list[Figure]] = {}
    for _ in names:
        name, outcome = played.get()
        if isinstance(outcome, Exception):
            raise outcome
        figures[name] = outcome
    return {name: figures[name] for name in names}


def _named(stage: Stage, name: str) -> Stage:
    return replace(stage, say=lambda text: stage.say(f"{name}: {text}"))


def show(figures: Mapping[str, Sequence[Figure]], console: Console) -> None:
    """Print the figures of each scenario, and of each of its situations if it has several."""
    table = Table("test", "to reach", "measured", "", box=None, pad_edge=False)
    above = ""
    for name, shown in figures.items():
        for figure in shown:
            situation, _, what = figure.name.rpartition(": ")
            title = f"{name}, {situation}" if situation else name
            if title != above:
                table.add_row(f"[bold]{title}[/bold]")
                above = title
            mark = "[green]ok[/green]" if figure.kept else "[bold red]FAILED[/bold red]"
            table.add_row(f"  {what}", figure.promised, figure.measured, mark)
    console.print(table, highlight=False)


def _say(text: str, console: Console) -> None:
    console.print(f"  {text}", highlight=False, markup=False)
