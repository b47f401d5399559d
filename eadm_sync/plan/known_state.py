"""Known state as the lines of the audit tell it: put together in their order, up to any moment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Protocol

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.plan.audited import WARN, Audited, decode
from eadm_sync.plan.change import Value, membership_key


class Line(Protocol):
    """A row of the audit."""

    at: str
    target: str | None
    kind: str
    action: str
    object: str
    person_id: str | None
    detail: bytes | None


class HeldObject(msgspec.Struct, frozen=True):
    """An account or a group as it was known.

    Attributes:
        anchor: The target's own immutable id; None where the line that tells it was forgotten, or is an older one.
        container: Where it is.
        enabled: Whether an account is; None for groups, and where that was forgotten.
        attributes: What we set; sensitive values sealed. Empty where that was forgotten.
        rule: Rule that last changed it.
        since: When it was created or adopted, ISO text in UTC.
        deactivated_on: The day retention began; None while something gives the account.
    """

    anchor: str | None = None
    container: str | None = None
    enabled: bool | None = None
    attributes: Mapping[str, Value] = {}
    rule: str = ""
    since: str = ""
    deactivated_on: date | None = None


class HeldLink(msgspec.Struct, frozen=True):
    """A membership, a nesting or a licence as it was known.

    Attributes:
        role: Of a membership.
        rule: Rule that gave it.
        since: When it was given, ISO text in UTC.
    """

    role: str = ""
    rule: str = ""
    since: str = ""


class KnownState(msgspec.Struct):
    """What targets were known to hold.

    Attributes:
        accounts: By (person id, target).
        groups: By (target, key).
        memberships: By (person id, target, group key).
        nestings: By (target, group key, key of the group in it).
        licences: By (person id, target, sku).
    """

    accounts: dict[tuple[str, str], HeldObject] = {}
    groups: dict[tuple[str, str], HeldObject] = {}
    memberships: dict[tuple[str, str, str], HeldLink] = {}
    nestings: dict[tuple[str, str, str], HeldLink] = {}
    licences: dict[tuple[str, str, str], HeldLink] = {}
    _by_account: dict[tuple[str, str], set[tuple[Kind, str]]] = {}
    _by_group: dict[tuple[str, str], set[tuple[str, str, str]]] = {}

    def apply(self, line: Line) -> None:
        """Takes one line; lines must come in their order. Those that are not about an object change nothing."""
        put = _PUT.get(line.kind)
        if put is not None and line.action != WARN and line.target is not None:
            put(self, line, _read(line))


def _read(line: Line) -> Audited:
    """What a line tells; of one that was forgotten, what its other columns do."""
    if line.detail is not None:
        return decode(line.detail)
    key = line.object.removeprefix(membership_key(line.person_id or "", "").replace("membership", line.kind, 1))
    action = Action(line.action) if line.action in set(Action) else Action.CREATE
    return Audited(line.target or "", Kind(line.kind), action, line.person_id, group=key, sku=key)


def _account(state: KnownState, line: Line, told: Audited) -> None:
    key = (told.person or "", told.target)
    if told.action is not Action.DELETE:
        state.accounts[key] = _object(state.accounts.get(key), line, told)
        return
    state.accounts.pop(key, None)
    for kind, name in state._by_account.pop(key, ()):  # noqa: SLF001 - of this module
        held = state.memberships if kind is Kind.MEMBERSHIP else state.licences
        held.pop((*key, name), None)


def _group(state: KnownState, line: Line, told: Audited) -> None:
    key = (told.target, told.group or "")
    if told.action is not Action.DELETE:
        state.groups[key] = _object(state.groups.get(key), line, told)
        return
    state.groups.pop(key, None)
    for nesting in state._by_group.pop(key, ()):  # noqa: SLF001 - of this module
        state.nestings.pop(nesting, None)


def _object(before: HeldObject | None, line: Line, told: Audited) -> HeldObject:
    held = before or HeldObject(since=line.at)
    attributes = {**held.attributes, **{name: new for name, (_, new) in told.attributes.items()}}
    enabled, deactivated_on = held.enabled, held.deactivated_on
    if told.action in {Action.CREATE, Action.ADOPT}:
        enabled = None if line.detail is None or told.kind is Kind.GROUP else bool(told.enabled)
    elif told.action is Action.ENABLE:
        enabled, deactivated_on = True, None
    elif told.action is Action.DISABLE:
        enabled, deactivated_on = False, told.deactivated_on
    elif told.action is Action.RESTORE:  # out of the recycle bin, whatever it had been before
        enabled, deactivated_on = False, None
    return HeldObject(
        anchor=told.anchor or held.anchor,
        container=told.container[1] if told.container is not None else held.container,
        enabled=enabled,
        attributes={name: value for name, value in attributes.items() if value is not None},
        rule=told.rule,
        since=held.since,
        deactivated_on=deactivated_on,
    )


def _membership(state: KnownState, line: Line, told: Audited) -> None:
    key = (told.person or "", told.target, told.group or "")
    _put_link(state.memberships, key, line, told)
    state._by_account.setdefault(key[:2], set()).add((Kind.MEMBERSHIP, key[2]))  # noqa: SLF001 - of this module


def _licence(state: KnownState, line: Line, told: Audited) -> None:
    key = (told.person or "", told.target, told.sku or "")
    _put_link(state.licences, key, line, told)
    state._by_account.setdefault(key[:2], set()).add((Kind.LICENCE, key[2]))  # noqa: SLF001 - of this module


def _nesting(state: KnownState, line: Line, told: Audited) -> None:
    key = (told.target, told.group or "", told.member or "")
    _put_link(state.nestings, key, line, told)
    for end in key[1:]:
        state._by_group.setdefault((told.target, end), set()).add(key)  # noqa: SLF001 - of this module


def _put_link(held: dict[tuple[str, str, str], HeldLink], key: tuple[str, str, str], line: Line, told: Audited) -> None:
    if told.action is Action.DELETE:
        held.pop(key, None)
        return
    former = held.get(key)
    role = told.role if told.kind is Kind.MEMBERSHIP else ""
    held[key] = HeldLink(role, told.rule, former.since if former else line.at)


_PUT: dict[str, Callable[[KnownState, Line, Audited], None]] = {
    Kind.ACCOUNT: _account,
    Kind.GROUP: _group,
    Kind.MEMBERSHIP: _membership,
    Kind.NESTING: _nesting,
    Kind.LICENCE: _licence,
}
