"""People are renamed, move, leave, return and are deleted at a customer that fails now and then."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from exportqueue import State
from tests.acceptance.conftest import FIRST_DAY
from tests.acceptance.google.conftest import DOMAINS, PRODUCTS, Customer
from tests.acceptance.google.test_trouble import FAULTS
from tests.acceptance.google.test_whole_town import move, schools
from tests.services.google.config import Config

NUMBERS = ("900001", "900002", "900003", "900004")
PEOPLE = [f"hr:{number}" for number in NUMBERS]
BAD = asdict(replace(FAULTS, dropped=0.1))
GOOD = dict.fromkeys(BAD, 0.0)


@pytest.mark.parametrize("keeps_former_address", [True, False])
def test_whoever_changes_is_as_the_rules_say_in_the_end(customer: Customer, keeps_former_address: bool):
    """Whatever gets lost on the way: no change ends as a dead letter, and everybody keeps the account they had."""
    town, google = customer.town, customer.google
    customer.set(batch_size=10, keep_former_address=keeps_former_address)
    google.empty(Config(domains=DOMAINS, products=PRODUCTS, transfer_seconds=0))
    town.configure(lambda settings: settings["brakes"].update(imports={}, targets={}))
    unit, other = schools(town)
    for number in NUMBERS:
        town.hire(number, "Ny", f"Ansatt{number}", unit=unit)
    town.sync()
    anchors = {person: customer.user(person)["id"] for person in PEOPLE}

    def settle(days: int) -> None:
        town.on(FIRST_DAY + timedelta(days=days)).sync(deliver=False)
        google.change(faults=BAD)
        town.deliver_to_the_end()
        google.change(faults=GOOD)
        assert not [(one.operation, one.attempts, one.last_error) for one in town.items(State.DEAD)]
        customer.assert_known_is_true()

    def renamed(row: dict[str, str]) -> dict[str, str]:
        return {**row, "Etternavn": f"Nordmann{row['Ansattnr']}"} if row["Ansattnr"] in NUMBERS else row

    def until(days: int) -> None:
        town.end_positions(NUMBERS, FIRST_DAY + timedelta(days=days))

    town.edit("hr/persons.csv", renamed)
    move(town, NUMBERS[0], other)
    settle(1)
    until(4)
    settle(5)
    until(400)
    settle(15)
    until(20)
    settle(21)
    settle(420)
    assert all(customer.user(person)["deleted"] for person in PEOPLE)
    until(900)
    settle(430)

    assert {person: customer.user(person)["id"] for person in PEOPLE} == anchors
    assert google.counters()["dropped"] > 0
    assert town.sync().enqueued == 0
