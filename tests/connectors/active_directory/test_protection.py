"""Who is never changed, in a real domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Password, Value
from connectors.errors import ConnectorError, Rejected
from tests.samba import BASE_DN

Home = Any
Open = Callable[..., ActiveDirectoryTarget]
USERS = f"CN=Users,{BASE_DN}"


class Attacker:
    """Tries to change objects in every way there is."""

    def __init__(self, target: ActiveDirectoryTarget, home: Home) -> None:
        self.target = target
        self.home = home
        (made,) = target.apply([self._create(None)])
        self.friend = str(made.anchor)

    def on_account(self, dn: str) -> list[ConnectorError | None]:
        """Everything that can be done to an account, and to whoever bears the mark of its owner."""
        self.home.set(dn, **{"msDS-cloudExtensionAttribute1": "owner-of-it"})
        anchor = self.anchor(dn)
        fields: list[dict[str, Any]] = [
            {"action": Action.UPDATE, "attributes": {"title": "x"}},
            {"action": Action.UPDATE, "container": self.home.dn},
            {"action": Action.UPDATE, "password": Password("Gul-Hest7-hopper")},
            *({"action": action} for action in (Action.ENABLE, Action.DISABLE, Action.DELETE)),
        ]
        operations = [Operation(uuid4().hex, Kind.ACCOUNT, anchor=anchor, **one) for one in fields]
        errors = self._errors([*operations, self._create("owner-of-it")])
        self.home.set(dn, **{"msDS-cloudExtensionAttribute1": None})
        return errors

    def on_group(self, dn: str) -> list[ConnectorError | None]:
        """Everything that can be done to a group."""
        anchor, friends = self.anchor(dn), self.anchor(self.home.group(uuid4().hex))
        return self._errors(
            [
                Operation("1", Kind.GROUP, Action.UPDATE, anchor=anchor, attributes={"description": "x"}),
                Operation("2", Kind.GROUP, Action.DELETE, anchor=anchor),
                Operation("3", Kind.MEMBERSHIP, Action.CREATE, anchor=anchor, account=self.friend),
                Operation("4", Kind.MEMBERSHIP, Action.DELETE, anchor=anchor, account=self.friend),
                Operation("5", Kind.NESTING, Action.CREATE, anchor=anchor, member=friends),
            ]
        )

    def anchor(self, dn: str) -> str:
        """Of an object."""
        return anchor_of(self.home, dn)

    def state(self, dn: str) -> dict[str, list[bytes]]:
        """All attributes but those that count changes."""
        self.home.admin.search(dn, "(objectClass=*)", "BASE", attributes=["*"])
        attributes = self.home.admin.response[0]["raw_attributes"]
        return {key: each for key, each in attributes.items() if key not in ("uSNChanged", "whenChanged")}

    def creating(self, **attributes: Value) -> Operation:
        """A new account with these attributes."""
        return self._create(None, **attributes)

    def renaming(self, **attributes: Value) -> Operation:
        """These attributes for an account that may be changed."""
        return Operation(uuid4().hex, Kind.ACCOUNT, Action.UPDATE, anchor=self.friend, attributes=attributes)

    def _create(self, owner: str | None, **more: Value) -> Operation:
        attributes: dict[str, Value] = {"sAMAccountName": uuid4().hex[:16], **more}
        return Operation(
            uuid4().hex,
            Kind.ACCOUNT,
            Action.CREATE,
            owner,
            attributes=attributes,
            container=self.home.dn,
            enabled=False,
        )

    def _errors(self, operations: list[Operation]) -> list[ConnectorError | None]:
        return [outcome.error for outcome in self.target.apply(operations)]


@pytest.fixture
def attacker(target: Open, home: Home) -> Iterator[Attacker]:
    """A target that may touch the whole domain, and signs in as its administrator: nothing else stops it."""
    return Attacker(target(account_containers=[], group_containers=[]), home)


def anchor_of(home: Home, dn: str) -> str:
    """Of an object."""
    assert home.admin.search(dn, "(objectClass=*)", "BASE", attributes=["objectGUID"]), dn
    return str(UUID(bytes_le=home.admin.response[0]["raw_attributes"]["objectGUID"][0]))


def refused(errors: list[ConnectorError | None]) -> bool:
    """Whether every operation was refused with the word."""
    return all(isinstance(error, Rejected) and "protected" in error.reason for error in errors)


@pytest.mark.parametrize("name", ["Administrator", "Guest", "krbtgt"])
def test_the_domains_own_accounts_are_never_changed(attacker: Attacker, name: str) -> None:
    """Whatever is asked, nothing of them changes."""
    dn = f"CN={name},{USERS}"
    before = attacker.state(dn)
    assert refused(attacker.on_account(dn))
    assert attacker.state(dn) == before


@pytest.mark.parametrize("name", ["Administrator@eadm.test", "ADMINISTRATOR@EADM.TEST", "krbtgt@EADM", "administrator"])
def test_nobody_gets_the_name_that_an_administrator_signs_in_by(attacker: Attacker, name: str) -> None:
    """Though it stands in no attribute: a domain would take it, and let the wrong one in."""
    create, update = attacker.creating(userPrincipalName=name), attacker.renaming(userPrincipalName=name)
    for outcome in attacker.target.apply([create, update]):
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "userPrincipalName"
    other = attacker.renaming(userPrincipalName=f"administrator@{uuid4().hex}.no")
    assert [outcome.error for outcome in attacker.target.apply([other])] == [None]  # nobody's


@pytest.mark.parametrize(
    "dn",
    [f"CN=Domain Admins,{USERS}", f"CN=Administrators,CN=Builtin,{BASE_DN}", f"CN=Domain Users,{USERS}"],
)
def test_the_domains_own_groups_are_never_changed(attacker: Attacker, dn: str) -> None:
    """Nobody is put into them, and nobody taken out."""
    before = attacker.state(dn)
    assert refused(attacker.on_group(dn))
    assert attacker.state(dn) == before


def test_who_is_an_administrator_by_whatever_way_is_never_changed(attacker: Attacker) -> None:
    """Directly, by a group in a group in a group, by the primary group, by a mark of Windows'; Samba sets no mark."""
    home = attacker.home
    people = {word: home.user(word) for word in ("direct", "nested", "primary", "marked")}
    inner = home.group("inner", "", people["nested"])
    outer = home.group("outer", "", inner)
    admins = f"CN=Domain Admins,{USERS}"
    home.link(admins, add=(people["direct"], outer, people["primary"]))
    home.set(people["primary"], primaryGroupID="512")
    home.set(people["marked"], adminCount="1")
    for dn in people.values():
        assert refused(attacker.on_account(dn)), dn
    for dn in (inner, outer):
        assert refused(attacker.on_group(dn))
    home.link(admins, remove=(outer, people["direct"]))
    change = Operation(
        "1", Kind.ACCOUNT, Action.UPDATE, anchor=attacker.anchor(people["direct"]), attributes={"title": "x"}
    )
    assert [outcome.error for outcome in attacker.target.apply([change])] == [None]  # no longer, as nobody marked it


def test_groups_in_a_circle_are_no_end_of_it(attacker: Attacker) -> None:
    """Active Directory lets groups be in one another."""
    home = attacker.home
    first = home.group("first")
    second = home.group("second", "", first)
    home.link(first, add=(second,))
    home.link(f"CN=Backup Operators,CN=Builtin,{BASE_DN}", add=(first,))
    for dn in (first, second):
        assert refused(attacker.on_group(dn))
    home.link(f"CN=Backup Operators,CN=Builtin,{BASE_DN}", remove=(first,))


@pytest.mark.parametrize("spelling", ["dn", "upn", "down-level"])
def test_we_do_not_change_ourselves(target: Open, home: Home, spelling: str) -> None:
    """Whoever the settings sign in as; a service account that disables itself ends the service."""
    password = "Gul-Hest7-hopper"
    name = home.name("svc")
    dn = home.user("svc", unicodePwd=f'"{password}"'.encode("utf-16-le"), userPrincipalName=f"{name}@eadm.test")
    home.set(dn, userAccountControl="66048")
    users = {"dn": dn, "upn": f"{name.upper()}@eadm.test", "down-level": f"EADM\\{name}"}
    ours = target(user=users[spelling], password=password)
    anchor = anchor_of(home, dn)
    operations = [
        Operation(str(action), Kind.ACCOUNT, action, anchor=anchor) for action in (Action.DISABLE, Action.DELETE)
    ]
    assert refused([outcome.error for outcome in ours.apply(operations)])


def test_machines_are_no_accounts(attacker: Attacker) -> None:
    """A computer's anchor is nobody's."""
    home = attacker.home
    dn = f"CN=pc,{home.dn}"
    machine = {"sAMAccountName": f"{home.name('pc')[:14]}$", "userAccountControl": "4096"}
    assert home.admin.add(dn, "computer", machine), home.admin.result
    anchor = attacker.anchor(dn)
    disable = Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor=anchor)
    delete = Operation("2", Kind.ACCOUNT, Action.DELETE, anchor=anchor)
    outcomes = {outcome.operation_id: outcome.error for outcome in attacker.target.apply([disable, delete])}
    assert outcomes["1"] is not None
    assert attacker.anchor(dn) == anchor
