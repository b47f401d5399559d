"""Groups at Google Workspace: what is sent, what is told, and what is left alone."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, Value
from connectors.errors import AlreadyExists, NotFound, Rejected, Throttled, Transient
from connectors.google_workspace import group_attributes
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.chains import run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.former import MAY_BE_FORMER, Former
from connectors.google_workspace.groups import ALIAS_STAYS, ALIAS_WOULD_NOT_GO, Groups
from connectors.google_workspace.listing import Listing
from connectors.google_workspace.options import GoogleOptions
from connectors.memory import Memory
from tests.services.google.control import GoogleService

ADDRESS = "laerere@kommune.example"


class Hand:
    """Changes groups, one after the other, as a process would that has just begun."""

    def __init__(self, connection: Connection, *, settling_seconds: float = 0, keeps: bool = True) -> None:
        self.connection = connection
        self.memory = Memory(settling_seconds)
        self.keeps = keeps
        self.former = Former()

    def do(
        self, action: Action, anchor: str | None = None, owner: str | None = "group/a", **attributes: Value
    ) -> Outcome:
        """The outcome of one operation."""
        owned = owner if action is Action.CREATE else None
        operation = Operation("o1", Kind.GROUP, action, owner=owned, anchor=anchor, attributes=attributes)
        groups = Groups(self.connection.apis, self.memory, "eadm-sync", self.keeps, self.former)
        (outcome,) = run(self.connection, [groups.chain(operation)])
        return outcome


@pytest.fixture
def hand(connection: Connection) -> Hand:
    """Remembers nothing of what it made, as after a crash."""
    return Hand(connection)


# ---------------------------------------------------------------- making


def test_a_group_is_made_with_its_settings(hand: Hand, google: GoogleService):
    """Those of the one API and those of the other; the address as Google stores it is told."""
    outcome = hand.do(Action.CREATE, email="Laerere@kommune.example", whoCanJoin="INVITED_CAN_JOIN", isArchived=True)

    (group,) = google.contents()["groups"].values()
    assert outcome.error is None
    assert outcome.attributes == {"email": ADDRESS}
    assert (group["email"], group["name"]) == (ADDRESS, "Laerere")
    assert group["_settings"] == {"whoCanJoin": "INVITED_CAN_JOIN", "isArchived": "true"}


def test_a_group_whose_creation_was_not_confirmed_is_found_again(hand: Hand, google: GoogleService):
    """By whose it is, which Google keeps with it; what is asked for now is what it has then."""
    first = hand.do(Action.CREATE, email=ADDRESS, description="gammel")
    again = hand.do(Action.CREATE, email=ADDRESS, description="ny")

    assert again.anchor == first.anchor
    assert [one["description"] for one in google.contents()["groups"].values()] == ["ny"]


@pytest.mark.parametrize("holder", ["another owner's group", "a group made by hand", "a user"])
def test_an_address_that_somebody_else_has_is_not_taken(hand: Hand, google: GoogleService, holder: str):
    """Users and groups share addresses; neither is handed over."""
    if holder == "a user":
        google.put("user", primaryEmail=ADDRESS, name={"givenName": "Ola", "familyName": "Moen"})
    elif holder == "a group made by hand":
        google.put("group", email=ADDRESS, name="Lærere", description="")
    else:
        hand.do(Action.CREATE, owner="group/b", email=ADDRESS)

    outcome = hand.do(Action.CREATE, email=ADDRESS)

    assert isinstance(outcome.error, AlreadyExists)
    assert outcome.error.attribute == "email"


def test_a_group_whose_creation_was_not_confirmed_may_not_be_shown_yet(
    hand: Hand, connection: Connection, google: GoogleService
):
    """Its address is taken by nobody that Google shows: by no stranger, then, and it is looked for again."""
    google.change(visible_seconds=30)
    hand.do(Action.CREATE, email=ADDRESS)

    early = Hand(connection).do(Action.CREATE, email=ADDRESS)
    google.forward(seconds=31)
    late = Hand(connection).do(Action.CREATE, email=ADDRESS)

    assert isinstance(early.error, Transient)
    assert late.error is None
    assert len(google.contents()["groups"]) == 1


@pytest.mark.parametrize(
    ("attributes", "blamed"),
    [
        ({"email": ADDRESS, "whoCanJoin": "EVERYBODY"}, "whoCanJoin"),
        ({"email": ADDRESS, "isArchived": "true"}, "isArchived"),
        ({"email": ADDRESS, "name": "x" * 76}, "name"),
        ({"email": ADDRESS, "colour": "red"}, "colour"),
        ({"name": "Lærere"}, "email"),
    ],
)
def test_what_google_would_refuse_is_refused_before_anything_is_made(
    hand: Hand, google: GoogleService, attributes: dict[str, Value], blamed: str
):
    """A group that is there already, with a setting that cannot be, would be nobody's."""
    outcome = hand.do(Action.CREATE, **attributes)

    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == blamed
    assert google.contents()["groups"] == {}


def test_settings_that_are_not_found_yet_are_asked_for_again(connection: Connection, google: GoogleService):
    """A new group is seen by the other API a little later; it is not made twice."""
    google.change(visible_seconds=30)
    hand = Hand(connection, settling_seconds=60)

    early = hand.do(Action.CREATE, email=ADDRESS, whoCanJoin="INVITED_CAN_JOIN")
    google.forward(seconds=31)
    late = hand.do(Action.CREATE, email=ADDRESS, whoCanJoin="INVITED_CAN_JOIN")

    assert isinstance(early.error, Transient)
    assert late.error is None
    assert [one["_settings"] for one in google.contents()["groups"].values()] == [{"whoCanJoin": "INVITED_CAN_JOIN"}]


# ---------------------------------------------------------------- changing


@pytest.mark.parametrize("keeps", [True, False])
def test_a_former_address_is_told_of_or_taken_away(connection: Connection, google: GoogleService, keeps: bool):
    """As the settings say."""
    hand = Hand(connection, keeps=keeps)
    anchor = hand.do(Action.CREATE, email=ADDRESS).anchor

    outcome = hand.do(Action.UPDATE, anchor, email="ansatte@kommune.example")

    (group,) = google.contents()["groups"].values()
    assert outcome.error is None
    assert (outcome.warning is not None, group.get("_aliases", [])) == ((True, [ADDRESS]) if keeps else (False, []))


@pytest.mark.parametrize("keeps", [True, False])
def test_a_rename_whose_settings_have_to_wait_forgets_no_former_address(
    connection: Connection, google: GoogleService, keeps: bool
):
    """It is renamed by then; who was told of nothing would take the alias for nobody's doing."""
    hand = Hand(connection, keeps=keeps)
    anchor = str(hand.do(Action.CREATE, email=ADDRESS).anchor)
    wanted: dict[str, Value] = {"email": "ansatte@kommune.example", "whoCanJoin": "INVITED_CAN_JOIN"}
    operation = Operation("o2", Kind.GROUP, Action.UPDATE, anchor=anchor, attributes=wanted)
    groups = Groups(connection.apis, hand.memory, "eadm-sync", keeps, hand.former)
    chain = groups.chain(operation)
    asked = next(chain)
    for _ in range(2):
        replies, _ = connection.send(asked)
        asked = chain.send([one for one in replies if one])
    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(503, message="Backend Error")])
    assert isinstance(ended.value.value.error, Transient)

    outcome = hand.do(Action.UPDATE, anchor, **wanted)

    (group,) = google.contents()["groups"].values()
    assert (outcome.error, outcome.warning) == (None, ALIAS_STAYS if keeps else None)
    assert group.get("_aliases", []) == ([ADDRESS] if keeps else [])


def test_a_former_address_that_nobody_remembers_is_told_of(connection: Connection):
    """Whoever renamed it ended before the address could go."""
    anchor = Hand(connection).do(Action.CREATE, email=ADDRESS).anchor
    Hand(connection).do(Action.UPDATE, anchor, email="ansatte@kommune.example")

    outcome = Hand(connection, keeps=False).do(Action.UPDATE, anchor, email="ansatte@kommune.example")

    assert (outcome.error, outcome.warning) == (None, MAY_BE_FORMER)


@pytest.mark.parametrize(
    ("reply", "error", "warning"),
    [
        (Reply(404), None, None),
        (Reply(400, reason="invalid", message="Invalid Input: resource_id"), None, None),
        (Reply(412, reason="conditionNotMet"), None, ALIAS_WOULD_NOT_GO),
        (Reply(503, message="Backend Error"), Transient, None),
        (Reply(429), Throttled, None),
    ],
)
def test_only_a_refusal_keeps_the_former_address(
    connection: Connection, reply: Reply, error: type[Exception] | None, warning: str | None
):
    """One that is gone already went by an answer that got lost; what fails in passing is tried again."""
    operation = Operation("o1", Kind.GROUP, Action.UPDATE, anchor="1", attributes={"email": "ansatte@kommune.example"})
    chain = Groups(connection.apis, Memory(0), "eadm-sync", keeps_former_address=False).chain(operation)
    next(chain)
    chain.send([Reply(200, {"email": ADDRESS})])
    chain.send([Reply(200, {"id": "1", "email": "ansatte@kommune.example", "aliases": [ADDRESS]})])

    with pytest.raises(StopIteration) as ended:
        chain.send([reply])

    outcome = ended.value.value
    assert outcome.error is None if error is None else isinstance(outcome.error, error)
    assert outcome.warning == warning


def test_only_what_can_be_empty_is_cleared(hand: Hand, google: GoogleService):
    """A setting that always has a value keeps it, and that is told."""
    anchor = hand.do(
        Action.CREATE, email=ADDRESS, description="x", customFooterText="y", whoCanJoin="INVITED_CAN_JOIN"
    ).anchor

    outcome = hand.do(Action.UPDATE, anchor, description=None, customFooterText=None, whoCanJoin=None)

    (group,) = google.contents()["groups"].values()
    assert outcome.error is None
    assert "'whoCanJoin'" in str(outcome.warning)
    assert (group["description"], group["_settings"]) == (
        "",
        {"customFooterText": "", "whoCanJoin": "INVITED_CAN_JOIN"},
    )


def test_a_group_that_is_not_there_cannot_be_changed(hand: Hand):
    """Neither it nor its settings; nor by an address in place of its id."""
    for anchor in ("0abc", ADDRESS):
        outcome = hand.do(Action.UPDATE, anchor, whoCanJoin="INVITED_CAN_JOIN")
        assert isinstance(outcome.error, NotFound)
        assert outcome.error.anchor == anchor


def test_a_new_group_that_is_not_found_yet_is_not_taken_for_deleted(connection: Connection, google: GoogleService):
    """It would be made by nobody, and deleted by nobody."""
    google.change(visible_seconds=30)
    hand = Hand(connection, settling_seconds=60)
    anchor = hand.do(Action.CREATE, email=ADDRESS).anchor

    assert isinstance(hand.do(Action.UPDATE, anchor, description="x").error, Transient)
    assert isinstance(hand.do(Action.DELETE, anchor).error, Transient)
    google.forward(seconds=31)
    assert hand.do(Action.DELETE, anchor).error is None
    assert google.contents()["groups"] == {}


# ---------------------------------------------------------------- reading


def test_settings_are_read_only_where_they_are_wanted(
    connection: Connection, options: GoogleOptions, google: GoogleService
):
    """They cost a call for each group."""
    google.seed(groups=250)
    listing = Listing(connection, options)

    names = list(listing.read(Kind.GROUP, ("name",)))
    few = google.counters()["operations"]
    google.reset()
    whole = list(listing.read(Kind.GROUP, ("isArchived",)))

    assert few == 2
    assert google.counters()["operations"] == 252
    assert {tuple(one.attributes) for one in names} == {("email", "name")}
    assert [one.attributes["isArchived"] for one in whole] == [False] * 250


def test_groups_are_found_by_any_attribute(hand: Hand, connection: Connection, options: GoogleOptions):
    """By address without looking at the others; by a setting, too; not by an alias."""
    listing = Listing(connection, options)
    anchor = hand.do(Action.CREATE, email=ADDRESS, description="Alle lærere", isArchived=True).anchor
    hand.do(Action.CREATE, owner="group/b", email="andre@kommune.example", description="Alle lærere")

    for wanted in ({"email": ADDRESS.upper()}, {"description": "ALLE LÆRERE", "isArchived": True}):
        assert [one.anchor for one in listing.find_groups(wanted)] == [anchor]
    hand.do(Action.UPDATE, anchor, email="nye@kommune.example")
    for wanted in ({"email": ADDRESS}, {"email": "*"}, {"email": "a b@c/d?e"}):
        assert listing.find_groups(wanted) == []
    with pytest.raises(Rejected):
        listing.find_groups({"colour": "red"})


# ---------------------------------------------------------------- the settings there are


def test_the_settings_are_those_that_google_documents():
    """Names, types and words, held against the discovery document that ships with the client."""
    folder = files("googleapiclient") / "discovery_cache" / "documents"
    known = json.loads((folder / "groupssettings.v1.json").read_bytes())["schemas"]["Groups"]["properties"]

    for name, attribute in group_attributes.SETTINGS.items():
        described = known[name]["description"]
        words = re.findall(r"^- ([A-Z][A-Z_]+|true|false)\b", described, re.MULTILINE)
        assert "Deprecated" not in described
        assert words == (["true", "false"] if attribute.type == "bool" else list(attribute.words))
