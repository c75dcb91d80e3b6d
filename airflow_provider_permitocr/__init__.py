"""Airflow provider for Tencent Cloud's MainlandPermitOCR: DAG files import everything from here.

Modules are loaded only when needed, because DAG files are parsed again and again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
    from airflow_provider_permitocr.notifications.summary_text import summary_text
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
    from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
    from airflow_provider_permitocr.operators.permit_erasure import PermitErasureOperator
    from airflow_provider_permitocr.operators.permit_review import PermitReviewOperator
    from airflow_provider_permitocr.operators.retry_policy import permit_ocr_retry_policy
    from airflow_provider_permitocr.options.budget import Budget
    from airflow_provider_permitocr.options.ledger import Ledger
    from airflow_provider_permitocr.options.lists.image_access import ImageAccess
    from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
    from airflow_provider_permitocr.options.lists.redo import Redo
    from airflow_provider_permitocr.options.lists.shard import shards
    from airflow_provider_permitocr.options.privacy import Privacy
    from airflow_provider_permitocr.options.quality import Declared, Quality
    from airflow_provider_permitocr.options.run import Batch, CallRetry, FailureLimits
    from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport
    from airflow_provider_permitocr.options.targets.portraits import PortraitFolder
    from airflow_provider_permitocr.options.targets.result_file import ResultFile
    from airflow_provider_permitocr.options.targets.result_table import ResultTable
    from airflow_provider_permitocr.permit.privacy import decrypt, pseudonym

__version__ = "0.4.0"
__all__ = [
    "AnalyticsReport",
    "Batch",
    "Budget",
    "CallRetry",
    "Carry",
    "Declared",
    "FailureLimits",
    "ImageAccess",
    "ImageQuery",
    "ImageTable",
    "Ledger",
    "MainlandPermitOcrHook",
    "MainlandPermitOcrOperator",
    "PermitAnalyticsOperator",
    "PermitErasureOperator",
    "PermitReviewOperator",
    "PortraitFolder",
    "Privacy",
    "Quality",
    "Redo",
    "ResultFile",
    "ResultTable",
    "decrypt",
    "permit_ocr_retry_policy",
    "pseudonym",
    "shards",
    "summary_text",
]

_HOMES = {
    "AnalyticsReport": "options.targets.analytics",
    "Batch": "options.run",
    "Budget": "options.budget",
    "CallRetry": "options.run",
    "Carry": "options.lists.image_list",
    "Declared": "options.quality",
    "FailureLimits": "options.run",
    "ImageAccess": "options.lists.image_access",
    "ImageQuery": "options.lists.image_list",
    "ImageTable": "options.lists.image_list",
    "Ledger": "options.ledger",
    "MainlandPermitOcrHook": "hooks.mainland_permit_ocr",
    "MainlandPermitOcrOperator": "operators.mainland_permit_ocr",
    "PortraitFolder": "options.targets.portraits",
    "PermitAnalyticsOperator": "operators.permit_analytics",
    "PermitErasureOperator": "operators.permit_erasure",
    "PermitReviewOperator": "operators.permit_review",
    "Privacy": "options.privacy",
    "Quality": "options.quality",
    "Redo": "options.lists.redo",
    "ResultFile": "options.targets.result_file",
    "ResultTable": "options.targets.result_table",
    "decrypt": "permit.privacy",
    "permit_ocr_retry_policy": "operators.retry_policy",
    "pseudonym": "permit.privacy",
    "shards": "options.lists.shard",
    "summary_text": "notifications.summary_text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
