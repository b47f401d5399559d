"""Plays somebody's years in a municipality against a local service, and writes down what was sent to it.

Any target with a local service can have its page: a `Played` says how its town is set up and how its log is read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from tests.acceptance.conftest import FIRST_DAY, Town
from tests.services.common.process import Process

PEOPLE = 10
NUMBER, GIVEN, FAMILY = "990001", "Ola", "Nordmann"
LAST_DAY = FIRST_DAY + timedelta(days=30)
_GUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_WIDTH = 116


class Exchange(NamedTuple):
    """A request and its answer, alone or as a part of a batch.

    Attributes:
        method: "GET", ...
        url: Relative, with its query.
        request: Its body, or None.
        status: Of the answer.
        response: The answer's body, or None.
    """

    method: str
    url: str
    request: Any
    status: int
    response: Any


def worked_in(town: Town) -> list[str]:
    """Two units that somebody works in."""
    with town.file("hr/positions.csv").open(encoding="utf-8", newline="") as file:
        units = [row["Enhet"] for row in csv.DictReader(file, delimiter=";")]
    return [units[-1], units[0]]


@dataclass(frozen=True)
class Played:
    """A target with a local service behind it.

    Attributes:
        page: Name of the file below `docs/wire-logs/`.
        title: Name of the target's system.
        intro: What a reader has to know of it, in Markdown.
        town: An installation with the target, before its first run.
        service: The running service.
        address: Text that stands for the service in the page, by the text that stands for it on the wire.
        names: What is behind the ids of the service, by id; asked at the end.
        parts: The requests within one entry of the service's log, in a fixed order; none: it is no batch.
        units: Codes of two units where somebody who works there has an account.
    """

    page: str
    title: str
    intro: str
    town: Town
    service: Process
    address: Mapping[str, str]
    names: Callable[[], Mapping[str, str]]
    parts: Callable[[Mapping[str, Any]], Sequence[Exchange]]
    units: Callable[[Town], Sequence[str]] = worked_in


@dataclass(frozen=True)
class Chapter:
    """Something that happens, and what follows from it.

    Attributes:
        title: What happens.
        text: Told to the reader.
        happens: Makes it happen, in two units: in the first one, later in the other.
    """

    title: str
    text: str
    happens: Callable[[Town, Sequence[str]], object]


def _hired(town: Town, units: Sequence[str]) -> None:
    town.hire(NUMBER, GIVEN, FAMILY, unit=units[0])


def _moved(town: Town, units: Sequence[str]) -> None:
    unit = units[1]
    town.edit("hr/positions.csv", lambda row: {**row, "Enhet": unit} if row["Ansattnr"] == NUMBER else row)
    town.on(FIRST_DAY + timedelta(days=7))


def _left(town: Town, _units: Sequence[str]) -> None:
    town.end_positions([NUMBER], LAST_DAY)
    town.on(LAST_DAY + timedelta(days=1))


def _forgotten(town: Town, _units: Sequence[str]) -> None:
    town.on(LAST_DAY + timedelta(days=367))


def _hired_again(town: Town, _units: Sequence[str]) -> None:
    town.end_positions([NUMBER], LAST_DAY + timedelta(days=1000))
    town.on(LAST_DAY + timedelta(days=381))


CHAPTERS = (
    Chapter(
        "Somebody is hired",
        "The personnel system has a new employee. He gets an account, its licence, and his unit's group.",
        _hired,
    ),
    Chapter("He moves", "A week later he works in another unit.", _moved),
    Chapter("He leaves", "It is the day after his last one. The account stays, and nobody can use it.", _left),
    Chapter(
        "A year later",
        "The account has been disabled for the 365 days that the ruleset sets, and is deleted.",
        _forgotten,
    ),
    Chapter(
        "He is hired again",
        "Two weeks later. What was deleted can be restored for some time: he gets back the account that was his.",
        _hired_again,
    ),
)


def page(played: Played) -> str:
    """The page: everything that was sent in each chapter, in the order in which it came.

    Raises:
        RuntimeError: Something was not delivered, or nothing was sent.
    """
    _deliver(played.town)
    recorded = [(chapter, _record(played, chapter)) for chapter in CHAPTERS]
    lines = [
        "<!-- Recorded by `make wire-logs` from a real run against the local service: do not edit. -->",
        f"# What is sent to {played.title}",
        "",
        played.intro.strip(),
        "",
    ]
    for chapter, entries in recorded:
        lines += [f"## {chapter.title}", "", chapter.text, ""]
        for number, entry in enumerate(entries, 1):
            lines += [f"**Request {number} of {len(entries)}.** {_head(played, entry)}", "", "```text"]
            lines += ["\n\n".join(_told(one) for one in played.parts(entry) or [_whole(entry)]), "```", ""]
    return _readable("\n".join(lines), {**played.address, **_braced(played.names())})


def _record(played: Played, chapter: Chapter) -> list[dict[str, Any]]:
    played.service.reset()
    before = played.town.clock.now()
    chapter.happens(played.town, played.units(played.town))
    played.service.forward(seconds=(played.town.clock.now() - before).total_seconds())  # it empties recycle bins
    _deliver(played.town)
    entries = played.service.wire()
    if not entries:
        raise RuntimeError(f"nothing was sent: {chapter.title}")
    return entries


def _deliver(town: Town) -> None:
    report = town.sync()
    if not report.is_complete or town.items():
        raise RuntimeError(f"not everything was delivered: {report}")


# ---------------------------------------------------------------- text


def _head(played: Played, entry: Mapping[str, Any]) -> str:
    parts = played.parts(entry)
    what = f"`{entry['method']} {unquote(entry['url'].partition('?')[0])}`"
    return f"{what}, a batch of {len(parts)}" if parts else what


def _whole(entry: Mapping[str, Any]) -> Exchange:
    return Exchange(entry["method"], entry["url"], entry["request"], entry["status"], entry["response"])


def _told(one: Exchange) -> str:
    path, _, query = one.url.partition("?")
    lines = [f"{one.method} {unquote(path)}"]
    lines += [f"    {mark}{term}" for mark, term in _terms(unquote(query))]
    if one.request is not None:
        lines += [f"    {line}" for line in json.dumps(one.request, ensure_ascii=False, indent=2).splitlines()]
    return "\n".join([*lines, f"→ {_answer(one)}"])


def _terms(query: str) -> Iterator[tuple[str, str]]:
    for number, term in enumerate(filter(None, query.split("&"))):
        first, *rest = _wrapped(term)
        yield ("&" if number else "?"), first
        yield from (("  ", line) for line in rest)


def _wrapped(text: str) -> Iterator[str]:
    """Lists of properties are long: they are broken after commas."""
    while len(text) > _WIDTH - 6:
        at = text.rfind(",", 0, _WIDTH - 6) + 1
        if not at:
            break
        yield text[:at]
        text = text[at:]
    yield text


def _answer(one: Exchange) -> str:
    body = one.response if isinstance(one.response, dict) else {}
    if isinstance(body.get("error"), dict):
        return f"{one.status} {body['error'].get('message', '')}"
    found = next(
        (body[name] for name in ("value", "users", "groups", "members") if isinstance(body.get(name), list)), None
    )
    if found is not None:
        return f"{one.status}, {len(found) or 'nothing'} found"
    return f"{one.status}, {body['id']}" if "id" in body else str(one.status)


def _braced(names: Mapping[str, str]) -> dict[str, str]:
    return {key: f"{{{name}}}" for key, name in names.items()}


def _readable(text: str, words: Mapping[str, str]) -> str:
    """Ids and addresses by what they stand for: they are other ones in each directory."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    return _GUID.sub("{id}", text)
