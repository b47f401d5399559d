"""What no rule needs is not kept, and what is secret cannot be read by whoever finds a file."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eadm_sync.app.logs import OWN
from eadm_sync.delivery.payload import unpack
from eadm_sync.errors import StateError
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault

from .conftest import Town


def national_ids(town: Town) -> set[bytes]:
    """Every national id that stands in the sources' files."""
    with town.file("hr/persons.csv").open(encoding="utf-8", newline="") as file:
        found = {row["Fødselsnummer"] for row in csv.DictReader(file, delimiter=";")}
    with town.file("school/users.csv").open(encoding="utf-8", newline="") as file:
        found |= {row["identifier"] for row in csv.DictReader(file)}
    return {number.encode() for number in found if number}


def var_files(town: Town) -> dict[str, bytes]:
    """What the program keeps, file by file."""
    return {path.name: path.read_bytes() for path in (town.folder / "var").iterdir() if path.is_file()}


def test_no_national_id_can_be_read_in_any_file_of_the_program(town: Town):
    """Neither the state nor a target holds one in clear, whether as text or packed; not while changes are queued."""
    numbers = national_ids(town)
    assert len(numbers) > 200

    town.sync(deliver=False)
    while_queued = var_files(town)
    town.sync()

    for files in (while_queued, var_files(town)):
        for name, content in files.items():
            assert not [number for number in numbers if number in content], name


def test_no_log_line_tells_of_a_person(
    town: Town, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    """Logs hold ids and figures: no name, no national id, also where a target fails and a source breaks."""
    caplog.set_level(logging.DEBUG)
    numbers = national_ids(town)
    town.fail("ad", {"kind": "rejected", "every": 3})
    town.fail("entra", {"kind": "unavailable", "every": 50})
    town.sync()
    town.file("hr/positions.csv").write_bytes(town.file("hr/positions.csv").read_bytes()[:-40])
    town.sync()

    captured = capsys.readouterr()
    text = captured.out + captured.err + caplog.text
    names = {row.name for row in town.rows(tables.people)}
    assert "run.ended" in text
    assert not [number for number in numbers if number.decode() in text]
    assert not [name for name in names if name in text]


def test_a_saved_plan_holds_no_national_id_and_no_secret(town: Town):
    """A sensitive attribute is planned, delivered and known, and never shown."""
    _send_national_ids(town)
    numbers = national_ids(town)

    file = town.save()

    content = file.read_bytes()
    assert not [number for number in numbers if number in content]
    assert b'"norEduPersonNIN":{"old":null,"new":"***"}' in content


def _send_national_ids(town: Town) -> None:
    """Has a rule send the national id to AD, as a sensitive attribute."""
    path = town.folder / "rulesets" / "employees.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(
            '      info: "{{ jobs[affiliation.title].field }}"\n',
            '      info: "{{ jobs[affiliation.title].field }}"\n      norEduPersonNIN: "{{ person.national_id }}"\n',
        ),
        encoding="utf-8",
    )


def test_a_sensitive_attribute_reaches_its_target_and_nothing_else(town: Town):
    """The target holds the plain value; state, queue, audit and plans hold it sealed, and the next run knows it."""
    _send_national_ids(town)
    numbers = national_ids(town)
    town.sync(deliver=False)
    while_queued = var_files(town)

    town.sync()

    sent = {one[0].get("norEduPersonNIN") for one in town.content("ad")["accounts"].values()} - {None}
    assert len(sent) > 50
    assert {number.encode() for number in sent} <= numbers
    for files in (while_queued, var_files(town)):
        for name, content in files.items():
            assert name == "ad.db" or not [number for number in numbers if number in content], name
    town.sync()
    assert town.made
    assert town.made.lines == []
    assert town.plan().lines == []


def test_a_queued_change_cannot_be_read_without_the_key(small_town: Town):
    """A payload holds no name in clear, opens with the installation's key, and with no other."""
    small_town.sync(deliver=False)
    items = small_town.items()
    names = {name.encode() for row in small_town.rows(tables.people) for name in row.name.split() if len(name) > 3}
    key_file = small_town.folder / "var" / "eadm-sync.key"

    assert not [name for name in names for item in items if name in item.payload]
    assert {unpack(item.payload, item.format, small_town.context.vault).subject for item in items} == {
        item.subject for item in items
    }
    key_file.unlink()
    _new_key(key_file)
    with pytest.raises(StateError, match="not in the key file"):
        unpack(items[0].payload, items[0].format, small_town.context.vault)


def _new_key(path: Path) -> Vault:
    from eadm_sync.config.keys import write_key_file  # noqa: PLC0415 - this helper only

    return Vault([write_key_file(path)])


def test_changes_queued_under_a_lost_key_are_kept(small_town: Town):
    """Without the key nothing is delivered, planned, or counted as a failure; with it, everything is delivered."""
    small_town.sync(deliver=False)
    queued = len(small_town.items())
    key_file = small_town.folder / "var" / "eadm-sync.key"
    key = key_file.read_bytes()
    key_file.unlink()
    _new_key(key_file)

    for attempt in (small_town.deliver, small_town.sync):
        with pytest.raises(StateError, match="put the right one back"):
            attempt()

    assert len(small_town.items()) == queued
    assert {item.attempts for item in small_town.items()} == {0}
    key_file.write_bytes(key)
    small_town.deliver_to_the_end()
    small_town.assert_settled()


def test_only_mapped_columns_are_kept(settled: Town):
    """What HR exports and no mapping names is not in the state: private addresses, birth dates."""
    with settled.file("hr/persons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    private = {value.encode() for row in rows for value in row.values() if value.endswith("@post.example")}

    content = var_files(settled)["eadm-sync.db"]

    assert private
    assert not [address for address in private if address in content]


def test_a_forged_payload_is_not_delivered(small_town: Town):
    """Somebody with access to the database, but not to the key, cannot put a change into the queue."""
    small_town.sync(deliver=False)
    item = next(item for item in small_town.items() if item.operation == "create account" and item.target == "ad")
    changed = bytes([*item.payload[:-1], item.payload[-1] ^ 1])
    _set_payload(small_town, item.id, changed)

    small_town.deliver()

    assert item.subject not in small_town.content("ad")["accounts"]
    (left,) = [left for left in small_town.items() if left.id == item.id]
    assert left.last_error
    assert "does not match its key" in left.last_error


def _set_payload(town: Town, item_id: int, payload: bytes) -> None:
    from eadm_sync.app.context import complete_metadata  # noqa: PLC0415 - this helper only

    queue: Any = complete_metadata().tables
    table = next(table for name, table in queue.items() if "payload" in table.c)
    town.alter(sa.update(table).where(table.c.id == item_id).values(payload=payload))


@pytest.fixture(autouse=True)
def _plain_logs() -> Any:
    """Everything is logged that a fresh process would log, whatever another test has set."""
    for name in OWN:
        logging.getLogger(name).setLevel(logging.NOTSET)
