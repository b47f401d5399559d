"""What was made not long ago, for systems that take their time until everybody sees it. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Memory:
    """What this process made not long ago, and the system may therefore not find yet.

    Attributes:
        settling_seconds: For how long.
        clock: Monotonic, in seconds.
    """

    settling_seconds: float
    clock: Callable[[], float] = time.monotonic
    _made: dict[str, tuple[float, str]] = field(default_factory=dict)
    _by_mark: dict[str, str] = field(default_factory=dict)

    def note(self, anchor: str, mark: str) -> None:
        """An object was made, with that mark."""
        self._forget_settled()
        self._made.pop(anchor, None)
        self._made[anchor] = (self.clock(), mark)
        self._by_mark[mark] = anchor

    def forget(self, anchor: str) -> None:
        """An object was deleted."""
        _, mark = self._made.pop(anchor, (0.0, ""))
        if self._by_mark.get(mark) == anchor:
            del self._by_mark[mark]

    def is_settling(self, anchor: str | None) -> bool:
        """Whether an object that is not found may be there all the same."""
        self._forget_settled()
        return anchor in self._made

    def made_for(self, mark: str) -> str | None:
        """The object that was made with a mark, or None."""
        self._forget_settled()
        return self._by_mark.get(mark)

    def _forget_settled(self) -> None:
        limit = self.clock() - self.settling_seconds
        while self._made:
            anchor, (made, _) = next(iter(self._made.items()))
            if made > limit:
                break
            self.forget(anchor)
