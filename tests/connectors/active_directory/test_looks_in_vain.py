"""Looks that fail since the domain controller is busy or going down: nothing follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from connectors.active_directory.accounts import Accounts
from connectors.active_directory.ber import Add, Answer, Entry, Modify, Request, Search
from connectors.active_directory.containers import Containers
from connectors.active_directory.errors import Code
from connectors.active_directory.look import Look, Seen
from connectors.active_directory.members import Members
from connectors.active_directory.namesakes import Claims
from connectors.active_directory.objects import Situation
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.pipeline import Chain
from connectors.active_directory.settings import password_rules_of, rules_of
from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import ConnectorError, Throttled, Unavailable

BASE, HOME = "DC=eadm,DC=test", "OU=Home,DC=eadm,DC=test"
ACCOUNT, GROUP = UUID(int=1), UUID(int=2)
NEW = {"sAMAccountName": "kari", "displayName": "Kari"}
BUSY = [(Code.BUSY, Unavailable), (Code.UNAVAILABLE, Unavailable), (Code.TIME_LIMIT_EXCEEDED, Throttled)]
"""What a search is answered with, and what comes of it."""


def seen(kind: Kind, anchor: UUID, **more: Any) -> Seen:
    """A disabled account, or a group."""
    return Seen(str(anchor), f"CN=x,{HOME}", kind, "x", 514, 0, "owner", "", locked=False, protected=None, **more)


def situation(kind: Kind, *there: Seen) -> Situation:
    """With nothing but these in the domain."""
    options = ActiveDirectoryOptions(servers=("dc",), user="u", password="p")  # type: ignore[arg-type]
    look = Look({one.anchor: one for one in there}, {str(one.mark): [one] for one in there}, {}, {})
    rules = rules_of(options, BASE)[kind]
    return Situation(rules, BASE, look, {}, None, password_rules_of(options), random_password=True, claims=Claims())


def run(chain: Chain[Any], answer: Callable[[Request], Answer]) -> Any:
    """The result of a chain, or why there is none."""
    try:
        request = next(chain)
        while True:
            request = chain.send(answer(request))
    except StopIteration as end:
        return end.value
    except ConnectorError as error:
        return error


@pytest.mark.parametrize(("code", "error"), BUSY)
@pytest.mark.parametrize("action", [Action.CREATE, Action.DELETE])
def test_who_is_in_a_group_is_not_known_by_a_failure(code: Code, error: type[ConnectorError], action: Action):
    """Nobody is held to have left it, and nobody to be missing."""
    wish = Operation("1", Kind.MEMBERSHIP, action, anchor=str(GROUP), account=str(ACCOUNT))
    members = Members(situation(Kind.GROUP, seen(Kind.GROUP, GROUP)))

    assert type(run(members.chain([wish]), lambda _: Answer(code))) is error


@pytest.mark.parametrize(("code", "error"), BUSY)
@pytest.mark.parametrize(("action", "permanent"), [(Action.RESTORE, False), (Action.DELETE, True)])
def test_what_is_in_the_recycle_bin_is_not_known_by_a_failure(
    code: Code, error: type[ConnectorError], action: Action, permanent: bool
):
    """Else the account would be made anew, or be held to be gone for good."""
    wish = Operation("1", Kind.ACCOUNT, action, anchor=str(ACCOUNT), permanent=permanent)

    assert type(run(Accounts(situation(Kind.ACCOUNT), recycle_bin=True).chain(wish), lambda _: Answer(code))) is error


def test_whether_an_owner_has_another_account_is_not_known_by_a_failure():
    """Else there would be two."""
    wish = Operation("1", Kind.ACCOUNT, Action.RESTORE, anchor=str(ACCOUNT))
    mark = rules_of_accounts().mark
    buried = Entry("CN=x", {"isDeleted": [b"TRUE"], "lastKnownParent": [HOME.encode()], "cn": [b"x"], mark: [b"owner"]})

    def answer(request: Request) -> Answer:
        assert isinstance(request, Search)
        return Answer(0, entries=[buried]) if mark in request.attributes else Answer(Code.BUSY)

    assert isinstance(run(Accounts(situation(Kind.ACCOUNT), recycle_bin=True).chain(wish), answer), Unavailable)


@pytest.mark.parametrize("refused", [Code.ALREADY_EXISTS, Code.CONSTRAINT_VIOLATION])
def test_whose_a_name_is_is_not_known_by_a_failure(refused: Code):
    """Else the account would get another CN than asked, or be refused for good by the wrong words."""
    wish = Operation("1", Kind.ACCOUNT, Action.CREATE, owner="new", enabled=False, attributes={**NEW}, container=HOME)

    def answer(request: Request) -> Answer:
        return Answer(refused if isinstance(request, Add) else Code.BUSY)

    assert isinstance(run(Accounts(situation(Kind.ACCOUNT), recycle_bin=True).chain(wish), answer), Unavailable)


def test_whether_a_container_is_there_is_not_known_by_a_failure():
    """Else it would be held to be one that cannot be made."""
    asked: list[Request] = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        return Answer(0 if len(asked) == 1 else Code.BUSY)

    assert isinstance(run(Containers(BASE, create=True).ensure([f"CN=Folk,{BASE}"]), answer), Unavailable)


@pytest.mark.parametrize("enabled", [True, False])
def test_an_account_whose_creation_was_cut_short_gets_its_password(enabled: bool):
    """It was added, and the connection broke: without a password Windows enables no account, now or later."""
    half = seen(Kind.ACCOUNT, ACCOUNT, passwordless=True)
    whole = seen(Kind.ACCOUNT, ACCOUNT)
    wish = Operation(
        "1", Kind.ACCOUNT, Action.CREATE, owner="owner", enabled=enabled, attributes={"title": "x"}, container=HOME
    )
    sent: list[list[str]] = []

    def answer(request: Request) -> Answer:
        assert isinstance(request, Modify)
        sent.append([change.attribute for change in request.changes])
        return Answer(0)

    outcomes = [
        run(Accounts(situation(Kind.ACCOUNT, one), recycle_bin=True).chain(wish), answer) for one in (half, whole)
    ]

    assert all(isinstance(one, Outcome) and one.error is None for one in outcomes)
    assert ["unicodePwd" in names for names in sent] == [True, False]


def rules_of_accounts() -> Any:
    """What the settings say of accounts."""
    return situation(Kind.ACCOUNT).rules
