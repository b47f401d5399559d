"""What is held in memory while a tenant is read."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Kind, RemoteObject
from connectors.entra import open_target
from tests.connectors.entra.conftest import Settings
from tests.services.graph.control import GraphService


def test_memberships_are_told_of_before_all_groups_were_asked(settings: Settings, graph: GraphService):
    """A tenant with a hundred thousand members is never in memory as a whole."""
    users, groups = graph.seed(users=3, groups=330)
    for group in groups:
        graph.link(group, users)

    with open_target(settings(), Path()) as target:
        reading = target.read(Kind.MEMBERSHIP)
        first = next(reading)
        early = graph.counters()["operations"]
        told = [first, *reading]
        late = graph.counters()["operations"]

    assert early < late / 2
    assert len({one.anchor for one in told if isinstance(one, RemoteObject)}) == len(told) - 1 == 3 * 330


def test_a_group_of_several_pages_is_read_to_its_end(settings: Settings, graph: GraphService):
    """One page after the other: the next is asked for when the first was told of."""
    users, (group,) = graph.seed(users=1100, groups=1)
    graph.link(group, users)

    with open_target(settings(), Path()) as target:
        reading = target.read(Kind.MEMBERSHIP)
        next(reading)
        early = graph.counters()["operations"]
        told = [one for one in reading if isinstance(one, RemoteObject)]

    assert graph.counters()["operations"] == early + 1
    assert len(told) == len(users) - 1
