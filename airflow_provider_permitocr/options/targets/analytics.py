"""What analysts are given, as a DAG author writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.options.readable import Readable, is_template
from airflow_provider_permitocr.options.targets.result_file import PRIVATE, file_path, mode_of_files
from airflow_provider_permitocr.options.validation import Rule, check, optional, text

_SUFFIX: Final = ".html"
_PICTURE: Final = ".png"
#: Between these years a zone's offset must not change: a view has room for one.
_YEARS: Final = range(2020, 2038)


@dataclass(frozen=True, repr=False)
class AnalyticsReport(Readable):
    """A page with pictures and their numbers, for people who read no SQL. Needs the extra ``report``.

    It is one file that loads nothing else, with a PNG beside it. Both contain counts and sums only.

    :param path: an absolute path or a URL that ends in ``.html``, such as
        ``s3://bucket/permits-{{ dag_run.run_after | ds }}.html``. The PNG has the same name.
    :param conn_id: Airflow connection of the store; by default that of the URL, or the store's default.
    :param title: heading of the page.
    :param file_mode: permissions of the files on a disk; by default, only their owner may access them.
    :raises ValueError: naming the option.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("path", "conn_id")

    path: str
    conn_id: str | None = field(default=None, kw_only=True)
    title: str = field(default="Mainland travel permits", kw_only=True)
    file_mode: int = field(default=PRIVATE, kw_only=True)

    def __post_init__(self) -> None:
        check(
            self,
            path=file_path(),
            conn_id=optional(text()),
            title=text(),
            file_mode=mode_of_files(),
        )
        if is_template(self.path):
            return
        if not self.path.lower().endswith(_SUFFIX):
            raise ValueError(f"AnalyticsReport: path must end in {_SUFFIX}, not {self.path!r}")
        if not self.path.startswith("/") and "://" not in self.path:
            raise ValueError(
                f"AnalyticsReport: path must be absolute or a URL, not {self.path!r}: a relative path depends"
                " on the worker"
            )

    @property
    def picture_path(self) -> str:
        """Path or URL of the PNG."""
        return self.path[: -len(_SUFFIX)] + _PICTURE


def report_of(given: AnalyticsReport | str | None) -> AnalyticsReport | None:
    """Return the report that an author means: a path by itself is a report with defaults.

    :raises TypeError: for another value.
    """
    if given is None or isinstance(given, AnalyticsReport):
        return given
    if not isinstance(given, str):
        raise TypeError(f"report must be an AnalyticsReport, a path or None, not {type(given).__name__}")
    return AnalyticsReport(given)


def fixed_zone() -> Rule:
    """A time zone with a fixed offset from UTC."""

    def read(given: str) -> str:
        fixed_offset(given)
        return given

    return Rule("a time zone without daylight saving time, such as Asia/Shanghai or UTC", read)


def fixed_offset(timezone: str) -> int:
    """Return how many minutes the clocks of a time zone are ahead of UTC.

    :raises ValueError: when that changes.
    """
    zone = ZoneInfo(timezone)
    offsets = {zone.utcoffset(datetime(year, month, 1)) for year in _YEARS for month in (1, 7)}
    if len(offsets) != 1:
        raise ValueError(f"{timezone} changes its offset from UTC")
    return (offsets.pop() or timedelta()) // timedelta(minutes=1)
