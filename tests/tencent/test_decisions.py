from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.ocr.v20181119 import errorcodes

from airflow_provider_permitocr.core.errors import Decision
from airflow_provider_permitocr.tencent.decisions import decide

# The API page of MainlandPermitOCR, chapter 6.
_API_PAGE = {
    "FailedOperation.DownLoadError": Decision.RETRY_THEN_IMAGE,
    "FailedOperation.ImageDecodeFailed": Decision.IMAGE,
    "FailedOperation.ImageNoSpecifiedCard": Decision.IMAGE,
    "FailedOperation.OcrFailed": Decision.RETRY_THEN_IMAGE,
    "FailedOperation.UnKnowError": Decision.RETRY_THEN_IMAGE,
    "FailedOperation.UnOpenError": Decision.ACCOUNT,
    "InvalidParameterValue.InvalidParameterValueLimit": Decision.IMAGE,
    "LimitExceeded.TooLargeFileError": Decision.IMAGE,
    "ResourceUnavailable.InArrears": Decision.ACCOUNT,
    "ResourcesSoldOut.ChargeStatusException": Decision.ACCOUNT,
}
# The codes that all APIs share.
_COMMON = {
    "ActionOffline": Decision.ACCOUNT,
    "AuthFailure.InvalidAuthorization": Decision.ACCOUNT,
    "AuthFailure.InvalidSecretId": Decision.ACCOUNT,
    "AuthFailure.MFAFailure": Decision.ACCOUNT,
    "AuthFailure.SecretIdNotFound": Decision.ACCOUNT,
    "AuthFailure.SignatureExpire": Decision.REPAIR,
    "AuthFailure.SignatureFailure": Decision.ACCOUNT,
    "AuthFailure.TokenFailure": Decision.REPAIR,
    "AuthFailure.UnauthorizedOperation": Decision.ACCOUNT,
    "DryRunOperation": Decision.ACCOUNT,
    "FailedOperation": Decision.RETRY,
    "InternalError": Decision.RETRY,
    "InvalidAction": Decision.ACCOUNT,
    "InvalidParameter": Decision.IMAGE,
    "InvalidParameterValue": Decision.IMAGE,
    "InvalidRequest": Decision.ACCOUNT,
    "IpInBlacklist": Decision.ACCOUNT,
    "IpNotInWhitelist": Decision.ACCOUNT,
    "LimitExceeded": Decision.ACCOUNT,
    "MissingParameter": Decision.ACCOUNT,
    "NoSuchProduct": Decision.ACCOUNT,
    "NoSuchVersion": Decision.ACCOUNT,
    "RequestLimitExceeded": Decision.THROTTLE,
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded": Decision.THROTTLE,
    "RequestLimitExceeded.IPLimitExceeded": Decision.THROTTLE,
    "RequestLimitExceeded.UinLimitExceeded": Decision.THROTTLE,
    "RequestSizeLimitExceeded": Decision.IMAGE,
    "ResourceInUse": Decision.RETRY,
    "ResourceInsufficient": Decision.RETRY,
    "ResourceNotFound": Decision.ACCOUNT,
    "ResourceUnavailable": Decision.RETRY,
    "ResponseSizeLimitExceeded": Decision.IMAGE,
    "ServiceUnavailable": Decision.RETRY,
    "UnauthorizedOperation": Decision.ACCOUNT,
    "UnknownParameter": Decision.ACCOUNT,
    "UnsupportedOperation": Decision.ACCOUNT,
    "UnsupportedProtocol": Decision.ACCOUNT,
    "UnsupportedRegion": Decision.ACCOUNT,
}
# Codes of the service beyond the page of this API.
_SERVICE = {
    "FailedOperation.ArrearsError": Decision.ACCOUNT,
    "FailedOperation.CardSideError": Decision.IMAGE,
    "FailedOperation.CountLimitError": Decision.ACCOUNT,
    "FailedOperation.EmptyImageError": Decision.IMAGE,
    "FailedOperation.EngineRecognizeTimeout": Decision.RETRY,
    "FailedOperation.ImageBlur": Decision.IMAGE,
    "FailedOperation.ImageNoText": Decision.IMAGE,
    "FailedOperation.ImageSizeTooLarge": Decision.IMAGE,
    "FailedOperation.MultiCardError": Decision.IMAGE,
    "FailedOperation.ResponseParseFailed": Decision.RETRY_THEN_IMAGE,
    "FailedOperation.WarningServiceFailed": Decision.RETRY,
    "InvalidParameter.ConfigFormatError": Decision.IMAGE,
    "InvalidParameter.EngineImageDecodeFailed": Decision.IMAGE,
    "InvalidParameterValue.PriceOrVerificationParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketCodeParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketDateParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketSnParameterValueLimit": Decision.IMAGE,
    "ResourceNotFound.NoAreaCode": Decision.ACCOUNT,
    "ResourceNotFound.NoInvoice": Decision.ACCOUNT,
    "ResourceNotFound.NotSupportCurrentInvoiceQuery": Decision.ACCOUNT,
    "ResourceUnavailable.ImageDownloadError": Decision.RETRY_THEN_IMAGE,
    "ResourceUnavailable.ResourcePackageRunOut": Decision.ACCOUNT,
}
# Codes of the SDK that belong to other documents: unknown here, so tried again, then the image's fault.
_OTHER_DOCUMENTS = (
    "FailedOperation.ClassifyStoreFailed",
    "FailedOperation.DetectFailed",
    "FailedOperation.FieldException",
    "FailedOperation.FileDecodeFailed",
    "FailedOperation.IdCardInfoIllegal",
    "FailedOperation.IdCardTooSmall",
    "FailedOperation.IllegalBankCardError",
    "FailedOperation.ImageNoBusinessCard",
    "FailedOperation.ImageNoHandWrite",
    "FailedOperation.ImageNoIdCard",
    "FailedOperation.InconsistencyBetweenMRZAndVRZ",
    "FailedOperation.InvalidPostalCodeLength",
    "FailedOperation.InvoiceMismatch",
    "FailedOperation.LanguageNotSupport",
    "FailedOperation.LicenseCardSideError",
    "FailedOperation.LicenseMultiCardError",
    "FailedOperation.NoBankCardError",
    "FailedOperation.NoBizLicense",
    "FailedOperation.NoDriverLicenseError",
    "FailedOperation.NoHKIDCard",
    "FailedOperation.NoMASIDCard",
    "FailedOperation.NoPassport",
    "FailedOperation.NoStoreLabel",
    "FailedOperation.NoVehicleLicenseError",
    "FailedOperation.NotAppointCard",
    "FailedOperation.PDFParseFailed",
    "FailedOperation.UnKnowFileTypeError",
    "ResourceUnavailable.TaxNetworkError",
)
_FAULTS_ON_THE_WAY = {
    "ClientMalformedAnswer": Decision.RETRY,
    "ClientNetworkError": Decision.RETRY,
    "ServerNetworkError": Decision.RETRY,
}
_BY_FIRST_PART = {
    "AuthFailure.SomethingNew": Decision.ACCOUNT,
    "InternalError.DbError": Decision.RETRY,
    "InvalidParameterValue.SomethingNew": Decision.IMAGE,
    "RequestLimitExceeded.SomethingNew": Decision.THROTTLE,
    "ResourceInsufficient.SomethingNew": Decision.RETRY,
    "ResourcesSoldOut.SomethingNew": Decision.ACCOUNT,
    "UnauthorizedOperation.CamNoAuth": Decision.ACCOUNT,
    "UnsupportedOperation.SomethingNew": Decision.ACCOUNT,
}
_UNKNOWN = (
    "FailedOperation.SomethingNew",
    "LimitExceeded.SomethingNew",
    "ResourceUnavailable.SomethingNew",
    "SomethingNew",
    "internalerror",
    "",
)
_KNOWN = _API_PAGE | _COMMON | _SERVICE | _FAULTS_ON_THE_WAY | _BY_FIRST_PART
_GUESSED = dict.fromkeys((*_OTHER_DOCUMENTS, *_UNKNOWN), Decision.RETRY_THEN_IMAGE)


@pytest.mark.parametrize(("code", "decision"), (_KNOWN | _GUESSED).items())
def test_code_has_its_decision(code: str, decision: Decision) -> None:
    assert decide(code) is decision


def test_every_code_of_the_installed_sdk_is_in_this_table() -> None:
    codes = {value for name, value in vars(errorcodes).items() if name.isupper()}
    assert codes
    assert codes - set(_KNOWN | _GUESSED) == set()


@given(st.text())
def test_any_text_has_a_decision(code: str) -> None:
    assert isinstance(decide(code), Decision)
