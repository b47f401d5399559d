from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select

from connectors import errors
from connectors.contract import Action, Capabilities, Kind, Operation, Outcome, RemoteObject
from connectors.errors import ConnectorError, NotFound, Protected, Rejected, Stale, Transient, Unavailable
from eadm_sync.app.context import complete_metadata
from eadm_sync.clock import FixedClock
from eadm_sync.config.keys import Key
from eadm_sync.config.settings import ProtectedSettings
from eadm_sync.correlation import Protection
from eadm_sync.delivery.deliverer import Deliverer
from eadm_sync.delivery.protecting import Guarding
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Script
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database, open_for_reading
from eadm_sync.state.known import KnownAccount, load_accounts, load_groups, load_known
from eadm_sync.state.orders import Order, OrderKind, give_order
from eadm_sync.state.outcomes import known_marks, known_versions
from eadm_sync.state.protection import protected_groups
from exportqueue import Item, PutOff, Result, State

from .conftest import queued

VAULT = Vault([Key("one", bytes(32))])
LATE = datetime(2026, 8, 17, 22, 30, tzinfo=UTC)
"""The 18th already, in Oslo."""
TODAY = date(2026, 8, 18)
PERSON = "hr:1"


@dataclass
class Lifecycle:
    """A year of retention."""

    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365


@dataclass
class ScriptedTarget:
    """A target that succeeds, but for what it is told to answer."""

    errors: dict[str, ConnectorError] = field(default_factory=dict)
    stores: dict[str, Any] = field(default_factory=dict)
    regains: tuple[RemoteObject, ...] = ()
    warning: str | None = None
    breaks_with: ConnectorError | None = None
    found: Sequence[RemoteObject] | ConnectorError = ()
    asked: list[Operation] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(frozenset(Kind), batch_size=100))

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """One outcome each, by what the operation is about; then perhaps the end."""
        self.asked += operations
        for operation in operations:
            error = self.errors.get(f"{operation.action} {operation.kind}")
            created = operation.action is Action.CREATE and operation.kind in (Kind.ACCOUNT, Kind.GROUP)
            anchor = f"anchor of {operation.owner}" if created else operation.anchor
            yield Outcome(operation.id, error, anchor, {} if error else self.stores, self.warning, self.regains)
        if self.breaks_with:
            raise self.breaks_with

    def find(self, _kind: Kind, _attributes: Mapping[str, Any]) -> Sequence[RemoteObject]:
        """What it was told to find."""
        if isinstance(self.found, ConnectorError):
            raise self.found
        return self.found


@dataclass
class Rig:
    """A deliverer with its surroundings."""

    database: Database
    target: ScriptedTarget
    clock: FixedClock
    made: int = 0
    guarding: Guarding = field(default_factory=Guarding)

    @property
    def deliverer(self) -> Deliverer:
        """A new one, as each process has."""
        target: Any = self.target
        zone, guarding = ZoneInfo("Europe/Oslo"), self.guarding
        return Deliverer(self.database, "ad", target, VAULT, Lifecycle(), self.clock, zone, guarding=guarding)

    def item(self, change: Change, **more: Any) -> Item:
        """A change as the queue holds it."""
        self.made += 1
        item = queued(change, self.made, "ad", VAULT, LATE)
        return msgspec.structs.replace(item, **more)

    def deliver(self, *changes: Change, **more: Any) -> list[Result]:
        """Has changes delivered and recorded, as the worker does."""
        deliverer = self.deliverer
        results = [
            msgspec.structs.replace(result, state=State.DEAD if result.error else State.DONE)
            for result in deliverer.deliver([self.item(change, **more) for change in changes])
        ]
        with self.database.write() as connection:
            deliverer.record(connection, results)
        return results

    def account(self) -> KnownAccount | None:
        """The person's account as it is known."""
        with self.database.read() as connection:
            return load_accounts(connection, "ad", [PERSON]).get(PERSON)

    def person(self) -> Any:
        """The person's row."""
        with self.database.read() as connection:
            return connection.execute(select(tables.people).where(tables.people.c.id == PERSON)).one()

    def audit(self) -> list[Any]:
        """All lines of the audit."""
        with self.database.read() as connection:
            return list(connection.execute(select(tables.audit)))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A person who has nothing yet."""
    with open_for_reading("sqlite:///nothing.db", tmp_path, complete_metadata) as database:
        with database.write() as connection:
            row = {"id": PERSON, "name": "Kari", "data": b"", "due": None, "pending": False}
            connection.execute(tables.people.insert(), row)
        yield Rig(database, ScriptedTarget(), FixedClock(LATE))


def account(action: Action, **more: Any) -> Change:
    """A change to the person's account."""
    return Change("ad", Kind.ACCOUNT, action, person=PERSON, rule="staff", **more)


CREATE = account(
    Action.CREATE, attributes={"username": (None, "kari"), "title": (None, "x")}, container=(None, "OU=x"), enabled=True
)
CREATE_GROUP = Change("ad", Kind.GROUP, Action.CREATE, group="all", attributes={"name": (None, "All")}, rule="all")
JOIN = Change("ad", Kind.MEMBERSHIP, Action.CREATE, person=PERSON, group="all", role="owner", rule="all")
LICENCE = Change("ad", Kind.LICENCE, Action.CREATE, person=PERSON, sku="E3", rule="office")


def test_what_was_created_is_known_with_its_anchor(rig: Rig):
    """Account, group, membership and licence, each with the rule that gives it."""
    rig.deliver(CREATE, CREATE_GROUP)
    rig.deliver(JOIN, LICENCE)

    with rig.database.read() as connection:
        known, groups = load_known(connection, [PERSON])[PERSON], load_groups(connection)
    attributes = {"username": "kari", "title": "x"}
    assert known.accounts == {"ad": KnownAccount("ad", "anchor of hr:1", "OU=x", True, dict(attributes), "staff", None)}
    assert known.memberships == {("ad", "all"): ("owner", "all")}
    assert known.licences == {("ad", "E3"): "office"}
    assert groups["ad", "all"].anchor == "anchor of group:all"
    assert [line.object for line in rig.audit()] == [
        *("account:hr:1", "group:all", "membership:hr:1:all", "licence:hr:1:E3")
    ]


def test_an_update_is_laid_over_what_is_known(rig: Rig):
    """What did not change stays, what was cleared goes, a move moves."""
    rig.deliver(CREATE)

    rig.deliver(
        account(Action.UPDATE, attributes={"title": ("x", None), "mail": (None, "k@x")}, container=("OU=x", "OU=y"))
    )

    known = rig.account()
    assert known
    assert known.attributes == {"username": "kari", "mail": "k@x"}
    assert (known.container, known.enabled, known.anchor) == ("OU=y", True, "anchor of hr:1")


def test_retention_begins_on_the_local_day_of_the_disabling(rig: Rig):
    """It is past midnight in Oslo, though not in UTC; the person is due when retention is over."""
    rig.deliver(CREATE)

    rig.deliver(account(Action.DISABLE, deactivates=True))

    known = rig.account()
    assert known
    assert (known.enabled, known.deactivated_on) == (False, TODAY)
    assert rig.person().due == "2027-08-18"


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ("2026-09-01", "2026-09-01"),  # something else comes first, and reckons anew then
        ("2030-01-01", "2027-08-18"),
        (None, "2027-08-18"),
    ],
)
def test_the_next_day_to_look_is_never_put_off(rig: Rig, due: str | None, expected: str):
    """The end of retention is one of several days that can come first."""
    rig.deliver(CREATE)
    with rig.database.write() as connection:
        connection.execute(tables.people.update().values(due=due))

    rig.deliver(account(Action.DISABLE, deactivates=True))

    assert rig.person().due == expected


def test_other_changes_to_a_deactivated_account_do_not_bring_the_day_back(rig: Rig):
    """On that very day the account is given again: who was looked at then is not looked at twice."""
    rig.deliver(CREATE)
    rig.deliver(account(Action.DISABLE, deactivates=True))
    with rig.database.write() as connection:
        connection.execute(tables.people.update().values(due=None))

    rig.deliver(account(Action.UPDATE, attributes={"title": ("x", "y")}))

    assert rig.person().due is None


def test_a_disabling_that_is_not_the_end_starts_no_retention(rig: Rig):
    """A start that was put off."""
    rig.deliver(CREATE)

    rig.deliver(account(Action.DISABLE))

    known = rig.account()
    assert known
    assert (known.enabled, known.deactivated_on) == (False, None)
    assert rig.person().due is None


def test_enabling_ends_retention(rig: Rig):
    """Somebody came back."""
    rig.deliver(CREATE)
    rig.deliver(account(Action.DISABLE, deactivates=True))

    rig.deliver(account(Action.ENABLE))

    known = rig.account()
    assert known
    assert (known.enabled, known.deactivated_on) == (True, None)


def test_a_deleted_account_takes_along_what_hung_on_it(rig: Rig):
    """Memberships and licences are not known any more, and a membership still to be ended is a success unasked."""
    rig.deliver(CREATE, CREATE_GROUP)
    rig.deliver(JOIN, LICENCE)
    rig.deliver(account(Action.DISABLE, deactivates=True))
    rig.clock.moment = LATE.replace(year=2027)
    rig.deliver(account(Action.DELETE))
    asked = len(rig.target.asked)

    (result,) = rig.deliver(Change("ad", Kind.MEMBERSHIP, Action.DELETE, person=PERSON, group="all"))

    with rig.database.read() as connection:
        assert load_known(connection, [PERSON]) == {}
    assert result.error is None
    assert len(rig.target.asked) == asked


def test_what_an_account_came_back_with_is_known_and_looked_at(rig: Rig):
    """Of known groups and of products that somebody has; each with a line in the audit, so that a plan can end it."""
    rig.target.capabilities = Capabilities(frozenset(Kind), batch_size=100, soft_delete=True)
    rig.deliver(CREATE, CREATE_GROUP)
    rig.deliver(account(Action.DISABLE, deactivates=True))
    rig.clock.moment = LATE.replace(year=2027)
    rig.deliver(account(Action.DELETE))
    with rig.database.write() as connection:
        connection.execute(tables.people.update().values(pending=False))
        other = {"person_id": "hr:2", "target": "ad", "sku": "E3", "rule": "office", "ruleset_version": ""}
        connection.execute(tables.known_licences.insert(), other)
    there = {"anchor": "", "account": "anchor of hr:1"}
    rig.target.regains = (
        RemoteObject(Kind.MEMBERSHIP, **there, group="anchor of group:all", role="owner"),
        RemoteObject(Kind.MEMBERSHIP, **there, group="a stranger's"),
        RemoteObject(Kind.LICENCE, **there, sku="E3"),
        RemoteObject(Kind.LICENCE, **there, sku="a stranger's"),
    )

    rig.deliver(account(Action.RESTORE))

    with rig.database.read() as connection:
        known = load_known(connection, [PERSON])[PERSON]
    assert known.memberships == {("ad", "all"): ("owner", "all")}
    assert known.licences == {("ad", "E3"): "office"}
    assert rig.person().pending
    restored, joined, licensed = rig.audit()[-3:]
    assert [restored.action, joined.action, licensed.action] == ["restore", "create", "create"]
    assert (joined.object, licensed.object) == (JOIN.object_key, LICENCE.object_key)
    assert msgspec.msgpack.decode(joined.detail)["reason"] == "came back with the account"


def test_what_failed_is_not_known(rig: Rig):
    """No known state, no audit, and the others of the batch are not touched by it."""
    rig.target.errors["create account"] = Rejected("too long", "title")

    results = rig.deliver(CREATE, CREATE_GROUP)

    assert [type(result.error) for result in results] == [Rejected, type(None)]
    assert rig.account() is None
    assert [line.object for line in rig.audit()] == ["group:all"]
    assert not rig.person().pending


def test_what_a_target_had_no_time_for_is_given_back_to_the_queue(rig: Rig):
    """As if it had not been asked for; the others of the batch are done."""
    rig.target.errors["create account"] = errors.PutOff("no time")

    results = rig.deliver(CREATE, CREATE_GROUP)

    assert [type(result.error) for result in results] == [PutOff, type(None)]
    assert rig.account() is None


def test_somebody_whose_plan_was_overtaken_is_looked_at_again(rig: Rig):
    """A membership without its account is stale; the next run plans the person anew."""
    (result,) = rig.deliver(JOIN)

    assert isinstance(result.error, Stale)
    assert rig.target.asked == []
    assert rig.person().pending


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        # enabling
        (account(Action.ENABLE), True),
        # an account that would be enabled from the beginning
        (CREATE, True),
        # one that is made disabled
        (msgspec.structs.replace(CREATE, enabled=False), False),
        # whatever else becomes of the account
        (account(Action.UPDATE, attributes={"title": ("x", "y")}), False),
        (account(Action.DISABLE), False),
    ],
)
def test_nothing_enables_who_is_stopped(rig: Rig, change: Change, is_refused: bool):
    """Whatever was planned before: the check is made once more when it is delivered."""
    if change.action is not Action.CREATE:
        rig.deliver(msgspec.structs.replace(CREATE, enabled=False))
    with rig.database.write() as connection:
        give_order(connection, PERSON, Order(OrderKind.STOP, None, "lost laptop", "anna", LATE.isoformat()))

    (result,) = rig.deliver(change)

    assert isinstance(result.error, Stale) is is_refused
    assert bool(rig.person().pending) is is_refused
    known = rig.account()
    assert known is None or not known.enabled


def test_what_was_answered_before_a_target_broke_off_stands(rig: Rig):
    """The outcomes come out before the error does."""
    rig.target.breaks_with = Unavailable("down")
    results = rig.deliverer.deliver([rig.item(CREATE)])

    assert next(results).error is None
    with pytest.raises(Unavailable):
        next(results)


def test_every_attempt_at_an_item_has_the_same_operation_id(rig: Rig):
    """And no other item has it: that is how a target knows its own unconfirmed work again."""
    item = rig.item(CREATE)

    for each in (item, msgspec.structs.replace(item, attempts=3, fence=9), rig.item(CREATE)):
        list(rig.deliverer.deliver([each]))

    first, again, other = rig.target.asked
    assert first.id == again.id != other.id


def _disabled_for_long(rig: Rig) -> None:
    rig.deliver(CREATE)
    rig.deliver(account(Action.DISABLE, deactivates=True))
    rig.clock.moment = LATE.replace(year=2028)


def test_a_deletion_that_cannot_be_checked_fails_alone(rig: Rig):
    """A target that refuses the search spares the account; the rest of the batch is delivered."""
    _disabled_for_long(rig)
    rig.target.found = Rejected("cannot be searched")

    results = rig.deliver(account(Action.DELETE), CREATE_GROUP)

    assert [type(result.error) for result in results] == [Rejected, type(None)]
    assert rig.account()


def test_a_target_that_is_away_when_a_deletion_is_checked_is_away(rig: Rig):
    """No item is at fault."""
    _disabled_for_long(rig)
    rig.target.found = Unavailable("down")

    with pytest.raises(Unavailable):
        rig.deliver(account(Action.DELETE))

    assert rig.account()


def test_an_account_enabled_by_hand_is_spared_and_its_person_looked_at_again(rig: Rig):
    """The deletion is stale."""
    _disabled_for_long(rig)
    rig.target.found = [RemoteObject(Kind.ACCOUNT, "anchor of hr:1", enabled=True)]

    (result,) = rig.deliver(account(Action.DELETE))

    assert isinstance(result.error, Stale)
    assert rig.account()
    assert rig.person().pending


def test_a_payload_that_cannot_be_read_fails_alone(rig: Rig):
    """With the others delivered."""
    deliverer = rig.deliverer
    bad = msgspec.structs.replace(rig.item(CREATE), payload=b"\x03one" + bytes(40))

    results = {result.item_id: result.error for result in deliverer.deliver([bad, rig.item(CREATE_GROUP)])}

    assert type(results[1]).__name__ == "StateError"
    assert results[2] is None


def test_known_state_counts_what_was_confirmed(rig: Rig):
    """Failures do not move its version: a saved plan made before them still holds."""
    rig.target.errors["create account"] = Transient("busy")

    rig.deliver(CREATE, CREATE_GROUP)

    with rig.database.read() as connection:
        assert known_versions(connection, ["ad", "entra"]) == {"ad": 1, "entra": 0}


def test_the_audit_is_marked_behind_what_was_confirmed(rig: Rig):
    """So that a plan can tell whose known state changed since it was made."""
    rig.deliver(CREATE)
    rig.deliver(CREATE_GROUP)

    last = rig.audit()[-1].id
    with rig.database.read() as connection:
        assert known_marks(connection, ["ad", "entra"]) == {"ad": last, "entra": 0}


def test_what_a_target_stored_otherwise_is_known_as_stored(rig: Rig):
    """It folded case; what is sealed stays sealed."""
    rig.target.stores = {"username": "KARI", "nin": "13097248023", "title": None}
    sealed = VAULT.seal("13097248022", "nin")

    rig.deliver(msgspec.structs.replace(CREATE, attributes={**CREATE.attributes, "nin": (None, sealed)}))

    known = rig.account()
    assert known
    assert known.attributes == {"username": "KARI", "nin": VAULT.seal("13097248023", "nin")}
    assert known.altered == {
        "username": ("kari", "KARI"),
        "nin": (sealed, VAULT.seal("13097248023", "nin")),
        "title": (CREATE.attributes.get("title", (None, None))[1], None),
    }


def test_of_what_was_stored_otherwise_no_ciphertext_is_kept(rig: Rig):
    """It is only compared: hashes do, and they outlive the key that sealed."""
    rig.target.stores = {"nin": "13097248023"}
    sealed = VAULT.seal("13097248022", "nin")

    rig.deliver(msgspec.structs.replace(CREATE, attributes={"nin": (None, sealed)}))

    known = rig.account()
    assert known
    assert [value.ciphertext for value in known.altered["nin"] if isinstance(value, Sealed)] == [b"", b""]


def test_what_is_asked_for_anew_and_stored_so_is_no_longer_altered(rig: Rig):
    """What was not asked for again stays as it was stored."""
    rig.target.stores = {"username": "KARI"}
    rig.deliver(CREATE)
    rig.target.stores = {}

    rig.deliver(msgspec.structs.replace(account(Action.UPDATE), attributes={"mail": (None, "kari@x.example")}))
    before = rig.account()
    rig.deliver(msgspec.structs.replace(account(Action.UPDATE), attributes={"username": ("KARI", "KNO")}))

    after = rig.account()
    assert before
    assert after
    assert (before.altered, after.altered) == ({"username": ("kari", "KARI")}, {})


def test_what_was_left_out_is_asked_for_by_the_next_run_and_then_daily(rig: Rig):
    """A manager whose account was not there yet may come at any time, or never."""
    rig.target.stores = {"title": None}

    rig.deliver(CREATE)
    was_pending = rig.person().pending
    with rig.database.write() as connection:
        connection.execute(tables.people.update().values(pending=False))
    rig.deliver(account(Action.UPDATE, attributes={"title": (None, "x")}))

    assert was_pending
    assert not rig.person().pending
    assert rig.person().due == "2026-08-19"


@pytest.mark.parametrize(("role", "is_looked_at"), [("owner", True), ("member", False)])
def test_a_group_that_lacks_something_is_looked_at_when_somebody_comes_to_lead_it(
    rig: Rig, role: str, is_looked_at: bool
):
    """A group becomes a team once it has an owner."""
    rig.deliver(CREATE)
    rig.target.stores = {"team": None}
    rig.deliver(msgspec.structs.replace(CREATE_GROUP, attributes={"name": (None, "All"), "team": (None, True)}))
    rig.target.stores = {}

    rig.deliver(msgspec.structs.replace(JOIN, role=role))

    assert bool(rig.person().pending) is is_looked_at


def test_what_a_target_warns_of_is_kept_in_the_audit(rig: Rig):
    """Beside the change itself, which was carried out."""
    rig.target.warning = "the name was cut"

    rig.deliver(CREATE)

    done, warned = rig.audit()
    told = msgspec.msgpack.decode(warned.detail)
    assert (done.action, warned.action, warned.object) == ("create", "warn", done.object)
    assert told["reason"] == "the name was cut"
    assert "attributes" not in told


def test_known_state_says_which_ruleset_gave_it(rig: Rig):
    """The one that the item's plan was made with, not the one of today."""
    basis = b'{"today":"2026-08-17","sources":{},"ruleset":"version-7","targets":{},"known":{}}'
    with rig.database.write() as connection:
        row = {"id": "plan-1", "run_id": "run-1", "created_at": "", "basis": basis, "summary": b"{}"}
        connection.execute(tables.plans.insert(), row)

    rig.deliver(CREATE, plan_id="plan-1")

    with rig.database.read() as connection:
        assert connection.scalar(select(tables.known_accounts.c.ruleset_version)) == "version-7"


def test_a_program_that_follows_a_protected_account_is_not_run(rig: Rig):
    """Whatever was planned before it was protected."""
    rig.deliver(CREATE)
    rig.guarding = Guarding(Protection.of(ProtectedSettings(accounts=("kari",))))
    script = Script("home", "home", "create", ("kari",))

    (result,) = rig.deliver(Change("ad", Kind.SCRIPT, Action.CREATE, person=PERSON, rule="staff", script=script))

    assert str(result.error) == "it is protected: the name kari is protected"


def test_what_a_target_will_not_have_changed_is_known_from_then_on(rig: Rig):
    """Of the account, or of the group that somebody was to get into; the person is looked at again."""
    rig.deliver(CREATE, CREATE_GROUP)
    for what in ("update account", "create membership"):
        rig.target.errors[what] = Protected("is protected and never changed")

    rig.deliver(account(Action.UPDATE, attributes={"title": ("x", "y")}), JOIN)

    held = rig.account()
    assert held
    assert held.protected
    assert rig.person().pending
    with rig.database.read() as connection:
        assert protected_groups(connection) == {("ad", "all")}
    assert [(row.kind, row.action, row.object) for row in rig.audit()[-2:]] == [
        ("protection", "found", f"account:{PERSON}"),
        ("protection", "found", "group:all"),
    ]


def test_an_account_that_is_gone_says_what_to_run(rig: Rig):
    """Nothing is believed by one answer: the right to see it may be gone in its place."""
    rig.deliver(CREATE)
    rig.target.errors["update account"] = NotFound("account", "a-1")

    (result,) = rig.deliver(account(Action.UPDATE, attributes={"title": ("x", "y")}))

    assert isinstance(result.error, NotFound)
    assert str(result.error) == (
        "no account with anchor a-1, though it is known to be there: 'eadm-sync reconcile ad' finds out"
    )
    assert rig.account() is not None
