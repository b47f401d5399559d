"""What a tenant refuses, as the engine is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from connectors.contract import Action, Kind, Operation, Outcome, Password, RemoteObject, ResumeToken
from connectors.entra import EntraTarget, open_target
from connectors.entra.checking import NEEDS, Need
from connectors.errors import AlreadyExists, AuthenticationFailed, NotFound, Rejected, Stale, Throttled, Transient
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import SUFFICIENT_ROLES, Config, Faults
from tests.services.graph.control import GraphService
from tests.services.graph.licences import sku_id

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "entra.md"
MakeTarget = Callable[..., EntraTarget]


@pytest.fixture
def target(settings: Settings) -> Iterator[MakeTarget]:
    """Opens targets with the settings given, and closes them."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(open_target(settings(**given), Path()))


def operation(kind: Kind, action: Action, **fields: Any) -> Operation:
    """An operation with an id of its own."""
    return Operation(uuid4().hex, kind, action, **fields)


def creation(name: str, **attributes: Any) -> Operation:
    """Of an account."""
    every = {"userPrincipalName": f"{name}@kommune.example", "displayName": name, "usageLocation": "NO", **attributes}
    return operation(Kind.ACCOUNT, Action.CREATE, owner=f"hr:{name}", enabled=True, attributes=every)


def one(target: EntraTarget, wanted: Operation) -> Outcome:
    """The outcome of one operation."""
    (outcome,) = target.apply([wanted])
    return outcome


def joining(group: str, account: str, action: Action = Action.CREATE, role: str = "member") -> Operation:
    """A membership."""
    return operation(Kind.MEMBERSHIP, action, anchor=group, account=account, role=role)


def test_what_active_directory_is_the_master_of_is_named_and_the_rest_is_written(
    target: MakeTarget, graph: GraphService
):
    """And not tried again."""
    (user,), _ = graph.seed(users=1, synced=1.0)
    change = {"jobTitle": "Lærer", "usageLocation": "SE"}

    outcome = one(target(), operation(Kind.ACCOUNT, Action.UPDATE, anchor=user, attributes=change))

    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == "jobTitle"
    assert "Active Directory" in outcome.error.reason
    assert graph.contents()["users"][user]["usageLocation"] == "SE"


@pytest.mark.parametrize("action", [Action.ENABLE, Action.DISABLE])
def test_a_synchronised_account_is_switched_where_it_comes_from(
    target: MakeTarget, graph: GraphService, action: Action
):
    """The refusal says so."""
    (user,), _ = graph.seed(users=1, synced=1.0)

    outcome = one(target(), operation(Kind.ACCOUNT, action, anchor=user))

    assert isinstance(outcome.error, Rejected)
    assert "Active Directory" in outcome.error.reason


# Rows: what a group is, and the word that tells why nobody is put into it here.
@pytest.mark.parametrize(
    ("group", "word"),
    [
        ({"groupTypes": ["DynamicMembership"], "membershipRule": "x"}, "dynamic"),
        ({"mailEnabled": True}, "Exchange"),
        ({"onPremisesSyncEnabled": True}, "Active Directory"),
    ],
)
def test_groups_that_others_fill_are_left_alone(
    target: MakeTarget, graph: GraphService, group: dict[str, Any], word: str
):
    """Whether one or many shall be in it, or somebody shall leave."""
    users, (key,) = graph.seed(users=3, groups=1)
    graph.link(key, [users[2]])
    graph.put("group", key, **group)

    outcomes = list(
        target().apply([joining(key, users[0]), joining(key, users[1]), joining(key, users[2], Action.DELETE)])
    )

    assert len(outcomes) == 3
    for outcome in outcomes:
        assert isinstance(outcome.error, Rejected)
        assert word in outcome.error.reason


def test_what_was_just_made_and_is_not_found_is_tried_again_for_a_while(target: MakeTarget, graph: GraphService):
    """By the target that made it; when the time is over, it is missing."""
    graph.empty(Config(visible_seconds=3600))
    opened, hasty = target(settling_seconds=3600), target(settling_seconds=0)
    account = one(opened, creation("kari")).anchor
    group = one(opened, operation(Kind.GROUP, Action.CREATE, attributes={"displayName": "5A"})).anchor
    assert account
    assert group

    early = one(opened, joining(group, account))
    late = one(hasty, joining(group, account))
    change = one(opened, operation(Kind.ACCOUNT, Action.DISABLE, anchor=account))

    assert isinstance(early.error, Transient)
    assert isinstance(change.error, Transient)
    assert isinstance(late.error, NotFound)


def test_a_creation_whose_account_is_not_seen_yet_makes_no_second(target: MakeTarget, graph: GraphService):
    """Neither in the process that made it, nor in another."""
    graph.empty(Config(visible_seconds=3600))
    first, second = target(settling_seconds=0), target(settling_seconds=0)
    create = creation("kari")

    assert one(first, create).error is None
    assert isinstance(one(second, create).error, Transient)
    assert len(graph.contents()["users"]) == 1


def test_an_account_in_the_recycle_bin_is_taken_back_by_its_owner_only(target: MakeTarget):
    """Somebody else's name stays taken."""
    opened = target(settling_seconds=0)
    anchor = one(opened, creation("kari")).anchor
    assert one(opened, operation(Kind.ACCOUNT, Action.DELETE, anchor=anchor)).error is None
    stranger = creation("ola", userPrincipalName="kari@kommune.example")

    refused = one(opened, stranger)
    back = one(opened, creation("kari"))

    assert isinstance(refused.error, AlreadyExists)
    assert "recycle bin" in refused.error.reason
    assert (back.error, back.anchor) == (None, anchor)


def test_what_an_account_comes_back_with_is_told(target: MakeTarget, graph: GraphService):
    """Its groups, with its role in each, and its licences: also where its creation finds it in the recycle bin."""
    _, (led, joined) = graph.seed(users=0, groups=2)
    opened, create = target(), creation("kari")
    account = one(opened, create).anchor
    list(opened.apply([joining(led, account, role="owner"), joining(joined, account)]))
    list(opened.apply([operation(Kind.LICENCE, Action.CREATE, account=account, sku="EMS")]))
    delete = operation(Kind.ACCOUNT, Action.DELETE, anchor=account)

    list(opened.apply([delete]))
    restored = one(target(), operation(Kind.ACCOUNT, Action.RESTORE, anchor=account))
    list(opened.apply([delete]))
    created = one(target(), create)

    told = [
        {(each.kind, each.group, each.account, each.role, each.sku) for each in outcome.regained}
        for outcome in (restored, created)
    ]
    everything = {
        (Kind.MEMBERSHIP, led, account, "owner", None),
        (Kind.MEMBERSHIP, joined, account, "member", None),
        (Kind.LICENCE, None, account, "member", "EMS"),
    }
    assert told == [everything, everything]
    assert (created.error, created.anchor) == (None, account)


def test_each_of_a_batch_says_how_long_to_wait(target: MakeTarget, graph: GraphService):
    """What was done is told; the others are throttled one by one, or not sent at all."""
    graph.empty(Config(quota="1000/10/60"))
    outcomes: list[Outcome] = []

    outcomes += target().apply([creation(f"user{at}") for at in range(12)])

    throttled = [each.error for each in outcomes if isinstance(each.error, Throttled)]
    assert len(outcomes) - len(throttled) == 10
    assert all(50 < (error.retry_after_seconds or 0) <= 61 for error in throttled)


def test_a_service_that_is_busy_is_a_matter_of_each_operation(target: MakeTarget, graph: GraphService):
    """503 within a batch is the operation's, and passes."""
    graph.empty(Config(faults=Faults(item_unavailable=0.5)))
    users, (group,) = graph.seed(users=60, groups=1)

    outcomes = list(target().apply([operation(Kind.ACCOUNT, Action.DISABLE, anchor=key) for key in users]))

    assert {type(each.error) for each in outcomes} == {type(None), Transient}
    assert group in graph.contents()["groups"]


def test_permissions_that_are_missing_are_named_with_what_they_are_for(target: MakeTarget, graph: GraphService):
    """All at once."""
    lacking = {"User.ReadWrite.All", "LicenseAssignment.ReadWrite.All"}
    graph.empty(Config(roles=[each for each in SUFFICIENT_ROLES if each not in lacking]))

    with pytest.raises(AuthenticationFailed) as failure:
        target().check()

    assert all(name in failure.value.reason for name in lacking)
    assert "to give and take licences" in failure.value.reason
    assert "GroupMember" not in failure.value.reason


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.permission)
def test_each_permission_is_missed_by_itself(target: MakeTarget, graph: GraphService, need: Need):
    """With what it would be for, in the words of the page that lists the least of them."""
    others = {each.permission for each in NEEDS} - {need.permission, *need.others}
    graph.empty(Config(roles=sorted(others)))

    with pytest.raises(AuthenticationFailed) as failure:
        target().check()

    assert need.permission in failure.value.reason
    assert f"({need.purpose})" in failure.value.reason
    assert f"| `{need.permission}` | {need.purpose} |" in PAGE.read_text(encoding="utf-8")


def test_who_may_look_at_nothing_is_told_what_would_let_it(target: MakeTarget, graph: GraphService):
    """The first question is refused already."""
    graph.empty(Config(roles=[]))

    with pytest.raises(AuthenticationFailed, match=r"Directory\.Read\.All missing"):
        target().check()


def test_a_password_for_who_is_there_takes_a_permission_of_its_own(target: MakeTarget, graph: GraphService):
    """Without it, an account whose creation was not confirmed keeps the one it was made with, and that is told of."""
    graph.empty(Config(roles=list(SUFFICIENT_ROLES)))
    create = msgspec.structs.replace(creation("kari"), password=Password("Hest-Fjell-Kaffe-4827"))
    account = one(target(), create).anchor
    graph.put("user", account, accountEnabled=False)

    again = one(target(), create)
    another = operation(Kind.ACCOUNT, Action.UPDATE, anchor=account, password=Password("Hest-Fjell-Kaffe-4828"))
    refused = one(target(), another)

    assert (again.error, again.anchor) == (None, account)
    assert "keeps its password" in str(again.warning)
    assert graph.contents()["users"][account]["accountEnabled"]
    assert isinstance(refused.error, Rejected)
    assert refused.error.attribute == "password"
    assert "User-PasswordProfile.ReadWrite.All" in refused.error.reason


def test_a_product_of_the_settings_has_to_be_there(target: MakeTarget):
    """With the plans that are left off."""
    with pytest.raises(Rejected, match="no product 'NOPE'"):
        target(disabled_plans={"NOPE": ["TEAMS1"]}).check()
    with pytest.raises(Rejected, match="EMS has no service plan NOPE"):
        target(disabled_plans={"EMS": ["NOPE"]}).check()


def test_plans_that_are_left_off_are(target: MakeTarget, graph: GraphService):
    """When the licence is given."""
    opened = target(disabled_plans={"EMS": ["TEAMS1"]})
    account = one(opened, creation("kari")).anchor

    assert one(opened, operation(Kind.LICENCE, Action.CREATE, account=account, sku="EMS")).error is None

    (state,) = graph.contents()["users"][account]["licenseAssignmentStates"]
    assert len(state["disabledPlans"]) == 1


def test_what_comes_with_a_group_is_neither_given_twice_nor_taken_away(target: MakeTarget, graph: GraphService):
    """It is told of as held; who is not in the group is given it."""
    users, (group,) = graph.seed(users=2, groups=1)
    graph.link(group, users[:1])
    graph.put("group", group, assignedLicenses=[{"skuId": sku_id("EMS"), "disabledPlans": []}])
    opened = target()

    given = list(opened.apply([operation(Kind.LICENCE, Action.CREATE, account=key, sku="EMS") for key in users]))
    held = {each.account for each in opened.read(Kind.LICENCE) if isinstance(each, RemoteObject)}
    taken = one(opened, operation(Kind.LICENCE, Action.DELETE, account=users[0], sku="EMS"))

    assert [each.error for each in given] == [None, None]
    states = {key: graph.contents()["users"][key]["licenseAssignmentStates"] for key in users}
    assert [each["assignedByGroup"] for key in users for each in states[key]] == [group, None]
    assert {str(each.anchor): bool(each.warning) for each in given} == {
        f"{users[0]}/EMS": True,
        f"{users[1]}/EMS": False,
    }
    assert held == set(users)
    assert isinstance(taken.error, Rejected)
    assert "leaves the group" in taken.error.reason


def test_what_a_group_could_not_give_is_told(target: MakeTarget, graph: GraphService):
    """Of how many members, and why, by `check`; and with the licence, where it is given directly after all."""
    graph.empty(Config(skus={"EMS": 1}))
    users, (group,) = graph.seed(users=3, groups=1)
    opened = target()
    list(opened.apply([operation(Kind.LICENCE, Action.CREATE, account=users[0], sku="EMS")]))
    graph.link(group, users[1:])
    healthy = opened.check()
    graph.put("group", group, assignedLicenses=[{"skuId": sku_id("EMS"), "disabledPlans": []}])

    said = opened.check()
    list(opened.apply([operation(Kind.LICENCE, Action.DELETE, account=users[0], sku="EMS")]))
    given = one(target(), operation(Kind.LICENCE, Action.CREATE, account=users[1], sku="EMS"))

    assert healthy is None
    assert "did not reach 2 of its members: 2 CountViolation" in str(said)
    assert (given.error, given.anchor) == (None, f"{users[1]}/EMS")
    assert given.warning == "a group that gives EMS could not (CountViolation): it is given directly"


def test_one_product_takes_the_place_of_another_in_one_request(target: MakeTarget, graph: GraphService):
    """Where both at once are impossible."""
    graph.empty(Config(exclusive=[["SPE_E3", "EMS"]]))
    opened = target()
    account = one(opened, creation("kari")).anchor
    assert one(opened, operation(Kind.LICENCE, Action.CREATE, account=account, sku="EMS")).error is None

    swap = [(Action.DELETE, "EMS"), (Action.CREATE, "SPE_E3")]
    outcomes = list(opened.apply([operation(Kind.LICENCE, how, account=account, sku=sku) for how, sku in swap]))

    assert [each.error for each in outcomes] == [None, None]
    held = [each.sku for each in opened.read(Kind.LICENCE) if isinstance(each, RemoteObject)]
    assert held == ["SPE_E3"]


def test_owners_are_members_with_a_role(target: MakeTarget, graph: GraphService):
    """They are read as such, and leave as such."""
    users, (group,) = graph.seed(users=2, groups=1)
    opened = target()

    list(opened.apply([joining(group, users[0], role="owner"), joining(group, users[1])]))
    roles = {each.account: each.role for each in opened.read(Kind.MEMBERSHIP) if isinstance(each, RemoteObject)}
    list(opened.apply([joining(group, users[0], Action.DELETE, role="owner")]))

    assert roles == {users[0]: "owner", users[1]: "member"}
    assert not graph.contents()["groups"][group].get("owners")


def test_many_members_need_few_requests(target: MakeTarget, graph: GraphService):
    """Twenty in each, twenty of those in one; who is in it already is none to fail for."""
    users, (group,) = graph.seed(users=100, groups=1)
    graph.link(group, users[:1])
    opened = target()
    list(opened.licences())
    graph.reset()

    outcomes = list(opened.apply([joining(group, key) for key in users]))

    assert [each.error for each in outcomes] == [None] * 100
    assert graph.counters()["http_requests"] == 2
    assert set(graph.contents()["groups"][group]["members"]) == set(users)


@pytest.mark.parametrize("how", ["expired", "reset"])
@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP])
def test_a_token_that_went_bad_asks_for_a_full_read(target: MakeTarget, graph: GraphService, kind: Kind, how: str):
    """Whichever way Graph says it."""
    graph.seed(users=2, groups=1, groups_each=1)
    opened = target()
    *_, token = opened.read(kind)
    assert isinstance(token, ResumeToken)
    graph.refuse_delta_tokens(how)

    with pytest.raises(Stale):
        list(opened.read(kind, token))


def test_pages_that_are_empty_or_come_twice_change_nothing(target: MakeTarget, graph: GraphService):
    """Each change is told once."""
    graph.empty(Config(delta_page_size=5, faults=Faults(delta_empty=0.3, delta_repeated=0.3)))
    opened = target()
    *_, token = opened.read(Kind.ACCOUNT)
    assert isinstance(token, ResumeToken)
    users, _ = graph.seed(users=30)

    told = [each.anchor for each in opened.read(Kind.ACCOUNT, token) if isinstance(each, RemoteObject)]

    assert sorted(told) == sorted(users)


def test_an_anchor_that_is_no_id_is_put_into_no_address(target: MakeTarget, graph: GraphService):
    """It could lead elsewhere: there is no such object."""
    users, _ = graph.seed(users=1)
    evil = f"{users[0]}/../{users[0]}"

    changed = one(target(), operation(Kind.ACCOUNT, Action.DISABLE, anchor=evil))
    deleted = one(target(), operation(Kind.ACCOUNT, Action.DELETE, anchor=evil))

    assert isinstance(changed.error, NotFound)
    assert deleted.error is None
    assert graph.contents()["users"][users[0]]["accountEnabled"] is True
