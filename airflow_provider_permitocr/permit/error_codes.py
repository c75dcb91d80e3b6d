"""Every error code that the service can return: its consequence, and whether the call is billed.

Sources of the codes: the API page of MainlandPermitOCR, chapter 6; the codes that all APIs share
(tencentcloud.com/document/product/1005/34684); the SDK's ``ocr`` error codes, which include those of other
documents. Codes for faults on the way are in ``wire_codes.py``. Which decision a code gets is a
judgment: errors that something other than the image can cause, and that may be transient, are ``_RETRY``. An
image given up by mistake stays that way, while one retried by mistake is given up after some runs.

To add a code, add a row here, with everything that other modules need to know about it. A code without a row
is judged by its prefix, or is unknown (``tencent/decisions.py``). Seven decide as their prefix does: they
are here for their reason, which reports and the page show. Rows that would add nothing are omitted.

Source of what is billed: cloud.tencent.com/document/product/866/45470. Since 2020-07-06 most failures are
free, and the page names those that are not. ``_FREE`` are those that it names as free, and those that are
refused before anything could be recognized; codes that it does not mention are ``_UNKNOWN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.errors import OF_ALL, Decision


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """What is known about a code.

    :param billed: whether such a call is billed; None if unknown.
    :param reason: what happened.
    :param advice: how to fix it; '' if nothing needs to be done, or if the image is at fault.
    :param is_of_content: whether it means that the content is not an image.
    :param is_prefix: whether the row also applies to sub-codes without a row.
    :raises ValueError: for an error that stops a run, without advice: the run must say what to do.
    """

    code: str
    decision: Decision
    billed: bool | None
    reason: str
    advice: str = ""
    is_of_content: bool = False
    is_prefix: bool = True

    def __post_init__(self) -> None:
        if self.decision in OF_ALL and not self.advice:
            raise ValueError(f"{self.code} stops a run, so it needs advice")


_FREE: Final = False
_PAID: Final = True
_UNKNOWN: Final = None

_THROTTLE: Final = Decision.THROTTLE
_RETRY: Final = Decision.RETRY
_PERHAPS: Final = Decision.UNCLEAR
_IMAGE: Final = Decision.IMAGE
_ACCOUNT: Final = Decision.ACCOUNT
_REPAIR: Final = Decision.REPAIR

_ACTIVATE: Final = "Activate Optical Character Recognition (OCR) in the console, on the site of these keys"
_ADDRESS: Final = "Permit the worker's public address where the console (CAM) restricts it"
_CLOCK: Final = "Set the worker's clock right; it may be five minutes off at most"
_KEYS: Final = (
    "Compare SecretId, SecretKey and site of the connection with the console's API Keys page (CAM): keys of"
    " one site are unknown to the other"
)
_PACKAGE: Final = "Buy a package for this API or change to pay-as-you-go, on the console's OCR pages"
_POLICY: Final = "Give this user or role a policy that allows ocr:MainlandPermitOCR, in the console's CAM"
_QUOTA: Final = "Wait for the quota's next period, or ask Tencent Cloud for a higher one by a ticket"
_RECHARGE: Final = "Recharge the account in the console's Billing Center"
_REQUEST: Final = (
    "Check the connection's host and site, and any proxy in between; if they are right, the API has changed,"
    " and a newer version of this provider is needed"
)

_OF_THE_API_PAGE: Final = (
    ErrorCode("FailedOperation.DownLoadError", _RETRY, _FREE, "the image's URL could not be downloaded"),
    ErrorCode(
        "FailedOperation.ImageDecodeFailed", _IMAGE, _FREE, "the image cannot be decoded", is_of_content=True
    ),
    ErrorCode("FailedOperation.ImageNoSpecifiedCard", _IMAGE, _UNKNOWN, "the image shows no such document"),
    ErrorCode("FailedOperation.OcrFailed", _RETRY, _FREE, "recognition failed, perhaps temporarily"),
    ErrorCode("FailedOperation.UnKnowError", _RETRY, _FREE, "the service does not know why"),
    ErrorCode("FailedOperation.UnOpenError", _ACCOUNT, _FREE, "OCR has not been activated", _ACTIVATE),
    ErrorCode("InvalidParameterValue.InvalidParameterValueLimit", _IMAGE, _FREE, "a value is not allowed"),
    ErrorCode("LimitExceeded.TooLargeFileError", _IMAGE, _FREE, "the image is too large"),
    ErrorCode("ResourceUnavailable.InArrears", _ACCOUNT, _FREE, "the account has no money left", _RECHARGE),
    ErrorCode(
        "ResourcesSoldOut.ChargeStatusException",
        _ACCOUNT,
        _FREE,
        "the account's billing status is abnormal",
        "Look for unpaid bills in the console's Billing Center, and at the billing mode on its OCR pages",
    ),
)

_OF_ALL_APIS: Final = (
    ErrorCode("ActionOffline", _ACCOUNT, _FREE, "the API is no longer offered", _REQUEST),
    ErrorCode("AuthFailure", _ACCOUNT, _FREE, "the keys or the signature were refused", _KEYS),
    ErrorCode("AuthFailure.InvalidAuthorization", _ACCOUNT, _FREE, "the signature's form is wrong", _REQUEST),
    ErrorCode("AuthFailure.InvalidSecretId", _ACCOUNT, _FREE, "SecretId belongs to no API key", _KEYS),
    ErrorCode(
        "AuthFailure.MFAFailure",
        _ACCOUNT,
        _FREE,
        "this user must use multi-factor authentication",
        "Use keys of a user or role that needs no multi-factor authentication (MFA), from the console's CAM",
    ),
    ErrorCode("AuthFailure.SecretIdNotFound", _ACCOUNT, _FREE, "SecretId is unknown or disabled", _KEYS),
    ErrorCode("AuthFailure.SignatureExpire", _REPAIR, _FREE, "the signature is too old, or too new", _CLOCK),
    ErrorCode("AuthFailure.SignatureFailure", _ACCOUNT, _FREE, "SecretKey does not match SecretId", _KEYS),
    ErrorCode(
        "AuthFailure.TokenFailure",
        _REPAIR,
        _FREE,
        "the temporary credentials have expired",
        "Renew SecretId, SecretKey and token of the connection together",
    ),
    ErrorCode("AuthFailure.UnauthorizedOperation", _ACCOUNT, _FREE, "the keys may not call this", _POLICY),
    ErrorCode("DryRunOperation", _ACCOUNT, _FREE, "the call was taken for a trial", _REQUEST),
    ErrorCode("FailedOperation", _RETRY, _UNKNOWN, "the operation failed", is_prefix=False),
    ErrorCode("InternalError", _RETRY, _FREE, "the service failed"),
    ErrorCode("InvalidAction", _ACCOUNT, _FREE, "this host does not know the API", _REQUEST),
    ErrorCode("InvalidParameter", _IMAGE, _FREE, "a parameter is malformed"),
    ErrorCode("InvalidParameterValue", _IMAGE, _FREE, "a parameter's value is wrong"),
    ErrorCode("InvalidRequest", _ACCOUNT, _FREE, "the request's form is wrong", _REQUEST),
    ErrorCode("IpInBlacklist", _ACCOUNT, _FREE, "the worker's address is blocked", _ADDRESS),
    ErrorCode("IpNotInWhitelist", _ACCOUNT, _FREE, "the worker's address is not permitted", _ADDRESS),
    ErrorCode("LimitExceeded", _ACCOUNT, _FREE, "the account's quota is used up", _QUOTA, is_prefix=False),
    ErrorCode("MissingParameter", _ACCOUNT, _FREE, "a parameter is missing", _REQUEST),
    ErrorCode("NoSuchProduct", _ACCOUNT, _FREE, "this host does not know the product", _REQUEST),
    ErrorCode("NoSuchVersion", _ACCOUNT, _FREE, "this host does not know the API's version", _REQUEST),
    ErrorCode("RequestLimitExceeded", _THROTTLE, _FREE, "more calls in a second than the quota"),
    ErrorCode(
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        _THROTTLE,
        _FREE,
        "more calls of the account in a second than its quota over all regions",
    ),
    ErrorCode("RequestLimitExceeded.IPLimitExceeded", _THROTTLE, _FREE, "too many calls from this address"),
    ErrorCode("RequestLimitExceeded.UinLimitExceeded", _THROTTLE, _FREE, "too many calls of the account"),
    ErrorCode("RequestSizeLimitExceeded", _IMAGE, _FREE, "the request is larger than the gateway accepts"),
    ErrorCode("ResourceInUse", _RETRY, _FREE, "what the call needs is in use"),
    ErrorCode("ResourceInsufficient", _RETRY, _FREE, "the service has not enough resources"),
    ErrorCode("ResourceNotFound", _ACCOUNT, _FREE, "what the call needs does not exist", _ACTIVATE),
    ErrorCode("ResourceUnavailable", _RETRY, _FREE, "what the call needs is not available", is_prefix=False),
    ErrorCode("ResourcesSoldOut", _ACCOUNT, _FREE, "what the account has bought is used up", _PACKAGE),
    ErrorCode("ResponseSizeLimitExceeded", _IMAGE, _UNKNOWN, "the answer is larger than the gateway accepts"),
    ErrorCode("ServiceUnavailable", _RETRY, _FREE, "the service is temporarily unavailable"),
    ErrorCode("UnauthorizedOperation", _ACCOUNT, _FREE, "the keys may not call this", _POLICY),
    ErrorCode("UnknownParameter", _ACCOUNT, _FREE, "the API does not know a parameter", _REQUEST),
    ErrorCode("UnsupportedOperation", _ACCOUNT, _FREE, "the operation is not supported", _REQUEST),
    ErrorCode("UnsupportedProtocol", _ACCOUNT, _FREE, "the request was not understood", _REQUEST),
    ErrorCode(
        "UnsupportedRegion",
        _ACCOUNT,
        _FREE,
        "the API is not offered in this region",
        "Leave the connection's region empty; this API needs none",
    ),
)

_OF_OCR: Final = (
    ErrorCode("FailedOperation.ArrearsError", _ACCOUNT, _FREE, "the account has no money left", _RECHARGE),
    ErrorCode("FailedOperation.CardSideError", _IMAGE, _UNKNOWN, "the image shows the other side"),
    ErrorCode("FailedOperation.CountLimitError", _ACCOUNT, _FREE, "the day's calls are used up", _QUOTA),
    ErrorCode("FailedOperation.EmptyImageError", _IMAGE, _PAID, "the image is empty", is_of_content=True),
    ErrorCode("FailedOperation.EngineRecognizeTimeout", _RETRY, _FREE, "recognition took too long"),
    ErrorCode("FailedOperation.ImageBlur", _IMAGE, _FREE, "the image is blurred"),
    ErrorCode("FailedOperation.ImageNoText", _IMAGE, _FREE, "the image shows no text"),
    ErrorCode("FailedOperation.ImageSizeTooLarge", _IMAGE, _FREE, "the image is too large"),
    ErrorCode("FailedOperation.MultiCardError", _IMAGE, _FREE, "the image shows several documents"),
    ErrorCode("FailedOperation.ResponseParseFailed", _RETRY, _UNKNOWN, "the result could not be read"),
    ErrorCode("FailedOperation.WarningServiceFailed", _RETRY, _UNKNOWN, "the warnings' service failed"),
    ErrorCode(
        "InvalidParameter.EngineImageDecodeFailed",
        _IMAGE,
        _FREE,
        "the image cannot be decoded",
        is_of_content=True,
    ),
    ErrorCode("ResourceUnavailable.ImageDownloadError", _RETRY, _FREE, "the URL could not be downloaded"),
    ErrorCode(
        "ResourceUnavailable.ResourcePackageRunOut", _ACCOUNT, _FREE, "the package is used up", _PACKAGE
    ),
)

_ANOTHER_DOCUMENT: Final = "the service looked for another document than a permit"
#: This API is not known to answer these.
_OF_OTHER_DOCUMENTS: Final = (
    *(
        ErrorCode(f"FailedOperation.{name}", _IMAGE, _UNKNOWN, _ANOTHER_DOCUMENT)
        for name in (
            *("IdCardInfoIllegal", "IdCardTooSmall", "IllegalBankCardError", "ImageNoHandWrite"),
            *("ImageNoIdCard", "InconsistencyBetweenMRZAndVRZ", "InvalidPostalCodeLength"),
            *("LanguageNotSupport", "LicenseCardSideError", "LicenseMultiCardError", "NoBankCardError"),
            *("NoBizLicense", "NoDriverLicenseError", "NoHKIDCard", "NoMASIDCard", "NoPassport"),
            *("NoStoreLabel", "NoVehicleLicenseError", "NotAppointCard", "PDFParseFailed"),
        )
    ),
    *(
        ErrorCode(f"FailedOperation.{name}", _IMAGE, _UNKNOWN, _ANOTHER_DOCUMENT, is_of_content=True)
        for name in ("FileDecodeFailed", "UnKnowFileTypeError")
    ),
    ErrorCode("FailedOperation.ImageNoBusinessCard", _IMAGE, _PAID, _ANOTHER_DOCUMENT),
    ErrorCode("FailedOperation.InvoiceMismatch", _IMAGE, _PAID, _ANOTHER_DOCUMENT),
    ErrorCode("ResourceNotFound.NoAreaCode", _IMAGE, _FREE, _ANOTHER_DOCUMENT),
    ErrorCode("ResourceNotFound.NoInvoice", _IMAGE, _PAID, _ANOTHER_DOCUMENT),
    ErrorCode("ResourceNotFound.NotSupportCurrentInvoiceQuery", _PERHAPS, _UNKNOWN, _ANOTHER_DOCUMENT),
    ErrorCode("ResourceUnavailable.TaxNetworkError", _RETRY, _UNKNOWN, _ANOTHER_DOCUMENT),
)

#: What the service answers, in the order of the sources.
SERVICE_CODES: Final = _OF_THE_API_PAGE + _OF_ALL_APIS + _OF_OCR + _OF_OTHER_DOCUMENTS
