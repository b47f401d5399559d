"""Whether we may do what the settings ask for, told without anything being tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Kind, RemoteObject, ResumeToken
from connectors.errors import AuthenticationFailed, Rejected, Stale
from tests.connectors.active_directory.conftest import NORMAL, Home
from tests.samba import BASE_DN, DomainController

Targets = Callable[..., ActiveDirectoryTarget]
PASSWORD = "Tjeneste-konto.1"


@pytest.fixture(scope="module")
def service(domain_controller: DomainController) -> dict[str, str]:
    """The settings of an account that nobody gave any rights."""
    name = f"svc-{uuid4().hex[:8]}"
    dn = f"CN={name},CN=Users,{BASE_DN}"
    with domain_controller.administrator() as admin:
        assert admin.add(dn, "user", {"sAMAccountName": name, "userPrincipalName": f"{name}@eadm.test"})
        password = [("MODIFY_REPLACE", [f'"{PASSWORD}"'.encode("utf-16-le")])]
        assert admin.modify(dn, {"unicodePwd": password, "userAccountControl": [("MODIFY_REPLACE", [NORMAL])]})
    return {"user": f"{name}@eadm.test", "password": PASSWORD}


def test_an_administrator_lacks_nothing(target: Targets, home: Home) -> None:
    """And nothing has changed afterwards; the domain controller writes something of its own now and then."""
    home.user("ase")
    home.group("alle")

    def writes() -> int:
        home.admin.search("", "(objectClass=*)", "BASE", attributes=["highestCommittedUSN"])
        return int(home.admin.entries[0].highestCommittedUSN.value)

    written = []
    while len(written) < 10 and 0 not in written:
        before = writes()
        assert target().check() is None
        written.append(writes() - before)
    assert written[-1] == 0


def test_every_right_that_is_missing_is_named_at_once(target: Targets, home: Home, service: dict[str, str]) -> None:
    """With the container that it is missing in."""
    home.user("ase")
    home.group("alle")
    with pytest.raises(AuthenticationFailed) as caught:
        target(**service).check()
    for right in ("create user objects", "create group objects", "create organizationalUnit objects"):
        assert f"the right to {right} in {home.dn} is missing" in caught.value.reason
    for right in ("write displayName of accounts", "write userAccountControl of accounts", "write member of groups"):
        assert f"the right to {right} in {home.dn} is missing" in caught.value.reason


def test_without_containers_of_its_own_a_target_is_proved_readable_only(
    target: Targets, service: dict[str, str]
) -> None:
    """Rights may have been given anywhere below the domain; that they are not proved is said."""
    said = target(account_containers=[], group_containers=[], **service).check()
    assert said is not None
    for setting in ("account_containers", "group_containers"):
        assert f"`{setting}` names none, so that only reading" in said


def test_a_container_that_is_not_there_is_named(target: Targets, home: Home) -> None:
    """It looks like one that we may not see."""
    with pytest.raises(AuthenticationFailed, match=f"OU=Borte,{home.dn} is not there, or we may not read it"):
        target(account_containers=[f"OU=Borte,{home.dn}"]).check()


@pytest.mark.parametrize(
    "given",
    [
        {"owner_attribute": "extensionAttribute15"},
        {"group_owner_attribute": "noSuchAttribute"},
        {"attributes": {"noSuchAttribute": "str"}},
    ],
)
def test_an_attribute_that_the_domain_does_not_know_is_named(target: Targets, given: dict[str, Any]) -> None:
    """Exchange's are there only where it has been."""
    with pytest.raises(Rejected) as caught:
        target(**given).check()
    assert caught.value.attribute in ("extensionAttribute15", "noSuchAttribute")


@pytest.mark.parametrize(
    ("kind", "attributes", "lacking"),
    [
        (Kind.ACCOUNT, ["mail", "extensionAttribute1", "TITLE"], ["extensionAttribute1"]),
        (Kind.GROUP, ["groupScope", "mailNickname", "groupCategory"], ["mailNickname"]),  # two words for groupType
        (Kind.ACCOUNT, [], []),
    ],
)
def test_what_the_schema_lacks_is_told(target: Targets, kind: Kind, attributes: list[str], lacking: list[str]) -> None:
    """Exchange has never been in this domain."""
    assert target().lacks(kind, attributes) == lacking


def test_who_may_not_replicate_is_told_everything_each_time(
    target: Targets, home: Home, service: dict[str, str]
) -> None:
    """Changes would leave out deletions that we may not see: no token, and an administrator's is no good."""
    home.user("ase")
    plain = target(**service)
    found = list(plain.read(Kind.ACCOUNT))
    assert [type(one) for one in found] == [RemoteObject]
    *_, token = target().read(Kind.ACCOUNT)
    assert isinstance(token, ResumeToken)
    with pytest.raises(Stale, match="Replicating Directory Changes"):
        list(plain.read(Kind.ACCOUNT, token))
