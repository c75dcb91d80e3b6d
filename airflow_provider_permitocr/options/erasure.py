"""What to erase from a list, as specified by a DAG author or a command."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.validation import MOST_DAYS, Rule, check, flag, optional, whole


@dataclass(frozen=True, kw_only=True)
class ErasureRule:
    """What to erase: by exactly one of three rules.

    :param keys: keys of images, both sides of each. The same picture under another key is erased, too.
    :param older_than_days: images whose last result is older, by the ledger's clock.
    :param policy: rewrite stored values according to the task's current privacy policy.
    :raises ValueError: when none is given, or more than one.
    """

    keys: Sequence[str] | None = field(default=None, repr=False)
    older_than_days: int | None = None
    policy: bool = False

    def __post_init__(self) -> None:
        check(
            self,
            keys=optional(Rule("a list of keys", _listed, error=TypeError)),
            older_than_days=optional(whole(1, MOST_DAYS)),
            policy=flag(),
        )
        given = [self.keys is not None, self.older_than_days is not None, self.policy]
        if sum(given) != 1:
            raise ValueError("say what to erase, by one of: keys, older_than_days, policy")

    @property
    def wanted_keys(self) -> tuple[str, ...]:
        """The keys, each once and sorted."""
        return tuple(sorted(set(self.keys or ())))

    @property
    def keys_digest(self) -> str | None:
        """SHA-256 of the keys, sorted, each ended by a line feed; None if no keys are given."""
        if self.keys is None:
            return None
        lines = "".join(f"{key}\n" for key in self.wanted_keys)
        return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()

    def __str__(self) -> str:
        if self.keys is not None:
            return f"{many(len(self.wanted_keys), 'key')}"
        if self.older_than_days is not None:
            return f"images whose last result is older than {self.older_than_days:,} days"
        return "what the privacy policy hides"


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(each, str) for each in given):
        raise TypeError
    return tuple(given)
