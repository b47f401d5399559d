"""First passwords on their way to targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select

from connectors.contract import Action, Capabilities, Kind, Operation, Outcome, PasswordRules
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    Rejected,
    Stale,
    Throttled,
    Transient,
    Unavailable,
)
from eadm_sync.app.context import complete_metadata
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import Key
from eadm_sync.delivery.deliverer import Deliverer
from eadm_sync.delivery.passwords import Passwords
from eadm_sync.model import Person
from eadm_sync.passwords import Policy
from eadm_sync.plan.change import Change
from eadm_sync.ruleset import LifecycleSettings
from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database, open_for_reading
from eadm_sync.state.passwords import load_kept
from exportqueue import Item, Result, State

from .conftest import queued

VAULT = Vault([Key("one", bytes(32))])
NOW = datetime(2026, 8, 17, 8, tzinfo=UTC)
KARI = "hr:1"
AD = PasswordRules(min_length=8, min_classes=3, avoids_names=True)
POLICIES = {"staff": Policy("staff"), "young": Policy("young", must_change=False), "short": Policy("short", length=6)}


@dataclass
class Recorder:
    """A target that keeps what it was asked, and answers as told."""

    passwords: bool = True
    answer: Any = None
    asked: list[Operation] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        """Takes passwords, or does not."""
        return Capabilities(frozenset(Kind), batch_size=100, passwords=self.passwords)

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """One outcome each."""
        self.asked += operations
        for operation in operations:
            told = self.answer(operation) if self.answer else None
            if isinstance(told, Outcome):
                yield told
            else:
                yield Outcome(operation.id, told, operation.anchor or f"anchor of {operation.owner}")

    @property
    def given(self) -> list[str | None]:
        """The passwords it was given, in order."""
        return [one.password.value if one.password else None for one in self.asked]


class Rig:
    """A state and the deliverers of its targets."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FixedClock(NOW)
        self.policies = dict(POLICIES)
        self.made = 0

    def deliver(self, target: Recorder, *changes: Change, name: str = "ad") -> list[Result]:
        """Delivers changes and writes down what came of it, as a worker does."""
        found: Any = target
        deliverer = Deliverer(
            self.database,
            name,
            found,
            VAULT,
            LifecycleSettings(),
            self.clock,
            ZoneInfo("Europe/Oslo"),
            passwords=Passwords(self.policies, [AD], 30),
        )
        results = [
            msgspec.structs.replace(one, state=State.DEAD if one.error else State.DONE)
            for one in deliverer.deliver([self.item(change, name) for change in changes])
        ]
        with self.database.write() as connection:
            deliverer.record(connection, results)
        return results

    def item(self, change: Change, target: str) -> Item:
        """A change as the queue holds it."""
        self.made += 1
        return queued(change, self.made, target, VAULT, NOW)

    def audit(self) -> list[tuple[str, str | None]]:
        """Events about passwords: (action, target)."""
        columns = tables.audit.c
        query = select(columns.action, columns.target).where(columns.kind == "password").order_by(columns.id)
        with self.database.read() as connection:
            return [(row.action, row.target) for row in connection.execute(query)]

    def end(self) -> str | None:
        """How Kari's password ended."""
        with self.database.read() as connection:
            return load_kept(connection, [KARI])[KARI].end


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A state that knows Kari."""
    with open_for_reading("sqlite:///nothing.db", tmp_path, complete_metadata) as database:
        with database.write() as connection:
            person = msgspec.msgpack.encode(Person(KARI, "Kari", "Nordmann"))
            bulk.insert(connection, tables.people, ("id", "name", "data", "pending"), [(KARI, "Kari", person, False)])
        yield Rig(database)


def create(target: str = "ad", policy: str = "staff", person: str = KARI) -> Change:
    """A new account."""
    return Change(
        target,
        Kind.ACCOUNT,
        Action.CREATE,
        person=person,
        attributes={"displayName": (None, "Kari Nordmann")},
        enabled=True,
        password=policy,
    )


def test_every_target_gets_the_same_password(rig: Rig):
    """Made for the first one, kept for the next; one made it, and both were sent it."""
    ad, google = Recorder(), Recorder()
    rig.deliver(ad, create())
    rig.deliver(google, create("google", "young"), name="google")
    assert ad.given == google.given
    assert [one.password.must_change for one in (*ad.asked, *google.asked) if one.password] == [True, False]
    assert rig.audit() == [("make", None), ("send", "ad"), ("send", "google")]


def test_a_delivery_that_was_cut_short_repeats_the_same_password(rig: Rig):
    """The password is kept before the target hears of it: nobody can know whether the first attempt came through."""
    broken = Recorder(answer=lambda _: _raise(Unavailable("gone")))
    with pytest.raises(Unavailable):
        rig.deliver(broken, create())
    again = Recorder()
    rig.deliver(again, create())
    assert again.given == broken.given
    assert rig.audit() == [("make", None), ("send", "ad")]


def test_two_accounts_in_one_batch_get_their_own(rig: Rig):
    """Each person has one; whoever gets none by the rules has none."""
    target = Recorder()
    rig.deliver(target, create(), create(person="hr:2"), create(person="hr:3", policy=""))
    first, second, third = target.given
    assert first
    assert second
    assert first != second
    assert third is None


def test_a_target_without_passwords_gets_none(rig: Rig):
    """None is made either."""
    target = Recorder(passwords=False)
    rig.deliver(target, create())
    assert target.given == [None]
    assert rig.audit() == []


def test_only_new_accounts_and_resets_bring_one_along(rig: Rig):
    """An account that is enabled, or comes back from the recycle bin, keeps the password that it has."""
    target = Recorder()
    rig.deliver(target, create())
    for action in (Action.DISABLE, Action.ENABLE):
        rig.deliver(target, Change("ad", Kind.ACCOUNT, action, person=KARI, password="staff"))
    rig.deliver(target, Change("ad", Kind.ACCOUNT, Action.UPDATE, person=KARI, password="staff", urgent=True))
    assert [bool(given) for given in target.given] == [True, False, False, True]


def test_what_the_target_finds_too_weak_and_nobody_has_is_made_anew(rig: Rig):
    """The change is a dead letter; when somebody has it tried again, it brings another password."""
    strict = Recorder(answer=lambda _: Rejected("too weak", "password"))
    (result,) = rig.deliver(strict, create())
    assert isinstance(result.error, Rejected)
    assert rig.end() == "refused"
    later = Recorder()
    rig.deliver(later, create())
    assert later.given != strict.given
    assert rig.audit() == [("make", None), ("refuse", "ad"), ("make", None), ("send", "ad")]


def test_what_one_target_has_is_not_thrown_away_because_another_refuses_it(rig: Rig):
    """Somebody may be using it already: that is for an operator to decide."""
    ad = Recorder()
    rig.deliver(ad, create())
    rig.deliver(Recorder(answer=lambda _: Rejected("too weak", "password")), create("google"), name="google")
    assert rig.end() is None


def test_another_refusal_leaves_the_password_alone(rig: Rig):
    """It was not its fault."""
    rig.deliver(Recorder(answer=lambda _: Rejected("no such container", "container")), create())
    assert rig.end() is None


def test_a_policy_that_is_gone_is_planned_anew(rig: Rig):
    """The rules were changed while the change was waiting."""
    del rig.policies["staff"]
    target = Recorder()
    (result,) = rig.deliver(target, create())
    assert isinstance(result.error, Stale)
    assert target.asked == []


def test_a_policy_that_no_target_takes_is_a_dead_letter(rig: Rig):
    """Which says so; nothing was sent."""
    target = Recorder()
    (result,) = rig.deliver(target, create(policy="short"))
    assert isinstance(result.error, Rejected)
    assert "fewer than 8 characters" in str(result.error)
    assert target.asked == []


def test_after_its_last_day_another_is_made(rig: Rig):
    """An account that is made months later gets a password that nobody has on paper."""
    ad, google = Recorder(), Recorder()
    rig.deliver(ad, create())
    rig.clock.moment += timedelta(days=30)
    rig.deliver(google, create("google"), name="google")
    assert ad.given != google.given
    assert ("expire", None) in rig.audit()


def test_with_the_account_goes_the_password(rig: Rig):
    """Whose account was deleted needs none."""
    target = Recorder()
    rig.deliver(target, create())
    known = tables.known_accounts
    with rig.database.write() as connection:
        gone = {"enabled": False, "deactivated_on": "2020-01-01"}
        connection.execute(known.update().values(gone))
        connection.execute(tables.people.update().values(pending=False))
    rig.deliver(target, Change("ad", Kind.ACCOUNT, Action.DELETE, person=KARI))
    assert rig.end() == "destroyed"


@pytest.mark.parametrize("kind", [Rejected, Transient, Throttled, Unavailable, AuthenticationFailed, ValueError])
def test_a_connector_that_tells_a_password_is_silenced(rig: Rig, kind: type[Exception]):
    """Whatever it says is kept with the queued change, so no password may be in it; what it means stays."""

    def leak(operation: Operation) -> Outcome:
        assert operation.password
        raise kind(f"cannot set {operation.password.value}")

    target = Recorder(answer=leak)
    with pytest.raises(ConnectorError) as caught:
        rig.deliver(target, create())
    (password,) = target.given
    assert str(password) not in f"{caught.value} {caught.value!r}"
    assert "left out" in str(caught.value)
    assert type(caught.value) is (Transient if kind is ValueError else kind)


def test_an_outcome_that_tells_a_password_is_silenced(rig: Rig):
    """Errors, warnings and what the target claims to have stored."""

    def leak(operation: Operation) -> Outcome:
        value = operation.password.value if operation.password else ""
        return Outcome(operation.id, None, "anchor", {"userPassword": value}, f"I took {value}")

    target = Recorder(answer=leak)
    rig.deliver(target, create())
    (password,) = target.given
    with rig.database.read() as connection:
        held = [row for table in (tables.known_accounts, tables.audit) for row in connection.execute(select(table))]
    assert len(held) > 1
    assert str(password) not in repr(held)


def _raise(error: Exception) -> None:
    raise error
