"""What shall become of the items of a batch, from what the handler said of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from exportqueue.errors import NoResult, PutOff
from exportqueue.handler import Result
from exportqueue.item import Item, State
from exportqueue.pace import DEFAULT_PAUSE_SECONDS
from exportqueue.retry import Classify, RetryPolicy, Verdict, VerdictKind

_SPENDS_ATTEMPT = frozenset({VerdictKind.RETRY, VerdictKind.DEAD, VerdictKind.ABORT})
_OF_THE_TARGET = frozenset({VerdictKind.UNAVAILABLE, VerdictKind.THROTTLED})


class Fate(msgspec.Struct, frozen=True):
    """What shall become of an item: its new state, and when it may be claimed again if that is READY."""

    item: Item
    result: Result
    state: State
    due: datetime | None = None
    verdict: Verdict | None = None

    @property
    def spends_attempt(self) -> bool:
        """Whether it failed by itself, and not because the target was away or asked for less."""
        return self.verdict is not None and self.verdict.kind in _SPENDS_ATTEMPT


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides what becomes of the items of one batch.

    Attributes:
        classify: Says what an error means.
        policy: When to try again.
        chance: A number from 0 to 1, for the jitter.
        now: When the batch came back.
    """

    classify: Classify
    policy: RetryPolicy
    chance: Callable[[], float]
    now: datetime

    def fate(self, item: Item, result: Result | None, failure: BaseException | None) -> Fate:
        """Of one item.

        Args:
            item: The item.
            result: What the handler said of it, or None where it did not come to that.
            failure: What befell the batch as a whole, or None.
        """
        if result is not None and result.error is None:
            return Fate(item, result, State.DONE)
        if result is not None and isinstance(result.error, PutOff):
            return Fate(item, Result(item.id), State.READY)
        if result is not None and result.error is not None:
            return self._failed(item, result, self.classify(result.error))
        if failure is not None and self.is_ours(failure):
            return Fate(item, Result(item.id), State.READY)
        error = failure if isinstance(failure, Exception) else NoResult(item.id)
        verdict = self.classify(failure) if isinstance(failure, Exception) else Verdict(VerdictKind.RETRY)
        if verdict.kind is VerdictKind.DEAD:  # of the batch; whose fault it is is unknown, so all get their attempts
            verdict = Verdict(VerdictKind.RETRY)
        return self._failed(item, Result(item.id, error), verdict)

    def is_ours(self, failure: BaseException) -> bool:
        """Whether a batch broke off through no fault of its items or of the target: interrupted, or without a state."""
        return not isinstance(failure, Exception) or self.classify(failure).kind is VerdictKind.ABORT

    def _failed(self, item: Item, result: Result, verdict: Verdict) -> Fate:
        match verdict.kind:
            case VerdictKind.UNAVAILABLE:
                return Fate(item, result, State.READY, None, verdict)
            case VerdictKind.THROTTLED:
                pause = DEFAULT_PAUSE_SECONDS if verdict.retry_after_seconds is None else verdict.retry_after_seconds
                return Fate(item, result, State.READY, self.now + timedelta(seconds=pause), verdict)
            case VerdictKind.DEAD:
                return Fate(item, result, State.DEAD, None, verdict)
            case VerdictKind.RETRY | VerdictKind.ABORT:
                due = self.policy.next_attempt(
                    attempts=item.attempts + 1,
                    created_at=item.created_at,
                    now=self.now,
                    chance=self.chance(),
                    retry_after_seconds=verdict.retry_after_seconds,
                )
                return Fate(item, result, State.DEAD if due is None else State.READY, due, verdict)


def absence(fates: Sequence[Fate]) -> str:
    """The first error that speaks of the target's absence."""
    verdicts = ((fate, fate.verdict) for fate in fates)
    return next(str(fate.result.error) for fate, verdict in verdicts if verdict and verdict.kind in _OF_THE_TARGET)


def longest(verdicts: Sequence[Verdict]) -> float | None:
    """The longest wish among verdicts, in seconds, or None if there is none."""
    return max((seconds for verdict in verdicts if (seconds := verdict.retry_after_seconds) is not None), default=None)
