"""The values of a table may be hostile: no file or object outside the places that a DAG names is read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from airflow_provider_permitocr.errors import ImageError, ImageUnavailableError
from airflow_provider_permitocr.images.file import read_file
from airflow_provider_permitocr.images.object_uri import ObjectUri
from airflow_provider_permitocr.images.roots import ImageRoots

_LIMIT = 1000
_SECRET = b"secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory of images; beside it are others, with a secret."""
    root = tmp_path / "permits"
    (root / "2026").mkdir(parents=True)
    (root / "2026" / "a.jpg").write_bytes(b"image")
    for name in ("other", "permits-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret.jpg").write_bytes(_SECRET)
    return root


def _refused(reference: str, root: Path) -> str:
    """Return the code of a refusal that says nothing of the reference."""
    with pytest.raises(ImageError) as caught:
        read_file(reference, _LIMIT, ImageRoots([str(root)]))
    assert not [part for part in reference.split("/") if len(part) > 5 and part in caught.value.message]
    return caught.value.code


@pytest.mark.parametrize(
    "spelling", ["{}/2026/a.jpg", "file://{}/2026/a.jpg", "file://localhost{}/2026/%61.jpg"]
)
@pytest.mark.parametrize("written", ["{}", "{}/", "file://{}"])
def test_a_file_below_a_root_is_read(root: Path, spelling: str, written: str) -> None:
    roots = ImageRoots([written.format(root)])
    assert read_file(spelling.format(root), _LIMIT, roots) == b"image"


@pytest.mark.parametrize(
    "reference",
    [
        *("{}/other/secret.jpg", "{}/permits-other/secret.jpg", "{}/permits/../other/secret.jpg"),
        *("file://{}/permits/%2e%2e/other/secret.jpg", "FILE://{}/permits/..%2fother/secret.jpg"),
        *("//{}/other/secret.jpg", "{}/permits/2026/../../other/secret.jpg", "{}/other/missing.jpg"),
        *("/proc/self/environ", "/proc/self/root{}/permits/2026/a.jpg", "/proc/self/cwd/x", "/dev/stdin"),
        *("/sys/kernel/uevent_helper", "/etc/passwd", "/", "{}"),
    ],
)
def test_what_is_outside_the_roots_is_refused(root: Path, reference: str) -> None:
    assert _refused(reference.format(root.parent), root) == "ImagePathRefused"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "user@localhost", "localhost:80", "[::1"])
def test_a_file_of_another_host_is_refused(root: Path, host: str) -> None:
    assert _refused(f"file://{host}{root}/2026/a.jpg", root) == "ImageReferenceUnknown"


@pytest.mark.parametrize("target", ["../other/secret.jpg", "/proc/self/environ", "/etc/passwd", "/dev/zero"])
def test_a_link_that_leaves_the_root_is_refused(root: Path, target: str) -> None:
    (root / "link.jpg").symlink_to(target)
    assert _refused(f"{root}/link.jpg", root) == "ImagePathRefused"


def test_a_linked_folder_that_leaves_the_root_is_refused(root: Path) -> None:
    (root / "link").symlink_to("../other")
    assert _refused(f"{root}/link/secret.jpg", root) == "ImagePathRefused"


def test_a_link_within_the_roots_is_followed_and_a_root_may_be_one(root: Path) -> None:
    (root / "link.jpg").symlink_to("2026/a.jpg")
    current = root.parent / "current"
    current.symlink_to(root)
    roots = ImageRoots([str(current)])
    for each in (root, current):
        assert read_file(f"{each}/link.jpg", _LIMIT, roots) == b"image"


@pytest.mark.slow
def test_a_folder_that_becomes_a_link_while_it_is_read_never_leads_out(root: Path) -> None:
    """Race what is checked against what is read: two names are exchanged all the time."""
    (root / "real").mkdir()
    (root / "real" / "secret.jpg").write_bytes(b"image")
    (root / "link").symlink_to("../other")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            for source, target in (("real", "spare"), ("link", "real"), ("real", "link"), ("spare", "real")):
                (root / source).rename(root / target)

    thread = threading.Thread(target=exchange)
    thread.start()
    ends = set()
    try:
        roots = ImageRoots([str(root)])
        for _ in range(3000):
            try:
                ends.add(read_file(f"{root}/real/secret.jpg", _LIMIT, roots).decode())
            except ImageUnavailableError as error:
                ends.add(error.code)
    finally:
        stop.set()
        thread.join()
    assert ends <= {"image", "ImagePathRefused", "ImageNotFound"}
    assert "image" in ends


@pytest.mark.parametrize("kind", ["pipe", "socket", "directory"])
def test_what_is_no_file_is_neither_read_nor_waited_for(root: Path, kind: str) -> None:
    import socket

    path = root / "permit"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    assert _refused(str(path), root) == "ImageUnreadable"


@pytest.mark.parametrize(
    "name", ["a\x00.jpg", "%00", "x" * 300 + ".jpg", "/".join(["y" * 200] * 30), "\udcff"]
)
def test_a_name_that_no_file_can_have_is_an_error_of_the_image(root: Path, name: str) -> None:
    assert _refused(f"file://{root}/{name}", root) in ("ImageUnreadable", "ImageNotFound")
    assert _refused(f"{root}/{name}", root) in ("ImageUnreadable", "ImageNotFound")


def test_without_roots_any_file_is_read_but_those_of_the_system_with_one_warning(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    roots = ImageRoots()
    (root / "link").symlink_to("/proc/self/environ")
    for reference in ("/proc/self/environ", "/proc/self/fd/0", f"{root}/link", "/sys/kernel/uevent_helper"):
        if Path("/proc/self").exists():
            with pytest.raises(ImageUnavailableError) as caught:
                read_file(reference, _LIMIT, roots)
            assert caught.value.code in ("ImagePathRefused", "ImageNotFound")
    for _ in range(2):
        assert read_file(f"{root}/2026/a.jpg", _LIMIT, roots) == b"image"
    (warning,) = caplog.records
    assert "ImageAccess(roots=" in warning.getMessage()


def test_no_roots_at_all_permit_no_file(root: Path) -> None:
    for roots in (ImageRoots([]), ImageRoots(["s3://scans"])):
        with pytest.raises(ImageUnavailableError) as caught:
            read_file(f"{root}/2026/a.jpg", _LIMIT, roots)
        assert (caught.value.code, caught.value.is_outage) == ("ImagePathRefused", True)


def test_the_root_of_all_permits_all_without_a_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_file(f"{root}/2026/a.jpg", _LIMIT, ImageRoots(["/"])) == b"image"
    assert not caplog.records


@pytest.mark.parametrize(
    ("root", "uri"),
    [
        ("s3://scans", "s3://scans/a.jpg"),
        ("s3://scans/", "S3://scans/2026/a.jpg"),
        ("s3://scans/permits", "s3://scans/permits/a.jpg"),
        ("s3://lake@scans/permits/", "s3://lake@scans/permits/2026/a.jpg"),
        ("cosn://scans-125", "cos://scans-125/a.jpg"),
        ("abfss://scans@acme.dfs.core.windows.net/a", "abfss://scans@acme.dfs.core.windows.net/a/b.jpg"),
    ],
)
def test_an_object_below_a_root_is_permitted(root: str, uri: str) -> None:
    ImageRoots(["/data", root]).require_object(ObjectUri.parse(uri))


@pytest.mark.parametrize(
    ("root", "uri"),
    [
        ("s3://scans/permits", "s3://scans/permits-other/a.jpg"),
        ("s3://scans/permits", "s3://scans/permits"),
        ("s3://scans/permits", "s3://scans/permits/../other/a.jpg"),
        ("sftp://files/permits", "sftp://files/permits/./../../etc/passwd"),
        ("s3://scans/permits", "s3://scans-other/permits/a.jpg"),
        ("s3://scans/permits", "gs://scans/permits/a.jpg"),
        ("s3://scans/permits", "s3://payroll@scans/permits/a.jpg"),
        ("s3://lake@scans/permits", "s3://scans/permits/a.jpg"),
        ("/data", "s3://scans/data/a.jpg"),
    ],
)
def test_an_object_outside_the_roots_or_by_another_connection_is_refused(root: str, uri: str) -> None:
    with pytest.raises(ImageUnavailableError) as caught:
        ImageRoots([root]).require_object(ObjectUri.parse(uri))
    assert caught.value.code == "ImagePathRefused"
