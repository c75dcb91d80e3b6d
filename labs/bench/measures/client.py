"""The part *client*: what a call costs in CPU and time, and large images through the whole pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from labs.bench.emulators import Account, Emulator
from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, run_program
from labs.bench.measures.journal import answered_per_second, steady_part
from labs.ground.images import draw_large_images, large_list
from labs.ground.servers.emulator_service import QUOTA
from labs.ground.warehouse import BenchWarehouse

OURS: Final = "this client"
SDK: Final = "SDK"
#: By the names that ``labs.bench.programs.calls.one_image`` knows them by.
CLIENTS: Final = {"ours": OURS, "sdk": SDK, "sdk_async": "SDK, async", "aiohttp": "bare aiohttp"}
_WARM_UP: Final = 3
_DATABASE: Final = "large"
_LARGE_BYTES: Final = 5_000_000
#: Different files of 5 MB; more would only fill the disk.
_LARGE_FILES: Final = 40
_SHARE_OF_QUOTA: Final = 0.97
_MEMORY_MB: Final = 450
_CPU_RATIO: Final = 0.40


@dataclass(frozen=True)
class ClientCost:
    """What one image costs a client; medians of several runs.

    :param size: of the image, in bytes.
    :param cpu_ms: milliseconds of CPU per image, user and system.
    :param per_second: images per second.
    :param cpu_runs_ms: the same CPU, by each of the runs.
    """

    client: str
    size: int
    cpu_ms: float
    per_second: float
    cpu_runs_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class LargeImages:
    """Images of 5 MB through the whole pipeline, in one process, at a quota of 20.

    :param rate: answered calls per second over the steady part.
    :param peak_mb: highest memory of the process over what it had after its imports.
    """

    rate: float
    peak_mb: float
    listed: int
    right: int


@dataclass(frozen=True)
class Clients:
    """All that was measured about clients."""

    costs: list[ClientCost]
    large: LargeImages

    def cost(self, client: str, size: int) -> ClientCost:
        """Return what one client costs with images of one size."""
        return next(each for each in self.costs if (each.client, each.size) == (client, size))

    @property
    def sizes(self) -> list[int]:
        """The sizes that were measured, in bytes."""
        return sorted({cost.size for cost in self.costs})

    def part(self) -> Part:
        """Return the figures and tables."""
        figures = [
            Figure(
                f"CPU per image against the SDK, {named(size)}",
                self.cost(OURS, size).cpu_ms / self.cost(SDK, size).cpu_ms,
                _CPU_RATIO,
                repeated=[
                    ours / sdk
                    for ours, sdk in zip(
                        self.cost(OURS, size).cpu_runs_ms, self.cost(SDK, size).cpu_runs_ms, strict=True
                    )
                ],
            )
            for size in self.sizes[1:]
        ]
        large = self.large
        figures += [
            Figure(
                "5 MB images, one process: answered per second",
                large.rate,
                _SHARE_OF_QUOTA * QUOTA,
                at_least=True,
                unit="/s",
            ),
            Figure("5 MB images: peak memory over idle", large.peak_mb, _MEMORY_MB, unit="MB", digits=0),
            Figure("5 MB images: images lost", large.listed - large.right, 0, digits=0, must=True),
        ]
        header = ("client", *(f"{named(size)}" for size in self.sizes))
        cpu = tuple(
            (client, *(f"{self.cost(client, size).cpu_ms:.2f} ms" for size in self.sizes))
            for client in CLIENTS.values()
        )
        rate = tuple(
            (client, *(f"{self.cost(client, size).per_second:,.0f}" for size in self.sizes))
            for client in CLIENTS.values()
        )
        return Part(
            "client",
            tuple(figures),
            (Facts("CPU per image", header, cpu), Facts("Images per second, quota lifted", header, rate)),
        )


def named(size: int) -> str:
    """Name a size in bytes."""
    return f"{size / 1_000_000:g} MB" if size >= 1_000_000 else f"{size / 1000:g} KB"


def measure_clients(bench: Bench) -> Clients:
    """Measure each client with each size of image, in turn, and large images through the pipeline.

    :raises RuntimeError: a program failed, or calls are missing in the journal.
    """
    costs = _costs(bench)
    bench.say("5 MB images at 20 per second through the whole pipeline")
    return Clients(costs, _large_images(bench))


def _costs(bench: Bench) -> list[ClientCost]:
    bench.say("Clients, in separate processes, in turn")
    directory = bench.state / "sizes"
    seen: dict[tuple[str, int], list[dict[str, Any]]] = {}
    made = 0
    with Emulator(Account("clients", quota=0, latency="0"), bench.state) as emulator:
        for size, calls in bench.sizes.client_calls:
            (file,) = draw_large_images(1, size, directory)
            for _ in range(bench.sizes.repeats):
                for client in CLIENTS:
                    arguments = (client, emulator.endpoint, str(file), str(_WARM_UP), str(calls))
                    seen.setdefault((client, size), []).append(run_program("calls.one_image", *arguments))
                    made += _WARM_UP + calls
        answered = sum(call.answered for call in emulator.calls())
    if answered != made:
        raise RuntimeError(f"The clients made {made} calls, and the emulator answered {answered}.")
    return [
        ClientCost(
            CLIENTS[client],
            size,
            median(run["cpu_seconds"] / run["calls"] for run in runs) * 1000,
            median(run["calls"] / run["seconds"] for run in runs),
            tuple(run["cpu_seconds"] / run["calls"] * 1000 for run in runs),
        )
        for (client, size), runs in seen.items()
    ]


def _large_images(bench: Bench) -> LargeImages:
    listed = bench.sizes.large_images
    files = draw_large_images(_LARGE_FILES, _LARGE_BYTES, bench.state / "large")
    bench.postgres.create_database(_DATABASE, replace=True)
    warehouse = BenchWarehouse(bench.postgres.dsn(_DATABASE))
    images = large_list(files, listed)
    warehouse.list_images("large_images", images)
    with Emulator(Account("large"), bench.state) as emulator:
        memory = run_program("large_images", warehouse.dsn, emulator.endpoint)
        calls = emulator.calls()
    steady = steady_part(calls, [{image.digest for image in images}])
    return LargeImages(
        answered_per_second(calls, steady),
        memory["peak_mb"],
        listed,
        warehouse.count_right("large_images", "large_permits"),
    )
