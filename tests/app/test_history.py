from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from eadm_sync.app.history import (
    history_of_access,
    history_of_account,
    history_of_group,
    history_of_person,
    history_of_rule,
)
from eadm_sync.app.versions import definitions
from eadm_sync.errors import AmbiguousName, NotFound
from eadm_sync.state import tables


def versions(place: Any, name: str) -> list[tuple[str, str]]:
    """(change, author) of every version of a rule."""
    return [(one.change, one.author) for one in history_of_rule(place.context, name)]


def test_a_rule_s_history_says_when_it_changed_and_by_whom(place: Any):
    """Runs with the same rules, and edits of other rules, leave no version of it."""
    place.edit("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef")
    place.sync("second author")
    place.sync("nobody changes anything")
    place.edit("licences.yaml", "sku: SPE_E3", "sku: SPE_E5")
    place.sync("third author")

    assert versions(place, "employees/manager-ad") == [("added", "first author"), ("edited", "second author")]
    *_, last = history_of_rule(place.context, "manager-ad")
    assert "-      extensionAttribute1: leder\n+      extensionAttribute1: sjef\n" in last.diff
    assert (last.line, last.file.endswith("employees.yaml")) == (44, True)


def test_a_return_to_former_rules_is_told_and_the_first_time_is_kept(place: Any):
    """A version is stored once; each time it comes into force is a line of its own."""
    rule = "employees/manager-ad"
    place.edit("employees.yaml", "extensionAttribute1: leder", "extensionAttribute1: sjef")
    place.sync("second author")
    place.edit("employees.yaml", "extensionAttribute1: sjef", "extensionAttribute1: leder")
    place.sync("third author")

    assert versions(place, rule) == [("added", "first author"), ("edited", "second author"), ("edited", "third author")]
    with place.context.reading() as database, database.read() as connection:
        rows = connection.execute(select(tables.ruleset_versions.c.actor)).scalars().all()
    assert sorted(rows) == ["first author", "second author"]


def test_a_condition_that_a_rule_names_is_part_of_its_history(place: Any):
    """Who gets a licence changed, though the rule that gives it reads as before."""
    place.edit("common.yaml", "affiliation.fraction >= 0.2", "affiliation.fraction >= 0.5")
    place.sync("second author")
    assert versions(place, "licences/e3-office")[-1] == ("edited", "second author")
    assert versions(place, "regular")[-1] == ("edited", "second author")
    assert versions(place, "licences/a1-pupil") == [("added", "first author")]


def test_a_removed_rule_keeps_its_history(place: Any):
    """The last entry says who took it out."""
    text = (place.rules / "licences.yaml").read_text(encoding="utf-8")
    (place.rules / "licences.yaml").write_text(text[: text.index("  - rule: a1-pupil")], encoding="utf-8")
    place.sync("second author")
    assert versions(place, "a1-pupil") == [("added", "first author"), ("removed", "second author")]


def test_a_name_of_rules_in_two_rulesets_is_ambiguous(place: Any):
    """Teachers and groups both have a rule for the staff of schools."""
    with pytest.raises(AmbiguousName):
        list(history_of_rule(place.context, "school-staff-google"))
    with pytest.raises(NotFound):
        list(history_of_rule(place.context, "no-such-rule"))


def test_the_audit_of_a_person_an_account_and_a_group(place: Any):
    """Each list holds what is its own, the earliest first."""
    person = list(history_of_person(place.context, "hr:001001"))
    account = list(history_of_account(place.context, "hr:001001", "ad"))
    group = list(history_of_group(place.context, "LEDERE"))

    assert {row.person for row in person} == {"hr:001001"}
    assert [(row.target, row.kind, row.action, row.detail["rule"]) for row in account] == [
        ("ad", "account", "create", "employees/employee-ad")
    ]
    assert group[0].object == "group:ledere"
    assert {row.object.rsplit(":", 1)[1] for row in group} == {"ledere"}
    assert "membership:hr:001001:ledere" in {row.object for row in group}
    assert [row.id for row in person] == sorted(row.id for row in person)


@pytest.mark.parametrize(
    ("what", "kind", "rule"),
    [
        ("ad", "account", "employees/employee-ad"),
        ("LEDERE", "membership", "groups/managers-ad"),
        ("spe_e3", "licence", "licences/e3-office"),
    ],
)
def test_an_access_leads_to_its_rule_and_who_wrote_it(place: Any, what: str, kind: str, rule: str):
    """The rule as it stood in the version that gave the access, whatever became of it since."""
    place.edit("common.yaml", "ruleset: common", "# moved\n# down\nruleset: common")
    place.edit("employees.yaml", "rule: employee-ad\n", "rule: employee-ad\n    # later\n")
    place.sync("second author")

    (access,) = history_of_access(place.context, "hr:001001", what)

    assert (access.kind, access.rule) == (kind, rule)
    assert access.given is not None
    assert f"- rule: {rule.split('/')[1]}" in access.text
    assert "# later" not in access.text
    assert [change.author for change in access.changes] == ["first author"]


def test_what_somebody_does_not_have_has_no_history(place: Any):
    """And the answer names what they do have."""
    with pytest.raises(NotFound) as caught:
        history_of_access(place.context, "hr:001001", "SPE_F9")
    assert caught.value.near


def test_a_definition_ends_where_the_next_begins():
    """Comments and blank lines behind an entry belong to what follows; those within it are its own."""
    text = (
        "ruleset: a\n"
        "licences:\n"
        "  # about one\n"
        "  - rule: one\n"
        "    # within\n"
        "    target: ad\n"
        "\n"
        "  # about two\n"
        "  - rule: two\n"
        "    when: c\n"
        "conditions:\n"
        "  c: person.id == '1'\n"
    )
    found = definitions({"a.yaml": text})
    assert found["a/one"].text == "  - rule: one\n    # within\n    target: ad\n"
    assert found["a/two"].whole == "  - rule: two\n    when: c\n  c: person.id == '1'\n"
    assert (found["a/two"].line, found["c"].line) == (9, 12)
