"""Several calls in one HTTP request: how they are written, and what their answers say. No I/O.

The client's own batches go to Google whatever the endpoint is, and sign in and send once more by themselves; so we
write them, of calls that the client built, and have the client read the answers.
https://developers.google.com/workspace/admin/directory/v1/guides/batch
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httplib2
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

MOST = 50
"""Calls in one batch. Google takes 1 000, and carries them out one by one: what is gained past this is little, and all
of it is in doubt when the answer is lost."""
QUOTA_REASONS = frozenset({"userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
"""Reasons of a 403 that says no more than "later"."""
_BOUNDARY = "eadm_sync_batch"


@dataclass(frozen=True)
class Reply:
    """What became of one call.

    Attributes:
        status: HTTP status; 504 where the answer passes the call over.
        body: As the client read it; {} for none.
        reason: Google's word for why not ("duplicate"); "" where there is none.
        message: Its sentence.
        headers: By lower-case name.
    """

    status: int
    body: Any = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_missing(self) -> bool:
        """Whether something that it names is not there."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_throttled(self) -> bool:
        """Whether it was refused for a quota, and for that only."""
        if self.status == HTTPStatus.FORBIDDEN:
            return self.reason in QUOTA_REASONS
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or (
            self.status == HTTPStatus.SERVICE_UNAVAILABLE and "quota" in self.message.lower()
        )

    @property
    def retry_after_seconds(self) -> float | None:
        """How long Google wants to be left alone, or None where it does not say so in seconds."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return None
        return seconds if 0 <= seconds < float("inf") else None


def replied(request: HttpRequest | None, status: int, headers: Mapping[str, str], content: bytes) -> Reply:
    """What an answer says, read by the client; `request` is None for what is no call of the client."""
    told = {name.lower(): value for name, value in headers.items()}
    response = httplib2.Response({**told, "status": str(status)})
    if request is not None and status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            body = request.postproc(response, content)
        except HttpError:
            body = None
        # A deletion is answered with nothing; a question never is, and what is not told is not what is not there.
        if isinstance(body, dict) or (not content and request.method != "GET"):
            return Reply(status, body or {}, headers=told)
        return Reply(
            HTTPStatus.BAD_GATEWAY, {}, "", "an answer without JSON: something stands between us and Google", told
        )
    reason, message = _refused(content)
    return Reply(status, {}, reason, message or _phrase(status), told)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _refused(content: bytes) -> tuple[str, str]:
    """Reason and sentence of a refusal, in either of the shapes that Google has."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, TypeError, KeyError):
        return "", ""
    if not isinstance(error, dict):  # the token endpoint's
        return str(error), str(json.loads(content).get("error_description", ""))
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return str(first.get("reason") or error.get("status") or ""), str(
        error.get("message") or first.get("message") or ""
    )


# ------------------------------------------------------------ batches


def bundles(requests: Iterable[tuple[str, int]], most: int = MOST) -> list[tuple[str, list[int]]]:
    """The calls in as few batches as can be, by the API that each is of; as API and positions."""
    by_api: dict[str, list[int]] = {}
    for api, at in requests:
        by_api.setdefault(api, []).append(at)
    return [(api, every[start : start + most]) for api, every in by_api.items() for start in range(0, len(every), most)]


def written(requests: Sequence[HttpRequest]) -> tuple[str, bytes]:
    """Content type and body of a batch; each call is known by its position."""
    lines: list[str] = []
    for at, request in enumerate(requests):
        parts = urlsplit(request.uri)
        lines += [f"--{_BOUNDARY}", "Content-Type: application/http", f"Content-ID: <{at}>", ""]
        lines.append(f"{request.method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1")
        lines += [f"{name}: {value}" for name, value in request.headers.items() if name.lower() in _SENT]
        body = request.body or ""
        lines += [f"Content-Length: {len(body.encode())}", "", body]
    lines += [f"--{_BOUNDARY}--", ""]
    return f"multipart/mixed; boundary={_BOUNDARY}", "\r\n".join(lines).encode()


_SENT = frozenset({"content-type", "if-match", "if-none-match"})
"""Headers that a call within a batch needs for itself; the batch brings the others."""


def understood(requests: Sequence[HttpRequest], content_type: str, content: bytes) -> list[Reply]:
    """One reply for each call, in their order, whatever the order of the answer.

    A call that the answer passes over gets a 504: whether it was done is not known.
    """
    found: dict[str, Reply] = {}
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    for part in message.walk():
        name = str(part.get("Content-ID", "")).strip("<> ").removeprefix("response-")
        payload = part.get_payload(decode=True)
        if name.isdecimal() and int(name) < len(requests) and isinstance(payload, bytes):
            found[name] = _understood(requests[int(name)], payload)
    lost = Reply(HTTPStatus.GATEWAY_TIMEOUT, message="the answer passes this call over")
    return [found.get(str(at), lost) for at in range(len(requests))]


def _understood(request: HttpRequest, payload: bytes) -> Reply:
    line, _, rest = payload.partition(b"\n")
    words = line.split()
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - "HTTP/1.1 200 OK"
        return Reply(HTTPStatus.GATEWAY_TIMEOUT, message="the answer to this call cannot be read")
    head, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
    headers = BytesParser().parsebytes(head + b"\n\n", headersonly=True)
    return replied(request, int(words[1]), {name: str(value) for name, value in headers.items()}, body.strip())
