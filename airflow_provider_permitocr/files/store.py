"""Stores of files: a disk or an object store, with the same methods; paths are each store's own.

Both write a file completely or not at all, for readers and after any error.
"""

from __future__ import annotations

from typing import TypeAlias

from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.object_store import ObjectStore

Store: TypeAlias = LocalStore | ObjectStore
