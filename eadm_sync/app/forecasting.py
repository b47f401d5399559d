"""A calendar of days to come: who starts, leaves, is deleted and forgotten, and how many licences. Writes nothing.

It goes from people as the last accepted import left them, with the rules as they are. Only people with a day in the
time looked at are evaluated, each from day to day, as if every plan were delivered at once. Targets are not read: where
an account may be found that is there already, it is told of as created or adopted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, timedelta

import msgspec
from sqlalchemy import Connection, func, select

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.planning import Progress, days_of_rules, silent, stored_inputs
from eadm_sync.app.purging import purges_until
from eadm_sync.clock import today
from eadm_sync.importing.store import chunks
from eadm_sync.plan.change import Change
from eadm_sync.plan.days import Days, Turn
from eadm_sync.plan.seats import Stock
from eadm_sync.state import tables
from eadm_sync.state.known import Known, load_known
from eadm_sync.state.sealing import check_key

_AT_ONCE = 500


class Event(msgspec.Struct, frozen=True, order=True):
    """What becomes of one person on a day.

    Attributes:
        day: The day.
        event: `becomes active`, `account disabled`, `licence given`, `person forgotten`, …
        target: Name of the target; "" for a stage of the lifecycle and for who is forgotten.
        what: The product, for licences; else "".
        person: Id.
        name: For people to read.
        reason: Why, in words for people.
    """

    day: date
    event: str
    target: str
    what: str
    person: str
    name: str
    reason: str


class Seats(msgspec.Struct, frozen=True):
    """Use of a product from a day on, until the next one that is told of.

    Attributes:
        target: Name of the target.
        sku: The product.
        day: The day.
        used: Seats in use in the evening.
        total: Seats there are; None where unlimited or unknown.
    """

    target: str
    sku: str
    day: date
    used: int
    total: int | None

    @property
    def short(self) -> int:
        """How many seats are missing."""
        return 0 if self.total is None else max(self.used - self.total, 0)


class Forecast(msgspec.Struct, frozen=True):
    """A calendar.

    Attributes:
        first: Today.
        last: The last day.
        people: How many people have a day in it.
        waiting: Changes in the export queue, which are not counted.
        events: In order of days; memberships and changed attributes are counted only.
        counts: How often each (day, event, target) comes.
        seats: For each product whose use changes, today and each day on which it does.
    """

    first: date
    last: date
    people: int
    waiting: int
    events: tuple[Event, ...]
    counts: dict[tuple[date, str, str], int]
    seats: tuple[Seats, ...]


def forecast(context: Context, days: int, *, progress: Progress = silent) -> Forecast:
    """What the next days bring, today and the last one included.

    Args:
        context: The installation.
        days: How many days to look ahead, at least 1.
        progress: Told how it gets on.

    Raises:
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    first = today(context.clock, context.loaded.settings.organisation.zone)
    last = first + timedelta(days=days)
    events: list[Event] = []
    counts: Counter[tuple[date, str, str]] = Counter()
    deltas: Counter[tuple[str, str, date]] = Counter()
    searched = {name for name, one in context.loaded.settings.targets.items() if one.correlation is not None}
    seen: set[str] = set()
    emptied: dict[str, date] = {}
    with context.reading() as database, database.read() as connection:
        check_key(connection, context.vault)
        inputs = stored_inputs(context, connection, first)
        on_rules = tuple(days_of_rules(context, connection, first, last))
        walk = Days(inputs, connection, last, on_rules)
        dues = _dues(connection, None if on_rules else last)
        done = 0
        for portion in chunks(dues.items(), _AT_ONCE):
            ids = [person_id for person_id, _ in portion]
            known = load_known(connection, ids)
            walk.load(ids)
            for person in inputs.population.people(ids):
                name = f"{person.given_name} {person.family_name}".strip()
                having = set((known.get(person.id) or Known()).accounts)
                for turn in walk.turns(person, known.get(person.id) or Known(), dues[person.id]):
                    if _is_emptied(turn, having):
                        emptied[person.id] = turn.day
                    seen.add(person.id)
                    for event in _events(turn, person.id, name, searched):
                        counts[event.day, event.event, event.target] += 1
                        if not event.event.startswith(_COUNTED_ONLY):
                            events.append(event)
                    for change in turn.changes:
                        _count_seats(change, turn.day, deltas)
            done += len(ids)
            progress("looking ahead", done, len(dues))
        for day, person_id, name in purges_until(context, connection, last, emptied):
            seen.add(person_id)
            counts[day, _FORGOTTEN, ""] += 1
            events.append(
                Event(day, _FORGOTTEN, "", "", person_id, name, "gone from sources and targets for purge_days")
            )
        seats = tuple(_seats(connection, deltas, first, inputs.stock))
    return Forecast(first, last, len(seen), inputs.waiting, tuple(sorted(events)), dict(sorted(counts.items())), seats)


def _dues(connection: Connection, last: date | None) -> dict[str, date | None]:
    """The next day of everybody who has one up to a day, by id; pending people have it now. None: of everybody."""
    people = tables.people.c
    query = select(people.id, people.due, people.pending).order_by(people.id)
    if last is not None:
        query = query.where((people.due <= last.isoformat()) | people.pending.is_(True))
    return {
        person_id: date.min if pending else None if due is None else date.fromisoformat(due)
        for person_id, due, pending in connection.execute(query)
    }


# ---------------------------------------------------------------- events


def _events(turn: Turn, person: str, name: str, searched: Collection[str]) -> Iterator[Event]:
    if turn.before is not turn.stage:
        yield Event(turn.day, f"becomes {turn.stage}", "", "", person, name, f"was {turn.before}")
    for change in turn.changes:
        yield Event(turn.day, _event(change, searched), change.target, change.sku or "", person, name, change.reason)


def _event(change: Change, searched: Collection[str]) -> str:
    """What a change is called; `searched` are the targets in which accounts are adopted."""
    if change.kind is Kind.SCRIPT:
        return "script run"
    if change.kind is not Kind.ACCOUNT:
        return f"{change.kind} {'taken away' if change.action is Action.DELETE else 'given'}"
    if change.action is Action.DISABLE and change.deactivates:
        return "account deactivated"
    if change.action is Action.CREATE and change.target in searched:
        return "account created or adopted"
    return f"account {_DONE[change.action]}"


_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.ENABLE: "enabled",
    Action.DISABLE: "disabled",
    Action.DELETE: "deleted",
    Action.RESTORE: "restored",
}
_COUNTED_ONLY = ("account changed", "membership ")


def _is_emptied(turn: Turn, having: set[str]) -> bool:
    """Whether somebody's last account is deleted; `having` are the targets with one, and are brought up to date."""
    before = len(having)
    for change in turn.changes:
        if change.kind is Kind.ACCOUNT and change.action is Action.DELETE:
            having.discard(change.target)
        elif change.kind is Kind.ACCOUNT and change.action in (Action.CREATE, Action.RESTORE):
            having.add(change.target)
    return before > 0 and not having


_FORGOTTEN = "person forgotten"


# ---------------------------------------------------------------- licences


def _count_seats(change: Change, day: date, deltas: Counter[tuple[str, str, date]]) -> None:
    if change.kind is Kind.LICENCE:
        deltas[change.target, change.sku or "", day] += -1 if change.action is Action.DELETE else 1


def _seats(
    connection: Connection, deltas: Counter[tuple[str, str, date]], first: date, stock: Stock
) -> Iterator[Seats]:
    licences = tables.known_licences.c
    query = select(licences.target, licences.sku, func.count()).group_by(licences.target, licences.sku)
    known = {(target, sku): number for target, sku, number in connection.execute(query)}
    products = sorted({*known, *((target, sku) for target, sku, _ in deltas)})
    stocks = {target: {one.sku: one for one in stock(target)} for target in sorted({target for target, _ in products})}
    for target, sku in products:
        of_target = stocks[target].get(sku)
        used = max(known.get((target, sku), 0), of_target.used if of_target else 0)
        total = of_target.total if of_target else None
        yield Seats(target, sku, first, used + deltas[target, sku, first], total)
        used += deltas[target, sku, first]
        for day in sorted(day for one, other, day in deltas if (one, other) == (target, sku) and day != first):
            used += deltas[target, sku, day]
            yield Seats(target, sku, day, used, total)
