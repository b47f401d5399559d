"""Users at Google Workspace: what is sent, what is told, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, Password, RemoteObject, Value
from connectors.errors import AlreadyExists, NotFound, Protected, Rejected, Throttled, Transient
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.former import MAY_BE_FORMER
from connectors.google_workspace.hashing import sha512_crypt
from connectors.google_workspace.target import GoogleTarget
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.config import Config
from tests.services.google.control import GoogleService

DOMAIN = "@kommune.example"


class Hand:
    """A target, and one change after another."""

    def __init__(self, target: GoogleTarget, google: GoogleService) -> None:
        self.target = target
        self.google = google
        self._done = 0

    def do(self, action: Action, anchor: str | None = None, *, fields: Any = None, **attributes: Value) -> Outcome:
        """The outcome of one operation; dots in names of attributes are two underscores here."""
        self._done += 1
        named = {name.replace("__", "."): value for name, value in attributes.items()}
        operation = Operation(
            f"op{self._done}", Kind.ACCOUNT, action, anchor=anchor, attributes=named, **(fields or {})
        )
        (outcome,) = self.target.apply([operation])
        return outcome

    def make(self, name: str = "ola", *, fields: Any = None, **attributes: Value) -> str:
        """The anchor of a new account."""
        every: dict[str, Value] = {"primaryEmail": name + DOMAIN, "givenName": "Ola", "familyName": "Moen"}
        outcome = self.do(
            Action.CREATE, fields={"enabled": True, "owner": f"hr:{name}", **(fields or {})}, **{**every, **attributes}
        )
        assert outcome.error is None, outcome.error
        return str(outcome.anchor)

    def stored(self, anchor: str) -> dict[str, Any]:
        """The user as Google keeps it."""
        return dict(self.google.contents()["users"][anchor])

    def account(self, anchor: str) -> RemoteObject:
        """The account as it is read."""
        (found,) = [one for one in self.target.read(Kind.ACCOUNT) if getattr(one, "anchor", "") == anchor]
        assert isinstance(found, RemoteObject)
        return found


Open = Callable[..., Hand]


@pytest.fixture
def open_hand(settings: Settings, google: GoogleService) -> Iterator[Open]:
    """Opens the customer with settings of one's own; each time as another process."""
    opened: list[GoogleTarget] = []

    def made(**given: Any) -> Hand:
        opened.append(GoogleTarget(settings(**given), Path()))
        return Hand(opened[-1], google)

    yield made
    for one in opened:
        one.close()


@pytest.fixture
def hand(open_hand: Open) -> Hand:
    """The customer by the settings that most have."""
    return open_hand()


# ---------------------------------------------------------------- names


def test_long_names_are_cut_and_told_of(hand: Hand):
    """Google takes 40 characters; what it has is what the engine knows afterwards."""
    every: dict[str, Value] = {"primaryEmail": "o" + DOMAIN, "givenName": "O" * 41, "familyName": "Moen"}
    outcome = hand.do(Action.CREATE, **every)

    assert outcome.error is None
    assert outcome.attributes == {"givenName": "O" * 40}
    assert outcome.warning == "givenName cut at 40 characters"


def test_an_update_cuts_names_too(hand: Hand):
    """Without a space at their end."""
    outcome = hand.do(Action.UPDATE, hand.make(), familyName="x" * 39 + " Moen")

    assert outcome.attributes == {"familyName": "x" * 39}


def test_the_address_is_told_as_google_stores_it(hand: Hand):
    """In lower case."""
    outcome = hand.do(Action.UPDATE, hand.make(), primaryEmail="Kari@Kommune.Example")

    assert outcome.attributes == {"primaryEmail": "kari@kommune.example"}


# ---------------------------------------------------------------- attributes


# Rows: an item of a type; the manager; the primary organisation; the national number of employees; one's own type.
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("phones.work", {"phones": [{"type": "home", "value": "1"}]}),
        ("relations.manager", {"relations": [{"type": "assistant", "value": "1"}]}),
        ("organizations.title", {"organizations": [{"type": "school", "name": "1"}]}),
        ("externalIds.organization", {"externalIds": [{"type": "account", "value": "1"}]}),
        ("externalIds.fint", {"externalIds": [{"type": "custom", "customType": "other", "value": "1"}]}),
        ("addresses.work", {"addresses": [{"type": "home", "formatted": "1"}]}),
    ],
)
def test_items_of_others_are_left_alone(open_hand: Open, name: str, kept: dict[str, Any]):
    """Google replaces whole lists; whose phone at home it was is still there afterwards, and whose account it is."""
    hand = open_hand(external_ids=["fint"])
    anchor = hand.make()
    ((list_, items),) = kept.items()
    present = hand.stored(anchor).get(list_, [])
    hand.google.put("user", anchor, **{list_: [*items, *present]})

    for value in ("before", "after", None):
        hand.do(Action.UPDATE, anchor, **{name: value})
        assert hand.account(anchor).attributes.get(name) == value
        assert hand.stored(anchor)[list_][0] == items[0]
    assert hand.account(anchor).owner == "hr:ola"
    assert len(hand.stored(anchor)[list_]) == len(items) + len(present)


def test_fields_of_one_organisation_are_one_item(hand: Hand):
    """Google takes the primary one for what a user is."""
    anchor = hand.make(organizations__title="Rektor", organizations__department="Skole")

    hand.do(Action.UPDATE, anchor, organizations__title=None)

    assert hand.stored(anchor)["organizations"] == [{"primary": True, "type": "work", "department": "Skole"}]


def test_custom_fields_are_written_and_cleared(open_hand: Open):
    """By the types that the settings name."""
    hand = open_hand(custom_fields={"Skole.trinn": "int", "Skole.klasser": "list", "Skole.leder": "bool"})
    fields = [
        {"fieldName": "trinn", "fieldType": "INT64"},
        {"fieldName": "klasser", "fieldType": "STRING", "multiValued": True},
        {"fieldName": "leder", "fieldType": "BOOL"},
    ]
    hand.google.put("schema", schemaName="Skole", fields=fields)
    given: dict[str, Value] = {"Skole.trinn": 3, "Skole.klasser": ["3B", "3A"], "Skole.leder": False}

    anchor = hand.make(**given)
    assert given | {"Skole.klasser": ["3A", "3B"]} == {
        name: value for name, value in hand.account(anchor).attributes.items() if name.startswith("Skole")
    }
    hand.do(Action.UPDATE, anchor, **dict.fromkeys(given))
    assert not any(name.startswith("Skole") for name in hand.account(anchor).attributes)


def test_an_account_can_be_left_out_of_the_address_list(hand: Hand):
    """Pupils often are; cleared, the account is in it again, as Google has it by itself."""
    anchor = hand.make(includeInGlobalAddressList=False)
    assert hand.account(anchor).attributes["includeInGlobalAddressList"] is False

    hand.do(Action.UPDATE, anchor, includeInGlobalAddressList=None)
    assert hand.account(anchor).attributes["includeInGlobalAddressList"] is True


# ---------------------------------------------------------------- addresses


def test_the_former_address_stays_as_an_alias_and_is_told_of(hand: Hand):
    """Mail to it still comes."""
    anchor = hand.make("ola")

    outcome = hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN)

    assert outcome.warning == "the former address stays as an alias"
    assert hand.account(anchor).attributes["aliases"] == ["ola" + DOMAIN]


def test_the_former_address_goes_where_the_settings_say_so(open_hand: Open):
    """Google is busy with the rename for minutes; the same change again takes it away."""
    hand = open_hand(keep_former_address=False)
    hand.google.change(rename_seconds=600)
    anchor = hand.make("ola")

    first = hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN)
    assert isinstance(first.error, Transient)
    hand.google.forward(seconds=601)
    assert hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN).error is None
    assert "aliases" not in hand.account(anchor).attributes


def test_a_former_address_that_nobody_remembers_is_told_of(open_hand: Open):
    """Whoever renamed it ended before the address could go: which of the aliases it was, Google does not tell."""
    hand = open_hand(keep_former_address=False)
    hand.google.change(rename_seconds=600)
    anchor = hand.make("ola")
    hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN)
    hand.google.forward(seconds=601)

    outcome = open_hand(keep_former_address=False).do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN)

    assert outcome.error is None
    assert outcome.warning == MAY_BE_FORMER
    assert hand.account(anchor).attributes["aliases"] == ["ola" + DOMAIN]


def test_a_rename_whose_answer_is_lost_still_lets_the_former_address_go(open_hand: Open):
    """What it was called is remembered before it is renamed: nobody else tells afterwards."""
    hand = open_hand(keep_former_address=False)
    anchor = hand.make("ola")
    operation = Operation("r", Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes={"primaryEmail": "kari" + DOMAIN})
    chain = hand.target._writer._accounts({}, {}).chain(operation)
    next(chain)
    chain.send([Reply(200, {"id": anchor, "primaryEmail": "ola" + DOMAIN})])
    hand.target._connection.send([hand.target._connection.apis.users.update(userKey=anchor, body=operation.attributes)])
    chain.close()  # the answer got lost

    outcome = hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN)

    assert (outcome.error, outcome.warning) == (None, None)
    assert "aliases" not in hand.account(anchor).attributes


def test_a_rename_that_was_refused_leaves_no_former_address(open_hand: Open):
    """What is the address still is none."""
    hand = open_hand(keep_former_address=True)
    anchor = hand.make("ola")
    hand.make("kari")
    assert isinstance(hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN).error, AlreadyExists)

    outcome = hand.do(Action.UPDATE, anchor, primaryEmail="ola" + DOMAIN)

    assert (outcome.error, outcome.warning) == (None, None)


@pytest.mark.parametrize(
    "looked",
    [
        [Reply(503, message="Backend Error"), Reply(404)],
        [Reply(404), Reply(429)],
        [Reply(404), Reply(404)],
    ],
)
def test_an_alias_that_is_taken_is_nobodys_fault_until_it_is_known_whose_it_is(hand: Hand, looked: list[Reply]):
    """The answer to the first attempt may have been lost: a look that fails in passing, or sees nobody yet, says no."""
    operation = Operation("a", Kind.ACCOUNT, Action.UPDATE, anchor="1", attributes={"aliases": ["o1" + DOMAIN]})
    chain = hand.target._writer._accounts({}, {}).chain(operation)
    next(chain)
    user = {"id": "1", "primaryEmail": "ola" + DOMAIN}
    chain.send([Reply(200, user)])
    chain.send([Reply(200, user)])
    chain.send([Reply(409, reason="duplicate")])

    with pytest.raises(StopIteration) as ended:
        chain.send(looked)

    assert isinstance(ended.value.value.error, Transient | Throttled)


def test_aliases_are_as_asked_for(hand: Hand):
    """Those that are missing come, those that are too many go, and both can be repeated."""
    anchor = hand.make("ola", aliases=["o1" + DOMAIN, "o2" + DOMAIN])
    for _ in range(2):
        outcome = hand.do(Action.UPDATE, anchor, aliases=["O2" + DOMAIN, "o3" + DOMAIN])
        assert outcome.error is None
        assert hand.account(anchor).attributes["aliases"] == ["o2" + DOMAIN, "o3" + DOMAIN]
    hand.do(Action.UPDATE, anchor, aliases=None)
    assert "aliases" not in hand.account(anchor).attributes


def test_a_rename_with_aliases_leaves_those_that_are_named(hand: Hand):
    """The former address is not among them."""
    anchor = hand.make("ola")
    hand.do(Action.UPDATE, anchor, primaryEmail="kari" + DOMAIN, aliases=["k" + DOMAIN])

    assert hand.account(anchor).attributes["aliases"] == ["k" + DOMAIN]


def test_anothers_alias_is_not_taken(hand: Hand):
    """Addresses, aliases and groups' addresses are one name space."""
    hand.make("ola", aliases=["o1" + DOMAIN])
    anchor = hand.make("kari")

    error = hand.do(Action.UPDATE, anchor, aliases=["o1" + DOMAIN]).error
    assert isinstance(error, AlreadyExists)
    assert error.attribute == "aliases"
    new: dict[str, Value] = {"primaryEmail": "o1" + DOMAIN, "givenName": "Å", "familyName": "B"}
    assert isinstance(hand.do(Action.CREATE, **new).error, AlreadyExists)


@pytest.mark.parametrize("address", ["ola@example.org", "ola@x@kommune.example", "ø@kommune.example"])
def test_an_address_that_cannot_be_is_refused_by_name(hand: Hand, address: str):
    """Of a domain that is none of the customer's, or none at all; for a new account and for one that is there."""
    for outcome in (
        hand.do(Action.CREATE, **{**_names("ola"), "primaryEmail": address}),
        hand.do(Action.UPDATE, hand.make(f"kari{len(address)}"), primaryEmail=address),
    ):
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "primaryEmail"


# ---------------------------------------------------------------- passwords


def test_google_takes_ascii_only(hand: Hand):
    """It would say "Invalid Password", and no more; nothing is sent."""
    error = hand.do(Action.UPDATE, hand.make(), fields={"password": Password("blåbærgrøt1")}).error

    assert isinstance(error, Rejected)
    assert error.attribute == "password"


def test_a_password_can_travel_as_a_hash(open_hand: Open):
    """Google is told how to hold against it what somebody types."""
    hand = open_hand(password_hash="crypt")
    anchor = hand.make(fields={"password": Password("hemmelig1", must_change=False)})

    stored = hand.stored(anchor)
    salt = stored["_password"].split("$")[2]
    assert stored["_password"] == sha512_crypt("hemmelig1", salt)
    assert stored["changePasswordAtNextLogin"] is False


# ---------------------------------------------------------------- disabling


def test_whoever_is_disabled_is_archived_where_there_are_seats(open_hand: Open):
    """And back again."""
    hand = open_hand(archive=True)
    anchor = hand.make()

    assert hand.do(Action.DISABLE, anchor).error is None
    assert hand.stored(anchor)["archived"] is hand.stored(anchor)["suspended"] is True
    assert hand.do(Action.ENABLE, anchor).error is None
    assert hand.account(anchor).enabled is True


def test_whoever_cannot_be_archived_is_suspended(open_hand: Open):
    """Without a seat the account is locked all the same, and the operator is told."""
    hand = open_hand(archive=True)
    hand.google.change(archive_seats=0)
    anchor = hand.make()

    outcome = hand.do(Action.DISABLE, anchor)

    assert outcome.error is None
    assert str(outcome.warning).startswith("suspended, but not archived")
    assert hand.account(anchor).enabled is False


# ---------------------------------------------------------------- administrators


@pytest.mark.parametrize("right", ["isAdmin", "isDelegatedAdmin"])
@pytest.mark.parametrize("action", [Action.UPDATE, Action.ENABLE, Action.DISABLE, Action.DELETE, Action.RESTORE])
def test_administrators_are_never_changed(hand: Hand, right: str, action: Action):
    """Neither super administrators nor those with delegated rights; nothing is sent."""
    anchor = hand.google.put("user", primaryEmail="x" + DOMAIN, name={"givenName": "X", "familyName": "Y"})
    hand.google.put("user", anchor, **{right: True})
    before = hand.stored(anchor)

    outcome = hand.do(action, anchor, **({"givenName": "Z"} if action is Action.UPDATE else {}))

    assert isinstance(outcome.error, Protected)
    assert hand.stored(anchor) == before
    assert hand.account(anchor).protected is True


def test_who_is_an_administrator_is_asked_once_a_minute(hand: Hand):
    """Two lists for all that is written meanwhile: a batch more is one HTTP request more."""
    anchor = hand.make()
    before = hand.google.counters()["http_requests"]
    hand.do(Action.DISABLE, anchor)
    assert hand.google.counters()["http_requests"] - before == 1

    hand.target._writer._asked -= 61
    hand.do(Action.DISABLE, anchor)
    assert hand.google.counters()["http_requests"] - before == 4


def test_who_became_an_administrator_a_moment_ago_is_found_out(hand: Hand):
    """Where the account is looked at anyway before it is written: lists of administrators are a minute old."""
    anchor = hand.make("ola")
    hand.google.put("user", anchor, isAdmin=True)

    outcome = hand.do(Action.UPDATE, anchor, organizations__title="Rektor")

    assert isinstance(outcome.error, Protected)
    assert "organizations" not in hand.stored(anchor)


# Rows: as it is; in other letters; an alias, which is no primary address; nobody's; of others' domain; none; an id.
@pytest.mark.parametrize(
    ("address", "is_found"),
    [
        ("ola@kommune.example", True),
        ("Ola@Kommune.Example", True),
        ("o1@kommune.example", False),
        ("kari@kommune.example", False),
        ("ola@example.org", False),
        ("../ola", False),
        ("{anchor}", False),
    ],
)
def test_an_account_is_found_by_its_address(hand: Hand, address: str, is_found: bool):
    """By the account itself and not by a search, which tells what was a while ago."""
    anchor = hand.make("ola", aliases=["o1" + DOMAIN])
    hand.google.reset()

    found = hand.target.find(Kind.ACCOUNT, {"primaryEmail": address.format(anchor=anchor)})

    assert [one.anchor for one in found] == [anchor] * is_found
    assert hand.google.counters()["operations"] == 1


def test_an_administrator_is_not_taken_for_the_owners_account(hand: Hand):
    """Who became one since is not given what a repeated create asks for."""
    anchor = hand.make("ola")
    hand.google.put("user", anchor, isAdmin=True)
    other = Hand(hand.target, hand.google)
    every: dict[str, Value] = {"primaryEmail": "ola" + DOMAIN, "givenName": "Ola", "familyName": "Moen"}
    hand.target._writer._asked = float("-inf")  # a minute later

    outcome = other.do(Action.CREATE, fields={"owner": "hr:ola"}, **every)

    assert isinstance(outcome.error, Protected)


# ---------------------------------------------------------------- what takes its time


def test_a_user_that_is_not_complete_is_tried_again(hand: Hand):
    """Google says so for as long as it takes; with a wait, so that the attempts are not used up at once."""
    hand.google.change(creation_seconds=30)
    anchor = hand.make()

    error = hand.do(Action.UPDATE, anchor, givenName="Kari").error
    assert isinstance(error, Transient)
    assert error.retry_after_seconds == 30
    hand.google.forward(seconds=31)
    assert hand.do(Action.UPDATE, anchor, givenName="Kari").error is None


def test_a_user_that_is_not_found_yet_is_tried_again(hand: Hand, open_hand: Open):
    """Who was made here a moment ago is on its way; another process does not know, and has the plan made anew."""
    hand.google.change(visible_seconds=60)
    anchor = hand.make()

    assert isinstance(hand.do(Action.DISABLE, anchor).error, Transient)
    assert isinstance(hand.do(Action.DELETE, anchor).error, Transient)
    assert isinstance(open_hand().do(Action.DISABLE, anchor).error, NotFound)


def test_a_create_whose_account_is_not_shown_yet_makes_no_second_one(hand: Hand):
    """Memory knows it before any search does."""
    hand.google.change(visible_seconds=60)
    anchor = hand.make("ola")

    assert isinstance(hand.do(Action.CREATE, fields={"owner": "hr:ola"}, **_names("ola")).error, Transient)
    hand.google.forward(seconds=61)
    assert hand.do(Action.CREATE, fields={"owner": "hr:ola"}, **_names("ola")).anchor == anchor


def test_an_account_that_a_search_still_shows_is_looked_for_again(hand: Hand):
    """It was deleted by hand a moment ago: to make another is for the next attempt."""
    create = Operation("c", Kind.ACCOUNT, Action.CREATE, "hr:ola", attributes=_names("ola"), enabled=True)
    chain = hand.target._writer._accounts({"hr:ola": "1"}, {}).chain(create)
    next(chain)

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(404)])

    assert isinstance(ended.value.value.error, Transient)


def test_a_container_that_was_deleted_by_hand_is_made_again(hand: Hand):
    """That a unit is there is remembered for a while; Google knows better."""
    hand.google.purge("user", hand.make("ola", fields={"container": "/Skole"}))
    hand.google.purge("unit", hand.google.unit("/Skole"))

    outcome = hand.do(Action.CREATE, fields={"container": "/Skole"}, **_names("kari"))
    assert isinstance(outcome.error, Transient)
    assert hand.do(Action.CREATE, fields={"container": "/Skole"}, **_names("kari")).error is None


# ---------------------------------------------------------------- deleting, undeleting


def test_deleted_accounts_are_read(hand: Hand):
    """For twenty days, with their address and owner."""
    anchor = hand.make("ola")
    hand.do(Action.DELETE, anchor)

    account = hand.account(anchor)
    assert (account.deleted, account.owner) == (True, "hr:ola")
    assert account.attributes["primaryEmail"] == "ola" + DOMAIN


def test_who_is_deleted_while_all_are_read_is_told_of_once(hand: Hand):
    """Google gives those that are there and those that are not in two lists."""
    anchor = hand.make("ola")

    told = []
    for one in hand.target.read(Kind.ACCOUNT):
        told.append(getattr(one, "anchor", ""))
        if told[-1] == anchor:
            hand.do(Action.DELETE, anchor)

    assert told.count(anchor) == 1


def test_an_account_is_gone_for_good_after_twenty_days(hand: Hand):
    """Whoever comes back later gets a new one."""
    anchor = hand.make()
    hand.do(Action.DELETE, anchor)
    hand.google.forward(days=21)

    assert isinstance(hand.do(Action.RESTORE, anchor).error, NotFound)


def test_an_address_that_was_given_away_stands_in_the_way(hand: Hand):
    """The refusal names it."""
    anchor = hand.make("ola")
    hand.do(Action.DELETE, anchor)
    hand.make("ola", fields={"owner": "hr:other"})

    error = hand.do(Action.RESTORE, anchor).error
    assert isinstance(error, AlreadyExists)
    assert error.attribute == "primaryEmail"


def test_an_undeletion_that_fails_in_passing_is_no_loss(hand: Hand):
    """Google has it for twenty days: somebody who comes back gets the account back, and no new one, a little later."""
    anchor = hand.make("ola")
    hand.do(Action.DELETE, anchor)
    restore = Operation("r", Kind.ACCOUNT, Action.RESTORE, anchor=anchor)
    chain = hand.target._writer._accounts({}, {}).chain(restore)
    next(chain)

    with pytest.raises(StopIteration) as ended:  # what follows would not find it
        chain.send([Reply(503, {}, "backendError", "Backend Error")])

    assert isinstance(ended.value.value.error, Transient)


def test_a_unit_that_is_gone_does_not_keep_an_account_in_the_recycle_bin(hand: Hand):
    """It is made anew by the next attempt."""
    anchor = hand.make("ola", fields={"container": "/Skole"})
    hand.do(Action.DELETE, anchor)
    hand.google.purge("unit", hand.google.unit("/Skole"))

    first, second = (hand.do(Action.RESTORE, anchor, fields={"container": "/Skole"}) for _ in range(2))

    assert isinstance(first.error, Transient)
    assert second.error is None
    assert (hand.account(anchor).container, hand.account(anchor).enabled) == ("/Skole", False)


def test_nothing_empties_googles_recycle_bin(hand: Hand):
    """A permanent deletion says for how long it is not."""
    outcome = hand.do(Action.DELETE, hand.make(), fields={"permanent": True})

    assert outcome.error is None
    assert "20 days" in str(outcome.warning)


def test_data_is_handed_over_before_the_account_goes(open_hand: Open):
    """Nothing is deleted while Google is at it."""
    hand = open_hand(transfer_to="arkiv" + DOMAIN)
    hand.google.change(transfer_seconds=600)
    hand.make("arkiv")
    anchor = hand.make("ola")

    assert isinstance(hand.do(Action.DELETE, anchor).error, Transient)
    assert hand.account(anchor).deleted is False
    hand.google.forward(seconds=601)
    assert hand.do(Action.DELETE, anchor).error is None
    assert hand.account(anchor).deleted is True


# ---------------------------------------------------------------- batches


def test_a_batch_is_few_http_requests(hand: Hand):
    """Forty new accounts: who is an administrator, who is there already, and all of them at once."""
    before = hand.google.counters().get("http_requests", 0)
    operations = [
        Operation(f"n{at}", Kind.ACCOUNT, Action.CREATE, owner=f"hr:{at}", attributes=_names(f"n{at}"))
        for at in range(40)
    ]

    outcomes = list(hand.target.apply(operations))

    assert [one for one in outcomes if one.error] == []
    assert hand.google.counters()["http_requests"] - before <= 5


def test_nothing_is_sent_that_google_ignores(open_hand: Open):
    """The service counts properties that are output only."""
    hand = open_hand(archive=True)
    hand.google.empty(Config())
    anchor = hand.make(aliases=["a" + DOMAIN], phones__work="1", fields={"password": Password("hemmelig1")})
    hand.do(Action.UPDATE, anchor, displayName="Ola M", recoveryEmail="ola@example.org", recoveryPhone="+4722222222")
    hand.do(Action.DISABLE, anchor)

    assert "output_only_properties" not in hand.google.counters()


def _names(name: str) -> dict[str, Value]:
    return {"primaryEmail": name + DOMAIN, "givenName": "Ola", "familyName": "Moen"}
