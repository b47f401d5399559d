"""What an import found: a report for each source, the people who may differ, and how all of it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec
from sqlalchemy import Connection

from eadm_sync.errors import SourceError
from eadm_sync.importing import organisation as organising
from eadm_sync.importing.linking import Linker
from eadm_sync.importing.merging import PersonRecord, in_precedence, merge
from eadm_sync.importing.organisation import Organisation
from eadm_sync.importing.reading import Reading
from eadm_sync.importing.records import Hold, Quarantined, SourcePerson, decode_person
from eadm_sync.importing.store import ImportStore, ImportWriter, StoredRecord, chunks
from eadm_sync.model import ClassGroup, Person, Unit
from eadm_sync.state.releases import Use
from eadm_sync.texts import SortedTexts


class SourceReport(msgspec.Struct, frozen=True):
    """What one source had to say, in figures.

    Attributes:
        source: Its name.
        snapshot: Hash of all that was read, whatever its order; "" where it could not be read.
        rows: Rows read, of all tables.
        read: People read.
        new: People who were not known before.
        changed: Known people whose record differs.
        unchanged: Known people whose record does not differ, or has to stay as it was.
        vanished: People who were there before and are not any more, held or not.
        returned: People who had been absent and are back.
        quarantined: Rows and values that were left out.
        hold: Why the absences of people are not believed, or None.
        units_hold: Likewise for units.
        further_holds: What else is not believed: the absences of parts of it, new, changed or anomalous people.
        uses: How far each limit of its brake was used.
        error: Why the source could not be read at all, or None; its people and units stay as they were.
    """

    source: str
    snapshot: str = ""
    rows: int = 0
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    vanished: int = 0
    returned: int = 0
    quarantined: int = 0
    hold: Hold | None = None
    units_hold: Hold | None = None
    further_holds: tuple[Hold, ...] = ()
    uses: tuple[Use, ...] = ()
    error: SourceError | None = None

    @property
    def holds(self) -> tuple[Hold, ...]:
        """All that is held of it."""
        return tuple(hold for hold in (self.hold, self.units_hold, *self.further_holds) if hold is not None)


@dataclass
class Outcome:
    """What became of one source that could be read.

    Attributes:
        reading: What it had to say, less what is not believed of it.
        shared: Keys that were read and belong to people who have, or had, several records.
        hold: Why its absences of people are not believed, or None.
        units_hold: Likewise for units.
        further: As `SourceReport.further_holds`.
        uses: How far each limit was used.
        vanished: People who vanished or lost all their affiliations, believed or not.
        before: Its units and class groups as stored.
        now: Its units and class groups from now on.
    """

    reading: Reading
    shared: set[str]
    hold: Hold | None = None
    units_hold: Hold | None = None
    further: tuple[Hold, ...] = ()
    uses: tuple[Use, ...] = ()
    vanished: int = 0
    before: Organisation = field(default_factory=Organisation)
    now: Organisation = field(default_factory=Organisation)


class Imported:
    """What an import found. It reads through the store's connection, and writes nothing before `write`.

    Attributes:
        reports: One for each source, in the order of precedence.
        quarantined: What was left out, of this import and, for sources that could not be read, of the last.
        units: All sources' units, by code.
        class_groups: All sources' class groups, by code.
        organisation_changed: Codes of units and class groups that are new, gone or differ.
        changed: Ids of the people who may differ from what is stored, sorted.
    """

    def __init__(
        self,
        reports: tuple[SourceReport, ...],
        outcomes: Mapping[str, Outcome],
        linker: Linker,
        store: ImportStore,
        organisations: tuple[Mapping[str, Organisation], Mapping[str, Organisation]],
        quarantined: list[tuple[Quarantined, str]],
        *,
        sources: Sequence[str],
        today: date,
    ) -> None:
        before, now = organisations
        self.reports = reports
        self.quarantined = tuple(row for row, _ in quarantined)
        self.units: dict[str, Unit] = organising.combined([each.units for each in now.values()])
        self.class_groups: dict[str, ClassGroup] = organising.combined([each.class_groups for each in now.values()])
        self.organisation_changed = frozenset(
            organising.changed(self.units, organising.combined([each.units for each in before.values()]))
            | organising.changed(
                self.class_groups, organising.combined([each.class_groups for each in before.values()])
            )
        )
        self._outcomes = outcomes
        self._linker = linker
        self._store = store
        self._first_seen = quarantined
        self._sources = sources
        self._today = today
        self._absent = {name: frozenset(each.reading.vanished) for name, each in outcomes.items()}
        changed = {
            linker.person_of(name, key)
            for name, each in outcomes.items()
            for keys in (each.reading.staged, self._absent[name])
            for key in keys
        }
        self.changed = SortedTexts(changed)

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        """These people, in this order, as they are after the import; ids that nobody has are passed over."""
        for chunk in chunks(ids):
            stored = self._store.records_of(chunk)
            for person_id in chunk:
                records = self._records(person_id, stored.get(person_id, ()))
                if records:
                    yield merge(person_id, records)

    def _records(self, person_id: str, stored: Sequence[StoredRecord]) -> list[PersonRecord]:
        """A person's records after the import, in precedence."""
        if not stored and person_id not in self._linker.joined:  # new, and alone: as nearly all are in a first import
            source, _, key = person_id.partition(":")
            own = self._staged(source, key) if self._linker.person_of(source, key) == person_id else None
            return [] if own is None else [PersonRecord(own)]
        staged = self._staged_of(person_id, [(each.source, each.key) for each in stored])
        records = [PersonRecord(record) for record in staged.values()]
        for each in stored:
            if (each.source, each.key) not in staged:
                gone = each.key in self._absent.get(each.source, ())
                records.append(PersonRecord(decode_person(each.data), self._today if gone else each.absent_since))
        return in_precedence(records, self._sources) if len(records) > 1 else records

    def write(self, connection: Connection, due: Mapping[str, date | None]) -> None:
        """Writes the import, in the caller's transaction.

        Args:
            connection: A connection that may write.
            due: Person id → the next day on which the passing of time alone can change something, or None. Those
                of `changed` are written with the person; others are people who are otherwise as they were.
        """
        writer = ImportWriter(connection)
        person_of = self._linker.person_of
        people = self.people(self.changed)
        writer.people(people, due)
        writer.due((person_id, day) for person_id, day in due.items() if person_id not in self.changed)
        for name, outcome in self._outcomes.items():
            staged = outcome.reading.staged
            links = ((kind, digest, name, key) for key, each in staged.all_links() for kind, digest in each)
            writer.links(name, staged.stored(), links)
            writer.records((name, key, hash_, person_of(name, key), data) for key, hash_, data in staged.rows())
            writer.absent(name, self._absent[name], self._today)
            writer.nodes("units", name, outcome.now.units, outcome.before.units)
            writer.nodes("class_groups", name, outcome.now.class_groups, outcome.before.class_groups)
        writer.quarantine({row.source for row, _ in self._store.quarantined()} | set(self._outcomes), self._first_seen)

    def _staged(self, source: str, key: str) -> SourcePerson | None:
        """A record as it was read; None where it was not, or is as it is stored."""
        outcome = self._outcomes.get(source)
        return None if outcome is None else outcome.reading.staged.find(key)

    def _staged_of(self, person_id: str, stored: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SourcePerson]:
        """A person's staged records by place: its own, those that are stored already, those that joined."""
        source, _, key = person_id.partition(":")
        places = dict.fromkeys([*stored, (source, key), *self._linker.joined.get(person_id, ())])
        found = ((place, self._staged(*place)) for place in places if self._linker.person_of(*place) == person_id)
        return {place: record for place, record in found if record is not None}
