"""What becomes of an item, by what the handler said of it and of its batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exportqueue import Item, PutOff, Result, State, Verdict, VerdictKind
from exportqueue.fate import Judge
from exportqueue.retry import RetryPolicy

NOW = datetime(2026, 8, 17, 4, tzinfo=UTC)
ITEM = Item(
    id=7,
    target="ad",
    object_key="account:hr:1",
    operation="create",
    payload=b"",
    format="test/1",
    subject="hr:1",
    priority=50,
    not_before=None,
    state=State.RUNNING,
    attempts=0,
    fence=1,
    last_error=None,
    reason=None,
    plan_id=None,
    run_id=None,
    created_at=NOW,
    started_at=NOW,
    finished_at=None,
    lease_until=None,
    worker="a",
)


class Told(Exception):
    """An error that says itself what it means."""

    def __init__(self, kind: VerdictKind, retry_after_seconds: float | None = None) -> None:
        super().__init__(kind)
        self.verdict = Verdict(kind, retry_after_seconds)


def classify(error: Exception) -> Verdict:
    """As the error says."""
    return error.verdict if isinstance(error, Told) else Verdict(VerdictKind.RETRY)


JUDGE = Judge(classify, RetryPolicy(), lambda: 0.5, NOW)


@pytest.mark.parametrize(
    ("error", "failure", "state", "spends"),
    [
        (None, None, State.DONE, False),
        # what was answered stands, whatever befell the batch behind it
        (None, Told(VerdictKind.UNAVAILABLE), State.DONE, False),
        (Told(VerdictKind.UNAVAILABLE), None, State.READY, False),
        (Told(VerdictKind.THROTTLED), None, State.READY, False),
        (Told(VerdictKind.RETRY), None, State.READY, True),
        (Told(VerdictKind.DEAD), None, State.DEAD, True),
        # the handler had no time for it: as if it had not been claimed
        (PutOff(), None, State.READY, False),
    ],
)
def test_an_answer_decides(error: Exception | None, failure: Exception | None, state: State, spends: bool) -> None:
    """An attempt is spent by the item's own failures only."""
    fate = JUDGE.fate(ITEM, Result(7, error), failure)

    assert (fate.state, fate.spends_attempt) == (state, spends)


@pytest.mark.parametrize(
    ("failure", "state", "spends"),
    [
        (KeyboardInterrupt(), State.READY, False),
        # on this side: the state failed, for instance
        (Told(VerdictKind.ABORT), State.READY, False),
        (Told(VerdictKind.UNAVAILABLE), State.READY, False),
        # whose fault it is is not known, so it gets its attempts
        (Told(VerdictKind.DEAD), State.READY, True),
        (ValueError("a fault of ours"), State.READY, True),
        # the handler forgot it
        (None, State.READY, True),
    ],
)
def test_without_an_answer_the_batch_decides(failure: BaseException | None, state: State, spends: bool) -> None:
    """Nothing that was not answered is ever taken for done, or for refused."""
    fate = JUDGE.fate(ITEM, None, failure)

    assert (fate.state, fate.spends_attempt) == (state, spends)


def test_a_wish_to_wait_is_granted() -> None:
    """To the second."""
    throttled = JUDGE.fate(ITEM, Result(7, Told(VerdictKind.THROTTLED, 90)), None)
    failed = JUDGE.fate(ITEM, Result(7, Told(VerdictKind.RETRY, 5_000)), None)

    assert throttled.due == NOW + timedelta(seconds=90)
    assert failed.due is not None
    assert failed.due >= NOW + timedelta(seconds=5_000)


def test_the_last_attempt_ends_in_a_dead_letter() -> None:
    """As the policy says."""
    last = JUDGE.policy.max_attempts - 1
    worn = Item(**{name: getattr(ITEM, name) for name in Item.__struct_fields__} | {"attempts": last})

    assert JUDGE.fate(worn, Result(7, Told(VerdictKind.RETRY)), None).state is State.DEAD
