from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from sqlalchemy import delete, select

from eadm_sync.app.comparing import compared
from eadm_sync.app.population import stored_organisation, stored_people
from eadm_sync.desired import Desired, Evaluator, winning_order
from eadm_sync.errors import ConfigError
from eadm_sync.lifecycle import standing
from eadm_sync.plan.change import Change
from eadm_sync.plan.diff import diff_person
from eadm_sync.ruleset import load_ruleset
from eadm_sync.state import tables
from eadm_sync.state.known import Known, KnownAccount

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


def changes_by_hand(place: Any, rules: Path) -> dict[str, list[Any]]:
    """Every change of everybody, by person, all rules of both sides evaluated for all."""
    context = place.context
    day = place.clock.moment.date()
    with context.reading() as database, database.read() as connection:
        organisation = stored_organisation(context, connection)
        names = {(r.person_id, r.name): r.value for r in connection.execute(select(tables.identifiers))}
        people = [person for portion in stored_people(connection) for person in portion]
    old, new = context.ruleset, load_ruleset([rules], context.vocabulary)
    found: dict[str, list[Any]] = {}
    for person in people:
        given = []
        for ruleset in (old, new):
            evaluator = Evaluator(
                ruleset, organisation, lambda name, one, _: names.get((one.id, name), one.id), None, day
            )
            stand = standing(person, ruleset.lifecycle, day)
            order = winning_order(stand.counting, ruleset.affiliation_order)
            given.append((evaluator.evaluate(person, order) if order else Desired(), stand))
        (before, stand_before), (after, stand) = given
        words = context.vocabulary.targets
        faulty = {one.target for one in after.accounts if words[one.target].fault(one.attributes)}
        changes = diff_person(
            person.id,
            after.without(faulty),
            known_of(before.without(faulty), stand_before.enabled),
            stand,
            seal=lambda _target, attributes: attributes,
            settings=new.lifecycle,
            today=day,
            keeping={rule.id for rule in new.groups if rule.keeps},
        )
        if changes:
            found[person.id] = [shown(change) for change in changes]
    return found


def known_of(desired: Desired, enabled: bool) -> Known:
    """What the targets would hold."""
    return Known(
        accounts={
            one.target: KnownAccount(one.target, "", one.container, enabled, dict(one.attributes), one.rule, None)
            for one in desired.accounts
        },
        memberships={(one.target, one.group): (one.role, one.rule) for one in desired.memberships},
        licences={(one.target, one.sku): one.rule for one in desired.licences},
    )


def shown(change: Change) -> tuple[Any, ...]:
    """A change without the rule that it is put down to."""
    attributes = sorted((name, *values) for name, values in change.attributes.items())
    which = change.group or change.sku, change.role, change.container, change.enabled
    return change.target, str(change.kind), str(change.action), *which, str(attributes)


WHENS = [
    "working", "regular", "external", "manages", "at_school", "affiliation.kind == 'pupil'", "affiliation.primary",
    "affiliation.title is defined and working", "'X' not in affiliation.classes", "frontline or manages",
]  # fmt: skip
TEXTS = [
    "{{ affiliation.title | upper }}", "{{ person.given_name }}", "{{ username }}.x", "{{ affiliation.unit.kind }}",
    "{{ jobs[affiliation.title].field }}", "constant", "{{ affiliation.unit.path | join('/') }}",
]  # fmt: skip


def mutated(random: Random, files: dict[str, Any]) -> None:
    """One edit of rulesets, as plain data."""
    section = random.choice(("accounts", "groups", "licences"))
    rules = random.choice([one[section] for one in files.values() if section in one])
    rule = random.choice(rules)
    match random.randrange(9):
        case 0:
            rule["when"] = random.choice(WHENS)
        case 1:
            texts = rule.get("when", "working")
            rule["when"] = [*([texts] if isinstance(texts, str) else texts), random.choice(WHENS)]
        case 2 if section == "licences":
            rule["sku"] = random.choice(("STANDARDWOFFPACK_STUDENT", "SPE_F1", "NEW"))
        case 2 | 3 if section != "licences":
            names = [*rule.setdefault("attributes", {}), "more"]
            rule["attributes"][random.choice(names)] = random.choice(TEXTS)
        case 4 if section != "licences" and rule.get("attributes"):
            del rule["attributes"][random.choice(list(rule["attributes"]))]
        case 5:
            rules.remove(rule)
        case 6:
            rules.remove(rule)
            rules.insert(random.randrange(len(rules) + 1), rule)
        case 7 if section == "groups":
            rule[random.choice(("role", "mode", "name"))] = random.choice(
                ("owner", "add-only", "exact", "ENHET-{{ affiliation.unit.parent.code }}", "LEDERE")
            )
        case _:
            common = files["common.yaml"]
            name = random.choice(list(common["conditions"]))
            edit = random.choice(
                (
                    lambda: common["conditions"].update({name: random.choice(WHENS[5:8])}),
                    lambda: common["lifecycle"].update(grace_days=random.randrange(2000)),
                    lambda: common["lifecycle"].update(create_days_before_start=random.randrange(400)),
                    lambda: random.shuffle(common["affiliation_order"]),
                    lambda: common["identifiers"]["username"].update(max_length=random.randrange(6, 20)),
                    lambda: common["identifiers"]["mail_name"].update(on_rename="follow"),
                )
            )
            edit()


def edited_at_random(place: Any, random: Random) -> Path:
    """A copy of the rules with one to three edits that load."""
    other = Path(shutil.copytree(place.rules, place.folder / "other", dirs_exist_ok=True))
    while True:
        files = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in place.rules.glob("*.yaml")}
        for _ in range(random.choice((1, 1, 2, 3))):
            mutated(random, files)
        for name, data in files.items():
            (other / name).write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
        try:
            load_ruleset([other], place.context.vocabulary)
        except ConfigError:
            continue
        return other


@pytest.mark.parametrize("seed", range(30))
def test_any_edit_comes_to_what_a_full_evaluation_comes_to(place: Any, seed: int):
    """Looking only at what can differ, and once at who looks alike, changes no change: whatever was edited."""
    rules = edited_at_random(place, Random(seed))
    with place.context.reading() as database, database.read() as connection:
        named = set(connection.scalars(select(tables.identifiers.c.person_id)))

    with compared(place.context, [rules]) as made:
        ours = {frame.person: [shown(change) for change in frame.changes] for frame in made.frames}

    by_hand = changes_by_hand(place, rules)
    assert ours.keys() == by_hand.keys()
    for person in ours.keys() & named:  # names that were never given are worked out by either side in its own order
        assert sorted(ours[person], key=str) == sorted(by_hand[person], key=str)


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
