"""A count of what was used in the last so many seconds, for quotas."""

from __future__ import annotations

from collections import deque


class Window:
    """What was used in the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.used = 0
        self._entries: deque[tuple[float, int]] = deque()

    def add(self, moment: float, cost: int) -> None:
        """Counts a use."""
        self._entries.append((moment, cost))
        self.used += cost

    def forget(self, moment: float) -> None:
        """Drops what is older than the window."""
        while self._entries and self._entries[0][0] <= moment - self.seconds:
            self.used -= self._entries.popleft()[1]

    def seconds_until(self, moment: float, room: int) -> float:
        """How long until so much has been dropped."""
        for then, cost in self._entries:
            room -= cost
            if room <= 0:
                return then + self.seconds - moment
        return self.seconds
