"""The example municipality with a tenant in the place of its second target, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.state import tables
from tests.acceptance.conftest import SMALL_TOWN, Town, make_town
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService

DOMAIN = "eksempel.kommune.example"
DOMAINS = [DOMAIN, f"elev.{DOMAIN}", f"ekstern.{DOMAIN}"]
SEATS = {"STANDARDWOFFPACK_FACULTY": 500, "STANDARDWOFFPACK_STUDENT": 500, "SPE_E3": 500, "SPE_F1": 500}
OWNER = "extensionAttribute15"


class Tenant:
    """A local Graph with an installation that delivers to it.

    Attributes:
        graph: The service.
        town: The installation; its target `entra` is the tenant.
    """

    def __init__(self, graph: GraphService, place: Path | Town, people: int = SMALL_TOWN, **settings: Any) -> None:
        """`place` is a folder for a new town, or a town that has other targets already."""
        self.graph = graph
        self.town = place if isinstance(place, Town) else make_town(place, people)
        secret = self.town.folder / "var" / "entra-secret"
        secret.write_text(graph.config.secret, encoding="utf-8")
        secret.chmod(0o600)
        self.set(**settings)

    def set(self, **settings: Any) -> None:
        """Settings of the target beside those that it needs anyway."""
        graph = self.graph
        needed = {
            "type": "entra",
            "tenant": graph.config.tenant_id,
            "authentication": "secret",
            "client_id": graph.config.client_id,
            "client_secret": "${file:var/entra-secret}",
            "authority": graph.authority,
            "graph_url": graph.url,
            "ca_file": graph.ca_file,
            "settling_seconds": 0,
            "unique": ["mailNickname"],
            "variables": {"domain": DOMAIN},
        }
        self.town.configure(lambda all_: all_["targets"].update(entra={**needed, **settings}))

    def users(self) -> dict[str, dict[str, Any]]:
        """All accounts by id, in the recycle bin or not, as the service has them."""
        return dict(self.graph.contents()["users"])

    def owners(self) -> list[str]:
        """Whose the accounts are that were made for somebody; each as often as there are such accounts."""
        return sorted(owner for one in self.users().values() if (owner := owner_of(one)))

    def user(self, person: str) -> dict[str, Any]:
        """Somebody's one account, in the recycle bin or not."""
        (found,) = [one for one in self.users().values() if owner_of(one) == person]
        return found

    def groups_of(self, key: str) -> set[str]:
        """Names of the groups that an account is in."""
        return {one["displayName"] for one in self.graph.contents()["groups"].values() if key in one.get("members", ())}

    def known(self) -> dict[str, str]:
        """Ids of the accounts that people are known to have in the tenant."""
        return self._anchors(tables.known_accounts, "person_id")

    def assert_known_is_true(self) -> None:
        """Nothing is on its way, and the tenant holds what it is known to hold; strangers aside, nothing else.

        Nobody has two accounts, and no two groups have one name.
        """
        assert self.town.items() == []
        accounts, groups = self.known(), self._anchors(tables.known_groups, "key")
        held = {kind: self._read(kind) for kind in (Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.LICENCE)}
        for table, kind in ((tables.known_accounts, Kind.ACCOUNT), (tables.known_groups, Kind.GROUP)):
            for row in self._rows(table):
                found = held[kind][row.anchor].attributes
                told = msgspec.msgpack.decode(row.attributes)
                assert {name: found.get(name) for name in told} == told
                assert kind is Kind.GROUP or held[kind][row.anchor].enabled == row.enabled
        ours, named = set(accounts.values()), set(groups.values())
        assert {
            one.anchor for one in held[Kind.MEMBERSHIP].values() if {one.account} <= ours and one.group in named
        } == {f"{groups[row.group_key]}/{accounts[row.person_id]}" for row in self._rows(tables.known_memberships)}
        assert {anchor for anchor in held[Kind.LICENCE] if anchor.partition("/")[0] in ours} == {
            f"{accounts[row.person_id]}/{row.sku}" for row in self._rows(tables.known_licences)
        }
        names = [str(one.attributes["displayName"]) for one in held[Kind.GROUP].values()]
        assert len(set(names)) == len(names)
        assert len(set(self.owners())) == len(self.owners())

    def _rows(self, table: Any) -> list[Any]:
        return [row for row in self.town.rows(table) if row.target == "entra"]

    def _anchors(self, table: Any, key: str) -> dict[str, str]:
        return {getattr(row, key): row.anchor for row in self._rows(table)}

    def _read(self, kind: Kind) -> dict[str, RemoteObject]:
        with self.town.target("entra") as target:
            return {one.anchor: one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted}


def owner_of(user: dict[str, Any]) -> str | None:
    """Whose an account is."""
    extensions = user.get("onPremisesExtensionAttributes") or {}
    return extensions.get(OWNER)


def products(user: dict[str, Any]) -> int:
    """How many licences an account has."""
    return len(user.get("licenseAssignmentStates", ()))


@pytest.fixture(scope="session")
def process() -> Iterator[GraphService]:
    """The process, shared by all tests of a worker."""
    with GraphService() as service:
        yield service


@pytest.fixture
def graph(process: GraphService) -> Iterator[GraphService]:
    """An empty tenant with the example's domains and products; a mistake of the service fails the test."""
    process.empty(Config(domains=DOMAINS, skus=SEATS))
    yield process
    assert "mistakes" not in process.counters()


@pytest.fixture
def tenant(tmp_path: Path, graph: GraphService) -> Tenant:
    """A municipality of 30 people that has a tenant, before its first run."""
    return Tenant(graph, tmp_path / "town")
