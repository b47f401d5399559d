"""Names through plan and delivery: kept or followed on a rename, unique in every named attribute, and short enough."""

from __future__ import annotations

import gc
from datetime import date

from connectors.contract import Kind
from eadm_sync.app.context import open_context
from eadm_sync.app.planning import Planned
from eadm_sync.app.syncing import sync
from eadm_sync.identifiers import Identifiers

from .conftest import Office

RULES = """
identifiers:
  user:
    candidates: ["{{ person.family_name | slug }}", "{{ person.family_name | slug }}{{ n }}"]
    on_rename: follow
  old:
    candidates: ["{{ person.family_name | slug }}", "{{ person.family_name | slug }}{{ n }}"]
accounts:
  - {rule: all, target: ad, attributes: {name: "{{ user }}", mail: "{{ old }}@x"}}
"""


def test_a_followed_name_changes_by_update_and_nobody_else_gets_the_old_one(office: Office):
    """The account stays the same object; the name that is kept for good stays, too."""
    office.rules(RULES).people("1;Kari;Li;employee").sync()

    office.on(date(2026, 8, 18)).people("1;Kari;Moe;employee", "2;Ola;Li;employee").sync()

    assert office.lines == [("hr:1", "ad", "account", "update"), ("hr:2", "ad", "account", "create")]
    assert office.names() == {"hr:1": "moe", "hr:2": "li2"}
    assert [one.attributes["mail"] for one in office.objects(Kind.ACCOUNT)] == ["li@x", "li2@x"]


def test_who_gets_the_former_surname_back_gets_the_former_name_back(office: Office):
    """A name that the person had is the person's own, and counts again; the third run has nothing to do."""
    office.rules(RULES).people("1;Kari;Li;employee").sync()
    office.on(date(2026, 8, 18)).people("1;Kari;Moe;employee").sync()

    office.on(date(2026, 8, 19)).people("1;Kari;Li;employee").sync()

    assert office.names() == {"hr:1": "li"}
    assert office.on(date(2026, 8, 20)).sync().enqueued == 0


def test_a_name_with_a_number_still_fits(office: Office):
    """Who is the second Li keeps li2, even after the first one has another name."""
    office.rules(RULES).people("1;Kari;Li;employee", "2;Ola;Li;employee").sync()

    office.on(date(2026, 8, 18)).people("1;Kari;Moe;employee", "2;Ole;Li;employee").sync()

    assert office.names() == {"hr:1": "moe", "hr:2": "li2"}


UNIQUE = """
identifiers:
  staff_name:
    candidates: ["{{ person.given_name | slug }}", "{{ person.given_name | slug }}{{ n }}"]
    unique_in: [ad.name, web.name]
  guest_name:
    candidates: ["{{ person.family_name | slug }}", "{{ person.family_name | slug }}{{ n }}"]
    unique_in: [web.name]
accounts:
  - {rule: staff, target: ad, when: affiliation.kind == 'employee', attributes: {name: "{{ staff_name }}"}}
  - {rule: web, target: web, when: affiliation.kind == 'employee', attributes: {name: "{{ staff_name }}@x"}}
  - {rule: guest, target: web, when: affiliation.kind == 'guest', attributes: {name: "{{ guest_name }}@x"}}
"""


def test_a_name_is_free_in_every_named_attribute(office: Office):
    """Two kinds of name go into one attribute: what the one became is not given by the other."""
    office.rules(UNIQUE).people("1;Kari;Li;employee").sync()

    office.people("1;Kari;Li;employee", "2;Eva;Kari;guest").sync()

    assert office.names("web") == {"hr:1": "kari@x", "hr:2": "kari2@x"}
    assert office.problems == {}


def test_names_of_one_run_are_not_given_twice(office: Office):
    """What is planned for one person is taken for the next, before any target knows."""
    office.rules(UNIQUE).people("1;Kari;Li;employee", "2;Eva;Kari;guest", "3;Kari;Moe;employee").sync()

    assert office.names("web") == {"hr:1": "kari@x", "hr:2": "kari2@x", "hr:3": "kari3@x"}
    assert office.names("ad") == {"hr:1": "kari", "hr:3": "kari3"}


def test_names_are_cut_to_what_every_named_attribute_can_hold(office: Office):
    """The shortest attribute decides, with what the rule puts around the name."""
    office.configure("ad", max_lengths={"name": 8}).configure("web", max_lengths={"name": 9})

    office.rules(UNIQUE).people("1;Alexandra;Li;employee", "2;Alexandra;Moe;employee").sync()

    assert office.names("ad") == {"hr:1": "alexand", "hr:2": "alexan2"}
    assert office.names("web") == {"hr:1": "alexand@x", "hr:2": "alexan2@x"}


def test_the_names_of_everybody_are_freed_once_the_plan_is_made(office: Office):
    """Without waiting for the garbage collector: writing down a large plan needs that memory."""
    office.rules(RULES).people("1;Kari;Li;employee")
    left: list[Identifiers] = []

    def agree(_made: Planned) -> bool:
        left.extend(one for one in gc.get_objects() if isinstance(one, Identifiers))
        return True

    gc.collect()
    gc.disable()
    try:
        sync(open_context(office.folder / "config.yaml", office.clock), agree)
    finally:
        gc.enable()

    assert not left
    assert office.names() == {"hr:1": "li"}
