"""Lets go what a brake holds: for the next run that needs it, and for no more than was shown. Audited.

A release says how much may pass: what the latest run held under that name. It waits for a run for some hours, is used
once, and can be revoked. Where two persons are asked for, it lets nothing through before another user has confirmed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from eadm_sync.app.context import Context
from eadm_sync.app.last_plan import last_plan
from eadm_sync.errors import EadmError, NotFound
from eadm_sync.state import releases as store
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.releases import Release, Releases

Standing = Literal["valid", "to confirm", "used", "replaced", "revoked", "expired"]


class NotReleased(EadmError):
    """Something cannot be let go like this; the text says why, and what would do."""


class ReleaseShown(msgspec.Struct, frozen=True):
    """A release, and how it stands: valid, to confirm (by a second person), used, replaced, revoked or expired."""

    release: Release
    standing: Standing


def release(context: Context, hold: str, reason: str) -> ReleaseShown:
    """Lets a hold of the latest run go, up to what that run held.

    Raises:
        NotFound: The latest run held nothing under this name; `near` are the names it did hold.
        NotReleased: No reason is given, or the hold asks for an approved plan.
        StateError: The state cannot be used.
    """
    _require_reason(reason)
    now = context.clock.now()
    hours = context.loaded.settings.brakes.release_hours
    with context.writing() as database, database.write() as connection:
        held = _held(connection, hold)
        made = Release(
            id=0,
            hold=hold,
            most=held,
            reason=reason.strip(),
            actor=context.actor,
            at=now.isoformat(timespec="seconds"),
            expires_at=(now + timedelta(hours=hours)).isoformat(timespec="seconds"),
        )
        store.add(connection, made)
        _audit(context, connection, hold, "release", {"most": held, "reason": made.reason})
        return _shown(context, store.standing(connection, now)[hold])


def confirm(context: Context, hold: str, reason: str) -> ReleaseShown:
    """Confirms, as a second person, what another one let go.

    Raises:
        NotFound: Nothing of this name waits to be confirmed.
        NotReleased: It was let go by the same user, or no reason is given.
        StateError: The state cannot be used.
    """
    _require_reason(reason)
    now = context.clock.now()
    with context.writing() as database, database.write() as connection:
        standing = store.standing(connection, now)
        if hold not in standing or standing[hold].confirmed_by is not None:
            waiting = sorted(name for name, one in standing.items() if one.confirmed_by is None)
            raise NotFound("release to confirm", hold, tuple(waiting))
        if standing[hold].actor == context.actor:
            raise NotReleased(f"{context.actor} has let {hold} go: another user of this system has to confirm it")
        store.confirm(connection, hold, context.actor, now)
        detail = {"most": standing[hold].most, "released_by": standing[hold].actor, "reason": reason.strip()}
        _audit(context, connection, hold, "confirm", detail)
        return _shown(context, store.standing(connection, now)[hold])


def revoke(context: Context, hold: str, reason: str) -> None:
    """Takes back what was let go and has not been used.

    Raises:
        NotFound: Nothing of this name stands.
        NotReleased: No reason is given.
        StateError: The state cannot be used.
    """
    _require_reason(reason)
    now = context.clock.now()
    with context.writing() as database, database.write() as connection:
        standing = store.standing(connection, now)
        if hold not in standing:
            raise NotFound("release", hold, tuple(sorted(standing)))
        store.finish(connection, [hold], "revoked", now.isoformat(timespec="seconds"), context.actor)
        _audit(context, connection, hold, "revoke", {"reason": reason.strip()})


def releases(context: Context) -> tuple[ReleaseShown, ...]:
    """The latest releases, newest first, with how they stand.

    Raises:
        StateError: The state cannot be used.
    """
    with context.reading() as database, database.read() as connection:
        return listed(context, connection)


def listed(context: Context, connection: Connection) -> tuple[ReleaseShown, ...]:
    """As `releases`, within a transaction."""
    return tuple(_shown(context, one) for one in store.stored(connection))


def for_run(context: Context, connection: Connection, named: Iterable[str]) -> Releases:
    """What may pass in a run: holds that it names, and what was let go beforehand and confirmed where that is asked."""
    standing = store.standing(connection, context.clock.now())
    granted = {name: one.most for name, one in standing.items() if _standing(context, one) == "valid"}
    return Releases(named, granted)


def note_used(context: Context, connection: Connection, used: Releases, run_id: str) -> None:
    """Uses up what was let go beforehand and let something through."""
    names = sorted((used.used & used.granted.keys()) - used.named)
    if names:
        store.finish(connection, names, "used", context.clock.now().isoformat(timespec="seconds"), run_id)
        for name in names:
            _audit(context, connection, name, "use", {"most": used.granted[name]}, run_id)


def refuse_alone(context: Context, named: Iterable[str]) -> None:
    """Refuses a run that names holds of which two persons have to let go.

    Raises:
        NotReleased: One of them asks for a second person.
    """
    for name in sorted(named):
        if context.loaded.settings.needs_two(name):
            raise NotReleased(
                f"{name} is let go by two persons only: one with 'eadm-sync release \"{name}\" --reason ...', "
                f"another one with 'eadm-sync release \"{name}\" --confirm --reason ...'; then the next run obeys"
            )


def _held(connection: Connection, hold: str) -> int:
    """How much the latest run held under this name."""
    last = last_plan(connection)
    held = {} if last is None else {one.get("name") or one["brake"]: one for one in last.report.get("holds", ())}
    found: dict[str, Any] | None = held.get(hold)
    if found is None:
        raise NotFound("hold in the latest run", hold, tuple(sorted(held)))
    if found.get("approval"):
        how = "'eadm-sync plan --out FILE', then 'eadm-sync approve FILE' by another user"
        raise NotReleased(f"{hold} asks for an approved plan: {how}")
    count: int = found["count"] if "count" in found else found["vanished"]
    return count


def _shown(context: Context, one: Release) -> ReleaseShown:
    return ReleaseShown(one, _standing(context, one))


def _standing(context: Context, one: Release) -> Standing:
    if one.end is not None:
        return one.end
    if one.expires_at <= context.clock.now().isoformat(timespec="seconds"):
        return "expired"
    needs_two = context.loaded.settings.needs_two(one.hold)
    return "to confirm" if needs_two and one.confirmed_by is None else "valid"


def _audit(
    context: Context, connection: Connection, hold: str, action: str, detail: dict[str, Any], run_id: str | None = None
) -> None:
    now = context.clock.now().isoformat()
    entry = AuditEntry(now, run_id, context.actor, None, "hold", action, hold, None, msgspec.msgpack.encode(detail))
    append_audit(connection, context.vault, [entry])


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise NotReleased("say why with --reason; it is kept in the audit")
