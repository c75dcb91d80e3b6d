"""Mutated answers through everything that reads them: envelope, fields, dates, a frame and a file."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, Final

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.engine.delivery.record import outcome_record
from airflow_provider_permitocr.engine.models import ImageRow, Outcome
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.files.csv_format import CsvFormat
from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.tencent.envelope import Refusal, open_envelope
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from labs.fuzz.figures import Figures
from labs.fuzz.mutations import mutated

#: What ``tencent/transport.py`` reads at most.
_MOST_BYTES: Final = 8 * 1024 * 1024
#: Fraction of answers whose values are replaced, instead of their bytes changed.
_REPLACED_SHARE: Final = 0.7
_KEYS: Final = Keys("AKID", "secret-key", "token")
_NOW: Final = datetime(2026, 1, 31, tzinfo=UTC)
_ANSWER: Final[dict[str, Any]] = {
    **{"Name": "陳大文", "EnglishName": "CHEN,TAI-MAN", "Sex": "男", "Birthday": "1986.03.02"},
    **{"ValidDate": "2016.02.03-2021.02.02", "Number": "H12345678", "IssueNumber": "02", "RequestId": "r"},
    **{"Type": "港澳居民来往内地通行证", "Profile": "/9j/" * 2000, "WarnCardInfos": [-9102, -9103]},
    "MainlandTravelPermitBackInfos": {"Type": "t", "Name": "陳", "IDNumber": "1(2)", "HistoryNumber": "01"},
}
_REFUSAL: Final = {"Error": {"Code": "FailedOperation.OcrFailed", "Message": "m"}, "RequestId": "r"}
#: Values of wrong types, too large, too deep, and of no text that could be stored, as they are written.
_VALUES: Final[tuple[bytes, ...]] = (
    *(b"null", b"true", b"0", b"-1", b"1e999", b"-1e-999", b"NaN", b"Infinity", b"9" * 4300, b"9" * 5000),
    *(b"[]", b"{}", b'""', b"[null]", b"[[1]]", b'{"a": {"b": []}}', b'[{"Code": -9102}]', b"[1e999, NaN]"),
    *(b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\\x"', b'"'),
    *(b"\"=cmd|' /C calc'!A0\"", b'"\'; DROP TABLE permits; --"', b'"<script>alert(1)</script>"'),
    *(b'"9999.99.99"', b'"0000.00.00-9999.12.31"', b'"1986.03.02.1986.03.02"', b'"' + b"1." * 50_000 + b'"'),
    *(b"[" * 49 + b"]" * 49, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    *(b'"' + b"x" * 5_000_000 + b'"', b"[" + b"1," * 90_000 + b"1]", b'"' + "陳".encode() * 1_000_000 + b'"'),
    b'"' + b"\\u9673" * 500_000 + b'"',
)
#: Twice the same name, as one that is read first and one that is read last.
_DOUBLES: Final = (
    b'"Name": "second",',
    b'"Response": {"Name": "second"},',
    b'"Error": null,',
    b'"Error": {},',
)


def fuzz(number: int, *, seed: str = "parsed") -> Figures:
    """Read so many mutated answers."""
    drawing = Random(seed)  # noqa: S311
    figures = Figures()
    _end(json.dumps({"Response": _ANSWER}).encode())  # exclude imports from the measurement
    with figures.measured():
        for index in range(number):
            figures.add(f"answer {index}", partial(_end, _drawn(drawing)))
    return figures


def _drawn(drawing: Random) -> bytes:
    answer = _REFUSAL if drawing.random() < 0.1 else _ANSWER
    whole = json.dumps({"Response": answer}, ensure_ascii=drawing.random() < 0.5).encode()
    if drawing.random() >= _REPLACED_SHARE:
        return mutated(whole, drawing)
    for _ in range(drawing.choice((1, 1, 2, 3))):
        whole = drawing.choice((_with_a_value_replaced, _with_a_value_replaced, _with_a_double))(
            whole, drawing
        )
    return whole


def _with_a_value_replaced(whole: bytes, drawing: Random) -> bytes:
    """Replace what follows a name, from the whole answer down to one field, by a value of another kind."""
    names = [name for name in (b"Response", *map(str.encode, _names())) if b'"%b": ' % name in whole]
    if not names:
        return mutated(whole, drawing)
    before, name, after = whole.partition(b'"%b": ' % drawing.choice(names))
    return before + name + drawing.choice(_VALUES) + after[_end_of_value(after) :]


def _names() -> list[str]:
    inner = [*_ANSWER["MainlandTravelPermitBackInfos"], *_REFUSAL, "Code", "Message"]
    return [*_ANSWER, *inner]


def _end_of_value(text: bytes) -> int:
    """Return where the first value ends, or may end, if earlier changes have broken it."""
    readable = text.decode("latin-1")
    try:
        return json.JSONDecoder().raw_decode(readable)[1]
    except (ValueError, RecursionError):
        return min((place for end in ",}" if (place := readable.find(end)) >= 0), default=len(text))


def _with_a_double(whole: bytes, drawing: Random) -> bytes:
    place = whole.find(b"{", drawing.randrange(2) * 5) + 1
    return whole[:place] + drawing.choice(_DOUBLES) + whole[place:]


def _end(body: bytes) -> str:
    try:
        opened = open_envelope(body[:_MOST_BYTES], _KEYS.secrets)
    except CallError as error:
        return error.code
    if isinstance(opened, Refusal):
        return "refused by the API"
    row = ImageRow("k", None)
    outcome = Outcome(row, Status.RECOGNIZED, fields=flatten(opened.fields), request_id=opened.request_id)
    frame = to_frame([outcome_record(outcome, processed_at=_NOW)])
    with CsvFormat(compressed=False, escape_formulas=True).writer(io.BytesIO(), COLUMNS) as writer:
        writer.write(frame)
    return "read"
