"""What front and back of a document disagree in, in Python: the oracle of the SQL view of documents."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_permitocr.permit.columns import Value
from airflow_provider_permitocr.permit.quality.examination import TOKEN_PREFIX
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind, permit_kind


def document_flags(front: Mapping[str, Value], back: Mapping[str, Value]) -> tuple[Flag, ...]:
    """Return what front and back disagree in: the view of documents says the same in SQL.

    Kinds are compared, as a title has several spellings; the two for Hong Kong and Macao count as one, as the
    number that sets them apart is on the front. Names are compared as they are, but for blanks around them.
    """
    found = []
    kinds = [_as_printed(permit_kind(side)) for side in (front, back)]
    if None not in kinds and kinds[0] is not kinds[1]:
        found.append(Flag.TYPE_MISMATCH)
    names = [_comparable(front.get("name")), _comparable(back.get("back_name"))]
    if None not in names and names[0] != names[1]:
        found.append(Flag.NAME_MISMATCH)
    return tuple(found)


def _as_printed(kind: PermitKind | None) -> PermitKind | None:
    return PermitKind.HONG_KONG_MACAO if kind is PermitKind.HONG_KONG_MACAO_NON_CHINESE else kind


def _comparable(name: Value) -> str | None:
    if not isinstance(name, str) or name.startswith(TOKEN_PREFIX):
        return None
    return name.strip(" ") or None
