"""What each error code means for its image and for the run.

Sources: the API page of MainlandPermitOCR, the common error codes
(tencentcloud.com/document/product/1005/34684), and the SDK's ``ocr`` error codes. Which decision a code
gets is a judgement; codes are matched exactly first, then by their part before the dot.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.core.errors import CallError, Decision

_CODES: Final[dict[Decision, tuple[str, ...]]] = {
    Decision.THROTTLE: (
        "RequestLimitExceeded",
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        "RequestLimitExceeded.IPLimitExceeded",
        "RequestLimitExceeded.UinLimitExceeded",
    ),
    Decision.RETRY: (
        "ClientMalformedAnswer",
        "ClientNetworkError",
        "FailedOperation",
        "FailedOperation.EngineRecognizeTimeout",
        "FailedOperation.WarningServiceFailed",
        "InternalError",
        "ResourceInUse",
        "ResourceInsufficient",
        "ResourceUnavailable",
        "ServerNetworkError",
        "ServiceUnavailable",
    ),
    Decision.RETRY_THEN_IMAGE: (
        "FailedOperation.DownLoadError",
        "FailedOperation.OcrFailed",
        "FailedOperation.ResponseParseFailed",
        "FailedOperation.UnKnowError",
        "ResourceUnavailable.ImageDownloadError",
    ),
    Decision.IMAGE: (
        "FailedOperation.CardSideError",
        "FailedOperation.EmptyImageError",
        "FailedOperation.ImageBlur",
        "FailedOperation.ImageDecodeFailed",
        "FailedOperation.ImageNoSpecifiedCard",
        "FailedOperation.ImageNoText",
        "FailedOperation.ImageSizeTooLarge",
        "FailedOperation.MultiCardError",
        "InvalidParameter",
        "InvalidParameterValue",
        "LimitExceeded.TooLargeFileError",
        "RequestSizeLimitExceeded",
        "ResponseSizeLimitExceeded",
    ),
    Decision.ACCOUNT: (
        "ActionOffline",
        "AuthFailure",
        "DryRunOperation",
        "FailedOperation.ArrearsError",
        "FailedOperation.CountLimitError",
        "FailedOperation.UnOpenError",
        "InvalidAction",
        "InvalidRequest",
        "IpInBlacklist",
        "IpNotInWhitelist",
        "LimitExceeded",
        "MissingParameter",
        "NoSuchProduct",
        "NoSuchVersion",
        "ResourceNotFound",
        "ResourceUnavailable.InArrears",
        "ResourceUnavailable.ResourcePackageRunOut",
        "ResourcesSoldOut",
        "UnauthorizedOperation",
        "UnknownParameter",
        "UnsupportedOperation",
        "UnsupportedProtocol",
        "UnsupportedRegion",
    ),
    Decision.REPAIR: ("AuthFailure.SignatureExpire", "AuthFailure.TokenFailure"),
}
_DECISIONS: Final = {code: decision for decision, codes in _CODES.items() for code in codes}
#: Their bare code says something else than their sub-codes do, so it is no prefix.
_NOT_A_PREFIX: Final = {"FailedOperation", "LimitExceeded", "ResourceUnavailable"}


def decide(code: str) -> Decision:
    """Return what follows from an error code; an unknown one may pass, and is then the image's fault."""
    if code in _DECISIONS:
        return _DECISIONS[code]
    prefix = code.partition(".")[0]
    if prefix in _NOT_A_PREFIX:
        return Decision.RETRY_THEN_IMAGE
    return _DECISIONS.get(prefix, Decision.RETRY_THEN_IMAGE)


def call_error(code: str, message: str, request_id: str = "") -> CallError:
    """Make the error of a call, with what follows from its code.

    :param message: nothing of what was sent or answered but the service's own words.
    """
    return CallError(code, message, decide(code), request_id)
