"""Batches: multipart/mixed, one HTTP request in each part, answered in another order.

https://developers.google.com/workspace/admin/directory/v1/guides/batch
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from http import HTTPStatus
from random import Random

from .contract import DOCUMENTS
from .errors import Refused, invalid
from .service import Answer

BOUNDARY = "batch_local_google_service"


@dataclass(frozen=True)
class Part:
    """One request of a batch, by itself.

    Attributes:
        content_id: As it came, with its angle brackets; empty for none.
        verb: "GET", ...
        url: Path and query.
        headers: By lower-case name.
        raw: Its body.
    """

    content_id: str
    verb: str
    url: str
    headers: dict[str, str]
    raw: bytes


def api_of(path: str) -> str | None:
    """The API that a batch endpoint is for; "" for the one that takes any, None for what is no batch endpoint."""
    if path == "/batch":
        return ""
    name = path.removeprefix("/batch/")
    return name if name != path and name in DOCUMENTS else None


def parts_of(content_type: str, raw: bytes, limit: int) -> list[Part]:
    """The requests of a batch.

    Raises:
        Refused: 400: no batch, or too large a one.
    """
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw)
    if not message.is_multipart():
        raise invalid("Failed to parse batch request, error: 0 items")
    found = []
    for part in message.get_payload():
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        if part.get_content_type() != "application/http" or not isinstance(payload, bytes):  # type: ignore[union-attr]
            raise invalid("Failed to parse batch request: every part has to be application/http.")
        found.append(_part(part.get("Content-ID", ""), payload))  # type: ignore[union-attr]
    if not found or len(found) > limit:
        raise invalid(f"The batch request has {len(found)} calls, and {limit} are the most.")
    ids = [one.content_id for one in found if one.content_id]
    if len(ids) != len(set(ids)):
        raise invalid("Failed to parse batch request: a Content-ID comes twice.")
    return found


def _part(content_id: str, payload: bytes) -> Part:
    line, _, rest = payload.partition(b"\n")
    words = line.decode().split()
    if len(words) < 2:
        raise invalid("Failed to parse batch request: a part without a request line.")
    message = BytesParser().parsebytes(rest)
    headers = {name.lower(): value for name, value in message.items()}
    rest = rest.replace(b"\r\n", b"\n")
    return Part(content_id.strip(), words[0], words[1], headers, rest.partition(b"\n\n")[2])


def run(parts: Sequence[Part], do: Callable[[Part], Answer], random: Random) -> bytes:
    """Carries a batch out in any order; the answers come in another one."""
    waiting = list(parts)
    random.shuffle(waiting)
    answers = [(part, do(part)) for part in waiting]
    random.shuffle(answers)
    lines = []
    for part, answer in answers:
        lines += [f"--{BOUNDARY}", "Content-Type: application/http"]
        if part.content_id:
            lines.append(f"Content-ID: <response-{part.content_id.strip('<>')}>")
        lines += ["", f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        body = "" if answer.body is None else json.dumps(answer.body, separators=(",", ":"))
        if body:
            lines.append("Content-Type: application/json; charset=UTF-8")
        lines += [f"Content-Length: {len(body)}", "", body]
    return "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode()


def refuse_other(api: str, seen: str) -> None:
    """Refuses a call of another API than the batch's.

    Raises:
        Refused: 404.
    """
    if api != seen:
        raise Refused(404, "notFound", f"A batch endpoint for {api} does not take calls of {seen}.")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
