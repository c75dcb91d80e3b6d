"""Airflow as it runs in production: database, scheduler, DAG processor and API server, as own processes."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import psutil

from labs.ground.servers.ports import HOST
from labs.ground.servers.processes import Service, end, spawn

METADATA_DATABASE: Final = "airflow"
_API_SERVER: Final = "airflow api-server"
_GRACE_SECONDS: Final = 6.0
#: Inherited settings that would make the demo depend on its user: another Airflow's, and proxies, which
#: have no business with calls that stay on this machine.
_DROPPED_PREFIXES: Final = ("AIRFLOW", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class DatabaseServer(Protocol):
    """A PostgreSQL server that takes the metadata database; see `EmbeddedPostgres`."""

    def dsn(self, database: str, driver: str = "") -> str:
        """Return a URI for a database."""
        ...

    def create_database(self, name: str, *, replace: bool = False) -> None:
        """Create a database unless it exists."""
        ...

    def airflow_connection(self, database: str) -> dict[str, str | int]:
        """Return the parts of an Airflow connection to a database."""
        ...


@dataclass(frozen=True)
class AirflowOptions:
    """The settings of this Airflow.

    :param home: ``AIRFLOW_HOME``; created if missing.
    :param dags: folder with the DAG files.
    :param port: port of the API server and UI.
    :param settings: further settings, e.g. ``{"CORE__EXECUTOR": "CeleryExecutor"}``.
    :param variables: Airflow variables, by name.
    """

    home: Path
    dags: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.dags.is_dir():
            raise ValueError(f"No DAG folder {self.dags}: run the demo from a checkout of the repository")

    @property
    def url(self) -> str:
        """Where the UI and the API are."""
        return f"http://{HOST}:{self.port}"


class AirflowServices:
    """Airflow's processes, ended together on leaving the context.

    :param options: its settings.
    :param postgres: a running server; takes the metadata database.
    """

    def __init__(self, options: AirflowOptions, postgres: DatabaseServer) -> None:
        self.options = options
        self.started = datetime.now(UTC)
        self._postgres = postgres
        self._services: list[Service] = []
        options.home.mkdir(parents=True, exist_ok=True)
        self._environment = environment(options, postgres.dsn(METADATA_DATABASE, "psycopg2"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _migrated(self) -> Path:
        """A file that records that this version's database migration finished."""
        return self.options.home / f"migrated-{importlib.metadata.version('apache-airflow')}"

    def begin_migration(self) -> Service | None:
        """Start creating the metadata database; ``None`` if an earlier run has done it.

        A database that is incomplete or of another Airflow version is created again.
        """
        if self._migrated.exists():
            return None
        self._postgres.create_database(METADATA_DATABASE, replace=True)
        return self._start("airflow db migrate", "db", "migrate")

    def finish_migration(self, migration: Service | None) -> None:
        """Wait for the migration.

        :raises ServiceError: it failed.
        """
        if migration is not None:
            migration.wait()
            self._services.remove(migration)
            self._migrated.touch()

    def start(self) -> None:
        """Start the processes; follow them with :meth:`check`."""
        self.started = datetime.now(UTC)
        self._start(_API_SERVER, "api-server")
        # Logs are read from the disk that all processes share: no log server, no fixed port for it.
        self._start("airflow scheduler", "scheduler", "--skip-serve-logs")
        self._start("airflow dag-processor", "dag-processor")

    def start_worker(self, name: str, concurrency: int) -> Service:
        """Start a Celery worker.

        :param name: distinguishes it from other workers.
        :param concurrency: tasks that it runs at the same time.
        """
        return self._start(
            f"airflow celery worker {name}",
            *("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h"),
            *("--concurrency", str(concurrency), "--pid", str(self.options.home / f"{name}.pid")),
        )

    def execute(self, *command: str) -> None:
        """Run an Airflow command, such as ``dags trigger permits``, and wait for its end.

        :raises ServiceError: it failed.
        """
        # Not one of the services, which must not end.
        self._spawn(f"airflow {' '.join(command)}", *command).wait()

    def kill(self, service: Service) -> None:
        """End a process and all its children as a power cut would: immediately, with SIGKILL."""
        self._services.remove(service)
        end([psutil.Process(service.child.pid)], grace=_GRACE_SECONDS, signum=signal.SIGKILL, everyone=True)

    def check(self) -> None:
        """Find out whether all processes run.

        :raises ServiceError: one has ended.
        """
        for service in self._services:
            service.check()

    def stop(self) -> None:
        """End the processes and the tasks that they run, and wait for their end."""
        # The API server last: an ending task reports to it. A task gets the signal itself, because the
        # scheduler would wait for it to finish.
        for last in (False, True):
            alive = [
                psutil.Process(service.child.pid)
                for service in self._services
                if (service.name == _API_SERVER) == last and service.child.poll() is None
            ]
            end(alive, grace=_GRACE_SECONDS, everyone=True)
        self._services.clear()

    def _start(self, name: str, *arguments: str) -> Service:
        service = self._spawn(name, *arguments)
        self._services.append(service)
        return service

    def _spawn(self, name: str, *arguments: str) -> Service:
        log = self.options.home / f"{name.replace(' ', '-')}.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "airflow", *arguments]
        return Service(name, log, spawn(command, log=log, env=self._environment, death_signal=signal.SIGTERM))


def environment(options: AirflowOptions, database: str) -> dict[str, str]:
    """Return the whole environment of Airflow's processes, free of the settings of its user's own.

    :param database: SQLAlchemy URL of the metadata database.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(_DROPPED_PREFIXES)
    }
    settings = {
        "CORE__DAGS_FOLDER": str(options.dags),
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DEFAULT_TASK_RETRY_DELAY": "3",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__TEST_CONNECTION": "Enabled",
        # Else it warns of the currency, which it takes for a secret that is too short to be masked.
        "LOGGING__MIN_LENGTH_MASKED_SECRET": "3",
        "CORE__EXECUTION_API_SERVER_URL": f"{options.url}/execution/",
        "CORE__FERNET_KEY": "",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "API__HOST": HOST,
        "API__PORT": str(options.port),
        "API__BASE_URL": options.url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": _secret(options.home / "secret-key"),
        "API_AUTH__JWT_SECRET": _secret(options.home / "jwt-secret"),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        # The demo triggers its own run; one that the clock adds would only blur what it shows.
        "SCHEDULER__USE_JOB_SCHEDULE": "False",
        **options.settings,
    }
    return {
        **inherited,
        "AIRFLOW_HOME": str(options.home),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        **{f"AIRFLOW_VAR_{name.upper()}": value for name, value in options.variables.items()},
    }


def _secret(file: Path) -> str:
    """A secret of this Airflow, the same in every run so that sessions survive a restart."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(64))
    return file.read_text()
