"""What targets hold otherwise than they were left: found and told, and nothing changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select

from connectors.contract import Action, Kind, Operation
from eadm_sync.app.reconciling import Drift, TargetDrift, reconcile
from eadm_sync.errors import NotFound
from eadm_sync.state import tables
from exportqueue import NewItem


def in_ad(place: Any, *operations: Operation) -> None:
    """What somebody does in the directory by hand."""
    with place.context.make_target("ad") as target:
        assert [outcome.error for outcome in target.apply(operations)] == [None] * len(operations)


def rows(place: Any, table: Any) -> list[Row[Any]]:
    """What the directory is known to hold."""
    with place.context.reading() as database, database.read() as connection:
        return list(connection.execute(select(table).where(table.c.target == "ad")))


def compared(place: Any) -> TargetDrift:
    """The directory, compared an hour later."""
    place.clock.moment += timedelta(hours=1)
    (found,) = reconcile(place.context, only="ad")
    return found


def test_what_was_left_alone_is_as_it_was_left(place: Any):
    """In every target; every account, group, membership and licence is compared."""
    found = reconcile(place.context)

    assert [one.target for one in found] == ["ad", "entra", "google"]
    assert [(one.total, one.error) for one in found] == [(0, None)] * 3
    known = sum(len(rows(place, table)) for table in (tables.known_accounts, tables.known_groups))
    assert found[0].compared == known + len(rows(place, tables.known_memberships))


def test_what_somebody_changed_by_hand_is_found(place: Any):
    """Each kind of difference, by object; attributes by name, never by value."""
    accounts, groups = rows(place, tables.known_accounts), rows(place, tables.known_groups)
    member = rows(place, tables.known_memberships)[0]
    anchor_of = {row.person_id: row.anchor for row in accounts}
    group_of = {row.key: row.anchor for row in groups}
    untouched = [row for row in accounts if row.enabled and row.person_id != member.person_id]
    renamed, disabled, gone, moved = untouched[:4]
    account, group = Kind.ACCOUNT, group_of[member.group_key]
    in_ad(
        place,
        Operation("1", account, Action.UPDATE, anchor=renamed.anchor, attributes={"displayName": "Somebody Else"}),
        Operation("2", account, Action.DISABLE, anchor=disabled.anchor),
        Operation("3", account, Action.DELETE, anchor=gone.anchor),
        Operation("4", account, Action.UPDATE, anchor=moved.anchor, container="OU=Elsewhere"),
        Operation("5", Kind.MEMBERSHIP, Action.DELETE, anchor=group, account=anchor_of[member.person_id]),
    )

    found = compared(place)

    assert {
        Drift(account, f"account:{renamed.person_id}", "attributes", ("displayName",)),
        Drift(account, f"account:{disabled.person_id}", "disabled"),
        Drift(account, f"account:{gone.person_id}", "missing"),
        Drift(account, f"account:{moved.person_id}", "container"),
        Drift(Kind.MEMBERSHIP, f"membership:{member.person_id}:{member.group_key}", "missing"),
    } == set(found.drifts)
    assert found.counts == {
        "account.attributes": 1,
        "account.container": 1,
        "account.disabled": 1,
        "account.missing": 1,
        "membership.missing": 1,
    }
    assert "Somebody" not in repr(found)


def test_a_member_that_nobody_here_gave_is_found(place: Any):
    """Somebody put an account of ours into a group of ours."""
    memberships = rows(place, tables.known_memberships)
    held = {(row.person_id, row.group_key) for row in memberships}
    group = rows(place, tables.known_groups)[0]
    account = next(row for row in rows(place, tables.known_accounts) if (row.person_id, group.key) not in held)
    in_ad(place, Operation("1", Kind.MEMBERSHIP, Action.CREATE, anchor=group.anchor, account=account.anchor))

    assert compared(place).drifts == (
        Drift(Kind.MEMBERSHIP, f"membership:{account.person_id}:{group.key}", "unexpected"),
    )


def test_a_group_that_nobody_here_put_into_another_is_found(place: Any):
    """And one that was put there by us and is not there any more."""
    outer, inner, third = rows(place, tables.known_groups)[:3]
    names = {"target": "ad", "rule": "r", "ruleset_version": "v"}
    with place.context.writing() as database, database.write() as connection:
        nesting = {"group_key": outer.key, "member_key": third.key, **names}
        connection.execute(tables.known_nestings.insert().values(**nesting))
    in_ad(place, Operation("1", Kind.NESTING, Action.CREATE, anchor=outer.anchor, member=inner.anchor))

    assert set(compared(place).drifts) == {
        Drift(Kind.NESTING, f"nesting:{inner.key}:{outer.key}", "unexpected"),
        Drift(Kind.NESTING, f"nesting:{third.key}:{outer.key}", "missing"),
    }


def test_objects_of_others_are_not_our_business(place: Any):
    """An account that was there before, or made by hand, is neither missing nor unexpected."""
    attributes = {"sAMAccountName": "service", "userPrincipalName": "service@x", "displayName": "Service"}
    in_ad(place, Operation("1", Kind.ACCOUNT, Action.CREATE, attributes=attributes, enabled=True))

    assert compared(place).total == 0


def test_what_has_a_change_on_its_way_is_left_out(place: Any):
    """Whether the change has reached the target when it is read is nothing to report."""
    account = next(row for row in rows(place, tables.known_accounts) if row.enabled)
    in_ad(place, Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor=account.anchor))
    context = place.context
    with context.writing() as database, database.write() as connection:
        context.queue.enqueue(
            connection,
            [NewItem("ad", f"account:{account.person_id}", "enable.account", b"", "none", account.person_id)],
        )

    assert compared(place).total == 0


def test_a_target_that_is_away_is_said_to_be(place: Any):
    """Nothing is told of what could not be seen; the run is not a success."""
    for file in (place.folder / "var").glob("ad.db*"):
        file.unlink()
    (place.folder / "var/ad.db").mkdir()

    found = compared(place)

    assert found.error
    assert found.total == 0
    assert last_run(place).status == "incomplete"


def test_what_was_found_is_kept_with_the_run(place: Any):
    """In the book of runs, for whoever looks in the morning."""
    account = next(row for row in rows(place, tables.known_accounts) if row.enabled)
    in_ad(place, Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor=account.anchor))

    compared(place)

    run = last_run(place)
    assert (run.command, run.status) == ("reconcile", "done")
    assert json.loads(run.report)["drift"]["ad"]["counts"] == {"account.disabled": 1}


def last_run(place: Any) -> Any:
    """The latest row of the book of runs."""
    with place.context.reading() as database, database.read() as connection:
        return connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc())).first()


def test_an_unknown_target_is_named(place: Any):
    """Before anything is read."""
    with pytest.raises(NotFound):
        reconcile(place.context, only="adx")
