"""Licences at Google Workspace: one SKU of a product for everybody, seats, and what units give by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.contract import Action, Kind, LicenceStock, Operation, Outcome
from connectors.errors import AuthenticationFailed, NotFound, PutOff, Rejected, Throttled, Transient
from connectors.google_workspace import pacing
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.chains import run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.licences import AUTOMATIC, Licences
from connectors.google_workspace.listing import Listing
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.target import GoogleTarget
from connectors.memory import Memory
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.config import Config
from tests.services.google.control import GoogleService

PLUS, STUDENT, STARTER = "1010310008", "1010310009", "1010020027"
NAMES = {
    "plus": {"product": "101031", "sku": PLUS, "seats": 2},
    "student": {"product": "101031", "sku": STUDENT},
    "starter": {"product": "Google-Apps", "sku": STARTER},
}
Change = Callable[..., list[Outcome]]


@pytest.fixture(autouse=True)
def user(google: GoogleService) -> str:
    """The one user of a customer that has few seats."""
    google.empty(Config(products={"101031": {PLUS: 2, STUDENT: 2}, "Google-Apps": {STARTER: 1}}))
    (key,), _ = google.seed(users=1)
    return key


@pytest.fixture
def options(settings: Settings) -> GoogleOptions:
    """Settings that name three licences."""
    return settings(licences=NAMES)


@pytest.fixture
def memory() -> Memory:
    """What was made not long ago: nothing, until a test says so."""
    return Memory(600)


@pytest.fixture
def change(connection: Connection, options: GoogleOptions, memory: Memory) -> Change:
    """Gives and takes licences of one account, in one go."""

    def changed(account: str, give: str = "", take: str = "") -> list[Outcome]:
        operations = [
            Operation(f"{action} {name}", Kind.LICENCE, action, account=account, sku=name)
            for action, names in ((Action.CREATE, give), (Action.DELETE, take))
            for name in names.split()
        ]
        chain = Licences(connection.apis, memory, options.licences).chain(account, operations)
        (outcomes,) = run(connection, [chain])
        told = {one.operation_id: one for one in outcomes}
        return [told[one.id] for one in operations]

    return changed


def held(google: GoogleService) -> dict[str, str]:
    """SKUs by product, of the one who has any."""
    return {name.partition("/")[0]: sku for name, sku in google.contents()["licences"].items()}


def test_one_sku_takes_the_place_of_another_by_one_write(change: Change, google: GoogleService, user: str):
    """Where a rule gives another one of the same product: nobody is without for a moment."""
    change(user, give="plus starter")
    google.reset()

    outcomes = change(user, give="student", take="plus")

    assert [one.error for one in outcomes] == [None, None]
    assert held(google) == {"101031": STUDENT, "Google-Apps": STARTER}
    assert google.counters()["operations"] == 2


def test_a_sku_that_stands_in_the_way_is_switched_and_told_of(change: Change, google: GoogleService, user: str):
    """Of one product there is one for everybody, so it cannot be kept beside the new one."""
    change(user, give="student")

    (outcome,) = change(user, give="plus")

    assert outcome.error is None
    assert "'student'" in str(outcome.warning)
    assert held(google) == {"101031": PLUS}


def test_a_sku_that_the_settings_do_not_name_is_not_touched(
    connection: Connection, settings: Settings, change: Change, google: GoogleService, user: str
):
    """It was given by hand; the refusal is Google's."""
    change(user, give="student")
    licences = Licences(connection.apis, Memory(0), settings(licences={"plus": NAMES["plus"]}).licences)
    operation = Operation("o1", Kind.LICENCE, Action.CREATE, account=user, sku="plus")

    ((outcome,),) = run(connection, [licences.chain(user, [operation])])

    assert isinstance(outcome.error, Rejected)
    assert held(google) == {"101031": STUDENT}


@pytest.mark.parametrize("passing", [Reply(503, message="Backend Error"), Reply(429, reason="quotaExceeded")])
def test_a_look_that_fails_in_passing_is_no_refusal(
    connection: Connection, options: GoogleOptions, memory: Memory, user: str, passing: Reply
):
    """The answer to the first attempt was lost; whether the second is refused for that, the next one will find out."""
    operation = Operation("o1", Kind.LICENCE, Action.CREATE, account=user, sku="plus")
    chain = Licences(connection.apis, memory, options.licences).chain(user, [operation])
    refused = Reply(412, reason="conditionNotMet", message="User already has a license")

    next(chain)
    chain.send([Reply(200, {"primaryEmail": "kari@kommune.example"})])
    asked = chain.send([refused])
    with pytest.raises(StopIteration) as ended:
        chain.send([passing, *[Reply(404)] * (len(asked) - 1)])

    ((outcome,),) = (ended.value.value,)
    assert isinstance(outcome.error, Transient | Throttled)


def test_what_was_to_be_exchanged_may_be_gone_or_there_already(change: Change, google: GoogleService, user: str):
    """Whatever was done before the answer got lost, both are as asked in the end."""
    for _ in range(2):
        outcomes = change(user, give="student", take="plus")
        assert [one.error for one in outcomes] == [None, None]
        assert held(google) == {"101031": STUDENT}


def test_an_exchange_that_is_sent_twice_is_no_missing_account(
    connection: Connection, options: GoogleOptions, memory: Memory, user: str
):
    """The answer got lost with a kept connection: the second time, the old licence is not there any more."""
    operation = Operation("o1", Kind.LICENCE, Action.CREATE, account=user, sku="plus")
    chain = Licences(connection.apis, memory, options.licences).chain(user, [operation])
    next(chain)
    chain.send([Reply(200, {"primaryEmail": "kari@kommune.example"})])
    chain.send([Reply(412, reason="conditionNotMet", message="User already has a license of the product")])
    chain.send([Reply(404), Reply(200, {"skuId": STUDENT})])

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(404, reason="notFound", message="User does not have a license")])

    ((outcome,),) = (ended.value.value,)
    assert isinstance(outcome.error, Transient)


@pytest.mark.parametrize("passing", [Reply(408), Reply(409, reason="conflict"), Reply(401, reason="authError")])
def test_an_exchange_that_fails_in_passing_takes_nothing_away(
    connection: Connection, options: GoogleOptions, memory: Memory, user: str, passing: Reply
):
    """Whoever is to have another licence is not left without one meanwhile."""
    operations = [
        Operation("o1", Kind.LICENCE, Action.DELETE, account=user, sku="plus"),
        Operation("o2", Kind.LICENCE, Action.CREATE, account=user, sku="student"),
    ]
    chain = Licences(connection.apis, memory, options.licences).chain(user, operations)
    next(chain)
    chain.send([Reply(200, {"primaryEmail": "kari@kommune.example"})])

    with pytest.raises(StopIteration) as ended:
        chain.send([passing])

    assert [isinstance(one.error, Transient | AuthenticationFailed) for one in ended.value.value] == [True, True]


@pytest.mark.parametrize("give", ["student", "starter student"])
def test_what_a_unit_gives_stays_and_is_no_error(change: Change, google: GoogleService, give: str):
    """It is there when it is to be given, and stays when it is to be taken; only it cannot be exchanged."""
    google.empty(Config(automatic={"/Skole": f"101031/{STUDENT}"}, products={"101031": {PLUS: 2, STUDENT: 9}}))
    google.change(products={"101031": {PLUS: 2, STUDENT: 9}, "Google-Apps": {STARTER: 1}})
    (user,), _ = google.seed(users=1, units=("/Skole/Elever",))

    given = change(user, give=give)
    taken = change(user, take=give)
    (exchanged,) = change(user, give="plus")

    assert {one.error for one in (*given, *taken)} == {None}
    assert [one.warning for one in taken if one.operation_id.endswith("student")] == [AUTOMATIC]
    assert isinstance(exchanged.error, Rejected)
    assert held(google) == {"101031": STUDENT}


def test_seats_run_out(change: Change, google: GoogleService, user: str):
    """Whoever comes too late is told so, and what was to be exchanged is gone as asked."""
    others, _ = google.seed(users=2)
    for one in others:
        change(one, give="plus")
    change(user, give="student")

    outcomes = change(user, give="plus", take="student")

    assert isinstance(outcomes[0].error, Rejected)
    assert "available licenses" in str(outcomes[0].error)
    assert outcomes[1].error is None


def test_a_rate_that_is_used_up_is_no_refusal(connection: Connection, options: GoogleOptions, user: str):
    """Google answers 503 then, and says why in a sentence only."""
    operation = Operation("o1", Kind.LICENCE, Action.CREATE, account=user, sku="plus")
    chain = Licences(connection.apis, Memory(0), options.licences).chain(user, [operation])
    next(chain)
    chain.send([Reply(200, {"primaryEmail": "user00000@kommune.example"})])

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(503, {}, "backendError", "Quota exceeded for the current request.")])

    assert [type(one.error) for one in ended.value.value] == [Throttled]


def test_an_account_that_is_not_there(change: Change, memory: Memory):
    """Has nothing that could be taken; cannot be given anything; is waited for if it is new."""
    absent = "100000000000000000009"

    (given,), (taken,) = change(absent, give="plus"), change(absent, take="plus")
    memory.note(absent, "mark")
    (waited,) = change(absent, give="plus")

    assert isinstance(given.error, NotFound)
    assert given.error.anchor == absent
    assert taken.error is None
    assert isinstance(waited.error, Transient)


def test_a_licence_that_the_settings_do_not_name_is_refused(change: Change, user: str):
    """By a sentence that tells which there are; also where it is to be taken, since it would stay."""
    for outcome in (*change(user, give="pluss"), *change(user, take="pluss")):
        assert isinstance(outcome.error, Rejected)
        assert "plus, starter, student" in str(outcome.error)


def test_no_more_licences_are_begun_than_there_is_time_for(
    settings: Settings, google: GoogleService, monkeypatch: pytest.MonkeyPatch
):
    """Google takes one a second: the others are put off untouched, and what is one account's is not torn apart."""
    monkeypatch.setattr(pacing, "LONGEST_WAIT_SECONDS", 0.5)
    users, _ = google.seed(users=3)
    rates = {"queries": 0, "creations": 0, "units": 0, "licences": 2}
    asked = [(users[0], "student"), (users[1], "starter"), (users[2], "student"), (users[0], "unknown")]
    operations = [
        Operation(f"{at}", Kind.LICENCE, Action.CREATE, account=account, sku=sku)
        for at, (account, sku) in enumerate(asked)
    ]
    joins = Operation("in", Kind.MEMBERSHIP, Action.DELETE, anchor="0123", account=users[2])
    with GoogleTarget(settings(licences=NAMES, rates=rates), Path()) as target:
        told = {one.operation_id: type(one.error) for one in target.apply([*operations, joins])}

    assert told == {"0": type(None), "1": type(None), "2": PutOff, "3": Rejected, "in": type(None)}


def test_licences_and_seats_are_read(change: Change, connection: Connection, options: GoogleOptions, user: str):
    """By the names of the settings; those of other SKUs by Google's ids; seats as far as the settings tell."""
    change(user, give="plus starter")
    listing = Listing(connection, options)

    told = [(one.anchor, one.account, one.sku) for one in listing.read(Kind.LICENCE, None)]

    assert told == [(f"{user}/plus", user, "plus"), (f"{user}/starter", user, "starter")]
    assert listing.stocks() == [
        LicenceStock("plus", 2, 1),
        LicenceStock("student", None, 0),
        LicenceStock("starter", None, 1),
    ]
