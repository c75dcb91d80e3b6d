"""Airflow provider for Tencent Cloud's MainlandPermitOCR: DAG files import everything from here.

Modules are loaded only when needed, because DAG files are parsed again and again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # ``as`` makes a name public to type checkers.
    from airflow_provider_permitocr.hooks.mainland_permit_ocr import (
        MainlandPermitOcrHook as MainlandPermitOcrHook,
    )
    from airflow_provider_permitocr.notifications.summary_text import summary_text as summary_text
    from airflow_provider_permitocr.operators.mainland_permit_ocr import (
        MainlandPermitOcrOperator as MainlandPermitOcrOperator,
    )
    from airflow_provider_permitocr.operators.permit_analytics import (
        PermitAnalyticsOperator as PermitAnalyticsOperator,
    )
    from airflow_provider_permitocr.operators.permit_erasure import (
        PermitErasureOperator as PermitErasureOperator,
    )
    from airflow_provider_permitocr.operators.permit_review import (
        PermitReviewOperator as PermitReviewOperator,
    )
    from airflow_provider_permitocr.options.budget import Budget as Budget
    from airflow_provider_permitocr.options.ledger import Ledger as Ledger
    from airflow_provider_permitocr.options.lists.image_access import ImageAccess as ImageAccess
    from airflow_provider_permitocr.options.lists.image_list import Carry as Carry
    from airflow_provider_permitocr.options.lists.image_list import ImageQuery as ImageQuery
    from airflow_provider_permitocr.options.lists.image_list import ImageTable as ImageTable
    from airflow_provider_permitocr.options.lists.redo import Redo as Redo
    from airflow_provider_permitocr.options.lists.shard import shards as shards
    from airflow_provider_permitocr.options.privacy import Privacy as Privacy
    from airflow_provider_permitocr.options.quality import Declared as Declared
    from airflow_provider_permitocr.options.quality import Quality as Quality
    from airflow_provider_permitocr.options.run import Batch as Batch
    from airflow_provider_permitocr.options.run import CallRetry as CallRetry
    from airflow_provider_permitocr.options.run import FailureLimits as FailureLimits
    from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport as AnalyticsReport
    from airflow_provider_permitocr.options.targets.portraits import PortraitFolder as PortraitFolder
    from airflow_provider_permitocr.options.targets.result_file import ResultFile as ResultFile
    from airflow_provider_permitocr.options.targets.result_table import ResultTable as ResultTable
    from airflow_provider_permitocr.permit.replacement import decrypt as decrypt
    from airflow_provider_permitocr.permit.replacement import pseudonym as pseudonym
    from airflow_provider_permitocr.wiring.task_retries import (
        permit_ocr_retry_policy as permit_ocr_retry_policy,
    )

__version__ = "0.4.0"

#: The module of each public name.
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
    "PermitAnalyticsOperator": "operators.permit_analytics",
    "PermitErasureOperator": "operators.permit_erasure",
    "PermitReviewOperator": "operators.permit_review",
    "PortraitFolder": "options.targets.portraits",
    "Privacy": "options.privacy",
    "Quality": "options.quality",
    "Redo": "options.lists.redo",
    "ResultFile": "options.targets.result_file",
    "ResultTable": "options.targets.result_table",
    "decrypt": "permit.replacement",
    "permit_ocr_retry_policy": "wiring.task_retries",
    "pseudonym": "permit.replacement",
    "shards": "options.lists.shard",
    "summary_text": "notifications.summary_text",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
