"""Which calls the real service bills.

Uses its own table instead of the package's: the journal verifies what the package reports as billed.
"""

from __future__ import annotations

from typing import Final

#: The only failures billed since 2020-07-06, according to cloud.tencent.com/document/product/866/45470.
#: MainlandPermitOCR is only known to return the first.
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
