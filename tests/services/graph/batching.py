"""Several operations in one HTTP request: https://learn.microsoft.com/graph/json-batching."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .errors import Refused, bad_request
from .service import Answer, Call

MOST = 20
_NAMES = {"id", "method", "url", "headers", "body", "dependsOn"}
_METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}
FAILED = 400


def check(body: object) -> list[dict[str, Any]]:
    """The operations of a batch.

    Raises:
        Refused: 400: the batch as a whole is wrong, and nothing of it is done.
    """
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests or set(body) != {"requests"}:  # type: ignore[call-overload]
        raise bad_request("Invalid batch payload format: 'requests' is missing.")
    if len(requests) > MOST:
        raise bad_request(f"Number of batch request steps exceeds the maximum value of {MOST}.")
    for one in requests:
        _check_one(one)
    names = [one["id"] for one in requests]
    if len(set(names)) != len(names):
        raise bad_request("Invalid batch payload format: an id occurs more than once.")
    for one in requests:
        if set(one.get("dependsOn", ())) - set(names):
            raise bad_request(f"Invalid batch payload format: request {one['id']} depends on one that is not there.")
    return requests


def _check_one(one: object) -> None:
    if not isinstance(one, dict) or set(one) - _NAMES or not {"id", "method", "url"} <= set(one):
        raise bad_request("Invalid batch payload format: a request has unknown properties, or lacks id, method or url.")
    if not isinstance(one["id"], str) or one["method"] not in _METHODS or not isinstance(one["url"], str):
        raise bad_request("Invalid batch payload format: a request's id, method or url has a wrong value.")
    if "://" in one["url"].partition("?")[0]:
        raise bad_request("Invalid batch payload format: a request's url must be relative.")
    headers = {name.lower() for name in one.get("headers") or {}}
    if one.get("body") is not None and "content-type" not in headers:
        raise bad_request("Write request id : " + one["id"] + " does not contain Content-Type header or body.")


def run(
    requests: list[dict[str, Any]],
    do: Callable[[Call], Answer],
    refuse: Callable[[Refused], Answer],
    random: Random,
    call: Call,
) -> dict[str, Any]:
    """Carries a batch out and gives its answer; neither is in the order of the requests, but for `dependsOn`.

    Args:
        requests: As `check` gave them.
        do: Carries one out.
        refuse: Renders a refusal.
        random: Where the order comes from.
        call: The batch itself, whose address and headers hold for its requests too.

    Raises:
        Refused: 400: they depend on one another in a circle; nothing is done.
    """
    answers: dict[str, Answer] = {}
    for one in _ordered(requests, random):
        if any(answers[name].status >= FAILED for name in one.get("dependsOn", ())):
            answers[one["id"]] = refuse(Refused(424, "FailedDependency", "The request depends on one that failed."))
            continue
        headers = {name.lower(): value for name, value in (one.get("headers") or {}).items()}
        url = "/" + one["url"].lstrip("/")
        answers[one["id"]] = do(Call(one["method"], url, headers=headers, body=one.get("body"), base=call.base))
    names = list(answers)
    random.shuffle(names)
    return {"responses": [_response(name, answers[name]) for name in names]}


def _ordered(requests: list[dict[str, Any]], random: Random) -> list[dict[str, Any]]:
    waiting = list(requests)
    random.shuffle(waiting)
    ordered: list[dict[str, Any]] = []
    done: set[str] = set()
    while waiting:
        ready = next((one for one in waiting if done.issuperset(one.get("dependsOn", ()))), None)
        if ready is None:
            raise bad_request("Invalid batch payload format: the requests depend on one another in a circle.")
        waiting.remove(ready)
        done.add(ready["id"])
        ordered.append(ready)
    return ordered


def _response(name: str, answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"id": name, "status": answer.status}
    headers = dict(answer.headers)
    if answer.body is not None:
        headers["Content-Type"] = "application/json"
        response["body"] = answer.body
    response["headers"] = headers
    return response
