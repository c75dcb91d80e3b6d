"""In a task, connections come from Airflow's supervisor, over one socket for all threads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.sdk.execution_time.supervisor import set_supervisor_comms

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.wiring.connections.object_storage import ObjectStorage
from tests.support.cos_stand_in import CosStandIn

BUCKET = "permits-1250000000"
NOT_FOUND = {"type": "ErrorResponse", "error": "CONNECTION_NOT_FOUND", "detail": None}


class Supervisor:
    """The supervisor's end of the socket; answers for every connection whose id begins with ``known``."""

    def __init__(self, sock: socket.socket, endpoint: str) -> None:
        self.asked: list[str] = []
        self._file = sock.makefile("rwb")
        self._endpoint = endpoint

    def serve(self) -> None:
        while length := self._file.read(4):
            number, body, *_ = msgspec.msgpack.decode(self._file.read(int.from_bytes(length, "big")))
            answer = msgspec.msgpack.encode([number, *self._answer(body)])
            self._file.write(len(answer).to_bytes(4, "big") + answer)
            self._file.flush()

    def _answer(self, body: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if body["type"] != "GetConnection":
            return None, None
        self.asked.append(body["conn_id"])
        if not body["conn_id"].startswith("known"):
            return None, NOT_FOUND
        return {
            "type": "ConnectionResult",
            "conn_id": body["conn_id"],
            "conn_type": "tencentcloud",
            **{"host": None, "schema": None, "port": None},
            "login": "AKIDcos",
            "password": "cos-key",
            "extra": f'{{"cos_endpoint": "{self._endpoint}", "allow_endpoint": "{self._endpoint}"}}',
        }, None


@pytest.fixture
def supervisor(cos_store: CosStandIn) -> Iterator[Supervisor]:
    ours, tasks = socket.socketpair()
    with ours, tasks:
        served = Supervisor(ours, cos_store.endpoint)
        thread = threading.Thread(target=served.serve, name="supervisor")
        thread.start()
        with set_supervisor_comms(CommsDecoder(socket=tasks)):
            yield served
        tasks.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.slow
def test_a_tasks_threads_look_connections_up_at_once(supervisor: Supervisor, cos_store: CosStandIn) -> None:
    cos_store.objects[BUCKET, "a.jpg"] = b"image"
    # Several, as Airflow 3.2 mixes up the answers to threads that ask at once.
    storages = [ObjectStorage() for _ in range(8)]
    start = threading.Barrier(16)

    def read(number: int) -> list[bytes]:
        start.wait()
        return [storages[number % 8].read(f"cos://known{i}@{BUCKET}/a.jpg", 9) for i in range(4)]

    with ThreadPoolExecutor(16) as threads:
        images = [image for each in threads.map(read, range(16)) for image in each]

    assert images == [b"image"] * 64
    # To see whether there is one, and to make the client; however many images there are.
    assert len([conn_id for conn_id in supervisor.asked if conn_id.startswith("known")]) == 8 * 4 * 2


def test_a_connection_that_the_supervisor_does_not_know_stops_the_run(supervisor: Supervisor) -> None:
    with pytest.raises(ConfigurationError, match=r"'nowhere'.*storage_conn_id"):
        ObjectStorage("nowhere")
    assert supervisor.asked == ["nowhere"]
