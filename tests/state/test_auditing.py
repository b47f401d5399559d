"""The audit's chain, on both databases: what it refuses, what it notices, and what it lets be forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, text

from eadm_sync.config.keys import Key, Use
from eadm_sync.errors import StateError
from eadm_sync.model import Sealed
from eadm_sync.state import database as database_module
from eadm_sync.state import tables
from eadm_sync.state.auditing import (
    AuditEntry,
    append_audit,
    commitment,
    cover_unchained,
    forget_details,
    has_unchained,
    heads,
)
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database, open_for_writing
from eadm_sync.state.verifying import Verified, add_checkpoint, verify

AT = "2026-08-17T04:00:00+00:00"
VAULT = Vault([Key("k1", bytes(32), Use.SEAL)])
OTHER_VAULT = Vault([Key("k2", bytes(range(32)), Use.SEAL)])

_pack = msgspec.msgpack.encode


def entry(number: int, target: str | None = "ad", person: str | None = "hr:1", **detail: Any) -> AuditEntry:
    """The audit's line about one of many things."""
    return AuditEntry(
        AT,
        "run-1",
        "eadm-sync",
        target,
        "account",
        "update",
        f"account:{number}",
        person,
        _pack({"n": number, **detail}),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty state."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else "sqlite:///eadm.db"
    with open_for_writing(url, tmp_path) as opened:
        yield opened


def write(database: Database, *entries: AuditEntry) -> None:
    """Adds lines in a transaction of their own."""
    with database.write() as connection:
        append_audit(connection, VAULT, entries)


def verified(database: Database, *expected: bytes, vault: Vault = VAULT) -> Verified:
    """What verifying says."""
    with database.read() as connection:
        return verify(connection, vault, expected)


def faults(database: Database, *expected: bytes) -> list[tuple[str, int | None]]:
    """Each fault with its line."""
    return [(fault.what, fault.line) for fault in verified(database, *expected).faults]


def past_the_triggers(database: Database, *statements: str) -> None:
    """Does what somebody can do who owns the database."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        else:
            for name in ("audit_no_delete", "audit_no_update", "audit_details"):
                connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))


def end_at(target: str, digest: bytes) -> str:
    """Makes the state say that a chain ends with this line."""
    return f"UPDATE meta SET value = '{digest.hex()}' WHERE name = 'audit_head:{target}'"  # noqa: S608 - a test's own


def some_lines(database: Database) -> None:
    """Lines 1, 2, 4 and 6 of one target, 3 of another, 5 of none."""
    for number, target in ((1, "ad"), (2, "ad"), (3, "entra"), (4, "ad"), (5, None), (6, "ad")):
        write(database, entry(number, target))


def test_what_was_written_fits(database: Database):
    """Lines of several targets in one transaction, and in several."""
    write(database, *(entry(number, ("ad", "entra", None)[number % 3]) for number in range(10)))
    some_lines(database)

    found = verified(database)

    assert (found.lines, found.last, found.faults) == (16, 16, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody' WHERE id = 1",
        "UPDATE audit SET digest = NULL WHERE id = 1",
        "UPDATE audit SET id = 99 WHERE id = 1",
        "DELETE FROM audit WHERE id = 1",
        "UPDATE audit SET detail = salt WHERE id = 1",  # the detail of a line with no sealed value
        "UPDATE audit SET salt = detail WHERE id = 1",
        "UPDATE audit SET detail = NULL WHERE id = 1",  # not without the salt, with which it could be guessed
    ],
)
def test_the_database_refuses_to_change_or_delete_lines(database: Database, statement: str):
    """Whatever program asks, without dropping the triggers first."""
    some_lines(database)
    with pytest.raises(Exception, match="append-only"), database.write() as connection:
        connection.execute(text(statement))
    assert verified(database).faults == ()


def test_postgresql_refuses_to_empty_the_audit(postgresql_url: str, tmp_path: Path):
    """TRUNCATE passes by the triggers of rows."""
    with open_for_writing(postgresql_url, tmp_path) as database:
        some_lines(database)
        with pytest.raises(Exception, match="append-only"), database.write() as connection:
            connection.execute(text("TRUNCATE audit"))


_VALUES = "at, actor, target, kind, action, object, detail, salt, detail_digest"


def copy(columns: str) -> str:
    """Puts a copy of the last line behind it, of some of its columns."""
    return f"INSERT INTO audit (id, {columns}) SELECT 7, {columns} FROM audit WHERE id = 6"  # noqa: S608 - as end_at


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # changed: the line itself does not fit, whichever column it was
        (["UPDATE audit SET actor = 'nobody' WHERE id = 2"], [("broken", 2)]),
        (["UPDATE audit SET at = '2020-01-01T00:00:00+00:00' WHERE id = 4"], [("broken", 4)]),
        (["UPDATE audit SET person_id = NULL WHERE id = 2"], [("broken", 2)]),
        # its detail was
        (["UPDATE audit SET detail = salt WHERE id = 2"], [("detail", 2)]),
        (["UPDATE audit SET detail = NULL, salt = NULL WHERE id = 2"], [("detail-removed", 2)]),
        # removed: the next of the same target does not fit
        (["DELETE FROM audit WHERE id = 2"], [("broken", 4)]),
        # the last of a target: nothing follows, but the end is known
        (["DELETE FROM audit WHERE id = 6"], [("end", None)]),
        (["DELETE FROM audit WHERE target = 'entra'"], [("end", None)]),
        # two lines in each other's place
        (
            [
                "UPDATE audit SET id = 99 WHERE id = 2",
                "UPDATE audit SET id = 2 WHERE id = 4",
                "UPDATE audit SET id = 4 WHERE id = 99",
            ],
            [("broken", 2), ("broken", 4), ("broken", 6)],
        ),
        # moved to another target's chain
        (["UPDATE audit SET target = 'entra' WHERE id = 6"], [("broken", 6), ("end", None), ("end", None)]),
        # added: a copy of a line, and one without a digest
        ([copy(_VALUES + ", digest")], [("broken", 7)]),
        ([copy(_VALUES)], [("unchained", 7)]),
    ],
)
def test_what_was_done_past_the_program_is_noticed(
    database: Database, statements: list[str], expected: list[tuple[str, int | None]]
):
    """And the first fault names the line at which it begins."""
    some_lines(database)
    past_the_triggers(database, *statements)
    assert faults(database) == expected


def test_whoever_lacks_the_key_can_make_no_line_that_fits(database: Database):
    """Neither with a key of their own, nor by making the end fit, too."""
    some_lines(database)
    with database.write() as connection:
        append_audit(connection, OTHER_VAULT, [entry(7)])
    assert faults(database) == [("broken", 7)]


def test_an_end_that_was_cut_off_in_full_is_noticed_by_what_was_kept_elsewhere(database: Database):
    """Lines and the stored end are gone alike: nothing within the database tells of them."""
    some_lines(database)
    with database.read() as connection:
        before = heads(connection)
    write(database, entry(7))
    with database.write() as connection:
        _, digest = add_checkpoint(connection, VAULT, AT, "kari")
    assert faults(database, digest) == []

    past_the_triggers(
        database,
        "DELETE FROM audit WHERE id > 6",
        *(end_at(name, digest) for name, digest in before.items()),
    )

    assert faults(database) == []
    assert faults(database, digest) == [("expected", None)]


def test_a_checkpoint_tells_of_lines_that_were_cut_off_before_it(database: Database):
    """The end of one target's chain, and the stored end with it."""
    some_lines(database)
    with database.read() as connection:
        before = heads(connection)["ad"]
    write(database, entry(7))
    with database.write() as connection:
        line, _ = add_checkpoint(connection, VAULT, AT, "kari")

    past_the_triggers(
        database,
        "DELETE FROM audit WHERE id = 7",
        end_at("ad", before),
    )

    assert faults(database) == [("checkpoint", line)]


def test_a_person_s_details_can_be_forgotten(database: Database):
    """The lines stay and fit; nothing that was told of the person is left, and others keep theirs."""
    write(database, entry(1, name="Kari"), entry(2, person="hr:2"), entry(3, "entra", name="Kari"))

    with database.write() as connection:
        assert forget_details(connection, "hr:1") == 2
        purge = AuditEntry(AT, None, "kari", None, "person", "purge", "hr:1", "hr:1", _pack({}))
        append_audit(connection, VAULT, [purge])

    found = verified(database)
    assert (found.forgotten, found.faults) == (2, ())
    with database.read() as connection:
        rows = connection.execute(tables.audit.select().order_by(tables.audit.c.id)).all()
    assert not any(b"Kari" in (value or b"") for row in rows for value in (row.detail, row.salt))
    assert [row.detail is None for row in rows if row.kind == "account"] == [True, False, True]


def test_what_was_forgotten_cannot_be_told_otherwise(database: Database):
    """Nobody can put another detail in its place."""
    write(database, entry(1))
    with database.write() as connection:
        forget_details(connection, "hr:1")
    with pytest.raises(Exception, match="append-only"), database.write() as connection:
        connection.execute(text("UPDATE audit SET detail = detail_digest, salt = detail_digest WHERE id = 1"))


def test_values_can_be_sealed_anew(database: Database):
    """When an old key is retired: the line covers the keyed hash, which stays."""
    old, new = Sealed(b"old ciphertext", b"digest"), Sealed(b"new ciphertext", b"digest")
    write(database, entry(1, attributes={"nin": [None, old]}))

    with database.write() as connection:
        update = tables.audit.update().values(detail=_pack({"n": 1, "attributes": {"nin": [None, new]}}))
        connection.execute(update)
    assert faults(database) == []

    other = Sealed(b"new ciphertext", b"of another value")
    with database.write() as connection:
        connection.execute(tables.audit.update().values(detail=_pack({"n": 1, "attributes": {"nin": [None, other]}})))
    assert faults(database) == [("detail", 1)]


def test_the_hash_of_a_detail_says_nothing_without_its_salt():
    """The same detail has another one each time."""
    assert commitment(b"a" * 16, b"x") != commitment(b"b" * 16, b"x")
    assert commitment(b"a" * 16, b"ciphertext, in plain words") != commitment(b"a" * 16, b"ciphertext")


def test_many_can_write_at_once(database: Database):
    """Workers of several targets, some of them writing about two: no chain forks, and nobody waits for ever."""
    failed: list[Exception] = []

    def work(first: int, *targets: str | None) -> None:
        try:
            for number in range(first, first + 20):
                write(database, *(entry(number, target) for target in targets))
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            failed.append(error)

    crews: list[tuple[str | None, ...]] = [("ad", "entra"), ("entra", "ad"), ("ad",), (None, "ad"), ("entra", None)]
    threads = [threading.Thread(target=work, args=(100 * number, *crew)) for number, crew in enumerate(crews)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    found = verified(database)
    assert (found.lines, found.faults) == (180, ())


# ---------------------------------------------------------------- lines of before the chain


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A state whose audit an older program wrote, just migrated."""
    is_server = request.param == "postgresql"
    url = request.getfixturevalue("postgresql_url") if is_server else f"sqlite:///{tmp_path / 'eadm.db'}"
    config = Config()
    config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for number in range(3):
            values = {"at": AT, "number": f"account:{number}", "person": f"hr:{number}", "detail": _pack({"n": number})}
            connection.execute(_OLDER_LINE, values)
    with open_for_writing(url, tmp_path) as opened:
        yield opened


_OLDER_LINE = text(
    "INSERT INTO audit (at, actor, target, kind, action, object, person_id, detail) "
    "VALUES (:at, 'eadm-sync', 'ad', 'account', 'create', :number, :person, :detail)"
)


def cover(database: Database) -> None:
    """What opening the installation does."""
    with database.write() as connection:
        cover_unchained(connection, VAULT, AT, "kari")


def test_lines_of_an_older_program_are_kept_and_covered(older: Database):
    """By the first line of the chain, once."""
    assert verified(older).uncovered == 3
    with older.read() as connection:
        assert has_unchained(connection)
    cover(older)
    cover(older)
    write(older, entry(5))

    found = verified(older)
    assert (found.lines, found.former, found.uncovered, found.faults) == (5, 3, 0, ())
    with older.read() as connection:
        assert not has_unchained(connection)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 2", ("former", 4)),
        ("DELETE FROM audit WHERE id = 3", ("former", 4)),
        ("UPDATE audit SET detail = salt WHERE id = 1", ("detail", 1)),
        ("UPDATE audit SET digest = NULL WHERE id = 5", ("unchained", 5)),  # nor does a later one pass for an older
    ],
)
def test_what_was_done_to_lines_of_an_older_program_is_noticed(
    older: Database, statement: str, expected: tuple[str, int]
):
    """From the moment they are covered on."""
    cover(older)
    write(older, entry(5))
    past_the_triggers(older, statement)
    assert faults(older)[0] == expected


def test_an_older_program_s_lines_about_a_person_can_be_forgotten(older: Database):
    """The chain covers their salted hash only, like that of any other."""
    cover(older)
    with older.write() as connection:
        forget_details(connection, "hr:1")
        append_audit(
            connection, VAULT, [AuditEntry(AT, None, "kari", None, "person", "purge", "hr:1", "hr:1", b"\x80")]
        )
    assert (verified(older).forgotten, faults(older)) == (1, [])


def test_another_installation_s_key_fits_no_line(database: Database):
    """Verifying with the wrong key file cannot pass."""
    some_lines(database)
    assert len(verified(database, vault=OTHER_VAULT).faults) == 6


def test_a_transaction_that_fails_leaves_the_chain_as_it_was(database: Database):
    """Lines and the end go back together."""
    some_lines(database)

    def fail() -> None:
        with database.write() as connection:
            append_audit(connection, VAULT, [entry(7)])
            connection.execute(text("SELECT no_such_column FROM audit"))

    with pytest.raises(StateError, match="no_such_column"):
        fail()
    write(database, entry(8))
    assert faults(database) == []
