"""``python -m airflow_provider_permitocr.emulator.specimens``: draw permits into a directory."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    Effect,
    PermitKind,
    Specimen,
    draw_specimen,
)
from airflow_provider_permitocr.permit.api import CardSide, ImageFormat

TRUTH_FILE = "truth.jsonl"


def draw_series(args: argparse.Namespace) -> Iterator[Specimen]:
    """Draw ``args.count`` specimens: kinds and sides in turn, a new person after each round."""
    wanted = [(kind, side) for kind, side in DRAWABLE if kind in args.kinds and side in args.sides]
    if not wanted:
        raise ValueError(
            "none of these kinds has such a side: the API reads the back of "
            f"{PermitKind.HONG_KONG_MACAO} and {PermitKind.NON_CHINESE} only"
        )
    for number, (kind, side) in enumerate(islice(cycle(wanted), args.count)):
        yield draw_specimen(
            kind,
            side,
            args.seed + number // len(wanted),
            image_format=args.format,
            width=args.width,
            effects=frozenset(args.effects),
            min_bytes=args.min_bytes,
        )


def write_series(specimens: Iterator[Specimen], out: Path) -> int:
    """Write each specimen and its line of the truth file; returns how many."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with (out / TRUTH_FILE).open("w", encoding="utf-8") as lines:
        for specimen in specimens:
            (out / specimen.file_name).write_bytes(specimen.image)
            line = {
                "file": specimen.file_name,
                "kind": specimen.kind,
                "side": specimen.side,
                "effects": sorted(specimen.effects),
                "fields": specimen.fields,
            }
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            written += 1
    return written


def parser() -> argparse.ArgumentParser:
    """Return what reads the command's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m airflow_provider_permitocr.emulator.specimens",
        description=f"Draw permits of invented people, marked SPECIMEN, with their truth in {TRUTH_FILE}.",
    )
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; created if missing")
    made.add_argument(
        "--count", type=int, default=len(DRAWABLE), help="number of files (default: %(default)s)"
    )
    made.add_argument("--seed", type=int, default=0, help="seed of the first person (default: 0)")
    made.add_argument(
        "--kinds",
        nargs="+",
        type=PermitKind,
        default=list(PermitKind),
        metavar="KIND",
        help=f"{', '.join(PermitKind)} (default: all)",
    )
    made.add_argument(
        "--sides",
        nargs="+",
        type=CardSide,
        default=list(CardSide),
        metavar="SIDE",
        help=f"{', '.join(CardSide)} (default: both)",
    )
    made.add_argument(
        "--effects",
        nargs="*",
        type=Effect,
        default=[],
        metavar="EFFECT",
        help=f"{', '.join(Effect)} (default: none)",
    )
    made.add_argument(
        "--format", type=ImageFormat, default=ImageFormat.JPEG, help="PNG or JPEG (default: JPEG)"
    )
    made.add_argument("--width", type=int, default=1200, help="width in pixels (default: %(default)s)")
    made.add_argument("--min-bytes", type=int, default=0, help="grow each file to this size (default: 0)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: without the program's name; those of the process by default.
    :return: the exit code.
    """
    command = parser()
    args = command.parse_args(arguments)
    if args.count < 1:
        command.error(f"--count {args.count}: ask for at least one")
    try:
        written = write_series(draw_series(args), args.out)
    except ValueError as error:
        command.error(str(error))
    print(f"{written} specimens in {args.out}")  # noqa: T201 (this is the command's output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
