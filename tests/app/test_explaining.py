"""`explained` and `why_not`: from the source's row to what the targets said last, on a small town."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from eadm_sync.app import queueing
from eadm_sync.app.explaining import Explained, WhyNot, explained, why_not
from eadm_sync.app.queueing import pause
from eadm_sync.app.tracing import Stranger
from eadm_sync.errors import NotFound
from eadm_sync.plan.change import account_key
from eadm_sync.state import tables
from exportqueue import NewItem, define
from exportqueue.item import to_micros

PERSONS = "examples/kommune/hr/persons.csv"
POSITIONS = "examples/kommune/hr/positions.csv"


def explain(place: Any, name: str, *, look: bool = False) -> Explained:
    """The explanation of somebody whom the state knows."""
    found = explained(place.context, name, look=look)
    assert isinstance(found, Explained)
    return found


def ask(place: Any, person: str, what: str) -> WhyNot:
    """The answer about somebody whom the state knows."""
    found = why_not(place.context, person, what)
    assert isinstance(found, WhyNot)
    return found


def stranger(place: Any, name: str) -> Stranger:
    """What is known of somebody whom the state does not know."""
    found = explained(place.context, name)
    assert isinstance(found, Stranger)
    return found


@pytest.fixture
def hire(place: Any) -> Callable[..., str]:
    """Adds employees of the municipality itself to the HR files; the next import takes them over."""

    def hired(number: str, given: str, family: str, *, national_id: str = "", fraction: str = "100") -> str:
        persons, positions = place.folder / PERSONS, place.folder / POSITIONS
        with persons.open("a", encoding="utf-8") as file:
            file.write(f"{number};{national_id};{given};{family};;;;\n")
        with positions.open("a", encoding="utf-8") as file:
            file.write(f"{number};1;1000;1;Rådgiver;Fast;{fraction};01.01.2020;;J;\n")
        return f"hr:{number}"

    return hired


def lines_of(path: Path) -> int:
    """How many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


# ---------------------------------------------------------------- where somebody comes from


def test_source_rows_are_named_with_file_and_line(place: Any, hire: Any):
    """Looked for in the sources, each row of a person has its place, and counts."""
    person = hire("009001", "Signe", "Qvale")
    place.sync()

    found = explain(place, person, look=True).found

    assert found is not None
    assert [
        (row.role, row.file.endswith(file), row.line, row.is_filtered)
        for row, file in zip(found.rows, (PERSONS, POSITIONS), strict=True)
    ] == [
        ("people", True, lines_of(place.folder / PERSONS), False),
        ("affiliations", True, lines_of(place.folder / POSITIONS), False),
    ]


def test_sources_are_left_alone_where_the_state_answers(place: Any):
    """Nobody waits for an import to hear of somebody who is there."""
    assert explain(place, "hr:001001").found is None


def test_an_absent_record_is_dated_and_looked_for(place: Any, hire: Any):
    """Who vanished from the file is told as absent since that day, with no row there now."""
    person = hire("009001", "Signe", "Qvale")
    place.sync()
    for name in (PERSONS, POSITIONS):
        path = place.folder / name
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    place.sync()

    why = explain(place, person)

    assert [(record.source, record.absent_since) for record in why.records] == [("hr", "2026-08-17")]
    assert why.found is not None
    assert why.found.rows == ()


@pytest.mark.parametrize("name", ["009001", "hr:009001", "Signe Qvale"])
def test_a_filtered_person_is_told_with_the_filter(place: Any, hire: Any, name: str):
    """Who is passed over by `where` is found by key, id or name, with the condition's place and what it saw."""
    hire("009001", "Signe", "Qvale")
    config = place.folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    where = "        from: persons\n        where: row.Etternavn != 'Qvale'\n"
    config.write_text(text.replace("        from: persons\n", where, 1), encoding="utf-8")
    line = config.read_text(encoding="utf-8").splitlines().index("        where: row.Etternavn != 'Qvale'") + 1
    place.sync()

    row = stranger(place, name).found.rows[0]

    assert (row.role, row.is_filtered) == ("people", True)
    assert row.where is not None
    assert row.where.endswith(f"config.yaml:{line}")
    assert [(clause.truth, clause.values) for clause in row.clauses] == [(False, (("row.Etternavn", "Qvale"),))]


def test_a_filter_never_shows_a_national_id(place: Any, hire: Any):
    """A condition on the column of national ids is told without them."""
    national_id = "27846549892"
    hire("009001", "Signe", "Qvale", national_id=national_id)
    config = place.folder / "config.yaml"
    where = f"        from: persons\n        where: row.Fødselsnummer != '{national_id}' or row.Etternavn != 'Qvale'\n"
    config.write_text(config.read_text(encoding="utf-8").replace("        from: persons\n", where, 1), encoding="utf-8")

    row = stranger(place, "009001").found.rows[0]

    assert row.is_filtered
    seen = [value for clause in row.clauses for name, value in clause.values if name == "row.Fødselsnummer"]
    assert seen == ["***"]


def test_a_quarantined_newcomer_is_told_with_line_and_reason(place: Any, hire: Any):
    """Who could not be imported at all is not "not found": the quarantine says why."""
    hire("009001", "Signe", "Qvale", national_id="12345678901")
    place.sync()
    newcomer = explained(place.context, "009001")

    rows = newcomer.quarantined

    assert [(row.key, row.field, row.line) for row in rows] == [
        ("009001", "national_id", lines_of(place.folder / PERSONS))
    ]


def test_a_newcomer_is_told_to_be_in_the_source(place: Any, hire: Any):
    """Who was written into the file since the last import is there, and not filtered."""
    hire("009001", "Signe", "Qvale")

    found = stranger(place, "009001")

    assert found.quarantined == ()
    assert [row.is_filtered for row in found.found.rows] == [False, False]


def test_nobody_at_all_is_not_found(place: Any):
    """Where no source has them either, it stays an error."""
    with pytest.raises(NotFound):
        explained(place.context, "no-such-person")


def test_a_source_that_cannot_be_read_is_told(place: Any, hire: Any):
    """The others are looked through all the same."""
    hire("009001", "Signe", "Qvale")
    for file in (place.folder / "examples/kommune/school").iterdir():
        file.unlink()

    assert stranger(place, "009001").found.failures.keys() == {"school"}


# ---------------------------------------------------------------- identifiers


def tried(why: Explained, name: str = "username") -> list[tuple[str, str, str | None]]:
    """(name, outcome, by whom) of each candidate that is told."""
    decision = next(one for one in why.decisions if one.name == name)
    return [(one.name, one.outcome, one.person) for one in decision.tried]


def test_taken_candidates_name_who_has_them(place: Any, hire: Any):
    """Each candidate before the one that was given is told with its owner."""
    first = hire("009001", "Xaverius", "Yngve")
    second = hire("009002", "Xavier", "Yngvesen")
    place.sync()

    why = explain(place, second)

    assert tried(why) == [("xavyng", "taken", first), ("xavyng2", "own", second)]
    decision = next(one for one in why.decisions if one.name == "username")
    assert (decision.value, decision.is_candidate) == ("xavyng2", True)
    assert decision.since is not None
    taken = decision.tried[0]
    assert (taken.person_name, taken.is_pending) == ("Xaverius Yngve", True)


def test_reserved_forbidden_and_used_names_are_told_apart(place: Any, hire: Any):
    """Of names that nobody has, one is reserved, one forbidden; of one that only an account holds, whose it is."""
    hire("009001", "Xaverius", "Yngve")
    place.edit("common.yaml", "administrator, bruker,", "administrator, xavyng2, bruker,")
    context = place.context
    with context.writing() as database, database.write() as connection:
        row = {"name": "username", "digest": context.vault.digest("username", "xavyng"), "until": "2030-01-01"}
        connection.execute(tables.reservations.insert(), [row])
    place.sync()

    why = explain(place, "hr:009001")

    assert tried(why) == [
        ("xavyng", "reserved", None),
        ("xavyng2", "forbidden", None),
        ("xavyng3", "own", "hr:009001"),
    ]
    assert why.decisions[-1].tried[0].until == "2030-01-01"


def test_a_name_that_was_cut_says_by_which_target(place: Any, hire: Any):
    """The limit is the narrowest attribute's."""
    place.edit("common.yaml", "| first(3) }}{{ person.family_name | slug | replace('-', '') | first(3) }}\"", '}}"')
    place.edit(
        "common.yaml",
        "| first(3) }}{{ person.family_name | slug | replace('-', '') | first(3) }}{{ n }}\"",
        '}}{{ n }}"',
    )
    hire("009001", "Maximilianmaximilianmax", "Yngve")
    place.sync()

    decision = explain(place, "hr:009001").decisions[-1]

    assert (decision.value, decision.max_length, decision.limited_by) == (
        "maximilianmaximilian",
        20,
        "ad.sAMAccountName",
    )
    assert decision.tried[-1].whole == "maximilianmaximilianmax"


def test_a_kept_name_is_told_as_kept(place: Any, hire: Any):
    """Who is called otherwise now keeps the name, and what would be tried today is told."""
    hire("009001", "Xaverius", "Yngve")
    place.sync()
    path = place.folder / PERSONS
    path.write_text(path.read_text(encoding="utf-8").replace("Yngve", "Zimmer"), encoding="utf-8")
    place.sync()

    decision = explain(place, "hr:009001").decisions[-1]

    assert (decision.value, decision.follows, decision.is_candidate) == ("xavyng", False, False)
    assert [one.name for one in decision.tried] == ["xavzim"]


# ---------------------------------------------------------------- days, plan, queue, audit


def test_coming_days_are_told(place: Any, hire: Any):
    """The last day of a position is followed by the day on which it counts no more."""
    person = hire("009001", "Signe", "Qvale")
    path = place.folder / POSITIONS
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            "009001;1;1000;1;Rådgiver;Fast;100;01.01.2020;;", "009001;1;1000;1;Rådgiver;Fast;100;01.01.2020;31.08.2026;"
        ),
        encoding="utf-8",
    )
    place.sync()

    turns = [(turn.day, turn.kind, turn.about) for turn in explain(place, person).turns]

    assert turns == [(date(2026, 9, 1), "ends", "hr:009001-1"), (date(2026, 9, 1), "stage", "ended")]


def test_a_rule_that_is_not_in_force_yet_is_told_with_its_day(place: Any):
    """The rule holds, gives nothing, and its first day is one of the coming ones."""
    place.edit("licences.yaml", "    sku: SPE_E3\n", "    sku: SPE_E3\n    from: 2026-12-01\n")
    place.sync()

    answer = ask(place, "hr:001001", "SPE_E3")

    rule = answer.rules[0]
    assert (rule.in_force, rule.first_day, answer.shall_have) == (False, date(2026, 12, 1), False)
    assert ("in force", rule.rule) in [(turn.kind, turn.about) for turn in answer.explained.turns]


def test_the_next_run_s_changes_are_told(place: Any):
    """An edit of a rule shows in what the next run would change, before it does."""
    place.edit("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef")

    prospects = explain(place, "hr:001001").prospects

    assert {tuple(one.change.attributes.items()) for one in prospects} == {
        (("extensionAttribute1", ("leder", "sjef")),)
    }
    assert all(one.holds == () for one in prospects)


def test_what_a_brake_held_names_the_brake_and_the_run(place: Any):
    """Nobody is employed any more: the next run would disable everybody, and the last one was held."""
    config = place.folder / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("disable: {max_fraction: 0.05, floor: 10}", "disable: {max_fraction: 0.0, floor: 0}"),
        encoding="utf-8",
    )
    place.edit("employees.yaml", "when: affiliation.kind == 'employee'", "when: affiliation.kind == 'external'")
    place.sync()

    held = [one for one in explain(place, "hr:001001").prospects if one.holds]

    assert held
    assert {hold.name for one in held for hold in one.holds} >= {"ad.account.disable"}
    assert all(hold.run for one in held for hold in one.holds)


def test_what_cannot_be_made_is_told(place: Any, hire: Any):
    """An account with an attribute that is too long is in no plan; the reason is told."""
    person = hire("009001", "S" * 65, "Qvale")
    place.sync()

    why = explain(place, person)

    assert why.faults == ("ad: 'givenName' would have 65 characters, at most 64 are possible",)
    assert all(one.change.target != "ad" for one in why.prospects)


def test_items_say_what_they_wait_for(place: Any, hire: Any):
    """A membership waits for the account and for nothing that is done."""
    person = hire("009001", "Signe", "Qvale")
    place.sync()

    waits = {wait.what: wait for wait in explain(place, person).waits if wait.item.target == "ad"}

    account = waits["create account"]
    assert account.reasons == ()
    (reason,) = waits["create membership enhet-1000"].reasons
    assert (reason.kind, reason.item, reason.what) == ("prerequisite", account.item.id, "create account")


def test_a_target_that_is_paused_or_away_is_a_reason(place: Any, hire: Any):
    """Whatever waits for a target says that nothing is delivered to it, and until when."""
    person = hire("009001", "Signe", "Qvale")
    place.sync()
    context = place.context
    pause(context, "ad", "new domain controller")
    probe = datetime(2026, 8, 17, 12, tzinfo=UTC)
    with context.writing() as database, database.write() as connection:
        connection.execute(
            define(MetaData()).circuits.insert(),
            [
                {
                    "target": "entra",
                    "opened_at": to_micros(probe),
                    "probe_at": to_micros(probe),
                    "failures": 3,
                    "error": "no route",
                }
            ],
        )

    reasons = {
        wait.item.target: [(one.kind, one.what, one.until) for one in wait.reasons]
        for wait in explain(place, person).waits
        if wait.what == "create account"
    }

    assert reasons == {"ad": [("paused", "new domain controller", None)], "entra": [("away", "no route", probe)]}


def test_the_last_outcome_of_each_thing_is_told(place: Any):
    """What the first run gave is told with its time and run, once for each thing."""
    why = explain(place, "hr:001001")

    keys = [(one.target, one.object) for one in why.outcomes]
    assert len(set(keys)) == len(keys) > 1
    account = next(one for one in why.outcomes if one.target == "ad" and one.object == "account:hr:001001")
    assert (account.action, account.at[:10]) == ("create", "2026-08-17")
    assert account.run is not None


# ---------------------------------------------------------------- why not


@pytest.mark.parametrize(
    ("what", "kind", "name"),
    [
        ("ad", "account", "ad"),
        ("AD", "account", "ad"),  # whatever the case
        ("spe_e3", "licence", "SPE_E3"),
        ("ENHET-1000", "group", "enhet-1000"),
    ],
)
def test_things_are_found_whatever_the_case(place: Any, what: str, kind: str, name: str):
    """A service desk types as it likes."""
    answer = ask(place, "hr:001001", what)

    assert (answer.kind, answer.name) == (kind, name)


def test_a_thing_concerns_only_its_own_changes(place: Any):
    """An account's changes are those of its own target."""
    answer = ask(place, "hr:001001", "ad")

    assert answer.concerns("ad", "account:hr:001001")
    assert not answer.concerns("entra", "account:hr:001001")
    assert not answer.concerns("ad", "account:hr:001002")


def test_unknown_things_suggest_near_ones(place: Any):
    """A misspelt group names those that come close."""
    with pytest.raises(NotFound) as caught:
        why_not(place.context, "hr:001001", "enhet-100")

    assert all(name.startswith("enhet-1") for name in caught.value.near)
    assert caught.value.near


def test_a_filtered_person_has_an_answer_too(place: Any, hire: Any):
    """`why-not` of somebody whom no import took over says what the sources say."""
    hire("009001", "Signe", "Qvale")

    assert isinstance(why_not(place.context, "hr:009001", "ad"), Stranger)


def test_a_day_later_the_answer_is_seen_from_that_day(place: Any):
    """Today is the clock's, in the organisation's zone."""
    place.clock.moment += timedelta(days=1)

    assert explain(place, "hr:001001").today == date(2026, 8, 18)


def test_what_somebody_did_to_a_change_in_the_queue_is_no_outcome(place: Any):
    """Dropping a change is told by the history; what was confirmed last in the target stays what it was."""
    context, key = place.context, account_key("hr:001001")
    with context.writing() as database, database.write() as connection:
        context.queue.enqueue(connection, [NewItem("ad", key, "update account", b"", "none/1", "hr:001001")])
    (item,) = queueing.listed(context, object_key=key).items
    queueing.drop(context, [item.id], "not wanted")

    assert {one.action for one in explain(place, "hr:001001").outcomes if one.object == key} == {"create"}


# ---------------------------------------------------------------- groups in groups, and groups to come


def test_a_group_by_way_of_another_is_told_with_the_way(place: Any):
    """A pupil is in the mail to the whole school because the class is; nobody finds that in their own memberships."""
    with place.context.reading() as database, database.read() as connection:
        nestings, members = tables.known_nestings.c, tables.known_memberships.c
        row = connection.execute(
            select(members.person_id, nestings.member_key, nestings.group_key, nestings.rule)
            .join_from(tables.known_nestings, tables.known_memberships, members.group_key == nestings.member_key)
            .where(members.role == "member", members.target == nestings.target)
            .order_by(members.person_id)
            .limit(1)
        ).one()
        columns = tables.known_memberships
    context = place.context
    with context.writing() as database, database.write() as connection:
        connection.execute(columns.delete().where(columns.c.group_key == row.group_key))  # else they are in it anyhow

    answer = ask(place, row.person_id, row.group_key)

    assert (answer.has, [(one.through, one.rule, one.has) for one in answer.by_way]) == (
        False,
        [((row.member_key,), row.rule, True)],
    )


def test_a_group_by_way_of_one_to_come_is_told_as_to_come(place: Any):
    """Before the next run nobody is in it; afterwards everybody who works in a unit is, by way of the unit's group."""
    place.edit("groups.yaml", '    name: "ENHET-{{ affiliation.unit.code }}"', UNITS_IN_ONE)
    place.edit("groups.yaml", "groups:\n", ALL_UNITS)

    answer = ask(place, "hr:001001", "ALLE-ENHETER")

    assert (answer.has, answer.shall_have) == (False, False)
    assert [(one.through, one.rule, one.has) for one in answer.by_way] == [(("enhet-1000",), "groups/unit-ad", False)]


UNITS_IN_ONE = """    name: "ENHET-{{ affiliation.unit.code }}"
    member_of: ALLE-ENHETER"""

ALL_UNITS = """groups:
  - {rule: all-units, target: ad, when: affiliation.title == 'Astronaut', name: ALLE-ENHETER}
"""


@pytest.mark.parametrize("name", ["ROMFARERE", "ROM-1000", "ROM-1401"])
def test_a_group_that_nobody_has_yet_has_an_answer(place: Any, name: str):
    """The rule that could give it says what it asks for in vain."""
    place.edit("groups.yaml", "groups:\n", ASTRONAUTS)

    answer = ask(place, "hr:001001", name)

    assert (answer.kind, answer.name, answer.is_known) == ("group", name.casefold(), False)
    assert [(rule.rule.startswith("groups/astronaut"), rule.holds) for rule in answer.rules] == [(True, False)]


ASTRONAUTS = """groups:
  - {rule: astronauts, target: ad, when: affiliation.title == 'Astronaut', name: ROMFARERE}
  - {rule: astronauts-of, target: ad, when: affiliation.title == 'Astronaut', name: "ROM-{{ affiliation.unit.code }}"}
"""
