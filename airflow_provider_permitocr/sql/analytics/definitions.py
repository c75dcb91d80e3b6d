"""Analysts' questions and the views that answer them, defined once for all databases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import sqlalchemy as sa

from airflow_provider_permitocr.permit.advice import Advice
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.permit.corrections import CORRECTABLE
from airflow_provider_permitocr.permit.privacy import FACTS
from airflow_provider_permitocr.sql.analytics.counts import accuracy, by_day, failures, flagged
from airflow_provider_permitocr.sql.analytics.permits import expiring, repeated
from airflow_provider_permitocr.sql.analytics.result_rows import ResultRows

#: Builds a view's SELECT, which selects from the relation of the given name.
MakesSelect: TypeAlias = Callable[[ResultRows, str], sa.Select[Any]]

_DATE, _TEXT, _WHOLE, _FLAG, _TIME, _KEY = (
    ColumnKind.DATE,
    ColumnKind.TEXT,
    ColumnKind.INTEGER,
    ColumnKind.BOOLEAN,
    ColumnKind.TIMESTAMP,
    ColumnKind.KEY,
)
_KIND: Final = Column(
    "permit_kind",
    _TEXT,
    "Document type: taiwan, hong_kong_macao, hong_kong_macao_non_chinese or exit_entry; NULL: unknown",
)
_IMAGE_KEY: Final = Column(
    "image_key", _KEY, "Key of the image in the image list, of the type that it has there"
)


class Analysis(NamedTuple):
    """One view or small table.

    :param suffix: appended to the result table's name.
    :param question: the question it answers.
    """

    suffix: str
    question: str
    columns: tuple[Column, ...]

    def name_beside(self, table: str) -> str:
        """Return its name beside a result table, in the same schema."""
        return f"{table}_{self.suffix}"


BY_DAY: Final = Analysis(
    "by_day",
    "How many permits of each kind were recognized each day?",
    (
        Column("day", _DATE, "Day on which the result was reached"),
        _KIND,
        Column("permits", _WHOLE, "Recognized fronts"),
        Column("backs", _WHOLE, "Recognized backs"),
        Column("doubtful", _WHOLE, "Of both, those with a flag that the reading may be wrong"),
    ),
)
EXPIRING: Final = Analysis(
    "expiring",
    "Which permits expire in the next 30, 60 or 90 days?",
    (
        _IMAGE_KEY,
        _KIND,
        Column("valid_until", _DATE, "Last day of validity: a reviewer's correction, or else as read"),
        Column("days_left", _WHOLE, "Days from today to valid_until; 0: today"),
        Column(
            "within_days",
            _WHOLE,
            "The smallest of 30, 60 and 90 days that covers it: each permit has one, so counts add up",
        ),
        Column("review_status", _TEXT, "confirmed or corrected; NULL: undecided"),
    ),
)
REPEATED: Final = Analysis(
    "repeated",
    "Which document numbers occur under several keys, and could they be different people?",
    (
        Column("number", _TEXT, "The number or its pseudonym: a reviewer's correction, or else as read"),
        _IMAGE_KEY,
        _KIND,
        Column("images", _WHOLE, "Fronts with this number"),
        Column("names_differ", _FLAG, "Whether these fronts have different names"),
        Column("valid_from", _DATE, "First day of validity: a reviewer's correction, or else as read"),
        Column(
            "issue_number", _TEXT, "How many times it was issued: a reviewer's correction, or else as read"
        ),
        Column(
            "issues_differ", _FLAG, "Whether the number of times it was issued does not rise with valid_from"
        ),
    ),
)
FAILURES: Final = Analysis(
    "failures",
    "Why do images have no result, and what can be done?",
    (
        Column("error_code", _TEXT, "The API's code, or this package's own"),
        Column("status", _TEXT, "rejected (before any call), failed or retry"),
        Column("images", _WHOLE, "Images and sides with this code"),
        Column("last_at", _TIME, "When the last image got this code"),
        Column("cause", _TEXT, "What happened; NULL: unknown code"),
        Column("advice", _TEXT, "What to do; NULL: no known remedy"),
    ),
)
FLAGGED: Final = Analysis(
    "flagged",
    "Which flags were raised, and what did people decide?",
    (
        Column("flag", _TEXT, "A flag of quality_flags"),
        Column("images", _WHOLE, "Images and sides with this flag"),
        Column("confirmed", _WHOLE, "Confirmed readings among them"),
        Column("corrected", _WHOLE, "Corrected readings among them"),
        Column("rejected", _WHOLE, "Rejected readings among them"),
        Column("undecided", _WHOLE, "Undecided readings among them"),
    ),
)
ACCURACY: Final = Analysis(
    "accuracy",
    "How often was each field right, according to reviewers?",
    (
        _KIND,
        Column("field", _TEXT, "Field, by its name in a privacy policy: birthday, validity ..."),
        Column("checked", _WHOLE, "Confirmed and corrected readings that have the field"),
        Column("corrected", _WHOLE, "Of these, readings in which the field was corrected"),
    ),
)
COST: Final = Analysis(
    "cost_by_day",
    "What did calls cost, by day, DAG and kind, at the price of that day?",
    (
        Column("line", _WHOLE, "Line number"),
        Column("day", _DATE, "Day on which the calls were made"),
        Column("dag_id", _TEXT, "DAG that made the calls"),
        Column("permit_kind", _TEXT, "Kind of the document; NULL: unknown, for example after a failed call"),
        Column("currency", _TEXT, "Currency of the price; NULL: unknown"),
        Column("unit_price", _TEXT, "Price of one billed call when it was made; NULL: unknown"),
        Column("calls", _WHOLE, "Calls that were made"),
        Column("billed", _WHOLE, "Calls known to be billed"),
        Column("unknown", _WHOLE, "Calls that may or may not be billed; not included in the cost"),
        Column(
            "cost_micros", _WHOLE, "billed times unit_price, in millionths of the currency; NULL: no price"
        ),
    ),
)
PACE: Final = Analysis(
    "calls_by_hour",
    "How fast were calls made and answered, hour by hour?",
    (
        Column("line", _WHOLE, "Line number"),
        Column("hour", _TIME, "When the hour began"),
        Column("calls", _WHOLE, "Calls that were made"),
        Column("answered", _WHOLE, "Calls with a known outcome"),
        Column("best_minute", _WHOLE, "Calls in the busiest minute"),
        Column("p50_ms", _WHOLE, "Median time from a call's intent to its outcome, in milliseconds"),
        Column("p95_ms", _WHOLE, "Time that 95 of 100 calls took at most, in milliseconds"),
    ),
)
#: The ones that a result table answers, and those that only a ledger does.
OF_RESULTS: Final = (BY_DAY, EXPIRING, REPEATED, FAILURES, FLAGGED, ACCURACY)
OF_LEDGERS: Final = (COST, PACE)
#: The columns of a result that views read.
NEEDED: Final = frozenset(
    {"image_key", "card_side", "status", "error_code", "permit_kind", "name", "number", "valid_from"}
    | {
        "valid_until",
        "issue_number",
        "quality_flags",
        "is_doubtful",
        "review_status",
        "corrections",
        "processed_at",
        "version",
    }
    | {FACTS[name].text for name in CORRECTABLE}
)
assert {each.name for each in COLUMNS} >= NEEDED


def selects(advice: Mapping[str, Advice]) -> dict[Analysis, MakesSelect]:
    """Return what makes the SELECT of each view.

    :param advice: advice by error code.
    """
    return {
        BY_DAY: by_day,
        EXPIRING: expiring,
        REPEATED: repeated,
        FAILURES: partial(failures, advice=advice),
        FLAGGED: flagged,
        ACCURACY: accuracy,
    }
