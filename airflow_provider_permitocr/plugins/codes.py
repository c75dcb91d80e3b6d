"""What the page says of each error code: what has happened, what to do, and what the run did next."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.permit.usual_causes import USUAL_CAUSES, advice
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
    known = {each.code: _described(each) for each in (*SERVICE_CODES, *WIRE_CODES)}
    for code in USUAL_CAUSES:
        entry = known.setdefault(code, {"reason": "", "next": "", "billed": None, "prefix": False})
        # What many images that fail alike come from is worth more than what one of them says.
        entry["advice"] = advice(code)
    return known


def _described(code: ErrorCode) -> dict[str, Any]:
    return {
        "reason": code.reason,
        "advice": code.advice,
        "next": _NEXT[code.decision],
        "billed": code.billed,
        "prefix": code.is_prefix,
    }
