"""How the service refuses: one exception, rendered as Graph renders its errors.

Shape and words: https://learn.microsoft.com/graph/errors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


class Refused(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        code: `error.code`, as "Request_BadRequest".
        message: `error.message`.
        details: Pairs of `error.details[].code` and `.target`.
        headers: Sent beside it, as Retry-After.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details)
        self.headers = dict(headers or {})

    def body(self, request_id: str, client_request_id: str, moment: datetime) -> dict[str, Any]:
        """The documented error object."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = [
                {"code": code, "message": self.message, "target": target} for code, target in self.details
            ]
        error["innerError"] = {
            "date": moment.strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": error}


def bad_request(message: str, code: str | None = None, target: str | None = None) -> Refused:
    """A 400 `Request_BadRequest`, with one detail where a property is at fault."""
    return Refused(400, "Request_BadRequest", message, [(code, target)] if code and target else ())


def not_found(resource: str) -> Refused:
    """The 404 that Graph gives for objects that are not there, or not there yet."""
    return Refused(
        404,
        "Request_ResourceNotFound",
        f"Resource '{resource}' does not exist or one of its queried reference-property objects are not present.",
    )


def conflict(target: str) -> Refused:
    """The 400 for a value that must be unique and is taken."""
    return bad_request(
        f"Another object with the same value for property {target} already exists.", "ObjectConflict", target
    )


def mastered_on_premises() -> Refused:
    """The 400 for a property or a membership that Active Directory is the master of."""
    return bad_request(
        "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects "
        "currently undergoing migration."
    )
