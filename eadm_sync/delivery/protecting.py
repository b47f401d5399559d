"""What is not ours to change, looked at again at the moment of delivery, whatever was planned.

Protected accounts and groups are refused by name, container and membership, and where a change destroys something also
by what the target says of them now. An account is taken under management only if it is still as it was planned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, RemoteObject, Target
from connectors.contract import Value as PlainValue
from connectors.errors import Protected, Rejected, Stale
from eadm_sync.correlation import Protection, is_same_container, is_within
from eadm_sync.correlation.protection import BY_TARGET
from eadm_sync.delivery.operations import Confirmed, Open
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.state import tables
from eadm_sync.state.known import KnownAccount, KnownGroup

_MEMBERS_FRESH_FOR = timedelta(minutes=5)
"""How long is believed who is in protected groups. To read it anew for each batch would cost more than the batch."""

_DESTRUCTIVE = frozenset({Action.DISABLE, Action.DELETE})
_ALTERING = _DESTRUCTIVE | {Action.UPDATE, Action.ENABLE}


@dataclass
class Guarding:
    """Refuses changes to what is protected, and adoptions of what is somebody's by now.

    Attributes:
        protection: What the configuration protects in the target.
        scope: The containers that accounts are adopted from; empty: all.
    """

    protection: Protection = field(default_factory=Protection)
    scope: tuple[str, ...] = ()
    _members: dict[str, set[str]] = field(default_factory=dict)
    _read_at: datetime | None = None

    def refused(
        self,
        target: Target,
        changes: Mapping[int, Change],
        confirmed: Confirmed,
        adoption: Callable[[Change], None],
        now: datetime,
    ) -> dict[int, Stale | Rejected]:
        """By item, why a change must not be carried out.

        Args:
            target: The target.
            changes: By item.
            confirmed: What the target is known to hold.
            adoption: Refuses, by raising, an adoption that must not be (`still_free`).
            now: The present moment.

        Raises:
            ConnectorError: The target cannot be asked.
        """
        refused: dict[int, Stale | Rejected] = {}
        for item_id, change in changes.items():
            try:
                if change.action is Action.ADOPT:
                    adoption(change)
                why = self._why(target, change, confirmed, now)
            except (Stale, Rejected) as error:
                refused[item_id] = error
                continue
            if why == BY_TARGET:
                refused[item_id] = Protected(f"it is protected: {why}")
            elif why is not None:
                refused[item_id] = Stale(f"it is protected: {why}")
        return refused

    def _why(self, target: Target, change: Change, confirmed: Confirmed, now: datetime) -> str | None:
        """Why what a change is about is protected, or None."""
        account = confirmed.accounts.get(change.person or "")
        group = confirmed.groups.get(change.group or "")
        why = self._why_group(target, change, group) or self._why_person(target, change, account, now)
        if why is not None or change.kind not in {Kind.ACCOUNT, Kind.GROUP}:
            return why
        return self._as_it_is_now(target, change, account if change.kind is Kind.ACCOUNT else group, now)

    def _why_group(self, target: Target, change: Change, known: KnownGroup | None) -> str | None:
        """By the group that is changed, or that somebody is put into or taken out of."""
        if change.group is None:
            return None
        word = target.capabilities.group_name
        names = (change.group, known.attributes.get(word) if known else None, _new(change, word))
        why = self.protection.group(names, known.container if known else None)
        return why or (self.protection.group((), _new_place(change)) if change.kind is Kind.GROUP else None)

    def _why_person(self, target: Target, change: Change, known: KnownAccount | None, now: datetime) -> str | None:
        """By the account that is changed, or that has, or gets, what is changed."""
        word = target.capabilities.account_name
        why = None
        if known is not None:
            why = self._why_account(target, known.attributes.get(word), known.container, known.anchor, now)
        if why is None and change.kind is Kind.ACCOUNT:
            why = self._why_account(target, _new(change, word), _new_place(change), change.anchor or "", now)
        return why

    def _why_account(
        self, target: Target, name: object, container: str | None, anchor: str, now: datetime
    ) -> str | None:
        return self.protection.account(name, container) or self.protection.account(
            None, None, self._groups_of(target, anchor, now)
        )

    def _as_it_is_now(
        self, target: Target, change: Change, known: KnownAccount | KnownGroup | None, now: datetime
    ) -> str | None:
        """The same by a fresh look, before something is destroyed; with protection set up, before any change."""
        if known is None or change.action not in (_ALTERING if self.protection.is_set else _DESTRUCTIVE):
            return None
        is_account = isinstance(known, KnownAccount)
        word = target.capabilities.account_name if is_account else target.capabilities.group_name
        name = known.attributes.get(word)
        if name is None or isinstance(name, Sealed):
            return None
        found = target.find(change.kind, {word: name})
        remote = next((one for one in found if one.anchor == known.anchor), None)
        if remote is None:
            return None
        if remote.protected:
            return BY_TARGET
        if is_account:
            return self._why_account(target, remote.attributes.get(word), remote.container, remote.anchor, now)
        return self.protection.group((remote.attributes.get(word),), remote.container)

    def _groups_of(self, target: Target, anchor: str, now: datetime) -> Collection[str]:
        """Names of the protected groups that an account is in."""
        if not self.protection.group_names or not anchor:
            return ()
        if self._read_at is None or now - self._read_at > _MEMBERS_FRESH_FOR:
            self._members, self._read_at = protected_members(target, self.protection), now
        return self._members.get(anchor, ())


def _new(change: Change, attribute: str) -> Value:
    return change.attributes.get(attribute, (None, None))[1]


def _new_place(change: Change) -> str | None:
    return change.container[1] if change.container else None


def protected_members(target: Target, protection: Protection) -> dict[str, set[str]]:
    """Anchor of an account → names of the protected groups that it is in, by way of other groups too.

    Raises:
        ConnectorError: The target cannot be read.
    """
    able = target.capabilities
    if not protection.group_names or Kind.MEMBERSHIP not in able.kinds:
        return {}
    within: dict[str, set[str]] = {}
    for group in _objects(target, Kind.GROUP):
        name = group.attributes.get(able.group_name)
        if isinstance(name, str) and protection.group((name,)) is not None:
            within[group.anchor] = {name}
    inner: dict[str, list[str]] = {}
    for nesting in _objects(target, Kind.NESTING) if within and Kind.NESTING in able.kinds else ():
        inner.setdefault(nesting.group or "", []).append(nesting.member or "")
    waiting = list(within)
    while waiting:
        outer = waiting.pop()
        for member in inner.get(outer, ()):
            names = within.setdefault(member, set())
            if not names >= within[outer]:
                names |= within[outer]
                waiting.append(member)
    members: dict[str, set[str]] = {}
    for row in _objects(target, Kind.MEMBERSHIP) if within else ():
        if row.group in within:
            members.setdefault(row.account or "", set()).update(within[row.group])
    return members


def _objects(target: Target, kind: Kind) -> list[RemoteObject]:
    return [one for one in target.read(kind, None, ()) if isinstance(one, RemoteObject) and not one.deleted]


@dataclass(frozen=True)
class StillFree:
    """Refuses to take under management what is somebody's by now, is protected, or is not as it was planned.

    Attributes:
        connection: The state.
        name: Name of the target.
        target: The target.
        confirmed: What it is known to hold.
        scope: As `Guarding.scope`.
        open_: Opens sealed values.
        digest: (attribute, value) → keyed hash.
    """

    connection: Connection
    name: str
    target: Target
    confirmed: Confirmed
    scope: tuple[str, ...]
    open_: Open
    digest: Callable[[str, str], bytes]

    def __call__(self, change: Change) -> None:
        """Looks at one adoption.

        Raises:
            Stale: It must not be.
            ConnectorError: The target cannot be asked.
        """
        if self._is_done(change):
            return
        self._refuse_others(change)
        found_by = {name: self._plain(name, value) for name, value in change.found_by.items()}
        found = self.target.find(change.kind, found_by)
        remote = next((one for one in found if one.anchor == change.anchor and not one.deleted), None)
        if remote is None:
            raise Stale("what was to be adopted is not there any more, or is not like the person any more")
        if remote.protected:
            raise Stale(f"it is protected: {BY_TARGET}")
        if self.scope and change.kind is Kind.ACCOUNT and not self._is_in_scope(remote):
            raise Stale("the account has left the containers that accounts are adopted from")
        self._refuse_made_for_others(change, remote)
        if not self._is_as_planned(change, remote):
            raise Stale("what was to be adopted was changed since it was planned; the next plan will tell")

    def _is_done(self, change: Change) -> bool:
        """Whether an earlier attempt did it; refuses where something else is known by now."""
        held = self.confirmed.groups.get(change.group or "") or self.confirmed.accounts.get(change.person or "")
        if held is not None and held.anchor != change.anchor:
            raise Stale("another one is known by now; the next plan will tell")
        return held is not None

    def _refuse_others(self, change: Change) -> None:
        table = tables.known_accounts if change.kind is Kind.ACCOUNT else tables.known_groups
        query = select(table.c.target).where(table.c.target == self.name, table.c.anchor == change.anchor)
        if self.connection.execute(query).first() is not None:
            raise Stale("it is known to be somebody else's by now")

    def _refuse_made_for_others(self, change: Change, remote: RemoteObject) -> None:
        people = tables.people.c.id
        if remote.owner is None or remote.owner in {change.person, change.object_key}:
            return
        if self.connection.scalar(select(people).where(people == remote.owner)) is not None:
            raise Stale("it was made for somebody else")

    def _is_in_scope(self, remote: RemoteObject) -> bool:
        return any(is_within(remote.container, one) for one in self.scope)

    def _is_as_planned(self, change: Change, remote: RemoteObject) -> bool:
        container = change.container[1] if change.container else None
        switched = change.kind is Kind.ACCOUNT and (remote.enabled is not False) is not change.enabled
        return (
            not switched
            and is_same_container(remote.container, container)
            and all(
                self._is_same(name, new, remote.attributes.get(name)) for name, (_, new) in change.attributes.items()
            )
        )

    def _is_same(self, name: str, planned: Value, there: PlainValue) -> bool:
        if isinstance(planned, Sealed):
            return isinstance(there, str) and self.digest(name, there) == planned.digest
        if isinstance(planned, list) and isinstance(there, list):
            return sorted(planned) == sorted(there)
        return planned == there

    def _plain(self, name: str, value: Value) -> PlainValue:
        return self.open_(value, name) if isinstance(value, Sealed) else value
