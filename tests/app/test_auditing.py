"""What the audit says of former days, and that it says all of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.contract import Kind
from eadm_sync.app.auditing import Held, Wanted, as_of, audit_lines, checkpoint, known_state, state_at, untold, verify
from eadm_sync.app.queueing import pause, resume
from eadm_sync.app.rekeying import rotate
from eadm_sync.errors import NotFound
from eadm_sync.plan.known_state import KnownState
from eadm_sync.sample.write import write


def told(place: Any, moment: datetime | None = None) -> KnownState:
    """Known state at a moment, by the audit."""
    with place.context.reading() as database, database.read() as connection:
        return state_at(connection, moment)


def known(place: Any) -> KnownState:
    """Known state as it is now."""
    with place.context.reading() as database, database.read() as connection:
        return known_state(connection)


def gaps(place: Any) -> tuple[str, ...]:
    """What is known and the audit does not tell, or the other way round."""
    with place.context.reading() as database, database.read() as connection:
        return untold(connection)


def in_one_line(found: Iterable[Held]) -> set[tuple[str | None, str, str, str, str]]:
    """What there was, without since when and by which rule."""
    return {(one.person, one.target, one.kind, one.name, one.state) for one in found}


def test_after_the_first_run_the_audit_tells_known_state(place: Any):
    """Every account with its anchor and what the target stored, every group, membership, nesting and licence."""
    state = known(place)
    assert min(len(state.accounts), len(state.groups), len(state.memberships), len(state.licences)) > 0
    assert gaps(place) == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_audit_tells_known_state_of_every_former_day(place: Any, tmp_path: Path, seed: int):
    """Through days of joining, moving, renaming and leaving, an edit of the rules, and the deletion a year later."""
    write(tmp_path / "town", people=60, seed=seed, days=20)
    seen: list[tuple[datetime, KnownState]] = []
    for number in (0, 3, 9, 20):
        if number == 9:
            place.edit("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef")
        source = place.folder / "examples" / "kommune"
        shutil.rmtree(source)
        shutil.copytree(tmp_path / "town" / f"day-{number:03d}", source)
        place.clock.moment += timedelta(days=1)
        place.sync(deliver=True)
        assert gaps(place) == ()
        seen.append((place.clock.moment, known(place)))
    for _ in "disabled", "deleted":
        place.clock.moment += timedelta(days=400)
        place.sync(deliver=True)
        assert gaps(place) == ()
    assert len(known(place).accounts) < len(seen[-1][1].accounts)
    for moment, state in seen:
        then = told(place, moment)
        assert then.accounts.keys() == state.accounts.keys()
        assert {key: one.attributes for key, one in then.accounts.items()} == {
            key: one.attributes for key, one in state.accounts.items()
        }
        assert {key: one.enabled for key, one in then.accounts.items()} == {
            key: one.enabled for key, one in state.accounts.items()
        }
        assert (then.memberships.keys(), then.licences.keys(), then.groups.keys(), then.nestings.keys()) == (
            *(state.memberships.keys(), state.licences.keys(), state.groups.keys(), state.nestings.keys()),
        )
    assert verify(place.context).faults == ()


def test_who_had_what_on_a_day(place: Any):
    """The day ends at midnight in the configured time zone; a moment is taken as it is."""
    first = place.clock.moment  # an hour after the first run
    day = first.date()

    everything = list(as_of(place.context, day))
    assert len({one.kind for one in everything}) >= 4
    assert list(as_of(place.context, day - timedelta(days=1))) == []
    assert list(as_of(place.context, first - timedelta(hours=3))) == []
    midnight = datetime(day.year, day.month, day.day, 22, tzinfo=UTC)  # 00:00 in Oslo, in summer
    assert in_one_line(as_of(place.context, midnight)) == in_one_line(everything)


def test_what_one_person_group_licence_or_target_had(place: Any):
    """Each way of asking shows its part of the same."""
    day = date(2026, 8, 17)
    everything = in_one_line(as_of(place.context, day))

    person = in_one_line(as_of(place.context, day, person="hr:001001"))
    group = in_one_line(as_of(place.context, day, group="LEDERE"))
    licence = in_one_line(as_of(place.context, day, licence="SPE_E3"))
    target = in_one_line(as_of(place.context, day, target="ad"))

    assert person == {one for one in everything if one[0] == "hr:001001"}
    assert {one[2] for one in group} >= {Kind.GROUP, Kind.MEMBERSHIP}
    assert {name for _, _, kind, name, _ in group if kind is not Kind.NESTING} == {"ledere"}
    assert licence == {one for one in everything if one[2:4] == (Kind.LICENCE, "SPE_E3")}
    assert target == {one for one in everything if one[1] == "ad"}
    with pytest.raises(NotFound):
        list(as_of(place.context, day, person="nobody"))
    with pytest.raises(NotFound):
        list(as_of(place.context, day, target="nowhere"))


def test_sensitive_values_are_never_shown(place: Any):
    """Neither in lines nor in what somebody had."""
    place.edit(
        "employees.yaml",
        '      info: "{{ jobs[affiliation.title].field }}"\n',
        '      info: "{{ jobs[affiliation.title].field }}"\n      norEduPersonNIN: "{{ person.national_id }}"\n',
    )
    place.sync(deliver=True)

    shown = [*(str(one) for one in audit_lines(place.context, Wanted())), *map(str, as_of(place.context, date.max))]

    assert any("'norEduPersonNIN': {'old': None, 'new': '***'}" in one for one in shown)
    assert any("'norEduPersonNIN': '***'" in one for one in shown)
    assert not any("ciphertext" in one for one in shown)


def test_lines_are_found_by_all_that_is_given(place: Any):
    """What an operator did stands beside what was delivered, with who did it and why."""
    place.clock.moment += timedelta(hours=1)
    pause(place.context, "ad", "the server is moved")
    resume(place.context, "ad", "it is back")
    rotate(place.context)

    by_hand = list(audit_lines(place.context, Wanted(since=place.clock.moment)))
    paused = list(audit_lines(place.context, Wanted(target="ad", action="pause")))

    assert [(one.kind, one.action, one.actor) for one in by_hand] == [
        (*("queue", "pause"), place.context.actor),
        (*("queue", "resume"), place.context.actor),
        (*("key", "rotate"), place.context.actor),
    ]
    assert [one.detail for one in paused] == [{"reason": "the server is moved"}]
    assert list(audit_lines(place.context, Wanted(target="ad", action="pause", kind="account"))) == []


def test_a_checkpoint_is_found_again_by_its_digest(place: Any):
    """Also where much was done since."""
    line, digest = checkpoint(place.context)
    pause(place.context, "ad", "why not")

    found = verify(place.context, [bytes.fromhex(digest)])

    assert (found.faults, found.last) == ((), line + 1)
    assert [fault.what for fault in verify(place.context, [bytes(32)]).faults] == ["expected"]


def test_of_whom_was_forgotten_it_is_known_what_they_had(place: Any):
    """What, and since when; none of the values."""
    day = date(2026, 8, 17)
    before = list(as_of(place.context, day, person="hr:001001"))
    with place.context.writing() as database, database.write() as connection:
        connection.execute(text("UPDATE audit SET detail = NULL, salt = NULL WHERE person_id = 'hr:001001'"))

    after = list(as_of(place.context, day, person="hr:001001"))

    assert [(one.target, one.kind, one.since) for one in after] == [(one.target, one.kind, one.since) for one in before]
    links = (Kind.MEMBERSHIP, Kind.LICENCE)
    assert [one.name for one in after if one.kind in links] == [one.name for one in before if one.kind in links]
    assert all(one.attributes == {} for one in after)


def test_a_state_that_an_older_program_wrote_is_covered_when_it_is_opened(place: Any):
    """The first to open the installation for writing does it; reading says that it is not done yet."""
    with place.context.writing() as database, database.write() as connection:
        for name in ("audit_no_delete", "audit_no_update", "audit_details"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        last = connection.scalar(text("SELECT max(id) FROM audit"))
        connection.execute(text("UPDATE audit SET digest = NULL"))
        connection.execute(text("DELETE FROM meta WHERE name LIKE 'audit_head:%'"))
        connection.execute(text("INSERT INTO meta VALUES ('audit_unchained', :last)"), {"last": str(last)})
    assert verify(place.context).uncovered == last

    with place.context.writing():
        pass

    found = verify(place.context)
    assert (found.former, found.uncovered, found.lines, found.faults) == (last, 0, last + 1, ())
