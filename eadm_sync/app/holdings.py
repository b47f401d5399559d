"""What one target is known to hold, by the target's own anchors, for comparing it with what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from connectors.contract import Kind
from eadm_sync.plan.change import account_key, group_key, licence_key, membership_key, nesting_key
from eadm_sync.state import tables
from eadm_sync.state.known import Attributes

_AT_ONCE = 1_000
"""Rows fetched at once: some MiB."""


class Holding(msgspec.Struct, frozen=True, gc=False):
    """An account or a group as it is known, with its attributes as stored: they are decoded when they are met.

    Attributes:
        key: Object key, as the export queue has it.
        name: Id of the person, or key of the group.
        enabled: Whether an account is; None for groups.
        container: Where it is.
        attributes: As stored.
        rule: Rule that gave it.
        version: Of the ruleset that did.
        protected: Whether the target is known to protect it.
    """

    key: str
    name: str
    enabled: bool | None
    container: str | None
    attributes: bytes
    rule: str
    version: str
    protected: bool = False


class Link(msgspec.Struct, frozen=True, gc=False):
    """A membership, a nesting or a licence as it is known.

    Attributes:
        key: Object key.
        whose: Id of the person, or key of the group that is in another.
        name: Key of the group, or the product.
        role: Of a membership.
        rule: Rule that gave it.
        version: Of the ruleset that did.
    """

    key: str
    whose: str
    name: str
    role: str
    rule: str
    version: str


Pair = tuple[str, str]
"""Anchors of what a link joins: (group, account), (outer group, inner group); of a licence (account's, product)."""


class Holdings:
    """What one target is known to hold.

    Attributes:
        accounts: By anchor.
        groups: By anchor.
        links: By kind, then by the pair that each joins.
        skus: Products that somebody is known to have, each with a rule that gives it.
        names: Attributes that accounts, and groups, are known to have, by kind.
    """

    def __init__(self, connection: Connection, target: str) -> None:
        def rows(table: Table) -> Iterable[Any]:
            query = select(table).where(table.c.target == target).execution_options(yield_per=_AT_ONCE)
            return connection.execute(query)

        of_person: dict[str, str] = {}
        of_group: dict[str, str] = {}
        self.accounts: dict[str, Holding] = {}
        self.groups: dict[str, Holding] = {}
        self.links: dict[Kind, dict[Pair, Link]] = {kind: {} for kind in (Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE)}
        self.names: dict[Kind, set[str]] = {Kind.ACCOUNT: set(), Kind.GROUP: set()}
        for row in rows(tables.known_accounts):
            of_person[row.person_id] = row.anchor
            enabled = bool(row.enabled)
            held = (
                row.person_id,
                enabled,
                row.container,
                row.attributes,
                row.rule,
                row.ruleset_version,
                bool(row.protected),
            )
            self.accounts[row.anchor] = Holding(account_key(row.person_id), *held)
            self.names[Kind.ACCOUNT].update(decode(row.attributes))
        for row in rows(tables.known_groups):
            of_group[row.key] = row.anchor
            held_group = (
                row.key,
                None,
                row.container,
                row.attributes,
                row.rule,
                row.ruleset_version,
                bool(row.protected),
            )
            self.groups[row.anchor] = Holding(group_key(row.key), *held_group)
            self.names[Kind.GROUP].update(decode(row.attributes))
        memberships, nestings, licences = self.links.values()
        for row in rows(tables.known_memberships):
            if row.group_key in of_group and row.person_id in of_person:
                key = membership_key(row.person_id, row.group_key)
                link = Link(key, row.person_id, row.group_key, row.role, row.rule, row.ruleset_version)
                memberships[of_group[row.group_key], of_person[row.person_id]] = link
        for row in rows(tables.known_nestings):
            if row.group_key in of_group and row.member_key in of_group:
                key = nesting_key(row.member_key, row.group_key)
                link = Link(key, row.member_key, row.group_key, "", row.rule, row.ruleset_version)
                nestings[of_group[row.group_key], of_group[row.member_key]] = link
        for row in rows(tables.known_licences):
            if row.person_id in of_person:
                link = Link(
                    licence_key(row.person_id, row.sku), row.person_id, row.sku, "", row.rule, row.ruleset_version
                )
                licences[of_person[row.person_id], row.sku] = link
        self.skus = {sku: link.rule for (_, sku), link in licences.items()}

    def objects(self, kind: Kind) -> dict[str, Holding]:
        """The accounts or the groups, by anchor."""
        return self.accounts if kind is Kind.ACCOUNT else self.groups

    def population(self, kind: Kind) -> int:
        """How many of a kind there are."""
        return len(self.links[kind]) if kind in self.links else len(self.objects(kind))

    def ends(self, kind: Kind, pair: Pair) -> tuple[Holding | None, Holding | None]:
        """What a link joins: (group, account), (outer group, inner group) or (account, None)."""
        if kind is Kind.LICENCE:
            return self.accounts.get(pair[0]), None
        inner = self.accounts if kind is Kind.MEMBERSHIP else self.groups
        return self.groups.get(pair[0]), inner.get(pair[1])


decode: Callable[[bytes], Attributes] = msgspec.msgpack.Decoder(Attributes).decode
"""Attributes of a holding."""
