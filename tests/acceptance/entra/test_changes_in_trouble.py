"""People are renamed, move, leave, return and are deleted in a tenant that fails now and then."""

from __future__ import annotations

from datetime import timedelta

from connectors.contract import Action, Kind, Operation
from eadm_sync.app.reconciling import reconcile
from exportqueue import State
from tests.acceptance.conftest import FIRST_DAY
from tests.acceptance.entra.conftest import DOMAINS, SEATS, Tenant
from tests.acceptance.entra.test_whole_town import move, units
from tests.services.graph.config import Config

RENAMED, MOVED, RETURNS, COMES_BACK_LATE, DELETED_BY_HAND = NUMBERS = ("990001", "990002", "990003", "990004", "990005")
BAD = {"unavailable": 0.05, "dropped": 0.15, "item_unavailable": 0.1}
GOOD = dict.fromkeys(BAD, 0.0)


def test_whoever_changes_is_as_the_rules_say_in_the_end(tenant: Tenant):
    """Whatever gets lost on the way: no change ends as a dead letter, and everybody keeps the account they had."""
    town, graph = tenant.town, tenant.graph
    tenant.set(batch_size=5)
    graph.empty(Config(domains=DOMAINS, skus=SEATS))
    unit, *others = units(town)
    other = next(one for one in others if one != unit)
    people = [town.hire(number, f"Ola{number}", f"Nordmann{number}", unit=unit) for number in NUMBERS]
    town.sync()
    anchors = {person: tenant.known()[person] for person in people}

    def settle(days: int) -> None:
        graph.change(faults=BAD)
        town.on(FIRST_DAY + timedelta(days=days)).sync()
        town.deliver_to_the_end()
        graph.change(faults=GOOD)
        assert not [(one.operation, one.attempts, one.last_error) for one in town.items(State.DEAD)]
        tenant.assert_known_is_true()

    town.edit("hr/persons.csv", lambda row: {**row, "Etternavn": "Nyttnavn"} if row["Ansattnr"] == RENAMED else row)
    move(town, MOVED, other)
    settle(2)
    town.end_positions([RETURNS, COMES_BACK_LATE], FIRST_DAY + timedelta(days=5))
    settle(6)
    town.end_positions([RETURNS], FIRST_DAY + timedelta(days=900))
    settle(15)
    settle(375)
    assert tenant.user(f"hr:{COMES_BACK_LATE}")["deleted"]
    town.end_positions([COMES_BACK_LATE], FIRST_DAY + timedelta(days=900))
    settle(390)
    gone = Operation("by hand", Kind.ACCOUNT, Action.DELETE, anchor=anchors[f"hr:{DELETED_BY_HAND}"])
    town.carry_out("entra", gone)
    move(town, DELETED_BY_HAND, other)
    reconcile(town.later(hours=1).context, only="entra")
    settle(392)
    settle(393)

    assert {person: tenant.known().get(person) for person in people} == anchors
    theirs = [tenant.groups_of(anchors[f"hr:{number}"]) for number in (DELETED_BY_HAND, MOVED)]
    assert theirs[0] == theirs[1]
    assert graph.counters()["dropped"] > 0
