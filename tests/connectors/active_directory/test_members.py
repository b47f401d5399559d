"""Groups and who is in them, in a real domain, beyond the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Outcome, RemoteObject, Value
from connectors.errors import ConnectorError, NotFound, Rejected

Home = Any
Open = Callable[..., ActiveDirectoryTarget]


class Hand:
    """Fills groups in the test's own container."""

    def __init__(self, target: ActiveDirectoryTarget, home: Home) -> None:
        self.target = target
        self.home = home

    @property
    def requests(self) -> int:
        """How many requests have left; asking counts as one."""
        number: int = self.target._session.connection.server.next_message_id()
        return number

    def group(self, word: str, **attributes: Value) -> str:
        """The anchor of a new group."""
        create = operation(
            Kind.GROUP,
            Action.CREATE,
            attributes={"sAMAccountName": self.home.name(word), **attributes},
            container=self.home.dn,
        )
        (outcome,) = self.target.apply([create])
        assert outcome.error is None, outcome.error
        return str(outcome.anchor)

    def people(self, number: int) -> list[str]:
        """The anchors of new accounts."""
        creates = [
            operation(
                Kind.ACCOUNT,
                Action.CREATE,
                owner=uuid4().hex,
                attributes={"sAMAccountName": uuid4().hex[:16]},
                container=self.home.dn,
                enabled=False,
            )
            for _ in range(number)
        ]
        return [str(outcome.anchor) for outcome in self.target.apply(creates)]

    def change(self, action: Action, group: str, *accounts: str) -> dict[str, ConnectorError | None]:
        """What became of each membership, by the account."""
        batch = [operation(Kind.MEMBERSHIP, action, id=one, anchor=group, account=one) for one in accounts]
        return {outcome.operation_id: outcome.error for outcome in self.target.apply(batch)}

    def members(self, group: str) -> list[str]:
        """The accounts in a group, as often as each is listed."""
        read = [item for item in self.target.read(Kind.MEMBERSHIP) if isinstance(item, RemoteObject)]
        return sorted(str(item.account) for item in read if item.group == group)

    def raw(self, anchor: str, name: str) -> list[bytes]:
        """An attribute as the domain has it."""
        assert self.home.admin.search(f"<GUID={anchor}>", "(objectClass=*)", "BASE", attributes=[name])
        values: list[bytes] = self.home.admin.response[0]["raw_attributes"].get(name, [])
        return values


def operation(kind: Kind, action: Action, **fields: Any) -> Operation:
    """An operation with an id of its own."""
    return Operation(**{"id": uuid4().hex, **fields}, kind=kind, action=action)


@pytest.fixture
def hand(target: Open, home: Home) -> Iterator[Hand]:
    """A target on the test's own container."""
    return Hand(target(random_password=False), home)


# ---------------------------------------------------------------- members


def test_two_hundred_join_in_one_request(hand: Hand) -> None:
    """Whatever the number: no more requests leave than for one member."""
    group, other, people = hand.group("g"), hand.group("h"), hand.people(200)
    before = hand.requests
    hand.change(Action.CREATE, other, people[0])
    for_one = hand.requests - before
    assert set(hand.change(Action.CREATE, group, *people).values()) == {None}
    assert hand.requests - before == 2 * for_one
    assert hand.members(group) == sorted(people)


@pytest.mark.parametrize("there_already", [1, 3, 7])
def test_a_failure_of_one_touches_no_other(hand: Hand, there_already: int) -> None:
    """Some are in already, some are not there at all, one is no anchor: the others join."""
    group, people = hand.group("g"), hand.people(8)
    hand.change(Action.CREATE, group, *people[:there_already])
    missing, deleted = str(uuid4()), hand.people(1)[0]
    list(hand.target.apply([operation(Kind.ACCOUNT, Action.DELETE, anchor=deleted)]))
    wrong = [missing, deleted, "nonsense"]
    errors = hand.change(Action.CREATE, group, *people[:4], *wrong, *people[4:])
    assert [errors[one] for one in people] == [None] * 8
    assert {one: type(errors[one]) for one in wrong} == dict.fromkeys(wrong, NotFound)
    assert hand.members(group) == sorted(people)


def test_leaving_what_one_is_not_in_is_a_success(hand: Hand) -> None:
    """Together with those who are in it, with strangers, and with what never was."""
    group, people = hand.group("g"), hand.people(6)
    hand.change(Action.CREATE, group, *people[:4])
    errors = hand.change(Action.DELETE, group, *people[2:], str(uuid4()), "nonsense")
    assert set(errors.values()) == {None}
    assert hand.members(group) == sorted(people[:2])


def test_nobody_is_in_a_group_twice(hand: Hand) -> None:
    """Samba takes the same member twice in one request, and lists it twice from then on."""
    group, (person,) = hand.group("g"), hand.people(1)
    batch = [
        operation(Kind.MEMBERSHIP, Action.CREATE, anchor=group, account=spelt)
        for spelt in (person, person.upper(), person, f"{{{person}}}")
    ]
    assert [outcome.error for outcome in hand.target.apply(batch)] == [None] * 4
    assert hand.members(group) == [person]


def test_some_leave_while_others_join(hand: Hand) -> None:
    """Several groups in one batch, accounts and groups in each."""
    first, second, inner = (hand.group(word) for word in "abc")
    people = hand.people(4)
    hand.change(Action.CREATE, first, *people[:2])
    batch = [
        *(operation(Kind.MEMBERSHIP, Action.DELETE, anchor=first, account=one) for one in people[:2]),
        *(operation(Kind.MEMBERSHIP, Action.CREATE, anchor=first, account=one) for one in people[2:]),
        *(operation(Kind.MEMBERSHIP, Action.CREATE, anchor=second, account=one) for one in people),
        operation(Kind.NESTING, Action.CREATE, anchor=first, member=inner),
    ]
    assert {outcome.error for outcome in hand.target.apply(batch)} == {None}
    assert hand.members(first) == sorted(people[2:])
    assert hand.members(second) == sorted(people)
    assert len(hand.raw(first, "member")) == 3


def test_a_member_has_no_other_role(hand: Hand) -> None:
    """To join as an owner is refused; to stop being one is a success, and the member stays."""
    group, (person,) = hand.group("g"), hand.people(1)
    hand.change(Action.CREATE, group, person)
    outcomes = [
        next(iter(hand.target.apply([operation(Kind.MEMBERSHIP, action, anchor=group, account=person, role="owner")])))
        for action in (Action.CREATE, Action.DELETE)
    ]
    assert isinstance(outcomes[0].error, Rejected)
    assert outcomes[1].error is None
    assert hand.members(group) == [person]


def test_a_group_is_not_put_into_itself(hand: Hand) -> None:
    """Samba would let it."""
    group = hand.group("g")
    (outcome,) = hand.target.apply([operation(Kind.NESTING, Action.CREATE, anchor=group, member=group.upper())])
    assert isinstance(outcome.error, Rejected)


def test_a_member_whose_name_is_awkward_is_still_known(hand: Hand) -> None:
    """The group's own name too: names are compared by what they mean, not by how they are escaped."""
    group = hand.group("g", cn="Lærere, 5A + #1")
    create = operation(
        Kind.ACCOUNT,
        Action.CREATE,
        owner=uuid4().hex,
        attributes={"sAMAccountName": uuid4().hex[:16], "cn": "Ås, #2"},
        container=f"OU=Bygg\\, plan \\+ #3,{hand.home.dn}",
    )
    (made,) = hand.target.apply([create])
    person, (other,) = str(made.anchor), hand.people(1)
    for action, members in ((Action.CREATE, sorted([person, other])), (Action.DELETE, [])):
        assert set(hand.change(action, group, person).values()) == {None}
        assert set(hand.change(action, group, person, other).values()) == {None}
        assert hand.members(group) == members


# ---------------------------------------------------------------- groups


@pytest.mark.parametrize(
    ("before", "after"),
    [("global", "domain_local"), ("domain_local", "global"), ("universal", "global"), ("global", "universal")],
)
def test_a_group_changes_its_scope(hand: Hand, before: str, after: str) -> None:
    """Between global and domain-local no directory changes at once: it goes by way of universal."""
    group = hand.group("g", groupScope=before, groupCategory="distribution")
    (outcome,) = hand.target.apply(
        [operation(Kind.GROUP, Action.UPDATE, anchor=group, attributes={"groupScope": after, "description": "x"})]
    )
    assert outcome.error is None
    bits = {"global": 2, "domain_local": 4, "universal": 8}
    assert hand.raw(group, "groupType") == [b"%d" % bits[after]]
    assert hand.raw(group, "description") == [b"x"]


def test_a_new_group_is_global_and_of_security(hand: Hand) -> None:
    """Unless something else is asked."""
    assert hand.raw(hand.group("g"), "groupType") == [b"-2147483646"]


def test_a_group_has_an_owner_and_loses_it(hand: Hand) -> None:
    """By anchor; cleared by None."""
    (person,) = hand.people(1)
    group = hand.group("g", managedBy=person)
    (dn,) = hand.raw(group, "managedBy")
    assert dn
    clear = operation(Kind.GROUP, Action.UPDATE, anchor=group, attributes={"managedBy": None})
    assert [outcome.error for outcome in hand.target.apply([clear])] == [None]
    assert hand.raw(group, "managedBy") == []


def test_a_group_with_a_long_name_has_a_shorter_cn(hand: Hand) -> None:
    """256 characters fit the one, 64 the other."""
    name = f"{uuid4().hex} {'x' * 100}"
    create = operation(Kind.GROUP, Action.CREATE, attributes={"sAMAccountName": name}, container=hand.home.dn)
    outcomes: list[Outcome] = [*hand.target.apply([create]), *hand.target.apply([create])]
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert outcomes[0].anchor == outcomes[1].anchor
    assert hand.raw(str(outcomes[0].anchor), "cn") == [name[:64].encode()]
