"""First passwords on their way: made when the first target needs one, the same for the next, and put in at the last.

A password is kept, in a transaction of its own, before any target hears of it: whoever repeats a delivery that was cut
short, and whoever delivers to another target at the same moment, finds it there. In the queue, in plans and in known
state there is only the name of its policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, Operation, Outcome, Password, PasswordRules, Target
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    Rejected,
    Stale,
    Throttled,
    Transient,
    Unavailable,
)
from eadm_sync.clock import Clock
from eadm_sync.events import get_logger
from eadm_sync.importing.store import chunks
from eadm_sync.model import Person
from eadm_sync.passwords import Chance, NoPassword, Policy, SystemChance, make_password
from eadm_sync.plan.change import Change, account_key, person_of
from eadm_sync.state import tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database
from eadm_sync.state.passwords import (
    AUDITED,
    End,
    NewPassword,
    Secret,
    end_passwords,
    is_over,
    keep_or_read,
    load_passwords,
    note_sent,
)

log = get_logger(__name__)

ATTRIBUTE = "password"
"""What targets call a password when they refuse it."""

_ACTOR = "eadm-sync"

_encode = msgspec.msgpack.Encoder().encode
_decode_person = msgspec.msgpack.Decoder(Person).decode

Wanted = Mapping[int, tuple[Change, str | None]]
"""Item's id → a change that gives a password, with the id of the run that asked for it."""


@dataclass(frozen=True)
class Passwords:
    """Gives out first passwords for the changes of one target.

    Attributes:
        policies: As the rules say, by name.
        rules: What each target that takes passwords asks of them.
        keep_days: After so many days a password is destroyed.
        chance: Where chance comes from.
    """

    policies: Mapping[str, Policy] = field(default_factory=dict)
    rules: Sequence[PasswordRules] = ()
    keep_days: int = 30
    chance: Chance = field(default_factory=SystemChance)

    def of(
        self, database: Database, vault: Vault, clock: Clock, wanted: Wanted
    ) -> tuple[dict[int, Password], dict[int, Stale | Rejected]]:
        """The password for each change, by item; and why a change cannot be carried out that there is none for.

        Raises:
            StateError: The state fails.
        """
        found: dict[int, Password] = {}
        without: dict[int, Stale | Rejected] = {}
        if not wanted:
            return found, without
        now = clock.now()
        with database.write() as connection:
            people = {change.person or "" for change, _ in wanted.values()}
            kept = load_passwords(connection, vault, people, now)
            made, failed = self._made(connection, wanted, kept)
            if made:
                _note_over(connection, vault, [person for person, *_ in made], clock)
                expires_at = now + timedelta(days=self.keep_days)
                kept |= keep_or_read(connection, vault, made, now, expires_at)
                append_audit(connection, vault, (_made_entry(one, now.isoformat()) for one in made))
        for item_id, (change, _) in wanted.items():
            person = change.person or ""
            policy = self.policies.get(change.password)
            must_change = policy.must_change if policy else True
            secret = kept.get(person)
            if secret is None:
                without[item_id] = failed[person]
            else:
                found[item_id] = Password(secret.value, must_change)
        return found, without

    def _made(
        self, connection: Connection, wanted: Wanted, kept: Mapping[str, Secret]
    ) -> tuple[list[NewPassword], dict[str, Stale | Rejected]]:
        """New passwords for those who have none, each once; and why there is none, by person."""
        made: dict[str, NewPassword] = {}
        failed: dict[str, Stale | Rejected] = {}
        called = _names(connection, [change for change, _ in wanted.values() if change.person not in kept])
        for change, run in wanted.values():
            person = change.person or ""
            if person in kept or person in made:
                continue
            policy = self.policies.get(change.password)
            if policy is None:
                failed[person] = Stale(f"there is no password policy '{change.password}' any more")
                continue
            try:
                value = make_password(policy, self.rules, called[person], self.chance)
            except NoPassword as error:
                failed[person] = Rejected(str(error), ATTRIBUTE)
                continue
            made[person] = (person, policy.name, Secret(value), run)
        return list(made.values()), failed


def gives_password(change: Change) -> bool:
    """Whether a change brings a password along, where its target takes passwords."""
    return bool(change.password) and change.kind is Kind.ACCOUNT and change.action in {Action.CREATE, Action.UPDATE}


def is_weak(error: Exception | None) -> bool:
    """Whether a target has refused a password."""
    return isinstance(error, Rejected) and error.attribute == ATTRIBUTE


def note_outcomes(
    connection: Connection,
    clock: Clock,
    target: str,
    *,
    taken: Iterable[tuple[Change, str | None]],
    refused: Iterable[str],
    deleted: Iterable[str],
) -> list[AuditEntry]:
    """Writes down what a batch meant for passwords; returns what is to be added to the audit.

    A password that a target found too weak, and that nobody has yet, is destroyed: another is made when the change is
    tried again. So is that of a person whose account was deleted.

    Args:
        connection: A connection that may write.
        clock: The time.
        target: The target's name.
        taken: Changes that came through with a password, each with the id of its run.
        refused: Subjects of changes whose password was refused.
        deleted: Ids of people whose account was deleted.
    """
    now = clock.now()
    at, sent = now.isoformat(), [*taken]
    note_sent(connection, (change.person or "" for change, _ in sent), now)
    nobody_has = tables.passwords.c.sent_at.is_(None)
    weak = end_passwords(connection, (person_of(one) or "" for one in refused), End.REFUSED, now, nobody_has)
    left = end_passwords(connection, deleted, End.DESTROYED, now)
    for person in weak:
        log.warning("password.refused", target=target, person=person)
    return [
        *(
            entry("send", change.person or "", {"policy": change.password}, at, target=target, run=run)
            for change, run in sent
        ),
        *(entry("refuse", one, {"reason": "too weak, and nobody had it"}, at, target=target) for one in weak),
        *(entry("destroy", one, {"reason": "the account was deleted"}, at, target=target) for one in left),
    ]


def entry(
    action: str,
    person: str,
    detail: Mapping[str, object],
    at: str,
    *,
    actor: str = _ACTOR,
    target: str | None = None,
    run: str | None = None,
) -> AuditEntry:
    """A line of the audit about somebody's password."""
    return AuditEntry(at, run, actor, target, AUDITED, action, account_key(person), person, _encode(detail))


def applied(target: Target, operations: Sequence[Operation]) -> Iterator[Outcome]:
    """What `Target.apply` yields and raises; where a connector has put a password into its words, with other words.

    Errors are kept with the queued change, and warnings in the audit: that no password gets there is not left to
    connectors, which others write.
    """
    secrets = [operation.password.value for operation in operations if operation.password is not None]
    try:
        for outcome in target.apply(operations):
            yield _silent(outcome, secrets) if secrets else outcome
    except Exception as error:
        if not _tells(error, secrets):
            raise
        raise _silenced(error) from None


def _silent(outcome: Outcome, secrets: Iterable[str]) -> Outcome:
    told = [one for one in (outcome.error, outcome.warning, *outcome.attributes.values()) if one is not None]
    if not any(_tells(one, secrets) for one in told):
        return outcome
    error = None if outcome.error is None else _silenced(outcome.error)
    return Outcome(outcome.operation_id, error, outcome.anchor)


def _tells(told: object, secrets: Iterable[str]) -> bool:
    words = f"{told} {told!r}"
    return any(secret in words for secret in secrets)


def _silenced(error: Exception) -> ConnectorError:
    """An error that means the same to the queue and tells nothing but its kind."""
    told = f"{type(error).__name__}: what it said is left out, since it held a password"
    match error:
        case Rejected():
            return Rejected(told, ATTRIBUTE)
        case Throttled():
            return Throttled(told, error.retry_after_seconds)
        case Unavailable():
            return Unavailable(told, error.retry_after_seconds)
        case AuthenticationFailed():
            return AuthenticationFailed(told)
        case _:
            return Transient(told)


def _made_entry(one: NewPassword, at: str) -> AuditEntry:
    person, policy, _, run = one
    return entry("make", person, {"policy": policy}, at, run=run)


def _note_over(connection: Connection, vault: Vault, people: Sequence[str], clock: Clock) -> None:
    """Ends what is over before it is replaced, so that the audit says so."""
    now = clock.now()
    gone = end_passwords(connection, people, End.EXPIRED, now, is_over(now))
    append_audit(connection, vault, (entry("expire", person, {}, now.isoformat()) for person in gone))


def _names(connection: Connection, changes: Sequence[Change]) -> dict[str, set[str]]:
    """What owners are called: in the sources, by identifiers, and in the accounts' attributes that say a name."""
    called: dict[str, set[str]] = {}
    for change in changes:
        texts = (new for name, (_, new) in change.attributes.items() if "name" in name.casefold())
        called.setdefault(change.person or "", set()).update(text for text in texts if isinstance(text, str))
    people, identifiers = tables.people.c, tables.identifiers.c
    for portion in chunks(sorted(called)):
        for person_id, data in connection.execute(select(people.id, people.data).where(people.id.in_(portion))):
            person = _decode_person(data) if data else Person(person_id)
            called[person_id] |= {person.given_name, person.family_name, person.username or ""}
        query = select(identifiers.person_id, identifiers.value).where(identifiers.person_id.in_(portion))
        for person_id, value in connection.execute(query):
            called[person_id].add(value)
    return called
