"""Microsoft 365 groups and teams, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, RemoteObject, ResumeToken
from connectors.entra import EntraTarget, open_target
from connectors.entra.groups import mark_of
from connectors.errors import AlreadyExists, Rejected, Transient, Unavailable
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import Config, Faults
from tests.services.graph.control import GraphService

MakeTarget = Callable[..., EntraTarget]
CLASS = {"displayName": "5A Solbakken", "mailNickname": "5a-solbakken", "team": True, "teamTemplate": "educationClass"}


@pytest.fixture
def target(settings: Settings) -> Iterator[MakeTarget]:
    """Opens targets with the settings given, and closes them."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(open_target(settings(**given), Path()))


def creation(key: str = "5a", **attributes: Any) -> Operation:
    """Of a group."""
    return Operation(uuid4().hex, Kind.GROUP, Action.CREATE, owner=f"group/{key}", attributes=attributes)


def update(anchor: str | None, **attributes: Any) -> Operation:
    """Of a group."""
    return Operation(uuid4().hex, Kind.GROUP, Action.UPDATE, anchor=anchor, attributes=attributes)


def owner(group: str | None, account: str, action: Action = Action.CREATE) -> Operation:
    """A membership with that role."""
    return Operation(uuid4().hex, Kind.MEMBERSHIP, action, anchor=group, account=account, role="owner")


def one(target: EntraTarget, wanted: Operation) -> Outcome:
    """The outcome of one operation."""
    (outcome,) = target.apply([wanted])
    return outcome


def groups(target: EntraTarget, wanted: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Attributes of all groups by anchor."""
    found = (each for each in target.read(Kind.GROUP, None, wanted) if isinstance(each, RemoteObject))
    return {each.anchor: each.attributes for each in found}


def test_a_microsoft_365_group_is_made_and_read(target: MakeTarget, graph: GraphService):
    """With an address and who may see it; it is no team."""
    opened = target()
    asked = {
        "displayName": "Oppvekst",
        "mailNickname": "oppvekst",
        "groupType": "microsoft365",
        "visibility": "Private",
    }

    made = one(opened, creation(**asked))

    assert (made.error, made.attributes) == (None, {})
    stored = graph.contents()["groups"][made.anchor]
    assert (stored["groupTypes"], stored["mail"]) == (["Unified"], "oppvekst@kommune.example")
    assert groups(opened)[str(made.anchor)].items() >= asked.items()
    assert "team" not in groups(opened)[str(made.anchor)]


def test_a_group_whose_creation_was_not_confirmed_is_found_again(target: MakeTarget, graph: GraphService):
    """By a name of its own, whatever it is called by now; nobody else's is taken for it."""
    graph.empty(Config(faults=Faults(dropped=0.5)))
    asked = {"displayName": "Oppvekst", "mailNickname": "oppvekst", "groupType": "microsoft365"}
    opened = target(settling_seconds=0)
    outcome = None
    while outcome is None or outcome.error is not None:
        try:
            outcome = one(opened, creation(**asked))
        except Unavailable:  # the connection was cut: once more, as the queue would
            continue
    graph.change(faults={"dropped": 0.0})

    renamed = one(opened, creation(**asked | {"displayName": "Oppvekst og kultur"}))
    other = one(opened, creation("other", **asked | {"displayName": "Noe annet"}))

    assert renamed.anchor == outcome.anchor
    assert isinstance(other.error, AlreadyExists)
    (stored,) = graph.contents()["groups"].values()
    assert stored["displayName"] == "Oppvekst og kultur"


# Rows: what is asked for, and the attribute that does not fit.
@pytest.mark.parametrize(
    ("asked", "attribute"),
    [
        ({"groupType": "distribution"}, "groupType"),
        ({"groupType": "security", "team": True}, "team"),
        ({"team": True}, "mailNickname"),
        ({"groupType": "microsoft365"}, "mailNickname"),
        ({"mailNickname": "x"}, "mailNickname"),
        ({"teamTemplate": "educationClass"}, "teamTemplate"),
        ({"team": True, "mailNickname": "x", "teamTemplate": "educationClas"}, "teamTemplate"),
    ],
)
def test_what_does_not_go_together_is_refused(target: MakeTarget, asked: dict[str, Any], attribute: str):
    """Before anything is sent."""
    outcome = one(target(), creation(displayName="x", **asked))

    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == attribute


def test_a_class_becomes_a_team_once_it_has_an_owner_and_teams_knows_it(target: MakeTarget, graph: GraphService):
    """The group is there at once, with the rest left out and told of; a second try finds it done."""
    graph.empty(Config(team_seconds=60.0))
    (teacher,), _ = graph.seed(users=1)
    opened = target()
    wish = {"team": True, "teamTemplate": "educationClass"}

    made = one(opened, creation(**CLASS))
    alone = one(opened, update(made.anchor, **wish))
    owned = one(opened, owner(made.anchor, teacher))
    early = one(opened, update(made.anchor, **wish))
    graph.forward(days=1)
    late = [one(opened, update(made.anchor, **wish)) for _ in range(2)]

    for outcome in (made, alone):
        assert (outcome.error, outcome.attributes) == (None, {"team": None, "teamTemplate": None})
        assert outcome.warning
    assert owned.error is None
    assert isinstance(early.error, Transient)
    assert [(each.error, each.attributes) for each in late] == [(None, {})] * 2
    assert groups(opened)[str(made.anchor)].items() >= CLASS.items()
    assert graph.contents()["groups"][made.anchor]["_team"]["template"] == "educationClass"


# Rows: where the mark of a new group stands, and what else there is in such a group.
@pytest.mark.parametrize(
    ("marked", "more"),
    [
        ("mailNickname", {"mailEnabled": False, "securityEnabled": True, "groupTypes": []}),
        ("uniqueName", {"mailEnabled": True, "securityEnabled": True, "groupTypes": ["Unified"]}),
    ],
)
def test_a_group_that_somebody_laid_out_for_us_is_not_taken(
    target: MakeTarget, graph: GraphService, marked: str, more: dict[str, Any]
):
    """Everybody may make groups, and knows how marks are made; who owns one could let anybody into what we fill."""
    (somebody,), _ = graph.seed(users=1)
    type_ = {"groupType": "microsoft365", "mailNickname": "x5a"} if more["groupTypes"] else {}
    create = creation(displayName="5A", **type_)
    trap = graph.put("group", displayName="5A", **{"mailNickname": "x5a", **more, marked: mark_of(create)})
    graph.link(trap, [somebody], "owners")

    refused = one(target(), create)
    graph.purge(trap)
    alone = graph.put("group", displayName="5A", **{"mailNickname": "x5a", **more, marked: mark_of(create)})
    taken = one(target(), create)

    assert isinstance(refused.error, AlreadyExists)
    assert "owner" in refused.error.reason
    assert (taken.error, taken.anchor) == (None, alone)


def test_a_plain_team_is_made_of_a_group_that_is_there(target: MakeTarget, graph: GraphService):
    """And comes as such with what changed; without its template where nobody asks for that."""
    (boss,), _ = graph.seed(users=1)
    opened = target()
    group = one(opened, creation(displayName="x", mailNickname="x", groupType="microsoft365")).anchor
    one(opened, owner(group, boss))
    *_, token = opened.read(Kind.GROUP)
    assert isinstance(token, ResumeToken)

    made = one(opened, update(group, team=True))

    assert made.error is None
    (changed,) = [each for each in opened.read(Kind.GROUP, token) if isinstance(each, RemoteObject)]
    assert (changed.attributes["team"], changed.attributes.get("teamTemplate")) == (True, None)
    assert groups(opened, ["team"])[str(group)].keys() == {"displayName", "team"}


def test_a_template_that_is_none_is_not_sent(target: MakeTarget, graph: GraphService):
    """It is a part of an address; a rule may have made it of what a source says."""
    (boss,), _ = graph.seed(users=1)
    opened = target()
    group = one(opened, creation(displayName="x", mailNickname="x", groupType="microsoft365")).anchor
    one(opened, owner(group, boss))
    asked = len(graph.wire())

    outcome = one(opened, update(group, team=True, teamTemplate="x')/../users('"))

    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == "teamTemplate"
    assert not any("teamsTemplates" in str(entry) for entry in graph.wire()[asked:])


# Rows: a change to a plain team, and the attribute that is refused.
@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"team": None}, "team"),
        ({"team": False}, "team"),
        ({"groupType": "security"}, "groupType"),
        ({"groupType": None}, "groupType"),
        ({"teamTemplate": "educationClass"}, "teamTemplate"),
    ],
)
def test_a_team_stays_what_it_is(target: MakeTarget, graph: GraphService, change: dict[str, Any], attribute: str):
    """It cannot be taken back by a rule that says something else."""
    (boss,), _ = graph.seed(users=1)
    opened = target()
    group = one(opened, creation(displayName="x", mailNickname="x", team=True)).anchor
    one(opened, owner(group, boss))
    assert one(opened, update(group, team=True)).error is None

    outcome = one(opened, update(group, **change))

    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == attribute
    assert one(opened, update(group, description="y")).error is None


@pytest.mark.parametrize("change", [{"team": True}, {"mailNickname": "x"}, {"groupType": "microsoft365"}])
def test_a_security_group_stays_one(target: MakeTarget, graph: GraphService, change: dict[str, Any]):
    """Its mail nickname says whose it is."""
    opened = target()
    group = one(opened, creation(displayName="x")).anchor
    before = graph.contents()["groups"][group]["mailNickname"]

    outcome = one(opened, update(group, **change))

    assert isinstance(outcome.error, Rejected)
    assert graph.contents()["groups"][group]["mailNickname"] == before


def test_the_last_owner_stays_until_there_is_another(target: MakeTarget, graph: GraphService):
    """As Graph has it, in words that say what to do."""
    users, _ = graph.seed(users=2)
    opened = target()
    group = one(opened, creation(displayName="x", mailNickname="x", groupType="microsoft365")).anchor
    list(opened.apply([owner(group, key) for key in users]))

    left = [one(opened, owner(group, key, Action.DELETE)) for key in users]

    assert left[0].error is None
    assert isinstance(left[1].error, Rejected)
    assert "owner" in left[1].error.reason


@pytest.mark.parametrize(
    ("group", "type_"),
    [({"mailEnabled": True}, "mailEnabledSecurity"), ({"mailEnabled": True, "securityEnabled": False}, "distribution")],
)
def test_groups_of_exchange_are_told_as_what_they_are(
    target: MakeTarget, graph: GraphService, group: dict[str, Any], type_: str
):
    """They can be adopted to be read; a change to one is refused."""
    _, (key,) = graph.seed(groups=1)
    graph.put("group", key, **group)
    opened = target()

    assert groups(opened)[key]["groupType"] == type_
    outcome = one(opened, update(key, description="x"))
    assert isinstance(outcome.error, Rejected)
    assert "Exchange" in outcome.error.reason
