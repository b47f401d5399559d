"""What a refusal of Google means. No I/O.

Decided by status and reason; by a sentence only where it was seen and there is nothing else.
https://developers.google.com/workspace/admin/directory/v1/guides/troubleshoot-error-codes
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from connectors.contract import Kind
from connectors.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    Rejected,
    Throttled,
    Transient,
    Unavailable,
)

if TYPE_CHECKING:  # as in `connection`
    from connectors.google_workspace.batching import Reply

_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_OURS = frozenset({"insufficientPermissions", "accessNotConfigured", "authError"})
"""Reasons of what nothing but an administrator cures, whatever is asked for."""
BUSY_SECONDS = 30.0
"""Until asking again about a user that Google is still making or renaming: it takes minutes."""


def key(kind: Kind, anchor: str | None) -> str:
    """The anchor, if it is one: what is put into an address must not lead anywhere else.

    Raises:
        NotFound: It cannot be an object's id.
    """
    if anchor is None or not _ID.fullmatch(anchor):
        raise NotFound(kind, anchor or "")
    return anchor


def is_duplicate(reply: Reply) -> bool:
    """Whether an address is taken, or a member there already."""
    return reply.status == HTTPStatus.CONFLICT and reply.reason == "duplicate"


def is_nobodys(reply: Reply) -> bool:
    """Whether an address that was asked for is nobody's here: free, none at all, or of a domain of others."""
    return reply.is_missing or reply.status == HTTPStatus.BAD_REQUEST or reply.reason == "forbidden"


def is_busy(reply: Reply) -> bool:
    """Whether Google is still making the object, or still renaming it."""
    if reply.status == HTTPStatus.CONFLICT:
        return not is_duplicate(reply)
    return reply.status == HTTPStatus.PRECONDITION_FAILED and "not complete" in reply.message


def refusal(
    reply: Reply, kind: Kind, anchor: str | None, *, settling: bool = False, attribute: str | None = None
) -> ConnectorError:
    """Why a call failed; `settling`: the object was made a moment ago; `attribute`: what can have been at fault."""
    told, wait = f"{reply.status} {reply.reason}: {reply.message}", reply.retry_after_seconds
    if reply.is_throttled:
        return Throttled(told, wait)
    if is_busy(reply):
        return Transient(told, wait or BUSY_SECONDS)
    if reply.status == HTTPStatus.UNAUTHORIZED or reply.reason in _OURS:
        return AuthenticationFailed(told)
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status == HTTPStatus.REQUEST_TIMEOUT:
        return Transient(told, wait)
    return (
        _refused(reply, kind, anchor, attribute)
        if not reply.is_missing or not settling
        else Transient(f"the {kind} was made a moment ago, and Google does not find it yet", wait)
    )


def _refused(reply: Reply, kind: Kind, anchor: str | None, attribute: str | None) -> ConnectorError:
    if reply.is_missing:
        return NotFound(kind, anchor or "")
    if is_duplicate(reply):
        return AlreadyExists(f"another object has this value of '{attribute}'", attribute)
    return Rejected(f"{reply.status} {reply.reason}: {reply.message}", attribute)


def as_a_whole(error: ConnectorError) -> ConnectorError:
    """What the refusal of one look means for all that waited for it."""
    if isinstance(error, Transient):
        return Unavailable(error.reason, error.retry_after_seconds)
    if isinstance(error, Rejected | NotFound):
        return AuthenticationFailed(f"Google does not let this administrator look: {error}")
    return error
