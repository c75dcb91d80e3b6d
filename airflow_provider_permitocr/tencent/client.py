"""The API as the core sees it: a request in, a response or a ``CallError`` out."""

from __future__ import annotations

import base64
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.core.api import ACTION
from airflow_provider_permitocr.core.errors import CallError
from airflow_provider_permitocr.core.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.tencent.decisions import decide
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.sdk import json_client

if TYPE_CHECKING:
    from tencentcloud.common.common_client import CommonClient
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

#: A message of the service may quote the image's URL, and a signed one opens the image to whoever reads it.
_URL: Final = re.compile(r"\w+://\S+")


class MainlandPermitClient:
    """Calls MainlandPermitOCR, from any number of threads: each has an SDK client of its own."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._local = threading.local()
        # Importing the SDK takes longer than the turns between calls: done by the first calls themselves,
        # they would all go out at once afterwards.
        self._client()

    def recognize(self, request: PermitRequest) -> PermitResponse:
        """Make one call and return its output fields.

        :raises CallError: for every answer without fields and every fault on the way. Its message never
            holds what was sent or answered.
        """
        response = self._response(_parameters(request))
        request_id = str(response.get("RequestId") or "")
        # The SDK looks for an error only where the content type is exactly application/json.
        if (error := response.get("Error")) is not None:
            if not isinstance(error, dict):
                raise _malformed("no Error object")
            raise _service_error(error.get("Code"), error.get("Message"), request_id)
        return PermitResponse({key: response[key] for key in response if key != "RequestId"}, request_id)

    def _response(self, parameters: dict[str, Any]) -> dict[str, Any]:
        from requests import RequestException
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        try:
            envelope = self._client().call_json(ACTION, parameters)
            response = envelope["Response"]
        except TencentCloudSDKException as error:
            raise self._from_sdk(error) from None
        except RequestException as error:
            raise self._on_the_way(error) from None
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _malformed(type(error).__name__) from None
        if not isinstance(response, dict):
            raise _malformed("no Response object")
        return response

    def _client(self) -> CommonClient:
        if not hasattr(self._local, "client"):
            self._local.client = json_client(self._options)
        client: CommonClient = self._local.client
        return client

    def _from_sdk(self, error: TencentCloudSDKException) -> CallError:
        code = error.get_code()
        if code == "ClientNetworkError":
            return self._on_the_way(error.__context__ or error)
        if code == "ServerNetworkError":
            # The SDK puts the whole body into the message; nothing of it belongs into a log or a table.
            return _call_error(code, f"{self._options.host} answered with another HTTP status than 200")
        return _service_error(code, error.get_message(), str(error.get_request_id() or ""))

    def _on_the_way(self, error: BaseException) -> CallError:
        return _call_error(
            "ClientNetworkError", f"no whole answer from {self._options.host} ({type(error).__name__})"
        )


def _parameters(request: PermitRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {"CardSide": request.card_side.value}
    if request.ret_profile:
        parameters["RetProfile"] = True
    if request.image is None:
        return parameters | {"ImageUrl": request.image_url}
    return parameters | {"ImageBase64": base64.b64encode(request.image).decode("ascii")}


def _service_error(code: Any, message: Any, request_id: str) -> CallError:
    if not code or not isinstance(code, str):
        return _malformed("an Error without a Code")
    return _call_error(code, _URL.sub("(URL)", str(message)), request_id)


def _malformed(reason: str) -> CallError:
    return _call_error("ClientMalformedAnswer", f"the answer is not what the API documents ({reason})")


def _call_error(code: str, message: str, request_id: str = "") -> CallError:
    return CallError(code, message, decide(code), request_id)
