from __future__ import annotations

from typing import Any

import pytest

from eadm_sync.app.linting import Finding, lint


def found(place: Any, kind: str) -> dict[str, Finding]:
    """Findings of one kind by what they are about."""
    return {one.about: one for one in lint(place.context) if one.kind == kind}


def test_a_rule_that_holds_for_nobody_is_told_with_its_line(place: Any):
    """The rule reads well, but there is no such person."""
    place.edit("licences.yaml", "when: frontline", "when: affiliation.title == 'Astronaut'")
    one = found(place, "never-holds")["licences/f1-frontline"]
    assert (one.count, one.is_error, one.line) == (0, False, 12)


def test_a_licence_behind_others_of_its_set_is_told(place: Any):
    """It holds for some, and each of them has another licence first."""
    place.edit("licences.yaml", "when: frontline", "when: at_school")
    one = found(place, "shadowed")["licences/f1-frontline"]
    assert one.count > 0
    assert one.also == "licences/a3-faculty"


def test_a_group_that_nobody_is_in_any_more_is_told(place: Any):
    """It is known to a target, and the rules give it to nobody."""
    place.edit(
        "groups.yaml", "when: [working, manages]\n    name: LEDERE", "when: [working, manages]\n    name: SJEFER"
    )
    assert found(place, "empty-group")["ad:ledere"].also == "groups/managers-ad"


def test_two_rules_that_set_an_attribute_differently_are_an_error(place: Any):
    """Which of them wins hangs on their order, which nobody meant."""
    place.edit("employees.yaml", "extensionAttribute1: leder", "title: Leder")
    conflicts = found(place, "conflict")
    one = conflicts["employees/manager-ad title"]
    assert (one.is_error, one.also) == (True, "employees/employee-ad")
    assert one.count >= len(one.examples) > 0


@pytest.mark.parametrize("is_first", [False, True])
def test_an_added_attribute_that_another_position_has_set_is_told(place: Any, is_first: bool):
    """The rule holds by a position as a substitute, and the other one gives the account: nobody would find out why."""
    hr = place.folder / "examples" / "kommune" / "hr"
    with (hr / "persons.csv").open("a", encoding="utf-8") as file:
        file.write("009001;;Signe;Qvale;;;;\n")
    with (hr / "positions.csv").open("a", encoding="utf-8") as file:
        file.write("009001;1;1000;1;Rådgiver;Fast;80;01.01.2020;;J;\n")
        file.write("009001;2;1000;2;Astronaut;Vikar;20;01.01.2021;;N;\n")
    place.edit("employees.yaml", *((ACCOUNTS, ACCOUNTS + SPACE) if is_first else (MANAGER, SPACE + MANAGER)))
    place.sync()

    one = found(place, "overridden")["employees/space company"]

    assert (one.is_error, one.also, one.count, one.examples) == (False, "employees/employee-ad", 1, ("hr:009001",))
    assert "employees/space company" not in found(place, "conflict")


ACCOUNTS = "accounts:\n"
MANAGER = "  # Managers of a unit"
SPACE = """  - rule: space
    target: ad
    when: affiliation.title == 'Astronaut'
    attributes: {company: Romfart}
"""


def test_rules_that_are_never_in_force_together_do_not_conflict(place: Any):
    """One ends on the day before the other begins."""
    rules = (
        "  - {rule: before, target: ad, until: 2027-07-31, attributes: {extensionAttribute3: a}}\n"
        "  - {rule: behind, target: ad, from: 2027-08-01, attributes: {extensionAttribute3: b}}\n"
    )
    place.edit("employees.yaml", MANAGER, rules + MANAGER)
    assert found(place, "conflict") == {}
    place.edit("employees.yaml", "until: 2027-07-31", "until: 2027-08-01")
    assert list(found(place, "conflict")) == ["employees/behind extensionAttribute3"]


def test_equal_values_and_other_affiliations_are_no_conflict(place: Any):
    """The example's rules say the same twice, and the winning affiliation decides between two positions."""
    assert found(place, "conflict") == {}


def test_people_whose_first_candidate_is_another_s_are_counted(place: Any):
    """Everybody of one name but one gets a number."""
    text = (place.rules / "common.yaml").read_text(encoding="utf-8")
    start = text.index("    candidates:\n")
    end = text.index("    unique_in", start)
    short = '    candidates:\n      - "all"\n      - "all{{ n }}"\n'
    (place.rules / "common.yaml").write_text(text[:start] + short + text[end:], encoding="utf-8")
    one = found(place, "numbered-names")["username"]
    assert one.count == one.of - 1
    assert one.examples == (f"all ({one.of})",)


def test_people_who_get_nothing_are_counted(place: Any):
    """Their affiliations count, and no rule gives them an account."""
    assert found(place, "nothing-given") == {}
    for file in ("employees.yaml", "teachers.yaml"):
        text = (place.rules / file).read_text(encoding="utf-8")
        narrowed = text.replace("when: affiliation.kind == 'employee'", "when: affiliation.title == 'Astronaut'")
        narrowed = narrowed.replace("in ['employee', 'substitute']", "in ['substitute']")
        (place.rules / file).write_text(
            narrowed.replace("when: at_school", "when: working and affiliation.title == 'A'")
        )
    one = found(place, "nothing-given")["people"]
    assert 0 < one.count < one.of
    assert len(one.examples) == min(one.count, 5)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        # hardly anybody is on leave, so the comparison is false for nearly everybody: not what it seems to say
        ("working and affiliation.leave != 'X'", True),
        # `not` of an equality is true where the field is missing
        ("working and not affiliation.leave == 'X'", False),
        # always there
        ("working and affiliation.kind != 'pupil'", False),
    ],
)
def test_unequal_on_a_field_that_is_often_missing_is_told(place: Any, condition: str, told: bool):
    """Also where it stands in a condition that rules only name."""
    place.edit("common.yaml", "at_school: working and (", f"at_school: {condition} and (")
    findings = found(place, "missing-compared").values()
    assert ({one.also for one in findings} == {"affiliation.leave"}) is told
    assert all(one.count / one.of > 0.9 for one in findings)
