"""Reads one source, streaming: rows that belong to people are grouped, then people pass one by one.

A person whose row and grouped rows hash to what is stored is unchanged, and nothing else is computed. Only changed
ones are mapped; they are kept as bytes, so that memory grows with what changed and not with the population.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b

from connectors.contract import BadRecord, Record, Source
from eadm_sync.importing.children import LOCATION, SEPARATOR, ChildRow, ChildRows, payload
from eadm_sync.importing.keys import KeyMask
from eadm_sync.importing.mapping import CompiledMapping, Entry, Values
from eadm_sync.importing.organisation import ManagerKey, OrganisationRows
from eadm_sync.importing.people import PersonMapper
from eadm_sync.importing.records import Quarantined, SourcePerson
from eadm_sync.importing.staging import HASH_BYTES, Staged
from eadm_sync.importing.values import Unconvertible
from eadm_sync.state.crypto import Vault

Progress = Callable[[str, int], None]
"""Called now and then with a source's name and the number of its rows read so far."""

LOOK_AGAIN = bytes(HASH_BYTES)
"""Stored instead of a hash where a record was only half good: the next import maps it anew and reports it anew."""

Place = Record | BadRecord | ChildRow | ManagerKey
"""Anything that knows its file and line."""

_PROGRESS_EVERY = 5_000
_MAX_LISTED = 1_000  # more bad rows than an operator reads one by one; the others are counted
_CHUNK = 500
_CHILD_ROLES = ("affiliations", "class_memberships")


@dataclass
class Former:
    """What is stored of one source's people.

    Attributes:
        hashes: Key → hash of each present record. Reading replaces a hash by an int once it has seen the key.
        absent: Keys of the records that are absent already.
        people: Loads the stored records with these keys; unknown ones are left out.
    """

    hashes: dict[str, bytes | int]
    absent: set[str]
    people: Callable[[list[str]], dict[str, SourcePerson]]


@dataclass
class Reading:
    """What one source had to say.

    Attributes:
        source: Its name.
        staged: The records that are new, changed or back.
        population: How many records were present before.
        unchanged: Records that are as they were, or that have to stay so.
        vanished: Keys that were present before and are not any more.
        bare: Staged keys that have lost all the affiliations they had.
        reused: How many known keys were left out because they are about another human being now.
        rows: Rows read, of all tables.
        organisation: Units and class groups.
        managers_here: Keys of managers of units whose record this source has or had.
        quarantined: What was left out; at most a thousand.
        quarantined_count: How many there were.
        incomplete: Why absences prove nothing, or None.
        snapshot: Hash of all that was read, whatever its order.
    """

    source: str
    staged: Staged
    population: int
    unchanged: int = 0
    vanished: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    reused: int = 0
    rows: int = 0
    organisation: OrganisationRows = field(default_factory=OrganisationRows)
    managers_here: set[str] = field(default_factory=set)
    quarantined: list[Quarantined] = field(default_factory=list)
    quarantined_count: int = 0
    incomplete: str | None = None
    snapshot: str = ""

    def quarantine(self, place: Place, key: str | None, name: str | None, reason: str) -> None:
        """Lists something that is left out."""
        self.quarantined_count += 1
        if len(self.quarantined) < _MAX_LISTED:
            self.quarantined.append(Quarantined(self.source, "record", place.file, place.line, key, name, reason))

    def refuse(self, key: str, name: str, reason: str) -> None:
        """Leaves out a staged record; what is stored of it, if anything is, stays as it was."""
        self.unchanged += not self.staged.is_new(key)
        self.staged.drop(key)
        self.bare = [each for each in self.bare if each != key]
        self.quarantined_count += 1
        if len(self.quarantined) < _MAX_LISTED:
            self.quarantined.append(Quarantined(self.source, "record", "", 0, key, name, reason))

    def distrust(self, place: Record | BadRecord, reason: str) -> None:
        """Notes that absences prove nothing, since nobody knows whose this row was; the first reason is kept."""
        if self.incomplete is None:
            self.incomplete = f"{place.file}:{place.line}: {reason}"


class SourceReader:
    """Reads one source once."""

    def __init__(
        self,
        source: Source,
        mapping: CompiledMapping,
        former: Former,
        vault: Vault,
        staged: Staged,
        *,
        today: date,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._mapping = mapping
        self._former = former
        self._mask = KeyMask(vault)
        self._hash_key = vault.digest("mapping", mapping.fingerprint)
        self._progress = progress
        self._reading = Reading(staged.source, staged, population=len(former.hashes))
        self._children = ChildRows([entry for entry in mapping.entries if entry.role in _CHILD_ROLES])
        self._mapper = PersonMapper(staged.source, vault, self._mask, today)
        self._lost: set[str] = set()  # people with a row that nobody could read
        self._passed_over: set[str] = set()  # people who are there, but filtered out
        self._bare: list[str] = []
        self._total = 0

    def read(self) -> Reading:
        """Reads everything.

        Raises:
            ConnectorError: The source cannot be read (any more); what was read so far is worthless.
        """
        reading, hashes = self._reading, self._former.hashes
        self._read_organisation()
        self._read_children()
        self._read_people()
        self._report_orphans()
        reading.vanished = [key for key, state in hashes.items() if type(state) is bytes]
        reading.bare = self._that_had_affiliations(self._bare)
        managers = {manager.key for manager in reading.organisation.managers.values()}
        reading.managers_here = {key for key in managers if key in hashes or key in self._former.absent}
        reading.snapshot = f"{self._total % (1 << 8 * HASH_BYTES):0{2 * HASH_BYTES}x}"
        return reading

    def _rows(self, table: str) -> Iterator[Record | BadRecord]:
        """All rows of a table, counted; of bad ones, the snapshot takes note."""
        reading, progress, number = self._reading, self._progress, self._reading.rows
        for number, row in enumerate(self._source.read(table), reading.rows + 1):
            if progress is not None and not number % _PROGRESS_EVERY:
                progress(reading.source, number)
            if isinstance(row, BadRecord):
                self._digest(f"{table}{SEPARATOR}{row.column}{SEPARATOR}{row.reason}{SEPARATOR}{row.values}")
                if row.truncated:
                    reading.distrust(row, row.reason)
            yield row
        reading.rows = number

    def _digest(self, text: str) -> bytes:
        """Keyed hash of a text (BLAKE2b, RFC 7693), added to the snapshot.

        Keyed, because a bare hash of a row with a national id in it could be undone by trying all national ids.
        """
        data = text.encode("utf-8", "surrogatepass")
        digest = blake2b(data, digest_size=HASH_BYTES, key=self._hash_key).digest()
        self._total += int.from_bytes(digest, "big")
        return digest

    def _owner(self, entry: Entry, row: Record | BadRecord, values: Values) -> str | None:
        """The masked key or code of the row's owner; None, and absences are distrusted, where it cannot be read."""
        raw = entry.owner(values)
        try:
            return self._mask(raw)
        except Unconvertible as error:
            name = "person" if entry.role in _CHILD_ROLES else "key" if entry.role == "people" else "code"
            self._reading.quarantine(row, None, name, error.reason)
            self._reading.distrust(row, f"{name} {error.reason}")
            return None

    def _bad_row(self, entry: Entry, row: BadRecord) -> str | None:
        """Quarantines a row that the connector could not read; returns its owner where that much is known."""
        values = tuple(row.values.get(column, "") for column in entry.columns)
        try:
            owner = self._mask(entry.owner(values)) if row.values else None
        except Unconvertible:
            owner = None
        self._reading.quarantine(row, owner, row.column, row.reason)
        if owner is None:
            self._reading.distrust(row, row.reason)
        return owner

    # ------------------------------------------------------------ units and class groups

    def _read_organisation(self) -> None:
        rows = self._reading.organisation
        tables = self._mapping.of("units", "class_groups")
        rows.roles = frozenset(entry.role for entries in tables.values() for entry in entries)
        for table, entries in tables.items():
            for row in self._rows(table):
                for entry in entries:
                    if isinstance(row, Record):
                        self._organisation_row(entry, row)
                    elif (code := self._bad_row(entry, row)) is not None:
                        rows.bad.add(code)

    def _organisation_row(self, entry: Entry, row: Record) -> None:
        """Takes over a unit or class group; of a bad row only the code counts, of a repeated one nothing does."""
        values = entry.pick(row.values)
        if entry.where is not None and not entry.where(values):
            return
        self._digest(entry.role + SEPARATOR + SEPARATOR.join(values))
        code = self._owner(entry, row, values)
        if code is None:
            return
        rows = self._reading.organisation
        if (entry.role, code) in rows:
            self._reading.quarantine(row, code, "code", "is there twice; the first row counts")
            return
        fields, faults = entry.convert(values)
        for name, reason in faults:
            self._reading.quarantine(row, code, name, reason)
        if faults:
            rows.bad.add(code)
            return
        if manager := fields.get("manager"):
            try:
                fields["manager"] = self._mask(manager)
            except Unconvertible as error:
                self._reading.quarantine(row, code, "manager", error.reason)
        rows.add(self._reading.source, entry.role, code, fields, row.file, row.line)

    # ------------------------------------------------------------ rows that belong to people

    def _read_children(self) -> None:
        for table, entries in self._mapping.of(*_CHILD_ROLES).items():
            for row in self._rows(table):
                for entry in entries:
                    if isinstance(row, Record):
                        self._child_row(entry, row)
                    elif (owner := self._bad_row(entry, row)) is not None:
                        self._lost.add(owner)

    def _child_row(self, entry: Entry, row: Record) -> None:
        values = entry.pick(row.values)
        if entry.where is not None and not entry.where(values):
            return
        owner = self._owner(entry, row, values)
        if entry.class_group is not None:  # kept and hashed with the row: if the class moves, its members have changed
            group = self._reading.organisation.read.class_groups.get(entry.class_group(values))
            values = (*values, (group.unit if group else None) or "")
        if owner is not None and not self._children.add(owner, entry, values, row.file, row.line):
            self._reading.quarantine(row, owner, None, "holds a control character")
            self._lost.add(owner)

    def _report_orphans(self) -> None:
        """Quarantines rows whose person is not there."""
        for key in self._children.left():
            for text in self._children.pop(key) if key not in self._passed_over else ():
                row = self._children.parse(text)
                self._digest(text.partition(LOCATION)[0])
                self._reading.quarantine(row, key, "person", "is not among the people of this source")

    # ------------------------------------------------------------ people

    def _read_people(self) -> None:
        shared = self._mapping.of(*_CHILD_ROLES).keys()
        for table, entries in self._mapping.of("people").items():
            for row in self._rows(table):
                for entry in entries:
                    if isinstance(row, Record):
                        self._person_row(entry, row, repeats=table in shared)
                    else:
                        self._bad_person(entry, row)

    def _bad_person(self, entry: Entry, row: BadRecord) -> None:
        """A person whose row cannot be read is there nevertheless, and stays as before."""
        key = self._bad_row(entry, row)
        if key is None:
            return
        hashes = self._former.hashes
        self._children.pop(key)
        if key in hashes or key in self._former.absent:
            self._reading.unchanged += type(hashes.get(key)) is bytes
            hashes[key] = 0

    def _person_row(self, entry: Entry, row: Record, *, repeats: bool) -> None:
        values = entry.pick(row.values)
        if entry.where is not None and not entry.where(values):
            self._filtered(entry, values)
            return
        key = self._owner(entry, row, values)
        if key is None:
            return
        hashes = self._former.hashes
        state = hashes.get(key)
        if type(state) is int:
            self._second_row(key, values, row, state, repeats=repeats)
            return
        rows = self._children.pop(key)
        digest = self._digest(payload(values, rows))
        hashes[key] = hash(values)
        if state == digest:
            self._reading.unchanged += 1
        else:
            self._map(entry, row, values, key, rows, digest, known=state is not None)

    def _filtered(self, entry: Entry, values: Values) -> None:
        """A person whom `where` passes over, and with it the rows that belong to it, unless another entry takes it."""
        with contextlib.suppress(Unconvertible):
            self._passed_over.add(self._mask(entry.owner(values)))

    def _second_row(self, key: str, values: Values, row: Record, first: int, *, repeats: bool) -> None:
        """A key that has been seen: the first row counts; where the two differ, a known person stays as before.

        In a table that holds affiliations too (`repeats`), a person's equal rows are what one expects.
        """
        differs = hash(values) != first
        if repeats and not differs:
            return
        self._digest(SEPARATOR.join(values))
        self._reading.quarantine(row, key, "key", "is there twice; the first row counts")
        staged = self._reading.staged
        if differs and key in staged and not staged.is_new(key):
            staged.drop(key)
            self._reading.unchanged += 1

    def _map(
        self, entry: Entry, row: Record, values: Values, key: str, rows: list[str], digest: bytes, *, known: bool
    ) -> None:
        """Maps a record that is new, changed or back, and stages it; of a bad one, what can be made of it."""
        person = None
        if key not in self._lost:
            person = self._mapper.whole(key, entry, values, map(self._children.content, rows))
        if person is not None:
            self._stage(person, digest, known=known)
        else:
            self._salvage(entry, row, values, key, rows, known=known)

    def _salvage(self, entry: Entry, row: Record, values: Values, key: str, rows: list[str], *, known: bool) -> None:
        """Quarantines what is wrong with a record, and stages the rest of it with former parts in place of bad ones."""
        reading = self._reading
        back = key in self._former.absent
        attempt = self._mapper.attempt(entry, values, [self._children.parse(text) for text in rows])
        attempt.lost |= key in self._lost
        for name, reason in attempt.faults:
            reading.quarantine(row, key, name, reason)
        for child, (name, reason) in attempt.row_faults:
            reading.quarantine(child, key, name, reason)
        former = self._former.people([key]).get(key) if known or back else None
        person = self._mapper.person(key, attempt, former)
        if person is None or (person == former and not back):
            reading.unchanged += known
        else:
            self._stage(person, LOOK_AGAIN, known=known)

    def _stage(self, person: SourcePerson, hash_: bytes, *, known: bool) -> None:
        staged = self._reading.staged
        staged.add(person, hash_)
        if person.key in self._former.absent:
            staged.returned.add(person.key)
        elif known:
            staged.known.add(person.key)
            if not person.affiliations:
                self._bare.append(person.key)

    def _that_had_affiliations(self, keys: list[str]) -> list[str]:
        """Those of `keys` whose stored record has an affiliation."""
        found: list[str] = []
        for start in range(0, len(keys), _CHUNK):
            former = self._former.people(keys[start : start + _CHUNK])
            found += [key for key, person in former.items() if person.affiliations and key in self._reading.staged]
        return found
