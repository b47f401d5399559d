"""What of ours targets themselves protect: found by readings and by refusals, so that no plan asks again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry

AUDITED = "protection"
"""Kind of the audit's lines about it; a line's action is `found` or `ended`."""

_TABLES = {Kind.ACCOUNT: (tables.known_accounts, "person_id"), Kind.GROUP: (tables.known_groups, "key")}


def note_protected(
    connection: Connection, target: str, found: Iterable[tuple[Kind, str]], *, protected: bool = True
) -> None:
    """Notes of accounts (by person id) and groups (by key) whether a target says that they are protected."""
    listed = sorted(set(found))
    for kind, (table, key) in _TABLES.items():
        rows = ((protected, name, target) for one, name in listed if one is kind)
        bulk.update(connection, table, ("protected",), (key, "target"), rows)


def audited(
    found: Iterable[tuple[Kind, str]], *, protected: bool, target: str, at: str, actor: str, run_id: str | None
) -> list[AuditEntry]:
    """The audit's lines about what was noted; `at` is ISO text in UTC."""
    detail = msgspec.msgpack.encode({"target": target})
    action = "found" if protected else "ended"
    return [
        AuditEntry(
            at, run_id, actor, None, AUDITED, action, f"{kind}:{name}", name if kind is Kind.ACCOUNT else None, detail
        )
        for kind, name in sorted(set(found))
    ]


def protected_groups(connection: Connection) -> frozenset[tuple[str, str]]:
    """(target, key) of the groups that a target says are protected."""
    columns = tables.known_groups.c
    rows = connection.execute(select(columns.target, columns.key).where(columns.protected.is_(True)))
    return frozenset((target, key) for target, key in rows)
