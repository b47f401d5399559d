"""What a connector may raise or report. Driver exceptions are translated to these once, at the boundary.

    ConnectorError
    ├── Unavailable            the system cannot be reached or is down; try later, all of it
    ├── Throttled              the system asks for less; try later, slower
    ├── AuthenticationFailed   our credentials or rights do not do; nothing will work until someone acts
    ├── Transient              this one operation failed in a way that time cures ("not replicated yet")
    ├── PutOff                 there was no time for this one operation: it is as if it had not been asked for
    ├── Rejected               the system understood and refused; repeating it cannot help
    │   ├── AlreadyExists      a unique value is taken by an object that is not ours
    │   └── Protected          the system itself says that nobody but its administrators may change the object
    ├── NotFound               the object is not there
    ├── Stale                  the object is no longer as the operation expects
    └── Unreadable             a source as a whole cannot be read (file missing, wrong encoding, no header)

Retry is decided by type, nowhere else.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of everything a connector raises or reports."""


class Unavailable(ConnectorError):
    """The system cannot be reached. `retry_after_seconds` is its own wish, or None."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Throttled(ConnectorError):
    """The system asks for less. `retry_after_seconds` is its own wish, or None."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class AuthenticationFailed(ConnectorError):
    """Credentials or rights are refused; `reason` names the missing right where it is known."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Transient(ConnectorError):
    """One operation failed in a way that time cures; `retry_after_seconds` as for Throttled."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class PutOff(ConnectorError):
    """There was no time for one operation, by no fault of its own: it comes again at once, and spends no attempt."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Rejected(ConnectorError):
    """Refused for good. `reason` is for an operator; `attribute` is the one at fault, or None. Never holds a value.

    Its text names the attribute, if the reason does not.
    """

    def __init__(self, reason: str, attribute: str | None = None) -> None:
        super().__init__(reason if attribute is None or attribute in reason else f"{attribute}: {reason}")
        self.reason = reason
        self.attribute = attribute


class AlreadyExists(Rejected):
    """A unique value is taken by an object that this operation did not make."""


class Protected(Rejected):
    """The system itself says that nobody but its administrators may change the object, or who is in it."""


class NotFound(ConnectorError):
    """The object is not there: `kind` and `anchor`."""

    def __init__(self, kind: str, anchor: str) -> None:
        super().__init__(f"no {kind} with anchor {anchor}")
        self.kind = kind
        self.anchor = anchor


class Stale(ConnectorError):
    """The object is no longer as the operation expects it; the plan has to be made anew."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(ConnectorError):
    """A source as a whole cannot be read; `file` and 1-based `line` where known."""

    def __init__(self, reason: str, *, file: str | None = None, line: int | None = None) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{reason}")
        self.reason = reason
        self.file = file
        self.line = line
