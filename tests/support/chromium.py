"""A browser for the tests that look at pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from labs.ui.browser import NoBrowserError, browser


# Playwright runs an event loop in its caller's thread until it ends: no other module's tests may meet it.
@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    """A headless Chromium; without one, the test is skipped unless ``PERMITOCR_REQUIRE_BROWSER`` is set."""
    try:
        with browser() as started:
            yield started
    except NoBrowserError as error:
        if os.environ.get("PERMITOCR_REQUIRE_BROWSER"):
            raise
        pytest.skip(str(error))
