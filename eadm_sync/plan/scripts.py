"""The programs that are run after changes to accounts: what a plan's changes ask for, and what is still owed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount
from eadm_sync.plan.change import Change, Script, Value
from eadm_sync.ruleset.rules import AccountRule, After
from eadm_sync.state.known import Known, KnownAccount
from eadm_sync.state.scripts import KnownScript

EXISTING = "existing"
"""The event of an account that was there before its rule asked for the script."""

_ACTIONS = {
    "create": Action.CREATE,
    EXISTING: Action.CREATE,
    "restore": Action.RESTORE,
    "enable": Action.ENABLE,
    "disable": Action.DISABLE,
    "rename": Action.UPDATE,
    "delete": Action.DELETE,
}

Render = Callable[[After, DesiredAccount | None, Mapping[str, Value], str], tuple[str | None, ...]]
"""(script, account that the rules give or None, what the account holds, event) -> arguments."""

KnownScripts = Mapping[tuple[str, str], KnownScript]
"""By (target, name of the script)."""


@dataclass(frozen=True)
class Asked:
    """What is to be run for one person.

    Attributes:
        changes: All changes of the person, with what is owed by each account's, and the scripts behind them.
        faults: What cannot be run, by target, in words for people.
    """

    changes: tuple[Change, ...]
    faults: tuple[tuple[str, str], ...] = ()


def written(script: Script) -> str:
    """A script as the state keeps what is owed."""
    return msgspec.json.encode(script).decode()


def is_outdated(event: str, account: KnownAccount | None) -> bool:
    """Whether an account is known to be otherwise than a script that follows an event takes it to be.

    Whoever came back must not lose the home directory to a script that was to run when they left.
    """
    match event:
        case "delete":
            return account is not None
        case "disable":
            return account is None or account.enabled
        case "enable":
            return account is None or not account.enabled
    return account is None


def with_scripts(
    person_id: str,
    changes: Sequence[Change],
    desired: Desired,
    known: Known,
    scripts: KnownScripts,
    *,
    rules: Mapping[str, AccountRule],
    names: Mapping[str, str | None],
    render: Render,
) -> Asked:
    """Adds to a person's changes the scripts that follow them, those still owed, and those of existing accounts.

    Args:
        person_id: Whose they are.
        changes: Those of accounts, groups and licences.
        desired: What the rules give.
        known: What the targets are known to hold.
        scripts: What is known of the person's scripts.
        rules: Account rules by id.
        names: Target → the attribute that accounts are called by.
        render: Renders a script's arguments.
    """
    return _Asking(person_id, changes, desired, known, scripts, rules, names, render).asked()


class _Asking:
    def __init__(
        self,
        person_id: str,
        changes: Sequence[Change],
        desired: Desired,
        known: Known,
        scripts: KnownScripts,
        rules: Mapping[str, AccountRule],
        names: Mapping[str, str | None],
        render: Render,
    ) -> None:
        self._person = person_id
        self._changes = changes
        self._accounts = {account.target: account for account in desired.accounts}
        self._known = known
        self._scripts = scripts
        self._rules = rules
        self._names = names
        self._render = render
        made = [change for change in changes if change.kind is Kind.ACCOUNT]
        self._ending = {(one.target, event) for one in made for event in _OUTDATED_BY.get(one.action, ())}
        self._faults: list[tuple[str, str]] = []
        self._found: dict[tuple[str, str], Change] = {}

    def asked(self) -> Asked:
        changes = [self._followed(change) for change in self._changes]
        for change in self._still_owed():
            self._found.setdefault(_place(change), change)
        for change in self._for_existing():
            self._found.setdefault(_place(change), change)
        return Asked((*changes, *self._found.values()), tuple(dict.fromkeys(self._faults)))

    def _followed(self, change: Change) -> Change:
        """An account's change with the scripts that it owes; other changes as they are."""
        event = self._event(change) if change.kind is Kind.ACCOUNT else None
        rule = self._rules.get(change.rule)
        if event is None or rule is None:
            return change
        owed: list[Script] = []
        for after in rule.after:
            script = self._made(after, change, event) if event in after.on else None
            if script is not None:
                owed.append(script)
                self._found[change.target, script.name] = self._change(
                    change.target, script, change.rule, f"after {event}", urgent=change.urgent
                )
            elif event in after.on and event != "delete" and change.target in self._accounts:
                # owed all the same: every run tells of it, until its arguments can be made
                owed.append(Script(after.name, after.script, event))
        return msgspec.structs.replace(change, scripts=tuple(owed)) if owed else change

    def _event(self, change: Change) -> str | None:
        """What a change to an account is for scripts; None where it is nothing to them."""
        if change.action is Action.UPDATE:
            former, _ = change.attributes.get(self._names.get(change.target) or "", (None, None))
            return "rename" if former is not None else None
        if change.action is Action.DISABLE:
            account = self._known.accounts.get(change.target)
            return "disable" if change.deactivates or change.urgent or (account and account.enabled) else None
        return change.action.value if change.action in _EVENTFUL else None

    def _still_owed(self) -> Iterator[Change]:
        """What a former change asked for, and was not done; rendered anew where the rules give the account."""
        for (target, name), one in self._scripts.items():
            if one.owed is None:
                continue
            owed = msgspec.json.decode(one.owed, type=Script)
            account, desired = self._known.accounts.get(target), self._accounts.get(target)
            rule = self._rules.get(desired.rule if desired else account.rule if account else one.rule)
            after = next((each for each in rule.after if each.name == name), None) if rule else None
            ends = (target, owed.event) in self._ending
            if after is None or rule is None or ends or is_outdated(owed.event, account):
                continue
            fresh = owed
            if desired is not None and owed.event != "delete":
                rendered = self._rendered(after, target, self._held(target), owed.event)
                if rendered is None:
                    continue
                fresh = Script(name, after.script, owed.event, rendered)
            if after.guarded and not fresh.arguments:  # they never could be made, and now nothing gives them
                continue
            yield self._change(target, fresh, rule.id, f"after {owed.event}, not done yet")

    def _for_existing(self) -> Iterator[Change]:
        """Scripts that existing accounts are to have run, and did not."""
        for target, account in self._known.accounts.items():
            desired = self._accounts.get(target)
            rule = self._rules.get(desired.rule) if desired else None
            for after in rule.after if rule else ():
                one = self._scripts.get((target, after.name))
                is_done = one is not None and (one.owed is not None or (one.outcome and one.outcome.code == 0))
                if not after.existing or is_done or account.deactivated_on is not None:
                    continue
                rendered = self._rendered(after, target, self._held(target), EXISTING)
                if rendered is not None and rule is not None:
                    script = Script(after.name, after.script, EXISTING, rendered)
                    yield self._change(target, script, rule.id, "the account was there before")

    def _made(self, after: After, change: Change, event: str) -> Script | None:
        held = self._held(change.target, change)
        rendered = self._rendered(after, change.target, held, event)
        return None if rendered is None else Script(after.name, after.script, event, rendered)

    def _rendered(self, after: After, target: str, held: Mapping[str, Value], event: str) -> tuple[str, ...] | None:
        """A script's arguments, None after noting why there are none."""
        made = self._render(after, self._accounts.get(target), held, event)
        fault = after.fault(made)
        if fault is not None:
            self._faults.append((target, f"the script '{after.name}' cannot be run: {fault}"))
            return None
        return tuple(argument or "" for argument in made)

    def _held(self, target: str, change: Change | None = None) -> dict[str, Value]:
        """What an account holds once a change is made; without one, once all of the plan's are."""
        known = self._known.accounts.get(target) or self._known.recycled.get(target)
        held: dict[str, Value] = dict(known.attributes) if known else {}
        made = [one for one in self._changes if one.kind is Kind.ACCOUNT and one.target == target]
        for one in made if change is None or change.action is not Action.DELETE else ():
            held.update((name, new) for name, (_, new) in one.attributes.items())
        return held

    def _change(self, target: str, script: Script, rule: str, reason: str, *, urgent: bool = False) -> Change:
        return Change(
            target,
            Kind.SCRIPT,
            _ACTIONS[script.event],
            person=self._person,
            rule=rule,
            reason=reason,
            urgent=urgent,
            script=script,
        )


_OUTDATED_BY: Mapping[Action, tuple[str, ...]] = {
    Action.CREATE: ("delete",),
    Action.RESTORE: ("delete",),
    Action.ENABLE: ("disable",),
    Action.DISABLE: ("enable",),
    Action.DELETE: ("create", "restore", "enable", "disable", "rename", EXISTING),
}
"""Change to an account → events of which nothing needs to be run any more."""

_EVENTFUL = (Action.CREATE, Action.RESTORE, Action.ENABLE, Action.DELETE)


def _place(change: Change) -> tuple[str, str]:
    return change.target, change.script.name if change.script else ""


def follow_accounts(
    accepted: Iterable[Change], held: Sequence[Change]
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Accepted and held changes of one person, with those scripts held whose account's change is."""
    waiting = {(change.target, script.name) for change in held for script in change.scripts}
    if not waiting:
        return tuple(accepted), tuple(held)
    going: list[Change] = []
    staying = list(held)
    for change in accepted:
        (staying if change.kind is Kind.SCRIPT and _place(change) in waiting else going).append(change)
    return tuple(going), tuple(staying)
