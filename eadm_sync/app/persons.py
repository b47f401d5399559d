"""Orders about single people: stopped at once, let back in, kept for longer. Each is audited, and planned for alone.

A stop is a plan of its own: it disables what the person is known to have, whatever the rules say, waits for no other
run, and goes ahead of everything else in the queue. The next run sees to the rest.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
from sqlalchemy import Connection

from eadm_sync.app.accepting import keep_plan
from eadm_sync.app.context import Context
from eadm_sync.app.delivering import Crew
from eadm_sync.app.naming import find_person
from eadm_sync.app.population import stored_person
from eadm_sync.app.resolving import naming_words, resolve_doubts
from eadm_sync.app.runs import Run, recorded
from eadm_sync.app.syncing import sync_people
from eadm_sync.app.versions import version_in_force
from eadm_sync.clock import today
from eadm_sync.delivery.doubting import note_tried
from eadm_sync.delivery.enqueueing import items
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import ConfigError, StateBusy
from eadm_sync.lifecycle import NO_ORDERS, Stage, Standing, standing
from eadm_sync.model import Person
from eadm_sync.plan.brakes import Slice
from eadm_sync.plan.change import GroupFrame, PersonFrame, account_key
from eadm_sync.plan.diff import stop_person
from eadm_sync.plan.doubting import perhaps_enabled
from eadm_sync.plan.plan import Basis, Plan, count
from eadm_sync.plan.spool import Spool
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.database import Database
from eadm_sync.state.doubts import load_doubts
from eadm_sync.state.known import Known, load_known
from eadm_sync.state.orders import Order, OrderKind, give_order, load_orders, standing_orders, take_back
from eadm_sync.state.outcomes import known_versions
from exportqueue import State, TargetStats

AUDITED = "person"
"""Kind of the audit's lines about orders."""

PATIENCE_SECONDS = 30.0
"""How long a command waits for targets; what they have not taken by then, workers deliver."""

_STEP_SECONDS = 0.1
_MOST_ROUNDS = 5
"""An account that a worker was enabling just then is disabled in a second round; more come of a target that is slow."""

_encode = msgspec.msgpack.Encoder().encode


class PersonShown(msgspec.Struct, frozen=True):
    """What is ordered about somebody, and where that leaves them.

    Attributes:
        id: The person's id.
        name: For people to read.
        stage: Where they stand in the lifecycle today.
        enabled: Whether accounts that the rules give are to be enabled.
        next_change: The next day on which that can change, or None.
        orders: The orders that stand.
        accounts: Target → whether the account there is known to be enabled.
    """

    id: str
    name: str
    stage: str
    enabled: bool
    next_change: date | None
    orders: tuple[Order, ...]
    accounts: dict[str, bool]


class Ordered(msgspec.Struct, frozen=True):
    """What came of an order.

    Attributes:
        person: As they are now.
        changed: False where nothing was there to take back.
        enqueued: Changes put into the queue for it.
        held: Changes that a brake holds.
        left: Target → why changes of the person have not reached it yet.
        busy: Who plans at this moment, so that the next run sees to it; "" where nobody kept it from being planned.
    """

    person: PersonShown
    changed: bool = True
    enqueued: int = 0
    held: int = 0
    left: dict[str, str] = {}
    busy: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether everything has reached its target."""
        return not (self.left or self.held or self.busy)


@dataclass(frozen=True)
class Terms:
    """How an order is carried out: whether it is delivered at once, and how long targets are waited for."""

    deliver: bool = True
    patience_seconds: float = PATIENCE_SECONDS


def show(context: Context, name: str) -> PersonShown:
    """One person.

    Raises:
        NotFound, AmbiguousName: Nobody, or several people, are called so.
    """
    with context.reading() as database, database.read() as connection:
        return _shown(context, connection, find_person(connection, name))


def stop(context: Context, name: str, reason: str, terms: Terms | None = None) -> Ordered:
    """Disables all accounts of a person, and keeps them so until `resume`.

    Raises:
        NotFound, AmbiguousName: Nobody, or several people, are called so; nothing was done.
        StateError: The state cannot be used.
    """
    terms = terms or Terms()
    with context.writing() as database, recorded(context, database, "person stop") as run:
        with database.read() as connection:
            person_id = find_person(connection, name)
        enqueued = _stop_once(context, database, person_id, run.id, reason)
        left: Mapping[str, str] = {}
        silent: Mapping[str, str] = {}
        for _ in range(_MOST_ROUNDS if terms.deliver else 0):
            try:
                left = deliver_for(context, database, person_id, terms.patience_seconds)
            except ConfigError:  # it is in the queue, and a worker that runs goes on by the rules it began with
                left = dict.fromkeys(_unfinished(context, database, person_id), "the rules are wrong, see 'lint'")
            silent = resolve_doubts(context, database, run.id, [person_id])
            with database.read() as connection:
                known = load_known(connection, [person_id]).get(person_id) or Known()
            if left or not any(account.enabled for account in known.accounts.values()):
                break
            enqueued += _stop_once(context, database, person_id, run.id, None)
        unsaid = {target: f"it does not say whether it has made an account ({why})" for target, why in silent.items()}
        return _told(context, database, run, person_id, enqueued, {**unsaid, **left})


def resume(context: Context, name: str, reason: str, terms: Terms | None = None) -> Ordered:
    """Takes a stop back: accounts are again as sources and rules say. Raises as `stop`."""
    with context.writing() as database, database.write() as connection:
        person_id = find_person(connection, name)
        changed = take_back(connection, person_id, OrderKind.STOP)
        if changed:
            _note(context, connection, person_id, "resume", {"reason": reason})
    return _carry_out(context, person_id, "person resume", terms or Terms(), changed=changed)


def extend(context: Context, name: str, until: date, reason: str, terms: Terms | None = None) -> Ordered:
    """Keeps somebody's access up to a day, included, though nothing counts any more. Raises as `stop`."""
    with context.writing() as database, database.write() as connection:
        person_id = find_person(connection, name)
        now = context.clock.now().isoformat()
        give_order(connection, person_id, Order(OrderKind.EXTEND, until, reason, context.actor, now))
        _note(context, connection, person_id, "extend", {"reason": reason, "until": until.isoformat()})
    return _carry_out(context, person_id, "person extend", terms or Terms(), changed=True)


def end_extension(context: Context, name: str, reason: str, terms: Terms | None = None) -> Ordered:
    """Takes an extension back. Raises as `stop`."""
    with context.writing() as database, database.write() as connection:
        person_id = find_person(connection, name)
        changed = take_back(connection, person_id, OrderKind.EXTEND)
        if changed:
            _note(context, connection, person_id, "end extension", {"reason": reason})
    return _carry_out(context, person_id, "person extend", terms or Terms(), changed=changed)


# ---------------------------------------------------------------- stopping


def _stop_once(context: Context, database: Database, person_id: str, run_id: str, reason: str | None) -> int:
    """Writes a stop down and queues it, in one transaction; without a reason it stands already. Returns the changes."""
    with database.write() as connection:
        context.queue.hold_up(connection)
        note_tried(connection, context.queue, context.vault, [person_id], naming_words(context))
        context.queue.supersede(connection, [person_id])
        if reason is not None:
            now = context.clock.now().isoformat()
            give_order(connection, person_id, Order(OrderKind.STOP, None, reason, context.actor, now))
            _note(context, connection, person_id, "stop", {"reason": reason}, run_id)
        look_again(connection, [person_id])  # what was dropped, but for what enables, is planned anew by the next run
        return _enqueue_stop(context, connection, person_id, run_id)


def _enqueue_stop(context: Context, connection: Connection, person_id: str, run_id: str) -> int:
    known = load_known(connection, [person_id]).get(person_id) or Known()
    doubts = load_doubts(connection, [person_id]).get(person_id, ())
    changes = stop_person(person_id, perhaps_enabled(known, doubts))
    if changes:
        enqueue_urgent(context, connection, PersonFrame(person_id, "", Stage.STOPPED, (), changes), run_id)
    return len(changes)


def enqueue_urgent(context: Context, connection: Connection, frame: PersonFrame, run_id: str) -> None:
    """Queues changes to one person's accounts as a plan of their own, in the caller's transaction."""
    changes = frame.changes
    counts: Counter[Slice] = Counter()
    count(counts, changes)
    basis = Basis(
        today=today(context.clock, context.loaded.settings.organisation.zone),
        sources={},
        ruleset=version_in_force(connection) or "",
        targets={},
        known=known_versions(connection, tuple(context.loaded.settings.targets)),
    )
    with Spool(GroupFrame) as no_groups, Spool(PersonFrame) as frames:
        frames.append(msgspec.structs.replace(frame, name=_name(stored_person(connection, frame.person))))
        plan = Plan(basis, dict(counts), (), no_groups, frames, (), evaluated=1, due={}, postponed=(), is_whole=False)
        plan_id = f"{run_id}-{plan.hash}"
        context.queue.enqueue(connection, items(changes, context.vault), plan_id=plan_id, run_id=run_id)
        keep_plan(context, connection, plan, plan_id, run_id)


# ---------------------------------------------------------------- the others


def _carry_out(context: Context, person_id: str, command: str, terms: Terms, *, changed: bool) -> Ordered:
    """Plans for the person alone, as they are stored, and delivers that."""
    enqueued, held, busy = 0, 0, ""
    left: Mapping[str, str] = {}
    if changed:
        try:
            report = sync_people(context, [person_id], command)
            enqueued, held = report.enqueued, report.held
        except StateBusy as error:
            busy = error.holder
    with context.writing() as database:
        if changed and terms.deliver:
            left = deliver_for(context, database, person_id, terms.patience_seconds)
        with database.read() as connection:
            shown = _shown(context, connection, person_id)
    return Ordered(shown, changed, enqueued, held, dict(left), busy)


def deliver_for(context: Context, database: Database, subject: str, seconds: float) -> dict[str, str]:
    """Delivers what is queued for one subject, a person, and what stands before it; says what is not through in time.

    Raises:
        ConfigError: The rules are wrong.
        StateError: The state fails.
    """
    waiting = _unfinished(context, database, subject)
    if not waiting:
        return {}
    with database.write() as connection:
        stats = {one.target: one for one in context.queue.stats(connection, finished=False)}
        for target in waiting:
            if stats[target].circuit is not None:
                context.queue.put_off_probe(connection, target, context.clock.now())
    open_ = [target for target in waiting if stats[target].paused is None]
    if open_:
        crew = Crew(context, database, only=open_, until_empty=False)
        crew.start()
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until and not _unfinished(context, database, subject).isdisjoint(open_):
                time.sleep(_STEP_SECONDS)
        finally:
            crew.stop()
            crew.wait()
    left = _unfinished(context, database, subject, dead=True)
    with database.read() as connection:
        stats = {one.target: one for one in context.queue.stats(connection, finished=False)}
    return {target: _why(stats[target]) for target in sorted(left)}


def _unfinished(context: Context, database: Database, subject: str, *, dead: bool = False) -> set[str]:
    """Targets with changes of the subject that are on their way; with `dead`, also with those that were refused."""
    with database.read() as connection:
        found = list(context.queue.unfinished(connection, [subject]))
    return {item.target for item in found if dead or item.state is not State.DEAD}


def _why(stats: TargetStats) -> str:
    """Why something has not reached a target, as far as its state tells."""
    if stats.paused is not None:
        return f"it is paused ({stats.paused})"
    if stats.circuit is not None:
        return f"it does not answer: {stats.circuit.error}"
    if stats.dead:
        return "it has refused a change: see 'eadm-sync queue list --state dead'"
    return "it is slow: the change is on its way"


# ---------------------------------------------------------------- within


def _note(
    context: Context,
    connection: Connection,
    person_id: str,
    action: str,
    detail: Mapping[str, str],
    run_id: str | None = None,
) -> None:
    """Audits an order, and has the person looked at by the next run."""
    now = context.clock.now().isoformat()
    entry = AuditEntry(
        now, run_id, context.actor, None, AUDITED, action, account_key(person_id), person_id, _encode(detail)
    )
    look_again(connection, [person_id])
    append_audit(connection, context.vault, [entry])


def _told(
    context: Context, database: Database, run: Run, person_id: str, enqueued: int, left: Mapping[str, str]
) -> Ordered:
    """What came of a stop, for the book of runs and for whoever ordered it."""
    run.report.update(enqueued=enqueued, left=dict(left))
    if left:
        run.status = "incomplete"
    with database.read() as connection:
        return Ordered(_shown(context, connection, person_id), enqueued=enqueued, left=dict(left))


def _shown(context: Context, connection: Connection, person_id: str) -> PersonShown:
    person = stored_person(connection, person_id)
    orders = load_orders(connection, [person_id]).get(person_id, NO_ORDERS)
    day = today(context.clock, context.loaded.settings.organisation.zone)
    try:
        stand = standing(person, context.ruleset.lifecycle, day, orders)
    except ConfigError:
        stand = Standing(Stage.STOPPED, (), enabled=False, next_change=None)
        if not orders.stopped:
            raise
    known = load_known(connection, [person_id]).get(person_id) or Known()
    return PersonShown(
        id=person_id,
        name=_name(person),
        stage=stand.stage,
        enabled=stand.enabled,
        next_change=stand.next_change,
        orders=standing_orders(connection, person_id),
        accounts={target: account.enabled for target, account in sorted(known.accounts.items())},
    )


def _name(person: Person) -> str:
    return f"{person.given_name} {person.family_name}".strip()
