"""A browser that looks at pages, and notes errors, requests to strangers, and what a screen reader misses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from labs.ground.command import ROOT

#: Where ``make ui-browser`` puts Playwright and axe.
PACKAGES: Final = ROOT / ".venv-ui"
#: Debian's, or what the user's system has.
CHROMIUM: Final = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
_OWN: Final = "/permitocr/"
_GRAVE: Final = ("serious", "critical")
_LOOK_FOR: Final = (
    "context => axe.run(context, {resultTypes: ['violations']}).then(result => result.violations)"
)


class NoBrowserError(RuntimeError):
    """There is no browser; the message says what to do."""


@dataclass
class Window:
    """One window of a browser.

    :param page: Playwright's page.
    :param strangers: requests to other machines.
    :param errors: in the console, only of this project's page.
    """

    page: Any
    host: str
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors and strangers from now on."""
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def take_newest(self) -> None:
        """Go on in the tab that was opened last."""
        newest = self.page.context.pages[-1]
        if newest is not self.page:
            self.page = newest
            self.watch()

    def _note_request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.netloc != self.host:
            self.strangers.append(request.url)

    def _note_message(self, message: Any) -> None:
        where = str((message.location or {}).get("url", ""))
        if message.type == "error" and (_OWN in where or "permitocr_progress" in where):
            self.errors.append(f"{where}: {message.text}")

    def frame(self) -> Any:
        """Return the frame of this project's page, or the page itself if it is not embedded."""
        frames = [frame for frame in self.page.frames if urlsplit(frame.url).path.startswith(_OWN)]
        return frames[0] if frames else self.page.main_frame

    def shows(self, selector: str) -> bool:
        """Return whether this project's page now contains something."""
        try:
            return self.frame().query_selector(selector) is not None
        except Exception:  # noqa: BLE001  while it is left for another, it has no document
            return False

    def flaws(self) -> list[str]:
        """Return what axe finds wrong with this project's page that is serious or worse."""
        frame = self.frame()
        frame.evaluate((PACKAGES / "axe_playwright_python" / "axe.min.js").read_text("utf-8"))
        found = frame.evaluate(_LOOK_FOR, "html")
        return [
            f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:120]})"
            for each in found
            if each["impact"] in _GRAVE
        ]


@contextmanager
def browser() -> Iterator[Any]:
    """Start a headless browser; yields Playwright's.

    :raises NoBrowserError: when there is none.
    """
    if not PACKAGES.is_dir():
        raise NoBrowserError("Playwright is missing. Run: make ui-browser")
    executable = next((each for each in CHROMIUM if Path(each).exists()), None)
    if executable is None:
        raise NoBrowserError("Chromium is missing. On Debian, run: apt-get install chromium")
    # At the end, so that this environment's packages take precedence.
    if str(PACKAGES) not in sys.path:
        sys.path.append(str(PACKAGES))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def window(
    started: Any, url: str, *, is_dark: bool = False, width: int = 1280, height: int = 900, **settings: Any
) -> Iterator[Window]:
    """Open a window for one address of this machine.

    :param url: address of the pages.
    :param settings: of Playwright's context.
    """
    context = started.new_context(
        color_scheme="dark" if is_dark else "light", viewport={"width": width, "height": height}, **settings
    )
    opened = Window(context.new_page(), urlsplit(url).netloc)
    opened.watch()
    try:
        yield opened
    finally:
        context.close()
