"""Compares what targets hold with what they are known to hold, and reports what differs. Changes nothing.

Targets are read while workers deliver to them. So whatever has a change in the queue, or had one delivered since the
reading began, is left out: it is neither here nor there yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Table, select

from connectors.contract import Kind, RemoteObject, Target
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.naming import known_name
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.runs import recorded
from eadm_sync.model import Sealed
from eadm_sync.plan.change import account_key, group_key, licence_key, membership_key, nesting_key
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from eadm_sync.state.known import Attributes
from eadm_sync.state.sealing import check_key

log = structlog.get_logger()

COMMAND = "reconcile"
"""As the book of runs has it."""

MOST_LISTED = 100
"""Objects listed for each target; counts go on. More than a hundred objects that differ have one cause."""

_TOLD_EVERY = 1_000

_UNSET: tuple[object, ...] = (None, "", [])
"""What targets tell no difference between."""


class Drift(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object that is not as it was left.

    Attributes:
        kind: Account, group, membership, nesting or licence.
        object: Its key, as the export queue has it.
        what: missing; unexpected (it is about objects of ours, and nobody here gave it); enabled, disabled (by somebody
            else); attributes; container; role.
        names: For attributes, those that differ. Never their values.
    """

    kind: Kind
    object: str
    what: str
    names: tuple[str, ...] = ()


class TargetDrift(msgspec.Struct, frozen=True):
    """What one target holds otherwise than it is known to.

    Attributes:
        target: Its name.
        compared: Objects of ours that were looked at, and what hangs on them.
        counts: How often each kind of drift was found, by "<kind>.<what>".
        drifts: The first of them.
        error: Why the target could not be read (to the end), or None.
    """

    target: str
    compared: int = 0
    counts: dict[str, int] = {}
    drifts: tuple[Drift, ...] = ()
    error: str | None = None

    @property
    def total(self) -> int:
        """How many differences there are."""
        return sum(self.counts.values())


def reconcile(context: Context, *, only: str | None = None, progress: Progress = silent) -> tuple[TargetDrift, ...]:
    """Reads the targets fully and compares, as a run of its own in the book of runs; `only` names one target.

    Raises:
        NotFound: There is no such target.
        StateError: The state cannot be used.
    """
    targets = context.loaded.settings.targets
    if only is not None:
        known_name("target", only, targets)
    with context.writing() as database, recorded(context, database, COMMAND) as run:
        with database.read() as connection:
            check_key(connection, context.vault)
        found = tuple(_compared(context, database, name, progress) for name in targets if only in {None, name})
        run.report["drift"] = {one.target: msgspec.to_builtins(one) for one in found}
        if any(one.error for one in found):
            run.status = "incomplete"
    for one in found:
        log.info("target.compared", target=one.target, compared=one.compared, drifts=one.total, error=one.error)
    return found


def _compared(context: Context, database: Database, name: str, progress: Progress) -> TargetDrift:
    began = context.clock.now().isoformat()
    with database.read() as connection:
        comparison = _Comparison(_Known(connection, name), context.vault.digest)
        busy = _in_the_queue(context, connection, name)
    error = None
    try:
        with context.make_target(name) as target:
            for number, one in enumerate(_objects(target), 1):
                comparison.look_at(one)
                if not number % _TOLD_EVERY:
                    progress(f"reading {name}", number, None)
    except ConnectorError as failure:
        error = str(failure)
        log.warning("target.failed", target=name, error=error)
    with database.read() as connection:
        busy |= _in_the_queue(context, connection, name) | _delivered_since(connection, name, began)
    found = comparison.found if error else [*comparison.found, *comparison.missing()]
    drifts = [one for one in found if one.object not in busy]
    return TargetDrift(
        target=name,
        compared=comparison.compared,
        counts=dict(sorted(Counter(f"{one.kind}.{one.what}" for one in drifts).items())),
        drifts=tuple(drifts[:MOST_LISTED]),
        error=error,
    )


def _objects(target: Target) -> Iterator[RemoteObject]:
    """Everything of the kinds that are compared."""
    for kind in (Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING, Kind.LICENCE):
        if kind in target.capabilities.kinds:
            yield from (one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted)


# ---------------------------------------------------------------- what is known


class _Object(msgspec.Struct, frozen=True, gc=False):
    """An account or a group as it is known, with its attributes as stored: they are decoded when they are met."""

    key: str
    enabled: bool | None
    container: str | None
    attributes: bytes


class _Known:
    """What one target is known to hold, by the target's own anchors.

    Attributes:
        accounts: By anchor.
        groups: By anchor.
        memberships: (anchor of the group, anchor of the account) → (key, role).
        nestings: (anchor of the outer group, anchor of the inner one) → key.
        licences: (anchor of the account, sku) → key.
    """

    def __init__(self, connection: Connection, target: str) -> None:
        def rows(table: Table) -> Iterable[Any]:
            query = select(table).where(table.c.target == target).execution_options(yield_per=_TOLD_EVERY)
            return connection.execute(query)

        person_anchors: dict[str, str] = {}
        group_anchors: dict[str, str] = {}
        self.accounts: dict[str, _Object] = {}
        self.groups: dict[str, _Object] = {}
        for row in rows(tables.known_accounts):
            person_anchors[row.person_id] = row.anchor
            key = account_key(row.person_id)
            self.accounts[row.anchor] = _Object(key, bool(row.enabled), row.container, row.attributes)
        for row in rows(tables.known_groups):
            group_anchors[row.key] = row.anchor
            self.groups[row.anchor] = _Object(group_key(row.key), None, row.container, row.attributes)
        self.memberships = {
            (group_anchors[row.group_key], person_anchors[row.person_id]): (
                membership_key(row.person_id, row.group_key),
                row.role,
            )
            for row in rows(tables.known_memberships)
            if row.group_key in group_anchors and row.person_id in person_anchors
        }
        self.nestings = {
            (group_anchors[row.group_key], group_anchors[row.member_key]): nesting_key(row.member_key, row.group_key)
            for row in rows(tables.known_nestings)
            if row.group_key in group_anchors and row.member_key in group_anchors
        }
        self.licences = {
            (person_anchors[row.person_id], row.sku): licence_key(row.person_id, row.sku)
            for row in rows(tables.known_licences)
            if row.person_id in person_anchors
        }
        self.skus = frozenset(sku for _, sku in self.licences)


def _in_the_queue(context: Context, connection: Connection, target: str) -> set[str]:
    """Keys of objects with unfinished changes."""
    return {item.object_key for item in context.queue.unfinished(connection) if item.target == target}


def _delivered_since(connection: Connection, target: str, moment: str) -> set[str]:
    audit = tables.audit.c
    return set(connection.scalars(select(audit.object).where(audit.target == target, audit.at >= moment)))


# ---------------------------------------------------------------- comparing


@dataclass
class _Comparison:
    """Takes the target's objects one by one; what was not met in the end is missing."""

    known: _Known
    digest: Callable[[str, str], bytes]
    found: list[Drift] = field(default_factory=list)
    compared: int = 0
    _met: set[str] = field(default_factory=set)

    def look_at(self, one: RemoteObject) -> None:
        """Compares one object, if it is ours or about ours."""
        match one.kind:
            case Kind.ACCOUNT:
                self._look_at_object(one, self.known.accounts.get(one.anchor))
            case Kind.GROUP:
                self._look_at_object(one, self.known.groups.get(one.anchor))
            case Kind.MEMBERSHIP:
                self._look_at_membership(one)
            case Kind.NESTING:
                self._look_at_nesting(one)
            case Kind.LICENCE:
                self._look_at_licence(one)

    def missing(self) -> Iterator[Drift]:
        """What is known and was not met; what hangs on an object that is gone itself goes without saying."""
        known = self.known
        gone: set[str] = set()
        for kind, objects in ((Kind.ACCOUNT, known.accounts), (Kind.GROUP, known.groups)):
            for anchor, one in objects.items():
                if one.key not in self._met:
                    gone.add(anchor)
                    yield Drift(kind, one.key, "missing")
        for (group, account), (key, _) in known.memberships.items():
            if key not in self._met and group not in gone and account not in gone:
                yield Drift(Kind.MEMBERSHIP, key, "missing")
        for places, key in known.nestings.items():
            if key not in self._met and gone.isdisjoint(places):
                yield Drift(Kind.NESTING, key, "missing")
        for (account, _), key in known.licences.items():
            if key not in self._met and account not in gone:
                yield Drift(Kind.LICENCE, key, "missing")

    def _look_at_object(self, one: RemoteObject, known: _Object | None) -> None:
        if known is None:
            return
        self._meet(known.key)
        names = tuple(sorted(self._differing(one, _decode(known.attributes))))
        if names:
            self.found.append(Drift(one.kind, known.key, "attributes", names))
        if known.container is not None and one.container != known.container:
            self.found.append(Drift(one.kind, known.key, "container"))
        if one.kind is Kind.ACCOUNT and one.enabled is not None and one.enabled != known.enabled:
            self.found.append(Drift(one.kind, known.key, "enabled" if one.enabled else "disabled"))

    def _differing(self, one: RemoteObject, known: Mapping[str, Any]) -> Iterator[str]:
        """Names of attributes that we set and that are otherwise; what others set beside them is theirs."""
        for name, value in known.items():
            there = one.attributes.get(name)
            if isinstance(value, Sealed):
                same = isinstance(there, str) and self.digest(name, there) == value.digest
            elif isinstance(value, list) and isinstance(there, list):
                same = sorted(value) == sorted(there)
            else:
                same = value == there or (value in _UNSET and there in _UNSET)
            if not same:
                yield name

    def _look_at_membership(self, one: RemoteObject) -> None:
        known = self.known.memberships.get((one.group or "", one.account or ""))
        if known is not None:
            key, role = known
            self._meet(key)
            if one.role != role:
                self.found.append(Drift(one.kind, key, "role"))
            return
        group, account = self.known.groups.get(one.group or ""), self.known.accounts.get(one.account or "")
        if group is not None and account is not None:
            self._unexpected(one.kind, membership_key(_name(account), _name(group)))

    def _look_at_nesting(self, one: RemoteObject) -> None:
        key = self.known.nestings.get((one.group or "", one.member or ""))
        if key is not None:
            self._meet(key)
            return
        group, member = self.known.groups.get(one.group or ""), self.known.groups.get(one.member or "")
        if group is not None and member is not None:
            self._unexpected(one.kind, nesting_key(_name(member), _name(group)))

    def _look_at_licence(self, one: RemoteObject) -> None:
        key = self.known.licences.get((one.account or "", one.sku or ""))
        if key is not None:
            self._meet(key)
            return
        account = self.known.accounts.get(one.account or "")
        if account is not None and one.sku in self.known.skus:
            self._unexpected(one.kind, licence_key(_name(account), one.sku or ""))

    def _unexpected(self, kind: Kind, key: str) -> None:
        self.compared += 1
        self.found.append(Drift(kind, key, "unexpected"))

    def _meet(self, key: str) -> None:
        self.compared += 1
        self._met.add(key)


def _name(one: _Object) -> str:
    """The person's id, or the group's key."""
    return one.key.partition(":")[2]


_decode: Callable[[bytes], Mapping[str, Any]] = msgspec.msgpack.Decoder(Attributes).decode
