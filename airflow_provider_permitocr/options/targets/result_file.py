"""The file that a result is written to, as specified by a DAG author.

A plain value, checked when the DAG is parsed; nothing here opens a file or imports a reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Final, Self

from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.readable import Readable, is_template
from airflow_provider_permitocr.options.validation import Rule, check, choice, flag, optional, text, whole

#: Placeholder in a path for the shard that writes it.
SHARD_PLACE: Final = "{shard}"
#: Mode of a file that only its owner may read.
PRIVATE: Final = 0o600


class FileFormat(StrEnum):
    """Formats of a file; each value is also its suffix."""

    PARQUET = "parquet"
    CSV = "csv"
    CSV_GZ = "csv.gz"


@dataclass(frozen=True, repr=False)
class ResultFile(Readable):
    """A file with one row per image and side, on a disk or in an object store.

    :param path: an absolute path, or a URL such as ``s3://bucket/permits/{{ ds }}.parquet``, without ``..``
        between slashes, which a rendered value might hold to leave its directory. In a sharded
        task each shard writes its own file, named by ``{shard}`` in the path: 2/4 writes ``2-of-4``.
    :param conn_id: Airflow connection of the store; by default that of the URL, such as
        ``s3://conn_id@bucket/key``, or the store's default.
    :param file_format: ``parquet``, ``csv`` or ``csv.gz``, if the path's suffix does not say.
    :param parts: write the file even while images of its run's window are left, with the answers so far;
        otherwise the run that finishes the window writes it.
    :param file_mode: permissions of the file on a disk; by default, only its owner may access it. ``0o640``
        lets its group read it. A store has its own access rights.
    :param escape_formulas: put an apostrophe before text that a spreadsheet would run as a formula, see
        docs/guides/tables.md; numbers stay unchanged. None: in ``csv`` files, which people open, and in no
        others.
    :param byte_order_mark: start with one, so that Excel detects UTF-8; only for CSV.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("path", "conn_id")

    path: str
    conn_id: str | None = field(default=None, kw_only=True)
    file_format: FileFormat | str | None = field(default=None, kw_only=True)
    parts: bool = field(default=False, kw_only=True)
    file_mode: int = field(default=PRIVATE, kw_only=True)
    escape_formulas: bool | None = field(default=None, kw_only=True)
    byte_order_mark: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check(
            self,
            path=file_path(),
            conn_id=optional(text()),
            file_format=optional(choice(FileFormat)),
            parts=flag(),
            file_mode=mode_of_files(),
            escape_formulas=optional(flag()),
            byte_order_mark=flag(),
        )
        if is_template(self.path):
            return
        if not self.path.startswith("/") and "://" not in self.path:
            raise ValueError(
                f"ResultFile: path must be absolute or a URL, not {self.path!r}: a relative path depends on"
                " the worker"
            )
        if self.format is FileFormat.PARQUET and (self.escape_formulas or self.byte_order_mark):
            raise ValueError(
                "ResultFile: escape_formulas and byte_order_mark are for CSV; no spreadsheet runs Parquet"
            )

    @property
    def format(self) -> FileFormat:
        """The format, as given or by the suffix.

        :raises ValueError: when neither is known; a template may lack it until it is rendered.
        """
        if self.file_format is not None:
            return FileFormat(self.file_format)
        for each in sorted(FileFormat, key=len, reverse=True):
            if self.path.lower().endswith(f".{each.value}"):
                return each
        raise ValueError(
            f"ResultFile: the suffix of {self.path!r} names no format; end it with one of {_FORMATS}, or give"
            " file_format"
        )

    @property
    def escapes_formulas(self) -> bool:
        """Whether texts are kept from being taken for formulas, as it was given or by the format."""
        return self.format is FileFormat.CSV if self.escape_formulas is None else self.escape_formulas

    def of_shard(self, shard: Shard | None) -> Self:
        """Return the file that a shard writes.

        :raises ValueError: when the shards of a list would all write the same file, or there are none.
        """
        self.require_shard_place(sharded=shard is not None)
        return self if shard is None else replace(self, path=self.path.replace(SHARD_PLACE, shard.in_a_path))

    def require_shard_place(self, *, sharded: bool) -> None:
        """Refuse a file that several shards would overwrite, and one that names a shard without any.

        :raises ValueError: saying what to write instead.
        """
        if sharded and SHARD_PLACE not in self.path:
            raise ValueError(f"each shard writes its own file: put {SHARD_PLACE} into the path {self.path!r}")
        if not sharded and SHARD_PLACE in self.path:
            raise ValueError(f"the path {self.path!r} names a file per shard, but the task has no shard")


def file_path() -> Rule:
    """The path of a file, which a rendered value may not lead out of its directory."""

    def read(given: str) -> str:
        if not given or "\x00" in given or given.endswith("/") or ".." in given.split("/"):
            raise ValueError
        return given

    return Rule("the path of a file, without '..'", read)


def mode_of_files() -> Rule:
    """The mode of a file that its owner may read and write."""
    rights = whole(PRIVATE, 0o777)
    return Rule("from 0o600 to 0o777, such as 0o640", rights.read)


_FORMATS: Final = ", ".join(f".{each.value}" for each in FileFormat)
