"""Which calls the real service bills.

By its own table, not by the package's: the journal judges what the package says is billed.
"""

from __future__ import annotations

from typing import Final

#: The only failures that are paid for since 2020-07-06, says cloud.tencent.com/document/product/866/45470. Of
#: these, MainlandPermitOCR is known to answer the first alone.
BILLED_FAILURES: Final = frozenset(
    {
        "FailedOperation.EmptyImageError",
        "FailedOperation.ImageNoBusinessCard",
        "FailedOperation.InvoiceMismatch",
        "ResourceNotFound.NoInvoice",
    }
)


def is_billed(code: str | None, *, has_fields: bool) -> bool:
    """Return whether a call of MainlandPermitOCR is billed, whether or not its answer reaches the caller.

    :param code: of the answer; None if there is none.
    :param has_fields: whether it has the document's fields.
    """
    return has_fields or code in BILLED_FAILURES
