"""The objects that one batch speaks of, read in a handful of statements and written back in as many."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from connectors.contract import Action, Kind, Operation, Value
from connectors.directory.cleaning import folded_values
from connectors.directory.schema import GONE, LIVE
from connectors.directory.settings import KindRules

Pair = tuple[int, int]
IndexRow = tuple[str, str, str, int]
"""A row of table `value`."""
_OBJECT = "SELECT id, anchor, kind, owner, operation, container, enabled, state, attributes FROM object"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Value]).decode


class Entry:
    """One account or group while a batch works on it; the columns of table `object`."""

    __slots__ = (
        "anchor", "attributes", "before", "container", "enabled", "id", "kind", "operation", "owner", "state", "stored",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - the columns of one row, in their order
        self,
        id_: int,
        anchor: str,
        kind: str,
        owner: str | None,
        operation: str,
        container: str | None,
        enabled: int | None,
        state: int,
        attributes: str | dict[str, Value],
    ) -> None:
        """`attributes` is JSON for an object that the file holds, and a dict for a new one."""
        self.id = id_
        self.anchor = anchor
        self.kind = Kind(kind)
        self.owner = owner
        self.operation = operation
        self.container = container
        self.enabled = None if enabled is None else bool(enabled)
        self.state = state
        self.stored = isinstance(attributes, str)
        self.attributes: dict[str, Value] = _decode(attributes) if isinstance(attributes, str) else attributes
        self.before = dict(self.attributes) if state == LIVE and self.stored else {}


class WorkingSet:
    """What a batch reads and changes. `load`, then lookups and changes, then `save`."""

    def __init__(self, connection: sqlite3.Connection, rules: Mapping[Kind, KindRules]) -> None:
        self._connection = connection
        self._rules = rules
        self._by_anchor: dict[str, Entry] = {}
        self._by_owner: dict[tuple[str, Kind], Entry] = {}
        self._by_operation: dict[str, Entry] = {}
        self._holders: dict[tuple[Kind, str, str], int] = {}
        self._changed: dict[int, Entry] = {}
        self._next_id = 0
        self.live: dict[str, tuple[int, Kind]] = {}
        """Id and kind of the live objects that memberships, nestings and licences of this batch name, by anchor."""
        self.memberships: dict[Pair, str | None] = {}
        """Role by group id and account id as the file has it and as the batch leaves it; None: no member."""
        self.licences: dict[tuple[int, str], bool] = {}
        """Likewise, by account id and product."""
        self.nestings: dict[Pair, bool] = {}
        """Likewise, by the id of the group and that of the one in it; all there are, where one is to be made."""
        self._former_memberships: dict[Pair, str | None] = {}
        self._former_nestings: dict[Pair, bool] = {}
        self._former_licences: dict[tuple[int, str], bool] = {}
        self._removed: list[Entry] = []

    # ------------------------------------------------------------ reading

    def load(self, operations: Iterable[tuple[Operation, Mapping[str, Value]]]) -> None:
        """Reads everything that the operations, with their cleaned attributes, can touch."""
        objects = [pair for pair in operations if pair[0].kind in (Kind.ACCOUNT, Kind.GROUP)]
        links = [operation for operation, _ in operations if operation.kind not in (Kind.ACCOUNT, Kind.GROUP)]
        self._next_id = self._one("SELECT coalesce(max(id), 0) + 1 FROM object")
        if objects:
            self._load_objects([operation for operation, _ in objects])
            self._load_holders(objects)
        if links:
            self._load_links(links)

    def _load_objects(self, operations: list[Operation]) -> None:
        creates = [operation for operation in operations if operation.action is Action.CREATE]
        anchors = _json(operation.anchor for operation in operations if operation.anchor)
        owners = _json(operation.owner for operation in creates if operation.owner)
        made = _json(operation.id for operation in creates)
        wanted = "IN (SELECT value FROM json_each(?))"
        rows = self._connection.execute(
            f"{_OBJECT} WHERE id IN (SELECT id FROM object WHERE anchor {wanted}"  # noqa: S608 - constants only
            f" UNION SELECT id FROM object WHERE state = 0 AND owner IS NOT NULL AND owner {wanted}"
            f" UNION SELECT id FROM object WHERE state = 0 AND operation {wanted})",
            (anchors, owners, made),
        )
        for row in rows:
            self._place(Entry(*row))

    def _load_holders(self, objects: list[tuple[Operation, Mapping[str, Value]]]) -> None:
        """Reads who holds the unique values that the batch may want, restored objects' old ones among them."""
        values: dict[tuple[Kind, str], set[str]] = {}
        for operation, attributes in objects:
            entry = self._by_anchor.get(operation.anchor) if operation.anchor else None
            wanted = entry.attributes if entry and operation.action is Action.RESTORE else attributes
            for name in self._rules[operation.kind].unique:
                if name in wanted:
                    values.setdefault((operation.kind, name), set()).update(folded_values(wanted[name]))
        for (kind, name), folded in values.items():
            rows = self._connection.execute(
                "SELECT value, object FROM value WHERE kind = ? AND attribute = ?"
                " AND value IN (SELECT value FROM json_each(?))",
                (kind, name, _json(folded)),
            )
            for value, holder in rows:
                self._holders[kind, name, value] = holder

    def _load_links(self, links: list[Operation]) -> None:
        anchors = {anchor for link in links for anchor in (link.account, link.anchor, link.member)}
        rows = self._connection.execute(
            "SELECT anchor, id, kind FROM object WHERE state = 0 AND anchor IN (SELECT value FROM json_each(?))",
            (_json(filter(None, anchors)),),
        )
        self.live = {anchor: (id_, Kind(kind)) for anchor, id_, kind in rows}
        accounts = _json(self.live[link.account][0] for link in links if link.account in self.live)
        if any(link.kind is Kind.LICENCE for link in links):
            self._load_licences(accounts)
        if any(link.kind is Kind.NESTING for link in links):
            self._load_nestings()
        pairs = [
            (self.live[link.anchor][0], self.live[link.account][0])
            for link in links
            if link.kind is Kind.MEMBERSHIP and link.anchor in self.live and link.account in self.live
        ]
        rows = self._connection.execute(
            "SELECT m.group_id, m.account_id, m.role FROM json_each(?) AS pair JOIN membership AS m"
            " ON m.group_id = pair.value ->> 0 AND m.account_id = pair.value ->> 1 WHERE m.gone = 0",
            (_json(pairs),),
        )
        self.memberships = {(group, account): role for group, account, role in rows}
        self._former_memberships = dict(self.memberships)

    def _load_licences(self, accounts: str) -> None:
        rows = self._connection.execute(
            "SELECT account_id, sku FROM licence WHERE gone = 0 AND account_id IN (SELECT value FROM json_each(?))",
            (accounts,),
        )
        self.licences = dict.fromkeys(rows, True)
        self._former_licences = dict(self.licences)

    def _load_nestings(self) -> None:
        """All of them: whether a group would be in itself is seen from the whole, which is small."""
        rows = self._connection.execute("SELECT group_id, member_id FROM nesting WHERE gone = 0")
        self.nestings = dict.fromkeys(rows, True)
        self._former_nestings = dict(self.nestings)

    def used_seats(self, sku: str) -> int:
        """Seats of one product that were taken when the batch began."""
        return self._one("SELECT count(*) FROM licence WHERE sku = ? AND gone = 0", sku)

    # ------------------------------------------------------------ lookups

    def entry(self, kind: Kind, anchor: str | None) -> Entry | None:
        """The object of that kind and anchor, in whatever state but gone; None where there is none."""
        entry = self._by_anchor.get(anchor) if anchor else None
        return entry if entry and entry.kind is kind and entry.state != GONE else None

    def made_by(self, operation: Operation) -> Entry | None:
        """The live object that an earlier attempt at this create made, or that its owner has already."""
        entry = self._by_operation.get(operation.id)
        if not entry and operation.owner:
            entry = self._by_owner.get((operation.owner, operation.kind))
        return entry if entry and entry.state == LIVE and entry.kind is operation.kind else None

    def taken(self, entry_id: int | None, kind: Kind, attributes: Mapping[str, Value]) -> str | None:
        """The first of the attributes with a unique value that another live object holds, or None."""
        for name in self._rules[kind].unique:
            if name in attributes:
                for value in folded_values(attributes[name]):
                    if self._holders.get((kind, name, value), entry_id) != entry_id:
                        return name
        return None

    def owner_is_taken(self, entry: Entry) -> bool:
        """Whether another live object has this one's owner: both cannot live."""
        holder = self._one(
            "SELECT coalesce(max(id), 0) FROM object WHERE owner = ? AND kind = ? AND state = 0",
            entry.owner,
            entry.kind,
        )
        other = self._by_owner.get((entry.owner, entry.kind)) if entry.owner else None
        return holder not in (0, entry.id) or (other is not None and other is not entry and other.state == LIVE)

    def is_within(self, group: int, other: int) -> bool:
        """Whether a group is the other one, or is in it by whatever way."""
        above: dict[int, list[int]] = {}
        for (outer, member), held in self.nestings.items():
            if held:
                above.setdefault(member, []).append(outer)
        seen, waiting = {group}, [group]
        while waiting:
            for outer in above.get(waiting.pop(), ()):
                if outer not in seen:
                    seen.add(outer)
                    waiting.append(outer)
        return other in seen

    # ------------------------------------------------------------ changes

    def new_id(self) -> int:
        """The number that the next new object gets."""
        number, self._next_id = self._next_id, self._next_id + 1
        return number

    def touch(self, entry: Entry) -> None:
        """Marks an object as new or changed; what it holds or has let go of counts from now on."""
        self._place(entry)
        self._changed[entry.id] = entry
        held = entry.attributes if entry.state == LIVE else {}
        for name in self._rules[entry.kind].unique:
            for value in folded_values(entry.before.get(name)):
                if self._holders.get((entry.kind, name, value)) == entry.id:
                    del self._holders[entry.kind, name, value]
            for value in folded_values(held.get(name)):
                self._holders[entry.kind, name, value] = entry.id

    def remove_links(self, entry: Entry) -> None:
        """Takes the memberships, nestings and licences of an object away with it."""
        self._removed.append(entry)

    def _place(self, entry: Entry) -> None:
        self._by_anchor[entry.anchor] = entry
        if entry.state == LIVE:
            self._by_operation[entry.operation] = entry
            if entry.owner:
                self._by_owner[entry.owner, entry.kind] = entry

    # ------------------------------------------------------------ writing

    def save(self, change: int) -> bool:
        """Writes back what changed, under the number `change`; False where nothing did."""
        memberships = [
            (*pair, role, change)
            for pair, role in self.memberships.items()
            if role != self._former_memberships.get(pair)
        ]
        licences = [
            (*pair, change) for pair, held in self.licences.items() if held != self._former_licences.get(pair, False)
        ]
        nestings = [
            (*pair, change) for pair, held in self.nestings.items() if held != self._former_nestings.get(pair, False)
        ]
        if not (self._changed or memberships or nestings or licences):
            return False
        self._save_objects(change)
        self._save_memberships(memberships)
        self._save_nestings(nestings)
        self._save_licences(licences)
        for entry in self._removed:
            self._remove_links(entry, change)
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'change'", (change,))
        return True

    def _save_objects(self, change: int) -> None:
        # An owner goes from one object to the next only if the former lets go of it first.
        entries = sorted(self._changed.values(), key=lambda entry: entry.state == LIVE)
        self._connection.executemany(
            "UPDATE object SET container = ?, enabled = ?, state = ?, change = ?, attributes = ? WHERE id = ?",
            [
                (entry.container, entry.enabled, entry.state, change, _encode(entry.attributes).decode(), entry.id)
                for entry in entries
                if entry.stored
            ],
        )
        self._connection.executemany(
            "INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    entry.id, entry.anchor, entry.kind, entry.owner, entry.operation, entry.container, entry.enabled,
                    entry.state, change, _encode(entry.attributes).decode(),
                )
                for entry in entries
                if not entry.stored
            ],
        )  # fmt: skip
        gone: list[IndexRow] = []
        come: list[IndexRow] = []
        for entry in entries:
            before = index_rows(self._rules, entry, entry.before)
            now = index_rows(self._rules, entry, entry.attributes) if entry.state == LIVE else []
            gone += [row for row in before if row not in now]
            come += [row for row in now if row not in before]
        self._connection.executemany(
            "DELETE FROM value WHERE kind = ? AND attribute = ? AND value = ? AND object = ?", gone
        )
        self._connection.executemany("INSERT INTO value VALUES (?, ?, ?, ?)", come)

    def _save_memberships(self, rows: list[tuple[int, int, str | None, int]]) -> None:
        self._connection.executemany(
            "INSERT INTO membership VALUES (?, ?, ?, 0, ?) ON CONFLICT DO UPDATE"
            " SET role = excluded.role, gone = 0, change = excluded.change",
            [row for row in rows if row[2] is not None],
        )
        self._connection.executemany(
            "UPDATE membership SET gone = 1, change = ? WHERE group_id = ? AND account_id = ?",
            [(change, group, account) for group, account, role, change in rows if role is None],
        )

    def _save_nestings(self, rows: list[tuple[int, int, int]]) -> None:
        self._connection.executemany(
            "INSERT INTO nesting VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET gone = excluded.gone, change = excluded.change",
            [(group, member, not self.nestings[group, member], change) for group, member, change in rows],
        )

    def _save_licences(self, rows: list[tuple[int, str, int]]) -> None:
        self._connection.executemany(
            "INSERT INTO licence VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET gone = excluded.gone, change = excluded.change",
            [(account, sku, not self.licences[account, sku], change) for account, sku, change in rows],
        )

    def _remove_links(self, entry: Entry, change: int) -> None:
        column = "account_id" if entry.kind is Kind.ACCOUNT else "group_id"
        self._connection.execute(
            f"UPDATE membership SET gone = 1, change = ? WHERE {column} = ? AND gone = 0",  # noqa: S608 - one of two
            (change, entry.id),
        )
        if entry.kind is Kind.GROUP:
            self._connection.execute(
                "UPDATE nesting SET gone = 1, change = ? WHERE ? IN (group_id, member_id) AND gone = 0",
                (change, entry.id),
            )
        self._connection.execute(
            "UPDATE licence SET gone = 1, change = ? WHERE account_id = ? AND gone = 0", (change, entry.id)
        )

    def _one(self, query: str, *parameters: object) -> int:
        number: int = self._connection.execute(query, parameters).fetchone()[0]
        return number


def index_rows(rules: Mapping[Kind, KindRules], entry: Entry, attributes: Mapping[str, Value]) -> list[IndexRow]:
    """The rows of table `value` by which an object with these attributes is found."""
    return [
        (entry.kind, name, value, entry.id)
        for name in rules[entry.kind].indexed
        if name in attributes
        for value in folded_values(attributes[name])
    ]


def _json(values: Iterable[object]) -> str:
    return _encode(list(values)).decode()
