"""The example municipality with a domain, a tenant and a customer of Google Workspace at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Kind, RemoteObject
from tests.acceptance.active_directory.conftest import MUST_CHANGE, Domain
from tests.acceptance.conftest import Town
from tests.acceptance.entra.conftest import DOMAINS as TENANTS_DOMAINS
from tests.acceptance.entra.conftest import SEATS, Tenant
from tests.acceptance.google.conftest import DOMAINS, PRODUCTS, Customer
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
        domain: Its target `ad`.
        tenant: Its target `entra`.
        customer: Its target `google`.
    """

    def __init__(self, controller: DomainController, graph: GraphService, google: GoogleService, folder: Path) -> None:
        self.domain = Domain(controller, folder)
        self.domain.make_container(self.domain.base)
        self.town: Town = self.domain.town
        self.tenant = Tenant(graph, self.town)
        self.customer = Customer(google, self.town)

    def pass_days(self, days: float) -> None:
        """Later, and so it is for the services, which keep what was deleted for so many days."""
        self.town.later(days=days)
        self.tenant.graph.forward(days=days)
        self.customer.google.forward(days=days)

    def anchors(self, person: str) -> dict[str, str]:
        """Somebody's accounts, by target."""
        known = {"ad": self.domain.known_anchors(), "entra": self.tenant.known(), "google": self.customer.known()}
        return {target: every[person] for target, every in known.items() if person in every}

    def accounts(self, person: str) -> dict[str, RemoteObject]:
        """Somebody's live accounts, as each of the targets tells of them."""
        found = {target: self.town.account(person, target) for target in TARGETS}
        return {target: one for target, one in found.items() if one is not None}

    def groups(self, person: str) -> dict[str, set[str]]:
        """Anchors of the groups that each of the accounts is in."""
        return {target: {str(one.group) for one in links} for target, links in self._links(person, Kind.MEMBERSHIP)}

    def licences(self, person: str) -> dict[str, set[str]]:
        """What each of the accounts is licensed for."""
        return {target: {str(one.sku) for one in links} for target, links in self._links(person, Kind.LICENCE)}

    def _links(self, person: str, kind: Kind) -> Iterator[tuple[str, list[RemoteObject]]]:
        for name, account in self.anchors(person).items():
            with self.town.target(name) as target:
                if kind in target.capabilities.kinds:
                    found = [one for one in target.read(kind) if isinstance(one, RemoteObject)]
                    yield name, [one for one in found if one.account == account]

    def lets_in(self, person: str, password: str) -> set[str]:
        """The targets where that is somebody's password, and another one has to be chosen first.

        The domain is asked; what the services keep of a password is compared.
        """
        name = str(self.accounts(person)["ad"].attributes["sAMAccountName"])
        kept: dict[str, Any] = {"entra": self.tenant.user(person), "google": self.customer.user(person)}
        found = {target for target, one in kept.items() if one["_password"] == password}
        return found | ({"ad"} if self.domain.sign_in(name, password) == MUST_CHANGE else set())

    def assert_known_is_true(self) -> None:
        """Of each."""
        self.domain.assert_known_is_true()
        self.tenant.assert_known_is_true()
        self.customer.assert_known_is_true()


@pytest.fixture
def everywhere(lone_domain_controller: DomainController, tmp_path: Path) -> Iterator[Everywhere]:
    """Before the first run."""
    with (
        GraphService(GraphConfig(domains=TENANTS_DOMAINS, skus=SEATS)) as graph,
        GoogleService(GoogleConfig(domains=DOMAINS, products=PRODUCTS)) as google,
    ):
        yield Everywhere(lone_domain_controller, graph, google, tmp_path / "town")
        assert "mistakes" not in {**graph.counters(), **google.counters()}
