"""How fast a town is imported, against the least that Python can do, in the same run.

`python benchmarks/importing.py [PEOPLE]` writes PEOPLE (default 100 000) people with 1.3 contracts each as CSV, and
measures, each in a process of its own:

- floor, unchanged: `csv.reader`, contracts grouped by person, BLAKE2b of each person's rows, compared with a dict;
- floor, first: the same, with a typed record made and encoded of each person;
- import, first: `read_import` into an empty state, everybody new, then merging everybody;
- write: `Imported.write` of that;
- import, unchanged: `read_import` again.

Peak MiB is the growth of the process's resident memory over what it was before the work began.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

TODAY = date(2026, 8, 17)
MEASUREMENTS = ("floor-unchanged", "floor-first", "import-first", "import-unchanged")
SECOND_POSITION = 0.3  # the share of people with two contracts
PERSON_HEADER = (
    "Ansattnr;Fornavn;Etternavn;Født;Epost;Mobil;Kjønn;Adresse;Postnr;Poststed;Land;Bank;Skatt;Kode;Merknad\n"
)
CONTRACT_HEADER = "Ansattnr;Stillingsnr;Enhet;Stilling;Prosent;Fra;Til;Hoved;Lønn;Trinn;Tillegg;Kode\n"
MAP = {
    "people": {
        "from": "persons",
        "key": "{{ row.Ansattnr }}",
        "given_name": "{{ row.Fornavn }}",
        "family_name": "{{ row.Etternavn }}",
        "birth_date": "{{ row.Født }}",
        "employee_number": "{{ row.Ansattnr }}",
        "email": "{{ row.Epost }}",
        "mobile": "{{ row.Mobil }}",
    },
    "affiliations": {
        "from": "contracts",
        "person": "{{ row.Ansattnr }}",
        "key": "{{ row.Ansattnr }}-{{ row.Stillingsnr }}",
        "kind": "employee",
        "unit": "{{ row.Enhet }}",
        "title": "{{ row.Stilling }}",
        "fraction": "{{ row.Prosent }}",
        "start": "{{ row.Fra }}",
        "end": "{{ row.Til }}",
        "primary": "{{ row.Hoved }}",
    },
}


def main() -> None:
    """Runs every measurement in a process of its own and prints a table."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        write_town(Path(folder), people)
        figures: dict[str, tuple[float, float]] = {}
        for name in MEASUREMENTS:
            command = [sys.executable, __file__, "--measure", name, folder]
            figures |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{people} people\n{'':20}{'seconds':>9}{'people/s':>11}{'× floor':>9}{'peak MiB':>10}")
    for name, (seconds, mebibytes) in figures.items():
        floor = figures["floor-unchanged" if name.endswith("unchanged") else "floor-first"][0]
        print(f"{name:20}{seconds:9.2f}{people / seconds:11.0f}{seconds / floor:9.2f}{mebibytes:10.0f}")


def write_town(folder: Path, people: int) -> None:
    """Writes persons.csv and contracts.csv."""
    random = Random(1)
    with (folder / "persons.csv").open("w") as persons, (folder / "contracts.csv").open("w") as contracts:
        persons.write(PERSON_HEADER)
        contracts.write(CONTRACT_HEADER)
        for number in range(people):
            key = 100_000 + number
            born = f"{random.randint(1, 28):02}.{random.randint(1, 12):02}.{random.randint(1955, 2008)}"
            names = f"Fornavn{number % 900};Etternavn{random.randint(0, 30_000)}"
            address = f"Storgata {number % 200};1234;Eksempel;NO"
            persons.write(f"{key};{names};{born};p{number}@eksempel.no;4{number:07};K;{address};12345;7100;A;\n")
            for position in range(1 + (random.random() < SECOND_POSITION)):
                share = random.choice(("100", "80,5", "50"))
                unit = random.randint(1100, 1999)
                contracts.write(f"{key};{position};{unit};Rådgiver;{share};01.08.2020;;{1 - position};550000;5;0;X\n")


@contextmanager
def measured(name: str, figures: dict[str, tuple[float, float]]) -> Iterator[None]:
    """Notes the seconds that the block took and how far the process's peak memory grew, in MiB."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    figures[name] = seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def floor(folder: Path, encode: Callable[[list[str], list[list[str]]], bytes] | None) -> dict[str, bytes]:
    """Key → hash of each person, as plainly as it goes; with `encode`, a typed record of each too."""
    contracts: dict[str, list[list[str]]] = {}
    with (folder / "contracts.csv").open(newline="") as file:
        rows = csv.reader(file, delimiter=";")
        next(rows)
        for row in rows:
            contracts.setdefault(row[0], []).append(row)
    hashes: dict[str, bytes] = {}
    records = []
    with (folder / "persons.csv").open(newline="") as file:
        rows = csv.reader(file, delimiter=";")
        next(rows)
        for row in rows:
            own = contracts.get(row[0], [])
            text = "\x1f".join(row + [value for each in own for value in each])
            hashes[row[0]] = blake2b(text.encode(), digest_size=16).digest()
            if encode is not None:
                records.append(encode(row, own))
    return hashes


def measure_floor_unchanged(folder: Path, figures: dict[str, tuple[float, float]]) -> None:
    """Read, hash, compare."""
    with measured("first pass", figures):
        stored = floor(folder, None)
    with measured("floor-unchanged", figures):
        hashes = floor(folder, None)
        changed = [key for key, value in hashes.items() if stored.get(key) != value]
    _, mebibytes = figures.pop("first pass")  # the second one finds its memory already there
    figures["floor-unchanged"] = figures["floor-unchanged"][0], mebibytes
    if changed:
        raise SystemExit("the floor is broken")


def measure_floor_first(folder: Path, figures: dict[str, tuple[float, float]]) -> None:
    """Read, hash, make typed records, encode them."""
    import msgspec  # noqa: PLC0415 - each measurement loads only what it needs

    from eadm_sync.importing.records import SourcePerson  # noqa: PLC0415 - as above
    from eadm_sync.model import Affiliation  # noqa: PLC0415 - as above

    encoder = msgspec.msgpack.Encoder()

    def day(text: str) -> date | None:
        return date(int(text[6:]), int(text[3:5]), int(text[:2])) if text else None

    def encode(row: list[str], contracts: list[list[str]]) -> bytes:
        affiliations = tuple(
            Affiliation(
                id=f"hr:{each[0]}-{each[1]}",
                source="hr",
                kind="employee",
                unit=each[2],
                title=each[3],
                fraction=float(each[4].replace(",", ".")) / 100,
                start=day(each[5]),
                end=day(each[6]),
                primary=each[7] == "1",
            )
            for each in contracts
        )
        person = SourcePerson(
            source="hr",
            key=row[0],
            given_name=row[1],
            family_name=row[2],
            birth_date=day(row[3]),
            employee_number=row[0],
            email=row[4],
            mobile=row[5],
            affiliations=affiliations,
        )
        return encoder.encode(person)

    with measured("floor-first", figures):
        floor(folder, encode)


def measure_import(folder: Path, figures: dict[str, tuple[float, float]], *, first: bool) -> None:
    """`read_import` of the real CSV source, with the state in a SQLite file."""
    from sqlalchemy import make_url  # noqa: PLC0415 - as above

    from connectors.registry import load  # noqa: PLC0415 - each measurement loads only what it needs
    from eadm_sync.config.keys import Key  # noqa: PLC0415 - as above
    from eadm_sync.config.settings import Organisation, Settings, SourceSettings  # noqa: PLC0415 - as above
    from eadm_sync.importing import read_import  # noqa: PLC0415 - as above
    from eadm_sync.state.crypto import Vault  # noqa: PLC0415 - as above
    from eadm_sync.state.database import _sqlite_engine  # noqa: PLC0415 - without the migration's own time
    from eadm_sync.state.tables import metadata  # noqa: PLC0415 - as above

    settings = Settings(
        organisation=Organisation(name="Eksempel"),
        sources={"hr": SourceSettings(type="csv", map=MAP)},
        links=("national_id", "employee_number"),
    )
    connector = load("csv")
    options: Any = connector.options.model_validate(
        {"files": {"persons": "persons.csv", "contracts": "contracts.csv"}, "delimiter": ";"}
    )
    if connector.open_source is None:
        raise SystemExit("the csv connector opens no source")
    source = connector.open_source(options, folder)
    engine = _sqlite_engine(make_url(f"sqlite:///{folder / 'state.db'}"))
    metadata.create_all(engine)
    vault = Vault([Key("k1", bytes(range(32)))])
    figure = "import-first" if first else "import-unchanged"
    with engine.connect().execution_options(eadm_read_only=True) as reading, reading.begin():
        now = datetime(2026, 8, 17, tzinfo=UTC)
        with measured(figure, figures):
            imported = read_import(settings, {"hr": source}, reading, vault, now=now, today=TODAY)
        if first:
            with measured("first: merge", figures):
                count = sum(1 for _ in imported.people(imported.changed))
            if count != imported.reports[0].new:
                raise SystemExit("people got lost")
            with measured("first: write", figures), engine.begin() as writing:
                imported.write(writing, {})
        elif imported.changed or not imported.reports[0].unchanged:
            raise SystemExit(f"not unchanged: {imported.reports}")


def measure(name: str, folder: Path) -> None:
    """One measurement, as JSON."""
    figures: dict[str, tuple[float, float]] = {}
    if name == "floor-unchanged":
        measure_floor_unchanged(folder, figures)
    elif name == "floor-first":
        measure_floor_first(folder, figures)
    else:
        measure_import(folder, figures, first=name == "import-first")
    print(json.dumps(figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
