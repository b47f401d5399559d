"""What first passwords of this installation are made by, and when they end."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.delivery.passwords import Passwords, entry
from eadm_sync.state import tables
from eadm_sync.state.auditing import append_audit
from eadm_sync.state.database import Database
from eadm_sync.state.passwords import End, end_passwords, is_kept, is_over

_ACTIONS = {End.USED: "use", End.EXPIRED: "expire", End.REPLACED: "replace", End.DESTROYED: "destroy"}
"""What the audit calls the end of a password."""


def first_passwords(context: Context) -> Passwords:
    """Makes passwords that do for every target that takes them, by the rules in force.

    Raises:
        ConfigError: The rules are wrong.
    """
    able = [context.capabilities(name) for name in context.loaded.settings.targets]
    return Passwords(
        policies=context.ruleset.passwords,
        rules=[one.password_rules for one in able if one.passwords],
        keep_days=context.loaded.settings.passwords.keep_days,
    )


def end_kept(
    context: Context,
    connection: Connection,
    people: Iterable[str],
    end: End,
    reason: str,
    *,
    run_id: str | None = None,
    target: str | None = None,
) -> list[str]:
    """Destroys the passwords that some people have, with a line in the audit for each; returns whose it was.

    Args:
        context: The installation.
        connection: A connection that may write.
        people: Their ids; those who have none are passed over.
        end: Why, in a word.
        reason: Why, for the audit.
        run_id: The run that does it, or None.
        target: The target that tells of it, or None.
    """
    now = context.clock.now()
    gone = end_passwords(connection, people, end, now)
    at, detail = now.isoformat(), {"reason": reason}
    lines = (entry(_ACTIONS[end], one, detail, at, actor=context.actor, target=target, run=run_id) for one in gone)
    append_audit(connection, context.vault, lines)
    return gone


def end_used(context: Context, database: Database, target: str, anchors: Container[str], began: str) -> list[str]:
    """Destroys the first passwords that were used, as a target tells; returns whose it was.

    Args:
        context: The installation.
        database: The state.
        target: Name of the target.
        anchors: Those of the accounts whose password was used.
        began: When the reading began, as ISO text: of a password that was sent later it tells nothing.
    """
    known, kept = tables.known_accounts.c, tables.passwords.c
    query = (
        select(known.person_id, known.anchor)
        .join_from(tables.known_accounts, tables.passwords, known.person_id == kept.person_id)
        .where(known.target == target, kept.sent_at < began, is_kept(context.clock.now()))
    )
    with database.write() as connection:
        people = [person for person, anchor in connection.execute(query) if anchor in anchors]
        return end_kept(context, connection, people, End.USED, "used for the first time", target=target)


def expire_passwords(context: Context, connection: Connection, most: int, run_id: str) -> int:
    """Destroys up to so many passwords whose last day is over; returns how many it were."""
    columns = tables.passwords.c
    query = select(columns.person_id).where(is_over(context.clock.now())).order_by(columns.person_id).limit(most)
    people = list(connection.scalars(query))
    reason = f"not used in {context.loaded.settings.passwords.keep_days} days"
    return len(end_kept(context, connection, people, End.EXPIRED, reason, run_id=run_id))
