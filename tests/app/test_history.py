from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import MetaData, select

from eadm_sync.app.history import (
    history_of_access,
    history_of_account,
    history_of_group,
    history_of_person,
    history_of_rule,
)
from eadm_sync.app.queueing import drop
from eadm_sync.app.versions import definitions
from eadm_sync.errors import AmbiguousName, NotFound
from eadm_sync.state import tables
from exportqueue import define


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
    lines = (place.rules / "employees.yaml").read_text(encoding="utf-8").splitlines()
    assert (last.line, last.file.endswith("employees.yaml")) == (lines.index("  - rule: manager-ad") + 1, True)


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


def test_an_edit_of_a_table_is_an_edit_of_the_rules_that_read_it(place: Any):
    """The line that changed is in the difference; rules that do not read the table have no version more."""
    place.edit("tables/jobs.csv", "frontline", "office")
    place.sync("second author")

    assert versions(place, "jobs")[-1] == ("edited", "second author")
    assert versions(place, "frontline")[-1] == ("edited", "second author")
    assert versions(place, "licences/a1-pupil") == [("added", "first author")]
    *_, last = history_of_rule(place.context, "licences/f1-frontline")
    assert last.author == "second author"
    lines = last.diff.splitlines()
    assert any(line.startswith("-") and "frontline" in line for line in lines)
    assert any(line.startswith("+") and "office" in line for line in lines)


def test_tables_that_an_older_version_did_not_keep_are_no_edit(place: Any):
    """Of versions without the tables' texts, only the rules are compared."""
    context = place.context
    with context.writing() as database, database.write() as connection:
        columns = tables.ruleset_versions.c
        files = msgspec.json.decode(connection.execute(select(columns.files)).scalar_one(), type=dict[str, str])
        kept = {path: text for path, text in files.items() if not path.endswith(".csv")}
        assert len(kept) < len(files)
        connection.execute(tables.ruleset_versions.update().values(files=msgspec.json.encode(kept)))
    place.edit("licences.yaml", "sku: SPE_E3", "sku: SPE_E5")
    place.sync("second author")

    assert versions(place, "licences/f1-frontline") == [("added", "first author")]
    assert versions(place, "licences/e3-office")[-1] == ("edited", "second author")


def test_a_table_names_its_file_beside_the_ruleset():
    """The path in `tables` is relative to the ruleset's folder."""
    files = {
        "rules/a.yaml": "ruleset: a\ntables:\n  jobs: t/jobs.csv\nconditions:\n  c: jobs[affiliation.title].x == '1'\n",
        "rules/t/jobs.csv": "title,x\nA,1\n",
    }

    found = definitions(files)

    assert found["c"].whole == "  c: jobs[affiliation.title].x == '1'\n  jobs: t/jobs.csv\ntitle,x\nA,1\n"
    assert found["c"].is_complete
    assert not definitions({"rules/a.yaml": files["rules/a.yaml"]})["c"].is_complete


def test_an_access_is_from_the_version_that_known_state_names(place: Any):
    """A licence that names its version is shown with the rule as that version has it, whatever the audit says."""
    context = place.context
    with context.writing() as database, database.write() as connection:
        licences = tables.known_licences.c
        row = connection.execute(select(licences.person_id, licences.sku).limit(1)).one()
        connection.execute(tables.known_licences.update().values(ruleset_version="gone"))

    (access,) = history_of_access(place.context, row.person_id, row.sku)

    assert (access.version, access.file, access.text) == ("gone", None, "")
    assert access.given is not None


def test_whom_and_what_only_the_audit_knows_still_has_a_history(place: Any):
    """People who were purged, by id, and groups that were deleted."""
    before = list(history_of_group(place.context, "LEDERE"))
    with place.context.writing() as database, database.write() as connection:
        connection.execute(tables.people.delete().where(tables.people.c.id == "hr:001001"))
        connection.execute(tables.source_records.delete())
        connection.execute(tables.identifiers.delete())
        connection.execute(tables.known_groups.delete())

    assert {row.person for row in history_of_person(place.context, "hr:001001")} == {"hr:001001"}
    assert list(history_of_account(place.context, "hr:001001", "ad"))
    assert list(history_of_group(place.context, "LEDERE")) == before


def test_what_an_operator_did_to_a_person_s_change_is_in_the_person_s_history(place: Any):
    """Beside what was delivered."""
    place.edit("licences.yaml", "sku: SPE_E3", "sku: SPE_E5")
    place.sync()
    with place.context.reading() as database, database.read() as connection:
        items = define(MetaData()).items.c
        (item,) = connection.scalars(
            select(items.id).where(items.object_key == "licence:hr:001001:SPE_E5", items.state != "done")
        )
    drop(place.context, [item], "not yet")

    *_, last = history_of_person(place.context, "hr:001001")
    assert (last.kind, last.action, last.detail["reason"]) == ("queue", "drop", "not yet")
