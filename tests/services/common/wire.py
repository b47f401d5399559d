"""What came and what went: counters, and a log that can be read without learning a secret."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

SECRET = {"password", "client_secret", "client_assertion", "access_token", "assertion", "private_key"}


class Wire:
    """Counters and the log of one run.

    Attributes:
        counters: "http_requests", "operations", "throttled", "resource_units", "status_404", ...
        log: One entry per HTTP request, the oldest first.
    """

    def __init__(self, keep: int) -> None:
        self.counters: Counter[str] = Counter()
        self.log: deque[dict[str, Any]] = deque(maxlen=keep)
        self._in_flight = 0

    def began(self) -> None:
        """An HTTP request has come."""
        self.counters["http_requests"] += 1
        self._in_flight += 1
        self.counters["most_in_flight"] = max(self.counters["most_in_flight"], self._in_flight)

    def ended(self, entry: dict[str, Any]) -> None:
        """It is answered, or dropped."""
        self._in_flight -= 1
        self.counters[f"http_status_{entry['status']}"] += 1
        if self.log.maxlen:
            self.log.append(entry)

    def operation(self, status: int) -> None:
        """One operation is done or refused."""
        self.counters["operations"] += 1
        self.counters[f"status_{status}"] += 1

    def reset(self) -> None:
        """Begins anew."""
        self.counters.clear()
        self.log.clear()

    def readable(self) -> list[dict[str, Any]]:
        """The log without secrets."""
        return [masked(entry) for entry in self.log]


def masked(value: Any) -> Any:
    """A copy of plain data in which secrets are asterisks."""
    if isinstance(value, dict):
        return {name: "***" if name in SECRET and one else masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value
