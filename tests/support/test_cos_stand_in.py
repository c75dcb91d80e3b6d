"""The stand-in's own arithmetic, by the examples of COS's documentation."""

from __future__ import annotations

import pytest

from tests.support.cos_stand_in import Keys, RefusedError, Signed

HOST = "examplebucket-1250000000.cos.ap-beijing.myqcloud.com"
PATH = "/exampleobject(腾讯云)"
#: The documentation's own, which opens nothing.
KEYS = {"AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q": Keys("BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz")}


def signed(signature: str) -> Signed:
    return Signed(
        {
            "q-sign-algorithm": "sha1",
            "q-ak": "AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q",
            "q-sign-time": "1557989753;1557996953",
            "q-key-time": "1557989753;1557996953",
            "q-header-list": "date;host",
            "q-url-param-list": "response-cache-control;response-content-type",
            "q-signature": signature,
        },
        {"date": "Thu, 16 May 2019 06:55:53 GMT", "host": HOST},
        {"response-content-type": "application/octet-stream", "response-cache-control": "max-age=600"},
        "GET",
        PATH,
    )


def test_the_documentations_example_of_a_download_is_let_in() -> None:
    signed("01681b8c9d798a678e43b685a9f1bba0f6c0e012").check(KEYS, "examplebucket-1250000000", 1557990000)


def test_any_other_signature_is_refused() -> None:
    with pytest.raises(RefusedError, match="SignatureDoesNotMatch"):
        signed("01681b8c9d798a678e43b685a9f1bba0f6c0e013").check(KEYS, "examplebucket-1250000000", 1557990000)
