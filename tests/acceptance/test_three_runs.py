"""The main job on three days: everything, nothing, and exactly what is new."""

from __future__ import annotations

from connectors.contract import Kind
from eadm_sync.state import tables

from .conftest import Town

TARGETS = ("ad", "entra", "google")


def test_the_first_run_creates_everything(town: Town):
    """Everybody has an account afterwards, the targets hold what is known, and each change is in the audit once."""
    report = town.sync()

    assert report.is_complete
    changes = [row for row in town.told() if row.kind != "password"]
    assert report.enqueued == sum(target.done for target in report.targets) == len(changes)
    assert town.made
    assert town.made.evaluated == 250
    assert {line[3] for line in town.made.lines} == {"create"}
    having = {person for name in TARGETS for person in town.content(name)["accounts"]}
    # Three begin in more than a fortnight, one has left already.
    without = {"hr:001037", "hr:001048", "hr:001060", "hr:001080"}
    assert having == {row.id for row in town.rows(tables.people)} - without
    town.assert_settled()


def test_the_second_run_has_nothing_to_do(settled: Town):
    """Nobody is evaluated, nothing is planned, and the targets' files are not touched."""
    before = settled.fingerprint()

    report = settled.sync()

    assert report.enqueued == 0
    assert report.targets == ()
    assert settled.made
    assert settled.made.evaluated == 0
    after = settled.fingerprint()
    touched = {name for name in after if after[name] != before.get(name)}
    assert touched <= {"var/eadm-sync.db", "var/eadm-sync.db.lock"}  # the book of runs


def test_the_third_run_makes_exactly_the_changes_that_happened(settled: Town):
    """A title, a joiner, a last day to come, a name and a unit's name: these, and nothing else."""
    settled.next_day()

    report = settled.sync()

    assert report.is_complete
    made = settled.made
    assert made
    renamed = ("hr:001016", "hr:001029", "hr:001053", "hr:001055", "hr:001081", "hr:001095", "hr:001111")
    assert sorted(made.lines) == sorted(
        [
            # the unit, and everybody in it
            ("group:enhet-130102", "ad", "group", "update"),
            ("group:enheter-130102", "ad", "group", "update"),
            ("group:unit-130102", "entra", "group", "update"),
            *((person, target, "account", "update") for person in renamed for target in ("ad", "entra")),
            # the title
            ("hr:001028", "ad", "account", "update"),
            ("hr:001028", "entra", "account", "update"),
            # the name
            ("hr:001099", "ad", "account", "update"),
            ("hr:001099", "entra", "account", "update"),
            # the joiner
            ("hr:001126", "ad", "account", "create"),
            ("hr:001126", "entra", "account", "create"),
            ("hr:001126", "ad", "membership", "create", "enhet-1601"),
            ("hr:001126", "ad", "membership", "create", "enheter-1601"),
            ("hr:001126", "ad", "membership", "create", "enheter-1200"),
            ("hr:001126", "ad", "membership", "create", "enheter-1000"),
            ("hr:001126", "entra", "membership", "create", "unit-1601"),
            ("hr:001126", "entra", "licence", "create", "SPE_F1"),
        ]
    )
    assert made.attributes["hr:001028", "ad", "account", "update"] == {
        "title": ("Fagarbeider", "Driftstekniker"),
        "description": ("Fagarbeider, Vei og park", "Driftstekniker, Vei og park"),
    }
    assert made.attributes["hr:001099", "entra", "account", "update"] == {
        "displayName": ("Yuliia Mel'nyk", "Yuliia Svendsen"),
        "surname": ("Mel'nyk", "Svendsen"),
    }
    settled.assert_settled()


def test_the_fourth_run_has_nothing_to_do_again(settled: Town):
    """What the third run did is known."""
    settled.next_day()
    settled.sync()

    report = settled.sync()

    assert report.enqueued == 0
    assert settled.made
    assert settled.made.evaluated == 0


def test_a_renamed_person_keeps_username_and_account(settled: Town):
    """A rename is neither a deletion nor a creation."""
    before = settled.account("hr:001099")
    settled.next_day()

    settled.sync()

    after = settled.account("hr:001099")
    assert before
    assert after
    assert after.anchor == before.anchor
    assert after.attributes["sAMAccountName"] == before.attributes["sAMAccountName"]
    assert after.attributes["sn"] == "Svendsen"


def test_a_changed_rule_reaches_everybody_it_is_about(settled: Town):
    """An edit of the ruleset is a change like any other: planned whole, done once."""
    path = settled.folder / "rulesets" / "pupils.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("organizations.title: Elev", "organizations.title: Skoleelev"),
        encoding="utf-8",
    )

    settled.sync()

    made = settled.made
    assert made
    assert made.evaluated == 250
    pupils = [
        one for one in settled.content("google")["accounts"].values() if one[0]["organizations.title"] == "Skoleelev"
    ]
    assert len(made.lines) == len(pupils) > 100
    assert {line[1:] for line in made.lines} == {("google", str(Kind.ACCOUNT), "update")}
    settled.sync()
    assert settled.made
    assert settled.made.evaluated == 0
    settled.assert_settled()
