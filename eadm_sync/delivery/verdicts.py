"""What a connector's error means for the queue. Decided by type, here and nowhere else."""

from __future__ import annotations

from connectors import errors
from eadm_sync.errors import StateError
from exportqueue import PutOff, Verdict, VerdictKind


def as_the_queue_has_it(error: Exception) -> Exception:
    """The error of one operation; the queue has a word of its own for what there was no time for."""
    return PutOff() if isinstance(error, errors.PutOff) else error


def classify(error: Exception) -> Verdict:
    """The verdict on an error; what nobody foresaw is tried again, in case it was a passing fault."""
    match error:
        case errors.Throttled():
            verdict = Verdict(VerdictKind.THROTTLED, error.retry_after_seconds)
        case errors.Unavailable():
            verdict = Verdict(VerdictKind.UNAVAILABLE, error.retry_after_seconds)
        case errors.AuthenticationFailed():
            verdict = Verdict(VerdictKind.UNAVAILABLE)  # every other item would meet it too; none is at fault
        case errors.Transient():
            verdict = Verdict(VerdictKind.RETRY, error.retry_after_seconds)
        case errors.Rejected() | errors.Stale() | errors.NotFound():
            verdict = Verdict(VerdictKind.DEAD)
        case StateError():
            verdict = Verdict(VerdictKind.ABORT)  # the state failed while a batch was prepared: no item is at fault
        case _:
            verdict = Verdict(VerdictKind.RETRY)
    return verdict
