"""Airflow for the benchmark: LocalExecutor on PostgreSQL, with settings that hold nothing up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from labs.ground.servers.airflow_api import AirflowApi
from labs.ground.servers.airflow_services import AirflowOptions, AirflowServices
from labs.ground.servers.ports import free_port
from labs.ground.servers.postgres import EmbeddedPostgres

_DAGS: Final = Path(__file__).parent / "dags"
#: High enough that the pool limits how many tasks run, and none of these settings.
_GENEROUS: Final = {
    "CORE__PARALLELISM": "32",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    "CORE__MAX_MAP_LENGTH": "100000",
    "SCHEDULER__MAX_TIS_PER_QUERY": "0",
    "API__WORKERS": "2",
}
_READY_SECONDS: Final = 120.0
_RUN_SECONDS: Final = 400.0
_FINISHED: Final = ("success", "failed")


class BenchAirflow:
    """Airflow with the benchmark's DAGs; ended on leaving the context.

    :param state: directory for its files.
    :param postgres: a running server; takes the metadata database.
    """

    def __init__(self, state: Path, postgres: EmbeddedPostgres) -> None:
        options = AirflowOptions(state / "airflow", _DAGS, free_port(), _GENEROUS)
        self._services = AirflowServices(options, postgres)
        self._api = AirflowApi(options.url)

    def __enter__(self) -> Self:
        try:
            self._services.finish_migration(self._services.begin_migration())
            self._services.start()
            self.wait_until(self._api.is_ready, "Airflow is not healthy")
            self._api.log_in()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, running tasks too."""
        self._services.stop()

    def set_connection(self, conn_id: str, description: str, parts: Mapping[str, str | int]) -> None:
        """Make a connection."""
        self._api.set_connection(conn_id, description, parts)

    def set_pool(self, name: str, slots: int) -> None:
        """Make a pool."""
        self._api.set_pool(name, slots, "One slot is one request per second of the account's quota")

    def wait_for_dags(self, dag_ids: Iterable[str]) -> None:
        """Wait until the DAG processor has read them."""
        for dag_id in dag_ids:
            self.wait_until(
                lambda dag_id=dag_id: self._api.dag_is_parsed(dag_id, self._services.started),  # type: ignore[misc]
                f"No DAG {dag_id}",
            )

    def trigger(self, dag_ids: Iterable[str]) -> dict[str, str]:
        """Start a run of each; returns the run ids by DAG."""
        now = datetime.now(UTC)
        return {dag_id: self._api.trigger(dag_id, now, now, now) for dag_id in dag_ids}

    def finish(self, runs: Mapping[str, str]) -> None:
        """Wait for the end of runs.

        :raises RuntimeError: one failed; the message quotes its log.
        :raises TimeoutError: one does not end.
        """
        deadline = time.monotonic() + _RUN_SECONDS
        for dag_id, run_id in runs.items():
            while (state := self._api.run_state(dag_id, run_id)) not in _FINISHED:
                self._services.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{dag_id} is still {state} after {_RUN_SECONDS:.0f} s")
                time.sleep(1)
            if state == "failed":
                raise RuntimeError(self._api.why_failed(dag_id, run_id))

    def wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for what takes seconds.

        :raises TimeoutError: it does not come true; ``otherwise`` begins the message.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not condition():
            self._services.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{otherwise} after {_READY_SECONDS:.0f} s")
            time.sleep(0.3)
