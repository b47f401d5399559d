"""The example town with a domain, a tenant and a customer at once: somebody comes, moves, leaves and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.contract import Kind, RemoteObject
from tests.acceptance.active_directory.conftest import Domain
from tests.acceptance.conftest import FIRST_DAY, Town
from tests.acceptance.entra.conftest import DOMAINS as TENANTS_DOMAINS
from tests.acceptance.entra.conftest import SEATS, Tenant
from tests.acceptance.google.conftest import DOMAINS, PRODUCTS, Customer
from tests.acceptance.google.test_whole_town import move, schools
from tests.samba import DomainController
from tests.services.google.config import Config as GoogleConfig
from tests.services.google.control import GoogleService
from tests.services.graph.config import Config as GraphConfig
from tests.services.graph.control import GraphService

TARGETS = ("ad", "entra", "google")


class Everywhere:
    """A municipality that delivers to all three.

    Attributes:
        town: It.
    """

    def __init__(self, controller: DomainController, graph: GraphService, google: GoogleService, folder: Path) -> None:
        self._domain = Domain(controller, folder)
        self._domain.make_container(self._domain.base)
        self.town: Town = self._domain.town
        self._tenant = Tenant(graph, self.town)
        self._customer = Customer(google, self.town)

    def anchors(self, person: str) -> dict[str, str]:
        """Somebody's accounts, by target."""
        known = {"ad": self._domain.known_anchors(), "entra": self._tenant.known(), "google": self._customer.known()}
        return {target: every[person] for target, every in known.items() if person in every}

    def enabled(self, person: str) -> dict[str, bool | None]:
        """Whether each of them can be signed in with, as the target itself tells."""
        accounts = {target: self.town.account(person, target) for target in TARGETS}
        return {target: one.enabled for target, one in accounts.items() if one is not None}

    def groups(self, person: str) -> dict[str, set[str]]:
        """Anchors of the groups that each of them is in, as the target itself tells."""
        found: dict[str, set[str]] = {}
        for name, account in self.anchors(person).items():
            with self.town.target(name) as target:
                links = [one for one in target.read(Kind.MEMBERSHIP) if isinstance(one, RemoteObject)]
            found[name] = {str(one.group) for one in links if one.account == account}
        return found

    def assert_known_is_true(self) -> None:
        """Of each."""
        self._domain.assert_known_is_true()
        self._tenant.assert_known_is_true()
        self._customer.assert_known_is_true()


@pytest.fixture
def everywhere(lone_domain_controller: DomainController, tmp_path: Path) -> Iterator[Everywhere]:
    """Before the first run."""
    with (
        GraphService(GraphConfig(domains=TENANTS_DOMAINS, skus=SEATS)) as graph,
        GoogleService(GoogleConfig(domains=DOMAINS, products=PRODUCTS)) as google,
    ):
        yield Everywhere(lone_domain_controller, graph, google, tmp_path / "town")
        assert "mistakes" not in {**graph.counters(), **google.counters()}


def test_somebody_comes_moves_leaves_and_comes_back_in_all_three(everywhere: Everywhere):
    """The same accounts all the time, and the same story in each of the systems."""
    town = everywhere.town
    assert town.sync().is_complete
    unit, other = schools(town)
    person = town.hire("990001", "Ola", "Nordmann-Test", unit=unit)
    assert town.sync().is_complete
    accounts, came, in_groups = everywhere.anchors(person), everywhere.enabled(person), everywhere.groups(person)

    move(town, "990001", other)
    assert town.later(days=1).sync().is_complete
    in_other_groups = everywhere.groups(person)

    last = FIRST_DAY + timedelta(days=2)
    town.end_positions(["990001"], last)
    assert town.on(last + timedelta(days=1)).sync().is_complete
    left, in_no_group = everywhere.enabled(person), everywhere.groups(person)

    town.end_positions(["990001"], last + timedelta(days=400))
    assert town.on(last + timedelta(days=10)).sync().is_complete

    assert set(accounts) == set(TARGETS)
    assert came == dict.fromkeys(TARGETS, True)
    assert all(in_groups[target] and in_groups[target].isdisjoint(in_other_groups[target]) for target in TARGETS[1:])
    assert left == dict.fromkeys(TARGETS, False)
    assert not in_no_group["entra"] | in_no_group["google"]
    assert everywhere.enabled(person) == dict.fromkeys(TARGETS, True)
    assert everywhere.anchors(person) == accounts
    assert everywhere.groups(person) == in_other_groups
    assert town.later(hours=1).sync().enqueued == 0
    everywhere.assert_known_is_true()
