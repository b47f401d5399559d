"""Reading a directory's tables as the contract's values, streaming."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from connectors.contract import Kind, RemoteObject, Value
from connectors.directory.schema import GONE, LIVE, has_nestings
from connectors.directory.working_set import Entry

_OBJECT = "SELECT id, anchor, kind, owner, operation, container, enabled, state, attributes FROM object"
_REMOTE = "SELECT anchor, state, attributes, container, enabled, owner FROM object"
_decode = msgspec.json.Decoder(dict[str, Value]).decode


def position(connection: sqlite3.Connection) -> tuple[str, int]:
    """The directory's identity and the number of its newest change."""
    facts = dict(connection.execute("SELECT key, value FROM meta"))
    return facts["directory"], facts["change"]


def read(connection: sqlite3.Connection, kind: Kind, after: int | None) -> Iterator[RemoteObject]:
    """All objects of one kind in the order they were made, or those changed after `after`, gone ones among them."""
    if kind is Kind.MEMBERSHIP:
        return _memberships(connection, after)
    if kind is Kind.NESTING:
        return _nestings(connection, after)
    if kind is Kind.LICENCE:
        return _licences(connection, after)
    if after is None:
        query, bound = f"{_REMOTE} WHERE kind = ? AND state <> ? ORDER BY id", GONE
    else:
        query, bound = f"{_REMOTE} WHERE kind = ? AND change > ? ORDER BY id", after
    return (_remote(kind, *row) for row in connection.execute(query, (kind, bound)))


def live(connection: sqlite3.Connection, kind: Kind) -> Iterator[RemoteObject]:
    """All live objects of one kind."""
    rows = connection.execute(f"{_REMOTE} WHERE kind = ? AND state = ? ORDER BY id", (kind, LIVE))
    return (_remote(kind, *row) for row in rows)


def holding(connection: sqlite3.Connection, kind: Kind, attribute: str, folded: str) -> Iterator[RemoteObject]:
    """Live objects with this folded value in an indexed attribute."""
    rows = connection.execute(
        f"{_REMOTE} WHERE id IN"  # noqa: S608 - a constant
        " (SELECT object FROM value WHERE kind = ? AND attribute = ? AND value = ?) ORDER BY id",
        (kind, attribute, folded),
    )
    return (_remote(kind, *row) for row in rows)


def live_entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """All live accounts and groups as the index needs them."""
    rows = connection.execute(f"{_OBJECT} WHERE state = ?", (LIVE,))
    return (Entry(*row) for row in rows)


def licences_in_use(connection: sqlite3.Connection) -> dict[str, int]:
    """Seats taken, by product."""
    return dict(connection.execute("SELECT sku, count(*) FROM licence WHERE gone = 0 GROUP BY sku"))


def _remote(
    kind: Kind, anchor: str, state: int, attributes: str, container: str | None, enabled: int | None, owner: str | None
) -> RemoteObject:
    if state == GONE:
        return RemoteObject(kind, anchor, deleted=True)
    active = None if enabled is None else bool(enabled)
    return RemoteObject(kind, anchor, _decode(attributes), container, active, state != LIVE, owner)


def _memberships(connection: sqlite3.Connection, after: int | None) -> Iterator[RemoteObject]:
    rows = connection.execute(
        "SELECT g.anchor, a.anchor, m.role, m.gone FROM membership AS m"
        " JOIN object AS g ON g.id = m.group_id JOIN object AS a ON a.id = m.account_id"
        " WHERE CASE WHEN ? IS NULL THEN m.gone = 0 ELSE m.change > ? END ORDER BY m.group_id, m.account_id",
        (after, after),
    )
    for group, account, role, gone in rows:
        yield RemoteObject(
            Kind.MEMBERSHIP, f"{group}/{account}", deleted=bool(gone), group=group, account=account, role=role
        )


def _nestings(connection: sqlite3.Connection, after: int | None) -> Iterator[RemoteObject]:
    if not has_nestings(connection):
        return
    rows = connection.execute(
        "SELECT g.anchor, m.anchor, n.gone FROM nesting AS n"
        " JOIN object AS g ON g.id = n.group_id JOIN object AS m ON m.id = n.member_id"
        " WHERE CASE WHEN ? IS NULL THEN n.gone = 0 ELSE n.change > ? END ORDER BY n.group_id, n.member_id",
        (after, after),
    )
    for group, member, gone in rows:
        yield RemoteObject(Kind.NESTING, f"{group}/{member}", deleted=bool(gone), group=group, member=member)


def _licences(connection: sqlite3.Connection, after: int | None) -> Iterator[RemoteObject]:
    rows = connection.execute(
        "SELECT a.anchor, l.sku, l.gone FROM licence AS l JOIN object AS a ON a.id = l.account_id"
        " WHERE CASE WHEN ? IS NULL THEN l.gone = 0 ELSE l.change > ? END ORDER BY l.account_id, l.sku",
        (after, after),
    )
    for account, sku, gone in rows:
        yield RemoteObject(Kind.LICENCE, f"{account}/{sku}", deleted=bool(gone), account=account, sku=sku)


def one(connection: sqlite3.Connection, anchor: str) -> RemoteObject | None:
    """The live account or group with this anchor, or None."""
    row = connection.execute(
        "SELECT kind, anchor, state, attributes, container, enabled, owner FROM object WHERE anchor = ? AND state = ?",
        (anchor, LIVE),
    ).fetchone()
    return _remote(Kind(row[0]), *row[1:]) if row else None


def members(connection: sqlite3.Connection, group: str) -> Iterator[tuple[RemoteObject, str]]:
    """The accounts in a group, each with its role."""
    found = connection.execute(
        "SELECT m.role, a.anchor, a.state, a.attributes, a.container, a.enabled, a.owner FROM object AS g"
        " JOIN membership AS m ON m.group_id = g.id AND m.gone = 0 JOIN object AS a ON a.id = m.account_id"
        " WHERE g.anchor = ? ORDER BY m.account_id",
        (group,),
    )
    return ((_remote(Kind.ACCOUNT, *row), role) for role, *row in found)


def member_groups(connection: sqlite3.Connection, group: str) -> Iterator[RemoteObject]:
    """The groups in a group."""
    if not has_nestings(connection):
        return
    found = connection.execute(
        "SELECT m.anchor, m.state, m.attributes, m.container, m.enabled, m.owner FROM object AS g"
        " JOIN nesting AS n ON n.group_id = g.id AND n.gone = 0 JOIN object AS m ON m.id = n.member_id"
        " WHERE g.anchor = ? ORDER BY n.member_id",
        (group,),
    )
    yield from (_remote(Kind.GROUP, *row) for row in found)


def named_links(
    connection: sqlite3.Connection, kind: Kind, group_name: str, account_name: str
) -> Iterator[tuple[RemoteObject, str, str]]:
    """All memberships, nestings or licences, each with the names of its group (or "") and of who is in it or has it."""
    query = "SELECT anchor, attributes ->> ? FROM object WHERE kind = ? AND state = 0"
    groups = dict(connection.execute(query, (f'$."{group_name}"', Kind.GROUP)))
    accounts = dict(connection.execute(query, (f'$."{account_name}"', Kind.ACCOUNT)))
    for item in read(connection, kind, None):
        member = groups[item.member] if kind is Kind.NESTING else accounts[item.account]
        yield item, groups.get(item.group, ""), member


def attributes_in_use(connection: sqlite3.Connection, kind: Kind) -> list[str]:
    """Names of the attributes that any live object of the kind has."""
    found = connection.execute(
        "SELECT DISTINCT key FROM object, json_each(attributes) WHERE kind = ? AND state = ?", (kind, LIVE)
    )
    return [name for (name,) in found]
