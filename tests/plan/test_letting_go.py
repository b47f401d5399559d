"""Letting go what a brake holds, and approving plans: by whom, how much, and for how long."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sqlalchemy import select

from connectors.contract import Kind
from eadm_sync.app.approving import NotApproved, approve, save
from eadm_sync.app.braking import braking
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.planning import planned
from eadm_sync.app.releasing import NotReleased, confirm, release, releases, revoke
from eadm_sync.app.syncing import SyncReport, apply_saved
from eadm_sync.errors import NotFound, PlanOutdated
from eadm_sync.state import tables

from .conftest import Office

HOLD = "ad.account.disable"
RULES = """
lifecycle: {retention_days: 30}
accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
groups: [{rule: boss, target: ad, when: person.family_name == 'Sjef', name: Domain Admins}]
"""


def rows(*numbers: int, family: str = "Li") -> list[str]:
    """People of the school."""
    return [f"{number};Kari;{family};employee;11" for number in numbers]


def as_(office: Office, actor: str) -> Context:
    """The installation, opened by another user."""
    context = open_context(office.folder / "config.yaml", office.clock)
    context.actor = actor
    return context


def brakes(office: Office, **settings: Any) -> None:
    """Configures brakes and plans."""
    path = office.folder / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(config | settings), encoding="utf-8")


def audited(office: Office, kind: str) -> list[tuple[str, str]]:
    """(action, actor) of the audit's lines on holds, or on plans."""
    with as_(office, "kari").reading() as database, database.read() as connection:
        columns = tables.audit.c
        query = select(columns.action, columns.actor).where(columns.kind == kind).order_by(columns.id)
        return [(action, actor) for action, actor in connection.execute(query)]


def run(office: Office, *people: str, **options: Any) -> Office:
    """A run a minute after the last one, with these people if any are given."""
    office.clock.moment += timedelta(minutes=1)
    if people:
        office.people(*people)
    office.sync(**options)
    return office


@pytest.fixture
def town(office: Office) -> Office:
    """Thirty people with accounts, of whom one may be disabled at once; three have left."""
    office.rules(RULES).people(*rows(*range(30)))
    brakes(office, brakes={"targets": {"account": {"disable": {"max": 1}}}})
    run(office)
    run(office, *rows(*range(3, 30)))
    assert [hold.name for hold in office.holds] == [HOLD]
    return office


def disabled(office: Office) -> int:
    """How many accounts are disabled."""
    return sum(one.enabled is False for one in office.objects(Kind.ACCOUNT))


def test_what_was_let_go_passes_in_the_next_run_and_only_there(town: Office):
    """The next run obeys, uses it up, and both are in the audit."""
    made = release(as_(town, "kari"), HOLD, "they have left")
    assert (made.release.most, made.standing, disabled(town)) == (3, "valid", 0)

    run(town)
    after = disabled(town)
    run(town, *rows(*range(6, 30)))

    assert (after, disabled(town)) == (3, 3)
    assert [hold.name for hold in town.holds] == [HOLD]
    assert [one.standing for one in releases(as_(town, "kari"))] == ["used"]
    assert [action for action, _ in audited(town, "hold")] == ["release", "use"]


def test_a_release_of_three_lets_no_thirty_through(town: Office):
    """More than was shown is held again, and the release is there still."""
    release(as_(town, "kari"), HOLD, "they have left")

    run(town, *rows(*range(15, 30)))

    assert (disabled(town), [hold.count for hold in town.holds]) == (0, [15])
    assert [one.standing for one in releases(as_(town, "kari"))] == ["valid"]


def test_a_release_expires(town: Office):
    """A day later nobody thinks of it any more."""
    release(as_(town, "kari"), HOLD, "they have left")
    town.clock.moment += timedelta(hours=25)

    run(town)

    assert disabled(town) == 0
    assert [one.standing for one in releases(as_(town, "kari"))] == ["expired"]


def test_a_release_can_be_revoked(town: Office):
    """By anybody, with a reason; then it lets nothing through."""
    release(as_(town, "kari"), HOLD, "they have left")
    revoke(as_(town, "ola"), HOLD, "they have not")

    run(town)

    assert disabled(town) == 0
    assert [one.standing for one in releases(as_(town, "kari"))] == ["revoked"]
    assert audited(town, "hold") == [("release", "kari"), ("revoke", "ola")]


def test_only_what_is_held_can_be_let_go(town: Office):
    """What no run has held has shown nobody how much it is."""
    with pytest.raises(NotFound) as refused:
        release(as_(town, "kari"), "ad.account.delete", "why not")

    assert refused.value.near == (HOLD,)
    with pytest.raises(NotReleased):
        release(as_(town, "kari"), HOLD, " ")
    with pytest.raises(NotFound):
        revoke(as_(town, "kari"), HOLD, "nothing")


@pytest.mark.parametrize("where", ["all", "limit"])
def test_two_persons(town: Office, where: str):
    """The first lets nothing through alone, and cannot be the second; nor does `--release` go round it."""
    limit = {"max": 1, **({"two_person": True} if where == "limit" else {})}
    brakes(town, brakes={"two_person": where == "all", "targets": {"account": {"disable": limit}}})
    first = release(as_(town, "kari"), HOLD, "they have left")

    with pytest.raises(NotReleased, match="another user"):
        confirm(as_(town, "kari"), HOLD, "me again")
    with pytest.raises(NotReleased, match="two persons"):
        run(town, released=frozenset({HOLD}), reason="in haste")
    run(town)
    alone = disabled(town)
    second = confirm(as_(town, "ola"), HOLD, "seen")
    run(town)

    assert (first.standing, alone, second.standing, disabled(town)) == ("to confirm", 0, "valid", 3)
    assert audited(town, "hold")[:2] == [("release", "kari"), ("confirm", "ola")]


def test_every_limit_and_its_use_is_told(town: Office):
    """Also of limits that were not reached."""
    found = braking(as_(town, "kari"))
    uses = {use.name: use for use in found.limits}

    assert (uses[HOLD].count, uses[HOLD].limit, uses[HOLD].population, uses[HOLD].state) == (3, 1, 30, "held")
    assert (uses["ad.account.delete"].count, uses["ad.account.delete"].limit) == (0, 5)
    assert (uses["hr.vanished"].count, uses["hr.vanished"].state) == (3, "free")
    assert [one.name for one in found.holds] == [HOLD]


# ---------------------------------------------------------------- saved plans


def saved(office: Office, actor: str = "kari") -> Path:
    """A plan that somebody saved."""
    context, file = as_(office, actor), office.folder / "plan.jsonl"
    with context.reading() as database, planned(context, database) as made:
        save(context, made.plan, file)
    return file


def applied(office: Office, file: Path, actor: str = "kari") -> SyncReport:
    """What applying it did."""
    return apply_saved(as_(office, actor), file, lambda _: True)


@pytest.fixture
def bosses(town: Office) -> Office:
    """Somebody shall be in a protected group, and somebody is new."""
    brakes(town, plans={"approval": {"groups": ["domain admins*"], "deletions": 0}})
    town.people(*rows(*range(29)), *rows(29, family="Sjef"), *rows(99))
    return town


def test_protected_groups_wait_for_an_approved_plan(bosses: Office):
    """A run of its own leaves them out and serves everybody else; an approved plan does them."""
    run(bosses)
    held = [hold.name for hold in bosses.holds]
    before = bosses.members()
    file = saved(bosses)

    with pytest.raises(NotApproved, match="another user than kari"):
        applied(bosses, file)
    with pytest.raises(NotApproved, match="made this plan"):
        approve(as_(bosses, "kari"), file, "mine")
    approve(as_(bosses, "ola"), file, "read")
    with pytest.raises(NotApproved, match="another user than ola"):
        applied(bosses, file, "ola")
    applied(bosses, file)

    assert held == ["approval.ad[group domain admins*]"]
    assert "hr:99" in bosses.names()
    assert (before, bosses.members()) == (set(), {("Domain Admins", "hr:29")})
    assert audited(bosses, "plan") == [("approve", "ola")]


def test_an_approval_is_for_one_plan(bosses: Office):
    """Another plan is not approved by it, and a file that was changed neither."""
    run(bosses)
    file = saved(bosses)
    approve(as_(bosses, "ola"), file, "read")
    bosses.people(*rows(*range(29)), *rows(29, 30, family="Sjef"), *rows(99))

    with pytest.raises(PlanOutdated):
        applied(bosses, file)
    with pytest.raises(NotApproved):
        applied(bosses, saved(bosses))

    assert bosses.members() == set()


def test_who_made_a_plan_cannot_approve_it_under_another_name(bosses: Office):
    """The file can be written to; whoever approved it, by the state, cannot be who applies it."""
    run(bosses)
    file = saved(bosses)
    head, _, rest = file.read_text(encoding="utf-8").partition("\n")
    header = msgspec.json.decode(head) | {"planned_by": "somebody"}
    file.write_text(msgspec.json.encode(header).decode() + "\n" + rest, encoding="utf-8")

    approve(as_(bosses, "kari"), file, "forged")

    with pytest.raises(NotApproved):
        applied(bosses, file)


def test_a_saved_plan_expires(town: Office):
    """Three days later it is neither applied nor approved."""
    file = saved(town)
    town.clock.moment += timedelta(hours=73)

    with pytest.raises(NotApproved, match="expired"):
        applied(town, file)
    with pytest.raises(NotApproved, match="expired"):
        approve(as_(town, "ola"), file, "late")


def test_what_needs_no_approval_cannot_be_approved(town: Office):
    """An approval that means nothing is none."""
    with pytest.raises(NotApproved, match="nothing in this plan"):
        approve(as_(town, "ola"), saved(town), "for fun")


def test_an_approved_protected_group_cannot_be_released_instead(bosses: Office):
    """A release is no way round an approval."""
    run(bosses)

    with pytest.raises(NotReleased, match="approved plan"):
        release(as_(bosses, "kari"), "approval.ad[group domain admins*]", "in haste")


def test_deletions_beyond_some_wait_for_an_approved_plan(bosses: Office):
    """After retention the accounts are to go: not by a run of its own."""
    run(bosses, *rows(*range(1, 30)), *rows(99))
    bosses.clock.moment += timedelta(days=31)
    run(bosses)
    held, before = [hold.name for hold in bosses.holds], len(bosses.objects(Kind.ACCOUNT))
    file = saved(bosses)

    approve(as_(bosses, "ola"), file, "read")
    applied(bosses, file)

    assert held == ["approval.ad.account.delete"]
    assert len(bosses.objects(Kind.ACCOUNT)) == before - 1


def test_a_saved_plan_is_refused_when_something_else_was_let_go(town: Office):
    """What was let go is part of what a plan stands on: revoked, the plan is another one."""
    release(as_(town, "kari"), HOLD, "they have left")
    file = saved(town)
    revoke(as_(town, "ola"), HOLD, "they have not")

    with pytest.raises(PlanOutdated) as refused:
        applied(town, file)

    assert "other holds are released" in refused.value.reasons
    assert disabled(town) == 0
