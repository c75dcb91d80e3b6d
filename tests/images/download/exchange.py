"""Answers of a server of images, and what becomes of them."""

from __future__ import annotations

import pytest

from airflow_provider_permitocr.errors import ImageError, ImageUnavailableError
from airflow_provider_permitocr.images.download import Downloader

LIMIT = 1_000_000
IMAGE = b"\x89PNG\r\n\x1a\n" + b"x" * 30_000


def answer(content: bytes = IMAGE, status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def redirect(location: str, status: int = 302) -> bytes:
    return answer(b"Moved", status, f"Location: {location}")


def fault(downloader: Downloader, url: str) -> ImageError:
    with pytest.raises(ImageError) as caught:
        downloader.read(url, LIMIT)
    assert caught.value.__cause__ is None
    return caught.value


def unavailable(downloader: Downloader, url: str) -> ImageUnavailableError:
    error = fault(downloader, url)
    assert isinstance(error, ImageUnavailableError)
    return error


def refused(downloader: Downloader, url: str) -> ImageUnavailableError:
    error = fault(downloader, url)
    assert isinstance(error, ImageUnavailableError)
    assert (error.code, error.is_outage) == ("ImageHostRefused", True)
    return error
