from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from eadm_sync.app.reporting import as_text, assembled, report_of, sections_of, text_lines
from eadm_sync.errors import NotFound
from eadm_sync.state import tables

from .conftest import Place

ROW = {
    "id": "20261122T220342-1f0c7a92",
    "command": "sync",
    "actor": "kari",
    "started_at": "2026-11-22T22:03:42+00:00",
    "finished_at": "2026-11-22T23:05:44+00:00",
    "status": "incomplete",
}
CONTENT = {
    "plan": "0a",
    "ruleset": "1b",
    "seconds": {"planning": 3000.0, "delivering": 722.0},
    "sources": {
        "hr": {"read": 250, "new": 3, "changed": 12, "unchanged": 235, "vanished": 30, "returned": 0, "quarantined": 2},
        "school": {"read": 0, "new": 0, "changed": 0, "unchanged": 0, "vanished": 0, "returned": 0, "quarantined": 0},
    },
    "failed_sources": {"school": "source 'school': users.csv: there is no such file"},
    "changes": {"ad.account.create": 3, "ad.account.delete": 30},
    "held_changes": {"ad.account.delete": 30},
    "holds": [
        {"brake": "hr.vanished", "reason": "30 of 250 people vanished from the source; 12 may", "limit": 12},
        {"name": "ad.account.delete", "target": "ad", "count": 30, "population": 250, "limit": 5, "reason": ""},
    ],
    "enqueued": 3,
    "superseded": 1,
    "targets": {
        "ad": {"name": "ad", "done": 2, "retried": 0, "dead": 1, "left": 0, "error": None},
        "entra": {"name": "entra", "done": 0, "retried": 4, "dead": 0, "left": 9, "error": "Unavailable: timed out"},
    },
    "problems": [{"person": "hr:1001", "reason": "no free username"}],
}

TEXT = """\
sync 20261122T220342-1f0c7a92: incomplete

Run
  by kari, 2026-11-22T22:03:42+00:00 to 2026-11-22T23:05:44+00:00
  took 1 h 2 min 2 s (planning 50 min, delivering 12 min 2 s)
  3 changes put into the export queue, in place of 1 older ones

Sources
  source  read  new  changed  vanished  returned  quarantined
  hr       250    3       12        30         0            2
  school could not be read: source 'school': users.csv: there is no such file
  what was left out of hr: eadm-sync quarantine list --source hr

Planned
  target  kind     action  planned  held
  ad      account  create        3     0
  ad      account  delete       30    30

Held
  hr.vanished: 30 of 250 people vanished from the source; 12 may. If it is meant: eadm-sync release hr.vanished \
--reason "…"
  ad.account.delete: 30 of 250 in ad; the limit lets 5 through. If it is meant: eadm-sync release \
ad.account.delete --reason "…"

Delivered
  target  delivered  to be retried  dead  left
  ad              2              0     1     0
  entra           0              4     0     9
  entra: Unavailable: timed out
  what ad refused for good: eadm-sync queue list --target ad --state dead

Not served by the rules
  hr:1001: no free username
"""


def test_a_report_tells_everything_an_operator_asks():
    """What came in, what was planned, held and delivered, what is left, and what to type about it."""
    assert "\n".join(text_lines(assembled(ROW, CONTENT))) + "\n" == TEXT


@pytest.mark.parametrize(
    ("row", "content", "told"),
    [
        # under way, or killed: nothing is known but that it began
        ({"finished_at": None, "status": "running"}, {}, "(has not ended, or was killed)"),
        ({"status": "failed"}, {"error": "another run is at work: process 7"}, "failed: another run is at work"),
        ({"status": "done"}, {"ruleset": "1b", "changes": {}}, "nothing was to be done"),
        ({"command": "housekeeping"}, {"removed": {"items": 17, "runs": 0, "truncated": True}}, "items    17"),
        # as programs before this one wrote it
        ({}, {"sources": {"hr": {"read": 5, "changed": 1, "vanished": 0}}}, "hr         5    0        1"),
    ],
)
def test_every_kind_of_run_has_a_report(row: dict[str, str | None], content: dict[str, object], told: str):
    """What a run has nothing to say of is left out."""
    assert told in "\n".join(text_lines(assembled({**ROW, **row}, content)))


def test_many_problems_are_named_in_part():
    """More of one kind say no more than their number; JSON has them."""
    problems = [{"person": f"hr:{number}", "reason": "no free username"} for number in range(100)]
    report = assembled(ROW, {"problems": problems})

    text = "\n".join(text_lines(report))

    assert text.count("no free username") == 20
    assert "and 80 more: eadm-sync report 20261122T220342-1f0c7a92 --format json" in text
    assert len(report.problems) == 100


@given(hostile=st.text())
def test_what_comes_from_outside_keeps_to_its_line(hostile: str):
    """A target's error cannot forge another line of the report."""
    targets = {"ad": {"done": 0, "retried": 0, "dead": 0, "left": 1, "error": hostile}}

    calm = list(text_lines(assembled(ROW, {**CONTENT, "targets": {"ad": {**targets["ad"], "error": "x"}}})))
    lines = list(text_lines(assembled({**ROW, "actor": hostile}, {**CONTENT, "targets": targets})))

    assert len(lines) == len(calm)
    assert all(len(line.splitlines()) <= 1 for line in lines)


def test_the_state_keeps_the_text_and_the_values(place: Place):
    """Whoever sends it needs nothing but the row; both say what the run did."""
    place.sync()
    with place.context.reading() as database, database.read() as connection:
        row = connection.execute(select(tables.runs).order_by(tables.runs.c.id.desc())).first()
    assert row is not None

    report = report_of(place.context)

    assert msgspec.json.decode(row.report)["text"] == "\n".join(text_lines(report)) + "\n"
    assert report.id == row.id
    assert report_of(place.context, row.id) == report


def test_the_first_run_of_a_town_is_told(place: Place):
    """Figures of sources, changes and targets agree with one another."""
    report = report_of(place.context)

    assert [one.source for one in report.sources] == ["hr", "school"]
    assert all(one.read == one.new > 0 for one in report.sources)
    planned = sum(one.planned for one in report.changes)
    assert planned == report.enqueued == sum(one.delivered for one in report.targets)
    assert list(report.parts) == ["planning", "delivering"]
    assert [section.title for section in sections_of(report)] == ["Run", "Sources", "Planned", "Delivered"]


def test_a_held_slice_is_counted_and_named(place: Place):
    """What a brake holds is in the report with its limit and how to let it go."""
    persons = place.folder / "examples" / "kommune" / "hr" / "persons.csv"
    rows = persons.read_text(encoding="utf-8").splitlines(keepends=True)
    persons.write_text("".join(rows[: len(rows) // 2]), encoding="utf-8")
    place.sync()

    (hold,) = report_of(place.context).holds

    assert hold.name == "hr.vanished"
    assert "may" in hold.why
    assert hold.release == 'eadm-sync release hr.vanished --reason "…"'


def test_a_run_that_is_not_there_is_an_error_that_helps(place: Place):
    """The latest ids are named."""
    latest = report_of(place.context).id
    with pytest.raises(NotFound) as raised:
        report_of(place.context, "2020")

    assert raised.value.near == (latest,)


def test_what_was_compared_and_what_a_program_said_is_shown():
    """Runs of jobs that plan nothing have something to tell, too."""
    drift = {"object": "account:hr:1", "what": "attributes", "name": "title", "outcome": "report"}
    former = {"object": "account:hr:2", "what": "attributes", "names": ["mail", "title"]}  # of an older program
    ad = {"compared": 240, "counts": {"account.attributes": 2}, "drifts": [drift, former], "error": None, "left": 1}
    row = {"id": "1", "command": "reconcile", "actor": "root", "status": "done"}
    moments = {"started_at": "2026-11-23T01:00:00+00:00", "finished_at": "2026-11-23T01:00:09+00:00"}

    report = assembled({**row, **moments}, {"drift": {"ad": ad}, "output": "fetched 3 files\n\x1b[2Jdone\n"})
    text = as_text(report)

    assert "ad           240       2           1\n" in text
    assert "what somebody has to decide: eadm-sync drift list --target ad\n" in text
    assert "ad      account:hr:1  attributes  title        report\n" in text
    assert "ad      account:hr:2  attributes  mail, title\n" in text
    assert "Said\n  fetched 3 files\n  \\x1b[2Jdone\n" in text
