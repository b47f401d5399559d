"""Real files through the real csv source: whatever is done to them, nobody loses anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.csv_files import connector

HEADER = "Nr;First;Last;Born;Id\r\n"
PERSONS = HEADER + "".join(f"{n};Gjøa{n};Bærum;0{n}.01.1980;\r\n" for n in range(1, 9))
CONTRACTS = "Nr;Seq;Unit;Title;Share;From;To\r\n" + "".join(f"{n};1;10;Lærer;80;;\r\n" for n in range(1, 9))


@pytest.fixture
def town(installation: Any, tmp_path: Path) -> Any:
    """An installation that has imported eight people; `import_files(persons, contracts)` imports bytes."""

    def import_files(persons: bytes, contracts: bytes = CONTRACTS.encode()) -> Any:
        (tmp_path / "persons.csv").write_bytes(persons)
        (tmp_path / "contracts.csv").write_bytes(contracts)
        (tmp_path / "units.csv").write_bytes(b"Code;Name;Parent;Boss\r\n10;Skole;;\r\n")
        names = ("persons", "contracts", "units")
        options = connector.options.model_validate({"files": {name: f"{name}.csv" for name in names}, "delimiter": ";"})
        assert connector.open_source is not None
        return installation.sync(hr=connector.open_source(options, tmp_path))

    installation.import_files = import_files
    assert import_files(PERSONS.encode()).reports[0].new == 8
    return installation


WHOLE = PERSONS.encode()


@pytest.mark.parametrize(
    ("persons", "contracts"),
    [
        (b"", None),  # empty
        (b"\xef\xbb\xbf", None),  # nothing but a byte order mark
        (HEADER.encode(), None),  # header only
        (WHOLE[: len(WHOLE) // 2 + 3], None),  # cut off in a row
        (HEADER.encode() + b"1;Gj\xc3\xb8a1;B\xc3\xa6rum;01.01.1980;\r\n", None),  # cut off between rows
        (PERSONS.encode("cp1252"), None),  # not UTF-8
        (PERSONS.encode("utf-16"), None),  # readable: the mark says what it is
        (PERSONS.replace(";", ",").encode(), None),  # wrong delimiter
        (PERSONS.replace("Nr;First", "First;Nr").encode(), None),  # swapped columns
        (PERSONS.replace("Nr;", "Number;").encode(), None),  # renamed column
        (PERSONS.replace("Gjøa1", '"Gjøa1').encode(), None),  # a quote that nobody closes
        (WHOLE + WHOLE[len(HEADER) :], None),  # everybody twice
        (WHOLE.replace(b"1980", b"19\x0080"), None),  # NUL bytes
        (WHOLE, b""),
        (WHOLE, CONTRACTS.encode()[:32]),  # contracts with only a header
        (WHOLE, CONTRACTS.encode()[:70]),  # contracts cut off
    ],
)
def test_broken_file(town: Any, persons: bytes, contracts: bytes | None):
    """Each gives a clear error, or holds the absences, or changes nothing; nobody is deleted or loses anything."""
    before = town.people()

    imported = town.import_files(persons, CONTRACTS.encode() if contracts is None else contracts)

    assert list(imported.changed) == []
    assert town.people() == before


@pytest.mark.parametrize("persons", [b"", HEADER.encode(), WHOLE[: len(WHOLE) // 2 + 3], PERSONS.encode("cp1252")])
def test_broken_file_is_told(town: Any, persons: bytes):
    """An empty, header-only, truncated or wrongly encoded file is an error or a hold in the report, never silence."""
    (report,) = town.import_files(persons).reports

    assert report.error is not None or report.hold is not None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(WHOLE) - 1))
def test_file_cut_anywhere(town: Any, cut: int):
    """Wherever a file is cut off, more than three people never vanish, and who is left is as before."""
    before = town.people()

    imported = town.import_files(WHOLE[:cut])

    after = town.people()
    assert len(imported.changed) <= 3
    assert all(after[key] == person for key, person in before.items() if key not in imported.changed)
    town.import_files(WHOLE)
    assert town.people() == before
