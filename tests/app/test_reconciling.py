"""What targets hold otherwise than they were left: found, told, and known from then on; targets are not changed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select

from connectors.contract import Action, Kind, Operation, RemoteObject
from eadm_sync.app.auditing import verify
from eadm_sync.app.deciding import decide, left_alone
from eadm_sync.app.reconciling import Drift, TargetDrift, reconcile
from eadm_sync.app.status import status
from eadm_sync.errors import NotFound
from eadm_sync.plan.audited import BY_HAND
from eadm_sync.state import tables
from exportqueue import NewItem

ACCOUNT = Kind.ACCOUNT


def in_ad(place: Any, *operations: Operation) -> None:
    """What somebody does in the directory by hand."""
    with place.context.make_target("ad") as target:
        assert [outcome.error for outcome in target.apply(operations)] == [None] * len(operations)


def held(place: Any, anchor: str) -> RemoteObject:
    """An account as the directory has it."""
    with place.context.make_target("ad") as target:
        return next(one for one in target.read(ACCOUNT) if isinstance(one, RemoteObject) and one.anchor == anchor)


def rows(place: Any, table: Any) -> list[Row[Any]]:
    """What the state has of the directory."""
    with place.context.reading() as database, database.read() as connection:
        return list(connection.execute(select(table).where(table.c.target == "ad")))


def compared(place: Any, **options: Any) -> TargetDrift:
    """The directory, compared an hour later."""
    place.clock.moment += timedelta(hours=1)
    (found,) = reconcile(place.context, only="ad", **options)
    return found


def brief(found: TargetDrift) -> set[tuple[str, str, str, str]]:
    """What was found, in short: (object, what, name, what becomes of it)."""
    return {(one.object, one.what, one.name, one.outcome) for one in found.drifts}


def policy(place: Any, text: str) -> None:
    """Says what becomes of hand edits in the directory."""
    path = place.rules / "zz-drift.yaml"
    path.write_text(f"ruleset: zz-drift\ndrift: {{ad: {{{text}}}}}\n", encoding="utf-8")


def enabled(place: Any) -> list[Row[Any]]:
    """Known accounts that are enabled."""
    return [row for row in rows(place, tables.known_accounts) if row.enabled]


# ---------------------------------------------------------------- what is found


def test_what_was_left_alone_is_as_it_was_left(place: Any):
    """In every target; every account, group, membership and licence is compared."""
    found = reconcile(place.context)

    assert [one.target for one in found] == ["ad", "entra", "google"]
    assert [(one.total, one.error, one.held) for one in found] == [(0, None, ())] * 3
    known = sum(len(rows(place, table)) for table in (tables.known_accounts, tables.known_groups))
    assert found[0].compared == known + len(rows(place, tables.known_memberships))


def test_what_somebody_changed_by_hand_is_found(place: Any):
    """Each kind of difference, by object and attribute, and what becomes of it."""
    accounts, groups = rows(place, tables.known_accounts), rows(place, tables.known_groups)
    member = rows(place, tables.known_memberships)[0]
    anchor_of = {row.person_id: row.anchor for row in accounts}
    group_of = {row.key: row.anchor for row in groups}
    untouched = [row for row in accounts if row.enabled and row.person_id != member.person_id]
    renamed, disabled, gone, moved = untouched[:4]
    in_ad(
        place,
        Operation("1", ACCOUNT, Action.UPDATE, anchor=renamed.anchor, attributes={"displayName": "Somebody Else"}),
        Operation("2", ACCOUNT, Action.DISABLE, anchor=disabled.anchor),
        Operation("3", ACCOUNT, Action.DELETE, anchor=gone.anchor),
        Operation("4", ACCOUNT, Action.UPDATE, anchor=moved.anchor, container="OU=Elsewhere"),
        Operation(
            "5",
            Kind.MEMBERSHIP,
            Action.DELETE,
            anchor=group_of[member.group_key],
            account=anchor_of[member.person_id],
        ),
    )

    found = compared(place, dry_run=True)

    assert brief(found) == {
        (f"account:{renamed.person_id}", "attributes", "displayName", "overwrite"),
        (f"account:{disabled.person_id}", "disabled", "", "report"),
        (f"account:{gone.person_id}", "missing", "", "overwrite"),
        (f"account:{moved.person_id}", "container", "", "overwrite"),
        (f"membership:{member.person_id}:{member.group_key}", "missing", "", "overwrite"),
    }
    assert found.counts == {
        "account.attributes": 1,
        "account.container": 1,
        "account.disabled": 1,
        "account.missing": 1,
        "membership.missing": 1,
    }
    (attribute,) = (one for one in found.drifts if one.what == "attributes")
    assert attribute.present == "Somebody Else"
    assert attribute.known == attribute.desired != "Somebody Else"
    assert rows(place, tables.known_accounts) == accounts


def test_a_member_that_nobody_here_gave_is_found(place: Any):
    """Somebody put an account of ours into a group of ours: it is known from now on, and the next plan ends it."""
    memberships = rows(place, tables.known_memberships)
    held_places = {(row.person_id, row.group_key) for row in memberships}
    group = rows(place, tables.known_groups)[0]
    account = next(row for row in enabled(place) if (row.person_id, group.key) not in held_places)
    in_ad(place, Operation("1", Kind.MEMBERSHIP, Action.CREATE, anchor=group.anchor, account=account.anchor))

    found = compared(place)

    assert found.drifts == (
        Drift(
            Kind.MEMBERSHIP,
            f"membership:{account.person_id}:{group.key}",
            "unexpected",
            present=None,
            desired=False,
        ),
    )
    place.sync(deliver=True)
    assert {(row.person_id, row.group_key) for row in rows(place, tables.known_memberships)} == held_places
    assert compared(place).total == 0


def test_a_group_that_nobody_here_put_into_another_is_found(place: Any):
    """And one that was put there by us and is not there any more."""
    outer, inner, third = rows(place, tables.known_groups)[:3]
    names = {"target": "ad", "rule": "r", "ruleset_version": "v"}
    with place.context.writing() as database, database.write() as connection:
        nesting = {"group_key": outer.key, "member_key": third.key, **names}
        connection.execute(tables.known_nestings.insert().values(**nesting))
    in_ad(place, Operation("1", Kind.NESTING, Action.CREATE, anchor=outer.anchor, member=inner.anchor))

    assert brief(compared(place)) == {
        (f"nesting:{inner.key}:{outer.key}", "unexpected", "", "overwrite"),
        (f"nesting:{third.key}:{outer.key}", "missing", "", "overwrite"),
    }
    assert [(row.member_key, row.group_key) for row in rows(place, tables.known_nestings)] == [(inner.key, outer.key)]


def test_objects_of_others_are_not_our_business(place: Any):
    """An account that was there before, or made by hand, is neither missing nor unexpected."""
    attributes = {"sAMAccountName": "service", "userPrincipalName": "service@x", "displayName": "Service"}
    in_ad(place, Operation("1", ACCOUNT, Action.CREATE, attributes=attributes, enabled=True))

    assert compared(place).total == 0


def test_what_has_a_change_on_its_way_is_left_out(place: Any):
    """Whether the change has reached the target when it is read is nothing to report; the next reading sees it."""
    account = enabled(place)[0]
    in_ad(place, Operation("1", ACCOUNT, Action.DISABLE, anchor=account.anchor))
    context = place.context
    with context.writing() as database, database.write() as connection:
        context.queue.enqueue(
            connection,
            [NewItem("ad", f"account:{account.person_id}", "enable.account", b"", "none", account.person_id)],
        )

    assert compared(place).total == 0
    with place.context.reading() as database, database.read() as connection:
        kept = connection.scalars(select(tables.meta.c.name).where(tables.meta.c.name.startswith("read:"))).all()
    assert kept == []  # or the next incremental reading would not see it


def test_a_target_that_is_away_is_said_to_be(place: Any):
    """Nothing is told of what could not be seen, and nothing put right; the run is not a success."""
    for file in (place.folder / "var").glob("ad.db*"):
        file.unlink()
    (place.folder / "var/ad.db").mkdir()
    before = rows(place, tables.known_accounts)

    found = compared(place)

    assert found.error
    assert found.total == 0
    assert last_run(place).status == "incomplete"
    assert rows(place, tables.known_accounts) == before


def test_what_was_found_is_kept_with_the_run(place: Any):
    """In the book of runs, for whoever looks in the morning; without values."""
    account = enabled(place)[0]
    edit = Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "Somebody Else"})
    in_ad(place, edit)

    compared(place)

    run = last_run(place)
    assert (run.command, run.status) == ("reconcile", "done")
    assert json.loads(run.report)["drift"]["ad"]["counts"] == {"account.attributes": 1}
    assert b"Somebody" not in run.report


def last_run(place: Any) -> Any:
    """The latest row of the book of runs."""
    with place.context.reading() as database, database.read() as connection:
        return connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc())).first()


def test_an_unknown_target_is_named(place: Any):
    """Before anything is read."""
    with pytest.raises(NotFound):
        reconcile(place.context, only="adx")


# ---------------------------------------------------------------- what becomes of it


def test_a_container_in_another_spelling_is_the_same_one(place: Any):
    """Neither is it told of, nor is anything moved; a place below it is another."""
    account, other = enabled(place)[:2]
    spelled = account.container.lower().replace(",", ", ")
    assert spelled != account.container
    in_ad(
        place,
        Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, container=spelled),
        Operation("2", ACCOUNT, Action.UPDATE, anchor=other.anchor, container=f"OU=Below,{other.container}"),
    )

    assert brief(compared(place)) == {(f"account:{other.person_id}", "container", "", "overwrite")}
    place.sync(deliver=True)
    assert held(place, account.anchor).container == spelled
    assert held(place, other.anchor).container == other.container


def test_what_is_overwritten_is_put_back_by_the_next_run(place: Any):
    """Known state holds what the target holds; plan, brakes and queue do the rest."""
    policy(place, "disabled: overwrite")
    place.sync(deliver=True)
    account, other = enabled(place)[:2]
    before = {row.anchor: held(place, row.anchor) for row in (account, other)}
    in_ad(
        place,
        Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "X", "title": None}),
        Operation("2", ACCOUNT, Action.UPDATE, anchor=account.anchor, container="OU=Elsewhere"),
        Operation("3", ACCOUNT, Action.DISABLE, anchor=other.anchor),
    )

    compared(place)
    place.sync(deliver=True)

    assert {anchor: held(place, anchor) for anchor in before} == before
    assert compared(place).total == 0


def test_what_is_reported_stays_until_somebody_decides(place: Any):
    """However often a run looks at the person; then it is put back."""
    policy(place, "attributes: report")
    place.sync(deliver=True)
    account = enabled(place)[0]
    before = held(place, account.anchor)
    in_ad(place, Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"}))

    assert brief(compared(place)) == {(f"account:{account.person_id}", "attributes", "displayName", "report")}
    for _ in range(2):
        place.sync(deliver=True)
        assert (compared(place).total, compared(place).left) == (0, 1)
        assert held(place, account.anchor).attributes["displayName"] == "By Hand"
    (row,) = left_alone(place.context)
    assert (row.name, row.present, row.desired) == ("displayName", "By Hand", before.attributes["displayName"])

    assert decide(place.context, "overwrite", [row.id], "a slip") == 1
    place.sync(deliver=True)

    assert held(place, account.anchor) == before
    assert left_alone(place.context) == ()


def test_what_is_accepted_stays_for_good(place: Any):
    """It is not told of again, even where somebody changes it once more."""
    policy(place, "attributes: report")
    account = enabled(place)[0]
    edit = Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"})
    in_ad(place, edit)
    compared(place)
    (row,) = left_alone(place.context)

    decide(place.context, "accept", [row.id], "a stage name")
    in_ad(place, Operation("2", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "Another"}))
    found = compared(place)
    place.sync(deliver=True)

    assert (found.total, found.left) == (0, 0)
    assert held(place, account.anchor).attributes["displayName"] == "Another"
    assert left_alone(place.context) == ()
    assert [(one.accepted_by, one.reason) for one in left_alone(place.context, accepted=True)] == [
        (place.context.actor, "a stage name")
    ]


def test_what_somebody_puts_right_by_hand_is_over(place: Any):
    """Nobody has to decide about it any more."""
    policy(place, "attributes: report")
    account = enabled(place)[0]
    name = held(place, account.anchor).attributes["displayName"]
    in_ad(place, Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"}))
    compared(place)
    in_ad(place, Operation("2", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": name}))

    compared(place)

    assert left_alone(place.context) == ()


def test_an_account_disabled_by_hand_stays_so(place: Any):
    """Unless the ruleset says otherwise: somebody may have locked an intruder out."""
    account = enabled(place)[0]
    in_ad(place, Operation("1", ACCOUNT, Action.DISABLE, anchor=account.anchor))

    compared(place)
    place.sync(deliver=True)

    assert held(place, account.anchor).enabled is False
    (row,) = left_alone(place.context)
    assert (row.what, row.known, row.present, row.desired) == ("disabled", True, False, True)


@pytest.mark.parametrize(
    ("said", "comes_back"),
    [
        ("overwrite", True),  # as it was, out of the recycle bin: never a second one
        ("report", False),  # left alone until somebody decides
    ],
)
def test_an_account_deleted_by_hand(place: Any, said: str, comes_back: bool):
    """It comes back by policy, or when somebody decides so; with the memberships that went with it."""
    policy(place, f"deleted: {said}")
    place.sync(deliver=True)
    account = enabled(place)[0]
    memberships = [row for row in rows(place, tables.known_memberships) if row.person_id == account.person_id]
    in_ad(place, Operation("1", ACCOUNT, Action.DELETE, anchor=account.anchor))

    compared(place)
    place.sync(deliver=True)

    assert (not held(place, account.anchor).deleted) is comes_back
    if not comes_back:
        (row,) = left_alone(place.context)
        decide(place.context, "overwrite", [row.id], "a slip")
        place.sync(deliver=True)
    assert held(place, account.anchor).enabled
    assert len({row.anchor for row in rows(place, tables.known_accounts) if row.person_id == account.person_id}) == 1
    now = [row for row in rows(place, tables.known_memberships) if row.person_id == account.person_id]
    assert {(row.group_key, row.role) for row in now} == {(row.group_key, row.role) for row in memberships}
    assert compared(place).total == 0


def test_a_group_deleted_by_hand_is_made_anew(place: Any):
    """With everybody who was in it."""
    group = rows(place, tables.known_groups)[0]
    memberships = {row.person_id for row in rows(place, tables.known_memberships) if row.group_key == group.key}
    in_ad(place, Operation("1", Kind.GROUP, Action.DELETE, anchor=group.anchor))

    assert compared(place).counts == {"group.missing": 1}
    place.sync(deliver=True)

    (now,) = (row for row in rows(place, tables.known_groups) if row.key == group.key)
    assert now.anchor != group.anchor
    inside = {row.person_id for row in rows(place, tables.known_memberships) if row.group_key == group.key}
    assert inside == memberships
    assert compared(place).total == 0


# ---------------------------------------------------------------- what is not believed


def test_a_target_that_lost_much_is_not_believed(place: Any):
    """Nothing of the reading is written down, until somebody says that it is so; that is audited."""
    before = rows(place, tables.known_accounts)
    gone = enabled(place)[:25]
    in_ad(place, *(Operation(row.anchor, ACCOUNT, Action.DELETE, anchor=row.anchor) for row in gone))

    found = compared(place)

    assert found.held == (f"account: missing: 25 of {len(before)}, at most 20 are believed at once",)
    assert rows(place, tables.known_accounts) == before
    assert json.loads(last_run(place).report)["holds"][0]["brake"] == "ad.drift"
    assert status(place.context).unbelieved == {"ad": found.held}

    believed = compared(place, believe="the directory was restored from a backup")

    assert believed.held == ()
    assert status(place.context).unbelieved == {}
    assert len(rows(place, tables.known_accounts)) == len(before) - 25
    with place.context.reading() as database, database.read() as connection:
        audit = tables.audit.c
        assert connection.scalars(select(audit.action).where(audit.object == "ad.drift")).all() == ["release"]


def test_the_audit_tells_how_known_state_came_about(place: Any):
    """With a line for all that was found, by nobody of this program; the chain holds."""
    account = enabled(place)[0]
    in_ad(place, Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"}))

    compared(place)

    lines = [row for row in rows(place, tables.audit) if row.actor == BY_HAND]
    assert [(row.kind, row.action, row.object) for row in lines] == [
        ("account", "update", f"account:{account.person_id}")
    ]
    assert verify(place.context).faults == ()


# ---------------------------------------------------------------- what has changed only


def test_a_second_reading_asks_for_what_has_changed(place: Any):
    """Where the target can tell; what is gone is told as gone, and what was not told of is not missing."""
    compared(place)
    account, gone = enabled(place)[:2]
    in_ad(
        place,
        Operation("1", ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"}),
        Operation("2", ACCOUNT, Action.DELETE, anchor=gone.anchor),
    )

    found = compared(place, incremental=True)

    assert found.incremental
    assert found.counts == {"account.attributes": 1, "account.missing": 1}
    assert found.compared < 10
    assert compared(place, incremental=True).total == 0


def test_a_token_that_is_no_longer_good_leads_to_a_full_reading(place: Any):
    """As if there were none."""
    compared(place)
    with place.context.writing() as database, database.write() as connection:
        connection.execute(tables.meta.update().where(tables.meta.c.name.startswith("read:ad:")).values(value="x:1"))

    found = compared(place, incremental=True)

    assert not found.incremental
    assert (found.total, found.error) == (0, None)
    assert found.compared > 100
