"""Where portraits go, as a DAG author writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from airflow_provider_permitocr.options.readable import Readable, is_template
from airflow_provider_permitocr.options.targets.result_file import PRIVATE, mode_of_files
from airflow_provider_permitocr.options.validation import check, optional, text


class PortraitColumn(StrEnum):
    """Portraits in the result itself."""

    COLUMN = "column"  #: as base64, in the column ``profile``


@dataclass(frozen=True, repr=False)
class PortraitFolder(Readable):
    """A folder that portraits are written to, each under an unguessable name.

    The column ``profile`` then holds the portrait's path or URL.

    :param path: an absolute path, or a URL such as ``s3://bucket/portraits``. A folder on a disk must exist.
    :param conn_id: Airflow connection of the store; by default that of the URL, or the store's default.
    :param file_mode: permissions of the files on a disk; by default, only their owner may access them.
    :raises ValueError: naming the option.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("path", "conn_id")

    path: str
    conn_id: str | None = field(default=None, kw_only=True)
    file_mode: int = field(default=PRIVATE, kw_only=True)

    def __post_init__(self) -> None:
        check(self, path=text(), conn_id=optional(text()), file_mode=mode_of_files())
        if not is_template(self.path) and not self.path.startswith("/") and "://" not in self.path:
            raise ValueError(f"PortraitFolder: path must be absolute or a URL, not {self.path!r}")


Portraits = PortraitFolder | PortraitColumn


def portraits_of(given: Portraits | str | None) -> Portraits | None:
    """Return where portraits go.

    :raises ValueError, TypeError: when it is neither a folder nor ``column``.
    """
    if given is None or isinstance(given, PortraitFolder):
        return given
    if not isinstance(given, str):
        raise TypeError(f"portraits must be a PortraitFolder or 'column', not {type(given).__name__}")
    try:
        return PortraitColumn(given)
    except ValueError:
        raise ValueError(f"portraits must be a PortraitFolder or 'column', not {given!r}") from None
