from __future__ import annotations

import pytest

from connectors import errors
from eadm_sync.delivery.verdicts import as_the_queue_has_it, classify
from eadm_sync.errors import StateError
from exportqueue import PutOff, Verdict, VerdictKind


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (errors.Throttled("slower", 30), Verdict(VerdictKind.THROTTLED, 30)),
        (errors.Throttled("slower"), Verdict(VerdictKind.THROTTLED)),
        (errors.Unavailable("down", 60), Verdict(VerdictKind.UNAVAILABLE, 60)),
        # nothing would work, and no single change is at fault
        (errors.AuthenticationFailed("expired"), Verdict(VerdictKind.UNAVAILABLE)),
        (errors.Transient("not replicated yet", 5), Verdict(VerdictKind.RETRY, 5)),
        # repeating cannot help
        (errors.Rejected("too long"), Verdict(VerdictKind.DEAD)),
        (errors.AlreadyExists("taken"), Verdict(VerdictKind.DEAD)),
        (errors.Protected("an administrator's"), Verdict(VerdictKind.DEAD)),
        (errors.NotFound("account", "a-1"), Verdict(VerdictKind.DEAD)),
        (errors.Stale("moved on"), Verdict(VerdictKind.DEAD)),
        # a state that fails is no fault of what was to be delivered
        (StateError("the disk is full"), Verdict(VerdictKind.ABORT)),
        # a bug may be mended: nothing is thrown away at once
        (ValueError("unforeseen"), Verdict(VerdictKind.RETRY)),
    ],
)
def test_the_type_of_an_error_decides_what_becomes_of_the_change(error: Exception, verdict: Verdict):
    """And nothing else does."""
    assert classify(error) == verdict


def test_every_error_that_a_target_may_raise_has_a_verdict_of_its_own():
    """A new kind of error has to be thought of here; `Unreadable` is a source's, and `PutOff` no failure."""
    known = {error for error in vars(errors).values() if isinstance(error, type)} - {Exception, errors.ConnectorError}

    assert {error.__name__ for error in known} == {
        *("Throttled", "Unavailable", "AuthenticationFailed", "Transient", "Rejected", "AlreadyExists"),
        *("Protected", "NotFound", "Stale", "Unreadable", "PutOff"),
    }


def test_what_there_was_no_time_for_is_given_back():
    """The queue has a word of its own for it, by which no attempt is spent; other errors stay as they are."""
    refused = errors.Rejected("too long")

    assert isinstance(as_the_queue_has_it(errors.PutOff("no time")), PutOff)
    assert as_the_queue_has_it(refused) is refused
