"""What somebody at a notebook or a prompt sees of a long call: a progress bar, where tqdm is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_interactive() -> bool:
    """Return whether a person waits for the result: in a notebook, IPython or at Python's own prompt."""
    ipython = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or (ipython is not None and ipython.get_ipython() is not None)


@contextmanager
def progress_bar(total: int | None, *, is_wanted: bool | None = None) -> Iterator[Callable[[int], object]]:
    """Show how many images are done; the end of the ``with`` ends the bar.

    :param total: images in all; None: not known.
    :param is_wanted: None: where a person waits for the result.
    :return: is called with how many more are done.
    """
    bar = None
    if is_interactive() if is_wanted is None else is_wanted:
        try:
            from tqdm.auto import tqdm
        except ImportError:  # the extra "notebook" brings it
            pass
        else:
            bar = tqdm(total=total, unit="image", desc="MainlandPermitOCR")
    if bar is None:
        yield lambda _done: None
        return
    with bar:
        yield bar.update
