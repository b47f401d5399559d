"""The example municipality with a customer of Google Workspace in the place of its third target, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.contract import Kind, RemoteObject
from eadm_sync.state import tables
from tests.acceptance.conftest import SMALL_TOWN, Town, make_town
from tests.services.google.config import Config
from tests.services.google.control import GoogleService

DOMAIN = "skole.eksempel.kommune.example"
DOMAINS = ["kommune.example", DOMAIN, f"elev.{DOMAIN}"]
PRODUCT, STAFF, PUPILS = "101031", "1010310008", "1010310009"
PRODUCTS = {PRODUCT: {STAFF: 500, PUPILS: 500}}
LICENCES = {"staff": {"product": PRODUCT, "sku": STAFF}, "pupils": {"product": PRODUCT, "sku": PUPILS}}
UNLIMITED = {"queries": 0, "creations": 0, "units": 0, "licences": 0}
OWNER = "eadm-sync"
LICENCE_RULES = """ruleset: licences-google
licences:
  - {rule: pupils-google, target: google, when: affiliation.kind == 'pupil', sku: pupils}
  - {rule: staff-google, target: google, when: [at_school, affiliation.unit is defined], sku: staff}
"""


class Customer:
    """A local Google with an installation that delivers to it.

    Attributes:
        google: The service.
        town: The installation; its target `google` is the customer.
    """

    def __init__(self, google: GoogleService, place: Path | Town, people: int = SMALL_TOWN, **settings: Any) -> None:
        """`place` is a folder for a new town, or a town that has other targets already."""
        self.google = google
        self.town = place if isinstance(place, Town) else make_town(place, people)
        (self.town.folder / "rulesets" / "licences-google.yaml").write_text(LICENCE_RULES, encoding="utf-8")
        self.set(**settings)

    def set(self, **settings: Any) -> None:
        """Settings of the target beside those that it needs anyway."""
        needed = {
            "type": "google",
            "key_file": str(self.google.key_file),
            "subject": self.google.config.admin,
            "endpoint": self.google.url,
            "settling_seconds": 0,
            "rates": UNLIMITED,
            "licences": LICENCES,
            "variables": {"domain": DOMAIN},
        }
        self.town.configure(lambda all_: all_["targets"].update(google={**needed, **settings}))

    def users(self) -> dict[str, dict[str, Any]]:
        """All accounts by id, in the recycle bin or not, as the service has them."""
        return dict(self.google.contents()["users"])

    def owners(self) -> list[str]:
        """Whose the accounts are that were made for somebody; each as often as there are such accounts."""
        return sorted(owner for one in self.users().values() if (owner := owner_of(one)))

    def user(self, person: str) -> dict[str, Any]:
        """Somebody's one account, in the recycle bin or not, with its id."""
        ((key, found),) = [(key, one) for key, one in self.users().items() if owner_of(one) == person]
        return {**found, "id": key}

    def groups_of(self, key: str) -> dict[str, str]:
        """Addresses of the groups that an account is in, with its role there."""
        every = self.google.contents()["groups"].values()
        return {one["email"]: one["members"][key] for one in every if key in one["members"]}

    def licences_of(self, key: str) -> list[str]:
        """SKUs that an account has."""
        return [sku for name, sku in self.google.contents()["licences"].items() if name.endswith(f"/{key}")]

    def known(self) -> dict[str, str]:
        """Ids of the accounts that people are known to have at the customer."""
        return self._anchors(tables.known_accounts, "person_id")

    def assert_known_is_true(self) -> None:
        """Nothing is on its way, and the customer holds what it is known to hold; strangers aside, nothing else.

        Nobody has two accounts.
        """
        assert self.town.items() == []
        accounts, groups = self.known(), self._anchors(tables.known_groups, "key")
        held = {kind: self._read(kind) for kind in Kind if kind is not Kind.SCRIPT}
        for table, kind in ((tables.known_accounts, Kind.ACCOUNT), (tables.known_groups, Kind.GROUP)):
            for row in self._rows(table):
                one = held[kind][row.anchor]
                told = msgspec.msgpack.decode(row.attributes)
                assert {name: one.attributes.get(name) for name in told} == told
                assert kind is Kind.GROUP or (one.enabled, one.container) == (row.enabled, row.container)
        ours, named = set(accounts.values()), set(groups.values())
        assert {anchor for anchor, one in held[Kind.GROUP].items() if one.owner} <= named
        assert {(one.group, one.member) for one in held[Kind.NESTING].values() if {one.group, one.member} <= named} == {
            (groups[row.group_key], groups[row.member_key]) for row in self._rows(tables.known_nestings)
        }
        assert {
            (one.anchor, one.role)
            for one in held[Kind.MEMBERSHIP].values()
            if {one.account} <= ours and one.group in named
        } == {
            (f"{groups[row.group_key]}/{accounts[row.person_id]}", row.role)
            for row in self._rows(tables.known_memberships)
        }
        assert {anchor for anchor in held[Kind.LICENCE] if anchor.partition("/")[0] in ours} == {
            f"{accounts[row.person_id]}/{row.sku}" for row in self._rows(tables.known_licences)
        }
        assert len(set(self.owners())) == len(self.owners())

    def _rows(self, table: Any) -> list[Any]:
        return [row for row in self.town.rows(table) if row.target == "google"]

    def _anchors(self, table: Any, key: str) -> dict[str, str]:
        return {getattr(row, key): row.anchor for row in self._rows(table)}

    def _read(self, kind: Kind) -> dict[str, RemoteObject]:
        with self.town.target("google") as target:
            return {one.anchor: one for one in target.read(kind) if isinstance(one, RemoteObject) and not one.deleted}


def owner_of(user: dict[str, Any]) -> str | None:
    """Whose an account is."""
    marks = [one["value"] for one in user.get("externalIds", ()) if one.get("customType") == OWNER]
    return marks[0] if marks else None


@pytest.fixture(scope="session")
def process() -> Iterator[GoogleService]:
    """The process, shared by all tests of a worker."""
    with GoogleService() as service:
        yield service


@pytest.fixture
def google(process: GoogleService) -> Iterator[GoogleService]:
    """An empty customer with the example's domains and products; a mistake of the service fails the test."""
    process.empty(Config(domains=DOMAINS, products=PRODUCTS))
    yield process
    assert "mistakes" not in process.counters()
    assert "output_only_properties" not in process.counters()


@pytest.fixture
def customer(tmp_path: Path, google: GoogleService) -> Customer:
    """A municipality of 30 people whose schools have a customer, before its first run."""
    return Customer(google, tmp_path / "town")
