"""Looks that fail in passing: nothing follows from them, and the change is tried again."""

from __future__ import annotations

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, Password
from connectors.entra.accounts import Accounts
from connectors.entra.groups import Groups
from connectors.entra.licences import Licences, Product
from connectors.entra.managers import Managers
from connectors.entra.members import Members
from connectors.entra.schema import user_table
from connectors.entra.teams import Teams
from connectors.errors import AuthenticationFailed, ConnectorError, Protected, Throttled, Transient
from connectors.memory import Memory

from .playing import ACCOUNT, GROUP, URL, memory, run

TABLE = user_table("extensionAttribute15", (), synchronised=False)
PASSING = [
    (401, AuthenticationFailed),
    (408, Transient),
    (424, Transient),
    (429, Throttled),
    (503, Transient),
    (504, Transient),
]
"""What a look is answered with, and what comes of it."""


def accounts(known: Memory, **owned: str) -> Accounts:
    """Chains of accounts, `owned` by their owners."""
    return Accounts(TABLE, known, lambda: "x", owned, Managers(URL, known, {}))


@pytest.mark.parametrize(("status", "error"), PASSING)
def test_who_owns_a_group_is_not_known_by_a_failure(status: int, error: type[ConnectorError]):
    """To make a team of a group without an owner would be refused for good."""
    wish = Operation("1", Kind.GROUP, Action.UPDATE, anchor=GROUP, attributes={"team": True})
    groups = Groups(memory(), {}, Teams(URL))

    outcome = run(groups.chain(wish), [(200, {"groupTypes": ["Unified"]})], [(status, None)])

    assert type(outcome.error) is error


@pytest.mark.parametrize(("status", "error"), PASSING)
def test_what_groups_give_is_not_known_by_a_failure(status: int, error: type[ConnectorError]):
    """A licence would be given twice."""
    licences = Licences({"ems": Product("EMS", "sku", {}, 5, 0)}, {}, memory(), {"sku"})
    wish = Operation("1", Kind.LICENCE, Action.CREATE, account=ACCOUNT, sku="EMS")

    (outcome,) = run(licences.chain(ACCOUNT, [wish]), [(status, None)])

    assert type(outcome.error) is error


@pytest.mark.parametrize(("status", "error"), PASSING)
@pytest.mark.parametrize("password", [None, Password("Correct-Horse-7")])
def test_who_is_an_administrator_is_not_known_by_a_failure(
    status: int, error: type[ConnectorError], password: Password | None
):
    """Else nobody would note that the account is protected, and a good password would be held to be refused."""
    wish = Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=ACCOUNT, attributes={"jobTitle": "x"}, password=password)

    refused = run(accounts(memory()).chain(wish), [(403, None)], [(status, None)])
    told = run(accounts(memory()).chain(wish), [(403, None)], [(200, {"value": [{"id": "role"}]})])

    assert type(refused.error) is error
    assert isinstance(told.error, Protected)


@pytest.mark.parametrize(("status", "error"), PASSING)
def test_what_kind_of_group_it_is_is_not_known_by_a_failure(status: int, error: type[ConnectorError]):
    """As with accounts: a group that gives a role is protected."""
    wish = Operation("1", Kind.MEMBERSHIP, Action.CREATE, anchor=GROUP, account=ACCOUNT)

    (outcome,) = run(Members(URL, memory()).chain(GROUP, [wish]), [(403, None)], [(status, None)])

    assert type(outcome.error) is error


@pytest.mark.parametrize(("status", "error"), PASSING)
def test_who_is_in_a_new_group_is_not_known_by_a_failure(status: int, error: type[ConnectorError]):
    """Nobody is held to have left it."""
    wish = Operation("1", Kind.MEMBERSHIP, Action.DELETE, anchor=GROUP, account=ACCOUNT)
    members = Members(URL, memory(GROUP))

    (outcome,) = run(members.chain(GROUP, [wish]), [(404, None)], [(status, None), (200, {"id": ACCOUNT})])

    assert type(outcome.error) is error


def test_what_an_account_came_back_with_is_told_though_the_answer_got_lost():
    """The second attempt finds the account where it was put by the first, and looks at what it is in."""
    create = Operation("1", Kind.ACCOUNT, Action.CREATE, owner="hr:1", enabled=True, attributes=NEW)
    in_group = {"value": [{"id": GROUP, "@odata.type": "#microsoft.graph.group"}]}
    looks = [(200, in_group), (200, {"value": []}), (200, {"value": [{"skuPartNumber": "EMS"}]})]

    outcome: Outcome = run(accounts(memory(), **{"hr:1": ACCOUNT}).chain(create), [(204, None)], looks)

    assert outcome.error is None
    assert [(one.kind, one.group or one.sku) for one in outcome.regained] == [
        (Kind.MEMBERSHIP, GROUP),
        (Kind.LICENCE, "EMS"),
    ]


def test_an_account_that_the_index_still_shows_is_looked_for_again():
    """It was found by its mark, and is gone: to make another is for the next attempt."""
    create = Operation("1", Kind.ACCOUNT, Action.CREATE, owner="hr:1", enabled=True, attributes=NEW)

    outcome = run(accounts(memory(), **{"hr:1": ACCOUNT}).chain(create), [(404, None)])

    assert isinstance(outcome.error, Transient)


NEW = {"userPrincipalName": "kari@kommune.example", "displayName": "Kari", "usageLocation": "NO"}
