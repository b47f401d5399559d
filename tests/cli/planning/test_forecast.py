"""`forecast`: a calendar for people, and every event for programs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Shell

END = f"{datetime.now(UTC) + timedelta(days=5):%d.%m.%Y}"


@pytest.fixture
def leaving(settled: Shell) -> Shell:
    """A town that somebody is about to leave."""
    number = settled.lines("examples/kommune/hr/persons.csv")[0][0]

    def end(text: str) -> str:
        rows = [row.split(";") for row in text.splitlines()]
        place = rows[0].index("Til")
        for row in rows[1:]:
            if row[0] == number:
                row[place] = END
        return "".join(f"{';'.join(row)}\n" for row in rows)

    settled.edit("examples/kommune/hr/positions.csv", end)
    assert settled("sync", "--yes").code == 0
    return settled


def test_people_read_a_calendar(leaving: Shell):
    """Counted by day, with the target."""
    said = leaving("forecast", "--days", "30")

    assert said.code == 0
    assert "account deactivated\tad\t1" in said.out
    assert "Licences in use" in said.out


def test_programs_read_every_event(leaving: Shell):
    """With the person, and the licences with what is short."""
    told = json.loads(leaving("forecast", "--days", "30", "--format", "json").out)

    gone = [one for one in told["events"] if one["event"] == "account deactivated"]
    assert {one["target"] for one in gone} >= {"ad"}
    leaver = leaving.lines("examples/kommune/hr/persons.csv")[0][0]
    assert f"hr:{leaver}" in {one["person"] for one in gone}  # others of the sample leave in some months
    assert all({"sku", "day", "used", "total", "short"} <= one.keys() for one in told["licences"])


def test_a_spreadsheet_reads_every_event(leaving: Shell):
    """One row each."""
    rows = list(csv.DictReader(io.StringIO(leaving("forecast", "--days", "30", "--format", "csv").out)))

    assert "account deactivated" in {row["event"] for row in rows}


def test_a_calendar_can_be_by_week_and_in_markdown(leaving: Shell):
    """A week is named by its Monday."""
    said = leaving("forecast", "--days", "30", "--by-week", "--format", "markdown")

    days = [row.split("|")[1].strip() for row in said.out.splitlines() if "account deactivated" in row]
    assert days
    assert all(datetime.fromisoformat(day).weekday() == 0 for day in days)


def test_looking_ahead_writes_nothing(leaving: Shell):
    """No file of the installation differs."""
    before = leaving.content()

    leaving("forecast", "--days", "400")

    assert leaving.content() == before
