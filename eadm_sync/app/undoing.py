"""Undoes a run: plans the reverse of what the audit tells of it, and has that accepted like any other plan.

Whoever it is for is looked at again by the next run, so that known and desired state never stay apart unseen. What that
run would do once more, as records and rules are, is counted beforehand: a run is undone when its cause has been put
right, or is being put right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.planning import Planned, Progress, planned, silent
from eadm_sync.app.syncing import Confirm, SyncReport, carry_out
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import NotFound, StateError
from eadm_sync.importing.store import chunks
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import ADOPT, BY_HAND, WARN, decode
from eadm_sync.plan.change import Change, GroupFrame, group_key
from eadm_sync.plan.inputs import Given
from eadm_sync.plan.plan import Plan
from eadm_sync.plan.reversal import NotUndone, Present, Reversal, Story, Told
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database
from eadm_sync.state.known import load_groups, load_known
from eadm_sync.state.orders import load_orders
from exportqueue.tables import IS_UNFINISHED

COMMAND = "undo"
"""As the book of runs and the audit have it."""

_AT_ONCE = 500
_KINDS = tuple(str(kind) for kind in Kind if kind is not Kind.SCRIPT)  # what a program did is not undone
_TELLING = (Action.CREATE, Action.ENABLE, Action.DISABLE, Action.DELETE, Action.RESTORE, ADOPT)
"""Actions that say whether something is there, and whether it is enabled."""

Key = tuple[str, str, str]
"""(target, kind, object key)"""


@dataclass(frozen=True)
class Undoing(Planned):
    """The plan that takes a run back.

    Attributes:
        run: Id of the run.
        kept: What of it stays, and why.
        withdrawn: Changes of the run that have not reached their target; they are dropped.
        repeated: How many of the plan's changes the next run would take back, as records and rules are now.
    """

    run: str = ""
    kept: tuple[NotUndone, ...] = ()
    withdrawn: int = 0
    repeated: int = 0


def undo(
    context: Context,
    run: str,
    confirm: Confirm,
    *,
    deliver: bool = True,
    released: frozenset[str] = frozenset(),
    reason: str | None = None,
    progress: Progress = silent,
) -> SyncReport:
    """Takes a run back, as far as that can be; a run of its own, like any other.

    Args:
        context: The installation.
        run: Id of the run.
        confirm: Asked once with an `Undoing`, before anything is written.
        deliver: Whether to deliver what is queued, or leave it to a worker.
        released: Names of holds to let go.
        reason: Why the run is undone, for the audit.
        progress: Told how it gets on.

    Raises:
        NotFound: There is no such run, or no such hold.
        StateBusy: Another run is at work.
        ConfigError, StateError: As planning.
    """
    return carry_out(
        context,
        confirm,
        lambda database: undone(context, database, run, released=released, progress=progress),
        command=COMMAND,
        deliver=deliver,
        released=released,
        reason=reason,
        also=partial(_note, context, run, reason),
        progress=progress,
    )


@contextlib.contextmanager
def undone(
    context: Context,
    database: Database,
    run: str,
    *,
    released: frozenset[str] = frozenset(),
    progress: Progress = silent,
) -> Iterator[Undoing]:
    """What would undo a run, valid inside the `with` block; writes nothing.

    Raises:
        NotFound: There is no such run, or no such hold.
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    kept: list[NotUndone] = []
    withdrawn = 0

    def reverse(connection: Connection) -> Given:
        nonlocal withdrawn
        _require_run(connection, run)
        stories = tuple(_stories(connection, run))
        reversal = Reversal(run, stories, _present(connection, stories, context.vault))
        kept.extend(reversal.kept)
        waiting = _waiting(context, connection, run)
        withdrawn = len(waiting)
        return _given(reversal.changes, waiting)

    with planned(context, database, released=released, read_sources=False, instead=reverse) as made:
        repeated = _repeated(context, database, made.plan, progress)
        plan = {field.name: getattr(made, field.name) for field in fields(Planned)}
        yield Undoing(**plan, run=run, kept=tuple(kept), withdrawn=withdrawn, repeated=repeated)


def _require_run(connection: Connection, run: str) -> None:
    runs = tables.runs.c
    if connection.scalar(select(runs.id).where(runs.id == run)) is None:
        near = connection.scalars(select(runs.id).order_by(runs.id.desc()).limit(3))
        raise NotFound("run", run, tuple(near))


# ---------------------------------------------------------------- what the audit tells


def _stories(connection: Connection, run: str) -> Iterator[Story]:
    """What the run did, object by object, in the order in which it began with them."""
    audit = tables.audit.c
    about_objects = (audit.kind.in_(_KINDS), audit.action != WARN)
    own: dict[Key, list[Row[Any]]] = {}
    ours = (audit.run_id == run, audit.actor != BY_HAND)  # what the run only found is nothing that it did
    for row in connection.execute(select(tables.audit).where(*ours, *about_objects).order_by(audit.id)):
        own.setdefault((row.target, row.kind, row.object), []).append(row)
    before: dict[Key, Row[Any]] = {}
    later: dict[Key, list[Row[Any]]] = {}
    for objects in chunks(sorted({key for _, _, key in own}), _AT_ONCE):
        query = select(tables.audit).where(audit.object.in_(objects), *about_objects).order_by(audit.id)
        for row in connection.execute(query):
            key = (row.target, row.kind, row.object)
            if key not in own:
                continue
            if row.id < own[key][0].id and row.action in _TELLING:
                before[key] = row
            elif row.id > own[key][-1].id:
                later.setdefault(key, []).append(row)
    for key, rows in own.items():
        former = before.get(key)
        yield Story(
            target=key[0],
            kind=Kind(key[1]),
            key=key[2],
            person=rows[0].person_id,
            of_run=tuple(map(_told, rows)),
            before=None if former is None else _told(former),
            later=tuple(map(_told, later.get(key, ()))),
        )


def _told(row: Row[Any]) -> Told:
    return Told(row.run_id, row.action, None if row.detail is None else decode(row.detail))


# ---------------------------------------------------------------- what is known now


def _present(connection: Connection, stories: Sequence[Story], vault: Vault) -> Present:
    people = sorted({story.person for story in stories if story.person is not None})
    told = [line.change for story in stories for line in story.of_run if line.change is not None]
    keys = {(change.target, key) for change in told for key in (change.group, change.member) if key is not None}
    present = Present(groups=load_groups(connection, keys), can_open=partial(_opens, vault))
    made_by_run = sorted({key for _, key in keys})
    for portion in chunks(people, _AT_ONCE):
        _add_people(connection, portion, present)
    for portion in chunks(made_by_run, _AT_ONCE):
        _add_inside(connection, portion, present)
    present.stopped.update(person for person, orders in load_orders(connection, people).items() if orders.stopped)
    return present


def _add_people(connection: Connection, people: Sequence[str], into: Present) -> None:
    for person, known in load_known(connection, people).items():
        into.accounts.update(((person, target), account) for target, account in known.accounts.items())
        into.recycled.update((person, target) for target in known.recycled)
        into.roles.update(((person, *place), role) for place, (role, _) in known.memberships.items())
        into.licences.update((person, *product) for product in known.licences)


def _add_inside(connection: Connection, keys: Sequence[str], into: Present) -> None:
    memberships, nestings = tables.known_memberships.c, tables.known_nestings.c
    for query, inside in (
        (select(memberships.target, memberships.group_key, memberships.person_id), into.members),
        (select(nestings.target, nestings.group_key, nestings.member_key), into.inner),
    ):
        for target, group, member in connection.execute(query.where(query.selected_columns[1].in_(keys))):
            inside.setdefault((target, group), set()).add(member)


def _opens(vault: Vault, sealed: Sealed, name: str) -> bool:
    try:
        vault.open(sealed, name)
    except StateError:
        return False
    return True


def _waiting(context: Context, connection: Connection, run: str) -> list[tuple[str, str]]:
    """(target, subject) of the run's changes that have not reached their target."""
    items = context.queue.tables.items.c
    query = select(items.target, items.subject).where(items.run_id == run, IS_UNFINISHED)
    return [(target, subject) for target, subject in connection.execute(query)]


# ---------------------------------------------------------------- the plan


def _given(changes: Iterable[Change], waiting: Iterable[tuple[str, str]]) -> Given:
    """The reverse as what is to be planned: by person, and by group with its places in other groups."""
    people: dict[str, list[Change]] = {}
    groups: dict[tuple[str, str], list[Change]] = {}
    overtaken: list[tuple[str, str]] = []
    for target, subject in waiting:
        if subject.startswith(group_key("")):
            overtaken.append((target, subject.removeprefix(group_key(""))))
        else:
            people.setdefault(subject, [])
    for change in changes:
        if change.person is not None:
            people.setdefault(change.person, []).append(change)
        else:
            groups.setdefault((change.target, change.subject), []).append(change)
    frames = tuple(
        GroupFrame(f"{target}:{subject.removeprefix(group_key(''))}", tuple(sorted(found, key=_nestings_first)))
        for (target, subject), found in sorted(groups.items())
    )
    ordered = {person: tuple(sorted(found, key=_as_shown)) for person, found in people.items()}
    return Given(ordered, frames, tuple(overtaken))


def _nestings_first(change: Change) -> bool:
    """Sorts the deletion of a group behind the end of its places in others."""
    return change.kind is Kind.GROUP and change.action is Action.DELETE


def _as_shown(change: Change) -> tuple[int, str, bool, str]:
    """Accounts, memberships, licences; given before taken away, so that nobody is without for a moment."""
    return _ORDER.index(change.kind), change.target, change.action is Action.DELETE, change.object_key


_ORDER = tuple(Kind)


def _repeated(context: Context, database: Database, plan: Plan, progress: Progress) -> int:
    """How many of a plan's changes the next run would take back: all but those that it would make itself."""
    if not plan.changes:
        return 0
    ours = [change for frame, _, _ in plan.judged() for change in frame.changes]
    subjects = {change.person for change in ours if change.person is not None}
    groups = sorted({key for change in ours if change.person is None for key in (change.group, change.member) if key})
    members = tables.known_memberships.c
    with database.read() as connection:
        for portion in chunks(groups, _AT_ONCE):
            subjects.update(connection.scalars(select(members.person_id).where(members.group_key.in_(portion))))
    with planned(context, database, progress=progress, only=subjects) as made:
        theirs = {_effect(change) for frame, _, _ in made.plan.judged() for change in frame.changes}
    return sum(_effect(change) not in theirs for change in ours)


def _effect(change: Change) -> bytes:
    """What a change comes to, whoever asks for it."""
    attributes = dict(sorted(change.attributes.items()))
    said = msgspec.structs.replace(
        change, rule="", reason="", revokes=False, urgent=False, seated=False, password="", attributes=attributes
    )
    # Not the struct itself: of equal ones, only those with the very default objects leave them out.
    return _encode(msgspec.structs.astuple(said))


_encode = msgspec.msgpack.Encoder().encode


# ---------------------------------------------------------------- what is written down beside


def _note(context: Context, run: str, reason: str | None, connection: Connection, undo_run: str) -> None:
    """That the run was undone, and why; groups are looked at again with somebody who is in them."""
    audit, now = tables.audit.c, context.clock.now().isoformat()
    entry = AuditEntry(now, undo_run, context.actor, None, "run", COMMAND, run, None, _encode({"reason": reason or ""}))
    append_audit(connection, context.vault, (entry,))
    kinds = (str(Kind.GROUP), str(Kind.NESTING))
    groups = connection.execute(select(audit.detail).where(audit.run_id == run, audit.kind.in_(kinds))).scalars()
    look_again(connection, {decode(detail).subject for detail in groups if detail is not None})
