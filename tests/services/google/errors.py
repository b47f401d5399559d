"""How the service refuses: one exception, rendered as Google's APIs render their errors.

Shape: https://cloud.google.com/apis/design/errors; reasons:
https://developers.google.com/workspace/admin/directory/v1/guides/troubleshoot-error-codes and .../v1/limits.
Sentences are Google's where the documentation or public reports quote them; the README says which are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USAGE = "usageLimits"


class Refused(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        reason: `error.errors[0].reason`, as "duplicate".
        message: `error.message`.
        domain: `error.errors[0].domain`.
        location: Pair of `locationType` and `location`, or None.
        headers: Sent beside it, as Retry-After.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location = location
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The documented error object."""
        error: dict[str, Any] = {"message": self.message, "domain": self.domain, "reason": self.reason}
        if self.location is not None:
            error["locationType"], error["location"] = self.location
        return {"error": {"code": self.status, "message": self.message, "errors": [error]}}


def invalid(message: str) -> Refused:
    """A 400 for a value that cannot be."""
    return Refused(400, "invalid", message)


def invalid_parameter(name: str, message: str) -> Refused:
    """A 400 for a query parameter that is none, or that has a value that it cannot have."""
    return Refused(400, "invalidParameter", message, location=("parameter", name))


def required(name: str) -> Refused:
    """A 400 for something left out."""
    return Refused(400, "required", f"Missing required field: {name}")


def not_found(what: str) -> Refused:
    """The 404 for an object that is not there, or not there yet: "userKey", "groupKey", "memberKey", ..."""
    return Refused(404, "notFound", f"Resource Not Found: {what}")


def duplicate(message: str = "Entity already exists.") -> Refused:
    """The 409 for an address that is taken."""
    return Refused(409, "duplicate", message)


def precondition(message: str) -> Refused:
    """The 412 for something that cannot be done as things are."""
    return Refused(412, "conditionNotMet", message)


def forbidden() -> Refused:
    """The 403 for somebody who may not, and for domains that are not the customer's."""
    return Refused(403, "forbidden", "Not Authorized to access this resource/api")


def not_played(what: str) -> Refused:
    """The 501 for what Google has and this service has not."""
    return Refused(501, "notImplemented", f"The local Google service does not play {what}.")
