from __future__ import annotations

from pathlib import Path

from eadm_sync.desired.possible import possible_groups
from eadm_sync.model import ClassGroup, Unit
from eadm_sync.ruleset import Organisation, TargetWords, Vocabulary, load_ruleset

RULES = """
ruleset: a
groups:
  - {rule: all, target: ad, for_each: person, name: ALLE}
  - {rule: unit, target: ad, name: "U-{{ affiliation.unit.code }}"}
  - {rule: below, target: ad, for_each: unit_path, name: "B-{{ unit.code }}"}
  - {rule: class, target: ad, for_each: class, name: "K-{{ class_group.code }}"}
  - {rule: title, target: ad, name: "T-{{ affiliation.title }}"}
  - {rule: unit-again, target: ad, when: affiliation.primary, name: "u-{{ affiliation.unit.code }}"}
"""

ORGANISATION = Organisation([Unit("1", "En"), Unit("2", "To", parent="1")], [ClassGroup("5a", "5A")])


def test_groups_are_made_of_every_unit_and_class_there_is(tmp_path: Path):
    """Whether a rule holds for anybody is not asked; what is called by a title cannot be told."""
    path = tmp_path / "a.yaml"
    path.write_text(RULES, encoding="utf-8")
    ruleset = load_ruleset(
        [path], Vocabulary({"ad": TargetWords(account_name="name", attributes={}, group_name="name")})
    )

    assert possible_groups(ruleset, ORGANISATION) == {
        "alle": {"a/all"},
        "u-": {"a/unit", "a/unit-again"},  # of people without a unit
        "u-1": {"a/unit", "a/unit-again"},
        "u-2": {"a/unit", "a/unit-again"},
        "b-1": {"a/below"},
        "b-2": {"a/below"},
        "k-5a": {"a/class"},
    }
