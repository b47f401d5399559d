"""Puts known state right: it takes what a target was found to hold, each time with a line in the audit.

So that the audit still tells how known state came to be what it is, lines are written as for what is delivered, only
that nobody here did it. What shall not be so is put back by the next plan, through brakes and queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.differing import Found
from eadm_sync.clock import today
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.plan.audited import BY_HAND, Image, audited, encode
from eadm_sync.plan.change import Change, group_key
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.drift import ATTRIBUTES, CONTAINER, DISABLED, ENABLED, MISSING, Value
from eadm_sync.state.known import KnownAccount, KnownGroup, load_accounts, load_groups
from eadm_sync.state.outcomes import Confirmations, confirm, count_confirmed, mark_confirmed

_AT_ONCE = 500

REASON = "found so in the target"
LEFT = "left to the target"
"""What the audit says of a value that is the target's own from now on."""


@dataclass
class Mirror:
    """Known state of one target as it is put right, in the caller's transaction.

    Attributes:
        context: The installation.
        target: Name of the target.
        run_id: The run that found it; None where somebody decided about it.
        changed: How many objects and links it was put right for.
    """

    context: Context
    connection: Connection
    target: str
    run_id: str | None
    changed: int = 0
    _confirmed: dict[str, Confirmations] = field(default_factory=dict)
    _entries: list[AuditEntry] = field(default_factory=list)
    _again: set[str] = field(default_factory=set)

    def take(self, found: Sequence[Found], forgotten: Sequence[Found] = (), again: Iterable[str] = ()) -> None:
        """Takes what was found; of `forgotten` attributes nothing is known from now on.

        Locks what workers write, so that it is known while they are at work too: call it once in a transaction.

        Args:
            found: What differs.
            forgotten: Attributes that are the target's own.
            again: Subjects that the next run is to look at, too (`look_again`).
        """
        self._again.update(again)
        if not found and not forgotten:
            look_again(self.connection, self._again)
            return
        count_confirmed(self.connection, self.target, 1)
        self._take_objects(found, forgotten)
        for one in found:
            if one.link is not None:
                self._take_link(one)
        for version, confirmed in sorted(self._confirmed.items()):
            confirm(self.connection, self.target, confirmed, version)
        append_audit(self.connection, self.context.vault, self._entries)
        mark_confirmed(self.connection, self.target)
        look_again(self.connection, self._again)

    # ------------------------------------------------------------ accounts and groups

    def _take_objects(self, found: Iterable[Found], forgotten: Iterable[Found]) -> None:
        of_object: dict[tuple[Kind, str], list[Found]] = {}
        for one in found:
            if one.link is None and one.holding is not None:
                of_object.setdefault((one.kind, one.holding.name), []).append(one)
        own: dict[tuple[Kind, str], list[Found]] = {}
        for one in forgotten:
            if one.holding is not None:
                own.setdefault((one.kind, one.holding.name), []).append(one)
        keys = sorted({*of_object, *own})
        for start in range(0, len(keys), _AT_ONCE):
            portion = keys[start : start + _AT_ONCE]
            accounts = load_accounts(
                self.connection, self.target, [name for kind, name in portion if kind is Kind.ACCOUNT]
            )
            of_groups = [(self.target, name) for kind, name in portion if kind is Kind.GROUP]
            groups = load_groups(self.connection, of_groups) if of_groups else {}
            for key in portion:
                image = accounts.get(key[1]) if key[0] is Kind.ACCOUNT else groups.get((self.target, key[1]))
                if image is not None:
                    self._take_object(image, key[1], of_object.get(key, []), own.get(key, []))

    def _take_object(
        self, before: KnownAccount | KnownGroup, name: str, found: Sequence[Found], own: Sequence[Found]
    ) -> None:
        self.changed += 1
        version = next(one.holding.version for one in (*found, *own) if one.holding is not None)
        if any(one.what == MISSING for one in found):
            self._lose(before, name, version, in_bin=any(one.in_bin for one in found))
            return
        after = _with_values(before, found, [one.name for one in own])
        if after != before:
            self._tell(before, after, name, Action.UPDATE, LEFT if not found else REASON)
        if isinstance(after, KnownAccount):
            enabled = {one.what == ENABLED for one in found if one.what in {ENABLED, DISABLED}}
            for is_enabled in enabled:
                turned = msgspec.structs.replace(after, enabled=is_enabled, deactivated_on=None)
                self._tell(after, turned, name, Action.ENABLE if is_enabled else Action.DISABLE, REASON)
                after = turned
            self._of(version).accounts.append((name, after))
            if found:
                self._again.add(name)
        else:
            self._of(version).groups.append(after)
            if found:
                self._again.update(self._somebody_in(name, after.rule))

    def _lose(self, before: KnownAccount | KnownGroup, name: str, version: str, *, in_bin: bool) -> None:
        """Takes note that an account or group is gone, with all that hung on it."""
        if isinstance(before, KnownAccount):
            self._tell(before, None, name, Action.DELETE, REASON)
            self._of(version).accounts_gone.append(name)
            self._again.add(name)
            if in_bin:
                gone = msgspec.structs.replace(before, enabled=False)
                self._of(version).recycled.append((name, gone, self._today))
            return
        members = tables.known_memberships.c
        query = select(members.person_id, members.role, members.rule).where(
            members.target == self.target, members.group_key == name
        )
        for person, role, rule in self.connection.execute(query).all():
            change = Change(self.target, Kind.MEMBERSHIP, Action.DELETE, person, group=name, role=role, rule=rule)
            self._enter(change, msgspec.structs.replace(change, reason=REASON))
            self._of(version).memberships_gone.append((person, name))
            self._again.add(person)
        inner = tables.known_nestings.c
        inside = select(inner.member_key).where(inner.target == self.target, inner.group_key == name)
        self._again.update(map(group_key, self.connection.scalars(inside)))
        self._tell(before, None, name, Action.DELETE, REASON)
        self._of(version).groups_gone.append(name)

    @property
    def _today(self) -> date:
        return today(self.context.clock, self.context.loaded.settings.organisation.zone)

    def _somebody_in(self, group: str, rule: str) -> list[str]:
        """One person with whom the group is looked at again: somebody whom its own rule put there, if there is one."""
        columns = tables.known_memberships.c
        query = select(columns.person_id).where(columns.target == self.target, columns.group_key == group)
        first = query.order_by(columns.rule != rule, columns.person_id).limit(1)
        return list(self.connection.scalars(first)) or [group_key(group)]

    # ------------------------------------------------------------ memberships, nestings, licences

    def _take_link(self, one: Found) -> None:
        link = one.link
        assert link is not None  # noqa: S101 - asked by the caller
        self.changed += 1
        gone = one.what == MISSING
        role = str(one.present) if one.present is not None else link.role
        action = Action.DELETE if gone else Action.CREATE
        into = self._of(link.version)
        match one.kind:
            case Kind.MEMBERSHIP:
                change = Change(
                    self.target, one.kind, action, link.whose, group=link.name, role=role, rule=link.rule, reason=REASON
                )
                if gone:
                    into.memberships_gone.append((link.whose, link.name))
                else:
                    into.memberships.append((link.whose, link.name, role, link.rule))
            case Kind.NESTING:
                change = Change(
                    self.target, one.kind, action, group=link.name, member=link.whose, rule=link.rule, reason=REASON
                )
                if gone:
                    into.nestings_gone.append((link.name, link.whose))
                else:
                    into.nestings.append((link.name, link.whose, link.rule))
            case _:
                change = Change(self.target, one.kind, action, link.whose, sku=link.name, rule=link.rule, reason=REASON)
                if gone:
                    into.licences_gone.append((link.whose, link.name))
                else:
                    into.licences.append((link.whose, link.name, link.rule))
        self._enter(change, change)
        self._again.add(change.subject)

    # ------------------------------------------------------------ what is written

    def _of(self, version: str) -> Confirmations:
        """What is written for a version of the ruleset: what was given by it stays so."""
        return self._confirmed.setdefault(version, Confirmations())

    def _tell(self, before: Image, after: Image, name: str, action: Action, reason: str) -> None:
        image = after or before
        assert image is not None  # noqa: S101 - one of them is there
        is_account = isinstance(image, KnownAccount)
        change = Change(
            self.target,
            Kind.ACCOUNT if is_account else Kind.GROUP,
            action,
            person=name if is_account else None,
            group=None if is_account else name,
            rule=image.rule,
            reason=reason,
        )
        self._enter(change, audited(change, before, after))

    def _enter(self, change: Change, told: Change) -> None:
        now = self.context.clock.now().isoformat()
        entry = AuditEntry(
            at=now,
            run_id=self.run_id,
            actor=BY_HAND,
            target=self.target,
            kind=change.kind,
            action=change.action,
            object=change.object_key,
            person_id=change.person,
            detail=encode(told),
        )
        self._entries.append(entry)


def _with_values(
    before: KnownAccount | KnownGroup, found: Iterable[Found], own: Iterable[str]
) -> KnownAccount | KnownGroup:
    """The object with what was found in it, and without what is the target's own."""
    values: dict[str, Value] = {one.name: one.present for one in found if one.what == ATTRIBUTES}
    values.update(dict.fromkeys(own))
    attributes = {**before.attributes, **values}
    places = [one.present for one in found if one.what == CONTAINER]
    return msgspec.structs.replace(
        before,
        attributes={name: value for name, value in attributes.items() if value is not None},
        container=str(places[0]) if places and places[0] is not None else before.container,
        altered={name: both for name, both in before.altered.items() if name not in values},
    )
