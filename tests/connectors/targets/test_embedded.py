"""The reference target beyond the contract: its file, its failures on demand, its speed of recovery."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.contract import Action, Kind, Operation, Password, RemoteObject, ResumeToken, Value
from connectors.embedded import EmbeddedOptions, connector
from connectors.embedded.target import EmbeddedTarget
from connectors.errors import AlreadyExists, Rejected, Throttled, Transient, Unavailable

Opener = Callable[..., EmbeddedTarget]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Opens the directory of this test with the settings given."""

    def open_it(**settings: Any) -> EmbeddedTarget:
        options = EmbeddedOptions(path="ad.db", anchors="counted", **settings)
        assert connector.open_target
        target = connector.open_target(options, tmp_path)
        assert isinstance(target, EmbeddedTarget)
        return target

    return open_it


def create(number: int, **attributes: Value) -> Operation:
    """The creation of account `number`."""
    name: dict[str, Value] = {"username": f"user{number}"}
    return Operation(f"create-{number}", Kind.ACCOUNT, Action.CREATE, f"owner-{number}", attributes=name | attributes)


def names(target: EmbeddedTarget) -> list[Value]:
    """The names of the accounts there are, in the order they were made."""
    found = [item for item in target.read(Kind.ACCOUNT) if isinstance(item, RemoteObject)]
    return [item.attributes["username"] for item in found if not item.deleted]


# ---------------------------------------------------------------- the file


def test_reading_leaves_no_file_behind(opened: Opener, tmp_path: Path) -> None:
    """A dry run before the first delivery sees an empty directory and writes nothing."""
    with opened() as target:
        target.check()
        assert names(target) == []
        assert target.find(Kind.ACCOUNT, {"username": "x"}) == []
        assert target.licences() == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_version_before_learns_of_groups_in_groups(opened: Opener, tmp_path: Path) -> None:
    """It is read as it stands, and brought up to date when something is first written."""
    with opened() as target:
        groups = [Operation(name, Kind.GROUP, Action.CREATE, attributes={"name": name}) for name in ("inner", "outer")]
        inner, outer = (outcome.anchor for outcome in target.apply(groups))
    database = sqlite3.connect(tmp_path / "ad.db")
    database.executescript("DROP TABLE nesting; PRAGMA user_version = 1")
    database.close()
    with opened() as target:
        assert [item for item in target.read(Kind.NESTING) if isinstance(item, RemoteObject)] == []
        nest = Operation("n", Kind.NESTING, Action.CREATE, anchor=outer, member=inner)
        assert [outcome.error for outcome in target.apply([nest])] == [None]
        assert [item.anchor for item in target.read(Kind.NESTING) if isinstance(item, RemoteObject)] == [
            f"{outer}/{inner}"
        ]


def test_a_group_is_never_in_itself(opened: Opener) -> None:
    """Neither at once nor by way of others, within a batch or over several."""
    with opened() as target:
        groups = [Operation(name, Kind.GROUP, Action.CREATE, attributes={"name": name}) for name in "abc"]
        a, b, c = (outcome.anchor for outcome in target.apply(groups))
        pairs = [(a, a), (a, b), (b, c), (c, a)]
        batch = [
            Operation(str(number), Kind.NESTING, Action.CREATE, anchor=outer, member=inner)
            for number, (outer, inner) in enumerate(pairs)
        ]
        outcomes = {outcome.operation_id: outcome.error for outcome in target.apply(batch)}
        assert {key: type(error) for key, error in outcomes.items()} == {
            "0": Rejected,
            "1": type(None),
            "2": type(None),
            "3": Rejected,
        }
        (again,) = target.apply([Operation("5", Kind.NESTING, Action.CREATE, anchor=c, member=a)])
        assert isinstance(again.error, Rejected)


def test_another_file_is_not_touched(opened: Opener, tmp_path: Path) -> None:
    """A database that is something else is refused, and stays byte for byte as it was."""
    database = sqlite3.connect(tmp_path / "ad.db")
    database.execute("CREATE TABLE precious (x)")
    database.close()
    before = (tmp_path / "ad.db").read_bytes()
    with opened() as target:
        for use in (target.check, lambda: list(target.apply([create(1)])), lambda: list(target.read(Kind.GROUP))):
            with pytest.raises(Unavailable):
                use()
    assert (tmp_path / "ad.db").read_bytes() == before


def test_a_damaged_file_is_unavailable(opened: Opener, tmp_path: Path) -> None:
    """What SQLite says becomes an error of the contract, with the cause chained to it."""
    (tmp_path / "ad.db").write_bytes(b"no database at all" * 100)
    with opened() as target, pytest.raises(Unavailable) as caught:
        target.check()
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


def test_a_token_of_another_file_is_stale(opened: Opener, tmp_path: Path) -> None:
    """A directory that was put back from a backup, or made anew, must be read fully."""
    with opened() as target:
        list(target.apply([create(1)]))
        *_, token = target.read(Kind.ACCOUNT)
    for file in tmp_path.iterdir():
        file.unlink()
    with opened() as target:
        list(target.apply([create(1)]))
        assert isinstance(token, ResumeToken)
        with pytest.raises(Exception, match="not of this directory"):
            list(target.read(Kind.ACCOUNT, token))


def test_a_changed_index_is_built_anew(opened: Opener) -> None:
    """Values that were stored before an attribute became unique count from then on."""
    with opened() as target:
        list(target.apply([create(1, mail="a@x.no")]))
    with opened(unique=("mail",)) as target:
        assert len(target.find(Kind.ACCOUNT, {"mail": "A@x.no"})) == 1
        (outcome,) = target.apply([create(2, mail="A@x.no")])
        assert isinstance(outcome.error, AlreadyExists)
        assert outcome.error.attribute == "mail"


def test_a_batch_that_is_too_long_is_a_programming_error(opened: Opener) -> None:
    """Nothing of it is done."""
    with opened(batch_size=1) as target:
        with pytest.raises(ValueError, match="batch of at most 1"):
            list(target.apply([create(1), create(2)]))
        assert names(target) == []


def test_a_reader_keeps_its_snapshot(opened: Opener) -> None:
    """What is written while somebody reads appears in the next read, incremental or full."""
    with opened() as writer, opened() as reader:
        list(writer.apply([create(number) for number in range(3)]))
        reading = reader.read(Kind.ACCOUNT)
        next(reading)
        list(writer.apply([create(3)]))
        *rest, token = reading
        assert len(rest) == 2
        assert isinstance(token, ResumeToken)
        *late, _ = reader.read(Kind.ACCOUNT, token)
        assert [item.anchor for item in late if isinstance(item, RemoteObject)] == ["object-00000004"]


# ---------------------------------------------------------------- what the contract leaves open


def test_a_deleted_accounts_name_is_free_and_bars_its_restoring(opened: Opener) -> None:
    """Of two accounts that want one name, the one that lives keeps it."""
    with opened() as target:
        (made,) = target.apply([create(1)])
        list(target.apply([Operation("d", Kind.ACCOUNT, Action.DELETE, anchor=made.anchor)]))
        other = Operation("o", Kind.ACCOUNT, Action.CREATE, "somebody else", attributes={"username": "USER1"})
        assert [outcome.error for outcome in target.apply([other])] == [None]
        (restored,) = target.apply([Operation("r", Kind.ACCOUNT, Action.RESTORE, anchor=made.anchor)])
        assert isinstance(restored.error, AlreadyExists)
        assert restored.error.attribute == "username"


def test_a_role_changes_in_whichever_order(opened: Opener) -> None:
    """The end of one role and the beginning of the next do not depend on one another."""
    with opened() as target:
        group = Operation("g", Kind.GROUP, Action.CREATE, attributes={"name": "g"})
        outcomes = list(target.apply([create(1), create(2), group]))
        one, two, anchor = (outcome.anchor for outcome in outcomes)

        def link(action: Action, account: str | None, role: str) -> Operation:
            return Operation(
                f"{action}{role}{account}", Kind.MEMBERSHIP, action, anchor=anchor, account=account, role=role
            )

        list(target.apply([link(Action.CREATE, one, "member"), link(Action.CREATE, two, "member")]))
        list(target.apply([link(Action.CREATE, one, "owner"), link(Action.DELETE, one, "member")]))
        list(target.apply([link(Action.DELETE, two, "member"), link(Action.CREATE, two, "owner")]))
        roles = [item.role for item in target.read(Kind.MEMBERSHIP) if isinstance(item, RemoteObject)]
        assert roles == ["owner", "owner"]


def test_unknown_licences_are_refused(opened: Opener) -> None:
    """Where products are listed, no other is given."""
    with opened(seats={"A3": None}) as target:
        (made,) = target.apply([create(1)])
        (outcome,) = target.apply([Operation("l", Kind.LICENCE, Action.CREATE, account=made.anchor, sku="A5")])
        assert isinstance(outcome.error, Rejected)
        assert [(stock.sku, stock.total, stock.used) for stock in target.licences()] == [("A3", None, 0)]


def test_what_is_gone_leaves_nothing_of_the_person(opened: Opener, tmp_path: Path) -> None:
    """A permanently deleted account keeps its anchor, for incremental reads, and no attribute."""
    with opened() as target:
        (made,) = target.apply([create(1, displayName="Kari Nordmann")])
        list(target.apply([Operation("d", Kind.ACCOUNT, Action.DELETE, anchor=made.anchor, permanent=True)]))
    database = sqlite3.connect(tmp_path / "ad.db")
    assert database.execute("SELECT attributes FROM object").fetchall() == [("{}",)]
    assert database.execute("SELECT count(*) FROM value").fetchall() == [(0,)]
    database.close()


# ---------------------------------------------------------------- failures on demand


@pytest.mark.parametrize(("kind", "error"), [("transient", Transient), ("rejected", Rejected)])
def test_one_operation_fails_alone(opened: Opener, kind: str, error: type[Exception]) -> None:
    """Each third operation is refused; the others of its batch are carried out."""
    with opened(faults={"fail": [{"kind": kind, "every": 3}]}) as target:
        outcomes = list(target.apply([create(number) for number in range(4)]))
        assert [type(outcome.error) for outcome in outcomes] == [type(None), type(None), error, type(None)]
        assert names(target) == ["user0", "user1", "user3"]


@pytest.mark.parametrize(("kind", "error"), [("throttled", Throttled), ("unavailable", Unavailable)])
def test_a_batch_breaks_off(opened: Opener, kind: str, error: type[Throttled | Unavailable]) -> None:
    """Outcomes before the failure stand, nothing behind it is done, and a repeat gets further."""
    fault = {"kind": kind, "operations": [2], "retry_after_seconds": 7}
    batch = [create(number) for number in range(3)]
    with opened(faults={"fail": [fault]}) as target:
        outcomes = []
        with pytest.raises(error) as caught:
            outcomes.extend(target.apply(batch))
        assert caught.value.retry_after_seconds == 7
        assert names(target) == ["user0"]
        assert [outcome.error for outcome in target.apply(batch)] == [None, None, None]
        assert names(target) == ["user0", "user1", "user2"]


def test_a_lost_answer_leaves_the_operation_done(opened: Opener) -> None:
    """The caller cannot know, repeats, and is told the anchor of what was made the first time."""
    with opened(faults={"fail": [{"kind": "lost_answer", "operations": [1]}]}) as target:
        with pytest.raises(Unavailable):
            list(target.apply([create(1)]))
        assert names(target) == ["user1"]
        (outcome,) = target.apply([create(1)])
        assert (outcome.error, outcome.anchor) == (None, "object-00000001")


def test_failures_are_counted_over_processes(opened: Opener) -> None:
    """A target that is opened anew for each operation still fails at the third."""
    errors = []
    for number in range(4):
        with opened(faults={"fail": [{"kind": "rejected", "operations": [3]}]}) as target:
            errors += [outcome.error is not None for outcome in target.apply([create(number)])]
    assert errors == [False, False, True, False]


def test_a_failure_is_about_what_it_names(opened: Opener) -> None:
    """Other actions and other kinds of object are neither struck nor counted."""
    fault = {"kind": "rejected", "operations": [1], "action": "create", "object_kind": "group"}
    group = Operation("g", Kind.GROUP, Action.CREATE, attributes={"name": "g"})
    with opened(faults={"fail": [fault]}) as target:
        errors = [outcome.error for outcome in target.apply([create(1), group, create(2)])]
        assert [type(error) for error in errors] == [type(None), Rejected, type(None)]


@pytest.mark.parametrize("fault", [{"kind": "rejected"}, {"kind": "rejected", "every": 1, "operations": [1]}])
def test_a_failure_needs_a_moment(fault: dict[str, Any]) -> None:
    """One that could never strike, or that says two things, is an error of configuration."""
    with pytest.raises(ValidationError):
        EmbeddedOptions(path="x", faults={"fail": [fault]})


def test_latency_is_slept_once_a_batch(tmp_path: Path) -> None:
    """In seconds, before anything is done."""
    slept: list[float] = []
    options = EmbeddedOptions(path="ad.db", faults={"latency_ms": 250})
    with EmbeddedTarget(tmp_path / "ad.db", options, sleep=slept.append) as target:
        list(target.apply([create(1), create(2)]))
    assert slept == [0.25]


# ---------------------------------------------------------------- crashes

_ENDLESS = """
import sys
from pathlib import Path
from connectors.contract import Action, Kind, Operation
from connectors.embedded import connector
target = connector.open_target(connector.options(path="ad.db", anchors="counted"), Path(sys.argv[1]))
for batch in range(100_000):
    made = [
        Operation(f"{batch}-{i}", Kind.ACCOUNT, Action.CREATE, f"{batch}-{i}", attributes={"username": f"{batch}-{i}"})
        for i in range(50)
    ]
    for outcome in target.apply(made):
        print(outcome.operation_id, outcome.anchor, flush=True)
"""


def test_a_killed_process_loses_no_outcome_and_halves_no_batch(opened: Opener, tmp_path: Path) -> None:
    """Every outcome that was reported is true, batches are whole, and a repeat finds what was made."""
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    reported = [process.stdout.readline().split() for _ in range(175)]
    os.kill(process.pid, signal.SIGKILL)
    reported += [line.split() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.stdout.close()
    process.wait()
    with opened() as target:
        made = names(target)
        assert len(made) % 50 == 0
        assert {name for name, _ in reported} <= set(made)
        name, anchor = reported[-1]
        repeat = Operation(name, Kind.ACCOUNT, Action.CREATE, name, attributes={"username": name})
        assert [outcome.anchor for outcome in target.apply([repeat])] == [anchor]


def test_two_processes_write_without_losing_anything(opened: Opener, tmp_path: Path) -> None:
    """Writers wait for one another; a reader meanwhile sees whole batches only."""
    script = _ENDLESS.replace("100_000", "10").replace('f"{batch}-{i}"', 'f"{sys.argv[2]}-{batch}-{i}"')
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name], stdout=subprocess.DEVNULL)
        for name in ("a", "b")
    ]
    sizes = set()
    with opened() as reader:
        while any(writer.poll() is None for writer in writers):
            sizes.add(len(names(reader)))
        assert [writer.returncode for writer in writers] == [0, 0]
        assert {size % 50 for size in sizes} == {0}
        assert len(set(names(reader))) == 1000


def test_of_a_password_it_is_kept_only_that_it_was_given(tmp_path: Path):
    """A rehearsal can see that an account got one, and the file holds nothing of it."""
    options = EmbeddedOptions(path="ad.db", anchors="counted", passwords=True)
    create = Operation(
        "1", Kind.ACCOUNT, Action.CREATE, attributes={"username": "karhan"}, password=Password("Riktig-hest-batteri-7")
    )
    with EmbeddedTarget(tmp_path / "ad.db", options) as target:
        (made,) = target.apply([create])
        again = Operation("2", Kind.ACCOUNT, Action.UPDATE, anchor=made.anchor, password=Password("Ny-kode-77", False))
        list(target.apply([again]))
        assert target.given_passwords() == {made.anchor: (2, False)}
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"Riktig" not in held
    assert b"Ny-kode" not in held


def test_without_passwords_it_passes_them_over(tmp_path: Path):
    """As a target that takes none: even a weak one is nothing to it."""
    create = Operation("1", Kind.ACCOUNT, Action.CREATE, attributes={"username": "karhan"}, password=Password("x"))
    with EmbeddedTarget(tmp_path / "ad.db", EmbeddedOptions(path="ad.db")) as target:
        (made,) = target.apply([create])
        assert made.error is None
        assert target.given_passwords() == {}


def test_a_password_gone_with_its_account_is_forgotten(tmp_path: Path):
    """What is deleted for good leaves no trace of a password."""
    options = EmbeddedOptions(path="ad.db", anchors="counted", passwords=True)
    create = Operation(
        "1", Kind.ACCOUNT, Action.CREATE, attributes={"username": "karhan"}, password=Password("Riktig-hest-7")
    )
    with EmbeddedTarget(tmp_path / "ad.db", options) as target:
        (made,) = target.apply([create])
        list(target.apply([Operation("2", Kind.ACCOUNT, Action.DELETE, anchor=made.anchor, permanent=True)]))
        assert target.given_passwords() == {}


# ---------------------------------------------------------------- protection


@pytest.mark.parametrize(
    ("value", "is_protected"),
    [
        (1, True),
        ("yes", True),
        (True, True),
        # what says that it is not
        (0, False),
        (False, False),
        ("0", False),
    ],
)
@pytest.mark.parametrize("attributes", [None, (), ("adminCount",)])
def test_what_holds_the_attribute_is_protected(
    opened: Opener, value: Value, is_protected: bool, attributes: tuple[str, ...] | None
) -> None:
    """However few attributes are asked for, and for nobody beside."""
    with opened(protected_by="adminCount") as target:
        list(target.apply([create(1, adminCount=value), create(2)]))
        read = [one for one in target.read(Kind.ACCOUNT, None, attributes) if isinstance(one, RemoteObject)]
        (found,) = target.find(Kind.ACCOUNT, {"username": "user1"})

    assert [one.protected for one in read] == [is_protected, False]
    assert found.protected is is_protected
    assert ("adminCount" in read[0].attributes) is (attributes != ())
