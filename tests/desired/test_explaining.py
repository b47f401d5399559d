"""Why somebody has something, and why not: clauses, places, and what stands in the way."""

from pathlib import Path

from eadm_sync.desired import RuleExplanation, explain
from eadm_sync.model import Affiliation, ClassGroup, ClassMembership, Person, Unit
from eadm_sync.ruleset import Organisation, TargetWords, Vocabulary, load_ruleset

TEXT = """\
ruleset: a
conditions:
  school: affiliation.unit is under('12')
accounts:
  - {rule: acc, target: ad, when: [school, affiliation.fraction >= 0.5], attributes: {name: x}}
groups:
  - rule: class
    target: ad
    for_each: class
    when: [school, class_group.role == 'teacher']
    name: "{{ class_group.name }}"
licences:
  - {rule: one, target: ad, sku: A, exclusive: m, when: school}
  - {rule: two, target: ad, sku: B, exclusive: m, when: affiliation.primary}
  - {rule: web, target: web, sku: C}
"""
ORGANISATION = Organisation(
    [Unit("12", "Oppvekst"), Unit("121", "Skole", parent="12")], [ClassGroup("5A", "5A", "121")]
)


def explained(tmp_path: Path, affiliation: Affiliation) -> dict[str, RuleExplanation]:
    """Explanations by rule."""
    path = tmp_path / "a.yaml"
    path.write_text(TEXT, encoding="utf-8")
    words = Vocabulary({"ad": TargetWords(account_name="name"), "web": TargetWords()})
    ruleset = load_ruleset([path], words)
    explanation = explain(ruleset, Person("hr:1"), [affiliation], ORGANISATION, lambda *_: None)
    return {rule.rule: rule for rule in explanation.rules}


def test_each_clause_says_what_it_saw(tmp_path: Path):
    """A named condition is told with the clauses in it and the values they read."""
    rule = explained(tmp_path, Affiliation("hr:1", "hr", "employee", "121", fraction=0.4))["a/acc"]
    school, fraction = rule.attempts[0].clauses

    assert (rule.kind, rule.line, rule.holds, rule.gives) == ("account", 5, False, False)
    assert (school.text, school.truth) == ("school", True)
    assert school.clauses[0].text == "affiliation.unit is under('12')"
    assert school.clauses[0].values == (("affiliation.unit.code", "121"),)
    assert (fraction.truth, fraction.values) == (False, (("affiliation.fraction", 0.4),))


def test_what_stands_in_the_way_is_told(tmp_path: Path):
    """An exclusive rule names the one before it; a rule without an account says so."""
    rules = explained(tmp_path, Affiliation("hr:1", "hr", "employee", "121", fraction=1, primary=True))

    assert (rules["a/one"].gives, rules["a/one"].behind) == (True, None)
    assert (rules["a/two"].holds, rules["a/two"].gives, rules["a/two"].behind) == (True, False, "a/one")
    assert (rules["a/web"].holds, rules["a/web"].gives, rules["a/web"].needs_account) == (True, False, True)


def test_class_rules_are_told_class_by_class(tmp_path: Path):
    """Each class has its own attempt; without classes, what can be said before is said."""
    places = (ClassMembership("5A", "pupil"),)
    with_class = explained(tmp_path, Affiliation("s:1", "s", "pupil", "121", fraction=1, classes=places))["a/class"]
    without = explained(tmp_path, Affiliation("s:1", "s", "pupil", "121", fraction=1))["a/class"]

    assert [(attempt.about, attempt.holds) for attempt in with_class.attempts] == [("5A", False)]
    assert [clause.truth for clause in with_class.attempts[0].clauses] == [True, False]
    assert with_class.attempts[0].clauses[1].values == (("class_group.role", "pupil"),)
    assert [(attempt.about, attempt.holds) for attempt in without.attempts] == [("", False)]
