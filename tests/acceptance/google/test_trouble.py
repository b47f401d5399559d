"""A customer that runs out of quota, answers now and then, takes its time, or dies: nothing is lost."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from connectors.contract import Kind
from exportqueue import State
from tests.acceptance.google.conftest import DOMAIN, DOMAINS, PRODUCTS, Customer
from tests.services.google.config import Config, Faults
from tests.services.google.control import GoogleService

FAULTS = Faults(unavailable=0.1, dropped=0.2, throttled=0.05, item_unavailable=0.15, item_throttled=0.1)
CHANGES = int(os.environ.get("GOOGLE_CRASH_CHANGES", "300"))
"""Memberships, about; `make crash-google` has 5 000 of them delivered."""
PEOPLE = 30 if CHANGES < 2000 else 120
KILLS = 2 if CHANGES < 2000 else 10
JOINERS = 5
SCHOOL = "1201"


def test_a_customer_that_fails_now_and_then_loses_and_doubles_nothing(customer: Customer):
    """Refused, over a quota, cut off before or after the work was done: in the end it is as if nothing had happened."""
    town, google = customer.town, customer.google
    customer.set(batch_size=10)
    google.empty(Config(domains=DOMAINS, products=PRODUCTS, faults=FAULTS))

    town.sync(deliver=False)  # whoever is asked for less waits on the town's clock
    town.deliver_to_the_end()

    counters = google.counters()
    google.change(
        faults=dict.fromkeys(("unavailable", "dropped", "throttled", "item_unavailable", "item_throttled"), 0.0)
    )
    assert counters["dropped"] > 0
    assert counters["throttled"] > 0
    assert counters.get("status_503", 0) > 0
    assert not [(one.operation, one.attempts, one.last_error) for one in town.items(State.DEAD)]
    customer.assert_known_is_true()
    assert town.sync().enqueued == 0


def test_a_quota_that_is_spent_for_minutes_is_waited_out(customer: Customer):
    """On the queue's clock, not within a call; what is refused for it spends no attempt, and all of it arrives."""
    town, google = customer.town, customer.google
    google.change(queries_per_minute=60)
    customer.set(batch_size=10)
    town.sync(deliver=False)
    queued, began = len(town.items()), town.clock.moment

    def wait(seconds: float) -> None:
        town.later(seconds=seconds)
        google.forward(seconds=seconds)

    report = town.deliver(sleep=wait)["google"]
    google.change(queries_per_minute=0)

    done = town.items(State.DONE)
    assert google.counters()["throttled"] > 0
    assert (town.clock.moment - began).total_seconds() > 60
    assert report.is_complete
    assert len(done) == queued
    assert {item.attempts for item in done} == {0}
    customer.assert_known_is_true()


def test_what_takes_its_time_is_waited_for(customer: Customer):
    """A new account that is not seen yet, or not complete, gets its groups and its licence a little later."""
    town, google = customer.town, customer.google
    google.change(visible_seconds=300, creation_seconds=300)
    customer.set(settling_seconds=600)

    town.sync()
    early = len(google.contents()["licences"])
    google.forward(seconds=301)
    town.deliver_to_the_end()

    assert early == 0
    assert len(google.contents()["licences"]) == len(customer.known())
    assert not [(one.operation, one.attempts, one.last_error) for one in town.items(State.DEAD)]
    customer.assert_known_is_true()


def test_a_google_that_dies_loses_and_doubles_nothing(tmp_path: Path):
    """Killed at moments that chance chooses, and started again: each change arrives, and is told of once."""
    with GoogleService(Config(domains=DOMAINS, products=PRODUCTS)) as google:
        customer = Customer(google, tmp_path / "town", PEOPLE, batch_size=50)
        town = customer.town
        assert town.sync().is_complete
        accounts = len(customer.known())
        town.later(hours=1)
        for number in range(JOINERS):
            town.hire(f"9000{number}", "Ny", f"Ansatt{number}", unit=SCHOOL)
        groups = CHANGES // accounts + 1
        (town.folder / "rulesets" / "zz-crowds.yaml").write_text(rules(groups), encoding="utf-8")
        told = len(town.told())
        town.sync(deliver=False)
        assert len(town.items()) > CHANGES

        cut_short = town.deliver_through_kills("google", KILLS, kill=google.kill, restart=google.restart)
        town.deliver_to_the_end()

        assert cut_short == KILLS
        assert not town.items(State.DEAD)
        customer.assert_known_is_true()
        lines = Counter((row.target, row.object, row.action) for row in town.told()[told:] if row.kind != "password")
        assert set(lines.values()) == {1}
        assert sum(line[0] == "google" for line in lines) > CHANGES
        crowds = [one for one in google.contents()["groups"].values() if one["email"].startswith("crowd-")]
        assert {len(one["members"]) for one in crowds} == {accounts + JOINERS}
        assert len(crowds) == groups
        assert town.later(hours=1).sync().is_complete
        assert town.made
        assert not [line for line in town.made.lines if line[2] in {Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP}]


def rules(groups: int) -> str:
    """So many groups of everybody who has an account there."""
    one = (
        "  - {{rule: crowd-{0}, target: google, for_each: person, when: [at_school or affiliation.kind == 'pupil'],"
        " name: 'crowd-{0:03}@{1}'}}"
    )
    return "\n".join(["ruleset: crowds", "groups:", *(one.format(number, DOMAIN) for number in range(groups))])
