"""The import as a use case: every source is read, judged and linked; nothing is written until `Imported.write`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from itertools import chain

from sqlalchemy import Connection

from connectors.contract import Source
from connectors.errors import ConnectorError, Unreadable
from eadm_sync.config.limits import UNLIMITED, always_allowed
from eadm_sync.config.settings import Settings
from eadm_sync.errors import ConfigError, SourceError
from eadm_sync.importing import national_id
from eadm_sync.importing import organisation as organising
from eadm_sync.importing.brakes import (
    Missing,
    Part,
    judge_incomplete,
    judge_missing,
    judge_others,
    judge_units,
    parts_of,
)
from eadm_sync.importing.imported import Imported, Outcome, SourceReport
from eadm_sync.importing.keys import link_digest
from eadm_sync.importing.linking import Linker
from eadm_sync.importing.mapping import Locate, compile_mapping, nowhere
from eadm_sync.importing.organisation import Organisation
from eadm_sync.importing.reading import Former, Progress, Reading, SourceReader
from eadm_sync.importing.records import Quarantined, SourcePerson, decode_person
from eadm_sync.importing.sameness import is_reused
from eadm_sync.importing.staging import Staged
from eadm_sync.importing.store import ImportStore, chunks
from eadm_sync.model import Unit
from eadm_sync.state.crypto import Vault
from eadm_sync.state.releases import Releases


def read_import(  # noqa: PLR0913 - the use case's whole world, named at every call
    settings: Settings,
    sources: Mapping[str, Source],
    store: Connection,
    vault: Vault,
    *,
    now: datetime,
    today: date,
    releases: Releases | None = None,
    progress: Progress | None = None,
    locate: Locate = nowhere,
) -> Imported:
    """Reads every source and finds out what differs from what is stored. Writes nothing.

    A source that cannot be read stops only itself: its people and units stay as they were, and its report says why.

    Args:
        settings: The configuration.
        sources: The opened sources, by their names in the configuration; one that is left out is not imported.
        store: A connection to the state database, to be kept open as long as the result is used.
        vault: Seals national ids and makes keyed hashes.
        now: The present moment, in UTC; what is new in quarantine is dated by it.
        today: The local date.
        releases: Holds to let go ("hr.vanished", "hr.incomplete", "hr.units"), and "hr.reused" for keys that
            seem to be used again for another human being, and are not; None: no hold.
        progress: Called now and then with a source's name and its rows read so far.
        locate: Where templates of a mapping are written: ("sources", name, "map", "people", 0, "given_name") → Origin.
    """
    run = _Run(settings, ImportStore(store), vault, today, releases or Releases())
    for name in settings.sources:
        if name in sources:
            run.read(name, sources[name], progress, locate)
    return run.finish(now)


_REUSED = (
    "is used again for another human being, by all it says: whoever had it stays as they were, the other is left out; "
    "if they are the same, let it through with '{}.reused'"
)


class _Run:
    """One import on its way."""

    def __init__(self, settings: Settings, store: ImportStore, vault: Vault, today: date, releases: Releases) -> None:
        self._settings = settings
        self._store = store
        self._vault = vault
        self._today = today
        self._releases = releases
        self._names = tuple(settings.sources)
        self._outcomes: dict[str, Outcome] = {}
        self._errors: dict[str, SourceError] = {}
        self._elsewhere = {name: store.elsewhere(name) for name in self._names}
        self._units_before: dict[str, Unit] = {}

    def read(self, name: str, source: Source, progress: Progress | None, locate: Locate) -> None:
        """Reads one source; an error of its own is noted, and stops nothing else."""
        settings = self._settings.sources[name]
        former = self._store.former(name)
        try:
            mapping = compile_mapping(
                settings.map,
                settings.dates,
                source.tables,
                source.columns,
                lambda path: locate(("sources", name, "map", *path)),
            )
            staged = Staged(name, self._settings.links, self._vault)
            reader = SourceReader(source, mapping, former, self._vault, staged, today=self._today, progress=progress)
            self._outcomes[name] = Outcome(reader.read(), self._shared(name, former))
        except ConfigError as error:
            problems = "; ".join(map(str, error.problems))
            self._errors[name] = SourceError(name, f"its columns are not those that are mapped: {problems}")
        except Unreadable as error:
            self._errors[name] = SourceError(name, error.reason, file=error.file, line=error.line)
        except ConnectorError as error:
            self._errors[name] = SourceError(name, str(error))

    def _shared(self, name: str, former: Former) -> set[str]:
        """Keys that were read and belong to people who have, or had, several records."""
        joined = self._elsewhere[name]
        own = {person.partition(":")[2] for person in joined.values() if person.startswith(f"{name}:")}
        return {key for key in joined.keys() | own if type(former.hashes.get(key)) is int}

    def finish(self, now: datetime) -> Imported:
        """Links the records, judges the absences, and settles the organisation."""
        for name, outcome in self._outcomes.items():
            self._refuse_reused(name, outcome.reading)
        linker = Linker(
            {name: each.reading.staged for name, each in self._outcomes.items()},
            self._elsewhere,
            self._store,
            self._born,
            lambda source, key, field, reason: self._outcomes[source].reading.refuse(key, field, reason),
        )
        linker.link()
        before = {name: self._store.organisation(name) for name in self._names}
        self._units_before = organising.combined([each.units for each in before.values()])
        for name, outcome in self._outcomes.items():
            self._judge(name, outcome, linker)
        after = dict(before)
        for name, outcome in self._outcomes.items():
            outcome.before = before[name]
            after[name] = outcome.now = self._settle(name, outcome, linker, before)
        quarantined = self._quarantined(linker, now)
        linker.forget_claims()
        contradicted = Counter(row.source for row in linker.contradictions)
        reports = tuple(
            self._report(name, contradicted[name])
            for name in self._names
            if name in self._outcomes or name in self._errors
        )
        return Imported(
            reports,
            self._outcomes,
            linker,
            self._store,
            (before, after),
            quarantined,
            sources=self._names,
            today=self._today,
        )

    # ------------------------------------------------------------ other human beings

    def _refuse_reused(self, name: str, reading: Reading) -> None:
        """Leaves out known records that are about another human being now, so that nobody gets a stranger's accounts.

        Whoever had the key stays exactly as they were, until the source has a key of its own for the other, or somebody
        who has looked lets it through.
        """
        if f"{name}.reused" in self._releases.named:
            return
        for chunk in chunks(reading.staged.stored()):
            for key, former in self._store.people(name, chunk).items():
                if is_reused(former, reading.staged.person(key), self._born):
                    reading.refuse(key, "key", _REUSED.format(name))
                    reading.reused += 1

    def _born(self, record: SourcePerson) -> date | None:
        """A record's date of birth, or that in its national id."""
        if record.birth_date is not None or record.national_id is None:
            return record.birth_date
        parsed = national_id.parse(self._vault.open(record.national_id, "national_id"), today=self._today)
        return parsed.birth_date if isinstance(parsed, national_id.NationalId) else None

    # ------------------------------------------------------------ absences

    def _judge(self, name: str, outcome: Outcome, linker: Linker) -> None:
        """Decides whether the source's absences are believed, and takes back what follows from them if not."""
        reading = outcome.reading
        moved = self._moved(name, reading, linker)
        missing = [key for key in reading.vanished if key not in moved] + reading.bare
        outcome.vanished = len(missing)
        if reading.incomplete is not None:
            population, releases = reading.population, self._releases
            outcome.hold = judge_incomplete(
                name, reading.incomplete, population=population, vanished=len(missing), releases=releases
            )
        if outcome.hold is not None:
            reading.vanished = []
            self._keep(reading, reading.bare)
            self._keep(reading, self._losers(name, reading, _loses))
        else:
            self._judge_missing(name, outcome, missing)
        if outcome.hold is not None and not reading.unchanged and not reading.staged.stored():
            strangers = [key for key in reading.staged if linker.person_of(name, key) == f"{name}:{key}"]
            self._leave_out(reading, strangers)  # not one known key: more likely the wrong file than a new town
        self._judge_others(name, outcome)

    def _judge_missing(self, name: str, outcome: Outcome, missing: Sequence[str]) -> None:
        """Decides about the absences of a source that was read to its end, part by part and as a whole."""
        reading = outcome.reading
        found = judge_missing(
            name,
            self._settings.import_brake(name),
            self._parts(name, missing),
            units=self._units_before,
            population=reading.population,
            populations=cache(lambda: self._populations(name)),
            releases=self._releases,
        )
        outcome.uses += found.uses
        if not found.kept:
            return
        reading.vanished = [key for key in reading.vanished if key not in found.kept]
        self._keep(reading, found.kept)
        if found.parts:
            outcome.further += found.holds
            self._keep(reading, self._losers(name, reading, partial(self._loses_in, found)))
        else:
            (outcome.hold,) = found.holds

    def _judge_others(self, name: str, outcome: Outcome) -> None:
        """Decides about new, changed and anomalous people."""
        reading, brake = outcome.reading, self._settings.import_brake(name)
        known = sorted(reading.staged.known)
        for what, limit, count in (
            ("anomalous", brake.anomalous, reading.reused),
            ("changed", brake.changed, len(known)),
            ("new", brake.new, reading.staged.new_count),
        ):
            hold, use = judge_others(
                name, what, limit, population=reading.population, count=count, releases=self._releases
            )
            outcome.uses += () if use is None else (use,)
            if hold is None:
                continue
            outcome.further += (hold,)
            if what == "new":
                self._leave_out(reading, list(reading.staged.new()))
            else:
                self._keep(reading, known)

    @staticmethod
    def _leave_out(reading: Reading, keys: Iterable[str]) -> None:
        """Does not take over new records."""
        for key in keys:
            reading.staged.drop(key)

    def _parts(self, name: str, keys: Sequence[str]) -> dict[str, frozenset[Part]]:
        """The parts that these records were in before, as far as limits can tell them apart."""
        if len(keys) <= self._floor(name):
            return dict.fromkeys(keys, frozenset())
        found: dict[str, frozenset[Part]] = {}
        for chunk in chunks(keys):
            former = self._store.people(name, chunk)
            found |= {key: parts_of(person, self._units_before) for key, person in former.items()}
        return {key: found.get(key, frozenset()) for key in keys}

    def _floor(self, name: str) -> int:
        """So many absences are never too many for any part."""
        by = self._settings.import_brake(name).by
        limits = [limit for limit in (by.limit("unit"), by.limit("affiliation")) if limit is not None]
        return min(map(always_allowed, limits), default=UNLIMITED)

    def _populations(self, name: str) -> Counter[Part]:
        """How many people of a source were in each part before: a second for a hundred thousand of them."""
        found: Counter[Part] = Counter()
        for source, _, data in self._store.present():
            if source == name:
                found.update(parts_of(decode_person(data), self._units_before))
        return found

    def _loses_in(self, found: Missing, former: SourcePerson, person: SourcePerson) -> bool:
        """Whether a person, who is there, has less than before in a part whose absences are held."""
        return _loses(former, person) and not found.parts.isdisjoint(parts_of(former, self._units_before))

    def _moved(self, name: str, reading: Reading, linker: Linker) -> set[str]:
        """Vanished keys whose person this source has under another key now.

        New records without affiliations do not count: a file of new keys whose contracts still bear the old ones would
        otherwise take everything from everybody, and nobody would seem to be missing.
        """
        if not reading.vanished:
            return set()
        new = (key for key in reading.staged.new() if reading.staged.person(key).affiliations)
        here = {linker.person_of(name, key) for keys in (self._outcomes[name].shared, new) for key in keys}
        return {key for key in reading.vanished if linker.person_of(name, key) in here}

    @staticmethod
    def _keep(reading: Reading, keys: Iterable[str]) -> None:
        """Leaves known records as they are stored."""
        for key in keys:
            if key in reading.staged:
                reading.staged.drop(key)
                reading.unchanged += 1

    def _losers(self, name: str, reading: Reading, loses: Callable[[SourcePerson, SourcePerson], bool]) -> list[str]:
        """Staged known keys that would lose something: asked of the former record and the present one."""
        losers: list[str] = []
        for chunk in chunks(sorted(reading.staged.known)):
            former = self._store.people(name, chunk)
            losers += [key for key in former if loses(former[key], reading.staged.person(key))]
        return losers

    # ------------------------------------------------------------ units and class groups

    def _settle(self, name: str, outcome: Outcome, linker: Linker, before: Mapping[str, Organisation]) -> Organisation:
        """What the source's units and class groups are from now on."""
        rows, former = outcome.reading.organisation, before[name]
        units = organising.vanished(rows.read.units, rows.bad, former.units) if "units" in rows.roles else []
        groups = (
            organising.vanished(rows.read.class_groups, rows.bad, former.class_groups)
            if "class_groups" in rows.roles
            else []
        )
        outcome.units_hold, use = judge_units(
            name,
            self._settings.import_brake(name),
            population=len(former.units),
            vanished=len(units),
            incomplete=outcome.reading.incomplete,
            releases=self._releases,
        )
        outcome.uses += (use,) if former.units else ()
        kept_units = set(former.units) if "units" not in rows.roles or outcome.units_hold else set()
        kept_groups = set(former.class_groups) if "class_groups" not in rows.roles or outcome.hold else set()
        kept = self._referenced(set(units) - kept_units | set(groups) - kept_groups, outcome, before)
        managed = organising.with_managers(rows.read.units, self._managers(name, outcome.reading, linker))
        return Organisation(
            organising.settle(managed, rows.bad, former.units, kept_units | kept),
            organising.settle(rows.read.class_groups, rows.bad, former.class_groups, kept_groups | kept),
        )

    def _managers(self, name: str, reading: Reading, linker: Linker) -> dict[str, str]:
        """Unit code → person id of its manager, found in this source or by employee number in any."""
        found: dict[str, str] = {}
        for code, manager in reading.organisation.managers.items():
            if manager.key in reading.managers_here:
                found[code] = linker.person_of(name, manager.key)
            elif person := linker.holder(link_digest(self._vault, "employee_number", manager.key)):
                found[code] = person
            else:
                reading.quarantine(manager, code, "manager", "is nobody that any source knows")
        return found

    def _referenced(self, codes: set[str], outcome: Outcome, before: Mapping[str, Organisation]) -> set[str]:
        """Those of the codes that a person, a unit or a class group still refers to, in any source."""
        rows = outcome.reading.organisation.read
        others = [each for name, each in before.items() if name != outcome.reading.source]
        return organising.referenced(
            codes,
            [unit for each in (rows, *others) for unit in each.units.values()],
            [group for each in (rows, *others) for group in each.class_groups.values()],
            self._affiliations,
        )

    def _affiliations(self) -> Iterator[tuple[str | None, list[str]]]:
        """Unit and class groups of every affiliation of every person that is present after this import."""
        stageds = {name: each.reading.staged for name, each in self._outcomes.items()}
        vanished = {name: set(each.reading.vanished) for name, each in self._outcomes.items()}
        for source, key, data in self._store.present():
            if key in vanished.get(source, ()) or (source in stageds and key in stageds[source]):
                continue
            yield from _units_and_classes(decode_person(data))
        for staged in stageds.values():
            for key in staged:
                yield from _units_and_classes(staged.person(key))

    # ------------------------------------------------------------ quarantine, reports

    def _quarantined(self, linker: Linker, now: datetime) -> list[tuple[Quarantined, str]]:
        """All that is in quarantine after this import, each with the moment it was first seen."""
        stored = self._store.quarantined()
        first = {_identity(row): since for row, since in reversed(stored)}
        standing = [
            (row.source, row.key)
            for row, _ in stored
            if row.kind == "contradiction" and row.key and row.source in self._settings.sources and not self._moot(row)
        ]
        places = list(dict.fromkeys(standing))
        linker.recheck(places)
        shared = {person for each in self._elsewhere.values() for person in each.values()} | set(linker.joined)
        read = (linker.person_of(name, key) for name, each in self._outcomes.items() for key in each.reading.staged)
        again = (linker.person_of(*place) for place in places)
        linker.check_people(sorted(shared.intersection(chain(read, again))))
        rows = [
            row for name in self._names if name in self._outcomes for row in self._outcomes[name].reading.quarantined
        ]
        rows += [row for row, _ in stored if row.kind == "record" and row.source not in self._outcomes]
        rows += linker.contradictions
        moment = now.isoformat(timespec="seconds")
        return [(row, first.get(_identity(row), moment)) for row in dict.fromkeys(rows)]

    def _moot(self, row: Quarantined) -> bool:
        """Whether a stored contradiction need not be looked at: its record is staged, or gone."""
        outcome = self._outcomes.get(row.source)
        return outcome is not None and (row.key in outcome.reading.staged or row.key in outcome.reading.vanished)

    def _report(self, name: str, contradicted: int) -> SourceReport:
        if name in self._errors:
            return SourceReport(name, error=self._errors[name])
        outcome = self._outcomes[name]
        reading = outcome.reading
        staged = reading.staged
        return SourceReport(
            source=name,
            snapshot=reading.snapshot,
            rows=reading.rows,
            read=len(staged) + reading.unchanged,
            new=staged.new_count,
            changed=len(staged.known),
            unchanged=reading.unchanged,
            vanished=outcome.vanished,
            returned=len(staged.returned),
            quarantined=reading.quarantined_count + contradicted,
            hold=outcome.hold,
            units_hold=outcome.units_hold,
            further_holds=outcome.further,
            uses=outcome.uses,
        )


def _loses(former: SourcePerson, person: SourcePerson) -> bool:
    """Whether a person has an affiliation or a class group less than before."""
    return not set(_ties(former)) <= set(_ties(person))


def _ties(person: SourcePerson) -> Iterator[tuple[str, str]]:
    for each in person.affiliations:
        yield each.id, ""
        yield from ((each.id, membership.code) for membership in each.classes)


def _units_and_classes(person: SourcePerson) -> Iterator[tuple[str | None, list[str]]]:
    return ((each.unit, [membership.code for membership in each.classes]) for each in person.affiliations)


def _identity(row: Quarantined) -> tuple[str, str, str | None, str | None, str]:
    """What makes a quarantined row the same as yesterday's: it may have moved to another line."""
    return row.source, row.kind, row.key, row.field, row.reason
