"""Changes since a token: https://learn.microsoft.com/graph/delta-query-overview.

A round has a fixed end: what changes while its pages are read comes with the next round. Pages begin behind the last
object of the one before, so nothing is skipped when objects come and go in between.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .contract import check_select
from .errors import Refused
from .query import Options, next_token, read_token
from .service import BASE, Answer, Call, Service
from .store import FORMER_MANAGER, MANAGER, Item, Kind
from .views import TYPES, show

LATEST = "latest"
ROUNDS_KEPT = 8
_PAGE_SIZE = re.compile(r"odata\.maxpagesize=(\d+)")


@dataclass(frozen=True)
class Round:
    """What a token stands for.

    Attributes:
        kind: Users or groups.
        since: Number of the last change that the client knows of; 0 in the first round.
        until: Number of the last change of this round; 0 where the round is still to begin.
        after: Where the page begins: behind this object and this member of it.
        select: Properties asked for in the first request.
        issued: When the token was made, in seconds since 1970.
        again: The page before is to come a second time and then no more.
    """

    kind: Kind
    since: int = 0
    until: int = 0
    after: tuple[str, str] = ("", "")
    select: tuple[str, ...] = ()
    issued: float = 0.0
    again: bool = False

    def token(self, service: Service, **changes: Any) -> str:
        """As text, with some of it changed."""
        return next_token({**self.__dict__, "issued": service.now(), **changes})


def changes(service: Service, call: Call) -> Answer:
    """GET /users/delta() and /groups/delta().

    Raises:
        Refused: 400 or 410: the token is no longer good, read fully.
    """
    kind: Kind = "user" if call.route.startswith("users") else "group"
    this = _round(service, call, kind)
    if this is None:
        return _answer(
            call,
            [],
            "$deltatoken",
            Round(kind, since=service.directory.version, select=call.options.select).token(service),
        )
    if not this.until:
        this = Round(this.kind, this.since, _last_visible(service), this.after, this.select, this.issued)
    faults, chance = service.config.faults, service.random.random
    if chance() < faults.delta_empty:
        return _answer(call, [], "$skiptoken", this.token(service))
    asked = _PAGE_SIZE.search(call.headers.get("prefer", ""))
    size = int(asked[1]) if asked else service.config.delta_page_size
    units = _sorted_units(service, this)
    units = units[bisect_right(units, this.after) :]
    value = [_shown(service, this, key, members) for key, members in _grouped(units[:size])]
    if not this.again and value and chance() < faults.delta_repeated:
        return _answer(call, value, "$skiptoken", this.token(service, again=True))
    if len(units) > size:
        return _answer(call, value, "$skiptoken", this.token(service, after=units[size - 1], again=False))
    return _answer(
        call, value, "$deltatoken", this.token(service, since=this.until, until=0, after=("", ""), again=False)
    )


def _round(service: Service, call: Call, kind: Kind) -> Round | None:
    query = {name.lower().lstrip("$"): value for name, value in call.query.items()}
    token = query.get("deltatoken") or query.get("skiptoken")
    if token == LATEST:
        return None
    if token:
        data = read_token(token)
        found = Round(**{**data, "after": tuple(data["after"]), "select": tuple(data["select"])})
        _refuse_expired(service, call, found)
        return found
    for name in ("expand", "top", "orderby", "search", "filter"):
        if name in query:
            raise Refused(400, "Request_UnsupportedQuery", f"${name} is not supported with delta.")
    check_select(TYPES[kind], list(call.options.select))
    return Round(kind, select=call.options.select)


def _refuse_expired(service: Service, call: Call, found: Round) -> None:
    how = "expired" if found.issued < service.now() - service.config.delta_days * 86400 else None
    if service.delta_refusal and max(found.since, found.until) <= service.delta_refusal[1]:
        how = service.delta_refusal[0]
    if how == "reset":
        path = urlsplit(call.url).path.removeprefix("/v1.0").lstrip("/")
        location = {"Location": f"{call.base}/{path}?$deltatoken="}
        raise Refused(410, "resyncRequired", "The delta token is no longer valid; synchronise anew.", headers=location)
    if how == "expired":
        raise Refused(400, "syncStateNotFound", "The sync state generation is not found; synchronise anew.")


def _last_visible(service: Service) -> int:
    hidden = [min(one.touched.values()) for one in service.directory.items.values() if not service.visible(one)]
    return min(hidden, default=service.directory.version + 1) - 1


def _sorted_units(service: Service, this: Round) -> list[tuple[str, str]]:
    """What a round consists of, in order; kept while its pages are read."""
    key = (this.kind, this.since, this.until, this.select)
    kept = service.delta_rounds
    if key not in kept:
        kept[key] = sorted(_units(service, this))
        while len(kept) > ROUNDS_KEPT:
            del kept[next(iter(kept))]
    return kept[key]


def _units(service: Service, this: Round) -> Iterator[tuple[str, str]]:
    """What changed: objects, as (id, ""), and references, as (id, id of the other)."""
    directory, low, high = service.directory, this.since, this.until
    for item in directory.items.values():
        if item.kind == this.kind and _changed(item, this):
            yield (item.id, "")
    if low:
        yield from ((key, "") for key, (kind, version) in directory.purged.items()
                    if kind == this.kind and low < version <= high)  # fmt: skip
    if this.kind == "group" and (not this.select or "members" in this.select):
        for group, members in directory.references["members"].items():
            if directory.items[group].deleted is None:
                yield from ((group, key) for key, version in members.items() if low < version <= high)
        if low:
            for group, members in directory.removed_members.items():
                if group in directory.items and directory.items[group].deleted is None:
                    yield from ((group, key) for key, version in members.items() if low < version <= high)


def _changed(item: Item, this: Round) -> bool:
    if item.deleted is not None:
        return bool(this.since) and this.since < item.version <= this.until
    names = {"manager": MANAGER}
    tracked = [names.get(name, name) for name in this.select] if this.select else list(item.touched)
    if not this.since:
        return min(item.touched.values(), default=0) <= this.until
    created = min(item.touched.values(), default=0)
    touched = [item.touched[name] for name in tracked if name in item.touched]
    return any(this.since < version <= this.until for version in [*touched, created])


def _grouped(units: list[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for key, member in units:
        members = found.setdefault(key, [])
        if member:
            members.append(member)
    yield from found.items()


def _shown(service: Service, this: Round, key: str, members: list[str]) -> dict[str, Any]:
    item = service.directory.items.get(key)
    if item is None or item.deleted is not None:
        return {"id": key, "@removed": {"reason": "deleted" if item is None else "changed"}}
    plain = tuple(name for name in this.select if name not in {"manager", "members", "owners"})
    shown = show(service, item, Options(select=plain or (("id",) if this.select else ()), expand={}))
    if members:
        there = service.directory.references["members"][key]
        shown["members@delta"] = [_member(service, one, gone=one not in there) for one in members]
    if "manager" in this.select and (not this.since or item.touched.get(MANAGER, 0) > this.since):
        changed = [(FORMER_MANAGER, True), (MANAGER, False)] if this.since else [(MANAGER, False)]
        found = [_member(service, item.data[name], gone=gone) for name, gone in changed if item.data.get(name)]
        shown |= {"manager@delta": found} if found else {}
    return shown


def _member(service: Service, key: str, *, gone: bool) -> dict[str, Any]:
    item = service.directory.items.get(key)
    shown: dict[str, Any] = {"@odata.type": f"#microsoft.graph.{item.kind if item else 'user'}", "id": key}
    if gone:
        shown["@removed"] = {"reason": "deleted"}
    return shown


def _answer(call: Call, value: list[dict[str, Any]], parameter: str, token: str) -> Answer:
    path = urlsplit(call.url).path.removeprefix("/v1.0").lstrip("/")
    name = "@odata.deltaLink" if parameter == "$deltatoken" else "@odata.nextLink"
    context = f"{BASE}/$metadata#{call.route.partition('/')[0]}"
    return Answer(200, {"@odata.context": context, name: f"{call.base}/{path}?{parameter}={token}", "value": value})
