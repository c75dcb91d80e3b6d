"""Error messages in the language that the caller asked for (``X-TC-Language``)."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.emulator.errors import ApiError

CHINESE_LANGUAGE: Final = "zh-CN"

#: Clients must never match on a message, so these must only be readable.
CHINESE: Final[dict[str, str]] = {
    "AuthFailure.InvalidAuthorization": "请求头部的 Authorization 格式不正确。",
    "AuthFailure.SecretIdNotFound": "密钥不存在，请检查 SecretId。",
    "AuthFailure.SignatureExpire": "签名已过期，请检查本地时间后重新签名。",
    "AuthFailure.SignatureFailure": "签名校验失败，请检查 SecretKey 与签名过程。",
    "AuthFailure.TokenFailure": "临时密钥的 Token 错误或已过期。",
    "FailedOperation.DownLoadError": "文件下载失败。",
    "FailedOperation.EmptyImageError": "图片内容为空。",
    "FailedOperation.ImageDecodeFailed": "图片解码失败。",
    "FailedOperation.ImageNoSpecifiedCard": "图片中没有指定类型的证件。",
    "FailedOperation.ImageSizeTooLarge": "图片尺寸过大。",
    "FailedOperation.OcrFailed": "识别失败。",
    "FailedOperation.UnKnowError": "未知错误。",
    "FailedOperation.UnOpenError": "服务未开通。",
    "InternalError": "内部错误。",
    "InvalidAction": "接口不存在。",
    "InvalidParameter": "参数错误。",
    "InvalidParameterValue.InvalidParameterValueLimit": "参数值错误。",
    "LimitExceeded.TooLargeFileError": "文件大小超过限制。",
    "MissingParameter": "缺少必要参数。",
    "NoSuchProduct": "产品不存在。",
    "NoSuchVersion": "接口版本不存在。",
    "RequestLimitExceeded": "请求频率超过限制。",
    "RequestSizeLimitExceeded": "请求包大小超过限制。",
    "ResourceUnavailable.InArrears": "账号已欠费。",
    "ResourcesSoldOut.ChargeStatusException": "计费状态异常。",
    "UnknownParameter": "未知参数。",
    "UnsupportedProtocol": "不支持的请求协议。",
}


def message_for(error: ApiError, language: str) -> str:
    """Return the message of `error`: Chinese for ``zh-CN`` if there is one, else English."""
    if language.lower() != CHINESE_LANGUAGE.lower():
        return error.message
    return error.chinese or CHINESE.get(error.code, error.message)
