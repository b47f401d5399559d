"""Locks across connections, processes and machines, on both databases."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import text

from eadm_sync.errors import StateBusy, StateError
from eadm_sync.state.database import Database, open_for_writing
from tests.postgresql import CUT_LOCKS

FORK = multiprocessing.get_context("spawn")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a state may be made."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    found: str = request.getfixturevalue("postgresql_url")
    return found


@pytest.fixture
def database(url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty state."""
    with open_for_writing(url, tmp_path) as opened:
        yield opened


def hold(url: str, held: Event) -> None:
    """Holds a lock in a process of its own until it is killed."""
    with open_for_writing(url, Path.cwd()) as database:
        lock = database.try_lock("slot-ad-0", "the other process")
        assert lock
        held.set()
        time.sleep(60)
        lock.release()


@pytest.mark.skipif(os.name != "posix", reason="files have other rights there")
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_lock_is_a_file_of_its_owner_alone(database: Database, tmp_path: Path):
    """Whoever may read a file may lock it, and nothing would be planned or delivered any more."""
    lock = database.try_lock("leader", "me")

    assert lock
    assert (tmp_path / "state.db.leader.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_lock_that_cannot_be_opened_is_a_fault_of_the_state(database: Database, tmp_path: Path):
    """Says which file, so that somebody can put it right."""
    (tmp_path / "state.db.leader.lock").mkdir()

    with pytest.raises(StateError, match=r"cannot use the lock .*state\.db\.leader\.lock"):
        database.try_lock("leader")


def test_a_lock_has_one_holder(database: Database):
    """Also within one process; another name is another lock."""
    first = database.try_lock("slot-ad-0")
    assert first

    assert database.try_lock("slot-ad-0") is None
    other = database.try_lock("slot-ad-1")
    assert other
    first.release()
    first.release()
    second = database.try_lock("slot-ad-0")

    assert second
    assert [lock.is_held() for lock in (first, second, other)] == [False, True, True]
    for lock in (second, other):
        lock.release()


def test_a_lock_ends_with_its_process(database: Database, url: str):
    """However it ends."""
    held = FORK.Event()
    process = FORK.Process(target=hold, args=(url, held))
    process.start()
    try:
        assert held.wait(30)
        assert database.try_lock("slot-ad-0") is None
    finally:
        process.kill()
        process.join()

    deadline = time.monotonic() + 10
    while (lock := database.try_lock("slot-ad-0")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    lock.release()


def test_the_run_lock_names_its_holder(database: Database):
    """As far as it is known; who comes in vain is told."""
    with database.run_lock() as lock, pytest.raises(StateBusy, match="process"), database.run_lock():
        pass

    assert not lock.is_held()


def test_a_lost_connection_loses_its_lock(postgresql_url: str, tmp_path: Path):
    """Somebody else may have it then, so that it is never taken for held again."""
    with open_for_writing(postgresql_url, tmp_path) as database:
        lock = database.try_lock("slot-ad-0")
        assert lock
        with database.write() as connection:
            connection.execute(text(CUT_LOCKS))

        assert not lock.is_held()
        assert not lock.is_held()
        again = database.try_lock("slot-ad-0")
        assert again
        lock.release()
        assert again.is_held()
        again.release()
