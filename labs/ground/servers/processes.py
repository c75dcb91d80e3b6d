"""Start child processes that cannot outlive the demo, and end them with all their descendants."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import psutil

#: Options of prctl(2), Linux only.
_SET_DEATH_SIGNAL: Final = 1
_SET_CHILD_SUBREAPER: Final = 36

_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent died (Linux only).

    Otherwise, a grandchild of a killed child belongs to init and cannot be distinguished from other
    processes.
    """
    if _LIBC is not None:
        _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(signum: int) -> Callable[[], None]:
    """Return a ``preexec_fn``: the kernel sends the child this signal when its parent dies, however it dies.

    Linux ties the signal to the *thread* that started the child, so start children from threads that last.

    :param signum: signal for the child.
    """
    parent = os.getpid()

    def set_death_signal() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_SET_DEATH_SIGNAL, signum, 0, 0, 0)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return set_death_signal


class Identity(TypedDict, total=False):
    """The arguments of ``subprocess`` that set who a child runs as."""

    user: int
    group: int
    extra_groups: list[int]


def identity(user: str | None) -> Identity:
    """Return the ``subprocess`` arguments that run a child as a user, with only that user's group.

    :param user: name of the user; without one, nothing changes.
    """
    if user is None:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a separate session, so that Ctrl-C in the terminal only reaches the demo.

    :param command: program and arguments.
    :param log: file for the child's output; appended to.
    :param env: the child's complete environment; by default this process's.
    :param user: run as this user (only root may).
    :param death_signal: sent to the child by the kernel when this process dies (Linux only).
    :raises OSError: the program or the log file cannot be opened.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),  # noqa: PLW1509 - no threads hold locks at this point
            **identity(user),
        )


def end(
    processes: Sequence[psutil.Process],
    *,
    grace: float,
    signum: int = signal.SIGTERM,
    everyone: bool = False,
) -> None:
    """End processes and every descendant: ask, wait, kill.

    :param processes: the processes; those that are gone already are passed over.
    :param grace: seconds that they get between the first signal and SIGKILL.
    :param signum: the first signal.
    :param everyone: send the first signal to the descendants too, for parents that would wait for them.
    """
    family = {member.pid: member for process in processes for member in _family(process)}
    for process in family.values() if everyone else processes:
        _signal(process, signum)
    _, alive = psutil.wait_procs(list(family.values()), timeout=grace)
    for process in alive:
        for member in _family(process):  # it may have had children since
            _signal(member, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=grace)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, signum: int) -> None:
    try:
        process.send_signal(signum)  # psutil checks that the id was not given to another process since
    except psutil.NoSuchProcess:
        return


class ServiceError(RuntimeError):
    """A child process failed; the message names its log and quotes the end of it."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(f"{what} The end of {log}:\n{tail(log)}")


@dataclass(frozen=True)
class Service:
    """A child process that runs until it is ended.

    :param name: what to call it in messages.
    :param log: file that takes what it prints.
    """

    name: str
    log: Path
    child: subprocess.Popen[bytes]

    def check(self) -> None:
        """Find out whether it still runs.

        :raises ServiceError: it has ended.
        """
        status = self.child.poll()
        if status is not None:
            raise ServiceError(f"{self.name} ended by itself with status {status}.", self.log)

    def wait(self) -> None:
        """Wait for a process that ends without being stopped.

        :raises ServiceError: it failed.
        """
        if self.child.wait() != 0:
            raise ServiceError(f"{self.name} failed with status {self.child.returncode}.", self.log)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file, '' if there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
