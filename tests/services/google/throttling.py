"""Quotas, in the windows and with the reasons that Google documents.

https://developers.google.com/workspace/admin/directory/v1/limits,
https://developers.google.com/workspace/admin/licensing/v1/limits
"""

from __future__ import annotations

from collections import defaultdict

from tests.services.common.window import Window

from .config import Config
from .errors import USAGE, Refused

MINUTE_SECONDS = 60.0
REASONS = ("userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded", "tooMany")


def over(reason: str) -> Refused:
    """The refusal for one of `REASONS`; only the 429 says how long to wait."""
    if reason == "tooMany":
        message = "Quota exceeded: the limit of concurrent requests has been reached."
        return Refused(429, "rateLimitExceeded", message, domain=USAGE, headers={"Retry-After": "1"})
    return Refused(403, reason, f"{reason}: request rate higher than configured.", domain=USAGE)


class Throttle:
    """Counts what is used, and refuses what is over the quota. What is refused does not count."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = defaultdict(lambda: Window(1.0))

    def take(self, config: Config, operation: str, subject: str, moment: float) -> None:
        """Counts one operation.

        Args:
            config: The limits.
            operation: The method's id, as "directory.users.insert".
            subject: Who asks; queries are counted for each.
            moment: The present, in seconds.

        Raises:
            Refused: 403, or 503 of the licensing API.
        """
        api, resource, *_, verb = operation.split(".")
        limits: list[tuple[Window, int, Refused]] = []
        if api == "directory":
            minute = self._windows["queries", subject]
            minute.seconds = MINUTE_SECONDS
            limits.append((minute, config.queries_per_minute, over("userRateLimitExceeded")))
        if operation == "directory.users.insert":
            limits.append((self._windows["creations", ""], config.creations_per_second, over("quotaExceeded")))
        if resource == "orgunits" and verb not in {"get", "list"}:
            limits.append((self._windows["units", ""], config.unit_writes_per_second, over("quotaExceeded")))
        if api == "licensing" and verb in {"insert", "delete", "patch", "update"}:
            message = "Quota exceeded for the current request: license writes per second."
            refusal = Refused(503, "backendError", message, domain=USAGE)
            limits.append((self._windows["licences", ""], config.licence_writes_per_second, refusal))
        for window, limit, refusal in limits:
            window.forget(moment)
            if limit and window.used >= limit:
                raise refusal
        for window, limit, _ in limits:
            if limit:
                window.add(moment, 1)
