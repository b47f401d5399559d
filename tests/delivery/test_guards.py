from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, create_engine

from connectors.contract import Action, Kind, Operation, Target
from connectors.errors import Stale
from connectors.registry import load
from eadm_sync.delivery.guards import deletion_is_due, still_disabled, still_empty
from eadm_sync.model import Sealed
from eadm_sync.state import tables
from eadm_sync.state.known import KnownAccount

OUT = date(2026, 8, 18)
DUE = date(2027, 8, 18)
ACCOUNT = KnownAccount("ad", "a-1", None, False, {"username": "kari"}, "staff", OUT)


@dataclass
class Lifecycle:
    """A year of retention."""

    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A state in which one person is settled and one waits to be looked at."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as opened:
        for person_id, pending in (("hr:1", False), ("hr:2", True)):
            opened.execute(
                tables.people.insert(), {"id": person_id, "name": "", "data": b"", "due": None, "pending": pending}
            )
        yield opened
    engine.dispose()


@pytest.mark.parametrize("day", [DUE, DUE + timedelta(days=1), date.max])
@pytest.mark.parametrize("person", ["hr:1", "hr:3"])
def test_a_deletion_is_due_when_retention_is_over(connection: Connection, person: str, day: date):
    """From the first day on that the rules allow, for somebody settled and for somebody forgotten."""
    deletion_is_due(connection, person, ACCOUNT, settings=Lifecycle(), today=day)


@pytest.mark.parametrize(
    ("person", "account", "retention_days", "today", "reason"),
    [
        # enabled, or never deactivated: somebody uses it
        ("hr:1", msgspec.structs.replace(ACCOUNT, enabled=True), 365, date.max, "in use"),
        ("hr:1", msgspec.structs.replace(ACCOUNT, deactivated_on=None), 365, date.max, "in use"),
        ("hr:1", msgspec.structs.replace(ACCOUNT, enabled=True, deactivated_on=None), 365, date.max, "in use"),
        # a day too early
        ("hr:1", ACCOUNT, 365, DUE - timedelta(days=1), "kept until 2027-08-18"),
        # the clock went back
        ("hr:1", ACCOUNT, 365, date.min, "kept until 2027-08-18"),
        # the rules keep it longer now
        ("hr:1", ACCOUNT, 366, DUE, "kept until 2027-08-19"),
        ("hr:1", ACCOUNT, 10**8, DUE, "kept until 9999-12-31"),
        # something about the person is open
        ("hr:2", ACCOUNT, 365, DUE, "waits to be looked at"),
    ],
)
def test_a_deletion_that_is_not_due_is_refused(
    connection: Connection, person: str, account: KnownAccount, retention_days: int, today: date, reason: str
):
    """Whatever was planned, and says why."""
    with pytest.raises(Stale, match=reason):
        deletion_is_due(connection, person, account, settings=Lifecycle(retention_days=retention_days), today=today)


def test_a_group_that_somebody_is_in_again_is_not_deleted(connection: Connection):
    """Only members that are known count, of just this group in just this target."""
    values = {"person_id": "hr:1", "target": "ad", "group_key": "all", "role": "member", "rule": "r/g"}
    connection.execute(tables.known_memberships.insert(), values)

    with pytest.raises(Stale, match="in the group again"):
        still_empty(connection, "ad", "all")
    still_empty(connection, "ad", "al")
    still_empty(connection, "web", "all")


def test_a_group_is_deleted_only_while_no_group_is_in_it(connection: Connection):
    """That it is in another itself does not matter."""
    values = {"target": "ad", "group_key": "all", "member_key": "5a", "rule": "r/g", "ruleset_version": "v"}
    connection.execute(tables.known_nestings.insert(), values)

    with pytest.raises(Stale, match="another group is in the group again"):
        still_empty(connection, "ad", "all")
    still_empty(connection, "ad", "5a")
    still_empty(connection, "web", "all")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A target of accounts that are called by `username`."""
    connector = load("embedded")
    assert connector.open_target
    with connector.open_target(connector.options.model_validate({"path": "target.db"}), tmp_path) as opened:
        yield opened


def _make(target: Target, username: str, *, enabled: bool) -> KnownAccount:
    (outcome,) = target.apply(
        [Operation("1", Kind.ACCOUNT, Action.CREATE, attributes={"username": username}, enabled=enabled)]
    )
    return msgspec.structs.replace(ACCOUNT, anchor=outcome.anchor, attributes={"username": username})


def test_a_disabled_account_may_be_deleted(target: Target):
    """Nobody has touched it."""
    still_disabled(target, _make(target, "kari", enabled=False))


def test_an_account_that_was_enabled_by_hand_may_not(target: Target):
    """Somebody needs it, and did not ask us."""
    account = _make(target, "kari", enabled=True)

    with pytest.raises(Stale, match="enabled in the target"):
        still_disabled(target, account)


def test_an_account_that_is_gone_may_be_deleted(target: Target):
    """There is nothing to spare, and to delete it again is a success."""
    account = _make(target, "kari", enabled=True)
    list(target.apply([Operation("2", Kind.ACCOUNT, Action.DELETE, anchor=account.anchor)]))

    still_disabled(target, account)


def test_somebody_elses_account_of_the_name_spares_nothing(target: Target):
    """An enabled account of the same name, but another anchor, is not the one in question."""
    _make(target, "kari", enabled=True)

    still_disabled(target, msgspec.structs.replace(ACCOUNT, anchor="another"))


@pytest.mark.parametrize("attributes", [{}, {"username": Sealed(b"x", b"y")}])
def test_an_account_whose_name_is_not_known_in_clear_cannot_be_looked_up(
    target: Target, attributes: dict[str, str | bool | int | list[str] | Sealed | None]
):
    """The target is not asked for what must not leave: known state alone decides then."""
    still_disabled(target, msgspec.structs.replace(ACCOUNT, attributes=attributes))
