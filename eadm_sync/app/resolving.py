"""Finds out which accounts a target has made, or deleted, unheard, and puts known state right before a plan is made.

A change whose answer was lost is sent again, so that mostly nobody has to look. But where a newer plan took its place,
nothing would ask again: somebody who left while their account was being made would have one that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, RemoteObject, Target
from connectors.errors import ConnectorError, Rejected, Transient
from eadm_sync.app.context import Context
from eadm_sync.clock import today
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.events import get_logger
from eadm_sync.plan.audited import Image, audited, encode
from eadm_sync.plan.change import Change
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.database import Database
from eadm_sync.state.doubts import GONE, MADE, Doubt, end_doubts, load_doubts
from eadm_sync.state.known import KnownAccount, load_accounts, load_recycled
from eadm_sync.state.outcomes import Confirmations, confirm, count_confirmed, mark_confirmed
from exportqueue import State

log = get_logger(__name__)

_REASONS = {MADE: "made, though no answer came", GONE: "deleted, though no answer came"}


@dataclass(frozen=True)
class _Case:
    """Somebody's account in one target of which it is in doubt whether it is there.

    Attributes:
        person: Id of whose it is.
        doubt: The doubt.
        account: The account as it is known; for MADE, as it was when it went into the recycle bin, or None.
    """

    person: str
    doubt: Doubt
    account: KnownAccount | None

    def name(self, word: str) -> str:
        """What it is called; "" where nobody knows."""
        value = self.account.attributes.get(word) if self.account else None
        return self.doubt.name or (value if isinstance(value, str) else "")


def naming_words(context: Context) -> dict[tuple[str, Kind], str]:
    """(target, ACCOUNT or GROUP) → the attribute that such an object is called by there."""
    targets = context.vocabulary.targets.items()
    accounts = {(name, Kind.ACCOUNT): words.account_name for name, words in targets if words.account_name}
    return accounts | {(name, Kind.GROUP): words.group_name for name, words in targets}


def resolve_doubts(
    context: Context, database: Database, run_id: str, people: Collection[str] | None = None
) -> dict[str, str]:
    """Looks for the accounts of everybody, or of some people, of which it is in doubt whether they are there.

    For some people it is done at once, and what was asked for a moment ago may still come: an account that is not there
    yet stays in doubt until everybody's are looked for.

    Returns:
        Target → why it did not say so of all of them; the next time it is asked again.

    Raises:
        StateError: The state cannot be used.
    """
    with database.read() as connection:
        cases = _cases(connection, people)
    silent: dict[str, str] = {}
    for target in sorted(cases.keys() & context.loaded.settings.targets.keys()):
        look = _Look()
        try:
            with context.make_target(target) as opened:
                look.keeps_deleted = opened.capabilities.soft_delete
                look.at(opened, cases[target])
        except ConnectorError as error:
            look.fault = error
        if look.fault is not None:
            silent[target] = str(look.fault)
            log.warning("doubts.unresolved", target=target, error=type(look.fault).__name__)
        if look.seen:
            with database.write() as connection:
                settled = look.seen if people is None else [one for one in look.seen if not _may_come(*one)]
                _Resolving(context, connection, target, run_id, look.keeps_deleted).take(settled)
    return silent


@dataclass
class _Look:
    """What was seen in one target.

    Attributes:
        seen: Each case with the account as it is there; None where it is not.
        keeps_deleted: Whether the target has a recycle bin.
        fault: Why the target did not say all.
    """

    seen: list[tuple[_Case, RemoteObject | None]] = field(default_factory=list)
    keeps_deleted: bool = False
    fault: ConnectorError | None = None

    def at(self, target: Target, cases: Iterable[_Case]) -> None:
        """Looks for the accounts; that one search fails keeps nobody from the others."""
        for case in cases:
            try:
                self.seen.append((case, _seen(target, case)))
            except (Rejected, Transient) as error:
                self.fault = error


def _cases(connection: Connection, people: Collection[str] | None) -> dict[str, list[_Case]]:
    """What is to be looked for, by target."""
    found: dict[str, list[_Case]] = {}
    for person, doubts in sorted(load_doubts(connection, people).items()):
        for doubt in sorted(one for one in doubts if one.kind is Kind.ACCOUNT):
            if doubt.aspect == GONE:
                account = load_accounts(connection, doubt.target, [person]).get(person)
            elif doubt.aspect == MADE:
                account = dict(load_recycled(connection, [person], doubt.target)).get(person)
            else:
                continue
            found.setdefault(doubt.target, []).append(_Case(person, doubt, account))
    return found


def _seen(target: Target, case: _Case) -> RemoteObject | None:
    """The account as it is there; None where it is not."""
    word = target.capabilities.account_name
    name = case.name(word)
    for one in target.find(Kind.ACCOUNT, {word: name}) if name else ():
        is_theirs = one.owner == case.person if case.doubt.aspect == MADE else _is(one, case.account)
        if is_theirs and not one.deleted:
            return one
    return None


def _may_come(case: _Case, one: RemoteObject | None) -> bool:
    return case.doubt.aspect == MADE and one is None


def _is(one: RemoteObject, account: KnownAccount | None) -> bool:
    return account is not None and one.anchor == account.anchor


@dataclass(frozen=True)
class _Resolving:
    """Writes down what was seen in one target, in the caller's transaction."""

    context: Context
    connection: Connection
    target: str
    run_id: str
    keeps_deleted: bool

    def take(self, seen: Iterable[tuple[_Case, RemoteObject | None]]) -> None:
        """Ends doubts, and writes down the accounts that were not as known."""
        self.context.queue.hold_up(self.connection)  # from here on no worker writes down what it has delivered
        still = [(case, one) for case, one in seen if self._stands(case)]
        changed = list(self._changed(still))
        if changed:
            count_confirmed(self.connection, self.target, len(changed))
            day = today(self.context.clock, self.context.loaded.settings.organisation.zone)
            confirmed = Confirmations()
            for person, before, after in changed:
                if after is not None:
                    confirmed.accounts.append((person, after))
                elif before is not None:
                    confirmed.accounts_gone.append(person)
                    if self.keeps_deleted:
                        confirmed.recycled.append((person, before, day))
            confirm(self.connection, self.target, confirmed, "")
            append_audit(self.connection, self.context.vault, [self._entry(*one) for one in changed])
            mark_confirmed(self.connection, self.target)
        for case, _ in still:
            end_doubts(self.connection, {case.person: frozenset({case.doubt})})
        look_again(self.connection, [person for person, _, _ in changed])

    def _stands(self, case: _Case) -> bool:
        """Whether the doubt was not ended meanwhile, and nothing is being done about it at this moment."""
        doubts = load_doubts(self.connection, [case.person]).get(case.person, ())
        queued = self.context.queue.unfinished(self.connection, [case.person])
        return case.doubt in doubts and not any(
            item.target == self.target and item.state is State.RUNNING for item in queued
        )

    def _changed(
        self, seen: Iterable[tuple[_Case, RemoteObject | None]]
    ) -> Iterator[tuple[str, KnownAccount | None, KnownAccount | None]]:
        """(person, account as known, account as it is) of those that are otherwise."""
        for case, one in seen:
            known = load_accounts(self.connection, self.target, [case.person]).get(case.person)
            if case.doubt.aspect == MADE and one is not None and known is None and self._is_free(one):
                yield case.person, None, self._made(case, one)
            elif case.doubt.aspect == GONE and one is None and known is not None:
                yield case.person, known, None

    def _is_free(self, one: RemoteObject) -> bool:
        """Whether nobody is known to have it: what it says of its owner may be older than what we know."""
        accounts = tables.known_accounts.c
        holder = select(accounts.person_id).where(accounts.target == self.target, accounts.anchor == one.anchor)
        return self.connection.scalar(holder) is None

    def _made(self, case: _Case, one: RemoteObject) -> KnownAccount:
        """The account with what is certain about it: the rest is asked for again by whoever gives it."""
        word = naming_words(self.context)[self.target, Kind.ACCOUNT]
        before = case.account or KnownAccount(
            self.target, one.anchor, None, enabled=False, attributes={}, rule="", deactivated_on=None
        )
        return msgspec.structs.replace(
            before,
            anchor=one.anchor,
            container=one.container,
            enabled=one.enabled is not False,
            attributes={**before.attributes, word: one.attributes.get(word)},
            deactivated_on=None,
        )

    def _entry(self, person: str, before: Image, after: Image) -> AuditEntry:
        """The line that says how known state came to be so."""
        aspect, action = (MADE, Action.CREATE) if before is None else (GONE, Action.DELETE)
        image = after or before
        change = Change(
            self.target,
            Kind.ACCOUNT,
            action,
            person=person,
            enabled=after.enabled if isinstance(after, KnownAccount) else None,
            rule=image.rule if image else "",
            reason=_REASONS[aspect],
        )
        return AuditEntry(
            at=self.context.clock.now().isoformat(),
            run_id=self.run_id,
            actor="eadm-sync",
            target=self.target,
            kind=change.kind,
            action=action,
            object=change.object_key,
            person_id=person,
            detail=encode(audited(change, before, after)),
        )
