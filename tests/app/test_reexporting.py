"""An attribute sent again though it is known to be there: of whom, what is passed over, and what comes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connectors.contract import Action, Kind, Operation
from eadm_sync.app.reconciling import reconcile
from eadm_sync.app.reexporting import Choice, reexport, reexported
from eadm_sync.errors import NotFound
from eadm_sync.plan.change import Change, PersonFrame
from eadm_sync.state import tables


def sent(place: Any, choice: Choice) -> tuple[dict[str, Change], tuple[int, int]]:
    """What would be sent again, by person; and how much is passed over: (the target's own, left alone)."""
    context = place.context
    with context.reading() as database, reexported(context, database, choice) as made:
        frames = [frame for frame, _, _ in made.plan.judged() if isinstance(frame, PersonFrame)]
        return {frame.person: change for frame in frames for change in frame.changes}, (made.own, made.left)


def known(place: Any) -> dict[str, Any]:
    """Accounts of the directory that are enabled, by person."""
    with place.context.reading() as database, database.read() as connection:
        accounts = tables.known_accounts
        query = select(accounts).where(accounts.c.target == "ad", accounts.c.enabled.is_(True))
        return {row.person_id: row for row in connection.execute(query)}


def in_ad(place: Any, *operations: Operation) -> None:
    """What somebody does in the directory by hand."""
    with place.context.make_target("ad") as target:
        assert [outcome.error for outcome in target.apply(operations)] == [None] * len(operations)


def test_one_person_in_one_target(place: Any):
    """The value is the one that is known, and goes through the queue all the same; then it is in the target again."""
    person, account = next(iter(known(place).items()))
    in_ad(
        place, Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"displayName": "By Hand"})
    )
    choice = Choice("displayName", target="ad", person=person)

    changes, passed_over = sent(place, choice)
    report = reexport(place.context, choice, lambda _: True)

    ((name, (old, new)),) = changes[person].attributes.items()
    assert (name, old, passed_over) == ("displayName", new, (0, 0))
    assert (report.enqueued, report.is_complete) == (1, True)
    place.clock.moment += timedelta(hours=1)
    assert [one.total for one in reconcile(place.context, only="ad")] == [0]


def test_everybody_of_a_rule(place: Any):
    """For whom it holds today, whoever shaped the account."""
    changes, _ = sent(place, Choice("extensionAttribute1", rule="employees/manager-ad"))
    shaped, _ = sent(place, Choice("displayName", rule="employees/employee-ad"))

    assert changes
    assert {change.attributes["extensionAttribute1"] for change in changes.values()} == {("leder", "leder")}
    assert shaped
    assert {change.target for change in shaped.values()} == {"ad"}
    assert len(shaped) < len(known(place))


def test_everybody_of_a_unit(place: Any):
    """And of those below it, in every target."""
    with place.context.reading() as database, database.read() as connection:
        codes = connection.scalars(select(tables.units.c.code).order_by(tables.units.c.code)).all()

    by_unit = {code: sent(place, Choice("displayName", target="ad", unit=code))[0].keys() for code in codes}

    assert max(by_unit.values(), key=len) >= known(place).keys()  # the whole municipality
    assert any(0 < len(people) < len(known(place)) for people in by_unit.values())


def test_what_is_the_targets_own_or_left_alone_is_passed_over(place: Any):
    """It is told how much that is; somebody decides about the second with `drift overwrite`."""
    (place.rules / "zz.yaml").write_text("ruleset: zz\ndrift: {ad: {attributes: report}}\n", encoding="utf-8")
    shaped, _ = sent(place, Choice("displayName", rule="employees/employee-ad"))
    person = min(shaped)
    anchor = known(place)[person].anchor
    in_ad(place, Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes={"displayName": "By Hand"}))
    place.clock.moment += timedelta(hours=1)
    reconcile(place.context, only="ad")

    changes, passed_over = sent(place, Choice("displayName", rule="employees/employee-ad"))
    own, own_passed_over = sent(place, Choice("physicalDeliveryOfficeName", rule="employees/employee-ad"))

    assert (changes.keys(), passed_over) == (shaped.keys() - {person}, (0, 1))
    assert (own, own_passed_over) == ({}, (len(shaped), 0))


@pytest.mark.parametrize(
    "choice",
    [
        Choice("displayNam", unit="32"),
        Choice("displayName", target="adx", unit="32"),
        Choice("displayName", rule="employees/nobody"),
        Choice("displayName", unit="no such unit"),
        Choice("displayName", person="no such person"),
    ],
)
def test_what_is_not_there_is_named(place: Any, choice: Choice):
    """Before anything is planned."""
    with pytest.raises(NotFound):
        sent(place, choice)
