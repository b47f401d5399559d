"""Accounts that a target made or deleted without anybody hearing of it are found before the next plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from connectors.contract import Action, Kind, Operation, RemoteObject, Value
from connectors.embedded.target import EmbeddedTarget
from connectors.errors import Rejected
from eadm_sync.app import persons, queueing
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.explaining import Explained, explained
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.reporting import report_of
from eadm_sync.app.status import status
from eadm_sync.cli.showing import explanation
from eadm_sync.state import tables
from eadm_sync.state.doubts import load_doubts
from eadm_sync.state.known import load_known

RULES = """
lifecycle: {retention_days: 30}
accounts:
  - {rule: a, target: ad, attributes: {name: "{{ person.given_name }}"}}
"""
NESTED = """
  - {rule: unit, target: ad, name: "U-{{ affiliation.unit.code }}"%s}
  - {rule: everybody, target: ad, for_each: person, name: alle}
"""
KARI, OLA = "1;Kari;Li;employee;11", "2;Ola;By;employee;12"
FIRST = date(2026, 8, 17)


def deaf(office: Any, *, made: bool = True) -> Any:
    """What is asked of `ad` from now on is done, or not, and the answer never comes."""
    kind = "lost_answer" if made else "unavailable"
    return office.configure("ad", faults={"fail": [{"kind": kind, "every": 1}]})


def hearing(office: Any, day: date) -> Any:
    """A day on which the answers come again."""
    return office.configure("ad", faults={}).on(day)


def states(office: Any) -> dict[str | None, bool | None]:
    """Whose accounts are there, and whether they are enabled."""
    return {one.owner: one.enabled for one in office.objects(Kind.ACCOUNT)}


def context_of(office: Any) -> Context:
    """The office as a command finds it."""
    return open_context(office.folder / "config.yaml", office.clock)


def told(office: Any) -> list[str]:
    """What `explain` says of Kari."""
    why = explained(context_of(office), "hr:1")
    assert isinstance(why, Explained)
    return list(explanation.lines(why, every_rule=False))


@pytest.mark.parametrize("made", [True, False])
def test_somebody_leaves_while_the_account_is_being_made(office: Any, made: bool):
    """Where it was made, it is disabled, and deleted after retention; where it was not, nothing more is done."""
    office.rules(RULES).people(OLA).sync()
    deaf(office, made=made).people(KARI, OLA).sync()
    office.people(OLA).sync()
    assert states(office).get("hr:1") is (True if made else None)

    hearing(office, FIRST + timedelta(days=1)).sync()

    assert states(office) == {"hr:2": True, **({"hr:1": False} if made else {})}
    office.on(FIRST + timedelta(days=31)).sync()
    assert states(office) == {"hr:2": True}
    office.sync()
    assert (office.evaluated, office.lines) == (0, [])


def test_a_stop_finds_the_account_that_was_being_made(office: Any):
    """Nobody knew of it, and it is enabled: the stop disables it all the same."""
    office.rules(RULES).people(OLA).sync()
    deaf(office).people(KARI, OLA).sync()
    hearing(office, FIRST)

    ordered = persons.stop(context_of(office), "hr:1", "lost laptop")

    assert ordered.left == {}
    assert states(office) == {"hr:1": False, "hr:2": True}


def test_an_account_that_comes_after_a_stop_is_found(office: Any):
    """Some targets show what they have made a while later: the stop looks too early, the next run does not."""
    office.rules(RULES).people(OLA).sync()
    deaf(office, made=False).people(KARI, OLA).sync()
    hearing(office, FIRST)
    persons.stop(context_of(office), "hr:1", "lost laptop")
    late = Operation("late", Kind.ACCOUNT, Action.CREATE, owner="hr:1", attributes={"name": "Kari"}, enabled=True)
    with context_of(office).make_target("ad") as target:
        list(target.apply([late]))

    office.sync()

    assert states(office) == {"hr:1": False, "hr:2": True}


def test_a_name_that_was_changed_unheard_before_a_leaving_is_nobodys_drift(office: Any):
    """Nothing asks for the leaver's name any more; who changed it is known all the same, and it is taken as it is."""
    office.rules(RULES.replace("given_name }}", "given_name }} {{ person.family_name }}")).people(KARI, OLA).sync()
    deaf(office).people("1;Kari;Berg;employee;11", OLA).sync()
    office.people(OLA).sync()
    hearing(office, FIRST + timedelta(days=1)).sync()
    assert ("hr:1", "Kari Berg") in {(one.owner, one.attributes["name"]) for one in office.objects(Kind.ACCOUNT)}
    office.on(FIRST + timedelta(days=2))

    found = [reconcile(context_of(office), only="ad", dry_run=dry_run)[0].total for dry_run in (True, False)]

    assert found == [0, 0]
    with context_of(office).reading() as database, database.read() as connection:
        assert load_known(connection, ["hr:1"])["hr:1"].accounts["ad"].attributes["name"] == "Kari Berg"


def test_a_dropped_change_may_have_been_carried_out(office: Any):
    """An operator drops the creation that got no answer; the account is found all the same when its owner has left."""
    office.rules(RULES).people(OLA).sync()
    deaf(office).people(KARI, OLA).sync()
    (queued,) = queueing.listed(context_of(office), target="ad").items
    queueing.drop(context_of(office), [queued.id], "down for days")

    hearing(office, FIRST + timedelta(days=1)).people(OLA).sync()

    assert states(office) == {"hr:1": False, "hr:2": True}


def test_somebody_returns_while_the_account_is_being_deleted(office: Any):
    """It comes out of the recycle bin with the run after the one that asked for it in vain."""
    office.rules(RULES).people(KARI, OLA).sync()
    office.people(OLA).on(FIRST + timedelta(days=1)).sync()
    deaf(office).on(FIRST + timedelta(days=31)).sync()
    assert states(office) == {"hr:2": True}
    office.people(KARI, OLA).sync()

    hearing(office, FIRST + timedelta(days=32)).sync()

    assert states(office) == {"hr:1": True, "hr:2": True}
    office.sync()
    assert (office.evaluated, office.lines) == (0, [])


@pytest.mark.parametrize("given", [True, False])
def test_a_groups_place_in_another_one_is_asked_for_again(office: Any, given: bool):
    """It was given, or ended, unheard, and the rules were taken back before anybody knew."""
    inside, alone = (f"{RULES}groups:\n" + NESTED % text for text in (", member_of: alle", ""))
    before, after = (inside, alone) if given else (alone, inside)
    office.rules(before).people(KARI).sync()
    deaf(office).rules(after).sync()
    assert bool(office.objects(Kind.NESTING)) is not given
    office.rules(before).sync()

    hearing(office, FIRST + timedelta(days=1)).sync()

    assert bool(office.objects(Kind.NESTING)) is given
    office.sync()
    assert (office.evaluated, office.lines) == (0, [])


def test_an_account_that_is_known_to_be_somebody_elses_stays_so(office: Any):
    """It still says that it was made for Kari; Ola was given it by hand since. Nobody takes it from him."""
    office.rules(RULES).people(OLA).sync()
    deaf(office).people(KARI, OLA).sync()
    (made,) = (one.anchor for one in office.objects(Kind.ACCOUNT) if one.owner == "hr:1")
    known = tables.known_accounts
    with context_of(office).writing() as database, database.write() as connection:
        connection.execute(update(known).where(known.c.person_id == "hr:2").values(anchor=made))
    office.people(OLA).sync()

    report = hearing(office, FIRST + timedelta(days=1)).sync()

    assert (report.is_complete, office.lines) == (True, [])
    assert states(office)["hr:1"] is True


def test_a_creation_that_finds_somebody_elses_account_stops_nobody_else(office: Any):
    """The target takes it for what it made before, by its mark; an operator hears of it, and Per gets his account."""
    office.rules(RULES).people(OLA).sync()
    deaf(office).people(KARI, OLA).sync()
    (made,) = (one.anchor for one in office.objects(Kind.ACCOUNT) if one.owner == "hr:1")
    known = tables.known_accounts
    with context_of(office).writing() as database, database.write() as connection:
        connection.execute(update(known).where(known.c.person_id == "hr:2").values(anchor=made))

    report = hearing(office, FIRST + timedelta(days=1)).people(KARI, OLA, "3;Per;Å;employee;11").sync()

    (ad,) = report.targets
    assert (ad.done, ad.dead) == (1, 1)
    assert "hr:3" in states(office)
    (dead,) = queueing.listed(context_of(office), target="ad").items
    assert "known to be hr:2's" in (dead.last_error or "")


def test_a_target_that_does_not_say_is_told_of_and_asked_again(office: Any):
    """Whoever runs the job, and whoever orders a stop, hears that an enabled account may be there."""
    office.rules(RULES).people(OLA).sync()
    deaf(office).people(KARI, OLA).sync()
    office.people(OLA).sync()
    (office.folder / "broken.db").write_text("no directory", encoding="utf-8")
    hearing(office, FIRST + timedelta(days=1)).configure("ad", path="broken.db")

    report = office.sync()
    office.on(FIRST + timedelta(days=2))
    ordered = persons.stop(context_of(office), "hr:1", "lost laptop")

    assert (list(report.silent), report.is_complete) == (["ad"], False)
    assert (list(ordered.left), ordered.is_complete) == (["ad"], False)
    assert list(status(context_of(office)).last.silent) == ["ad"]
    assert list(report_of(context_of(office), report.run_id).silent) == ["ad"]
    assert list(report_of(context_of(office)).left) == ["ad"]
    assert "  looks first whether ad has made the account: no answer came" in told(office)
    assert office.configure("ad", path="ad.db").sync().is_complete
    assert "  ad account, found where it was made unheard" in told(office)
    assert states(office) == {"hr:1": False, "hr:2": True}


def test_one_search_that_is_refused_keeps_nobody_else_in_doubt(office: Any, monkeypatch: pytest.MonkeyPatch):
    """A target may refuse to search for a name: the others are found all the same."""
    find = EmbeddedTarget.find

    def refusing(target: EmbeddedTarget, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        if attributes == {"name": "Kari"}:
            raise Rejected("no such search")
        return find(target, kind, attributes)

    monkeypatch.setattr(EmbeddedTarget, "find", refusing)
    office.rules(RULES).people(OLA).sync()
    for somebody in (KARI, "3;Per;Å;employee;11"):
        deaf(office).people(somebody, OLA).sync()
        office.people(OLA).sync()

    report = hearing(office, FIRST + timedelta(days=1)).sync()

    assert report.silent == {"ad": "no such search"}
    assert states(office) == {"hr:1": True, "hr:2": True, "hr:3": False}


UNITS = """
groups:
  - {rule: units, target: ad, key: "{{ affiliation.unit.code }}", name: "{{ affiliation.unit.name }}"}
"""


def test_a_group_that_may_have_been_made_is_looked_for_by_the_name_it_was_to_have(
    office: Any, monkeypatch: pytest.MonkeyPatch
):
    """Its unit is called otherwise meanwhile: a target that finds groups by their names would make a second one."""
    sent: list[Operation] = []
    apply = EmbeddedTarget.apply

    def noting(target: EmbeddedTarget, operations: Sequence[Operation]) -> Any:
        sent.extend(one for one in operations if one.kind is Kind.GROUP)
        return apply(target, operations)

    monkeypatch.setattr(EmbeddedTarget, "apply", noting)
    units = office.folder / "units.csv"
    office.rules(RULES + UNITS).people(KARI)
    deaf(office).sync()
    for name, day in (("Skolen", 1), ("Skolene", 2)):
        (queued,) = (one for one in queueing.listed(context_of(office)).items if one.operation == "create group")
        queueing.drop(context_of(office), [queued.id], "down for days")
        units.write_text(units.read_text(encoding="utf-8").replace(";Skole;", f";{name};"), encoding="utf-8")
        units.write_text(units.read_text(encoding="utf-8").replace(";Skolen;", f";{name};"), encoding="utf-8")
        office.on(FIRST + timedelta(days=day)).sync()

    hearing(office, FIRST + timedelta(days=3)).sync()

    asked = [(one.attributes["name"], one.earlier_names) for one in sent]
    assert asked[0] == ("Skole", ())
    assert asked[-1] == ("Skolene", ("Skole", "Skolen"))
    assert [one.attributes["name"] for one in office.objects(Kind.GROUP)] == ["Skolene"]
    with context_of(office).reading() as database, database.read() as connection:
        assert not load_doubts(connection)
