"""What is refused of `member_of` and `nested` when rules are loaded, and what can be told of it then."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from eadm_sync.errors import ConfigError
from eadm_sync.ruleset import Ruleset, Vocabulary, load_ruleset

GROUP = "ruleset: a\ngroups:\n  - {rule: all, target: ad, for_each: person, name: Alle}\n"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        # a misspelt name, and one whose beginning no rule's groups have
        ("name: x, member_of: Ale", "a.yaml:4:47: groups[1].member_of: no rule of the target 'ad' gives a group 'Ale'"),
        (
            "name: x, member_of: [Alle, 'W-{{ affiliation.unit.code }}']",
            "groups[1].member_of[1]: no rule of the target",
        ),
        ("name: 'U-{{ affiliation.unit.code }}', member_of: 'V-{{ affiliation.unit.parent.code }}'", "no rule of the"),
        # the group is there, in another target
        ("name: x, target: google, member_of: Alle", "gives a group 'Alle' ('a/all' gives one in the target 'ad')"),
        ("name: x, member_of: x", "a group cannot be in itself"),
        ("name: 'U-{{ affiliation.unit.code }}', member_of: 'U-{{ affiliation.unit.code }}'", "cannot be in itself"),
        # what differs between the members of one group
        ("name: x, member_of: '{{ person.given_name }}'", "'person.given_name' can differ between members"),
        ("name: x, member_of: '{{ person.national_id }}'", "no sensitive field"),
        ("name: x, member_of: '{{ affiliation.untit }}'", "unknown field 'affiliation.untit'"),
        ("name: x, member_of: []", "groups[1].member_of"),
        ("name: x, nested: true", "only rules with 'for_each: unit_path' can be nested"),
        ("name: x, nested: true, for_each: unit_path", "the unit alone must say what a nested group is"),
        (
            "name: 'U-{{ unit.code }}', nested: true, for_each: unit_path, when: unit.manager.id == person.id",
            "says of one unit what differs between people",
        ),
    ],
)
def test_slips_are_found_at_load(refused: Callable[..., list[str]], rule: str, says: str):
    """With the place of the entry, and where such a group would be."""
    target = "" if "target:" in rule else "target: ad, "

    assert says in "\n".join(refused(f"{GROUP}  - {{rule: r, {target}{rule}}}\n"))


@pytest.mark.parametrize(
    "rule",
    [
        "name: x, member_of: ALLE",  # names are compared without case
        "name: 'Al{{ affiliation.unit.code }}', member_of: Alle",
        "name: x, member_of: 'Al{{ affiliation.unit.code }}'",  # a run will tell
        "name: 'U-{{ affiliation.unit.code }}', member_of: ['U-{{ affiliation.unit.parent.code }}', alle]",
        "name: 'U-{{ unit.code }}', nested: true, for_each: unit_path, when: [affiliation.primary, unit.code == '1']",
        "name: 'U-{{ unit.code }}', key: '{{ unit.code }}', nested: true, for_each: unit_path, member_of: Alle",
    ],
)
def test_what_can_be_meant_is_taken(load: Callable[..., Ruleset], rule: str):
    """Whatever only a run can tell is left to it."""
    assert load(f"{GROUP}  - {{rule: r, target: ad, {rule}}}\n").groups[1].nests


def test_a_target_must_know_groups_in_groups(tmp_path: Path, vocabulary: Vocabulary):
    """The error names the rule's place and the target."""
    targets = {name: replace(words, has_nestings=False) for name, words in vocabulary.targets.items()}
    path = tmp_path / "a.yaml"
    path.write_text(f"{GROUP}  - {{rule: r, target: ad, name: x, member_of: Alle}}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"a\.yaml:4:.*member_of: the target 'ad' cannot have groups in groups"):
        load_ruleset([path], replace(vocabulary, targets=targets))


def test_one_faulty_rule_does_not_make_its_group_unknown(refused: Callable[..., list[str]]):
    """Whoever names the group of a rule that is wrong elsewhere is not blamed."""
    faulty = GROUP.replace("name: Alle", "name: Alle, container: '{{ nope }}'")

    problems = refused(f"{faulty}  - {{rule: r, target: ad, name: x, member_of: Alle}}\n")

    assert len(problems) == 1
    assert "nope" in problems[0]


@pytest.mark.parametrize("slip", ["name: Alle, for_each: nope", "name: 5"])
def test_a_rule_of_wrong_structure_does_not_make_its_group_unknown(refused: Callable[..., list[str]], slip: str):
    """It is left out while the rest is checked; nobody can say then which groups there are."""
    faulty = (
        GROUP.replace("name: Alle", f"name: Alle, {slip}") if "name" not in slip else GROUP.replace("name: Alle", slip)
    )

    problems = refused(f"{faulty}  - {{rule: r, target: ad, name: x, member_of: Alle}}\n")

    assert [problem.split(" ")[0] for problem in problems] == [problems[0].split(" ")[0]]
    assert "groups[0]" in problems[0]
