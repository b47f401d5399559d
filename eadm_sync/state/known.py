"""Known state: what the targets are known to hold of ours, kept from confirmed outcomes."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.model import Sealed
from eadm_sync.state import drift, tables

Attributes = dict[str, str | bool | int | list[str] | Sealed | None]

Altered = dict[str, tuple[str | bool | int | list[str] | Sealed | None, str | bool | int | list[str] | Sealed | None]]
"""Attributes that a target stored otherwise than asked → (asked, stored); of sensitive ones there are hashes only."""

Thing = tuple[str, Kind, str]
"""(target, kind, key of the group or product; "" for an account): one thing that somebody has."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Attributes).decode
_decode_altered = msgspec.msgpack.Decoder(Altered).decode


class KnownAccount(msgspec.Struct, frozen=True):
    """An account that we created or adopted.

    Attributes:
        target: Name of the target.
        anchor: The target's own immutable id.
        container: Where it is.
        enabled: Whether it is.
        attributes: What we set; sensitive values sealed.
        rule: Rule that gave it.
        deactivated_on: The day it was disabled because nothing gave it any more; None while something does.
        altered: What of the attributes the target stored otherwise than asked. To ask for it again would be in vain.
        protected: Whether the target itself says that it is, as far as it was asked.
    """

    target: str
    anchor: str
    container: str | None
    enabled: bool
    attributes: Attributes
    rule: str
    deactivated_on: date | None
    altered: Altered = {}
    protected: bool = False

    def limited_to(self, names: Collection[str]) -> KnownAccount:
        """The account with none but these attributes."""
        held = {name: value for name, value in self.attributes.items() if name in names}
        return msgspec.structs.replace(self, attributes=held)


class KnownGroup(msgspec.Struct, frozen=True):
    """A group that we created or adopted; fields as in KnownAccount.

    Attributes:
        key: Identifies it within the target.
        member_of: Key of each group that it is in as a group → rule that put it there.
        left: What of it was changed by hand and is left alone, as `drift.of_groups` has it.
    """

    target: str
    key: str
    anchor: str
    container: str | None
    attributes: Attributes
    rule: str
    member_of: dict[str, str] = {}
    altered: Altered = {}
    left: frozenset[str] = frozenset()

    def limited_to(self, names: Collection[str]) -> KnownGroup:
        """The group with none but these attributes."""
        held = {name: value for name, value in self.attributes.items() if name in names}
        return msgspec.structs.replace(self, attributes=held)


class Known(msgspec.Struct):
    """What one person is known to have.

    Attributes:
        accounts: By target.
        memberships: (target, group key) → (role, rule).
        licences: (target, sku) → rule.
        lost: What nothing gives any more, as far as it was kept → the day on which a plan first found that.
        recycled: By target, accounts that were deleted and that the target may still have in its recycle bin.
        formers: (target, attribute) → what an account held there before → the day on which a plan replaced it.
        left: What was changed by hand and is left alone → in what respects (`drift.aspect`).
    """

    accounts: dict[str, KnownAccount] = {}
    memberships: dict[tuple[str, str], tuple[str, str]] = {}
    licences: dict[tuple[str, str], str] = {}
    lost: dict[Thing, date] = {}
    recycled: dict[str, KnownAccount] = {}
    formers: dict[tuple[str, str], dict[str, date]] = {}
    left: dict[Thing, frozenset[str]] = {}

    def limited_to(self, attributes: Mapping[str, frozenset[str]]) -> Known:
        """The same, without attributes that a target has no more, so that nobody tries to clear them.

        Args:
            attributes: Names by target; those of a target that is left out stay.
        """
        accounts = _limited(self.accounts, attributes)
        recycled = _limited(self.recycled, attributes)
        return msgspec.structs.replace(self, accounts=accounts, recycled=recycled)

    def without(self, targets: Container[str]) -> Known:
        """The same, but for some targets."""
        return Known(
            {target: account for target, account in self.accounts.items() if target not in targets},
            {(target, group): held for (target, group), held in self.memberships.items() if target not in targets},
            {(target, sku): rule for (target, sku), rule in self.licences.items() if target not in targets},
            {thing: day for thing, day in self.lost.items() if thing[0] not in targets},
            {target: account for target, account in self.recycled.items() if target not in targets},
            self.formers,
            self.left,
        )

    def without_things(self, things: Collection[Thing]) -> Known:
        """The same, but for some things."""
        return Known(
            {target: one for target, one in self.accounts.items() if (target, Kind.ACCOUNT, "") not in things},
            {key: held for key, held in self.memberships.items() if (key[0], Kind.MEMBERSHIP, key[1]) not in things},
            {key: rule for key, rule in self.licences.items() if (key[0], Kind.LICENCE, key[1]) not in things},
            {thing: day for thing, day in self.lost.items() if thing not in things},
            self.recycled,
            self.formers,
            self.left,
        )

    def disabled(self) -> Known:
        """The same, with all accounts disabled."""
        accounts = {
            target: msgspec.structs.replace(account, enabled=False) for target, account in self.accounts.items()
        }
        return msgspec.structs.replace(self, accounts=accounts)


def _limited(accounts: dict[str, KnownAccount], attributes: Mapping[str, frozenset[str]]) -> dict[str, KnownAccount]:
    limited = {
        target: account.limited_to(attributes[target])
        for target, account in accounts.items()
        if target in attributes and not attributes[target].issuperset(account.attributes)
    }
    return {**accounts, **limited} if limited else accounts


def encode_attributes(attributes: Attributes) -> bytes:
    """Attributes as they are stored."""
    return _encode(attributes)


def encode_altered(altered: Altered) -> bytes | None:
    """What was stored otherwise than asked, as it is stored; None where nothing was."""
    hashed = {name: tuple(map(_without_ciphertext, both)) for name, both in altered.items()}
    return _encode(hashed) if hashed else None


def _without_ciphertext(value: object) -> object:
    return Sealed(b"", value.digest) if isinstance(value, Sealed) else value


def load_known(connection: Connection, person_ids: Sequence[str]) -> dict[str, Known]:
    """What these people (at most some thousands at a time) are known to have; people with nothing are left out."""
    found: dict[str, Known] = {}
    for person_id, account in _accounts(connection, person_ids):
        found.setdefault(person_id, Known()).accounts[account.target] = account
    ids = list(found)  # memberships and licences hang on accounts
    for person_id, account in load_recycled(connection, person_ids):
        found.setdefault(person_id, Known()).recycled[account.target] = account
    formers = tables.former_values.c
    for person_id, target, attribute, value, since in connection.execute(
        select(formers.person_id, formers.target, formers.attribute, formers.value, formers.since).where(
            formers.person_id.in_(person_ids)
        )
    ):
        held = found.setdefault(person_id, Known()).formers.setdefault((target, attribute), {})
        held[value] = date.fromisoformat(since)
    _add_left(connection, person_ids, found)
    if not ids:
        return found
    memberships = tables.known_memberships.c
    for person_id, target, group, role, rule, lost_on in connection.execute(
        select(
            memberships.person_id,
            memberships.target,
            memberships.group_key,
            memberships.role,
            memberships.rule,
            memberships.lost_on,
        ).where(memberships.person_id.in_(ids))
    ):
        found[person_id].memberships[target, group] = (role, rule)
        if lost_on is not None:
            found[person_id].lost[target, Kind.MEMBERSHIP, group] = date.fromisoformat(lost_on)
    licences = tables.known_licences.c
    for person_id, target, sku, rule, lost_on in connection.execute(
        select(licences.person_id, licences.target, licences.sku, licences.rule, licences.lost_on).where(
            licences.person_id.in_(ids)
        )
    ):
        found[person_id].licences[target, sku] = rule
        if lost_on is not None:
            found[person_id].lost[target, Kind.LICENCE, sku] = date.fromisoformat(lost_on)
    accounts = tables.known_accounts.c
    lost = select(accounts.person_id, accounts.target, accounts.lost_on)
    for person_id, target, lost_on in connection.execute(
        lost.where(accounts.person_id.in_(ids), accounts.lost_on.is_not(None))
    ):
        found[person_id].lost[target, Kind.ACCOUNT, ""] = date.fromisoformat(lost_on)
    return found


def _add_left(connection: Connection, person_ids: Sequence[str], into: dict[str, Known]) -> None:
    """Adds what was changed by hand and is left alone."""
    for row in drift.rows(connection, people=person_ids):
        left = into.setdefault(row.person or "", Known()).left
        thing = (row.target, Kind(row.kind), _name_of(row))
        left[thing] = left.get(thing, frozenset()) | {row.aspect}


def _name_of(row: drift.LeftRow) -> str:
    """Key of the group or product that a row is about; "" for an account."""
    return "" if row.kind == Kind.ACCOUNT else row.object.removeprefix(f"{row.kind}:{row.person}:")


def account_attributes(connection: Connection, target: str) -> Iterator[tuple[str, Attributes]]:
    """What every known account of one target holds, by person; streaming."""
    columns = tables.known_accounts.c
    query = select(columns.person_id, columns.attributes).where(columns.target == target)
    for person_id, attributes in connection.execute(query.execution_options(yield_per=_PORTION)):
        yield person_id, _decode(attributes)


_PORTION = 1_000
"""Accounts fetched at once: some MiB."""

_MANY = 5_000
"""Keys of groups that one statement can well name; who asks for more is given all groups."""


def load_groups(
    connection: Connection, keys: Iterable[tuple[str, str]] | None = None
) -> dict[tuple[str, str], KnownGroup]:
    """Known groups by (target, key), with the groups they are in; all of them, or at least those of some keys."""
    wanted = None if keys is None else {key for _, key in keys}
    if wanted is not None and len(wanted) > _MANY:
        wanted = None
    member_of = load_nestings(connection, wanted)
    left = drift.of_groups(connection, wanted)
    columns = tables.known_groups.c
    query = select(
        columns.target,
        columns.key,
        columns.anchor,
        columns.container,
        columns.attributes,
        columns.rule,
        columns.altered,
    )
    if wanted is not None:
        query = query.where(columns.key.in_(wanted))
    return {
        (row.target, row.key): KnownGroup(
            row.target,
            row.key,
            row.anchor,
            row.container,
            _decode(row.attributes),
            row.rule,
            member_of.get((row.target, row.key), {}),
            _decode_altered(row.altered) if row.altered else {},
            left.get((row.target, row.key), frozenset()),
        )
        for row in connection.execute(query)
    }


def group_keys(connection: Connection) -> frozenset[tuple[str, str]]:
    """(target, key) of all known groups."""
    columns = tables.known_groups.c
    return frozenset((target, key) for target, key in connection.execute(select(columns.target, columns.key)))


def load_nestings(
    connection: Connection, members: Collection[str] | None = None
) -> dict[tuple[str, str], dict[str, str]]:
    """(target, key) of groups that are in others → key of each of those → rule; of all, or those with some keys."""
    columns = tables.known_nestings.c
    query = select(columns.target, columns.member_key, columns.group_key, columns.rule)
    if members is not None:
        query = query.where(columns.member_key.in_(members))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for target, member, group, rule in connection.execute(query.order_by(columns.group_key)):
        found.setdefault((target, member), {})[group] = rule
    return found


def load_recycled(
    connection: Connection, person_ids: Sequence[str], target: str | None = None
) -> Iterator[tuple[str, KnownAccount]]:
    """Each person's deleted accounts that a target may still have in its recycle bin; they come back disabled."""
    columns = tables.recycled_accounts.c
    names = ("person_id", "target", "anchor", "container", "attributes", "rule", "deactivated_on")
    query = select(*(columns[name] for name in names)).where(columns.person_id.in_(person_ids))
    if target is not None:
        query = query.where(columns.target == target)
    for person_id, name, anchor, container, attributes, rule, day in connection.execute(query):
        since = date.fromisoformat(day) if day else None
        yield person_id, KnownAccount(name, anchor, container, False, _decode(attributes), rule, since)


def load_accounts(connection: Connection, target: str, person_ids: Iterable[str]) -> dict[str, KnownAccount]:
    """The accounts that these people are known to have in one target, by person."""
    found = _accounts(connection, list(person_ids), target)
    return dict(found)


def _accounts(
    connection: Connection, person_ids: Sequence[str], target: str | None = None
) -> Iterator[tuple[str, KnownAccount]]:
    columns = tables.known_accounts.c
    query = select(
        columns.person_id,
        columns.target,
        columns.anchor,
        columns.container,
        columns.enabled,
        columns.attributes,
        columns.rule,
        columns.deactivated_on,
        columns.altered,
        columns.protected,
    ).where(columns.person_id.in_(person_ids))
    if target is not None:
        query = query.where(columns.target == target)
    for person_id, name, anchor, container, enabled, attributes, rule, day, altered, protected in connection.execute(
        query
    ):
        yield (
            person_id,
            KnownAccount(
                name,
                anchor,
                container,
                bool(enabled),
                _decode(attributes),
                rule,
                date.fromisoformat(day) if day else None,
                _decode_altered(altered) if altered else {},
                bool(protected),
            ),
        )
