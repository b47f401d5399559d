"""Users that Entra Connect brings up, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra import EntraTarget, open_target
from connectors.errors import AlreadyExists, NotFound, Protected, Rejected, Transient
from tests.connectors.entra.conftest import Settings
from tests.services.graph.control import GraphService

UPN = "kari@kommune.example"
MARK = "onPremisesExtensionAttributes"
STRANGER = {"onPremisesImmutableId": "a2FyaQ==", "userPrincipalName": UPN, "displayName": "K", "mailNickname": "kari"}
KARI = {**STRANGER, "displayName": "Kari", MARK: {"extensionAttribute15": "hr:1"}}
HALF_AN_HOUR = 1800.0


@pytest.fixture
def target(settings: Settings) -> Iterator[EntraTarget]:
    """The tenant, of which Active Directory is the master."""
    with open_target(settings(accounts="synchronised"), Path()) as opened:
        yield opened


def operation(action: Action, anchor: str | None = None, **attributes: Any) -> Operation:
    """On an account."""
    return Operation(uuid4().hex, Kind.ACCOUNT, action, anchor=anchor, attributes=attributes)


def creation(**attributes: Any) -> Operation:
    """Of Kari's account."""
    every = {"userPrincipalName": UPN, **attributes}
    return Operation(uuid4().hex, Kind.ACCOUNT, Action.CREATE, owner="hr:1", enabled=True, attributes=every)


def one(target: EntraTarget, wanted: Operation) -> Outcome:
    """The outcome of one operation."""
    (outcome,) = target.apply([wanted])
    return outcome


def forward(graph: GraphService) -> None:
    """Half an hour passes, and what Entra Connect has been told of comes."""
    graph.forward(seconds=HALF_AN_HOUR)


def brought(graph: GraphService, target: EntraTarget) -> str:
    """The anchor of Kari's account, which is there."""
    graph.synchronise(**KARI)
    anchor = one(target, creation(usageLocation="NO")).anchor
    assert anchor
    return anchor


def test_an_account_is_waited_for_and_never_made(target: EntraTarget, graph: GraphService):
    """When it comes, it is given what the cloud is the master of; what is asked twice is found twice."""
    graph.synchronise(HALF_AN_HOUR, **KARI)
    create = creation(usageLocation="NO")

    early = one(target, create)
    there_early = graph.contents()["users"]
    forward(graph)
    came, again = one(target, create), one(target, create)

    assert isinstance(early.error, Transient)
    assert there_early == {}
    assert (came.error, again.anchor) == (None, came.anchor)
    ((key, user),) = graph.contents()["users"].items()
    assert (came.anchor, user["usageLocation"], user["displayName"]) == (key, "NO", "Kari")


def test_groups_and_licences_are_given_to_who_has_come(target: EntraTarget, graph: GraphService):
    """As to everybody else."""
    account = brought(graph, target)
    group = one(target, Operation("g", Kind.GROUP, Action.CREATE, attributes={"displayName": "5A"})).anchor

    member = Operation("m", Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=account)
    licence = Operation("l", Kind.LICENCE, Action.CREATE, account=account, sku="EMS")

    assert [each.error for each in target.apply([member, licence])] == [None, None]
    assert graph.contents()["groups"][group]["members"] == [account]


def test_an_account_of_the_clouds_own_is_not_taken(target: EntraTarget, graph: GraphService):
    """Whose it is, somebody has to decide; nobody gets a second one."""
    graph.put("user", userPrincipalName=UPN, displayName="Somebody", accountEnabled=True)

    outcome = one(target, creation())

    assert isinstance(outcome.error, AlreadyExists)
    assert "synchronisation" in outcome.error.reason
    assert len(graph.contents()["users"]) == 1


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ({}, {}),  # a name is no proof: rules make names of what sources say
        ({"employeeId": "77"}, {}),
        ({"employeeId": "77"}, {"employeeId": "1"}),
        ({"employeeId": None}, {"employeeId": "1"}),
        ({MARK: {"extensionAttribute15": "hr:2"}}, {}),
        ({MARK: {"extensionAttribute15": "hr:2"}, "employeeId": "1"}, {"employeeId": "1"}),  # one's own row says it
        ({"employeeId": "77"}, {"onPremisesImmutableId": STRANGER["onPremisesImmutableId"], "employeeId": "1"}),
    ],
)
def test_a_stranger_who_is_called_the_same_is_not_taken(
    target: EntraTarget, graph: GraphService, there: dict[str, Any], asked: dict[str, Any]
):
    """A joiner's name may be that of somebody whom no source knows; nothing of the account is changed."""
    graph.synchronise(**STRANGER, **there)
    before = graph.contents()

    outcome = one(target, creation(usageLocation="SE", **asked))

    assert isinstance(outcome.error, AlreadyExists)
    assert "correlate" in outcome.error.reason
    assert graph.contents() == before


@pytest.mark.parametrize("name", ["employeeId", "onPremisesImmutableId"])
def test_what_active_directory_says_of_an_account_proves_whose_it_is(
    target: EntraTarget, graph: GraphService, name: str
):
    """Where rules say the same; administrators' accounts aside, since a source could say what is theirs."""
    account = {**STRANGER, "employeeId": "1"}
    graph.synchronise(**account)
    create = creation(**{name: account[name]})
    (key,) = graph.contents()["users"]

    graph.put("user", key, _roles=["User Administrator"])
    administrator = one(target, create)
    graph.put("user", key, _roles=[])
    person = one(target, create)

    assert isinstance(administrator.error, Protected)
    assert (person.error, person.anchor) == (None, key)


def test_the_immutable_id_comes_before_the_name(target: EntraTarget, graph: GraphService):
    """A name may have changed since; somebody else who has it is another."""
    graph.synchronise(**KARI)
    graph.synchronise(**{**STRANGER, "onPremisesImmutableId": "b2xh", "userPrincipalName": "ola@kommune.example"})

    mine = one(target, creation(onPremisesImmutableId="b2xh", userPrincipalName="ole@kommune.example"))
    theirs = one(target, creation(onPremisesImmutableId="bm9ib2R5"))

    assert graph.contents()["users"][mine.anchor]["userPrincipalName"] == "ola@kommune.example"
    assert isinstance(theirs.error, AlreadyExists)


def test_a_new_name_comes_from_active_directory(target: EntraTarget, graph: GraphService):
    """It is waited for; what is the cloud's is written at once."""
    account = brought(graph, target)
    new = "kari.hansen@kommune.example"
    rename = operation(Action.UPDATE, account, userPrincipalName=new, usageLocation="SE")

    early = one(target, rename)
    graph.synchronise(**{**KARI, "userPrincipalName": new})
    late = one(target, rename)

    assert isinstance(early.error, Transient)
    assert late.error is None
    assert graph.contents()["users"][account]["usageLocation"] == "SE"


@pytest.mark.parametrize(("action", "enabled"), [(Action.DISABLE, False), (Action.ENABLE, True)])
def test_an_account_is_switched_in_active_directory(
    target: EntraTarget, graph: GraphService, action: Action, enabled: bool
):
    """Here it is waited for; whoever is signed in is signed out at once."""
    account = brought(graph, target)
    graph.put("user", account, accountEnabled=not enabled)
    switch = Operation("s", Kind.ACCOUNT, action, anchor=account, revoke_sessions=not enabled)

    early = one(target, switch)
    graph.synchronise(**KARI, accountEnabled=enabled)
    late = one(target, switch)

    assert isinstance(early.error, Transient)
    assert late.error is None
    assert (graph.contents()["users"][account].get("_sessions", 0) > 0) is not enabled


def test_an_account_is_deleted_in_active_directory(target: EntraTarget, graph: GraphService):
    """Here it is waited for, and then taken out of the recycle bin where that is asked for."""
    account = brought(graph, target)
    delete = Operation("d", Kind.ACCOUNT, Action.DELETE, anchor=account, permanent=True)

    early = one(target, delete)
    graph.synchronise(gone=True, **KARI)
    late = [one(target, delete) for _ in range(2)]

    assert isinstance(early.error, Transient)
    assert [each.error for each in late] == [None, None]
    assert account not in graph.contents()["users"]
    assert isinstance(one(target, operation(Action.UPDATE, account, usageLocation="SE")).error, NotFound)


def test_who_is_no_longer_synchronised_is_not_deleted(target: EntraTarget, graph: GraphService):
    """Whose the account is now, somebody has to decide."""
    account = brought(graph, target)
    graph.put("user", account, onPremisesSyncEnabled=None)

    outcome = one(target, operation(Action.DELETE, account))

    assert isinstance(outcome.error, Rejected)
    assert account in graph.contents()["users"]


def test_rulesets_can_set_only_what_is_the_clouds(target: EntraTarget):
    """All else is set in Active Directory, so a rule that does it here is told of when it is loaded."""
    able = target.capabilities

    assert able.required == ("userPrincipalName",)
    assert {"usageLocation", "userPrincipalName", "onPremisesImmutableId", "employeeId"} <= able.attributes.keys()
    assert {"jobTitle", "displayName", "manager", "extensionAttribute1"}.isdisjoint(able.attributes)
    assert (able.passwords, able.soft_delete, able.unique) == (False, False, ("userPrincipalName",))


def test_a_tenant_that_nothing_is_synchronised_to_is_no_such(target: EntraTarget, graph: GraphService):
    """To wait for accounts there would be in vain."""
    with pytest.raises(Rejected, match="no Active Directory"):
        target.check()

    graph.synchronise(**KARI)
    target.check()
