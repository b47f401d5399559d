"""Who manages whom, over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.contract import Action, Kind, Operation, Outcome, RemoteObject, ResumeToken
from connectors.entra import EntraTarget, open_target
from connectors.errors import NotFound, Rejected, Transient
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService

MakeTarget = Callable[..., EntraTarget]
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def target(settings: Settings) -> Iterator[MakeTarget]:
    """Opens targets with the settings given, and closes them."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(open_target(settings(**given), Path()))


def creation(name: str, **attributes: Any) -> Operation:
    """Of an account."""
    every = {"userPrincipalName": f"{name}@kommune.example", "displayName": name, **attributes}
    return Operation(uuid4().hex, Kind.ACCOUNT, Action.CREATE, owner=f"hr:{name}", enabled=True, attributes=every)


def update(anchor: str | None, **attributes: Any) -> Operation:
    """Of an account."""
    return Operation(uuid4().hex, Kind.ACCOUNT, Action.UPDATE, anchor=anchor, attributes=attributes)


def one(target: EntraTarget, wanted: Operation) -> Outcome:
    """The outcome of one operation."""
    (outcome,) = target.apply([wanted])
    return outcome


def manager_of(graph: GraphService, account: str | None) -> str | None:
    """As the tenant keeps it."""
    found: str | None = graph.contents()["users"][account].get("_manager")
    return found


@pytest.mark.parametrize("meant_by", ["hr:boss", "BOSS@kommune.example", "id"])
def test_a_manager_is_meant_by_who_it_is_by_name_or_by_id(target: MakeTarget, graph: GraphService, meant_by: str):
    """Given with a new account and changed later; what is read is the id, and the outcome says so."""
    opened = target()
    boss, other = one(opened, creation("boss")).anchor, one(opened, creation("other")).anchor
    word = str(boss) if meant_by == "id" else meant_by

    made = one(opened, creation("kari", manager=word))
    first = manager_of(graph, made.anchor)
    changed = one(opened, update(made.anchor, manager="hr:other", jobTitle="x"))
    (read,) = opened.find(Kind.ACCOUNT, {"userPrincipalName": "kari@kommune.example"})

    assert (made.error, made.attributes) == (None, {} if meant_by == "id" else {"manager": boss})
    assert first == boss
    assert (changed.error, changed.attributes) == (None, {"manager": other})
    assert read.attributes["manager"] == other
    assert read.attributes["jobTitle"] == "x"


def test_a_manager_is_taken_away(target: MakeTarget, graph: GraphService):
    """And nothing is wrong with taking away what is not there."""
    opened = target()
    boss = one(opened, creation("boss")).anchor
    kari = one(opened, creation("kari", manager=boss)).anchor

    outcomes = [one(opened, update(kari, manager=None)) for _ in range(2)]

    assert [each.error for each in outcomes] == [None, None]
    assert manager_of(graph, kari) is None


def test_who_comes_in_the_same_batch_is_known_as_manager(target: MakeTarget, graph: GraphService):
    """Whichever comes first, also where two manage each other."""
    opened = target(settling_seconds=0)

    outcomes = list(opened.apply([creation("kari", manager="hr:ola"), creation("ola", manager="hr:kari")]))

    assert [each.error for each in outcomes] == [None, None]
    users = {each["displayName"]: each for each in graph.contents()["users"].values()}
    assert users["kari"]["_manager"] == users["ola"]["id"]
    assert users["ola"]["_manager"] == users["kari"]["id"]


@pytest.mark.parametrize("word", ["hr:nobody", "nobody@kommune.example", NOBODY])
def test_a_manager_who_is_not_there_is_left_out_and_told_of(target: MakeTarget, graph: GraphService, word: str):
    """The account is made all the same, and everything else of it is written."""
    opened = target(settling_seconds=0)

    made = one(opened, creation("kari", manager=word))
    changed = one(opened, update(made.anchor, manager=word, jobTitle="x"))

    for outcome in (made, changed):
        assert (outcome.error, outcome.attributes) == (None, {"manager": None})
        assert outcome.warning
    assert graph.contents()["users"][made.anchor]["jobTitle"] == "x"


@pytest.mark.parametrize("meant_by", ["id", "hr:boss"])
def test_a_manager_who_is_not_seen_yet_is_waited_for(target: MakeTarget, graph: GraphService, meant_by: str):
    """With a change; a new account is not held up by it."""
    (kari,), _ = graph.seed(users=1)
    graph.change(visible_seconds=3600)
    opened = target(settling_seconds=3600)
    boss = one(opened, creation("boss")).anchor
    word = boss if meant_by == "id" else meant_by

    made = one(opened, creation("ola", manager=word))
    changed = one(opened, update(kari, manager=word))

    assert (made.error, made.attributes) == (None, {"manager": None})
    assert isinstance(changed.error, Transient)


def test_the_manager_of_who_is_not_there_is_no_manager(target: MakeTarget):
    """It is the account that is missing."""
    opened = target()
    boss = one(opened, creation("boss")).anchor

    outcome = one(opened, update(NOBODY, manager=boss))

    assert isinstance(outcome.error, NotFound)


def test_active_directory_is_the_master_of_managers_too(target: MakeTarget, graph: GraphService):
    """Of who comes from there."""
    (kari, ola), _ = graph.seed(users=2, synced=1.0)
    graph.put("user", kari, _manager=ola)

    for outcome in (one(target(), update(kari, manager=word)) for word in (ola, None)):
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "manager"


def test_what_is_read_tells_of_managers(target: MakeTarget, graph: GraphService):
    """A whole reading, and one of what changed: of whoever changed otherwise, too; not where nobody asks."""
    graph.empty(Config(delta_page_size=2))
    opened = target()
    boss = one(opened, creation("boss")).anchor
    kari, ola = (one(opened, creation(name, manager=boss)).anchor for name in ("kari", "ola"))

    def managers(since: ResumeToken | None, wanted: list[str] | None = None) -> tuple[dict[str, Any], ResumeToken]:
        *objects, token = opened.read(Kind.ACCOUNT, since, wanted)
        assert isinstance(token, ResumeToken)
        found = [each for each in objects if isinstance(each, RemoteObject)]
        return {each.anchor: each.attributes.get("manager") for each in found}, token

    whole, token = managers(None)
    silent, _ = managers(None, ["displayName"])
    list(opened.apply([update(kari, jobTitle="x"), update(ola, manager=kari)]))
    changed, _ = managers(token)

    assert whole == {boss: None, kari: boss, ola: boss}
    assert set(silent.values()) == {None}
    assert (changed[str(kari)], changed[str(ola)]) == (boss, kari)
