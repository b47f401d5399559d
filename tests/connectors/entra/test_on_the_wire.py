"""What is sent for accounts, request by request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, Value
from connectors.entra import EntraTarget
from connectors.errors import AlreadyExists, NotFound, Rejected
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService
from tests.services.graph.licences import plan_id, sku_id

KARI: dict[str, Value] = {
    "userPrincipalName": "kari.hansen@kommune.example",
    "displayName": "Kari Hansen",
    "usageLocation": "NO",
}
KEPT_DAYS = 30


@pytest.fixture
def target(settings: Settings) -> Iterator[EntraTarget]:
    """The tenant; the password that nobody knows is one that the test knows."""
    options = settings(settling_seconds=0, disabled_plans={"EMS": ["TEAMS1", "MFA_PREMIUM"]})
    with EntraTarget(options, Path(), password=lambda: "Nobodys-Password-1") as opened:
        yield opened


def operation(action: Action, anchor: str | None = None, **fields: Any) -> Operation:
    """On an account."""
    return Operation(uuid4().hex, Kind.ACCOUNT, action, anchor=anchor, **fields)


def creation(**attributes: Value) -> Operation:
    """Of Kari's account."""
    return operation(Action.CREATE, owner="hr:1", enabled=True, attributes={**KARI, **attributes})


def one(target: EntraTarget, wanted: Operation) -> Outcome:
    """The outcome of one operation."""
    (outcome,) = target.apply([wanted])
    return outcome


def sent(graph: GraphService, since: int = 0) -> list[tuple[str, str, Any]]:
    """Method, path and body of every change that was asked for, in order."""
    batches = [entry["request"]["requests"] for entry in graph.wire()[since:] if entry["url"].endswith("$batch")]
    return [
        (each["method"], each["url"], each.get("body"))
        for batch in batches
        for each in batch
        if each["method"] != "GET"
    ]


def test_a_new_account_is_one_request(target: EntraTarget, graph: GraphService):
    """With what every account needs: a country, a name for mail, whose it is, and a password to be changed."""
    anchor = one(target, creation(extensionAttribute1="leder")).anchor

    assert graph.contents()["users"][anchor]["_password"] == "Nobodys-Password-1"
    assert sent(graph) == [
        (
            "POST",
            "/users",
            {
                **KARI,
                "mailNickname": "kari.hansen",
                "accountEnabled": True,
                "onPremisesExtensionAttributes": {"extensionAttribute1": "leder", "extensionAttribute15": "hr:1"},
                "passwordProfile": {"password": "***", "forceChangePasswordNextSignIn": True},
            },
        )
    ]


def test_an_account_that_will_be_matched_with_active_directory_needs_no_password(
    target: EntraTarget, graph: GraphService
):
    """It is known by the immutable id, which nobody else can have."""
    made = one(target, creation(onPremisesImmutableId="a2FyaQ=="))
    other = one(target, operation(Action.CREATE, owner="hr:2", enabled=True, attributes={
        **KARI, "userPrincipalName": "ola@kommune.example", "onPremisesImmutableId": "a2FyaQ==",
    }))  # fmt: skip

    assert made.error is None
    assert "passwordProfile" not in sent(graph)[0][2]
    assert isinstance(other.error, AlreadyExists)
    assert other.error.attribute == "onPremisesImmutableId"


def test_what_no_rule_sets_any_more_is_cleared_by_an_explicit_null(target: EntraTarget, graph: GraphService):
    """A list by an empty one, since Graph takes no null for it."""
    anchor = one(target, creation(jobTitle="x", businessPhones=["1"], extensionAttribute1="x")).anchor
    before = len(graph.wire())

    cleared: dict[str, Value] = {"jobTitle": None, "businessPhones": None, "extensionAttribute1": None}
    outcome = one(target, operation(Action.UPDATE, anchor, attributes=cleared))

    assert outcome.error is None
    ((method, path, body),) = sent(graph, before)
    assert (method, path) == ("PATCH", f"/users/{anchor}")
    assert body == {
        "jobTitle": None,
        "businessPhones": [],
        "onPremisesExtensionAttributes": {"extensionAttribute1": None},
    }
    user = graph.contents()["users"][anchor]
    assert {"jobTitle", "businessPhones"}.isdisjoint(user)
    assert user["onPremisesExtensionAttributes"] == {"extensionAttribute15": "hr:1"}


def test_a_new_name_is_given_with_its_mail_name(target: EntraTarget, graph: GraphService):
    """The old one is free; a new one that somebody has is refused by its attribute."""
    graph.seed(users=1)
    anchor = one(target, creation()).anchor
    renamed: dict[str, Value] = {"userPrincipalName": "kari.lie@kommune.example", "mailNickname": "kari.lie"}
    taken_by: dict[str, Value] = {"userPrincipalName": "USER00000@kommune.example"}

    done = one(target, operation(Action.UPDATE, anchor, attributes=renamed))
    taken = one(target, operation(Action.UPDATE, anchor, attributes=taken_by))
    again = one(target, operation(Action.CREATE, owner="hr:2", enabled=True, attributes=KARI))

    assert (done.error, again.error) == (None, None)
    assert isinstance(taken.error, AlreadyExists)
    assert taken.error.attribute == "userPrincipalName"
    user = graph.contents()["users"][anchor]
    assert {name: user[name] for name in renamed} == renamed


def test_who_leaves_is_disabled_first_and_signed_out_only_then(target: EntraTarget, graph: GraphService):
    """In one HTTP request; whoever could not be disabled is told of by that, and not by what hangs on it."""
    anchor = one(target, creation()).anchor
    before = len(graph.wire())

    one(target, operation(Action.DISABLE, anchor, revoke_sessions=True))
    missing = one(target, operation(Action.DISABLE, str(uuid4()), revoke_sessions=True))

    (first, _) = [entry for entry in graph.wire()[before:] if entry["url"].endswith("$batch")]
    disable, revoke = first["request"]["requests"]
    assert (disable["method"], disable["body"]) == ("PATCH", {"accountEnabled": False})
    assert (revoke["url"], revoke["dependsOn"]) == (f"/users/{anchor}/revokeSignInSessions", [disable["id"]])
    assert isinstance(missing.error, NotFound)
    assert graph.contents()["users"][anchor]["_sessions"] == 1


def test_a_licence_needs_a_country_and_leaves_plans_off(target: EntraTarget, graph: GraphService):
    """Without a country the refusal names it; plans are named in the settings."""
    anchor = one(target, creation(usageLocation="")).anchor
    licence = Operation("l", Kind.LICENCE, Action.CREATE, account=anchor, sku="EMS")

    without = one(target, licence)
    one(target, operation(Action.UPDATE, anchor, attributes={"usageLocation": "NO"}))
    before = len(graph.wire())
    given = one(target, licence)

    assert isinstance(without.error, Rejected)
    assert "usage location" in without.error.reason
    assert given.error is None
    off = [plan_id("EMS", name) for name in ("TEAMS1", "MFA_PREMIUM")]
    body = {"addLicenses": [{"skuId": sku_id("EMS"), "disabledPlans": off}], "removeLicenses": []}
    assert sent(graph, before) == [("POST", f"/users/{anchor}/assignLicense", body)]


def test_a_deleted_account_comes_back_as_it_was_for_thirty_days(target: EntraTarget, graph: GraphService):
    """With its id and its groups, disabled; afterwards it is gone for good."""
    _, (group,) = graph.seed(groups=1)
    anchor = one(target, creation()).anchor
    graph.link(group, [str(anchor)])

    one(target, operation(Action.DELETE, anchor))
    graph.forward(days=KEPT_DAYS - 1)
    back = one(target, operation(Action.RESTORE, anchor))
    user = graph.contents()["users"][anchor]
    members = graph.contents()["groups"][group]["members"]
    one(target, operation(Action.DELETE, anchor))
    graph.forward(days=KEPT_DAYS + 1)
    late = one(target, operation(Action.RESTORE, anchor))

    assert (back.error, back.anchor) == (None, anchor)
    assert (user["deleted"], user["accountEnabled"], members) == (False, False, [anchor])
    assert isinstance(late.error, NotFound)


def test_a_purged_account_is_out_of_the_recycle_bin(target: EntraTarget, graph: GraphService):
    """Also where it lay there already; its name is free again."""
    graph.empty(Config(skus={"EMS": 1}))
    first = one(target, creation()).anchor
    one(target, operation(Action.DELETE, first))
    before = len(graph.wire())

    purged = one(target, operation(Action.DELETE, first, permanent=True))
    again = one(target, operation(Action.CREATE, owner="hr:2", enabled=True, attributes=KARI))

    assert (purged.error, again.error) == (None, None)
    assert again.anchor != first
    assert [each[:2] for each in sent(graph, before)][:2] == [
        ("DELETE", f"/users/{first}"),
        ("DELETE", f"/directory/deletedItems/{first}"),
    ]
    assert first in graph.contents()["purged"]
