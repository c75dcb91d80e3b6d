"""The request quota, counted as the gateway counts: whole seconds, by arrival."""

from __future__ import annotations

from collections import defaultdict

from airflow_provider_permitocr.emulator.errors import ApiError


class Quota:
    """Count calls per action, account and whole second; refuse those above the limit.

    Refused calls count, too: a caller that saw "`7` times ... limit `5`" had not made only six
    (github.com, vscode-translate-next#20). So immediate retries keep the caller throttled.

    :param limits: calls per second, by action; an action that is missing, or 0, has no limit.
    """

    def __init__(self, limits: dict[str, int]) -> None:
        self._limits = limits
        self._counts: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)

    def admit(self, action: str, account: str, arrived: float) -> None:
        """Count one call.

        :param arrived: Unix time in seconds at which the call arrived.
        :raises ApiError: ``RequestLimitExceeded``, with both numbers in its message.
        """
        seconds = self._counts[action, account]
        second = int(arrived)
        count = seconds[second] = seconds.get(second, 0) + 1
        limit = self._limits.get(action, 0)
        if limit and count > limit:
            raise ApiError(
                "RequestLimitExceeded",
                f"Your current request times equals to `{count}` in a second, which exceeds the frequency "
                f"limit `{limit}` for a second. Please reduce the frequency of calls.",
                f"您当前一秒内的请求次数为 `{count}`，超过了频率限制 `{limit}`，请降低调用频率。",
            )

    def most_in_one_second(self, action: str) -> int:
        """Return the highest count that an account reached in one second, refused calls included."""
        return max((max(c.values()) for (name, _), c in self._counts.items() if name == action), default=0)

    def per_second(self, action: str) -> dict[int, int]:
        """Return the calls that arrived in each second (Unix time), over all accounts."""
        total: defaultdict[int, int] = defaultdict(int)
        for (name, _), counts in self._counts.items():
            if name == action:
                for second, count in counts.items():
                    total[second] += count
        return dict(sorted(total.items()))
