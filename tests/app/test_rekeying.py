from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, select

from eadm_sync.app.context import complete_metadata
from eadm_sync.app.delivering import deliver
from eadm_sync.app.rekeying import keys, prepare, resealed, retire, rotate
from eadm_sync.app.reporting import report_of
from eadm_sync.config.keys import Key, read_keys
from eadm_sync.delivery.payload import unpack
from eadm_sync.errors import StateBusy, StateError
from eadm_sync.model import Person, Sealed
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault, header

from .conftest import Place

ITEMS = complete_metadata().tables["queue_items"]
OLD, NEW = Key("old1", b"o" * 32), Key("new1", b"n" * 32)


def key_file(place: Place) -> Path:
    """The installation's key file."""
    return place.folder / "var" / "eadm-sync.key"


def rows_with(place: Place, key: str) -> dict[str, int]:
    """How many rows of each table hold the mark of a key, in the row itself or within a payload."""
    mark = header(key.encode())
    vault = place.context.vault
    found = {}
    with place.context.reading() as database, database.read() as connection:
        for table in complete_metadata().sorted_tables:
            binary = [column for column in table.c if isinstance(column.type, LargeBinary)]
            for row in connection.execute(select(*binary)) if binary else ():
                data = [value for value in row if value]
                if table.name == "queue_items":
                    data += [vault.decrypt(value, b"queue payload") for value in data]
                found[table.name] = found.get(table.name, 0) + any(mark in value for value in data)
    return {name: number for name, number in found.items() if number}


def send_national_ids(place: Place) -> None:
    """Has a rule send the national id to AD, as a sensitive attribute: it is then sealed in state, queue and audit."""
    place.edit(
        "employees.yaml",
        '      info: "{{ jobs[affiliation.title].field }}"\n',
        '      info: "{{ jobs[affiliation.title].field }}"\n      norEduPersonNIN: "{{ person.national_id }}"\n',
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, place: Place) -> Place:
    """A town whose national ids are in known state and audit, and some on their way; on either database."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        config = place.folder / "config.yaml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("sqlite:///var/eadm-sync.db", url), encoding="utf-8")
        for target in (place.folder / "var").glob("*.db*"):
            target.unlink()
    send_national_ids(place)
    place.sync(deliver=True)
    place.edit("employees.yaml", 'info: "{{ jobs[affiliation.title].field }}"', 'info: "{{ affiliation.title }}"')
    place.edit("employees.yaml", 'norEduPersonNIN: "{{ person.national_id }}"', 'norEduPersonNIN: "{{ person.id }}"')
    place.sync(deliver=False)
    return place


def test_keys_are_rotated_while_changes_are_on_their_way(town: Place):
    """Nothing is lost, nobody looks new, the old key is gone from everywhere, and what was queued arrives."""
    (old,) = read_keys(key_file(town))
    fingerprint = town.context.vault.fingerprint
    assert rows_with(town, old.id).keys() >= {"people", "source_records", "known_accounts", "audit", "queue_items"}

    new = rotate(town.context)
    place_edit_again(town)  # what is queued now is sealed with the new key, and holds values under the old one
    town.sync(deliver=False)
    retired = retire(town.context)

    assert retired.keys == (old.id,)
    assert rows_with(town, old.id) == {}
    assert [key.id for key in read_keys(key_file(town))] == [new.id, "digest"]
    assert town.context.vault.fingerprint == fingerprint
    assert all(report.is_complete for report in deliver(town.context))
    town.sync(deliver=True)
    assert report_of(town.context).changes == ()


def place_edit_again(town: Place) -> None:
    """Has everybody's national id removed and sent anew, so that old sealed values stand within new payloads."""
    town.edit("employees.yaml", 'info: "{{ affiliation.title }}"', 'info: "{{ affiliation.title }}!"')


def test_every_sealed_value_opens_after_the_old_key_is_gone(town: Place):
    """National ids of people and the changes of the queue can be read with the new key alone."""
    people = {row.id: row.data for row in _rows(town, tables.people)}
    decode = msgspec.msgpack.Decoder(Person).decode
    vault = town.context.vault
    before = {
        id_: vault.open(sealed, "national_id") for id_, data in people.items() if (sealed := decode(data).national_id)
    }
    assert len(before) > 30

    rotate(town.context)
    retire(town.context)

    vault = town.context.vault
    after = {
        row.id: vault.open(sealed, "national_id")
        for row in _rows(town, tables.people)
        if (sealed := decode(row.data).national_id)
    }
    assert after == before
    sealed_values = 0
    for item in _rows(town, ITEMS):
        for name, pair in unpack(item.payload, item.format, vault).attributes.items():
            for value in pair:
                if isinstance(value, Sealed):
                    assert vault.open(value, name)
                    sealed_values += 1
    assert sealed_values > 30


def _rows(place: Place, table: Any) -> list[Any]:
    with place.context.reading() as database, database.read() as connection:
        return list(connection.execute(select(table)))


def test_a_running_process_takes_the_new_key_up(place: Place):
    """It opens what another one sealed with it, and seals with it itself from its next run on."""
    daemon = place.context
    before = daemon.vault.current

    new = rotate(place.context)
    sealed = place.context.vault.encrypt(b"x", b"p")

    assert daemon.vault.current == before
    assert daemon.vault.decrypt(sealed, b"p") == b"x"
    assert daemon.vault.current == new.id


def test_a_key_is_prepared_before_it_is_used(place: Place):
    """Every machine gets the file first; then it is rotated to."""
    (old,) = read_keys(key_file(place))

    prepared = prepare(place.context)

    assert [(one.id, one.use) for one in keys(place.context)] == [(prepared.id, "next"), (old.id, "seals")]
    with pytest.raises(StateError, match="not used yet"):
        prepare(place.context)
    assert retire(place.context).keys == ()
    assert rotate(place.context).id == prepared.id
    assert [(one.id, one.use) for one in keys(place.context)] == [(prepared.id, "seals"), (old.id, "opens")]


def test_keys_are_rotated_again_and_again(place: Place):
    """Also those that came after the first; digests stay what they were."""
    fingerprint = place.context.vault.fingerprint
    for _ in range(3):
        new = rotate(place.context)
        retire(place.context)
        assert [one.use for one in keys(place.context)] == ["seals", "digests"]
        place.sync()
        assert report_of(place.context).changes == ()

    assert place.context.vault.current == new.id
    assert place.context.vault.fingerprint == fingerprint


def test_rotation_and_retirement_are_audited(place: Place):
    """By whom and when, with the key's id."""
    (old,) = read_keys(key_file(place))
    new = rotate(place.context)
    retire(place.context)

    entries = [(row.action, row.object) for row in _rows(place, tables.audit) if row.kind == "key"]
    assert entries == [("rotate", new.id), ("retire", old.id)]


def test_an_old_key_stays_while_a_delivery_may_bring_its_values_back(place: Place):
    """What a worker holds is waited for; where it does not end, nothing is taken out."""
    place.edit("employees.yaml", 'info: "{{ jobs[affiliation.title].field }}"', 'info: "{{ affiliation.title }}"')
    place.sync()
    context = place.context
    with context.writing() as database, database.write() as connection:
        held = context.queue.claim(connection, "ad", limit=3, lease_seconds=1_000_000, worker="w")
    assert held
    rotate(place.context)
    waits: list[float] = []

    retired = retire(place.context, patience_seconds=3, sleep=waits.append)

    assert (retired.keys, retired.left, waits) == ((), len(held), [1, 1, 1])
    assert len(read_keys(key_file(place))) == 2

    def end(_seconds: float) -> None:
        with context.writing() as database, database.write() as connection:
            context.queue.finish(connection, held)

    assert retire(place.context, sleep=end).keys


def test_nothing_plans_while_keys_are_retired(place: Place):
    """A plan made with the old key would be queued under it."""
    rotate(place.context)
    with place.context.writing() as database, database.run_lock(), pytest.raises(StateBusy):
        retire(place.context)


def test_without_an_old_key_there_is_nothing_to_retire(place: Place):
    """The file stays as it is."""
    before = key_file(place).read_bytes()

    assert retire(place.context).keys == ()
    assert key_file(place).read_bytes() == before


def test_a_value_that_does_not_open_keeps_the_keys(place: Place):
    """A tampered row is told, and no key is lost over it."""
    rotate(place.context)
    person = next(row for row in _rows(place, tables.people) if b"ciphertext" in row.data)
    mark = person.data.index(b"ciphertext") + 30
    broken = person.data[:mark] + bytes([person.data[mark] ^ 1]) + person.data[mark + 1 :]
    with place.context.writing() as database, database.write() as connection:
        connection.execute(tables.people.update().where(tables.people.c.id == person.id).values(data=broken))

    with pytest.raises(StateError):
        retire(place.context)

    assert len(read_keys(key_file(place))) == 2


def test_a_key_file_of_another_state_is_not_rotated(place: Place):
    """The right one has to be put back first."""
    key_file(place).write_text(f"eadm-sync-key-1 other {'A' * 43}=\n", encoding="ascii")

    with pytest.raises(StateError, match="put the right one back"):
        rotate(place.context)


@given(
    before=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=15,
    ),
    secret=st.text(max_size=20),
)
def test_only_sealed_values_are_touched(before: object, secret: str):
    """Whatever stands around them comes back as it was; without any, the very bytes do."""
    old, both = Vault([OLD]), Vault([NEW, OLD])
    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode
    sealed = old.seal(secret, "national_id")

    assert resealed(encode(before), both) == encode(before)
    again = decode(resealed(encode([before, {"national_id": [None, sealed]}]), both))

    assert again[0] == decode(encode(before))
    fresh = Sealed(**again[1]["national_id"][1])
    assert fresh == sealed
    assert Vault([NEW, Key("x", OLD.secret)]).open(fresh, "national_id") == secret


def test_what_is_no_msgpack_is_left_alone():
    """The audit keeps some reasons as plain text."""
    assert resealed(b"\xc1 no msgpack", Vault([NEW, OLD])) == b"\xc1 no msgpack"


def test_every_binary_column_is_sealed_anew_or_known_to_hold_nothing_sealed():
    """Whoever adds a column decides: what is forgotten here cannot be read once a key has been retired."""
    columns = {
        f"{table.name}.{column.name}"
        for table in complete_metadata().sorted_tables
        for column in table.c
        if isinstance(column.type, LargeBinary)
    }
    sealed = {
        *("source_records.data", "people.data", "known_accounts.attributes", "known_groups.attributes"),
        "recycled_accounts.attributes",
        *("audit.detail", "queue_items.payload"),
        "passwords.sealed",
        *("known_scripts.owed", "known_scripts.output"),
    }
    hashes = {
        *("source_records.hash", "link_keys.digest", "reservations.digest"),
        *("audit.salt", "audit.detail_digest", "audit.digest"),
        *("known_accounts.altered", "known_groups.altered"),  # sealed values stand there by their hashes
        *("drift.former", "drift.present"),  # as before
    }
    of_nobody = {
        *("units.data", "class_groups.data", "plans.basis", "plans.summary"),
        *("runs.report", "ruleset_versions.files"),
    }

    assert columns - hashes - of_nobody == sealed
