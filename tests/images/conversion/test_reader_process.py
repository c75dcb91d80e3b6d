"""What a file does to its reader, and that it does nothing to anything else."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import psutil
import pytest
from PIL import Image

from airflow_provider_permitocr.errors import ImageError, ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.images.conversion import reader_process
from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.formats.inspection import inspect_image
from labs.fuzz.bombs import nested_forms

ROOM = 5_500_000
STARTED_BEFORE: list[psutil.Process] = []


def bmp() -> bytes:
    file = BytesIO()
    Image.new("RGB", (60, 40), "red").save(file, "BMP")
    return file.getvalue()


def readers() -> list[psutil.Process]:
    """All readers that this test has started."""
    return [each for each in all_readers() if each not in STARTED_BEFORE]


def all_readers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [
        each for each in children if "airflow_provider_permitocr.images.conversion.reader" in each.cmdline()
    ]


def left_of(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid)] if psutil.pid_exists(pid) else []


@pytest.fixture(autouse=True)
def _leave_those_of_other_tests_alone() -> None:
    STARTED_BEFORE[:] = all_readers()


@pytest.fixture
def converter() -> Iterator[ImageConverter]:
    converter = ImageConverter(max_in_flight=1)
    yield converter
    converter.close()


def convert(converter: ImageConverter, image: bytes) -> str:
    return converter.convert(image, inspect_image(image), ROOM)[1]


def refusal(converter: ImageConverter, image: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        convert(converter, image)
    return caught.value


def use_reader(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """Have a program in place of Python, for what no file makes a reader do reliably."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{program}\n")
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.slow
def test_a_small_pdf_that_takes_all_memory_is_rejected_and_the_next_image_is_read(
    converter: ImageConverter,
) -> None:
    assert convert(converter, nested_forms(2, 2)) == "converted from PDF"
    error = refusal(converter, nested_forms(10, 8))
    assert isinstance(error, ImageRejectedError)
    assert error.message == (
        "the PDF crashes its decoder: it is damaged, or takes more than 384 MB of memory"
    )
    assert convert(converter, bmp()) == "converted from BMP"


@pytest.mark.slow
def test_a_picture_that_does_not_fit_into_memory_is_rejected(converter: ImageConverter) -> None:
    file = BytesIO()
    Image.new("RGBA", (8000, 7999)).save(file, "TIFF", compression="tiff_lzw")
    error = refusal(converter, file.getvalue())
    assert (error.code, error.message) == (
        "ImageTooComplex",
        "the TIFF takes more than 384 MB of memory to decode",
    )
    assert convert(converter, bmp()) == "converted from BMP"


@pytest.mark.slow
def test_what_earlier_images_left_is_not_held_against_the_next(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(converter, bmp())
    (used,) = readers()
    # As if it had kept that much.
    psutil.Process(used.pid).rlimit(psutil.RLIMIT_DATA, (1, 1))
    file = BytesIO()
    Image.new("RGB", (3000, 3000)).save(file, "BMP")
    assert convert(converter, file.getvalue()) == "converted from BMP"
    assert used not in readers()


def test_a_file_that_takes_too_long_is_rejected_and_its_reader_ended(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_reader(
        monkeypatch,
        tmp_path,
        "import signal\nsignal.setitimer(signal.ITIMER_PROF, 0.05)\nwhile True: pass",
    )
    error = refusal(converter, bmp())
    assert isinstance(error, ImageRejectedError)
    assert (error.code, error.message) == (
        "ImageTooComplex",
        "the BMP takes more than 4 seconds to decode",
    )
    assert not readers()


def test_a_decoder_is_ended_by_the_time_it_takes_of_the_processor() -> None:
    program = (
        "from airflow_provider_permitocr.images.conversion.reader import _processor_seconds\n"
        "with _processor_seconds(0.05):\n"
        "    while True: pass\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGPROF


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_reader_that_somebody_else_ends_says_nothing_of_the_image(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    use_reader(monkeypatch, tmp_path, f"import os\nos.kill(os.getpid(), {int(number)})")
    error = refusal(converter, bmp())
    assert isinstance(error, ImageUnavailableError)
    assert (error.code, error.is_outage) == ("ImageReaderFailed", True)
    assert f"by signal {int(number)}" in error.message


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "print('no answer')"])
def test_a_reader_that_cannot_work_says_nothing_of_the_image(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    use_reader(monkeypatch, tmp_path, program)
    error = refusal(converter, bmp())
    assert isinstance(error, ImageUnavailableError)
    assert (error.code, error.is_outage) == ("ImageReaderFailed", True)


def test_where_no_process_can_be_started_that_says_nothing_of_the_image(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    error = refusal(converter, bmp())
    assert isinstance(error, ImageUnavailableError)
    assert (error.code, error.is_outage) == ("ImageReaderFailed", True)
    assert "No such file or directory" in error.message


def test_a_reader_that_is_stuck_is_ended_and_the_image_tried_again(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader_process, "_LONGEST_SECONDS", 0.2)
    use_reader(monkeypatch, tmp_path, "import time\ntime.sleep(600)")
    error = refusal(converter, bmp())
    assert isinstance(error, ImageUnavailableError)
    assert (error.code, error.is_outage) == ("ImageReaderFailed", False)


def test_one_reader_serves_image_after_image(converter: ImageConverter) -> None:
    convert(converter, bmp())
    (first,) = readers()
    for _ in range(5):
        convert(converter, bmp())
        refusal(converter, bmp()[:60])
    assert readers() == [first]


def test_no_more_readers_work_than_pictures_may_be_in_work_at_once() -> None:
    converter = ImageConverter(max_in_flight=2)
    image = bmp()
    threads = [threading.Thread(target=convert, args=(converter, image)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(readers()) <= 2
    converter.close()
    assert not readers()


@pytest.mark.slow
def test_no_reader_outlives_its_converter() -> None:
    converter = ImageConverter()
    convert(converter, bmp())
    assert readers()
    del converter
    gc.collect()
    assert not readers()


@pytest.mark.slow
def test_no_reader_outlives_a_worker_that_is_killed() -> None:
    program = (
        "import os, signal\n"
        "from tests.images.conversion.test_reader_process import bmp, convert, readers\n"
        "from airflow_provider_permitocr.images.conversion.convert import ImageConverter\n"
        "converter = ImageConverter()\n"
        "convert(converter, bmp())\n"
        "print(readers()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    _, alive = psutil.wait_procs(left_of(int(ended.stdout)), timeout=30)
    assert not alive


def test_a_reader_gets_no_secret_of_the_environment_and_leaves_nothing_on_the_disk(
    converter: ImageConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT", "tencent://secret-id:secret-key@")
    convert(converter, bmp())
    (reader,) = readers()
    assert not [value for value in reader.environ().values() if "secret" in value]
    for kind in (psutil.RLIMIT_CORE, psutil.RLIMIT_FSIZE):
        assert reader.rlimit(kind) == (0, 0)


def test_a_signal_to_the_worker_and_its_group_does_not_reach_a_reader(converter: ImageConverter) -> None:
    convert(converter, bmp())
    (reader,) = readers()
    assert os.getpgid(reader.pid) != os.getpgid(os.getpid())
