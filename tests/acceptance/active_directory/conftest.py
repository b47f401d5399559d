"""The example municipality with a real domain controller in the place of its first target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ldap3
import pytest

from connectors.active_directory.values import anchor_of
from connectors.contract import Kind, RemoteObject
from eadm_sync.state import tables
from tests import samba
from tests.acceptance.conftest import SMALL_TOWN, make_town
from tests.samba import DomainController

MANAGERS = "extensionAttribute1: leder", "msDS-cloudExtensionAttribute2: leder"
UNITS = "extensionAttribute2:", "msDS-cloudExtensionAttribute3:"
LEAVERS = """
  deactivation:
    ad:
      container: "OU=Sluttet,{{ target.base_dn }}"
      attributes: {title: "", description: "Sluttet {{ deactivated_on }}"}
"""
MUST_CHANGE, WRONG, IS_DISABLED = "data 773", "data 52e", "data 533"


class Domain:
    """A domain controller with an installation that delivers to it.

    Attributes:
        controller: The server.
        town: The installation; its target `ad` is the domain.
        base: The container that the target works in.
    """

    def __init__(self, controller: DomainController, folder: Path, people: int = SMALL_TOWN, **settings: Any) -> None:
        self.controller = controller
        self.base = f"OU=Kommune,{controller.base_dn}"
        self.town = make_town(folder, people)
        secret = self.town.folder / "ad.password"
        secret.write_text(controller.admin_password, encoding="utf-8")
        secret.chmod(0o600)
        rules = self.town.folder / "rulesets"
        with (rules / "common.yaml").open("a", encoding="utf-8") as common:  # its last part is `lifecycle`
            common.write(LEAVERS)
        employees = (rules / "employees.yaml").read_text(encoding="utf-8")  # a domain without Exchange has no others
        (rules / "employees.yaml").write_text(employees.replace(*MANAGERS).replace(*UNITS), encoding="utf-8")
        self.set(**settings)

    def set(self, **settings: Any) -> None:
        """Settings of the target beside those that it needs anyway."""
        needed = {
            "type": "active_directory",
            "servers": [self.controller.server],
            "ca_file": str(self.controller.ca_file),
            "user": self.controller.admin_dn,
            "password": "${file:ad.password}",
            "account_containers": [self.base],
            "group_containers": [self.base],
            "variables": {"base_dn": self.base, "upn_suffix": "eadm.test"},
        }
        self.town.configure(lambda all_: all_["targets"].update(ad={**needed, **settings}))

    @contextmanager
    def administrator(self) -> Iterator[Any]:
        """Somebody who works in the domain by hand."""
        with self.controller.administrator() as connection:
            yield connection

    def make_container(self, dn: str) -> str:
        """An organisational unit."""
        with self.administrator() as admin:
            assert admin.add(dn, "organizationalUnit"), admin.result
        return dn

    def accounts(self) -> list[RemoteObject]:
        """All accounts that the target tells of."""
        with self.town.target("ad") as target:
            return [one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)]

    def known_anchors(self) -> dict[str, str]:
        """Anchors of the accounts that people are known to have in the domain."""
        table = tables.known_accounts
        return {row.person_id: row.anchor for row in self.town.rows(table) if row.target == "ad"}

    def assert_known_is_true(self) -> None:
        """Nothing is on its way, and the domain holds what it is known to; it may hold more, as each domain does."""
        assert not self.town.items()
        known, content = self.town.known("ad"), self.town.content("ad")
        for sort in ("accounts", "groups"):
            for one, (attributes, *others) in known[sort].items():
                held, *elsewhere = content[sort].pop(one)
                assert (one, others) == (one, elsewhere)
                assert {name: held.get(name) for name in attributes} == attributes
            assert not content[sort]
        assert content["memberships"] == known["memberships"]
        assert content["nestings"] == known["nestings"]

    @staticmethod
    def anchor(admin: Any, dn: str) -> str:
        """The anchor of an object."""
        assert admin.search(dn, "(objectClass=*)", "BASE", attributes=["objectGUID"]), admin.result
        return anchor_of(admin.response[0]["raw_attributes"]["objectGUID"][0])

    def entry(self, account: RemoteObject | str, *attributes: str) -> tuple[str, dict[str, Any]]:
        """(DN, attributes as text) of an object as the domain has it, wherever it is, by its anchor."""
        anchor = account if isinstance(account, str) else account.anchor
        with self.administrator() as admin:
            assert admin.search(f"<GUID={anchor}>", "(objectClass=*)", "BASE", attributes=list(attributes or ("*",)))
            (found,) = admin.response
        raw = found["raw_attributes"].items()
        return found["dn"], {name: [one.decode(errors="replace") for one in values] for name, values in raw}

    def sign_in(self, name: str, password: str) -> str:
        """What the domain says to somebody who signs in: "" where it lets them in, or why not."""
        tls = ldap3.Tls(ca_certs_file=str(self.controller.ca_file))
        server = ldap3.Server(self.controller.address, self.controller.ports[1], use_ssl=True, tls=tls)
        connection = ldap3.Connection(server, f"{samba.DOMAIN}\\{name}", password)
        done, said = connection.bind(), connection.result["message"]
        connection.unbind()
        return "" if done else next((one for one in (MUST_CHANGE, WRONG, IS_DISABLED) if one in said), said)

    def change_numbers(self, filter_: str = "(objectClass=*)") -> dict[str, int]:
        """Anchor → uSNChanged of everything: what was written to has another number."""
        with self.administrator() as admin:
            found = admin.extend.standard.paged_search(
                self.controller.base_dn,
                filter_,
                attributes=["uSNChanged", "objectGUID"],
                paged_size=1000,
                generator=False,
            )
        raw = [one["raw_attributes"] for one in found if one["type"] == "searchResEntry"]
        return {anchor_of(one["objectGUID"][0]): int(one["uSNChanged"][0]) for one in raw}


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """What is new, gone, or was written to."""
    return {dn for dn in before.keys() | after.keys() if before.get(dn) != after.get(dn)}


@pytest.fixture(scope="module")
def controller() -> Iterator[DomainController]:
    """A domain of the file's own: names of accounts are unique in all of it."""
    if missing := samba.what_is_missing():
        pytest.skip(missing)
    made = samba.start_new()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def domain(controller: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Domain:
    """The town of thirty, delivered: an hour after its first run."""
    made = Domain(controller, tmp_path_factory.mktemp("domain") / "town")
    made.make_container(made.base)
    assert made.town.sync().is_complete
    made.town.later(hours=1)
    return made
