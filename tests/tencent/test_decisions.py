from __future__ import annotations

import threading
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.ocr.v20181119 import errorcodes

from airflow_provider_permitocr.emulator.billing import BILLED_FAILURES
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import ImageRow, Outcome
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.tencent.decisions import ERROR_CODES, call_error, look_up, of_fetched
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES
from tests.support.row_calls import outcome_of

# The API page of MainlandPermitOCR, chapter 6.
_API_PAGE = {
    "FailedOperation.DownLoadError": Decision.RETRY,
    "FailedOperation.ImageDecodeFailed": Decision.IMAGE,
    "FailedOperation.ImageNoSpecifiedCard": Decision.IMAGE,
    "FailedOperation.OcrFailed": Decision.RETRY,
    "FailedOperation.UnKnowError": Decision.RETRY,
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
    "FailedOperation.ResponseParseFailed": Decision.RETRY,
    "FailedOperation.WarningServiceFailed": Decision.RETRY,
    "InvalidParameter.EngineImageDecodeFailed": Decision.IMAGE,
    "ResourceUnavailable.ImageDownloadError": Decision.RETRY,
    "ResourceUnavailable.ResourcePackageRunOut": Decision.ACCOUNT,
}
# The page of billed error codes (cloud.tencent.com/document/product/866/45470) names these as free.
_NAMED_AS_FREE = (
    "FailedOperation.DownLoadError",
    "FailedOperation.EngineRecognizeTimeout",
    "FailedOperation.ImageBlur",
    "FailedOperation.ImageDecodeFailed",
    "FailedOperation.ImageNoText",
    "FailedOperation.ImageSizeTooLarge",
    "FailedOperation.MultiCardError",
    "FailedOperation.OcrFailed",
    "FailedOperation.UnKnowError",
    "FailedOperation.UnOpenError",
    "InternalError",
    "InvalidParameter.EngineImageDecodeFailed",
    "InvalidParameterValue.InvalidParameterValueLimit",
    "LimitExceeded.TooLargeFileError",
    "ResourceInUse",
    "ResourcesSoldOut.ChargeStatusException",
    "UnsupportedOperation",
)
_ON_THE_WAY = {
    "ClientMalformedAnswer": Decision.RETRY,
    "ClientMalformedAnswer.NoFields": Decision.RETRY,
    "ClientMalformedAnswer.NotJson": Decision.RETRY,
    "ClientMalformedAnswer.TooLong": Decision.RETRY,
    "ClientMalformedAnswer.WrongEnvelope": Decision.RETRY,
    "ClientNetworkError": Decision.RETRY,
    "ClientNetworkError.AnswerTruncated": Decision.RETRY,
    "ClientNetworkError.CertificateRefused": Decision.ACCOUNT,
    "ClientNetworkError.ClientClosed": Decision.RETRY,
    "ClientNetworkError.ConnectionLost": Decision.RETRY,
    "ClientNetworkError.NameNotResolved": Decision.UNREACHABLE,
    "ClientNetworkError.NotConnected": Decision.UNREACHABLE,
    "ClientNetworkError.NotDecompressed": Decision.RETRY,
    "ClientNetworkError.NotHttp": Decision.RETRY,
    "ClientNetworkError.ProxyDenied": Decision.ACCOUNT,
    "ClientNetworkError.ProxyFailed": Decision.UNREACHABLE,
    "ClientNetworkError.TimedOut": Decision.RETRY,
    "ClientNetworkError.TlsFailed": Decision.RETRY,
    "ServerNetworkError": Decision.RETRY,
    "ServerNetworkError.TooLarge": Decision.IMAGE,
    "ServerNetworkError.TooManyRequests": Decision.THROTTLE,
    "ServerNetworkError.Unavailable": Decision.RETRY,
}
_BY_FIRST_PART = {
    "AuthFailure": Decision.ACCOUNT,
    "AuthFailure.SomethingNew": Decision.ACCOUNT,
    "InternalError.DbError": Decision.RETRY,
    "InternalError.DbError.Lock": Decision.RETRY,
    "InvalidParameterValue.SomethingNew": Decision.IMAGE,
    "RequestLimitExceeded.IPLimitExceeded.SomethingNew": Decision.THROTTLE,
    "RequestLimitExceeded.SomethingNew": Decision.THROTTLE,
    "ResourceInsufficient.SomethingNew": Decision.RETRY,
    "ResourcesSoldOut": Decision.ACCOUNT,
    "ResourcesSoldOut.SomethingNew": Decision.ACCOUNT,
    "UnauthorizedOperation.CamNoAuth": Decision.ACCOUNT,
    "UnsupportedOperation.SomethingNew": Decision.ACCOUNT,
}
# Codes of the SDK for other documents; a row of their own would say no more than these rules do.
_WITHOUT_A_ROW = {
    "FailedOperation.ClassifyStoreFailed": Decision.UNCLEAR,
    "FailedOperation.DetectFailed": Decision.UNCLEAR,
    "FailedOperation.FieldException": Decision.UNCLEAR,
    "InvalidParameter.ConfigFormatError": Decision.IMAGE,
    "InvalidParameterValue.PriceOrVerificationParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketCodeParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketDateParameterValueLimit": Decision.IMAGE,
    "InvalidParameterValue.TicketSnParameterValueLimit": Decision.IMAGE,
}
_UNKNOWN = (
    "FailedOperation.SomethingNew",
    "LimitExceeded.SomethingNew",
    "ResourceUnavailable.SomethingNew",
    "SomethingNew",
    "SomethingNew.InternalError",
    "internalerror",
    ".",
    "",
)
_EXPECTED = _API_PAGE | _COMMON | _SERVICE | _ON_THE_WAY | _BY_FIRST_PART | _WITHOUT_A_ROW
_EXPECTED |= dict.fromkeys(_UNKNOWN, Decision.UNCLEAR)


@pytest.mark.parametrize(("code", "decision"), _EXPECTED.items())
def test_code_has_its_decision(code: str, decision: Decision) -> None:
    assert call_error(code, "said no").decision is decision


@pytest.mark.parametrize("code", [*_API_PAGE, *_COMMON, *_SERVICE, *_ON_THE_WAY])
def test_code_of_the_sources_has_a_row_of_its_own(code: str) -> None:
    assert ERROR_CODES[code].reason


def test_every_code_of_the_installed_sdk_is_judged_here() -> None:
    codes = {value for name, value in vars(errorcodes).items() if name.isupper()}
    assert len(codes) >= 50
    assert codes - set(ERROR_CODES) == set(_WITHOUT_A_ROW) & codes
    assert set(_WITHOUT_A_ROW) & set(ERROR_CODES) == set()


def test_row_of_another_document_says_more_than_the_rules_for_codes_without_one() -> None:
    others = [each for each in SERVICE_CODES if each.reason.startswith("the service looked for another")]
    for each in others:
        rule = look_up(f"{each.code}Too")
        assert (each.decision, each.billed, each.is_of_content) != (rule.decision, rule.billed, False)


def test_no_code_has_two_rows() -> None:
    codes = [each.code for each in SERVICE_CODES + WIRE_CODES]
    assert sorted(codes) == sorted(ERROR_CODES)


def test_codes_of_other_documents_never_stop_a_run() -> None:
    ours = set(_EXPECTED)
    others = [each for each in SERVICE_CODES if each.code not in ours]
    assert {each.decision for each in others} == {
        Decision.IMAGE,
        Decision.RETRY,
        Decision.UNCLEAR,
    }


#: What settles an image for good, by the judgment that only the image can cause it; all other codes leave it
#: to a later run, or stop the run and leave it untouched.
_OF_THE_IMAGE_ALONE = {
    *(code for code, decision in (_API_PAGE | _COMMON | _SERVICE).items() if decision is Decision.IMAGE),
    "ServerNetworkError.TooLarge",
}


@pytest.mark.parametrize(
    "code",
    [
        "FailedOperation.DownLoadError",
        "FailedOperation.EngineRecognizeTimeout",
        "FailedOperation.OcrFailed",
        "FailedOperation.UnKnowError",
        "ResourceUnavailable.ImageDownloadError",
        "ResourceUnavailable.TaxNetworkError",
        "FailedOperation.DetectFailed",
        *_UNKNOWN,
    ],
)
def test_what_a_passing_state_outside_of_the_image_can_cause_is_left_to_a_later_run(code: str) -> None:
    error = call_error(code, "said no", "r-1")
    outcome = _recognized(error)
    assert (outcome.status, outcome.counts, outcome.is_verdict) == (Status.RETRY, True, False)


def test_nothing_but_the_image_settles_it_for_good() -> None:
    others = {each.code for each in SERVICE_CODES if each.reason.startswith("the service looked for another")}
    settling = {code for code, known in ERROR_CODES.items() if known.decision is Decision.IMAGE}
    assert settling - others == _OF_THE_IMAGE_ALONE


@pytest.mark.parametrize(
    "code",
    [
        "FailedOperation.EmptyImageError",
        "FailedOperation.FileDecodeFailed",
        "FailedOperation.ImageDecodeFailed",
        "FailedOperation.UnKnowFileTypeError",
        "InvalidParameter.EngineImageDecodeFailed",
    ],
)
def test_what_the_api_fetched_and_found_to_be_no_image_is_left_to_a_later_run(code: str) -> None:
    assert _recognized(of_fetched(call_error(code, "said no", "r-1"))).status is Status.RETRY
    assert _recognized(call_error(code, "said no", "r-1")).status is Status.FAILED


def _recognized(error: CallError) -> Outcome:
    client = Mock()
    client.prepare.return_value.side_effect = error
    options = RunOptions(Pace(1000), call_retry=CallRetry(attempts=2, base_seconds=0))
    row = ImageRow("k", "https://images.example/1.png")
    recognizer = Recognizer(
        PermitRequestBuilder(max_base64_bytes=1000), client, options, threading.Event(), sleep=lambda _: None
    )
    return outcome_of(recognizer, row)


@pytest.mark.parametrize("code", _NAMED_AS_FREE)
def test_what_the_billing_page_names_as_free_is_not_billed(code: str) -> None:
    assert call_error(code, "said no").billed is False


def test_the_package_and_the_emulator_that_judges_it_agree_on_what_is_billed() -> None:
    assert {code for code, known in ERROR_CODES.items() if known.billed} == BILLED_FAILURES


@pytest.mark.parametrize("code", ["FailedOperation.ImageNoSpecifiedCard", *_UNKNOWN])
def test_what_the_billing_page_was_not_found_to_name_is_unknown(code: str) -> None:
    assert call_error(code, "said no").billed is None


@pytest.mark.parametrize("code", ERROR_CODES)
def test_what_was_never_sent_whole_is_not_billed(code: str) -> None:
    assert call_error(code, "said no", is_whole=False).billed is False


def test_error_carries_what_its_row_says_and_what_the_answer_asks_for() -> None:
    error = call_error("ResourceUnavailable.InArrears", "no money", "r-1", retry_after=7.0)
    assert "Billing Center" in error.advice
    assert (error.request_id, error.retry_after) == ("r-1", 7.0)


@pytest.mark.parametrize("known", ERROR_CODES.values(), ids=lambda known: known.code)
def test_row_reads_well_in_a_message(known: ErrorCode) -> None:
    assert known.reason[0].islower() or known.reason.startswith(("HTTP", "OCR", "Secret"))
    assert not known.advice or known.advice[0].isupper()
    assert not (known.reason + known.advice).endswith(".")


def test_fault_of_the_account_needs_advice() -> None:
    with pytest.raises(ValueError, match="needs advice"):
        ErrorCode("NoMoney", Decision.ACCOUNT, billed=False, reason="no money")


@pytest.mark.slow
@given(st.text())
def test_any_text_has_a_decision(code: str) -> None:
    assert isinstance(look_up(code).decision, Decision)
    assert look_up(code).code == code
