from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from eadm_sync.app.comparing import compared
from eadm_sync.app.population import stored_organisation, stored_people
from eadm_sync.desired import Desired, Evaluator, winning_order
from eadm_sync.lifecycle import standing
from eadm_sync.ruleset import load_ruleset
from eadm_sync.state import tables

Told = set[tuple[str, str, str, str, str]]


def told(place: Any, rules: Path, **options: Any) -> Told:
    """(person, target, kind, action, what) of every change."""
    with compared(place.context, [rules], **options) as made:
        return {
            (frame.person, c.target, str(c.kind), str(c.action), c.sku or c.group or ",".join(sorted(c.attributes)))
            for frame in made.frames
            for c in frame.changes
        }


def by_hand(place: Any, rules: Path) -> set[str]:
    """Ids of those to whom the two rulesets give something else, everything evaluated for everybody."""
    context = place.context
    day = place.clock.moment.date()
    with context.reading() as database, database.read() as connection:
        organisation = stored_organisation(context, connection)
        names = {(r.person_id, r.name): r.value for r in connection.execute(select(tables.identifiers))}
        people = [person for portion in stored_people(connection) for person in portion]
    found: list[dict[str, Any]] = []
    for ruleset in (context.ruleset, load_ruleset([rules], context.vocabulary)):
        evaluator = Evaluator(
            ruleset, organisation, lambda name, person, _affiliation: names.get((person.id, name), person.id)
        )
        mine: dict[str, Any] = {}
        for person in people:
            stand = standing(person, ruleset.lifecycle, day)
            order = winning_order(stand.counting, ruleset.affiliation_order)
            given = evaluator.evaluate(person, order) if order else Desired()
            mine[person.id] = (
                stand.enabled and bool(given.accounts),
                {(one.target, one.container, str(sorted(one.attributes.items()))) for one in given.accounts},
                {(one.target, one.group, one.role) for one in given.memberships},
                {(one.target, one.sku) for one in given.licences},
            )
        found.append(mine)
    return {person for person in found[0] if found[0][person] != found[1][person]}


MORE_ATTRIBUTES = "  - {rule: more, target: ad, when: working, attributes: {note: x}}\n"
ACCOUNTS_OF_PUPILS = (
    "  - {rule: more, target: ad, when: affiliation.kind == 'pupil', attributes: {sAMAccountName: '{{ username }}'}}\n"
)
ANOTHER_LICENCE = "  - {rule: more, target: entra, sku: MORE, when: regular}\n"
ANOTHER_GROUP = "  - {rule: more, target: ad, when: regular, name: MORE, for_each: person}\n"

EDITS = [
    # an attribute of one rule
    ("employees.yaml", "affiliation.title | default('Ansatt')", "affiliation.title | upper"),
    # a rule that only adds to an account
    ("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef"),
    # who gets an account: groups and licences of the target come and go with it, untouched as their rules are
    (
        "employees.yaml",
        "when: affiliation.kind in ['employee', 'substitute']",
        "when: affiliation.kind == 'substitute'",
    ),
    # a product, and the order of an exclusive set through a condition
    ("licences.yaml", "sku: SPE_E3", "sku: SPE_E5"),
    ("common.yaml", "affiliation.fraction >= 0.2", "affiliation.fraction >= 0.9"),
    # group rules that give one group together: the first that holds decides the role
    ("groups.yaml", "    role: owner\n\n  - rule: unit-entra", "    role: manager\n\n  - rule: unit-entra"),
    ("groups.yaml", "when: class_group.role == 'pupil'", "when: class_group.role == 'teacher'"),
    # rules that one side alone has: its target is as much in question on the other side
    ("teachers.yaml", "accounts:\n", f"accounts:\n{MORE_ATTRIBUTES}"),
    ("pupils.yaml", "accounts:\n", f"accounts:\n{ACCOUNTS_OF_PUPILS}"),
    ("licences.yaml", "licences:\n", f"licences:\n{ANOTHER_LICENCE}"),
    ("licences.yaml", "licences:\n", f"licences:\n{ANOTHER_LICENCE.replace('entra', 'google')}"),
    ("groups.yaml", "groups:\n", f"groups:\n{ANOTHER_GROUP}"),
    # a table
    ("tables/jobs.csv", "frontline", "office"),
    # settings that everything hangs on
    (
        "common.yaml",
        "[employee, teacher, substitute, pupil, external]",
        "[pupil, external, substitute, teacher, employee]",
    ),
    ("common.yaml", "grace_days: 0", "grace_days: 3000"),
]


@pytest.mark.parametrize(("file", "old", "new"), EDITS, ids=[f"{file} {new[:20]}" for file, _, new in EDITS])
def test_it_finds_those_whom_a_full_evaluation_finds(place: Any, file: str, old: str, new: str):
    """Leaving out what an edit cannot touch leaves out nobody."""
    rules = place.edited(file, old, new)
    assert {person for person, *_ in told(place, rules)} == by_hand(place, rules)


def test_equal_rules_change_nothing_and_evaluate_nobody(place: Any):
    """Comments, and where the files stand, make no difference."""
    rules = place.edited("licences.yaml", "ruleset: licences", "# a comment\nruleset: licences")
    with compared(place.context, [rules]) as made:
        assert (made.differs, made.evaluated, made.edits) == (False, 0, ())


def test_an_effect_is_counted_by_the_rule_that_was_edited(place: Any):
    """Also where that rule only adds attributes to an account that another one gives."""
    rules = place.edited("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef")
    with compared(place.context, [rules]) as made:
        (effect,) = made.effects
        assert (effect.rule, effect.what) == ("employees/manager-ad", "extensionAttribute1")
        assert made.effects[effect] == made.frames.count > 0
        assert [(edit.id, edit.edit) for edit in made.edits] == [("employees/manager-ad", "changed")]


def test_rules_that_come_go_or_move_are_told(place: Any):
    """The first rule of an exclusive set that holds wins, so that order is an edit like any other."""
    text = (place.rules / "licences.yaml").read_text(encoding="utf-8")
    head, *rules = text.split("  - rule: ")
    (place.rules / "licences.yaml").write_text(
        head + "".join(f"  - rule: {rule}" for rule in (rules[1], rules[0], *rules[2:4])), encoding="utf-8"
    )
    rules_dir = place.edited("licences.yaml", "ruleset: licences", "ruleset: licences")
    (rules_dir / "licences.yaml").write_text(text, encoding="utf-8")
    with compared(place.context, [rules_dir]) as made:
        assert {(edit.id, edit.edit) for edit in made.edits} == {
            ("licences/a3-faculty", "moved"),
            ("licences/f1-frontline", "moved"),
            ("licences/a1-pupil", "added"),
        }
    assert {person for person, *_ in told(place, rules_dir)} == by_hand(place, rules_dir)


def test_a_group_that_changes_is_told_once(place: Any):
    """What changes of a group itself is no change of its members."""
    rules = place.edited("groups.yaml", "displayName: Alle ledere", "displayName: Lederne")
    with compared(place.context, [rules]) as made:
        assert made.frames.count == 0
        assert [frame.changes[0].attributes for frame in made.groups] == [{"displayName": ("Alle ledere", "Lederne")}]
        assert made.differs


def test_two_processes_tell_the_same_as_one(place: Any):
    """Names that somebody has not been given yet are worked out in one place, in the same order."""
    context = place.context
    with context.writing() as database, database.write() as connection:
        connection.execute(delete(tables.identifiers))
    rules = place.edited("common.yaml", "[employee, teacher, substitute", "[teacher, employee, substitute")
    place.edit("employees.yaml", 'displayName: "{{ person.given_name }}', 'displayName: "{{ username }}', rules=rules)
    digests = []
    for processes in (1, 2):
        with compared(place.context, [rules], processes=processes) as made:
            digests.append((made.frames.digest, made.effects, made.evaluated, made.groups))
    assert digests[0] == digests[1]
    assert digests[0][2] > 0


def test_nothing_is_written(place: Any):
    """Not even the names that were worked out."""
    before = {path: path.read_bytes() for path in (place.folder / "var").iterdir() if path.is_file()}
    told(place, place.edited("common.yaml", "grace_days: 0", "grace_days: 3000"))
    assert {path: path.read_bytes() for path in (place.folder / "var").iterdir() if path.is_file()} == before
