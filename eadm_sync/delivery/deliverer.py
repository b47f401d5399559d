"""Carries queue items of one target out and writes down what came of them: the queue's handler."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, Operation, Outcome, Password, Target
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Protected, Rejected, Stale
from eadm_sync.clock import Clock, today
from eadm_sync.delivery.aftermath import Delivered, Known, confirmations, deleted, outcome_of
from eadm_sync.delivery.doubting import end_answered
from eadm_sync.delivery.guards import deletion_is_due, not_stopped, still_disabled, still_empty
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.delivery.operations import Confirmed, operation
from eadm_sync.delivery.passwords import Passwords, applied, gives_password, is_weak, note_outcomes
from eadm_sync.delivery.payload import unpack
from eadm_sync.delivery.protecting import Guarding, StillFree
from eadm_sync.delivery.regaining import came_back
from eadm_sync.delivery.scripts import Outdated, Ran, Scripts, note_scripts
from eadm_sync.delivery.verdicts import as_the_queue_has_it
from eadm_sync.errors import StateError
from eadm_sync.events import get_logger
from eadm_sync.lifecycle import Settings, delete_on
from eadm_sync.plan.audited import FAILED, RAN, WARN, Image, audited, encode, ran
from eadm_sync.plan.change import Change
from eadm_sync.plan.differences import was_left_out
from eadm_sync.plan.plan import Basis
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database
from eadm_sync.state.known import KnownAccount, KnownGroup, load_accounts, load_groups, load_recycled
from eadm_sync.state.outcomes import confirm, count_confirmed, forget_recycled, mark_confirmed
from eadm_sync.state.protection import audited as audited_protection
from eadm_sync.state.protection import note_protected
from eadm_sync.state.scripts import OUTPUT
from exportqueue import Item, Result, State

log = get_logger(__name__)

Refusal = Stale | Rejected
"""Why a deletion is not asked of the target."""


@dataclass(frozen=True)
class NotRestored:
    """What the queue carries to `record` for an account that the target will not give back: it is made anew.

    Attributes:
        person: Id of whose it was.
    """

    person: str


class Gone(NotFound):
    """What is known to be in `target` is not there: somebody else deleted it, or took our right to see it.

    Nothing follows from it by itself: a single answer is too little to believe that something is gone. `reconcile`
    looks at all there is, and believes it up to a limit.
    """

    def __init__(self, missing: NotFound, target: str) -> None:
        super().__init__(missing.kind, missing.anchor)
        self.target = target
        self.args = (f"{missing}, though it is known to be there: 'eadm-sync reconcile {target}' finds out",)


@dataclass(frozen=True)
class FoundProtected:
    """What the queue carries to `record` for a change that was refused since the target itself protects its object.

    Attributes:
        kind: Account or group.
        name: Id of the person, or key of the group.
        subject: Of the item.
    """

    kind: Kind
    name: str
    subject: str


_PERMANENT = (NotFound, AlreadyExists, Rejected)
_NEW_ACCOUNT = (Kind.ACCOUNT, Action.CREATE)


@dataclass
class Deliverer:
    """Delivers the items of one target.

    Attributes:
        database: The state.
        name: Name of the target.
        target: The target, opened by the caller.
        vault: Opens payloads and sensitive values.
        settings: Lifecycle settings, for the check before a deletion.
        clock: The time.
        time_zone: The zone whose days count.
        guarding: What in the target is not ours to change.
        passwords: Where accounts get their passwords from.
        scripts: Runs the programs that follow changes to accounts; None where the caller knows of no programs.
    """

    database: Database
    name: str
    target: Target
    vault: Vault
    settings: Settings
    clock: Clock
    time_zone: ZoneInfo
    scripts: Scripts | None = None
    passwords: Passwords = field(default_factory=Passwords)
    guarding: Guarding = field(default_factory=Guarding)
    _versions: dict[str, str] = field(default_factory=dict)

    def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
        """Asks the target to carry the items out; one result each. What `Target.apply` raises passes through.

        A result's value is what `record` needs: a `Delivered`, or the item's subject where it failed.
        """
        changes, results = self._unpack(items)
        yield from results
        with self.database.read() as connection:
            confirmed = self._confirmed(connection, changes.values())
            refused = {
                **self._refused(connection, changes, confirmed),
                **self._guarded(connection, changes, confirmed),
            }
        passwords, without = self._given_passwords(items, changes, refused)
        refused |= without
        operations: list[Operation] = []
        by_id = {item.id: item for item in items}
        programs = {
            item_id: change
            for item_id, change in changes.items()
            if change.kind is Kind.SCRIPT and item_id not in refused
        }
        for item_id, change in changes.items():
            if item_id in programs:
                continue
            try:
                if item_id in refused:
                    raise refused[item_id]
                adopts = change.action is Action.ADOPT  # nothing is asked of the target: it was looked at
                asked = None if adopts else operation(change, _operation_id(by_id[item_id]), confirmed, self.vault.open)
            except (ConnectorError, StateError) as error:
                yield Result(item_id, error, _about(error, change, by_id[item_id].subject))
                continue
            if asked is None:
                yield Result(item_id, None, self._delivered(by_id[item_id], change, confirmed, None))
            else:
                operations.append(msgspec.structs.replace(asked, password=passwords.get(item_id)))
        made: dict[str, tuple[int, Change]] = {}
        for outcome in applied(self.target, operations) if operations else ():
            result = self._result(outcome, by_id, changes, confirmed)
            yield result
            change = changes[result.item_id]
            if outcome.anchor and result.error is None and (change.kind, change.action) == _NEW_ACCOUNT:
                made[outcome.anchor] = result.item_id, change
        yield from self._not_theirs(made) if made else ()
        yield from self._run([(by_id[item_id], change) for item_id, change in programs.items()], confirmed)

    def _not_theirs(self, made: Mapping[str, tuple[int, Change]]) -> Iterator[Result]:
        """Refuses what a target takes for a new account, by what that says of its owner, and somebody is known to have.

        Args:
            made: Anchor → (item's id, change).
        """
        accounts = tables.known_accounts.c
        query = select(accounts.anchor, accounts.person_id).where(accounts.target == self.name)
        with self.database.read() as connection:
            known = connection.execute(query.where(accounts.anchor.in_(made))).all()
        for anchor, holder in known:
            item_id, change = made[anchor]
            if holder != change.person:
                words = f"the account that bears their mark there is known to be {holder}'s: take the mark away"
                yield Result(item_id, Rejected(words), change.subject)

    def _run(self, work: Sequence[tuple[Item, Change]], confirmed: Confirmed) -> Iterator[Result]:
        """Runs what follows changes to accounts, as these are now."""
        scripts = self.scripts or Scripts(self.database, self.name, {}, Path(), self.vault, self.clock)
        accounts = confirmed.accounts
        yield from scripts.deliver([(item, change, accounts.get(change.person or "")) for item, change in work])

    def record(self, connection: Connection, results: Sequence[Result]) -> None:
        """Writes known state and audit in the transaction that finishes the items."""
        for result in results:
            if result.error is not None:  # by its kind only: the words of targets can hold people's data
                tell = log.warning if result.state is State.DEAD else log.info
                tell("item.failed", item=result.item_id, target=self.name, error=type(result.error).__name__)
        delivered = [result.value for result in results if isinstance(result.value, Delivered) and result.error is None]
        regained = came_back(connection, self.name, delivered)
        delivered += regained
        has_run = [result.value for result in results if isinstance(result.value, Ran)]
        if delivered or has_run:
            # First of all: from here on nobody else writes down what this target confirmed, so that the audit's ids
            # have the order in which they are committed, target by target (`state.outcomes.mark_confirmed`).
            count_confirmed(connection, self.name, len(delivered) + len(has_run))
        day = today(self.clock, self.time_zone)
        known = [(one, outcome_of(one, self.name, day, self.vault.seal)) for one in delivered]
        gone_for_good = [each.value for each in results if isinstance(each.value, NotRestored)]
        forget_recycled(connection, self.name, (each.person for each in gone_for_good))
        outdated = (each.value.person for each in results if isinstance(each.value, Outdated))
        protected = self._note_protected(connection, results)
        again = chain(_overtaken(results), (each.person for each in gone_for_good), outdated, protected)
        made = _made_in_part(known) | self._may_be_completed(connection, delivered)
        made |= {one.change.person or "" for one in regained}
        look_again(connection, chain(again, made), on=self._days(known, day))
        end_answered(connection, (one.change for one in delivered))
        self._note_passwords(connection, delivered, results)
        note_scripts(connection, self.vault, self.name, delivered, results)
        if not delivered and not has_run:
            return
        now = self.clock.now().isoformat()
        by_version: dict[str, list[Known]] = {}
        for one, after in known:
            by_version.setdefault(self._ruleset_version(connection, one.item.plan_id), []).append((one, after))
        for version, portion in by_version.items():
            confirmed = confirmations(portion)
            if self.target.capabilities.soft_delete:
                confirmed.recycled += [(person_id, account, day) for person_id, account in deleted(portion)]
            confirm(connection, self.name, confirmed, version)
        warnings = (self._warning(one, now) for one in delivered if one.warning is not None)
        entries = chain((self._audit_entry(*one, now) for one in known), warnings, map(self._audit_of_run, has_run))
        append_audit(connection, self.vault, entries)
        mark_confirmed(connection, self.name)

    def _note_protected(self, connection: Connection, results: Sequence[Result]) -> set[str]:
        """Notes what the target will not have changed; returns who is to be looked at again for it."""
        found = [each.value for each in results if isinstance(each.value, FoundProtected)]
        things = [(one.kind, one.name) for one in found]
        note_protected(connection, self.name, things)
        now = self.clock.now().isoformat()
        entries = audited_protection(things, protected=True, target=self.name, at=now, actor="eadm-sync", run_id=None)
        append_audit(connection, self.vault, entries)
        return {one.subject for one in found}

    def _given_passwords(
        self, items: Sequence[Item], changes: dict[int, Change], refused: Container[int]
    ) -> tuple[dict[int, Password], dict[int, Refusal]]:
        """Passwords by item, for those changes that bring one along; and why one has none."""
        if not self.target.capabilities.passwords:
            return {}, {}
        runs = {item.id: item.run_id for item in items}
        wanted = {
            item_id: (change, runs[item_id])
            for item_id, change in changes.items()
            if gives_password(change) and item_id not in refused
        }
        return self.passwords.of(self.database, self.vault, self.clock, wanted)

    def _note_passwords(
        self, connection: Connection, delivered: Sequence[Delivered], results: Sequence[Result]
    ) -> None:
        """Writes down which passwords have reached the target, and which are none any more."""
        if not self.target.capabilities.passwords:
            return
        entries = note_outcomes(
            connection,
            self.clock,
            self.name,
            taken=[(one.change, one.item.run_id) for one in delivered if gives_password(one.change)],
            refused=[each.value for each in results if is_weak(each.error) and isinstance(each.value, str)],
            deleted=[
                one.change.person or ""
                for one in delivered
                if one.change.kind is Kind.ACCOUNT and one.change.action is Action.DELETE
            ],
        )
        append_audit(connection, self.vault, entries)

    def _unpack(self, items: Sequence[Item]) -> tuple[dict[int, Change], list[Result]]:
        changes: dict[int, Change] = {}
        unreadable: list[Result] = []
        for item in items:
            try:
                changes[item.id] = unpack(item.payload, item.format, self.vault)
            except StateError as error:
                unreadable.append(Result(item.id, error, item.subject))
        return changes, unreadable

    def _confirmed(self, connection: Connection, changes: Collection[Change]) -> Confirmed:
        people = {change.person for change in changes if change.person is not None}
        named = {key for change in changes for key in (change.group, change.member) if key is not None}
        keys = {(self.name, key) for key in named}
        groups = load_groups(connection, keys) if keys else {}
        returning = [change.person for change in changes if change.action is Action.RESTORE and change.person]
        return Confirmed(
            accounts=load_accounts(connection, self.name, people),
            groups={key: group for (target, key), group in groups.items() if target == self.name},
            recycled=dict(load_recycled(connection, returning, self.name)) if returning else {},
        )

    def _guarded(self, connection: Connection, changes: dict[int, Change], confirmed: Confirmed) -> dict[int, Refusal]:
        """Changes to what is protected, and adoptions of what is not to be had (any more), by item."""
        scope, vault = self.guarding.scope, self.vault
        free = StillFree(connection, self.name, self.target, confirmed, scope, vault.open, vault.digest)
        return self.guarding.refused(self.target, changes, confirmed, free, self.clock.now())

    def _refused(self, connection: Connection, changes: dict[int, Change], confirmed: Confirmed) -> dict[int, Refusal]:
        """Changes that must not be carried out (any more), or deletions that cannot be looked at again, by item."""
        refused: dict[int, Refusal] = {}
        refuse_stopped = not_stopped(connection, changes.values())
        day = today(self.clock, self.time_zone)
        for item_id, change in changes.items():
            account = confirmed.accounts.get(change.person or "")
            try:
                refuse_stopped(change)
                if change.action is not Action.DELETE:
                    continue
                if change.kind is Kind.ACCOUNT and account is not None:
                    deletion_is_due(connection, change.person or "", account, settings=self.settings, today=day)
                    still_disabled(self.target, account)
                elif change.kind is Kind.GROUP:
                    still_empty(connection, self.name, change.group or "")
            except (Stale, Rejected) as error:
                refused[item_id] = error
        return refused

    def _result(
        self, outcome: Outcome, by_id: dict[int, Item], changes: dict[int, Change], confirmed: Confirmed
    ) -> Result:
        item_id = int(outcome.operation_id.rpartition("/")[2])
        if outcome.error is not None:
            lost = changes[item_id].action is Action.RESTORE and isinstance(outcome.error, _PERMANENT)
            subject = by_id[item_id].subject
            error = as_the_queue_has_it(_explained(outcome.error, changes[item_id], self.name))
            return Result(item_id, error, NotRestored(subject) if lost else _about(error, changes[item_id], subject))
        if outcome.warning is not None:
            log.warning("target.warned", target=self.name, item=item_id)  # its words can hold values: see the audit
        return Result(item_id, None, self._delivered(by_id[item_id], changes[item_id], confirmed, outcome))

    def _delivered(self, item: Item, change: Change, confirmed: Confirmed, outcome: Outcome | None) -> Delivered:
        """What came of an item; the outcome is None where nothing was asked of the target."""
        before: KnownAccount | KnownGroup | None = None
        if change.kind is Kind.ACCOUNT:
            held = confirmed.recycled if change.action is Action.RESTORE else confirmed.accounts
            before = held.get(change.person or "")
        elif change.kind is Kind.GROUP:
            before = confirmed.groups.get(change.group or "")
        if outcome is None:
            return Delivered(item, change, before, None)
        return Delivered(item, change, before, outcome.anchor, outcome.attributes, outcome.warning, outcome.regained)

    def _may_be_completed(self, connection: Connection, delivered: Iterable[Delivered]) -> set[str]:
        """Who came to lead a group that was made in part: for want of somebody who leads it, perhaps."""
        led = {
            (self.name, one.change.group or ""): one.change.person or ""
            for one in delivered
            if one.change.kind is Kind.MEMBERSHIP and one.change.action is Action.CREATE and one.change.role != "member"
        }
        groups = load_groups(connection, set(led)) if led else {}
        return {led[key] for key, group in groups.items() if _is_in_part(group)}

    def _days(self, known: Sequence[Known], day: date) -> dict[str, date]:
        """People who are looked at again on a day, if not before; daily, where something still cannot be had."""
        in_vain = {
            one.change.person or "": day + timedelta(days=1)
            for one, after in known
            if one.change.action is Action.UPDATE and isinstance(after, KnownAccount) and _is_in_part(after)
        }
        return {**self._retained_until(known), **in_vain}

    def _retained_until(self, known: Iterable[Known]) -> dict[str, date]:
        """People who are looked at again on the day their account may be deleted: only now is that day certain.

        Not for other changes to an account that was deactivated before: whoever planned them knew the day, and may have
        given the account again with the very next change.
        """
        return {
            one.change.person or "": delete_on(after.deactivated_on, self.settings)
            for one, after in known
            if isinstance(after, KnownAccount)
            and after.deactivated_on is not None
            and after.deactivated_on != _deactivated_before(one)
        }

    def _ruleset_version(self, connection: Connection, plan_id: str | None) -> str:
        """The ruleset that an item's plan was made with."""
        if plan_id is None:
            return ""
        if plan_id not in self._versions:
            basis = connection.scalar(select(tables.plans.c.basis).where(tables.plans.c.id == plan_id))
            self._versions[plan_id] = msgspec.json.decode(basis, type=Basis).ruleset if basis else ""
        return self._versions[plan_id]

    def _warning(self, one: Delivered, now: str) -> AuditEntry:
        """What a target had to say to a change that it carried out."""
        told = msgspec.structs.replace(one.change, attributes={}, container=None, reason=one.warning or "")
        return msgspec.structs.replace(self._audit_entry(one, None, now), action=WARN, detail=encode(told))

    def _audit_of_run(self, one: Ran) -> AuditEntry:
        """That a program was run, whatever came of it: what it was told of somebody was told."""
        change, outcome = one.change, one.outcome
        said = self.vault.seal(outcome.output, OUTPUT) if outcome.output else None
        return AuditEntry(
            at=outcome.at,
            run_id=one.item.run_id,
            actor="eadm-sync",
            target=self.name,
            kind=change.kind,
            action=RAN if one.error is None else FAILED,
            object=change.object_key,
            person_id=change.person,
            detail=encode(ran(change, outcome.code, said)),
        )

    def _audit_entry(self, one: Delivered, after: Image, now: str) -> AuditEntry:
        change = one.change
        return AuditEntry(
            at=now,
            run_id=one.item.run_id,
            actor="eadm-sync",
            target=self.name,
            kind=change.kind,
            action=change.action,
            object=change.object_key,
            person_id=change.person,
            detail=encode(audited(change, None if change.action is Action.RESTORE else one.before, after)),
        )


def _explained(error: ConnectorError, change: Change, target: str) -> ConnectorError:
    """The error; of something that is gone, one that says what to do."""
    makes = change.action in {Action.CREATE, Action.RESTORE} and change.kind in {Kind.ACCOUNT, Kind.GROUP}
    return Gone(error, target) if isinstance(error, NotFound) and not makes else error


def _about(error: BaseException, change: Change, subject: str) -> FoundProtected | str:
    """What `record` needs of a change that failed.

    A refused change to who is in a group, or to a group's place in another one, is about that group: to an account that
    is protected itself, it is allowed by every target that is known.
    """
    if not isinstance(error, Protected):
        return subject
    if change.group is not None:
        return FoundProtected(Kind.GROUP, change.group, subject)
    return FoundProtected(Kind.ACCOUNT, change.person or "", subject)


def _made_in_part(known: Iterable[Known]) -> set[str]:
    """Whose new account lacks something that was left out: the next run asks for it again."""
    return {
        one.change.person or ""
        for one, after in known
        if one.change.action is Action.CREATE and isinstance(after, KnownAccount) and _is_in_part(after)
    }


def _is_in_part(one: KnownAccount | KnownGroup) -> bool:
    return any(was_left_out(asked, stored) for asked, stored in one.altered.values())


def _deactivated_before(one: Delivered) -> date | None:
    return one.before.deactivated_on if isinstance(one.before, KnownAccount) else None


def _overtaken(results: Iterable[Result]) -> Iterator[str]:
    """Those whose plan was overtaken are looked at again by the next run, which replaces the dead letter."""
    return (each.value for each in results if isinstance(each.error, Stale) and isinstance(each.value, str))


def _operation_id(item: Item) -> str:
    """The same for every attempt at an item, and for no other item."""
    return f"{item.run_id or ''}/{item.id}"
