"""How much of what was drawn an engine reads back; ``python -m …specimens.accuracy`` prints it.

Counted over fields that the specimen prints (its truth is not ''). A field that an engine answers though
the specimen does not print it is counted apart, as invented.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_permitocr.emulator.engines import ENGINE_NAMES, Engine, load_engine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    Effect,
    PermitKind,
    Specimen,
    draw_specimen,
)
from airflow_provider_permitocr.permit.api import BACK_FIELD, WARNINGS_FIELD, CardSide

#: Clean, each effect separately, and all of them together.
CONDITIONS: Final = (
    frozenset[Effect](),
    *(frozenset({effect}) for effect in Effect),
    frozenset(Effect),
)


@dataclass(frozen=True)
class Field:
    """One field of one specimen: the drawn and the read text, '' for none."""

    kind: PermitKind
    side: CardSide
    effects: frozenset[Effect]
    name: str
    drawn: str
    read: str


@dataclass
class Score:
    """Counts over fields.

    :param printed: fields with a truth; ``right`` of them were read exactly.
    :param invented: fields without a truth that were answered anyway.
    """

    printed: int = 0
    right: int = 0
    invented: int = 0

    def add(self, compared: Field) -> None:
        """Count one field."""
        self.printed += bool(compared.drawn)
        self.right += bool(compared.drawn) and compared.read == compared.drawn
        self.invented += bool(compared.read) and not compared.drawn

    @property
    def rate(self) -> float:
        """Share of printed fields that were read exactly; 1.0 if none were printed."""
        return self.right / self.printed if self.printed else 1.0


@dataclass
class Report:
    """What a run found."""

    fields: list[Field] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def score(self) -> Score:
        """Count all fields."""
        return score(self.fields)


def score(fields: Iterable[Field]) -> Score:
    """Count fields."""
    total = Score()
    for compared in fields:
        total.add(compared)
    return total


def measure(
    engine: Engine, specimens: Iterable[Specimen], clock: Callable[[], float] = time.perf_counter
) -> Report:
    """Let an engine read specimens; an error counts as every field unread."""
    report = Report()
    for specimen in specimens:
        started = clock()
        try:
            answer = engine.read(specimen.image, specimen.side, with_portrait=False)
        except ApiError:
            answer = {}
        report.seconds.append(clock() - started)
        report.fields += compare(specimen, answer)
    return report


def compare(specimen: Specimen, answer: dict[str, Any]) -> list[Field]:
    """Put every field of a specimen's truth beside its answer."""
    drawn, read = dict(_flat(specimen.fields)), dict(_flat(answer))
    return [
        Field(specimen.kind, specimen.side, specimen.effects, name, text, read.get(name, ""))
        for name, text in drawn.items()
    ]


def _flat(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name every field once: members of the back with the back's name before them."""
    for name, value in answer.items():
        if name == BACK_FIELD:
            yield from ((f"{BACK_FIELD}.{member}", text) for member, text in value.items())
        elif name == WARNINGS_FIELD:
            yield name, " ".join(map(str, value))
        else:
            yield name, value


def _name(effects: frozenset[Effect]) -> str:
    if not effects:
        return "clean"
    return "all four" if effects == frozenset(Effect) else ", ".join(sorted(effects))


def table(report: Report) -> str:
    """A table of rates: a row for each kind and side and for each field, a column for each condition."""
    conditions = list(dict.fromkeys(compared.effects for compared in report.fields))
    rows: dict[str, list[Field]] = defaultdict(list)
    for compared in report.fields:
        rows[f"{compared.kind} {compared.side.lower()}"].append(compared)
    for compared in sorted(report.fields, key=lambda compared: compared.name):
        rows[compared.name.replace(BACK_FIELD, "Back")].append(compared)
    rows["every field"] = report.fields
    width = max(map(len, rows)) + 2
    lines = [" " * width + "".join(f"{_name(effects):>13}" for effects in conditions)]
    for title, fields in rows.items():
        cells = (_cell(score(one for one in fields if one.effects == effects)) for effects in conditions)
        lines.append(title.ljust(width) + "".join(cells))
    return "\n".join(lines)


def _cell(counted: Score) -> str:
    rate = f"{counted.rate:.1%}" if counted.printed else "-"
    invented = f" +{counted.invented}" if counted.invented else ""
    return f"{rate + invented:>13}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_permitocr.emulator.specimens.accuracy",
        description="Share of fields that an engine reads exactly; '+n' counts fields it invented.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=5, help="people for each kind and side")
    parser.add_argument("--seed", type=int, default=0, help="of the first person")
    parser.add_argument("--width", type=int, default=1200, help="of the pictures, in pixels")
    parser.add_argument("--engine", choices=ENGINE_NAMES, default="rapidocr")
    parser.add_argument("--clean", action="store_true", help="without effects only")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: without the program's name; those of the process by default.
    :return: the exit code.
    """
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.count < 1:
        parser.error(f"--count {args.count}: ask for at least one")
    specimens = (
        draw_specimen(kind, side, seed, width=args.width, effects=effects)
        for effects in (CONDITIONS[:1] if args.clean else CONDITIONS)
        for kind, side in DRAWABLE
        for seed in range(args.seed, args.seed + args.count)
    )
    report = measure(load_engine(args.engine), specimens)
    total = report.score()
    print(table(report))  # noqa: T201 (this is the command's output)
    print(  # noqa: T201
        f"\n{len(report.seconds)} images, {total.printed} fields, {total.printed - total.right} wrong, "
        f"{total.invented} invented; median {statistics.median(report.seconds):.2f} s an image"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
