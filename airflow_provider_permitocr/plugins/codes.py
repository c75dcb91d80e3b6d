"""What the page says of each error code: what has happened, what to do, and what the run did next."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES

_NEXT: Final = {
    Decision.THROTTLE: "The run slows down and calls again",
    Decision.RETRY: "The run calls again; the next run tries what is left",
    Decision.LATER: "The next run tries again",
    Decision.UNREACHABLE: "All calls pause while one image's calls probe; then the run stops",
    Decision.UNCLEAR: "The run calls again, three times at most; the next run tries what is left",
    Decision.IMAGE: "The image is settled as failed; only redo calls for it again",
    Decision.ACCOUNT: "Other calls confirm it, then the run stops",
    Decision.REPAIR: "The run signs the request again and sends it once more, then stops",
}


def codes() -> dict[str, dict[str, Any]]:
    """Return what is known of each code, as plain JSON values."""
    of_calls = (*SERVICE_CODES, *WIRE_CODES)
    known = {each.code: _described(each) for each in of_calls}
    for code, words in advice_by_code(of_calls).items():
        of_no_call = {"reason": words.cause, "next": "", "billed": None, "prefix": words.is_prefix}
        known.setdefault(code, of_no_call)["advice"] = words.advice
    return known


def _described(code: ErrorCode) -> dict[str, Any]:
    return {
        "reason": code.reason,
        "next": _NEXT[code.decision],
        "billed": code.billed,
        "prefix": code.is_prefix,
    }
