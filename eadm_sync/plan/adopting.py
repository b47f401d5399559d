"""Accounts and groups that are in a target already, as a plan takes them under management. Pure but for what it asks.

What is adopted is treated as known from then on: the change `adopt` stands first, and what the rules say otherwise
follows as updates. So whatever stands in it that no rule sets stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from connectors.contract import Action, Kind, RemoteObject
from connectors.contract import Value as PlainValue
from eadm_sync.correlation import Seen, Verdict
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup
from eadm_sync.errors import EadmError
from eadm_sync.identifiers import Identifiers
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.plan.differences import initial_only
from eadm_sync.ruleset import Form, IdentifierRule, TargetWords
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

_MARK = "\0"
"""Stands for a name while the text around it is looked for; no name holds it."""


class Undecided(EadmError):
    """Somebody's account in `target` may be there already, and nobody can say yet: `reason`.

    `waits`: because somebody has to decide; not, because something failed.
    """

    def __init__(self, target: str, reason: str, *, waits: bool = False) -> None:
        super().__init__(f"{target}: {reason}")
        self.target = target
        self.reason = reason
        self.waits = waits


class Existing(Protocol):
    """What a target holds that is not ours, read when it is first asked for.

    Every method raises Undecided where the target cannot be read.
    """

    def verdict(self, person_id: str) -> Verdict | None:
        """What is to become of the account that somebody has there; None where nothing is like theirs."""
        ...

    def holdings(self) -> Iterable[tuple[str, Mapping[str, PlainValue]]]:
        """(whose it is, or is to be; "" for nobody, what it is called by) of every account that is not known."""
        ...

    def group(self, name: str) -> RemoteObject | None:
        """The group of that name that may be taken under management; None where there is none."""
        ...


class Matched(msgspec.Struct):
    """What somebody already has, of all that they shall have.

    Attributes:
        known: What is known of them, with what is adopted.
        changes: The adoptions.
        waiting: Target → why they get no account there yet.
        asked: Those of them for which somebody has to decide.
        left: Targets in which they have an account that is left alone.
    """

    known: Known
    changes: list[Change] = []
    waiting: dict[str, str] = {}
    asked: set[str] = set()
    left: set[str] = set()


class Adopting(msgspec.Struct, frozen=True):
    """Takes what is there under management.

    Attributes:
        existing: By target; those without correlation are left out.
        words: What each target's accounts and groups are called by.
        seal: (target, attributes) → the same, with sensitive values sealed.
        seal_value: (plain value, attribute) → sealed value.
    """

    existing: Mapping[str, Existing]
    words: Mapping[str, TargetWords]
    seal: Callable[[str, dict[str, PlainValue]], Mapping[str, Value]]
    seal_value: Callable[[str, str], Sealed]

    def strangers(self, target: str) -> Iterable[tuple[str, Mapping[str, PlainValue]]]:
        """As `identifiers.Strangers`; raises Undecided."""
        existing = self.existing.get(target)
        return () if existing is None else existing.holdings()

    def names(self, rule: IdentifierRule, person_id: str, known: Known) -> Iterator[str]:
        """What the person's accounts that nobody manages yet are called, as this identifier has it.

        Raises:
            Undecided: An account may be theirs, so that its name may be, too.
        """
        for form in rule.forms:
            if form.target not in self.existing or _has(known, form.target):
                continue
            verdict = self.existing[form.target].verdict(person_id)
            if verdict is not None:
                theirs = verdict.theirs
                if theirs is None:
                    raise Undecided(form.target, described(verdict), waits=True)
                name = name_within(form, theirs.remote.attributes.get(form.attribute))
                if name is not None:
                    yield name

    def accounts(self, person_id: str, desired: Desired, known: Known) -> Matched:
        """What of the accounts that somebody shall have is there already."""
        matched = Matched(known)
        accounts = dict(known.accounts)
        for account in desired.accounts:
            existing = self.existing.get(account.target)
            if existing is None or _has(known, account.target):
                continue
            try:
                verdict = existing.verdict(person_id)
            except Undecided as undecided:
                matched.waiting[account.target] = undecided.reason
                continue
            if verdict is None:
                continue
            if verdict.adopted is not None:
                accounts[account.target] = self._taken(account, verdict.adopted)
                matched.changes.append(self._adoption(person_id, accounts[account.target], verdict))
            elif verdict.theirs is not None:
                matched.left.add(account.target)
            else:
                matched.waiting[account.target] = described(verdict)
                matched.asked.add(account.target)
        if matched.changes:
            matched.known = msgspec.structs.replace(known, accounts=accounts)
        return matched

    def group(self, desired: DesiredGroup) -> tuple[KnownGroup, Change] | None:
        """A group of the same name that is there already, with its adoption; raises Undecided."""
        existing = self.existing.get(desired.target)
        word = self.words[desired.target].group_name
        name = desired.attributes.get(word)
        remote = existing.group(name) if existing is not None and isinstance(name, str) else None
        if remote is None:
            return None
        untouched = initial_only(desired.policies, desired.attributes)
        held = {one: remote.attributes[one] for one in desired.attributes if _is_held(remote, one, untouched)}
        known = KnownGroup(desired.target, desired.key, remote.anchor, remote.container, {**held}, desired.rule)
        change = Change(
            desired.target,
            Kind.GROUP,
            Action.ADOPT,
            group=desired.key,
            attributes={one: (None, value) for one, value in held.items()},
            container=(None, remote.container) if remote.container is not None else None,
            rule=desired.rule,
            reason="found by its name",
            anchor=remote.anchor,
            found_by={word: remote.attributes.get(word)},
        )
        return known, change

    def _taken(self, account: DesiredAccount, seen: Seen) -> KnownAccount:
        """The account as it is known once it is adopted: what no rule sets is not our concern."""
        remote = seen.remote
        untouched = initial_only(account.policies, account.attributes)
        held = {one: remote.attributes[one] for one in account.attributes if _is_held(remote, one, untouched)}
        return KnownAccount(
            account.target,
            remote.anchor,
            remote.container,
            remote.enabled is not False,
            dict(self.seal(account.target, held)),
            account.rule,
            None,
        )

    def _adoption(self, person_id: str, account: KnownAccount, verdict: Verdict) -> Change:
        """The change; it says by what the account is found again when it is delivered."""
        seen = verdict.accounts[0]
        found_by: dict[str, Value] = {self.words[account.target].account_name or "": seen.name}
        matching = seen.remote.attributes.get(verdict.rule)
        if isinstance(matching, str | int):
            sealed = isinstance(matching, str) and verdict.sensitive
            found_by[verdict.rule] = self.seal_value(str(matching), verdict.rule) if sealed else matching
        return Change(
            account.target,
            Kind.ACCOUNT,
            Action.ADOPT,
            person=person_id,
            attributes={name: (None, value) for name, value in account.attributes.items()},
            container=(None, account.container) if account.container is not None else None,
            enabled=account.enabled,
            rule=account.rule,
            reason=f"{seen.name}, {verdict.reason}",
            anchor=account.anchor,
            found_by=found_by,
        )


def adopted_name(
    adopting: Adopting,
    identifiers: Identifiers,
    rule: IdentifierRule,
    person_id: str,
    known: Known,
    keeps: Callable[[str], bool] | None = None,
) -> str | None:
    """Allocates the name by which somebody's account is called already; None where there is none, or they have one.

    With `keeps`, a name for which it is false is let go.

    Raises:
        Undecided: An account may be theirs.
        NameTaken: The name is somebody else's.
    """
    if not adopting.existing or identifiers.has_any(person_id, rule.name):
        return None
    names = adopting.names(rule, person_id, known)
    name = next(names if keeps is None else filter(keeps, names), None)
    return None if name is None else identifiers.take(person_id, rule.name, name)


def name_within(form: Form, value: PlainValue) -> str | None:
    """The name that an attribute holds in this form: "kari" of "kari@kommune.no"; None where it has another form."""
    whole = form.render(_MARK)
    if not isinstance(value, str) or not isinstance(whole, str) or whole.count(_MARK) != 1:
        return None
    head, _, tail = whole.partition(_MARK)
    name = value[len(head) : len(value) - len(tail)]
    again = form.render(name) if name else None
    return name if isinstance(again, str) and again.casefold() == value.casefold() else None


def _has(known: Known, target: str) -> bool:
    return target in known.accounts or target in known.recycled


def _is_held(remote: RemoteObject, name: str, untouched: frozenset[str]) -> bool:
    return name not in untouched and remote.attributes.get(name) is not None


def described(verdict: Verdict) -> str:
    """Why somebody waits for an account, in words for people."""
    names = ", ".join(seen.name for seen in verdict.accounts)
    decide = "decide with 'eadm-sync correlate accept', 'reject' or 'leave'"
    return f"has an account there, perhaps ({names}): {verdict.reason}; see 'eadm-sync correlate', {decide}"
