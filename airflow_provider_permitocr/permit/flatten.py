"""One answer of the API, nested and all text, as flat typed columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_permitocr.permit.api import BACK_FIELD, WARNINGS_FIELD, CardWarning
from airflow_provider_permitocr.permit.columns import BACK_TEXT_COLUMNS, FRONT_TEXT_COLUMNS, Record
from airflow_provider_permitocr.permit.dates import parse_date, parse_period

_EXAMINED = {
    "warn_photocopy": CardWarning.PHOTOCOPY,
    "warn_recapture": CardWarning.RECAPTURE,
    "warn_photoshopped": CardWarning.PHOTOSHOPPED,
}


def flatten(fields: Mapping[str, Any]) -> Record:
    """Flatten the API's output fields (``Response`` without its envelope).

    Text that is absent or '' becomes None. A date that cannot be read is None beside its raw text.
    Fields that this version does not know are left out.
    """
    back = fields.get(BACK_FIELD)
    record: Record = {column: _text(fields.get(name)) for column, name in FRONT_TEXT_COLUMNS.items()}
    record |= {
        column: _text(back.get(name)) if isinstance(back, Mapping) else None
        for column, name in BACK_TEXT_COLUMNS.items()
    }
    record["birthday"] = parse_date(_text(fields.get("Birthday")))
    record["valid_from"], record["valid_until"] = parse_period(_text(fields.get("ValidDate")))
    return record | _warnings(fields.get(WARNINGS_FIELD))


def clean_text(text: str) -> str:
    """Replace what databases refuse in text, NUL and lone surrogates, by U+FFFD."""
    if text.isascii() and "\x00" not in text:
        return text  # not a copy, as portraits are large
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_texts(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Clean each as ``clean_text`` does, in a fraction of the time where none needs it."""
    together = "".join(filter(None, texts))
    # Two halves of a pair that meet between texts change as well: they become one character.
    if clean_text(together) == together:
        return texts
    return [text and clean_text(text) for text in texts]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return clean_text(text.strip()) or None


def _warnings(codes: Any) -> Record:
    if not isinstance(codes, list):
        return dict.fromkeys(("warn_card_infos", *_EXAMINED, "warn_not_enabled"))
    not_enabled = CardWarning.NOT_ENABLED in codes
    # Without the capability nobody looked at the card, so "no photocopy" would be a claim too much.
    examined: Record = {name: None if not_enabled else code in codes for name, code in _EXAMINED.items()}
    return {"warn_card_infos": json.dumps(codes), "warn_not_enabled": not_enabled, **examined}
