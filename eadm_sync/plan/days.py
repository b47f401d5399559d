"""What becomes of people day by day: each day's changes are taken as made before the next one is looked at."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection

from connectors.contract import Action, Kind
from eadm_sync.lifecycle import NO_ORDERS, Stage, delete_on, first_after, standing
from eadm_sync.model import Person
from eadm_sync.plan.build import Maker
from eadm_sync.plan.change import Change
from eadm_sync.plan.inputs import Inputs
from eadm_sync.state.known import Attributes, Known, KnownAccount, Thing
from eadm_sync.state.outcomes import Lost

_T = TypeVar("_T")
_DAY = timedelta(days=1)


class Turn(NamedTuple):
    """A day on which something becomes of a person.

    Attributes:
        day: The day.
        before: The stage on the day before.
        stage: The stage on the day.
        changes: What is done in targets.
    """

    day: date
    before: Stage
    stage: Stage
    changes: tuple[Change, ...]


class Days:
    """Walks through the days of people, from one on which something can change to the next."""

    def __init__(self, inputs: Inputs, connection: Connection, last: date, everybody_on: Sequence[date]) -> None:
        """`inputs` are of the first day; `everybody_on` are days, in order, on which all people are looked at."""
        self._inputs = inputs
        self._connection = connection
        self._first = inputs.basis.today
        self._last = last
        self._everybody_on = everybody_on
        self._makers: dict[date, Maker] = {}
        self._identifiers = self._maker(self._first).naming.identifiers

    def turns(self, person: Person, known: Known, due: date | None) -> Iterator[Turn]:
        """The days on which something becomes of a person, whose next one is `due`; those of the past are today."""
        day = self._next(None if due is None else max(due, self._first), self._first - _DAY)
        while day is not None and day <= self._last:
            outlook = self._maker(day).one(person, known)
            changes = outlook.frame.changes if outlook.frame is not None else ()
            turn = Turn(day, self._stage(person, day - _DAY), self._stage(person, day), changes)
            if changes or turn.before is not turn.stage:
                yield turn
            known = after(known, changes, outlook.lost, day)
            day = self._next(first_after(day, (outlook.due, *self._deletions(changes, day))), day)

    def _next(self, due: date | None, day: date) -> date | None:
        """The next day to look at behind a day."""
        place = bisect_right(self._everybody_on, day)
        days = [*self._everybody_on[place : place + 1], *([due] if due is not None and due > day else [])]
        return min(days, default=None)

    def _deletions(self, changes: Sequence[Change], day: date) -> Iterator[date]:
        """When accounts that were deactivated on a day may be deleted: plans see that once it has been delivered."""
        return (delete_on(day, self._inputs.ruleset.lifecycle) for change in changes if change.deactivates)

    def _stage(self, person: Person, day: date) -> Stage:
        orders = self._inputs.orders.get(person.id, NO_ORDERS)
        return standing(person, self._inputs.ruleset.lifecycle, day, orders, ahead=False).stage

    def _maker(self, day: date) -> Maker:
        if day not in self._makers:
            basis = msgspec.structs.replace(self._inputs.basis, today=day)
            self._makers[day] = maker = Maker(dataclasses.replace(self._inputs, basis=basis), self._connection)
            maker.close()  # no plan comes of it
            if day != self._first:
                maker.naming.identifiers = self._identifiers  # what is given on one day is held on the next
        return self._makers[day]

    def load(self, ids: Sequence[str]) -> None:
        """Fetches what these people are called; call it before their `turns`."""
        self._identifiers.load(ids)


def after(known: Known, changes: Sequence[Change], lost: Lost, day: date) -> Known:
    """What somebody is known to have once changes are made on a day; the one given is left as it is."""
    made = Known(
        dict(known.accounts), dict(known.memberships), dict(known.licences), dict(known.lost), dict(known.recycled)
    )
    made.formers, made.left = known.formers, known.left
    _note_lost(made.lost, lost)
    for change in changes:
        match change.kind:
            case Kind.ACCOUNT:
                _account(made, change, day)
            case Kind.MEMBERSHIP:
                place = change.target, change.group or ""
                _put(made.memberships, place, (change.role, change.rule), gone=change.action is Action.DELETE)
            case Kind.LICENCE:
                product = change.target, change.sku or ""
                _put(made.licences, product, change.rule, gone=change.action is Action.DELETE)
    return made


def _put(held: dict[tuple[str, str], _T], key: tuple[str, str], value: _T, *, gone: bool) -> None:
    if gone:
        held.pop(key, None)
    else:
        held[key] = value


def _account(known: Known, change: Change, day: date) -> None:
    target = change.target
    before = known.recycled.pop(target, None) if change.action is Action.RESTORE else known.accounts.get(target)
    if change.action is Action.DELETE:
        gone = known.without({target})
        known.accounts, known.memberships, known.licences = gone.accounts, gone.memberships, gone.licences
        return
    attributes: Attributes = dict(before.attributes) if before else {}
    attributes.update((name, new) for name, (_, new) in change.attributes.items())
    enabled, deactivated_on = (before.enabled, before.deactivated_on) if before else (bool(change.enabled), None)
    if change.action is Action.ADOPT:
        enabled, deactivated_on = bool(change.enabled), None
    elif change.action in {Action.ENABLE, Action.RESTORE}:
        enabled, deactivated_on = change.action is Action.ENABLE, None
    elif change.action is Action.DISABLE:
        enabled, deactivated_on = False, day if change.deactivates else None
    known.accounts[target] = KnownAccount(
        target,
        before.anchor if before else "",
        change.container[1] if change.container else before.container if before else None,
        enabled,
        {name: value for name, value in attributes.items() if value is not None},
        change.rule,
        deactivated_on,
    )


def _note_lost(into: dict[Thing, date], lost: Lost) -> None:
    found: list[tuple[str | None, Thing]] = [(day, (target, Kind.ACCOUNT, "")) for day, _, target in lost.accounts]
    found += [(day, (target, Kind.MEMBERSHIP, group)) for day, _, target, group in lost.memberships]
    found += [(day, (target, Kind.LICENCE, sku)) for day, _, target, sku in lost.licences]
    for day, thing in found:
        if day is None:
            into.pop(thing, None)
        else:
            into[thing] = date.fromisoformat(day)
