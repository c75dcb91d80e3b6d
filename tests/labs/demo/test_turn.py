from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from labs.demo.turn import turn

ROOT = Path(__file__).parents[3]
HOLDER = (
    "import sys\n"
    "from pathlib import Path\n"
    "from rich.console import Console\n"
    "from labs.demo.turn import turn\n"
    "with turn(Path(sys.argv[1]), Console()):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.readline()\n"
)


def test_a_second_demo_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    said = StringIO()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin
        assert first.stdout
        assert first.stdout.readline() == "held\n"

        class EndingConsole(Console):
            def print(self, *objects: object, **named: object) -> None:
                super().print(*objects, **named)  # type: ignore[arg-type]
                first.communicate("\n")  # it ends once somebody waits for it

        with turn(tmp_path, EndingConsole(file=said, width=200)):
            assert first.wait(30) == 0
    assert "Another demo runs in" in said.getvalue()
    assert "Waiting for it" in said.getvalue()


def test_a_demo_that_is_alone_says_nothing(tmp_path: Path) -> None:
    said = StringIO()
    with turn(tmp_path / "state", Console(file=said)):
        pass
    assert said.getvalue() == ""
