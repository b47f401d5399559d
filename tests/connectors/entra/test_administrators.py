"""Administrators' accounts and groups, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.contract import Action, Kind, Operation, Password, RemoteObject
from connectors.entra import EntraTarget, open_target
from connectors.entra.connection import Connection
from connectors.entra.protection import FRESH_SECONDS, Administrators
from connectors.errors import AuthenticationFailed, Protected, Rejected
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import SUFFICIENT_ROLES, Config
from tests.services.graph.control import GraphService

ROLE = ["User Administrator"]


@pytest.fixture
def target(settings: Settings) -> Iterator[EntraTarget]:
    """The tenant."""
    with open_target(settings(), Path()) as opened:
        yield opened


@pytest.fixture
def people(graph: GraphService) -> tuple[str, str, str]:
    """An administrator, one by way of a group, and somebody who is none."""
    (admin, by_group, nobody), (group,) = graph.seed(users=3, groups=1)
    graph.put("user", admin, _roles=ROLE)
    graph.put("group", group, _roles=["Helpdesk Administrator"], isAssignableToRole=True)
    graph.link(group, [by_group])
    return admin, by_group, nobody


def operation(action: Action, account: str, **fields: Any) -> Operation:
    """On an account."""
    return Operation(uuid4().hex, Kind.ACCOUNT, action, anchor=account, **fields)


def test_accounts_of_administrators_are_read_as_protected(
    target: EntraTarget, graph: GraphService, people: tuple[str, str, str]
):
    """By whatever way they have a role; found one by one, too, and among those that changed."""
    read = [each for each in target.read(Kind.ACCOUNT, None, ["userPrincipalName"]) if isinstance(each, RemoteObject)]
    found = [
        target.find(Kind.ACCOUNT, {"userPrincipalName": each.attributes["userPrincipalName"]})[0].protected
        for each in sorted(read, key=lambda each: people.index(each.anchor))
    ]

    assert {each.anchor: each.protected for each in read} == dict(zip(people, (True, True, False), strict=True))
    assert found == [True, True, False]
    assert graph.counters()["status_200"] > 0


# Rows: what is asked for, and whether it is refused of an administrator.
@pytest.mark.parametrize(
    ("action", "fields", "is_refused"),
    [
        (Action.DISABLE, {}, True),
        (Action.DELETE, {}, True),
        (Action.UPDATE, {"attributes": {"userPrincipalName": "x@kommune.example"}}, True),
        (Action.UPDATE, {"password": Password("Correct-Horse-7")}, True),
        (Action.UPDATE, {"attributes": {"jobTitle": "x"}}, False),
    ],
)
def test_what_only_an_administrator_may_do_is_refused_as_protected(
    target: EntraTarget, people: tuple[str, str, str], action: Action, fields: dict[str, Any], is_refused: bool
):
    """Of whoever has a role, and of nobody else."""
    outcomes = [next(iter(target.apply([operation(action, account, **fields)]))) for account in people]

    assert [isinstance(each.error, Protected) for each in outcomes] == [is_refused, is_refused, False]
    assert outcomes[2].error is None


def test_a_group_that_gives_a_role_is_protected(target: EntraTarget, graph: GraphService, people: tuple[str, str, str]):
    """Nobody is put into it here."""
    (group,) = graph.contents()["groups"]
    joining = Operation("m", Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=people[2])

    (outcome,) = target.apply([joining])

    assert isinstance(outcome.error, Protected)


def test_what_is_refused_for_want_of_a_permission_protects_nobody(target: EntraTarget, graph: GraphService):
    """It is the application's matter, and not the account's."""
    lacking = {"User.ReadWrite.All", "User.EnableDisableAccount.All"}
    graph.change(roles=[each for each in SUFFICIENT_ROLES if each not in lacking])
    (account,), _ = graph.seed(users=1)

    (outcome,) = target.apply([operation(Action.DISABLE, account)])

    assert isinstance(outcome.error, Rejected)
    assert not isinstance(outcome.error, Protected)
    assert "permission" in outcome.error.reason


def test_who_is_an_administrator_is_asked_for_once_in_a_while(
    settings: Settings, graph: GraphService, people: tuple[str, str, str]
):
    """Not for each account that is looked at."""
    now = [0.0]
    connection = Connection(settings(), Path())
    administrators = Administrators(connection, lambda: now[0])
    before = administrators.ids()
    graph.put("user", people[2], _roles=ROLE)

    kept = administrators.ids()
    now[0] = FRESH_SECONDS + 1
    later = administrators.ids()
    connection.close()

    assert kept == before
    assert later == before | {people[2]}


def test_roles_that_may_not_be_read_are_a_matter_of_permissions(target: EntraTarget, graph: GraphService):
    """Nobody is taken for no administrator on a guess."""
    graph.empty(Config(roles=[each for each in SUFFICIENT_ROLES if each != "Directory.Read.All"]))
    graph.seed(users=1)

    with pytest.raises(AuthenticationFailed):
        list(target.read(Kind.ACCOUNT))
