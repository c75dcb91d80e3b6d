"""How a document's values are stored: the DAG author's policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.validation import check, choice, optional, text
from airflow_provider_permitocr.permit.privacy import FACTS
from airflow_provider_permitocr.permit.replacement import Method


class Preset(StrEnum):
    """Policies that are ready to use."""

    ANALYTICS = "analytics"  #: nothing is left that identifies a person
    PSEUDONYMOUS = "pseudonymous"  #: numbers become pseudonyms, names are masked, birthdays keep the year


#: Facts that do not identify a person.
_HARMLESS: Final = frozenset({"type", "back_type"})
_PRESETS: Final[Mapping[Preset, Mapping[str, Method]]] = {
    Preset.ANALYTICS: {name: Method.KEEP if name in _HARMLESS else Method.DROP for name in FACTS},
    Preset.PSEUDONYMOUS: {
        "name": Method.MASK,
        "english_name": Method.MASK,
        "birthday": Method.YEAR,
        "number": Method.HMAC,
        "profile": Method.DROP,
        "back_name": Method.MASK,
        "back_id_number": Method.HMAC,
        "back_history_number": Method.HMAC,
    },
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Privacy(Readable):
    """A policy for how each fact of a document is stored.

    Each option is ``keep``, ``drop``, ``mask``, ``year``, ``hmac`` or ``encrypt``. An option that is not
    given follows the preset, or else is ``keep``. Fields that this version does not know are dropped.

    :param preset: ``analytics`` or ``pseudonymous``; other options override it.
    :param birthday: for the columns ``birthday`` and ``birthday_raw``.
    :param validity: for ``valid_from``, ``valid_until`` and ``valid_date``.
    :param profile: for the portrait: ``keep`` or ``drop``.
    :param quality_flags: for the flags, ``is_doubtful``, ``is_expired`` and ``declared_differs``: ``keep`` or
        ``drop``. Flags are raised before values are hidden.
    :param image_digest: for the image's digest and size in the result: ``keep`` or ``drop``.
    :param carried: for each column of ``carry_columns``, by its name in the result. Every column must be
        named.
    :param hmac_conn_id: Airflow connection whose password is the key of pseudonyms, at least 16 characters.
    :param fernet_conn_id: Airflow connection whose password is a Fernet key, or several, separated by commas:
        the first encrypts.
    :raises ValueError: naming the option.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("hmac_conn_id", "fernet_conn_id")

    preset: Preset | str | None = field(default=None, kw_only=False)
    type: Method | str | None = None
    name: Method | str | None = None
    english_name: Method | str | None = None
    sex: Method | str | None = None
    birthday: Method | str | None = None
    number: Method | str | None = None
    validity: Method | str | None = None
    issue_authority: Method | str | None = None
    issue_address: Method | str | None = None
    issue_number: Method | str | None = None
    nationality: Method | str | None = None
    profile: Method | str | None = None
    back_type: Method | str | None = None
    back_name: Method | str | None = None
    back_id_number: Method | str | None = None
    back_history_number: Method | str | None = None
    quality_flags: Method | str | None = None
    image_digest: Method | str | None = None
    carried: Mapping[str, Method | str] = field(default_factory=dict)
    hmac_conn_id: str = "permitocr_hmac"
    fernet_conn_id: str = "permitocr_fernet"

    def __post_init__(self) -> None:
        check(
            self,
            preset=optional(choice(Preset)),
            **{name: optional(choice(Method)) for name in FACTS},
            hmac_conn_id=text(),
            fernet_conn_id=text(),
        )
        for name, fact in FACTS.items():
            if (given := getattr(self, name)) is not None and given not in fact.methods:
                can_be = ", ".join(each.value for each in Method if each in fact.methods)
                raise ValueError(f"Privacy: {name} must be one of {can_be}, not {given.value!r}")
        if not isinstance(self.carried, Mapping):
            raise ValueError("Privacy: carried must be a mapping, such as {'branch': 'keep'}")
        methods = {name: _method(name, given) for name, given in self.carried.items()}
        object.__setattr__(self, "carried", methods)

    @property
    def methods(self) -> dict[str, Method]:
        """What becomes of each fact."""
        preset = _PRESETS[Preset(self.preset)] if self.preset else {}
        given = {name: value for name in FACTS if (value := getattr(self, name)) is not None}
        return {name: Method(given.get(name) or preset.get(name, Method.KEEP)) for name in FACTS}

    @property
    def used(self) -> set[Method]:
        """What becomes of anything."""
        return {*self.methods.values(), *(Method(each) for each in self.carried.values())}

    def require_portraits(self, *, wanted: bool) -> None:
        """Make sure that portraits that are asked for are not dropped.

        :raises ValueError: saying what to change.
        """
        if wanted and self.methods["profile"] is Method.DROP:
            raise ValueError(
                "Privacy: portraits are asked for, and the policy drops them; leave portraits= out, or keep"
                " them: profile='keep'"
            )

    def require_carried(self, names: list[str]) -> None:
        """Make sure that the policy covers every copied column, and no other.

        :param names: of the copied columns, in the result.
        :raises ValueError: naming the column.
        """
        if unnamed := [name for name in names if name not in self.carried]:
            raise ValueError(
                f"Privacy: add a method for the copied column {unnamed[0]!r}: carried={{{unnamed[0]!r}:"
                " 'keep'}, or drop, mask, year, hmac or encrypt"
            )
        if unknown := [name for name in self.carried if name not in names]:
            raise ValueError(
                f"Privacy: carried names {unknown[0]!r}, which is not in carry_columns; it has"
                f" {', '.join(names) or 'none'}"
            )


def policy_of(given: Privacy | Preset | str | None) -> Privacy | None:
    """Return the policy that is given, or a preset by its name.

    :raises ValueError, TypeError: when it is neither.
    """
    if given is None or isinstance(given, Privacy):
        return given
    if not isinstance(given, str):
        raise TypeError(
            f"privacy must be a Privacy, 'analytics' or 'pseudonymous', not {type(given).__name__}"
        )
    return Privacy(given)


def _method(name: str, given: Method | str) -> Method:
    try:
        return Method(given)
    except ValueError:
        methods = ", ".join(each.value for each in Method)
        raise ValueError(f"Privacy: carried[{name!r}] must be one of {methods}, not {given!r}") from None
