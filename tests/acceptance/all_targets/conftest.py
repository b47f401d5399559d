"""The example municipality with a domain, a tenant and a customer of Google Workspace at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Held:
    """What somebody has in one target.

    Attributes:
        account: The account.
        groups: Anchors of the groups that it is in.
        licences: Names of what it is licensed for.
    """

    account: RemoteObject
    groups: set[str]
    licences: set[str]


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

    def held(self, person: str) -> dict[str, Held]:
        """What somebody has, as each of the targets tells; without a target: no live account there."""
        found: dict[str, Held] = {}
        for name in TARGETS:
            with self.town.target(name) as target:
                there = {
                    kind: [one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted]
                    for kind in (Kind.ACCOUNT, Kind.MEMBERSHIP, Kind.LICENCE)
                    if kind in target.capabilities.kinds
                }
            for account in [one for one in there[Kind.ACCOUNT] if one.owner == person]:
                groups, licences = (
                    [one for one in there.get(kind, ()) if one.account == account.anchor]
                    for kind in (Kind.MEMBERSHIP, Kind.LICENCE)
                )
                found[name] = Held(account, {str(one.group) for one in groups}, {str(one.sku) for one in licences})
        return found

    def lets_in(self, person: str, password: str) -> set[str]:
        """The targets where that is somebody's password, and another one has to be chosen first.

        The domain is asked; what the services keep of a password is compared.
        """
        name = str(self.held(person)["ad"].account.attributes["sAMAccountName"])
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
