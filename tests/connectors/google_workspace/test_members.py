"""Who is in groups at Google Workspace: roles, nestings, strangers, and what is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import NotFound, Rejected, Transient
from connectors.google_workspace.chains import run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.listing import Listing
from connectors.google_workspace.members import Members
from connectors.google_workspace.options import GoogleOptions
from connectors.memory import Memory
from tests.services.google.control import GoogleService

Change = Callable[[str, Sequence[Operation]], dict[str, Outcome]]
ABSENT = "100000000000000000009"


@pytest.fixture
def memory() -> Memory:
    """What was made not long ago: nothing, until a test says so."""
    return Memory(600)


@pytest.fixture
def change(connection: Connection, memory: Memory) -> Change:
    """Changes who is in a group; the outcomes by the operations' ids."""

    def changed(group: str, operations: Sequence[Operation]) -> dict[str, Outcome]:
        (outcomes,) = run(connection, [Members(connection.apis, memory).chain(group, operations)])
        return {one.operation_id: one for one in outcomes}

    return changed


def membership(group: str, account: str, role: str = "member", action: Action = Action.CREATE) -> Operation:
    """An operation on one account's place in a group."""
    return Operation(f"{action} {account} {role}", Kind.MEMBERSHIP, action, anchor=group, account=account, role=role)


def nesting(group: str, member: str, action: Action = Action.CREATE) -> Operation:
    """An operation on one group's place in another."""
    return Operation(f"{action} {member}", Kind.NESTING, action, anchor=group, member=member)


def held(google: GoogleService, group: str) -> dict[str, str]:
    """Roles of those who are in a group, by their ids."""
    return dict(google.contents()["groups"][group]["members"])


def test_members_have_the_roles_that_they_are_given(change: Change, google: GoogleService):
    """Also those who are in the group already, with another one."""
    users, (group,) = google.seed(users=3, groups=1)
    roles = dict(zip(users, ("member", "manager", "owner"), strict=True))
    first = change(group, [membership(group, user, role) for user, role in roles.items()])
    as_given = held(google, group)
    second = change(group, [membership(group, users[0], "owner"), membership(group, users[2], "member")])

    assert [one.error for one in (*first.values(), *second.values())] == [None] * 5
    assert as_given == dict(zip(users, ("MEMBER", "MANAGER", "OWNER"), strict=True))
    assert held(google, group) == dict(zip(users, ("OWNER", "MANAGER", "MEMBER"), strict=True))


def test_one_request_changes_many_members(change: Change, google: GoogleService):
    """In batches of fifty, whoever joins and whoever leaves."""
    users, (group,) = google.seed(users=100, groups=1)
    google.link(group, users[:50])
    google.reset()

    leaving = [membership(group, user, action=Action.DELETE) for user in users[:50]]
    change(group, [*leaving, *(membership(group, user) for user in users[50:])])

    assert google.counters()["http_requests"] == 2
    assert set(held(google, group)) == set(users[50:])


def test_whoever_is_not_there_is_told_apart(change: Change, google: GoogleService):
    """One error for each, naming who is missing; the others are put in."""
    users, (group, inner) = google.seed(users=2, groups=2)
    operations = [
        membership(group, users[0]),
        membership(group, ABSENT),
        membership(group, "nobody@kommune.example"),
        membership(group, inner),
        nesting(group, users[1]),
        nesting(group, "0absent"),
        membership(group, users[1], "director"),
    ]

    outcomes = change(group, operations)

    errors = [outcomes[one.id].error for one in operations]
    assert errors[0] is None
    for error, missing in zip(errors[1:6], (ABSENT, "nobody@kommune.example", inner, users[1], "0absent"), strict=True):
        assert isinstance(error, NotFound)
        assert error.anchor == missing
    assert isinstance(errors[6], Rejected)
    assert held(google, group) == {users[0]: "MEMBER"}


def test_a_group_that_is_not_there_is_blamed_itself(change: Change, google: GoogleService):
    """And not those who were to be in it; whoever was to leave it has left."""
    (user,), _ = google.seed(users=1)

    joins, leaves = change("0absent", [membership("0absent", user)]), membership("0absent", user, action=Action.DELETE)

    (error,) = (one.error for one in joins.values())
    assert isinstance(error, NotFound)
    assert (error.kind, error.anchor) == (Kind.GROUP, "0absent")
    assert [one.error for one in change("0absent", [leaves]).values()] == [None]


@pytest.mark.parametrize("new", ["group", "account"])
def test_what_was_made_a_moment_ago_is_waited_for(change: Change, memory: Memory, google: GoogleService, new: str):
    """A new group or account that is not found yet is not missing."""
    (user,), (group,) = google.seed(users=1, groups=1)
    google.change(visible_seconds=30)
    google.put("user" if new == "account" else "group", user if new == "account" else group, _created=4e9)
    memory.note(user if new == "account" else group, "mark")

    (early,) = change(group, [membership(group, user)]).values()
    google.put("user" if new == "account" else "group", user if new == "account" else group, _created=0)
    (late,) = change(group, [membership(group, user)]).values()

    assert isinstance(early.error, Transient)
    assert late.error is None


def test_a_group_is_in_itself_by_no_way(change: Change, google: GoogleService):
    """Neither at once nor by way of another group."""
    _, (outer, inner) = google.seed(groups=2)
    google.link(outer, [inner])

    for group, member in ((outer, outer), (inner, outer)):
        (outcome,) = change(group, [nesting(group, member)]).values()
        assert isinstance(outcome.error, Rejected)


def test_strangers_stay_and_are_not_told(
    change: Change, connection: Connection, options: GoogleOptions, google: GoogleService
):
    """An external address in a group is nobody's account: neither read nor taken out."""
    users, (group, inner) = google.seed(users=1, groups=2)
    google.link(group, [*users, inner])
    call = connection.apis.members.insert(groupKey=group, body={"email": "guest@annet.example"})
    connection.get(call)
    listing = Listing(connection, options)

    memberships = [one.anchor for one in listing.read(Kind.MEMBERSHIP, None)]
    nestings = [one.anchor for one in listing.read(Kind.NESTING, None)]
    change(group, [membership(group, users[0], action=Action.DELETE), nesting(group, inner, Action.DELETE)])

    assert (memberships, nestings) == ([f"{group}/{users[0]}"], [f"{group}/{inner}"])
    assert len(held(google, group)) == 1


def test_large_groups_are_read_to_their_end(connection: Connection, options: GoogleOptions, google: GoogleService):
    """In pages of 200, those of many groups side by side; roles are told."""
    users, groups = google.seed(users=450, groups=3, groups_each=2)
    google.link(groups[0], users)
    google.link(groups[1], users[:1], role="OWNER")
    google.reset()

    told = list(Listing(connection, options).read(Kind.MEMBERSHIP, None))

    assert google.counters()["http_requests"] <= 6
    assert len(told) == len({one.anchor for one in told}) == 450 + 2 * 300
    assert [one.account for one in told if one.role == "owner"] == users[:1]
