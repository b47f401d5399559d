"""Opening, migrating and locking the state database."""

import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from eadm_sync.errors import StateBusy, StateError
from eadm_sync.state import bulk, tables
from eadm_sync.state.database import Database, open_for_reading, open_for_writing
from exportqueue import define

URL = "sqlite:///state/eadm.db"


def complete() -> MetaData:
    """The state's tables and the queue's."""
    metadata = MetaData()
    for table in tables.metadata.sorted_tables:
        table.to_metadata(metadata)
    define(metadata)
    return metadata


def test_migrations_make_exactly_the_tables_that_the_code_uses(tmp_path: Path):
    """Schema and migrations cannot drift apart."""
    with open_for_writing(URL, tmp_path) as database, database.write() as connection:
        context = MigrationContext.configure(connection)

        differences = [
            row for row in compare_metadata(context, complete()) if getattr(row[1], "name", "") != "alembic_version"
        ]

    assert differences == []


def test_reading_where_nothing_is_yet_makes_no_file(tmp_path: Path):
    """A dry run before the first run works, and leaves nothing behind."""
    with open_for_reading(URL, tmp_path, complete) as database, database.read() as connection:
        people = connection.execute(tables.people.select()).all()

    assert people == []
    assert not database.exists
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_state_is_readable_by_its_owner_only(tmp_path: Path):
    """It holds a town's people, whatever umask the program is started with."""
    former = os.umask(0o022)
    try:
        with open_for_writing(URL, tmp_path) as database, database.write() as connection:
            connection.execute(tables.meta.insert(), {"name": "a", "value": "b"})
            modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "state").iterdir()}
    finally:
        os.umask(former)

    assert set(modes.values()) == {0o600}
    assert "eadm.db-wal" in modes
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_reader_cannot_write(tmp_path: Path):
    """The dry run is read only by the database's own word, not only by ours."""
    open_for_writing(URL, tmp_path).close()

    with (
        open_for_reading(URL, tmp_path, complete) as database,
        pytest.raises(StateError, match="readonly"),
        database.read() as connection,
    ):
        connection.execute(tables.meta.insert(), {"name": "a", "value": "b"})


def test_a_reader_leaves_every_byte_as_it_was(tmp_path: Path):
    """Opening for reading migrates nothing and checkpoints nothing."""
    with open_for_writing(URL, tmp_path) as database, database.write() as connection:
        connection.execute(tables.meta.insert(), {"name": "a", "value": "b"})
    file = tmp_path / "state" / "eadm.db"
    before = file.read_bytes()

    with open_for_reading(URL, tmp_path, complete) as database, database.read() as connection:
        connection.execute(tables.meta.select()).all()

    assert file.read_bytes() == before


def test_another_version_is_refused_and_says_what_to_do(tmp_path: Path):
    """A reader does not migrate on its own."""
    with open_for_writing(URL, tmp_path) as database, database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    with pytest.raises(StateError, match="eadm-sync migrate"):
        open_for_reading(URL, tmp_path, complete)


def test_what_is_no_database_is_said_to_be_none(tmp_path: Path):
    """A path that points at some other file is an error, not a crash."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "eadm.db").write_text("this is a text file, and a long enough one at that" * 50)

    with pytest.raises(StateError, match="not a database"):
        open_for_reading(URL, tmp_path, complete)


def _hold(folder: Path, ready: Event, done: Event) -> None:
    """Holds the run lock in a process of its own."""
    with open_for_writing(URL, folder) as database, database.run_lock():
        ready.set()
        done.wait(30)


def test_two_runs_at_once_are_one_too_many(tmp_path: Path):
    """The second is told that somebody is at work; when the first is killed, the way is free."""
    process_kit = multiprocessing.get_context("spawn")
    ready, done = process_kit.Event(), process_kit.Event()
    holder = process_kit.Process(target=_hold, args=(tmp_path, ready, done))
    holder.start()
    assert ready.wait(30)

    with open_for_writing(URL, tmp_path) as database:
        with pytest.raises(StateBusy, match=f"process {holder.pid}"), database.run_lock():
            pass
        holder.kill()
        holder.join()
        with database.run_lock():
            pass


def test_bulk_statements_insert_replace_change_and_delete(tmp_path: Path):
    """One small language for many rows."""
    columns = ("name", "value")
    with open_for_writing(URL, tmp_path) as database, database.write() as connection:
        inserted = bulk.insert(connection, tables.meta, columns, ((f"n{i}", "old") for i in range(12_345)))
        bulk.upsert(connection, tables.meta, columns, [("n1", "new"), ("extra", "new")])
        bulk.update(connection, tables.meta, ("value",), ("name",), [("changed", "n2")])
        bulk.delete(connection, tables.meta, ("name",), [("n3",)])
        rows = {name: value for name, value in connection.execute(tables.meta.select())}  # noqa: C416 - Row is no tuple

    assert inserted == 12_345
    assert len(rows) == 12_345
    assert (rows["n1"], rows["n2"], rows["extra"], rows["n0"]) == ("new", "changed", "new", "old")
    assert "n3" not in rows


class _Interrupting:
    """A value during whose reading Ctrl-C is pressed."""

    def __conform__(self, _protocol: object) -> str:
        raise KeyboardInterrupt


def test_an_interrupted_statement_lets_go_of_the_database(tmp_path: Path):
    """While the interruption is still on its way up it can be written down; half a transaction is not there."""
    with open_for_writing(URL, tmp_path) as database:
        interrupted = pytest.raises(KeyboardInterrupt)
        with interrupted as caught, database.write() as connection:
            rows = [("half", "1"), ("rest", _Interrupting())]
            connection.exec_driver_sql("INSERT INTO meta (name, value) VALUES (?, ?)", rows)
        with closing(sqlite3.connect(tmp_path / "state/eadm.db", timeout=0)) as beside:
            assert beside.execute("SELECT count(*) FROM meta").fetchone() == (0,)
            beside.execute("INSERT INTO meta (name, value) VALUES ('other', '1')")
        assert caught.tb is not None  # it still refers to the interrupted cursor


@pytest.mark.parametrize(
    "opened", [lambda folder: open_for_reading(URL, folder, complete), lambda folder: open_for_writing(URL, folder)]
)
def test_a_state_of_a_newer_program_asks_for_that_program(tmp_path: Path, opened: Callable[[Path], Database]):
    """`migrate` could not help, so it is not advised."""
    with open_for_writing(URL, tmp_path) as database, database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StateError, match="a newer eadm-sync made it, use that one"):
        opened(tmp_path)


def test_a_file_that_was_cut_off_before_anything_was_written_is_no_state(tmp_path: Path):
    """A full disk at the very first start leaves no bytes: there is nothing to migrate, and the next run begins."""
    (tmp_path / "state.db").touch()

    with open_for_reading("sqlite:///state.db", tmp_path, complete) as database:
        assert not database.exists
    assert (tmp_path / "state.db").stat().st_size == 0
    with open_for_writing("sqlite:///state.db", tmp_path) as database:
        database.check_version()


@pytest.mark.parametrize(
    "opened",
    [
        lambda folder: open_for_reading("sqlite:///state.db", folder, complete),
        lambda folder: open_for_writing("sqlite:///state.db", folder),
    ],
)
@pytest.mark.parametrize("locked", ["state.db", ""], ids=["file", "folder"])
def test_a_state_that_may_not_be_written_says_who_cannot_write_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[Path], Database], locked: str
):
    """SQLite's own words are 'unable to open database file'."""
    open_for_writing("sqlite:///state.db", tmp_path).close()
    place = tmp_path / locked
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != place)  # tests may run as root, who may all
    monkeypatch.setattr("sqlite3.dbapi2.connect", _fails)

    with pytest.raises(StateError, match=f"cannot write {place}"):
        opened(tmp_path)


def _fails(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("unable to open database file")
