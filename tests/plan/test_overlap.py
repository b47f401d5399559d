"""What somebody who has moved keeps for a while."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.contract import Kind
from eadm_sync.app.explaining import Explained, explained
from eadm_sync.desired import Desired, DesiredAccount, DesiredLicence, DesiredMembership
from eadm_sync.lifecycle import Stage, Standing
from eadm_sync.plan.overlap import Kept, Terms, overlapped
from eadm_sync.state.known import Known, KnownAccount, Thing

if TYPE_CHECKING:
    from tests.plan.conftest import Office

TODAY = date(2026, 3, 1)
ACCOUNT: Thing = ("ad", Kind.ACCOUNT, "")
GROUP: Thing = ("ad", Kind.MEMBERSHIP, "staff")
LICENCE: Thing = ("ad", Kind.LICENCE, "A1")
HELD = Known(
    accounts={"ad": KnownAccount("ad", "anchor", None, True, {}, "r/a", None)},
    memberships={("ad", "staff"): ("member", "r/g")},
    licences={("ad", "A1"): "r/l"},
)
TERMS = Terms(days={"r/a": 14, "r/g": 14, "r/l": 14}, exclusive={}, keeping=frozenset())
WITH_ACCOUNT = Desired(accounts=(DesiredAccount("ad", "r/a", None, {}, "hr:1"),))


def known(**lost: date) -> Known:
    """All three things, lost on these days."""
    things = {"account": ACCOUNT, "group": GROUP, "licence": LICENCE}
    return Known(HELD.accounts, HELD.memberships, HELD.licences, {things[name]: day for name, day in lost.items()})


def at(stage: Stage) -> Standing:
    """Somebody at a stage."""
    return Standing(stage, (), enabled=True, next_change=None)


def kept(
    desired: Desired, held: Known = HELD, *, stage: Stage = Stage.ACTIVE, terms: Terms = TERMS, today: date = TODAY
) -> list[Thing]:
    """What is kept."""
    return [(one.target, one.kind, one.name) for one in overlapped(desired, held, at(stage), terms, today).kept]


def test_what_is_lost_today_is_kept_and_today_is_written_down():
    """The first day counts: fourteen days from 1 March end on the 14th."""
    overlap = overlapped(WITH_ACCOUNT, HELD, at(Stage.ACTIVE), TERMS, TODAY)

    assert overlap.kept == [
        Kept("ad", Kind.MEMBERSHIP, "staff", "r/g", TODAY, date(2026, 3, 14)),
        Kept("ad", Kind.LICENCE, "A1", "r/l", TODAY, date(2026, 3, 14)),
    ]
    assert overlap.lost == {GROUP: TODAY, LICENCE: TODAY}
    assert list(overlap.turning_days()) == [date(2026, 3, 15)] * 2
    assert overlap.known == Known(accounts=HELD.accounts)


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        # the last day
        (date(2026, 3, 14), [GROUP]),
        # it is over
        (date(2026, 3, 15), []),
        # long over
        (date(2027, 1, 1), []),
    ],
)
def test_the_days_are_counted_from_the_day_it_was_lost(today: date, expected: list[Thing]):
    """However often it is looked at in between."""
    terms = Terms({"r/g": 14}, {}, frozenset())

    assert kept(WITH_ACCOUNT, known(group=TODAY), terms=terms, today=today) == expected


def test_what_comes_back_is_struck_out():
    """The days begin anew the next time."""
    desired = Desired(WITH_ACCOUNT.accounts, (), (DesiredMembership("ad", "staff", "r/g"),))

    overlap = overlapped(desired, known(group=TODAY), at(Stage.ACTIVE), Terms({}, {}, frozenset()), TODAY)

    assert overlap.lost == {GROUP: None}


@pytest.mark.parametrize("stage", [Stage.ENDED, Stage.FUTURE, Stage.LEAVE, Stage.PREHIRE])
def test_who_leaves_keeps_nothing(stage: Stage):
    """An overlap is for handing work over."""
    assert kept(Desired(), stage=stage) == []


def test_an_account_is_kept_with_what_hangs_on_it():
    """Somebody who works on, in another target."""
    assert kept(Desired()) == [ACCOUNT, GROUP, LICENCE]


@pytest.mark.parametrize(
    ("terms", "held"),
    [
        # the account's rule keeps nothing
        (Terms({"r/g": 14, "r/l": 14}, {}, frozenset()), HELD),
        # the account's days are over
        (TERMS, known(account=TODAY - timedelta(days=14))),
    ],
)
def test_what_hangs_on_an_account_goes_with_it(terms: Terms, held: Known):
    """A deactivated account is in no groups."""
    assert kept(Desired(), held, terms=terms) == []


def test_a_deactivated_account_is_not_kept_again():
    """Retention goes on."""
    account = KnownAccount("ad", "anchor", None, False, {}, "r/a", date(2026, 1, 1))

    assert kept(Desired(), Known(accounts={"ad": account})) == []


def test_a_licence_goes_when_another_of_its_set_comes():
    """Nobody has two products of which one excludes the other."""
    desired = Desired(WITH_ACCOUNT.accounts, (), (), (DesiredLicence("ad", "A3", "r/l3"),))
    terms = Terms(TERMS.days, {"r/l": "m365", "r/l3": "m365"}, frozenset())

    assert kept(desired, terms=terms) == [GROUP]


def test_members_who_stay_anyhow_are_left_to_their_rule():
    """`mode: add-only` needs no overlap."""
    assert kept(WITH_ACCOUNT, terms=Terms(TERMS.days, {}, frozenset({"r/g"}))) == [LICENCE]


# ---------------------------------------------------------------- in a whole installation

RULES = """
    accounts:
      - {rule: a, target: ad, attributes: {name: "{{ person.given_name }}"}}
      - {rule: w, target: web, when: affiliation.unit.code == '11', attributes: {name: "{{ person.given_name }}"}}
    groups:
      - {rule: units, target: ad, name: "u-{{ affiliation.unit.code }}"}
      - {rule: school, target: ad, when: affiliation.unit.code == '11', name: school, overlap_days: 0}
    lifecycle: {overlap_days: 10}
"""


def moved(office: Office) -> Office:
    """Kari has moved from the school to another unit, in the same record."""
    office.rules(RULES).people("1;Kari;Li;employee;11").sync()
    office.people("1;Kari;Li;employee;12").sync()
    return office


def looked_at(office: Office) -> Explained:
    """Kari, explained."""
    from eadm_sync.app.context import open_context  # noqa: PLC0415 - as the office opens it: anew each time

    found = explained(open_context(office.folder / "config.yaml", office.clock), "hr:1")
    assert isinstance(found, Explained)
    return found


def test_a_mover_keeps_the_old_place_for_the_overlap(office: Office):
    """Group and account stay for ten days, but for what its own rule says otherwise; then a run wakes and ends them."""
    moved(office)
    assert office.lines == [
        ("group:u-12", "ad", "group", "create"),
        ("hr:1", "ad", "membership", "create", "u-12"),
        ("hr:1", "ad", "membership", "delete", "school"),
    ]
    assert office.members() == {("u-11", "hr:1"), ("u-12", "hr:1")}

    office.on(date(2026, 8, 26)).sync()
    assert (office.lines, office.evaluated) == ([], 0)

    office.on(date(2026, 8, 27)).sync()
    assert office.lines == [("hr:1", "web", "account", "disable"), ("hr:1", "ad", "membership", "delete", "u-11")]


def test_explain_names_the_last_day(office: Office):
    """Of each thing that is kept, and no change is announced for it."""
    found = looked_at(moved(office))

    assert [(one.target, one.what, one.last_day) for one in found.kept] == [
        ("web", "account", date(2026, 8, 26)),
        ("ad", "membership u-11", date(2026, 8, 26)),
    ]
    assert found.prospects == ()
    assert [(turn.day, turn.about) for turn in found.turns if turn.kind == "lost"] == [
        (date(2026, 8, 27), "ad membership u-11"),
        (date(2026, 8, 27), "web account"),
    ]


def test_whoever_moves_back_loses_nothing_and_has_all_days_the_next_time(office: Office):
    """The former day is forgotten."""
    moved(office)
    office.on(date(2026, 8, 20)).people("1;Kari;Li;employee;11").sync()
    assert looked_at(office).known.lost.keys() == {("ad", Kind.MEMBERSHIP, "u-12")}

    office.on(date(2026, 8, 25)).people("1;Kari;Li;employee;12").sync()

    assert {one.last_day for one in looked_at(office).kept} == {date(2026, 9, 3)}


def test_a_mover_who_leaves_within_the_overlap_loses_everything_at_once(office: Office):
    """Nothing outlives the last affiliation."""
    moved(office)

    office.on(date(2026, 8, 20)).people("1;Kari;Li;employee;12;;2026-08-19").sync()

    planned = {line[1:] for line in (*office.lines, *office.held)}  # of two memberships, a brake holds the deletion
    assert {line for line in planned if line[1] == "membership"} == {
        ("ad", "membership", "delete", "u-11"),
        ("ad", "membership", "delete", "u-12"),
    }
    assert {line[0] for line in planned if line[1:] == ("account", "disable")} == {"ad", "web"}


def test_a_rule_that_is_removed_keeps_nothing(office: Office):
    """Somebody edited it out and meant it."""
    office.rules(RULES).people("1;Kari;Li;employee;11").sync()

    office.rules(
        RULES.replace("""      - {rule: units, target: ad, name: "u-{{ affiliation.unit.code }}"}\n""", "")
    ).sync()

    assert ("hr:1", "ad", "membership", "delete", "u-11") in office.lines
