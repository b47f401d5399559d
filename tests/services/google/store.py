"""All that the customer has, kept in memory and in a journal on disk.

The journal has one line per request that changed anything, written before the request is answered: a service killed in
the middle has lost nothing that it confirmed, and a half-written last line was never confirmed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

Kind = Literal["user", "group", "member", "unit", "licence", "schema", "transfer"]
KINDS: tuple[Kind, ...] = ("user", "group", "member", "unit", "licence", "schema", "transfer")
Row = dict[str, Any]

ALIASES, CREATED, DELETED, RENAMED, UNIT = "_aliases", "_created", "_deleted", "_renamed", "_unit"
PASSWORD, SETTINGS, SIGN_OUTS = "_password", "_settings", "_signOuts"
"""Names under which a row keeps what its resource shows otherwise or not at all."""


def addresses_of(kind: Kind, row: Mapping[str, Any]) -> list[str]:
    """The addresses that a user or a group holds alone, the primary one first; lower case. A deleted user has none."""
    if DELETED in row or kind not in {"user", "group"}:
        return []
    return [row["primaryEmail" if kind == "user" else "email"].lower(), *row.get(ALIASES, ())]


class Store:
    """Rows by kind and key; memberships are rows with the key "group/member", licences with "product/user".

    Attributes:
        rows: Everything, by kind and key.
        holders: Address to kind and key of who has it.
        members: Group to the members' ids, in the order in which they came.
        groups_of: Member's id to the groups.
        children: Unit to the lower-case names of the units in it, with their ids.
        seats: "product/SKU" to how many have it.
    """

    def __init__(self, journal: Path | None) -> None:
        self.rows: dict[Kind, dict[str, Row]] = {kind: {} for kind in KINDS}
        self.holders: dict[str, tuple[Kind, str]] = {}
        self.members: dict[str, dict[str, None]] = defaultdict(dict)
        self.groups_of: dict[str, dict[str, None]] = defaultdict(dict)
        self.children: dict[str, dict[str, str]] = defaultdict(dict)
        self.seats: Counter[str] = Counter()
        self._pending: list[list[Any]] = []
        if journal is not None and journal.exists():
            self._replay(journal)
        self._journal = None if journal is None else journal.open("ab", buffering=0)

    def get(self, kind: Kind, key: str) -> Row | None:
        """One row, or None."""
        return self.rows[kind].get(key)

    def put(self, kind: Kind, key: str, row: Mapping[str, Any]) -> Row:
        """Gives a row what it shall hold from now on; what is None or an empty list is left out."""
        kept = {name: value for name, value in row.items() if value is not None and value != []}
        self._put(kind, key, kept)
        self._pending.append([kind, key, kept])
        return kept

    def drop(self, kind: Kind, key: str) -> None:
        """Forgets a row for good."""
        self._drop(kind, key)
        self._pending.append([kind, key, None])

    def leave_all(self, key: str) -> None:
        """Takes a user or a group out of every group, and everybody out of it."""
        for group in list(self.groups_of.get(key, ())):
            self.drop("member", f"{group}/{key}")
        for member in list(self.members.get(key, ())):
            self.drop("member", f"{key}/{member}")

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
        whole = 0
        with journal.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                self._apply(json.loads(line))
        with journal.open("r+b") as lines:
            lines.truncate(whole)

    def _apply(self, changes: Iterable[list[Any]]) -> None:
        for kind, key, row in changes:
            if row is None:
                self._drop(kind, key)
            else:
                self._put(kind, key, row)

    def _put(self, kind: Kind, key: str, row: Row) -> None:
        before = self.rows[kind].get(key)
        if before is not None:
            self._forget(kind, key, before)
        self.rows[kind][key] = row
        self.holders.update(dict.fromkeys(addresses_of(kind, row), (kind, key)))
        if kind == "member":
            group, _, member = key.partition("/")
            self.members[group][member] = None
            self.groups_of[member][group] = None
        elif kind == "unit" and row.get("parent"):
            self.children[row["parent"]][row["name"].lower()] = key
        elif kind == "licence":
            self.seats[_seat(key, row)] += 1

    def _drop(self, kind: Kind, key: str) -> None:
        row = self.rows[kind].pop(key)
        self._forget(kind, key, row)
        if kind == "member":
            group, _, member = key.partition("/")
            self.members[group].pop(member, None)
            self.groups_of[member].pop(group, None)

    def _forget(self, kind: Kind, key: str, row: Row) -> None:
        for address in addresses_of(kind, row):
            if self.holders.get(address) == (kind, key):
                del self.holders[address]
        if kind == "unit" and row.get("parent"):
            self.children[row["parent"]].pop(row["name"].lower(), None)
        elif kind == "licence":
            self.seats[_seat(key, row)] -= 1


def _seat(key: str, row: Row) -> str:
    return f"{key.partition('/')[0]}/{row['sku']}"
