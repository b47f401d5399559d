"""Licences of which there are not enough: those who have one keep it, the others are held and tried again."""

from __future__ import annotations

import pytest

from .conftest import Office

RULES = """
accounts: [{rule: all, target: ad, attributes: {name: "{{ person.id }}"}}]
licences:
  - {rule: big, target: ad, sku: E3, exclusive: x, when: affiliation.kind == 'boss'}
  - {rule: small, target: ad, sku: F1, exclusive: x}
  - {rule: free, target: ad, sku: FREE}
"""


@pytest.fixture
def short(office: Office) -> Office:
    """An office of three with two seats of F1 and one of E3."""
    office.configure("ad", seats={"E3": 1, "F1": 2, "FREE": None}).rules(RULES)
    return office.people("1;Kari;Li;employee", "2;Ola;Li;employee", "3;Eva;Li;employee")


def test_who_comes_too_late_is_held_and_not_failed(short: Office):
    """The plan says how many seats there are and how many are needed; the rest of it goes on."""
    report = short.sync()

    (hold,) = short.holds
    assert (hold.name, hold.count, hold.limit, hold.reason) == ("ad.licence.F1", 3, 2, "2 seats, 3 needed")
    assert short.held == [("hr:3", "ad", "licence", "create", "F1")]
    assert report.is_complete
    assert short.licences() == {("hr:1", "F1"), ("hr:2", "F1"), *((f"hr:{n}", "FREE") for n in (1, 2, 3))}


def test_the_next_run_tries_again_and_gives_what_has_become_free(short: Office):
    """Held again while there is no seat; given, by the run after the one in which a leaver left it."""
    short.sync()
    short.sync()
    assert (short.evaluated, short.held) == (1, [("hr:3", "ad", "licence", "create", "F1")])

    short.people("2;Ola;Li;employee", "3;Eva;Li;employee").sync()
    short.sync()

    assert short.holds == ()
    assert ("hr:3", "F1") in short.licences()


def test_more_seats_are_used_at_once(short: Office):
    """The stock is the target's own, read when it is needed."""
    short.sync()

    short.configure("ad", seats={"E3": 1, "F1": 3, "FREE": None}).sync()

    assert short.holds == ()
    assert ("hr:3", "F1") in short.licences()


def test_who_waits_for_a_licence_keeps_the_one_it_replaces(short: Office):
    """Nobody is left without: the second boss keeps F1 until there is another E3."""
    short.people("1;Kari;Li;employee", "2;Ola;Li;employee").sync()

    short.people("1;Kari;Li;boss", "2;Ola;Li;boss").sync()

    assert short.held == [("hr:2", "ad", "licence", "create", "E3"), ("hr:2", "ad", "licence", "delete", "F1")]
    assert short.licences() == {("hr:1", "E3"), ("hr:2", "F1"), ("hr:1", "FREE"), ("hr:2", "FREE")}


def test_licences_in_the_queue_have_taken_their_seats(short: Office):
    """What a former run planned and nobody delivered yet is not given twice."""
    short.people("1;Kari;Li;employee", "2;Ola;Li;employee").sync(deliver=False)

    short.people("1;Kari;Li;employee", "2;Ola;Li;employee", "3;Eva;Li;employee").sync(deliver=False)

    assert [hold.reason for hold in short.holds] == ["2 seats, 3 needed"]
    assert short.held == [("hr:3", "ad", "licence", "create", "F1")]


def test_a_shortage_can_be_released(short: Office):
    """Whoever knows better than the target's own count lets it try, and the target refuses."""
    report = short.sync(released=frozenset({"ad.licence.F1"}), reason="more are bought")

    assert short.holds == ()
    assert [target.dead for target in report.targets] == [1]


def test_a_target_that_cannot_be_asked_holds_nothing(short: Office):
    """Whether there are seats is not known; the target itself decides later."""
    (short.folder / "ad.db").write_text("no directory at all, but some text", encoding="utf-8")

    short.sync()

    assert short.holds == ()


def test_who_has_one_that_is_in_doubt_takes_no_seat_more(short: Office):
    """A boss who steps down and up again may have lost E3 unheard; it is asked for again, though all seats are taken.

    Held, it would keep F1 too, which goes when its successor has come.
    """
    short.people("1;Kari;Li;boss").sync()
    short.configure("ad", faults={"fail": [{"kind": "transient", "every": 2}]})
    short.people("1;Kari;Li;employee").sync()
    assert short.licences() == {("hr:1", "E3"), ("hr:1", "F1"), ("hr:1", "FREE")}

    short.configure("ad", faults={}).people("1;Kari;Li;boss", "2;Ola;Li;boss").sync()

    assert [hold.reason for hold in short.holds] == ["1 seats, 2 needed"]
    assert short.held == [("hr:2", "ad", "licence", "create", "E3")]
    assert short.licences() == {("hr:1", "E3"), ("hr:1", "FREE"), ("hr:2", "FREE")}
