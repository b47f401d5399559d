"""Lists in pages: a token tells where the last page ended, so that what comes or goes meanwhile shifts nothing."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import invalid_parameter
from .service import etag_of

Key = tuple[str, ...]


def page(
    kind: str,
    name: str,
    rows: Sequence[tuple[Key, Any]],
    query: Mapping[str, str],
    show: Callable[[Any], dict[str, Any]],
    *,
    default: int,
    most: int,
    descending: bool = False,
) -> dict[str, Any]:
    """One page of a list.

    Args:
        kind: Of the list, as "admin#directory#users".
        name: Property that holds the items; it is left out where there are none, as Google does.
        rows: What there is, each with what it is sorted by.
        query: The request's query: `maxResults`, `pageToken`, and what the token is good for.
        show: How an item is sent.
        default: Items in a page where the request does not say.
        most: Items in a page at most, however many were asked for.
        descending: Whether the last comes first.

    Raises:
        Refused: 400: a token that is none, or that was given for another question.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    question = etag_of({one: value for one, value in query.items() if one not in {"pageToken", "maxResults", "fields"}})
    size = min(int(query.get("maxResults", default)), most)
    if descending:
        ordered.reverse()
    begin = 0
    if "pageToken" in query:
        last = _last(query["pageToken"], question)
        keys = [key for key, _ in ordered]
        if descending:
            begin = next((at for at, key in enumerate(keys) if key < last), len(keys))
        else:
            begin = bisect_right(keys, last)
    chosen = ordered[begin : begin + size]
    body: dict[str, Any] = {name: [show(item) for _, item in chosen]} if chosen else {}
    if begin + size < len(ordered):
        body["nextPageToken"] = _token(question, chosen[-1][0])
    return {"kind": kind, "etag": etag_of(body), **body}


def _token(question: str, last: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([question, *last]).encode()).decode()


def _last(token: str, question: str) -> Key:
    try:
        asked, *last = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise invalid_parameter("pageToken", "Invalid Input: pageToken") from None
    if asked != question:
        raise invalid_parameter("pageToken", "Invalid Input: pageToken")
    return tuple(last)
