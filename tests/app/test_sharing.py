"""Who lets a slot go to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eadm_sync.app.sharing import Share
from eadm_sync.state.database import Database, open_for_writing


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty state."""
    is_here = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'state.db'}" if is_here else request.getfixturevalue("postgresql_url")
    with open_for_writing(url, tmp_path) as opened:
        yield opened


class Watch:
    """Seconds that go forward when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The seconds."""
        return self.now


@pytest.mark.parametrize(
    ("mine", "theirs", "asked"),
    [
        (2, 0, True),
        (1, 0, False),  # the only one here
        (2, 1, False),  # they have one: how many more is nobody's business
    ],
)
def test_one_of_several_slots_goes_to_whoever_has_none(database: Database, mine: int, theirs: int, asked: bool):
    """Nobody gives the only one away, and nobody gets a second one so."""
    here, there = Share(database, "ad", Watch()), Share(database, "ad")
    for _ in range(mine):
        here.take()
    for _ in range(theirs):
        there.take()

    there.wish()

    assert here.is_asked() is asked
    there.forgo()


def test_whoever_has_got_a_slot_asks_no_more(database: Database):
    """The next time is some seconds later, so that asking costs nothing."""
    watch = Watch()
    here, there = Share(database, "ad", watch), Share(database, "ad")
    here.take()
    here.take()
    there.wish()
    there.wish()
    assert here.is_asked()

    there.take()

    assert not here.is_asked()
    watch.now = 10.0
    assert not here.is_asked()


def test_another_target_is_another_matter(database: Database):
    """Each target's slots are shared by themselves."""
    here, there = Share(database, "ad", Watch()), Share(database, "entra")
    here.take()
    here.take()
    there.wish()

    assert not here.is_asked()
    there.forgo()
