"""Files that break: whatever arrives, nobody is disabled for it, and whoever stands in a sound file goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Town

Break = Callable[[bytes], bytes | None]
"""From a sound file to a broken one; None takes it away."""


def _lines(number: int) -> Break:
    return lambda data: b"".join(data.splitlines(keepends=True)[:number])


def _quote(data: bytes) -> bytes:
    """Opens a quote in the middle that nothing closes."""
    lines = data.splitlines(keepends=True)
    middle = len(lines) // 2
    first, separator, rest = lines[middle].partition(b";")
    lines[middle] = first + separator + b'"' + rest
    return b"".join(lines)


BROKEN: dict[str, Break] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "header only": _lines(1),
    "cut off within a row": lambda data: data[: len(data) // 2 - 7],
    "cut off behind a row": _lines(60),
    "unterminated quote": _quote,
    "other delimiter": lambda data: data.replace(b";", b"\t"),
    "other encoding": lambda data: data.decode().encode("utf-16-le"),  # without the mark that would tell it
    "latin-1": lambda data: data.decode().encode("latin-1", "replace"),
    "a web page": lambda _: b"<!DOCTYPE html><html><body>503 Service Unavailable</body></html>\n",
    "zeros": lambda data: bytes(len(data)),
}


def _enrol(town: Town) -> str:
    """Adds a pupil to the school system; returns the person's id."""
    users = town.file("school/users.csv").read_text(encoding="utf-8").splitlines()
    header = users[0].split(",")
    pupil = next(line for line in users if "student" in line).split(",")
    row = dict(zip(header, pupil, strict=True))
    row |= {"sourcedId": "new-pupil", "givenName": "Nykomen", "familyName": "Elev", "identifier": ""}
    row |= {"username": "nykomen", "enabledUser": "true", "email": "", "userIds": ""}
    with town.file("school/users.csv").open("a", encoding="utf-8") as file:
        file.write(",".join(row[name] for name in header) + "\n")
    return "school:new-pupil"


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("name", ["hr/persons.csv", "hr/positions.csv"])
def test_a_broken_file_takes_nothing_from_anybody(settled: Town, name: str, how: str):
    """It is an error or its absences are held; a new pupil is served; with the right file everything goes on."""
    sound = settled.file(name).read_bytes()
    broken = BROKEN[how](sound)
    if broken is None:
        settled.file(name).unlink()
    else:
        assert broken != sound
        settled.file(name).write_bytes(broken)
    pupil = _enrol(settled)
    before = settled.contents()

    report = settled.sync()

    made = settled.made
    assert made
    assert made.failures or made.is_held
    assert report.is_complete is not bool(made.failures)
    assert {line[3] for line in made.lines} <= {"create", "update"}
    assert (pupil, "google", "account", "create") in made.lines
    after = settled.contents()
    for target in before:
        for kind in before[target]:
            assert before[target][kind].keys() <= after[target][kind].keys()
        for person, (_, _, enabled) in before[target]["accounts"].items():
            assert after[target]["accounts"][person][2] == enabled
    settled.assert_settled()
    _goes_on(settled, name, sound, before)


def _goes_on(town: Town, name: str, sound: bytes, before: dict[str, dict[str, dict[object, object]]]) -> None:
    """The right file arrives, with a joiner: everything is as it was, and the joiner has an account."""
    town.file(name).write_bytes(sound)
    joiner = town.hire("009001", "Åse", "Ødegård")

    report = town.sync()

    assert report.is_complete
    assert town.made
    assert not town.made.is_held
    assert not town.made.failures
    assert town.account(joiner)
    after = town.contents()
    for target in before:
        assert before[target]["accounts"].items() <= after[target]["accounts"].items()
        assert before[target]["memberships"].items() <= after[target]["memberships"].items()
        assert before[target]["licences"].items() <= after[target]["licences"].items()
    town.assert_settled()


def test_a_vanished_school_system_stops_no_employee(settled: Town):
    """The folder of the other source is gone: its people stay, and HR's joiner is served."""
    before = settled.content("google")
    for path in settled.file("school").iterdir():
        path.unlink()
    joiner = settled.hire("009001", "Åse", "Ødegård")

    report = settled.sync()

    assert settled.made
    assert settled.made.failures
    assert report.failed_sources == ("school",)
    assert not report.is_complete
    assert settled.account(joiner)
    assert settled.content("google") == before


def test_both_sources_gone_change_nothing(settled: Town):
    """Nothing can be read at all: nothing is done at all."""
    before = settled.contents()
    for path in (*settled.file("school").iterdir(), *settled.file("hr").iterdir()):
        path.write_bytes(b"")

    settled.sync()

    assert settled.contents() == before
    settled.assert_settled()


def test_a_broken_first_import_creates_nobody_it_cannot_read(town: Town):
    """There is nothing to hold before the first import: what can be read is served, the rest follows."""
    sound = town.file("hr/persons.csv").read_bytes()
    town.file("hr/persons.csv").write_bytes(b"")

    first = town.sync()
    town.file("hr/persons.csv").write_bytes(sound)
    second = town.sync()

    assert first.failed_sources == ("hr",)
    assert second.is_complete
    assert town.account("hr:001001")
    town.assert_settled()


def test_one_bad_row_costs_one_row(settled: Town):
    """A row that cannot be read goes to quarantine; its person stays, everybody else is served."""
    settled.edit("hr/positions.csv", lambda row: {**row, "Fra": "32.13.2026"} if row["Ansattnr"] == "001028" else row)
    joiner = settled.hire("009001", "Åse", "Ødegård")

    report = settled.sync()

    account = settled.account("hr:001028")
    assert account
    assert account.enabled
    assert settled.account(joiner)
    assert report.enqueued
    settled.assert_settled()
