"""Nobody falls between two runs: what was held, overtaken or under way is looked at again by the next one."""

from __future__ import annotations

import pytest
import yaml
from sqlalchemy import Connection

from connectors.contract import Kind
from eadm_sync.app.approving import save
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.planning import Planned, planned
from eadm_sync.app.queueing import drop, listed
from eadm_sync.app.syncing import apply_saved, sync
from eadm_sync.errors import PlanOutdated
from eadm_sync.state.outcomes import count_confirmed
from exportqueue import Phase, Queue

from .conftest import FIRST_DAY, Office

RULES = """
lifecycle: {retention_days: 30}
accounts:
  - {rule: all, target: ad, attributes: {name: "{{ person.id }}"}}
  - {rule: web, target: web, attributes: {name: "{{ person.id }}"}}
groups:
  - {rule: units, target: ad, key: "{{ affiliation.unit.code }}", name: "{{ affiliation.unit.name }}"}
"""
KARI, OLA = "1;Kari;Li;employee;11", "2;Ola;Li;employee;12"


def context_of(office: Office) -> Context:
    """The installation, opened anew."""
    return open_context(office.folder / "config.yaml", office.clock)


def brake(office: Office, **limits: object) -> None:
    """Sets the brakes of all targets."""
    path = office.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["brakes"] = {"targets": limits}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def enabled(office: Office) -> dict[str | None, bool | None]:
    """Person → whether their account in ad is enabled."""
    return {one.owner: one.enabled for one in office.objects(Kind.ACCOUNT)}


def test_a_change_that_a_worker_took_before_the_plan_was_accepted_is_not_the_last_word(office: Office):
    """She came back while a worker was about to disable her: the next run sees what became of it."""
    office.rules(RULES).people(KARI, OLA).sync()
    office.people(f"{KARI};;2026-08-10", OLA).sync(deliver=False)
    context = context_of(office.people(KARI, OLA))

    def claimed_meanwhile(_: Planned) -> bool:
        with context.writing() as database, database.write() as connection:
            assert context.queue.claim(connection, "ad", limit=1, lease_seconds=60, worker="another")
        return True

    sync(context, claimed_meanwhile)
    assert not enabled(office)["hr:1"]

    office.sync()

    assert enabled(office)["hr:1"]


def test_what_was_confirmed_while_the_queue_was_waited_for_is_seen(office: Office, monkeypatch: pytest.MonkeyPatch):
    """A worker that was just finishing when the plan was accepted: what it wrote is newer than the plan."""
    office.rules(RULES).people(KARI, OLA).sync(deliver=False)
    context = context_of(office.people(KARI, "2;Ola;Lie;employee;12"))
    with context.reading() as database, planned(context, database) as made:
        save(context, made.plan, office.folder / "plan")

    def waits_for_worker(_self: Queue, connection: Connection) -> None:
        count_confirmed(connection, "ad", 1)

    monkeypatch.setattr(Queue, "hold_up", waits_for_worker)

    with pytest.raises(PlanOutdated, match="delivered to ad"):
        apply_saved(context_of(office), office.folder / "plan", lambda _: True)


def test_a_saved_plan_is_outdated_when_its_brakes_would_hold_less(office: Office):
    """What was shown as held is not carried out because somebody raised a limit after the review."""
    office.rules(RULES).people(KARI, OLA).sync()
    brake(office, account={"disable": {"max": 0}})
    context = context_of(office.people(f"{KARI};;2026-08-10", OLA))
    with context.reading() as database, planned(context, database) as made:
        save(context, made.plan, office.folder / "plan")
    brake(office)

    with pytest.raises(PlanOutdated):
        apply_saved(context_of(office), office.folder / "plan", lambda _: True)

    assert enabled(office)["hr:1"]


def test_memberships_are_held_with_the_creation_of_their_group(office: Office):
    """Without the group they would only fail; when it may be made, both go on."""
    office.rules(RULES).people(KARI, OLA)
    brake(office, group={"create": {"max": 0}})

    report = office.sync()

    assert ("hr:1", "ad", "membership", "create", "11") in office.held
    assert report.is_complete

    office.sync(released=frozenset({"ad.group.create"}), reason="a test")

    assert office.members() == {("Skole", "hr:1"), ("Teknisk", "hr:2")}


def test_a_held_change_of_a_group_is_there_to_be_released(office: Office):
    """It is found again by the next run, though nothing of its members changed."""
    office.rules(RULES).people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    units.write_text(units.read_text(encoding="utf-8").replace("Skole", "Skolen"), encoding="utf-8")
    brake(office, group={"update": {"max": 0}})
    office.sync()
    assert office.held == [("group:11", "ad", "group", "update")]

    office.sync(released=frozenset({"ad.group.update"}), reason="a test")

    assert office.members() == {("Skolen", "hr:1"), ("Teknisk", "hr:2")}


def test_no_account_is_deleted_while_something_else_of_its_person_is_held(office: Office):
    """Who waits for a decision is not half gone meanwhile, nor refused by every delivery."""
    office.rules(RULES).people(KARI, OLA).sync()
    office.people(f"{KARI};;2026-08-10", OLA).sync()
    office.on(FIRST_DAY.replace(month=10))
    office.configure("web", brake={"account": {"delete": {"max": 0}}})

    report = office.sync()

    assert sorted(office.held) == [("hr:1", "ad", "account", "delete"), ("hr:1", "web", "account", "delete")]
    assert report.is_complete


def test_a_dead_letter_of_a_group_goes_when_the_group_is_as_it_shall_be(office: Office):
    """The name was put back: nothing is left to be done, and nothing to be told of."""
    office.rules(RULES).people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    before = units.read_text(encoding="utf-8")
    units.write_text(before.replace("Skole", "Teknisk"), encoding="utf-8")  # a name that is taken
    assert not office.sync().is_complete

    units.write_text(before, encoding="utf-8")

    assert office.sync().is_complete


def test_who_drops_a_change_of_a_group_sees_it_planned_again(office: Office):
    """As of a person: the next run looks at the group anew."""
    office.rules(RULES).people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    units.write_text(units.read_text(encoding="utf-8").replace("Skole", "Skolen"), encoding="utf-8")
    office.sync(deliver=False)
    (item,) = listed(context_of(office), phase=Phase.READY).items
    drop(context_of(office), [item.id], "a test")

    office.sync()

    assert ("Skolen", "hr:1") in office.members()


def test_a_change_of_a_group_that_is_under_way_is_looked_at_when_it_has_arrived(office: Office):
    """The name was put back while a worker was about to write the other one."""
    office.rules(RULES).people(KARI, OLA).sync()
    units = office.folder / "units.csv"
    before = units.read_text(encoding="utf-8")
    units.write_text(before.replace("Skole", "Skolen"), encoding="utf-8")
    office.sync(deliver=False)
    context = context_of(office)
    with context.writing() as database, database.write() as connection:
        assert context.queue.claim(connection, "ad", limit=1, lease_seconds=60, worker="another")
    units.write_text(before, encoding="utf-8")
    office.sync()
    assert ("Skolen", "hr:1") in office.members()

    office.sync()

    assert ("Skole", "hr:1") in office.members()


def test_a_school_that_is_renamed_touches_the_classes_it_has(office: Office):
    """Also for a teacher who belongs to another unit: rules can print the school's name on them."""
    path = office.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    source = settings["sources"]["hr"]
    source["files"] |= {"classes": "classes.csv"}
    source["map"] |= {
        "class_groups": {"from": "classes", "code": "{{ row.class }}", "unit": "{{ row.school }}"},
        "class_memberships": {
            "from": "classes",
            "person": "{{ row.teacher }}",
            "class_group": "{{ row.class }}",
            "role": "teacher",
            "unit": "12",
        },
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (office.folder / "classes.csv").write_text("class;school;teacher\n5A;11;2\n", encoding="utf-8")
    name = "{{ class_group.code }} {{ class_group.unit.name }}"
    rule = f'  - {{rule: classes, target: ad, for_each: class, key: "{{{{ class_group.code }}}}", name: "{name}"}}\n'
    office.rules(RULES + rule).people(KARI, OLA).sync()
    assert ("5A Skole", "hr:2") in office.members()
    units = office.folder / "units.csv"
    units.write_text(units.read_text(encoding="utf-8").replace("Skole", "Skolen"), encoding="utf-8")

    office.sync()

    assert ("5A Skolen", "hr:2") in office.members()


def test_a_deletion_does_not_wait_for_a_group_elsewhere_that_is_still_being_made(office: Office):
    """Who is in that group is looked at again by the next run, but nothing of theirs is open but that."""
    office.rules("""
    lifecycle: {retention_days: 30}
    accounts:
      - {rule: all, target: ad, when: "affiliation.kind == 'employee'", attributes: {name: "{{ person.id }}"}}
      - {rule: web, target: web, attributes: {name: "{{ person.id }}"}}
    groups:
      - {rule: units, target: web, name: "{{ affiliation.unit.name }}"}
    """)
    office.people(KARI).sync()
    office.on(FIRST_DAY.replace(day=18)).people("1;Kari;Li;student;11").sync()
    office.configure("web", faults={"fail": [{"kind": "unavailable", "every": 1}]})
    office.on(FIRST_DAY.replace(month=9, day=16)).people("1;Kari;Li;student;12").sync()
    assert office.objects(Kind.ACCOUNT, "ad")

    office.on(FIRST_DAY.replace(month=9, day=17)).sync()

    assert not office.objects(Kind.ACCOUNT, "ad")
    office.configure("web", faults={})
    office.on(FIRST_DAY.replace(month=9, day=18)).sync()
    assert office.members("web") == {("Teknisk", "hr:1")}
    assert office.sync().enqueued == 0
