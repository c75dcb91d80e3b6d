"""Keys, and TKE's web identity, found in the environment the way the SDK does.

The variables and the file are those of ``tencentcloud.common.credential``. Unlike the SDK's own chain, this
one ends there: an instance's role is used only if the connection says so. A token is read too, as in tccli;
the SDK would sign without it and be refused.
"""

from __future__ import annotations

import os
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.keys.credentials import Keys

_VARIABLES: Final = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN")
#: The first that exists is read.
_FILES: Final = ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")
_PROFILE: Final = "default"
_OPTIONS: Final = ("secret_id", "secret_key", "token")


@dataclass(frozen=True)
class WebIdentity:
    """The service account of a pod in TKE, as TKE describes it to the pod.

    :param token_file: holds the account's token, which TKE replaces before it ends.
    """

    provider_id: str
    token_file: Path
    region: str

    def token(self) -> str:
        """Read the current token.

        :raises OSError: when there is no such file, or it can't be read.
        """
        return self.token_file.read_text(encoding="ascii", errors="replace").strip()


@dataclass(frozen=True)
class _Found:
    """Keys, any of which may be missing, and where they were searched."""

    place: str
    values: tuple[str, ...] = field(repr=False)

    @property
    def has_keys(self) -> bool:
        return bool(self.values[0] and self.values[1])


def environment_keys() -> Keys:
    """Return the keys in environment variables, or else in the first existing credentials file.

    :raises ConfigurationError: when there are none, or they can't be used.
    """
    found = _Found(", ".join(_VARIABLES), tuple(os.environ.get(name, "") for name in _VARIABLES))
    if not found.has_keys:
        found = _profile() or found
    if not found.has_keys:
        raise ConfigurationError(
            f"credentials is environment, but neither {_VARIABLES[0]} and {_VARIABLES[1]} nor the section"
            f" [{_PROFILE}] of {' or '.join(_FILES)} has keys; set them where tasks run"
        )
    secret_id, secret_key, token = found.values
    try:
        return Keys(secret_id, secret_key, token or None)
    except ValueError:
        raise ConfigurationError(
            f"the keys in {found.place} contain spaces or non-ASCII characters; copy them again"
        ) from None


def tke_web_identity() -> WebIdentity:
    """Return the web identity that TKE has given to this pod.

    :raises ConfigurationError: when there is none.
    """
    names = ("TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_REGION")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(
            f"credentials is tke_oidc, but {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not"
            " set; run tasks in pods whose service account TKE has bound to a role"
        )
    provider_id, token_file, region = (os.environ[name] for name in names)
    return WebIdentity(provider_id, Path(token_file), region)


def tke_role_arn() -> str:
    """Return the role that TKE has bound to this pod's service account; '' if none."""
    return os.environ.get("TKE_ROLE_ARN", "")


def _profile() -> _Found | None:
    file = next((file for name in _FILES if (file := Path(name).expanduser()).exists()), None)
    if file is None:
        return None
    profiles = ConfigParser(interpolation=None)
    try:
        profiles.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, ConfigParserError) as error:
        # Its words may quote a line of the file.
        raise ConfigurationError(f"{file} can't be read ({type(error).__name__})") from None
    section = dict(profiles[_PROFILE]) if profiles.has_section(_PROFILE) else {}
    return _Found(f"{file}", tuple((section.get(name) or "").strip() for name in _OPTIONS))
