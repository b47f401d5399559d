"""First passwords, as they are stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.pretty import pretty_repr
from sqlalchemy import Connection, select

from eadm_sync.config.keys import Key
from eadm_sync.errors import StateError
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database, open_for_writing
from eadm_sync.state.passwords import (
    End,
    Secret,
    end_passwords,
    is_over,
    keep_or_read,
    load_kept,
    load_passwords,
    note_sent,
    note_shown,
    resealed,
)

OLD, NEW = Key("old1", b"o" * 32), Key("new1", b"n" * 32)
VAULT = Vault([OLD])
NOW = datetime(2026, 8, 17, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
KARI, OLA = Secret("Riktig-Hest-2345"), Secret("Batteri-Stift-6789")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A new state, on each database."""
    url = "sqlite:///state.db" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    with open_for_writing(url, tmp_path) as database:
        yield database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection that may write."""
    with database.write() as connection:
        yield connection


def keep(connection: Connection, person: str, secret: Secret, now: datetime = NOW) -> Secret:
    """Keeps a password that was made for somebody, and returns the one that counts."""
    return keep_or_read(connection, VAULT, [(person, "staff", secret, "run")], now, LATER)[person]


def test_whoever_has_a_password_keeps_it(connection: Connection):
    """The second target gets what the first one got."""
    assert keep(connection, "hr:1", KARI) == KARI
    assert keep(connection, "hr:1", OLA) == KARI
    assert load_passwords(connection, VAULT, ["hr:1", "hr:2"], NOW) == {"hr:1": KARI}


def test_what_is_over_makes_room_for_another(connection: Connection):
    """Nobody is given a password that may have lain about for too long."""
    keep(connection, "hr:1", KARI)
    assert load_passwords(connection, VAULT, ["hr:1"], LATER) == {}
    assert keep_or_read(connection, VAULT, [("hr:1", "staff", OLA, None)], LATER, LATER + timedelta(days=1)) == {
        "hr:1": OLA
    }


def test_a_destroyed_password_is_gone(connection: Connection):
    """Of it there is left when it was made and how it ended."""
    keep(connection, "hr:1", KARI)
    keep(connection, "hr:2", OLA)
    assert end_passwords(connection, ["hr:1", "hr:3"], End.DESTROYED, NOW) == ["hr:1"]
    assert end_passwords(connection, ["hr:1"], End.USED, NOW) == []
    assert load_passwords(connection, VAULT, ["hr:1", "hr:2"], NOW) == {"hr:2": OLA}
    (kept,) = load_kept(connection, ["hr:1"]).values()
    assert (kept.end, kept.ended_at) == ("destroyed", NOW.isoformat())
    assert connection.scalar(select(tables.passwords.c.sealed).where(tables.passwords.c.person_id == "hr:1")) is None


def test_only_what_is_over_is_ended_where_that_is_asked(connection: Connection):
    """The condition that housekeeping goes by."""
    keep(connection, "hr:1", KARI)
    assert end_passwords(connection, ["hr:1"], End.EXPIRED, NOW, is_over(NOW)) == []
    assert end_passwords(connection, ["hr:1"], End.EXPIRED, LATER, is_over(LATER)) == ["hr:1"]


def test_the_first_sending_and_the_first_look_are_kept(connection: Connection):
    """Later ones stand in the audit."""
    keep(connection, "hr:1", KARI)
    for moment in (NOW, LATER):
        note_sent(connection, ["hr:1"], moment)
        note_shown(connection, ["hr:1"], moment)
    (kept,) = load_kept(connection, ["hr:1"]).values()
    assert (kept.sent_at, kept.shown_at) == (NOW.isoformat(), NOW.isoformat())


def test_nobody_can_be_given_another_persons_password(connection: Connection):
    """Whoever can write to the database could otherwise have their own password shown as somebody else's."""
    keep(connection, "hr:1", KARI)
    keep(connection, "hr:2", OLA)
    mine = select(tables.passwords.c.sealed).where(tables.passwords.c.person_id == "hr:2").scalar_subquery()
    connection.execute(tables.passwords.update().where(tables.passwords.c.person_id == "hr:1").values(sealed=mine))
    with pytest.raises(StateError, match="moved"):
        load_passwords(connection, VAULT, ["hr:1"], NOW)


def test_equal_passwords_are_stored_differently(connection: Connection):
    """That two people have the same one must not show."""
    keep(connection, "hr:1", KARI)
    keep(connection, "hr:2", KARI)
    first, second = connection.scalars(select(tables.passwords.c.sealed))
    assert first[-30:] != second[-30:]


def test_it_can_be_sealed_anew():
    """With another key it opens all the same; what is under the current key already stays as it is."""
    both = Vault([NEW, OLD])
    sealed = VAULT.encrypt(b"x", b"first password")
    fresh = resealed(sealed, both)
    assert both.is_current(fresh)
    assert resealed(fresh, both) is fresh


def test_a_secret_prints_as_nothing():
    """Neither in Python's words nor in Rich's."""
    assert "Hest" not in repr(KARI) + str(KARI) + pretty_repr(KARI) + f"{[KARI]}"


def test_two_that_make_one_at_the_same_moment_agree(database: Database):
    """Two targets are delivered to at once: whoever comes second reads what the first has kept."""
    counted: list[Secret] = []
    barrier = threading.Barrier(2)

    def make(secret: Secret) -> None:
        barrier.wait()
        with database.write() as connection:
            counted.append(keep(connection, "hr:1", secret))

    threads = [threading.Thread(target=make, args=(secret,)) for secret in (KARI, OLA)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted) == 2
    assert counted[0] == counted[1]
