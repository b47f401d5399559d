"""The calendar of days to come is what the days bring, one by one."""

from __future__ import annotations

from datetime import date, timedelta

from eadm_sync.app.forecasting import Forecast, forecast
from eadm_sync.app.persons import Terms, stop
from eadm_sync.state import tables

from .conftest import FIRST_DAY, Town

LEAVER, NUMBER = "hr:001028", "001028"
LAST = FIRST_DAY + timedelta(days=10)
OUT = LAST + timedelta(days=1)


def look(town: Town, days: int) -> Forecast:
    """What the next days bring."""
    return forecast(town.context, days)


def of(found: Forecast, person: str) -> list[tuple[date, str, str]]:
    """The events of one person."""
    return [(one.day, one.event, one.target) for one in found.events if one.person == person]


def test_a_leaver_is_deactivated_and_a_year_later_deleted(settled: Town):
    """Both stand in the calendar before either has happened."""
    settled.end_positions([NUMBER], LAST)
    settled.sync()

    events = of(look(settled, 400), LEAVER)

    retention = settled.context.ruleset.lifecycle.retention_days
    assert (OUT, "becomes ended", "") in events
    assert (OUT, "account deactivated", "ad") in events
    assert (OUT, "licence taken away", "entra") in events
    assert (OUT + timedelta(days=retention), "account deleted", "ad") in events


def test_whoever_is_gone_for_good_is_forgotten_on_its_day(settled: Town):
    """Retention, then purge_days: foretold while there are accounts, and when only the record is left."""
    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled.edit(name, lambda row: None if row["Ansattnr"] == NUMBER else row)
    settled.sync()
    lifecycle = settled.context.ruleset.lifecycle
    days = lifecycle.retention_days + lifecycle.purge_days
    end = FIRST_DAY + timedelta(days=days)

    before = of(look(settled, days), LEAVER)
    too_short = of(look(settled, days - 1), LEAVER)
    settled.on(FIRST_DAY + timedelta(days=lifecycle.retention_days)).sync(released=frozenset({"ad.account.delete"}))
    after = of(look(settled, lifecycle.purge_days), LEAVER)

    assert before[-1] == (end, "person forgotten", "")
    assert (end, "person forgotten", "") not in too_short
    assert after[-1] == (end, "person forgotten", "")


def test_whoever_is_stopped_is_not_forgotten(settled: Town):
    """As `purge` has it."""
    for name in ("hr/persons.csv", "hr/positions.csv"):
        settled.edit(name, lambda row: None if row["Ansattnr"] == NUMBER else row)
    settled.sync()
    stop(settled.context, LEAVER, "it is told so", Terms(deliver=False))

    events = of(look(settled, 1000), LEAVER)

    assert "person forgotten" not in {event for _, event, _ in events}


def test_a_joiner_is_made_ready_enabled_and_starts(settled: Town):
    """The days before the first one are in it, too."""
    start = FIRST_DAY + timedelta(days=60)
    person = settled.hire("009999", "Ny", "Ansatt", start)
    settled.sync()
    lifecycle = settled.context.ruleset.lifecycle

    events = of(look(settled, 90), person)

    created = start - timedelta(days=lifecycle.create_days_before_start)
    enabled = start - timedelta(days=lifecycle.enable_days_before_start)
    assert (created, "account created", "ad") in events
    assert (enabled, "account enabled", "ad") in events or created == enabled
    assert (start, "becomes active", "") in events


def test_the_days_bring_what_the_calendar_says(settled_small: Town):
    """A month with a plan each day does to accounts and licences what was foretold, and no more."""
    number = settled_small.working_in("")[0]
    settled_small.end_positions([number], LAST)
    settled_small.hire("009999", "Ny", "Ansatt", FIRST_DAY + timedelta(days=20))
    settled_small.sync()
    foretold = {(one.day, one.person, one.event, one.target, one.what) for one in look(settled_small, 30).events}
    before = {row.id for row in settled_small.rows(tables.audit)}

    for offset in range(1, 31):
        _live(settled_small.on(FIRST_DAY + timedelta(days=offset)))

    happened = {
        (date.fromisoformat(row.at[:10]), row.person_id, row.kind, row.target)
        for row in settled_small.told()
        if row.id not in before and row.kind in {"account", "licence"} and row.action != "update"
    }
    told = {
        (day, person, event.partition(" ")[0], target)
        for day, person, event, target, _ in foretold
        if not event.startswith("becomes")
    }
    assert happened == told
    assert happened


def _live(town: Town) -> None:
    """A day's run, and where it holds something, another that lets it go."""
    town.made = None
    town.sync()
    if town.made and town.made.holds:
        town.sync(released=frozenset(hold.name for hold in town.made.holds))


def test_the_use_of_licences_is_followed(settled: Town):
    """Each day on which somebody gets or loses one has a line, beginning with today."""
    settled.end_positions([NUMBER], LAST)
    settled.sync()

    seats = [one for one in look(settled, 30).seats if one.sku == "SPE_F1"]

    used = {one.day: one.used for one in seats}
    assert min(used) == FIRST_DAY
    assert used[OUT] <= used[FIRST_DAY] - 1


def test_a_rule_that_begins_is_in_the_calendar_for_everybody(settled: Town):
    """Whose own days do not fall into the time looked at are evaluated on the rule's first day nonetheless."""
    first = FIRST_DAY + timedelta(days=5)
    (settled.folder / "rulesets" / "later.yaml").write_text(
        "ruleset: later\nlicences:\n  - rule: later\n    target: entra\n    sku: LATER\n"
        f"    from: {first}\n    when: affiliation.kind == 'employee'\n",
        encoding="utf-8",
    )
    settled.sync()

    found = look(settled, 10)

    days = {one.day for one in found.events if one.what == "LATER"}
    assert min(days) == first
    assert found.counts[first, "licence given", "entra"] > 10


def test_looking_ahead_writes_nothing(settled: Town):
    """No file differs."""
    before = settled.fingerprint()

    look(settled, 60)

    assert settled.fingerprint() == before


def test_an_account_that_may_be_there_already_is_not_told_of_as_new(settled_small: Town):
    """Targets are not read for it; where there is no correlation, nobody can have one."""
    person = settled_small.hire("9001", "Kari", "Nordmann", start=FIRST_DAY + timedelta(days=40))
    settled_small.sync()
    rules = [{"match": "employeeID", "to": "{{ person.employee_number }}"}]
    settled_small.configure(lambda settings: settings["targets"]["ad"].update(correlation={"rules": rules}))

    created = {(target, event) for _, event, target in of(look(settled_small, 60), person) if "created" in event}

    assert ("ad", "account created or adopted") in created
    assert {event for target, event in created if target != "ad"} == {"account created"}
