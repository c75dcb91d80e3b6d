"""The shape of an answer, and the errors that engines give, as the API page words them."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.permit.api import (
    BACK_FIELD,
    BACK_FIELDS,
    TEXT_FIELDS,
    WARNINGS_FIELD,
    CardSide,
    PermitType,
)

#: The API page: the back is "only supported for Mainland Travel Permit for Hong Kong and Macao
#: Residents".
TYPES_WITH_BACK: Final = frozenset({PermitType.HONG_KONG_MACAO})


def answer(
    permit_type: PermitType, texts: dict[str, str], back: dict[str, str], warnings: list[int]
) -> dict[str, Any]:
    """Every output field of the API except ``RequestId``; missing ones are ''.

    The type also appears in ``MainlandTravelPermitBackInfos``, on both sides, as in the API's full sample.

    :param texts: top-level fields by their names.
    :param back: members of ``MainlandTravelPermitBackInfos``.
    :param warnings: codes for ``WarnCardInfos``.
    """
    return {
        **dict.fromkeys(TEXT_FIELDS, ""),
        **texts,
        "Type": str(permit_type),
        BACK_FIELD: {**dict.fromkeys(BACK_FIELDS, ""), **back, "Type": str(permit_type)},
        WARNINGS_FIELD: warnings,
    }


def no_specified_card() -> ApiError:
    """The picture shows no permit, or not the side that was asked for."""
    return ApiError(
        "FailedOperation.ImageNoSpecifiedCard", "The card in the image is not of the specified type."
    )


def image_decode_failed() -> ApiError:
    """The file cannot be decoded."""
    return ApiError("FailedOperation.ImageDecodeFailed", "Failed to decode the image.")


def check_side(asked: CardSide, shown: CardSide, permit_type: PermitType) -> None:
    """Refuse a picture of the wrong side, and a back that the API does not read for this kind of permit.

    The API page has no code for a wrong side (``CardSideError`` belongs to identity cards, according to the
    SDK), so this is ``ImageNoSpecifiedCard``.

    :raises ApiError: ``FailedOperation.ImageNoSpecifiedCard``.
    """
    if asked is not shown or (asked is CardSide.BACK and permit_type not in TYPES_WITH_BACK):
        raise no_specified_card()
