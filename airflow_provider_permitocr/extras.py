"""What the package can do without, and how to add it, however the package itself was installed."""

from __future__ import annotations

from typing import Final

#: As in ``setup.cfg``, without versions. An extra's name works only where the package comes from an index.
PACKAGES: Final = {
    "cos": ("cosfs", "cos-python-sdk-v5"),
    "declared": ("opencc",),
    "images": ("pillow", "pi-heif", "pypdfium2"),
    "parquet": ("pyarrow",),
    "report": ("matplotlib",),
    "s3": ("apache-airflow-providers-amazon[s3fs]",),
}


def install(extra: str) -> str:
    """Return the command that brings what an extra brings."""
    names = (f"'{each}'" if "[" in each else each for each in PACKAGES[extra])
    return f"pip install {' '.join(names)}"
