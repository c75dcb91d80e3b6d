"""The URL of an object in a store, as Airflow's users write it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError

#: Azure's own form has the container where others have a connection: abfss://container@account.host/path.
_AZURE: Final = ("abfs", "abfss")
#: COS, by the scheme of Tencent's Hadoop file system.
_OTHER_NAMES: Final = {"cosn": "cos"}


@dataclass(frozen=True, slots=True)
class ObjectUri:
    """An object's location: ``scheme://conn_id@bucket/key``, as Airflow's ``ObjectStoragePath`` parses it.

    Nothing is decoded: the URL contains the store's key verbatim, including spaces, ``?`` and ``#``.

    :param conn_id: the Airflow connection that the URL names, if any.
    """

    scheme: str
    bucket: str = field(repr=False)
    key: str = field(repr=False)
    conn_id: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, uri: str) -> ObjectUri:
        """Read a URL.

        :raises ImageRejectedError: when it does not name an object.
        """
        found = cls.parse_root(uri)
        if not found.bucket or not found.key.strip("/"):
            raise ImageRejectedError(
                "ImageReferenceUnknown", "an object's URL must be of the form scheme://bucket/key"
            )
        return found

    @classmethod
    def parse_root(cls, uri: str) -> ObjectUri:
        """Read a URL that objects' URLs begin with: a bucket, or a folder in it."""
        scheme, _, rest = uri.partition("://")
        scheme = scheme.lower()
        scheme = _OTHER_NAMES.get(scheme, scheme)
        place, _, key = rest.partition("/")
        conn_id, _, bucket = place.rpartition("@")
        if scheme in _AZURE and "." in bucket:
            conn_id, bucket = "", place
        return cls(scheme, bucket, key, conn_id or None)

    @property
    def url(self) -> str:
        """The URL without the connection, as file systems expect it."""
        return f"{self.scheme}://{self.bucket}/{self.key}"
