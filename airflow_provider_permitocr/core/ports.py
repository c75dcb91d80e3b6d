"""What the pipeline asks of the outside, so that it runs without SQL, network or Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_permitocr.core.models import (
        ImageRow,
        PermitRequest,
        PermitResponse,
        Previous,
        RowKey,
    )


class ImageSource(Protocol):
    """The image list."""

    def check(self) -> int:
        """Look the list over before anything is paid for, and count it.

        :raises SourceError: naming what to change, e.g. a missing column or keys that are NULL.
        """
        ...

    def pages(self) -> Iterator[Sequence[ImageRow]]:
        """Stream the list, a bounded number of rows at a time."""
        ...


class PermitClient(Protocol):
    """The API. Called from several threads at once."""

    def recognize(self, request: PermitRequest) -> PermitResponse:
        """Make one call.

        :raises CallError: for every answer without fields and every fault on the way.
        """
        ...


class ResultTarget(Protocol):
    """The result table."""

    def prepare(self) -> None:
        """Create what is missing.

        :raises TargetError: naming what to change.
        """
        ...

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        """Return what is already known of these rows."""
        ...

    def write(self, frame: pd.DataFrame) -> None:
        """Insert or replace rows by ``(image_key, card_side)``, in one transaction."""
        ...
