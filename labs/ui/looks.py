"""What people do with the page, and what has to be there when they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from labs.ui.browser import Window, window

TASK: Final = "recognize_permits"
_PATIENCE_MS: Final = 30_000
_SHOWN: Final = "#page[aria-busy=false] .stats"


@dataclass
class Looks:
    """Looks at the pages of one Airflow, and keeps pictures.

    :param url: base URL of Airflow.
    :param pictures: directory for screenshots.
    """

    started: Any
    url: str
    pictures: Path
    problems: list[str] = field(default_factory=list)
    sessions: dict[str, Any] = field(default_factory=dict)

    def log_in(self, user: str, password: str, address: str) -> None:
        """Request a run's page without being logged in, log in, and require a redirect to it."""
        with window(self.started, self.url) as opened:
            opened.page.goto(address, timeout=_PATIENCE_MS)
            opened.page.fill("input[name=username]", user)
            opened.page.fill("input[name=password]", password)
            opened.page.click("button[type=submit]")
            self._await(opened, _SHOWN)
            self.require(f"{user} is led to {opened.page.url}", "/permitocr/ui/run.html" in opened.page.url)
            self.sessions[user] = opened.page.context.storage_state()

    def run_url(self, dag_id: str, run_id: str, map_index: int | None = None) -> str:
        """Return the address of a run's page, not embedded."""
        index = "" if map_index is None else f"&map_index={map_index}"
        page = f"{self.url}/permitocr/ui/run.html"
        return f"{page}?dag_id={quote(dag_id)}&run_id={quote(run_id)}&task_id={TASK}{index}"

    def require(self, what: str, is_so: bool) -> None:
        """Note what is not as it should be."""
        if not is_so:
            self.problems.append(what)

    def look(
        self,
        name: str,
        address: str,
        *,
        wait_for: str = _SHOWN,
        has: tuple[str, ...] = (),
        do: Callable[[Window], None] = lambda _: None,
        is_whole: bool = True,
        user: str = "admin",
        **settings: Any,
    ) -> str:
        """Open a page, require its contents, and save a screenshot; return its text.

        :param wait_for: selector of an element to wait for.
        :param has: texts that must be there.
        """
        with window(self.started, self.url, storage_state=self.sessions[user], **settings) as opened:
            opened.page.goto(address, timeout=_PATIENCE_MS)
            self._await(opened, wait_for)
            do(opened)
            frame = opened.frame()
            text = str(frame.locator("body").inner_text())
            for each in has:
                self.require(f"{name}: {each!r} is missing", each in text)
            self.problems += [f"{name}: {flaw}" for flaw in opened.flaws()]
            self.require(f"{name}: wider than its window", not frame.evaluate(_IS_TOO_WIDE))
            opened.page.screenshot(path=self.pictures / f"{name}.png", full_page=is_whole)
            self.problems += [f"{name}: console: {error}" for error in opened.errors]
            self.problems += [f"{name}: asked {stranger}" for stranger in opened.strangers]
            return text

    def _await(self, opened: Window, selector: str) -> None:
        until = time.monotonic() + _PATIENCE_MS / 1000
        while time.monotonic() < until:
            if opened.shows(selector):
                opened.page.wait_for_timeout(600)
                return
            opened.page.wait_for_timeout(100)
        opened.page.screenshot(path=self.pictures / "not-found.png")
        raise RuntimeError(f"{opened.page.url} does not show {selector!r}; see {self.pictures}/not-found.png")

    def first_content_seconds(self, address: str, selector: str) -> float:
        """Measure how long until a page shows something of its runs, in a fresh window."""
        with window(self.started, self.url, storage_state=self.sessions["admin"]) as opened:
            began = time.perf_counter()
            opened.page.goto(address, wait_until="commit")
            opened.page.wait_for_selector(selector, timeout=_PATIENCE_MS)
            return time.perf_counter() - began


_IS_TOO_WIDE: Final = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"
