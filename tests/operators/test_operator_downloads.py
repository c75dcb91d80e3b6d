"""Images behind URLs that the API cannot see into: the worker downloads them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.options.lists.image_access import ImageAccess

pytestmark = pytest.mark.slow

Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
FROM_HERE = ImageAccess(fetch_images=True, fetch_hosts=("127.0.0.1",))
BY_THE_API = ImageAccess(fetch_hosts=("127.0.0.1",))


@pytest.fixture(autouse=True)
def environment(clean_environment: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own proxies."""


def test_images_of_named_hosts_are_downloaded_by_the_worker_and_all_others_refused(
    execute: Callable[..., dict[str, Any]],
    connected: RunningEmulator,
    image_list: Callable[..., list[Specimen]],
    permits: Permits,
    serve_image: Callable[[bytes], str],
    draw: Callable[..., Specimen],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    specimens = [draw(seed=seed) for seed in range(3)]
    urls = [f"{serve_image(each.image)}?q-signature=0123456789abcdef" for each in specimens]
    further = [{"image_id": f"url{number}", "image": url} for number, url in enumerate(urls)]
    further += [
        {"image_id": "gone", "image": urls[0].replace("?", "gone?")},
        {"image_id": "metadata", "image": "http://169.254.169.254/latest/meta-data/"},
        {"image_id": "elsewhere", "image": urls[0].replace("127.0.0.1", "localhost")},
    ]
    image_list(0, further)

    summary = execute(images=FROM_HERE)

    rows = permits()
    assert [rows[f"url{number}", "FRONT"]["name"] for number in range(3)] == [
        each.fields["Name"] for each in specimens
    ]
    ends = {
        key: (rows[key, "FRONT"]["status"], rows[key, "FRONT"]["error_code"])
        for key in ("gone", "metadata", "elsewhere")
    }
    assert ends == {
        "gone": ("retry", "ImageNotFound"),
        "metadata": ("retry", "ImageHostRefused"),
        "elsewhere": ("retry", "ImageHostRefused"),
    }
    assert summary["calls"] == 3
    messages = "".join(str(row["error_message"]) for row in rows.values())
    # Airflow prints a task's own log, past caplog.
    said = caplog.text + "".join(capfd.readouterr()) + messages
    assert not [each for each in ("q-signature", "169.254", "meta-data") if each in said]


def test_without_fetch_images_the_api_is_given_the_url(
    connected: RunningEmulator, serve_image: Callable[[bytes], str], front: Specimen
) -> None:
    url = serve_image(front.image)
    fetched = MainlandPermitOcrHook(images=BY_THE_API).recognize(url)
    assert (fetched["status"], fetched["image_bytes"]) == ("recognized", None)
    downloaded = MainlandPermitOcrHook(images=FROM_HERE).recognize(url)
    assert downloaded["image_bytes"] == len(front.image)


@pytest.mark.parametrize("images", [BY_THE_API, FROM_HERE], ids=["by the API", "by the worker"])
@pytest.mark.parametrize(
    "behind", ["?名=正面 1.jpg", "?name=%E6%AD%A3%e9%9d%a2+%20", "?x=100%", " ", "\r\n", "#正面"]
)
def test_url_with_chinese_characters_and_blanks_leads_to_its_image(
    connected: RunningEmulator,
    serve_image: Callable[[bytes], str],
    front: Specimen,
    images: ImageAccess,
    behind: str,
) -> None:
    record = MainlandPermitOcrHook(images=images).recognize(serve_image(front.image) + behind)
    assert (record["status"], record["error_message"]) == ("recognized", None)


@pytest.mark.parametrize(
    "url",
    [
        *("http://169.254.0.23/latest/meta-data/cam/security-credentials/", "http://169.254.169.254/"),
        *(
            "http://metadata.tencentyun.com/latest/meta-data/",
            "http://100.100.100.200/",
            "http://[fd00:ec2::254]/",
        ),
        *("http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://169.254.43518/"),
        *("http://[::ffff:a9fe:a9fe]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[2002:a9fe:a9fe::]/"),
        *(
            "http://10.0.0.7/a.jpg",
            "http://localhost:8080/a.jpg",
            "http://intranet/a.jpg",
            "http://127.0.0.1./",
        ),
        *("http://%31%32%37.0.0.1/", "http://127.0.0.1\\.example.com/", "http://[fe80::1%25eth0]/"),
    ],
)
def test_url_of_an_inner_host_or_of_metadata_is_never_passed_on_to_the_api(
    connected: RunningEmulator, url: str
) -> None:
    hook = MainlandPermitOcrHook(images=ImageAccess())
    record = hook.recognize(url)
    # Before urllib3 2.8, a host with escaped characters is none at all.
    is_none = url.startswith("http://%") and Version(version("urllib3")) < Version("2.8")
    expected = ("rejected", "ImageReferenceUnknown") if is_none else ("retry", "ImageHostRefused")
    assert (record["status"], record["error_code"]) == expected
    assert connected.records() == []


def test_url_with_a_password_is_never_passed_on(connected: RunningEmulator) -> None:
    record = MainlandPermitOcrHook().recognize("http://me:secret@127.0.0.1/a.jpg")
    assert (record["status"], record["error_code"]) == ("rejected", "ImageReferenceUnknown")
    assert "secret" not in str(record["error_message"])


def test_hook_that_was_closed_connects_anew(
    connected: RunningEmulator, serve_image: Callable[[bytes], str], front: Specimen
) -> None:
    hook = MainlandPermitOcrHook(images=FROM_HERE, max_per_second=100)
    for _ in range(2):
        assert hook.recognize(serve_image(front.image))["status"] == "recognized"
        hook.close()
