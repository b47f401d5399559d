"""A source in memory, and an installation that imports from it as often as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from connectors.contract import BadRecord, Record
from connectors.errors import ConnectorError, Unreadable
from eadm_sync.config.keys import Key
from eadm_sync.config.settings import Organisation, Settings, SourceSettings
from eadm_sync.importing import Imported, read_import
from eadm_sync.importing.national_id import NationalId, parse
from eadm_sync.model import Person
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.releases import Releases

TODAY = date(2026, 8, 17)

HR_MAP = {
    "people": {
        "from": "persons",
        "key": "{{ row.Nr }}",
        "given_name": "{{ row.First }}",
        "family_name": "{{ row.Last }}",
        "birth_date": "{{ row.Born }}",
        "national_id": "{{ row.Id }}",
        "employee_number": "{{ row.Nr }}",
    },
    "affiliations": {
        "from": "contracts",
        "person": "{{ row.Nr }}",
        "key": "{{ row.Nr }}-{{ row.Seq }}",
        "kind": "employee",
        "unit": "{{ row.Unit }}",
        "title": "{{ row.Title }}",
        "fraction": "{{ row.Share }}",
        "start": "{{ row.From }}",
        "end": "{{ row.To }}",
    },
    "units": {
        "from": "units",
        "code": "{{ row.Code }}",
        "name": "{{ row.Name }}",
        "parent": "{{ row.Parent }}",
        "manager": "{{ row.Boss }}",
    },
}
PERSONS = "Nr First Last Born Id"
CONTRACTS = "Nr Seq Unit Title Share From To"
UNITS = "Code Name Parent Boss"


def make_national_id(day: date, serial: int = 500, *, d_number: bool = False) -> str:
    """A valid synthetic national id (month + 80) of somebody born on `day`; the first free serial from `serial` on."""
    for individual in range(serial, 1000):
        start = f"{day.day + 40 * d_number:02}{day.month + 80:02}{day.year % 100:02}{individual:03}"
        for check in range(100):
            found = parse(f"{start}{check:02}", today=TODAY)
            if isinstance(found, NationalId) and found.birth_date == day:
                return found.number
    raise AssertionError("no such number")


class MemorySource:
    """A source whose tables are lists of rows; rows may be BadRecords, and an error may end a table."""

    def __init__(self, **tables_: tuple[str, list[tuple[str, ...] | BadRecord | ConnectorError]]) -> None:
        self._tables = tables_

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(self._tables)

    def columns(self, table: str) -> tuple[str, ...]:
        """Column names, from the table's header."""
        header, _ = self._tables[table]
        if not header:
            raise Unreadable("is empty", file=f"{table}.csv")
        return tuple(header.split())

    def read(self, table: str) -> Iterator[Record | BadRecord]:
        """The rows; line 1 is the header."""
        width = len(self.columns(table))
        for line, row in enumerate(self._tables[table][1], 2):
            if isinstance(row, ConnectorError):
                raise row
            if isinstance(row, BadRecord):
                yield row
            else:
                yield Record(table, (*row, *[""] * width)[:width], f"{table}.csv", line)

    def check(self) -> None:
        """Reads the headers."""
        for table in self._tables:
            self.columns(table)


def hr_source(
    persons: list[tuple[str, ...] | BadRecord | ConnectorError],
    contracts: list[tuple[str, ...] | BadRecord | ConnectorError] | None = None,
    units: list[tuple[str, ...] | BadRecord | ConnectorError] | None = None,
) -> MemorySource:
    """An HR source; without contracts everybody has one at unit 10."""
    if contracts is None:
        contracts = [(row[0], "1", "10") for row in persons if isinstance(row, tuple)]
    return MemorySource(persons=(PERSONS, persons), contracts=(CONTRACTS, contracts), units=(UNITS, units or []))


class Installation:
    """A state database in memory, and settings."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self.engine = engine
        self.vault = vault
        self.today = TODAY
        self.settings = make_settings()

    def plan(self, released: str = "", **sources: MemorySource) -> Imported:
        """Imports without writing."""
        return read_import(
            self.settings,
            sources,
            self.engine.connect(),
            self.vault,
            now=datetime(2026, 8, 17, 4, tzinfo=UTC),
            today=self.today,
            releases=Releases(released.split(",")),
        )

    def sync(self, released: str = "", **sources: MemorySource) -> Imported:
        """Imports and writes."""
        imported = self.plan(released, **sources)
        with self.engine.begin() as connection:
            imported.write(connection, {})
        return imported

    def people(self) -> dict[str, Person]:
        """Everybody as stored, by id, rebuilt from the records."""
        with self.engine.connect() as connection:
            ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM people ORDER BY id")]
        return {person.id: person for person in self.plan().people(ids)}


def make_settings(maps: Mapping[str, Mapping[str, object]] | None = None, **more: object) -> Settings:
    """Settings with the given mappings by source; `hr` by default."""
    sources = {name: SourceSettings(type="csv", map=map_) for name, map_ in (maps or {"hr": HR_MAP}).items()}
    return Settings(organisation=Organisation(name="Eksempel"), sources=sources, **more)


@pytest.fixture(scope="session")
def vault() -> Vault:
    """A vault with one key."""
    return Vault([Key("k1", b"0123456789abcdef0123456789abcdef")])


@pytest.fixture
def installation(vault: Vault) -> Iterator[Installation]:
    """An empty installation."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    tables.metadata.create_all(engine)
    yield Installation(engine, vault)
    engine.dispose()


@pytest.fixture
def hr() -> Callable[..., MemorySource]:
    """Makes an HR source: persons, contracts (one each unless given), units."""
    return hr_source


@pytest.fixture
def memory_source() -> type[MemorySource]:
    """Makes a source of any tables: name=(header, rows)."""
    return MemorySource


@pytest.fixture
def national_id() -> Callable[..., str]:
    """Makes a valid synthetic national id of somebody born on a day."""
    return make_national_id


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """Makes settings with the given mappings by source."""
    return make_settings


@pytest.fixture
def hr_map() -> dict[str, dict[str, str]]:
    """The mapping of `hr`; a copy to change."""
    return {part: dict(entry) for part, entry in HR_MAP.items()}
