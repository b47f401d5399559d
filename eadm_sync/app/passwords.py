"""First passwords as people handle them: shown, listed for a class or a unit, reset, destroyed. Each is audited.

The audit's line is committed before a password is handed to whoever asked: nobody reads one without a trace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.giving import end_kept
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.persons import Terms, deliver_for, enqueue_urgent
from eadm_sync.app.population import stored_organisation, stored_person
from eadm_sync.app.runs import recorded
from eadm_sync.clock import today
from eadm_sync.delivery.passwords import entry
from eadm_sync.errors import AmbiguousName, EadmError, NotFound
from eadm_sync.importing.store import chunks
from eadm_sync.lifecycle import NO_ORDERS, standing
from eadm_sync.model import Person, Sealed
from eadm_sync.plan.change import Change, PersonFrame, password_subject
from eadm_sync.plan.passwords import policy_of, reset_passwords
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.known import Known, load_known
from eadm_sync.state.orders import load_orders
from eadm_sync.state.passwords import AUDITED, End, Kept, Secret, is_kept, load_kept, load_passwords, note_shown
from eadm_sync.state.sealing import check_key


class NotAllowed(EadmError):
    """Whoever asked may not read first passwords."""


class NoSecret(EadmError):
    """There is no password to show or to reset; the text says why, and what would do."""


class Holder(msgspec.Struct, frozen=True):
    """Somebody who has a first password.

    Attributes:
        person: The person's id.
        name: For people to read.
        place: The class groups or units that the list was asked for and the person is in, by name.
        accounts: Target → what the account there is called; targets that take no passwords are left out.
        kept: What is known of the password.
    """

    person: str
    name: str
    place: str
    accounts: dict[str, str]
    kept: Kept


DENIED = "deny"
"""What the audit calls it that somebody asked for a password who may not read any."""


class Shown(msgspec.Struct, frozen=True):
    """Somebody with their first password; what prints it shows no password."""

    holder: Holder
    secret: Secret


class Reset(msgspec.Struct, frozen=True):
    """What a reset would come to, or came to.

    Attributes:
        person: The person's id.
        name: For people to read.
        policy: Name of the policy that the new password is made by.
        changes: One for each account.
        left: Target → why the change has not reached it yet.
    """

    person: str
    name: str
    policy: str
    changes: tuple[Change, ...]
    left: dict[str, str] = {}


def show(context: Context, name: str, reason: str) -> Shown:
    """Somebody's first password.

    Raises:
        NotAllowed: The configuration lets others read passwords, but not this user.
        NoSecret: No reason was given; none was made yet, it was used, or its last day is over.
        NotFound, AmbiguousName: Nobody, or several people, are called so.
        StateError: The state cannot be used.
    """
    _require_reader(context, "show", name)
    _require_reason(reason)
    with context.writing() as database, database.write() as connection:
        check_key(connection, context.vault)
        person_id = find_person(connection, name)
        secret = load_passwords(connection, context.vault, [person_id], context.clock.now()).get(person_id)
        kept = load_kept(connection, [person_id]).get(person_id)
        if secret is None or kept is None:
            raise NoSecret(_why_none(person_id, kept))
        _note_reading(context, connection, [person_id], "show", {"reason": reason})
        known = load_known(connection, [person_id])
        return Shown(_holder(context, stored_person(connection, person_id), "", known.get(person_id), kept), secret)


def holders(context: Context, *, unit: str | None = None, class_group: str | None = None) -> tuple[Holder, ...]:
    """Everybody in a unit, or below it, or in a class group, who has a first password; by name. Tells no password.

    Raises:
        NotFound: There is no such unit or class group.
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        return tuple(_holders(context, connection, unit, class_group))


def read_list(
    context: Context, reason: str, *, unit: str | None = None, class_group: str | None = None
) -> tuple[Shown, ...]:
    """The same with the passwords. Raises as `show` and `holders`."""
    _require_reader(context, "list", unit or class_group or "")
    _require_reason(reason)
    with context.writing() as database, database.write() as connection:
        check_key(connection, context.vault)
        found = _holders(context, connection, unit, class_group)
        people = [one.person for one in found]
        secrets = load_passwords(connection, context.vault, people, context.clock.now())
        of = {"unit": unit} if unit is not None else {"class_group": class_group}
        _note_reading(context, connection, people, "list", {"reason": reason, **of})
        return tuple(Shown(one, secrets[one.person]) for one in found)


def preview_reset(context: Context, name: str, target: str | None = None) -> Reset:
    """What `reset` would do. Raises as it, but for the reason."""
    with context.reading() as database, database.read() as connection:
        return _reset(context, connection, name, target, "")


def reset(context: Context, name: str, reason: str, target: str | None = None, terms: Terms | None = None) -> Reset:
    """Gives somebody's accounts, or the one in a target, another password, ahead of everything else in the queue.

    It is made when the first of the targets is reached; `show` tells it then. What was kept before is destroyed at
    once.

    Raises:
        NoSecret: No reason is given, there is no account that takes a password, or no rule says how to make one.
        NotFound, AmbiguousName: Nobody, or several people, are called so; or there is no such target.
        ConfigError: The rules are wrong.
        StateError: The state cannot be used.
    """
    _require_reason(reason)
    terms = terms or Terms()
    with context.writing() as database, recorded(context, database, "password reset") as run:
        with database.write() as connection:
            context.queue.hold_up(connection)
            check_key(connection, context.vault)
            made = _reset(context, connection, name, target, reason)
            context.queue.supersede(connection, [password_subject(made.person)])  # it asked for the same
            end_kept(context, connection, [made.person], End.REPLACED, reason, run_id=run.id)
            person = stored_person(connection, made.person)
            orders = load_orders(connection, [made.person]).get(made.person, NO_ORDERS)
            stand = standing(person, context.ruleset.lifecycle, _today(context), orders)
            enqueue_urgent(context, connection, PersonFrame(made.person, "", stand.stage, (), made.changes), run.id)
            detail = {"reason": reason, "targets": [change.target for change in made.changes]}
            now = context.clock.now().isoformat()
            line = entry("reset", made.person, detail, now, actor=context.actor, run=run.id)
            append_audit(connection, context.vault, [line])
        left: dict[str, str] = {}
        if terms.deliver:
            left = deliver_for(context, database, password_subject(made.person), terms.patience_seconds)
        run.report.update(enqueued=len(made.changes), left=left)
        if left:
            run.status = "incomplete"
    return msgspec.structs.replace(made, left=left)


def destroy(context: Context, name: str, reason: str) -> bool:
    """Destroys somebody's first password before its time; whether there was one. Accounts keep it. Raises as `show`."""
    _require_reason(reason)
    with context.writing() as database, database.write() as connection:
        person_id = find_person(connection, name)
        return bool(end_kept(context, connection, [person_id], End.DESTROYED, reason))


# ---------------------------------------------------------------- who may read, and what is said


def _require_reader(context: Context, what: str, whose: str) -> None:
    """Refuses who may not read passwords, with a line in the audit; `whose` as it was typed: a person or a place."""
    allowed = context.loaded.settings.passwords.shown_to
    if allowed is not None and context.actor not in allowed:
        with context.writing() as database, database.write() as connection:
            append_audit(connection, context.vault, [_refused(context, connection, what, whose)])
        raise NotAllowed(f"{context.actor} may not read first passwords: see 'passwords.shown_to' of the configuration")


def _refused(context: Context, connection: Connection, what: str, whose: str) -> AuditEntry:
    now = context.clock.now().isoformat()
    try:
        person = find_person(connection, whose) if what == "show" else None
    except (NotFound, AmbiguousName):
        person = None
    if person is not None:
        return entry(DENIED, person, {"asked": what}, now, actor=context.actor)
    place = f"password:{whose}" if what == "list" else "password:"  # what was typed for nobody can be anything
    detail = msgspec.msgpack.encode({"asked": what})
    return AuditEntry(now, None, context.actor, None, AUDITED, DENIED, place, None, detail)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise NoSecret("say why with --reason; it is kept in the audit")


def _why_none(person_id: str, kept: Kept | None) -> str:
    hint = f"'eadm-sync password reset {person_id}' gives another one"
    if kept is None:
        return f"no first password was made for {person_id}; {hint}"
    if kept.end is None:
        return f"the first password of {person_id} could be read until {kept.expires_at}; {hint}"
    return f"the first password of {person_id} is kept no more since {kept.ended_at} ({kept.end}); {hint}"


def _note_reading(
    context: Context, connection: Connection, people: Sequence[str], action: str, detail: dict[str, str | None]
) -> None:
    now = context.clock.now()
    note_shown(connection, people, now)
    lines = (entry(action, person, detail, now.isoformat(), actor=context.actor) for person in people)
    append_audit(connection, context.vault, lines)


# ---------------------------------------------------------------- lists


def _holders(context: Context, connection: Connection, unit: str | None, class_group: str | None) -> list[Holder]:
    organisation = stored_organisation(context, connection)
    units: Collection[str] = ()
    if unit is not None:
        units = organisation.with_everything_below([known_name("unit", unit, organisation.units)])
    if class_group is not None:
        known_name("class group", class_group, organisation.class_groups)
    columns = tables.passwords.c
    query = select(columns.person_id).where(is_kept(context.clock.now())).order_by(columns.person_id)
    found: list[Holder] = []
    for ids in chunks(list(connection.scalars(query))):
        known, kept = load_known(connection, ids), load_kept(connection, ids)
        for person_id in ids:
            person = _stored(connection, person_id)
            places = _places(person, units, class_group, _today(context)) if person else ()
            if person is not None and places:
                nodes = organisation.units if class_group is None else organisation.class_groups
                place = ", ".join(sorted(nodes[code].name or code for code in places))
                found.append(_holder(context, person, place, known.get(person_id), kept[person_id]))
    return sorted(found, key=lambda one: (one.place, one.name.casefold(), one.person))


def _stored(connection: Connection, person_id: str) -> Person | None:
    """The person; None who was forgotten meanwhile."""
    is_there = connection.scalar(select(tables.people.c.id).where(tables.people.c.id == person_id))
    return stored_person(connection, person_id) if is_there else None


def _places(person: Person, units: Collection[str], class_group: str | None, day: date) -> frozenset[str]:
    """Codes of the units, or the class group, that somebody is or will be in; as a pupil, where it is a class group."""
    lasting = [one for one in person.affiliations if _lasts(one.end, day)]
    if class_group is None:
        return frozenset(one.unit for one in lasting if one.unit is not None and one.unit in units)
    return frozenset(
        place.code
        for one in lasting
        for place in one.classes
        if place.code == class_group and place.role == "pupil" and _lasts(place.end, day)
    )


def _lasts(end: date | None, day: date) -> bool:
    return end is None or end >= day


def _holder(context: Context, person: Person, place: str, known: Known | None, kept: Kept) -> Holder:
    accounts = {}
    for target, account in sorted((known or Known()).accounts.items()):
        able = context.capabilities(target) if target in context.loaded.settings.targets else None
        called = account.attributes.get(able.account_name) if able and able.passwords else None
        if called is not None and not isinstance(called, Sealed):
            accounts[target] = str(called)
    return Holder(person.id, _name(person), place, accounts, kept)


# ---------------------------------------------------------------- resetting


def _reset(context: Context, connection: Connection, name: str, target: str | None, reason: str) -> Reset:
    """The changes that a reset comes to; writes nothing."""
    targets = context.loaded.settings.targets
    if target is not None:
        known_name("target", target, targets)
    person_id = find_person(connection, name)
    known = load_known(connection, [person_id]).get(person_id) or Known()
    accounts = [
        known.accounts[one]
        for one in targets
        if one in known.accounts and target in {None, one} and context.capabilities(one).passwords
    ]
    if not accounts:
        raise NoSecret(f"{person_id} has no account{f' in {target}' if target else ''} that takes a password")
    ruleset = context.ruleset
    given = {account.rule for account in known.accounts.values()}
    policy = policy_of(given, ruleset.password_policies(), ruleset.passwords)
    if not policy:
        rules = ", ".join(dict.fromkeys(account.rule for account in accounts))
        raise NoSecret(f"no rule says how to make a password: name a policy under 'password' of {rules}")
    changes = reset_passwords(person_id, accounts, policy, reason or "password reset")
    return Reset(person_id, _name(stored_person(connection, person_id)), policy, changes)


def _name(person: Person) -> str:
    return f"{person.given_name} {person.family_name}".strip()


def _today(context: Context) -> date:
    return today(context.clock, context.loaded.settings.organisation.zone)
