"""Airflow's settings for Celery, and for noticing a dead worker in seconds instead of minutes."""

from __future__ import annotations

from labs.ground.servers.airflow_services import METADATA_DATABASE, DatabaseServer


def celery_settings(broker: str, postgres: DatabaseServer) -> dict[str, str]:
    """Return the settings.

    :param broker: URL of a Redis database.
    :param postgres: takes the results of Celery's tasks too, in Airflow's database.
    """
    return {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CORE__PARALLELISM": "16",
        "CELERY__BROKER_URL": broker,
        "CELERY__RESULT_BACKEND": f"db+{postgres.dsn(METADATA_DATABASE, 'psycopg2')}",
        "CELERY__SYNC_PARALLELISM": "1",
        # Airflow's default is 300: so long may a task be silent before it counts as dead.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        # A task that a dead worker had fetched, but not begun.
        "SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
        "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    }
