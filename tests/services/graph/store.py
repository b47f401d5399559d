"""The directory itself: objects, references and names, kept in memory and in a journal on disk.

The journal has one line per request that changed anything, written before the request is answered: a service killed in
the middle has lost nothing that it confirmed, and a half-written last line was never confirmed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["user", "group"]
Relation = Literal["members", "owners"]

MANAGER, FORMER_MANAGER = "_manager", "_formerManager"
PASSWORD, GROUPS, TEAM, SESSIONS, ROLES = "_password", "_groups", "_team", "_sessions", "_roles"
"""Names under which an object keeps what Graph does not show as a property of it."""


@dataclass
class Item:
    """A user or a group.

    Attributes:
        kind: Which of the two.
        id: Its object id.
        data: Properties that are set; what Graph does not show begins with an underscore.
        created: When, in seconds since 1970.
        deleted: When it went into the recycle bin, likewise, or None.
        version: Number of the last change to it.
        touched: Number of the last change to each property that ever changed.
    """

    kind: Kind
    id: str
    data: dict[str, Any]
    created: float
    deleted: float | None = None
    version: int = 0
    touched: dict[str, int] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """One property, or None where it is not set."""
        return self.data.get(name)


def addresses_of(kind: Kind, data: Mapping[str, Any]) -> dict[str, str]:
    """The names that an object holds alone, each with the property it stands in; without case.

    User principal names and mail addresses are one name space over users and groups, immutable ids another.
    """
    names = {one.rpartition(":")[2].lower(): "proxyAddresses" for one in data.get("proxyAddresses", ())}
    for name in ("mail", "userPrincipalName"):
        if data.get(name):
            names[data[name].lower()] = name
    if data.get("onPremisesImmutableId"):
        names["immutable:" + data["onPremisesImmutableId"]] = "onPremisesImmutableId"
    if kind == "group" and data.get("mailEnabled"):
        names["nickname:" + str(data.get("mailNickname")).lower()] = "mailNickname"
    if kind == "group" and data.get("uniqueName"):
        names["unique:" + data["uniqueName"].lower()] = "uniqueName"
    return names


class Directory:
    """All objects of the tenant. Every method that changes something is undone by nothing: `commit` writes it."""

    def __init__(self, journal: Path | None, *, keep_deleted_names: bool = True) -> None:
        self.items: dict[str, Item] = {}
        self.names: dict[str, str] = {}
        self.references: dict[Relation, dict[str, dict[str, int]]] = {
            "members": defaultdict(dict),
            "owners": defaultdict(dict),
        }
        self.removed_members: dict[str, dict[str, int]] = defaultdict(dict)
        self.member_of: dict[str, set[str]] = defaultdict(set)
        self.purged: dict[str, tuple[Kind, int]] = {}
        self.counts: Counter[Kind] = Counter()
        self.version = 0
        self.keep_deleted_names = keep_deleted_names
        self._pending: list[list[Any]] = []
        if journal is not None and journal.exists():
            self._replay(journal)
        self._journal = None if journal is None else journal.open("ab", buffering=0)

    # ------------------------------------------------------------ reading

    def of_kind(self, kind: Kind, *, deleted: bool = False) -> Iterator[Item]:
        """All of one kind that are, or are not, in the recycle bin, in the order of their creation."""
        return (one for one in self.items.values() if one.kind == kind and (one.deleted is not None) == deleted)

    def find(self, kind: Kind, key: str) -> Item | None:
        """One that is not deleted, by object id or, for users, by user principal name."""
        item = self.items.get(key.lower())
        if item is None and kind == "user":
            item = self.items.get(self.names.get(key.lower(), ""))
            if item is not None and str(item.get("userPrincipalName")).lower() != key.lower():
                return None
        return item if item is not None and item.kind == kind and item.deleted is None else None

    def holder(self, name: str, besides: str | None = None) -> Item | None:
        """Who has a name, as `addresses_of` writes it, other than `besides`."""
        key = self.names.get(name)
        return None if key is None or key == besides else self.items[key]

    def members(self, group: str, relation: Relation = "members") -> list[str]:
        """Ids of the members or owners that are not deleted, in the order in which they came."""
        return [one for one in self.references[relation].get(group, ()) if self.items[one].deleted is None]

    def transitive_members(self, group: str) -> list[str]:
        """Ids of all that are members directly or by way of another group; each once, cycles survived."""
        seen: dict[str, None] = {}
        waiting = [group]
        while waiting:
            for one in self.members(waiting.pop()):
                if one not in seen and one != group:
                    seen[one] = None
                    if self.items[one].kind == "group":
                        waiting.append(one)
        return list(seen)

    def groups_of(self, key: str, *, transitive: bool = False) -> list[str]:
        """Ids of the groups that an object is in."""
        seen: dict[str, None] = {}
        waiting = [key]
        while waiting:
            for group in sorted(self.member_of.get(waiting.pop(), ())):
                if group not in seen and self.items[group].deleted is None:
                    seen[group] = None
                    if transitive:
                        waiting.append(group)
        return list(seen)

    # ------------------------------------------------------------ changing

    def put(self, item: Item, data: Mapping[str, Any], deleted: float | None = None) -> Item:
        """Gives an object its properties as they shall be from now on; None and empty lists are left out."""
        kept = {name: value for name, value in data.items() if value is not None and value != []}
        self._put(item.kind, item.id, kept, item.created, deleted)
        self._pending.append(["put", item.kind, item.id, kept, item.created, deleted])
        return self.items[item.id]

    def change(self, item: Item, **properties: Any) -> Item:
        """Sets some properties and leaves the others."""
        return self.put(item, {**item.data, **properties}, item.deleted)

    def link(self, relation: Relation, group: str, key: str) -> None:
        """Makes an object a member or an owner."""
        self._link(relation, group, key)
        self._pending.append(["link", relation, group, key])

    def unlink(self, relation: Relation, group: str, key: str) -> None:
        """Takes that back."""
        self._unlink(relation, group, key)
        self._pending.append(["unlink", relation, group, key])

    def purge(self, key: str) -> None:
        """Forgets an object for good."""
        self._purge(key)
        self._pending.append(["purge", key])

    def commit(self) -> None:
        """Writes what changed since the last time as one line; it has reached the system when this returns."""
        if self._pending and self._journal is not None:
            self._journal.write(json.dumps(self._pending, separators=(",", ":")).encode() + b"\n")
        self._pending.clear()

    def close(self) -> None:
        """Lets go of the journal."""
        if self._journal is not None:
            self._journal.close()

    # ------------------------------------------------------------ applying

    def _replay(self, journal: Path) -> None:
        applying = {"put": self._put, "link": self._link, "unlink": self._unlink, "purge": self._purge}
        whole = 0
        with journal.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                for name, *arguments in json.loads(line):
                    applying[name](*arguments)  # type: ignore[operator]
        with journal.open("r+b") as lines:
            lines.truncate(whole)

    def _put(self, kind: Kind, key: str, data: dict[str, Any], created: float, deleted: float | None) -> None:
        self.version += 1
        item = self.items.get(key)
        if item is None:
            item = self.items[key] = Item(kind, key, {}, created)
            self.counts[kind] += 1
        came_back = item.deleted is not None and deleted is None
        changed = data if came_back or not item.data else _different(item.data, data)
        item.touched.update(dict.fromkeys(changed, self.version))
        if item.data:
            self._release(item)
        item.data, item.deleted, item.version = data, deleted, self.version
        if deleted is None or self.keep_deleted_names:
            self.names.update(dict.fromkeys(addresses_of(kind, data), key))

    def _release(self, item: Item) -> None:
        for name in addresses_of(item.kind, item.data):
            if self.names.get(name) == item.id:
                del self.names[name]

    def _link(self, relation: Relation, group: str, key: str) -> None:
        self.version += 1
        self.references[relation][group][key] = self.version
        if relation == "members":
            self.removed_members[group].pop(key, None)
            self.member_of[key].add(group)

    def _unlink(self, relation: Relation, group: str, key: str) -> None:
        self.version += 1
        self.references[relation][group].pop(key, None)
        if relation == "members":
            self.removed_members[group][key] = self.version
            self.member_of[key].discard(group)

    def _purge(self, key: str) -> None:
        item = self.items[key]
        self._release(item)
        for group in sorted(self.member_of.pop(key, ())):
            self._unlink("members", group, key)
        for member in self.references["members"].pop(key, {}):
            self.member_of[member].discard(key)
        for owned in self.references["owners"].values():
            owned.pop(key, None)
        self.version += 1
        self.purged[key] = (item.kind, self.version)
        self.counts[item.kind] -= 1
        del self.items[key]


def _different(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
