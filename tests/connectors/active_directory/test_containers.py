"""Organisational units in a real domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import Rejected
from tests.samba import BASE_DN

Home = Any
Open = Callable[..., ActiveDirectoryTarget]


def create(container: str) -> Operation:
    """The creation of an account somewhere."""
    return Operation(
        uuid4().hex,
        Kind.ACCOUNT,
        Action.CREATE,
        uuid4().hex,
        attributes={"sAMAccountName": uuid4().hex[:16]},
        container=container,
        enabled=False,
    )


def do(target: ActiveDirectoryTarget, *operations: Operation) -> list[Outcome]:
    """The outcomes, in the order of the operations."""
    outcomes = {outcome.operation_id: outcome for outcome in target.apply(operations)}
    return [outcomes[one.id] for one in operations]


def units(home: Home) -> Sequence[str]:
    """The names of the organisational units in the test's own container."""
    home.admin.search(home.dn, "(objectClass=organizationalUnit)", attributes=["ou"])
    return sorted(entry["raw_attributes"]["ou"][0].decode() for entry in home.admin.response if entry["dn"] != home.dn)


def test_what_is_missing_is_made_those_above_first(target: Open, home: Home) -> None:
    """Once for all of a batch, with the names as they are."""
    places = [f"OU=5A,OU=Ås\\, skole \\+ #1,OU=Skole,{home.dn}", f"OU=5B,OU=Ås\\, skole \\+ #1,OU=Skole,{home.dn}"]
    outcomes = do(target(), *(create(place) for place in places * 3))
    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert units(home) == ["5A", "5B", "Skole", "Ås, skole + #1"]


def test_one_container_is_written_in_many_ways(target: Open, home: Home) -> None:
    """Case, blanks and escapes make no second one."""
    ways = ["OU=Bygg\\, plan", "ou=BYGG\\2c plan", "Ou = bygg\\, plan "]
    assert [outcome.error for outcome in do(target(), *(create(f"{way},{home.dn}") for way in ways))] == [None] * 3
    assert units(home) == ["Bygg, plan"]


def test_nothing_is_made_where_the_settings_say_so(target: Open, home: Home) -> None:
    """The refusal names the container; what is there is used."""
    home.unit("There")
    there, missing = do(target(create_containers=False), create(f"OU=There,{home.dn}"), create(f"OU=No,{home.dn}"))
    assert there.error is None
    assert isinstance(missing.error, Rejected)
    assert missing.error.attribute == "container"
    assert units(home) == ["There"]


def test_only_organisational_units_are_made(target: Open, home: Home) -> None:
    """A missing CN above fails what is below it, and no other."""
    wrong, good = do(target(), create(f"OU=A,CN=No,{home.dn}"), create(f"OU=B,{home.dn}"))
    assert isinstance(wrong.error, Rejected)
    assert good.error is None
    assert units(home) == ["B"]


# Rows: outside what the target may touch; Windows' own; no name at all; a way out that is none; what Samba would take.
@pytest.mark.parametrize(
    "container",
    [
        f"OU=Elsewhere,{BASE_DN}",
        BASE_DN,
        f"OU=Domain Controllers,{BASE_DN}",
        "OU=x,DC=other,DC=test",
        "CN=Configuration",
        "",
        "nonsense",
        "OU=x+OU=y,{home}",
        "OU=#04,{home}",
        "OU=a\\00b,{home}",
        "OU=a\\0ab,{home}",
        f"OU={'x' * 65},{{home}}",
        "OU=x,OU=Domain Controllers,DC=eadm,DC=test,{home}X",
        "OU=x,,{home}",
        "OU=\ud800,{home}",
    ],
)
def test_what_is_no_place_for_an_account_is_refused(target: Open, home: Home, container: str) -> None:
    """On create and on move; nothing is made."""
    target_ = target()
    (made,) = do(target_, create(home.dn))
    place = container.replace("{home}", home.dn)
    move = Operation(uuid4().hex, Kind.ACCOUNT, Action.UPDATE, anchor=made.anchor, container=place)
    for outcome in do(target_, create(place), move):
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "container"
    assert units(home) == []


@pytest.mark.parametrize("name", ["Domain Controllers", "System", "Builtin", "domain controllers"])
def test_the_domains_own_containers_are_left_alone(target: Open, name: str) -> None:
    """Also by a target that may touch the whole domain: an account there could be taken for a domain controller."""
    kind = "OU" if name.casefold() == "domain controllers" else "CN"
    target_ = target(account_containers=[], group_containers=[])
    (outcome,) = do(target_, create(f"OU=Deeper,{kind}={name},{BASE_DN}"))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == "container"


def test_what_was_made_here_goes_when_it_is_empty(target: Open, home: Home) -> None:
    """And those above it; one that somebody else made or uses stays."""
    home.unit("ByHand")
    target_ = target(remove_empty_containers=True)
    first, second, third = do(
        target_,
        create(f"OU=A,OU=Above,{home.dn}"),
        create(f"OU=B,OU=Above,{home.dn}"),
        create(f"OU=ByHand,{home.dn}"),
    )
    assert units(home) == ["A", "Above", "B", "ByHand"]
    leave = [
        Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=first.anchor, container=home.dn),
        Operation("2", Kind.ACCOUNT, Action.DELETE, anchor=third.anchor),
    ]
    assert [outcome.error for outcome in do(target_, *leave)] == [None, None]
    assert units(home) == ["Above", "B", "ByHand"]
    do(target_, Operation("3", Kind.ACCOUNT, Action.DELETE, anchor=second.anchor))
    assert units(home) == ["ByHand"]


def test_what_is_empty_stays_unless_the_settings_say_otherwise(target: Open, home: Home) -> None:
    """Nothing is deleted that nobody asked to delete."""
    target_ = target()
    (made,) = do(target_, create(f"OU=A,{home.dn}"))
    do(target_, Operation("1", Kind.ACCOUNT, Action.DELETE, anchor=made.anchor))
    assert units(home) == ["A"]
