"""Organisational units at Google Workspace: made on demand, those above first."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, PutOff, Rejected, Transient
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.chains import run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.units import KNOWN_SECONDS, UNHEARD_SECONDS, Units, check
from tests.services.google.control import GoogleService

Ensure = Callable[..., dict[str, ConnectorError]]


@pytest.fixture
def now() -> list[float]:
    """The present, which a test can move."""
    return [1000.0]


@pytest.fixture
def ensure(connection: Connection, now: list[float]) -> Ensure:
    """Makes units, all at once or so many; what could not be made."""
    units = Units("my_customer", lambda: now[0])

    def ensured(*paths: str, most: float = math.inf) -> dict[str, ConnectorError]:
        (failed,) = run(connection, [units.ensure(connection.apis, paths, most)])
        return failed

    return ensured


def test_units_are_made_once_and_those_above_first(ensure: Ensure, google: GoogleService):
    """Whatever the case of their names; what is there is left as it is."""
    google.unit("/Skole")

    failed = ensure("/Skole/Elever", "/skole/elever", "/")

    assert failed == {}
    assert google.contents()["units"] == ["/", "/Skole", "/Skole/Elever"]


def test_what_is_there_is_asked_for_once_a_minute(ensure: Ensure, google: GoogleService, now: list[float]):
    """By one call for all units; a unit that was deleted by hand meanwhile is made again."""
    google.unit("/Skole/Elever")
    ensure("/Skole", "/Skole/Elever")
    first = google.counters()["operations"]
    ensure("/Skole/Elever")
    soon = google.counters()["operations"]
    now[0] += KNOWN_SECONDS + 1
    ensure("/Skole/Elever")

    assert (first, soon, google.counters()["operations"]) == (1, 1, 2)


def test_a_unit_that_somebody_else_makes_at_the_same_time_is_taken(connection: Connection, google: GoogleService):
    """Google says "Invalid Ou Id" then, as it does of names that it does not take."""
    units = Units("my_customer")
    chain = units.ensure(connection.apis, ["/Skole"])
    seen, _ = connection.send(next(chain))
    google.unit("/Skole")
    refused, _ = connection.send(chain.send([one for one in seen if one is not None]))
    looked, _ = connection.send(chain.send([one for one in refused if one is not None]))

    with pytest.raises(StopIteration) as ended:
        chain.send([one for one in looked if one is not None])

    assert [(one.status, one.message) for one in refused if one is not None] == [(400, "Invalid Ou Id")]
    assert ended.value.value == {}


@pytest.mark.parametrize("path", ["Skole", "/Skole/", "//", "/Skole//Elever", "/ ", "", "/a\n", "/x" * 36])
def test_what_is_no_path_is_refused_before_anything_is_made(ensure: Ensure, google: GoogleService, path: str):
    """No slash in front, a level without a name, or too deep; the others are made."""
    failed = ensure(path, "/Skole")

    assert list(failed) == [path]
    assert isinstance(failed[path], Rejected)
    assert google.contents()["units"] == ["/", "/Skole"]


def test_what_is_below_a_unit_that_cannot_be_made_fails_with_it(connection: Connection):
    """For the same reason, and without a call; what is beside it is made."""
    chain = Units("my_customer").ensure(connection.apis, ["/Barnehage/Rosa", "/Skole"])
    next(chain)
    made = chain.send([Reply(200)])
    looked = chain.send([Reply(400, {}, "invalid", "Invalid Ou Id"), Reply(200)])

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(200, {"organizationUnits": [{"orgUnitPath": "/Skole"}]})])

    assert [json.loads(one.body)["name"] for one in made] == ["Barnehage", "Skole"]
    assert [one.methodId for one in looked] == ["directory.orgunits.list"]
    assert {path: type(error) for path, error in ended.value.value.items()} == {"/Barnehage/Rosa": Rejected}


def test_a_unit_below_one_made_a_moment_ago_is_asked_for_again(connection: Connection):
    """Not every machine of Google's knows the new one yet."""
    chain = Units("my_customer").ensure(connection.apis, ["/Skole/Elever"])
    next(chain)
    for reply in (Reply(200), Reply(200), Reply(400, {}, "invalid", "Invalid Parent Orgunit Id")):
        chain.send([reply])

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(200, {"organizationUnits": [{"orgUnitPath": "/Skole"}]})])

    assert {path: type(error) for path, error in ended.value.value.items()} == {"/Skole/Elever": Transient}


def test_a_unit_whose_creation_went_unheard_is_asked_for_until_it_is_seen(connection: Connection, now: list[float]):
    """Google shows it to nobody yet, and takes it a second time as little as a name that it does not like."""
    units = Units("my_customer", lambda: now[0])
    nothing, taken = Reply(200), Reply(400, {}, "invalid", "Invalid Ou Id")

    def ensured(*replies: Reply) -> list[type[ConnectorError]]:
        chain = units.ensure(connection.apis, ["/Skole"])
        next(chain)
        try:
            for reply in replies:
                chain.send([reply])
        except StopIteration as end:
            return [type(error) for error in end.value.values()]
        raise AssertionError("the chain asks for more")

    assert ensured(nothing, Reply(503)) == [Transient]
    assert ensured(nothing, taken, nothing) == [Transient]
    now[0] += UNHEARD_SECONDS - 1
    assert ensured(nothing, taken, nothing) == [Transient]
    now[0] += 2
    assert ensured(nothing, taken, nothing) == [Rejected]
    assert ensured(nothing, taken, Reply(200, {"organizationUnits": [{"orgUnitPath": "/Skole"}]})) == []


def test_no_more_units_are_made_than_there_is_time_for(ensure: Ensure, google: GoogleService):
    """Those above come first; what is put off is made by whoever asks again, and nothing is made twice."""
    paths = ["/Skole/Elever", "/Skole/Ansatte", "/Barnehage"]

    first, second, third = (ensure(*paths, most=2) for _ in range(3))

    assert {path: type(error) for path, error in first.items()} == dict.fromkeys(paths[:2], PutOff)
    assert (second, third) == ({}, {})
    assert google.contents()["units"] == ["/", "/Barnehage", "/Skole", "/Skole/Ansatte", "/Skole/Elever"]


# Rows: what Google's client would take for a query, a fragment, another address or an encoded letter of one.
@pytest.mark.parametrize("name", ["Hva nå?x=1", "Avdeling #3", "..", "50%2F50", "a & b"])
def test_a_name_is_no_part_of_an_address(connection: Connection, google: GoogleService, name: str):
    """Whoever names a unit in HR leads no call anywhere else; a unit that somebody else makes meanwhile is seen."""
    units = Units("my_customer")
    chain = units.ensure(connection.apis, [f"/{name}"])
    seen, _ = connection.send(next(chain))
    google.unit(f"/{name}")
    refused, _ = connection.send(chain.send([one for one in seen if one is not None]))
    calls = chain.send([one for one in refused if one is not None])
    looked, _ = connection.send(calls)

    with pytest.raises(StopIteration) as ended:
        chain.send([one for one in looked if one is not None])

    assert not [one for one in calls if name in one.uri]
    assert ended.value.value == {}


@given(st.lists(st.text(st.characters(exclude_characters="/", categories=("L", "N")), min_size=1), max_size=35))
def test_every_path_of_names_is_one(names: list[str]):
    """Whatever the letters."""
    check("/" + "/".join(names))
