"""What of the answers a task shows, and where portraits go: its policy, with keys that connections hold."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.privacy import Privacy
from airflow_provider_permitocr.options.quality import Quality
from airflow_provider_permitocr.options.targets.portraits import PortraitFolder, Portraits
from airflow_provider_permitocr.options.task import TaskOptions
from airflow_provider_permitocr.permit.answers import Reading
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Keys, Method
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure, is_path, is_portrait_name
from airflow_provider_permitocr.wiring.connections.tencentcloud import look_up
from airflow_provider_permitocr.wiring.result_file import is_local, path_in_store, store_of

if TYPE_CHECKING:
    from airflow_provider_permitocr.files.portrait_files import PortraitFiles

_SHORTEST_HMAC_KEY: Final = 16


def protection_of(policy: Privacy | None) -> Protection:
    """Return a policy's effect on values; without a policy, none.

    :raises ConfigurationError: naming the connection whose key is missing or invalid.
    """
    if policy is None:
        return Protection()
    keys = Keys(
        hmac=_hmac_key(policy.hmac_conn_id) if Method.HMAC in policy.used else None,
        fernet=_fernet_keys(policy.fernet_conn_id) if Method.ENCRYPT in policy.used else (),
    )
    carried = {name: Method(method) for name, method in policy.carried.items()}
    return Protection(policy.methods, carried, keys)


def disclosure_of(task: TaskOptions) -> Disclosure:
    """Return which parts of answers leave a task's ledger.

    :raises ConfigurationError: naming the connection whose key is missing or invalid, or what to install.
    """
    reading = reading_of(task.quality, task.privacy)
    return Disclosure(task.portraits is not None, reading, portrait_files(task.portraits))


def reading_of(quality: Quality, policy: Privacy | None) -> Reading:
    """Return how answers are examined and protected.

    :raises ConfigurationError: naming the connection whose key is missing or invalid, or what to install.
    """
    assessment = quality.assessment
    assessment.prepare()
    return Reading(assessment, protection_of(policy))


class StoredPortraits:
    """The portraits that rows refer to, in any folder.

    :param portraits: where a task now writes portraits; its connection is used for all folders.
    """

    def __init__(self, portraits: Portraits | None) -> None:
        self._folder = portraits if isinstance(portraits, PortraitFolder) else None

    def remove(self, profiles: Collection[str]) -> int:
        """Delete stored portraits; one that is already gone is not an error.

        :param profiles: values of the column ``profile`` (base64 needs no deletion), and names of portraits
            whose paths are unknown, which are searched in the current folder.
        :return: how many were deleted, as far as known.
        :raises ConfigurationError: when a folder's store cannot be opened.
        :raises UnreachableError: when a retry may succeed.
        """
        from airflow_provider_permitocr.files.portrait_files import files_named

        folders: dict[str, set[str]] = {}
        for profile in filter(is_path, profiles):
            folder, _, file = profile.rpartition("/")
            folders.setdefault(folder, set()).add(file)
        known = sum(map(len, folders.values()))
        if self._folder is not None and (names := list(filter(is_portrait_name, profiles))):
            folders.setdefault(self._folder.path, set()).update(chain.from_iterable(map(files_named, names)))
        conn_id = None
        if self._folder is not None:
            conn_id = self._folder.conn_id or urlsplit(self._folder.path).username
        for folder, files in folders.items():
            _files_in(PortraitFolder(folder, conn_id=conn_id)).remove(files)
        return known


def portrait_files(portraits: Portraits | None) -> PortraitFiles | None:
    """Return the folder for portraits; None if they are stored in the result or not at all.

    :raises ConfigurationError: when there is no such connection, or no file system for the URL.
    """
    return _files_in(portraits) if isinstance(portraits, PortraitFolder) else None


def _files_in(portraits: PortraitFolder) -> PortraitFiles:
    from airflow_provider_permitocr.files.portrait_files import PortraitFiles

    folder = portraits.path.rstrip("/")
    store = store_of(folder, portraits.conn_id, portraits.file_mode)
    in_store = path_in_store(folder)
    # Without the connection that a URL may name: readers of the table have their own.
    shown = folder if is_local(folder) else f"{urlsplit(folder).scheme}://{in_store}"
    return PortraitFiles(store, shown, in_store)


def _hmac_key(conn_id: str) -> bytes:
    key = _password(conn_id)
    if len(key) < _SHORTEST_HMAC_KEY:
        raise ConfigurationError(
            f"connection {conn_id!r}: the password is the key of pseudonyms, and must have"
            f" {_SHORTEST_HMAC_KEY} characters or more; make one with: openssl rand -hex 32"
        )
    return key.encode()


def _fernet_keys(conn_id: str) -> tuple[str, ...]:
    from airflow.sdk.log import mask_secret

    keys = tuple(each.strip() for each in _password(conn_id).split(",") if each.strip())
    for key in keys:
        mask_secret(key)
    try:
        Keys(fernet=keys).cipher  # noqa: B018  made once, to find out
    except ValueError:
        keys = ()
    if not keys:
        raise ConfigurationError(
            f"connection {conn_id!r}: the password must be a Fernet key, or several with commas between them;"
            ' make one with: python -c "from cryptography.fernet import Fernet;'
            ' print(Fernet.generate_key().decode())"'
        )
    return keys


def _password(conn_id: str) -> str:
    connection = look_up(conn_id)
    if connection is None:
        raise ConfigurationError(
            f"there is no connection {conn_id!r}, whose password the privacy policy needs as a key; add it,"
            " of any type, or name another one: Privacy(hmac_conn_id=..., fernet_conn_id=...)"
        )
    return connection.password or ""
