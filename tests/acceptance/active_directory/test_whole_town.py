"""The whole engine on a real domain controller: people come, move and go, and hands change what it made.

The tests share a town; each has people of its own in it, and leaves nothing undone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from connectors.contract import RemoteObject
from eadm_sync.app.checking import check
from eadm_sync.app.passwords import NoSecret, reset, show
from eadm_sync.app.reconciling import TargetDrift, reconcile
from eadm_sync.events import get_logger
from eadm_sync.state import tables
from tests.acceptance.active_directory.conftest import (
    IS_DISABLED,
    MUST_CHANGE,
    WRONG,
    Domain,
    changed,
)
from tests.acceptance.conftest import Town

NESTED = """
ruleset: nested
groups:
  - rule: nested-inner
    target: ad
    for_each: person
    when: affiliation.unit.code == '1601'
    name: INDRE
    container: "OU=Grupper,{{ target.base_dn }}"
    member_of: ytre
  - rule: nested-outer
    target: ad
    for_each: person
    when: affiliation.unit.code == '1301'
    name: YTRE
    container: "OU=Grupper,{{ target.base_dn }}"
"""

_numbers = count(900_001)


def hired(town: Town, given: str, family: str, unit: str = "1601") -> str:
    """Adds somebody to HR who works there since yesterday; returns the person's id."""
    return town.hire(str(next(_numbers)), given, family, town.clock.now().date() - timedelta(days=1), unit)


def joined(domain: Domain, given: str, family: str, unit: str = "1601") -> tuple[str, RemoteObject]:
    """The same, with an account in the domain; returns it, too."""
    (one,) = all_joined(domain, [(given, family, unit)])
    return one


def all_joined(domain: Domain, people: Iterable[tuple[str, str, str]]) -> list[tuple[str, RemoteObject]]:
    """Likewise, of several people (given name, family name, unit)."""
    ids = [hired(domain.town, *one) for one in people]
    run(domain)
    accounts = {account.owner: account for account in domain.accounts()}
    return [(person, accounts[person]) for person in ids]


def run(domain: Domain) -> None:
    """The main job, to its end."""
    report = domain.town.later(hours=1).sync()
    assert report.is_complete, report
    assert not domain.town.items()


def drifts(domain: Domain) -> TargetDrift:
    """What an hour later is otherwise in the domain than it was left."""
    domain.town.later(hours=1)
    (found,) = reconcile(domain.town.context, only="ad")
    assert found.error is None
    return found


def number(person: str) -> str:
    """As HR has it."""
    return person.removeprefix("hr:")


def change(town: Town, file: str, person: str, **values: str) -> None:
    """What HR has of somebody."""
    town.edit(file, lambda row: {**row, **values} if row["Ansattnr"] == number(person) else row)


def groups_of(town: Town, person: str) -> set[str]:
    """Keys of the groups that somebody is in."""
    return {group for group, member in town.content("ad")["memberships"] if member == person}


def test_everybody_has_what_the_rules_give_and_a_second_run_does_nothing(domain: Domain) -> None:
    """What is known is what the domain holds, and no object is written to again."""
    domain.assert_known_is_true()
    content = domain.town.content("ad")
    assert len(content["accounts"]) >= 10
    assert len(content["memberships"]) > len(content["accounts"])
    before = domain.change_numbers()

    run(domain)

    assert domain.town.made
    assert domain.town.made.lines == []
    assert not changed(before, domain.change_numbers())


def test_a_joiner_signs_in_with_the_first_password(domain: Domain) -> None:
    """It lets in, though another one has to be chosen first; once it was used, nobody can read it any more."""
    person, account = joined(domain, "Åse", "Ødegård-Næss")
    name = str(account.attributes["sAMAccountName"])
    password = show(domain.town.context, person, "at the desk").secret.value

    assert account.enabled
    assert domain.sign_in(name, password) == MUST_CHANGE
    assert domain.sign_in(name, password + "x") == WRONG
    drifts(domain)
    assert show(domain.town.context, person, "at the desk again").secret.value == password

    with domain.administrator() as admin:  # as Windows does once another one was chosen
        admin.modify(f"<GUID={account.anchor}>", {"pwdLastSet": [("MODIFY_REPLACE", ["-1"])]})
    assert domain.sign_in(name, password) == ""
    assert drifts(domain).counts == {}
    with pytest.raises(NoSecret):
        show(domain.town.context, person, "once more")


def test_a_reset_password_reaches_the_domain(domain: Domain) -> None:
    """Through the queue; the former one lets nobody in any more."""
    person, account = joined(domain, "Rita", "Glemsk")
    name = str(account.attributes["sAMAccountName"])
    former = show(domain.town.context, person, "at the desk").secret.value

    done = reset(domain.town.context, person, "forgotten", "ad")

    password = show(domain.town.context, person, "at the desk").secret.value
    assert done.left == {}
    assert password != former
    assert domain.sign_in(name, former) == WRONG
    assert domain.sign_in(name, password) == MUST_CHANGE


def test_a_mover_is_renamed_and_moved(domain: Domain) -> None:
    """The same object in another container, by another name, in other groups."""
    person, account = joined(domain, "Mona", "Flytter", "1601")
    former = groups_of(domain.town, person)
    town = domain.town
    change(town, "hr/positions.csv", person, Enhet="1301")
    change(town, "hr/persons.csv", person, Etternavn="Flyttet")

    run(domain)

    moved = town.account(person)
    assert moved is not None
    assert moved.anchor == account.anchor
    assert (moved.attributes["displayName"], moved.attributes["sn"]) == ("Mona Flyttet", "Flyttet")
    assert moved.container != account.container
    assert "group:enhet-1301" in groups_of(town, person)
    assert not groups_of(town, person) & {"group:enhet-1601"}
    assert "group:enhet-1601" in former
    domain.assert_known_is_true()


def test_a_leaver_is_disabled_and_deleted_and_comes_back_as_somebody_new(domain: Domain) -> None:
    """At once elsewhere, emptied, without groups; after retention gone; hired again, a new account of the old name."""
    person, account = joined(domain, "Lars", "Slutter")
    name, town = account.attributes["sAMAccountName"], domain.town
    password = show(town.context, person, "at the desk").secret.value
    town.end_positions([number(person)], town.clock.now().date() - timedelta(days=1))

    run(domain)

    left = town.account(person)
    assert left is not None
    assert (left.anchor, left.enabled) == (account.anchor, False)
    assert left.container == f"OU=Sluttet,{domain.base}"
    assert str(left.attributes["description"]).startswith("Sluttet ")
    assert "title" not in left.attributes
    assert domain.sign_in(str(name), password) == IS_DISABLED
    assert groups_of(town, person) == set()

    town.later(days=364)
    run(domain)
    assert town.account(person) is not None
    town.later(days=2)
    run(domain)
    assert town.account(person) is None

    change(town, "hr/positions.csv", person, Til="")
    run(domain)
    back = town.account(person)
    assert back is not None
    assert back.enabled
    assert back.anchor != account.anchor
    assert back.attributes["sAMAccountName"] == name
    domain.assert_known_is_true()


def test_a_leaver_who_comes_back_in_time_has_the_same_account(domain: Domain) -> None:
    """Enabled again, where it was and as it was, in the same groups."""
    person, account = joined(domain, "Gro", "Gjenkommen")
    groups, town = groups_of(domain.town, person), domain.town
    town.end_positions([number(person)], town.clock.now().date() - timedelta(days=1))
    run(domain)
    change(town, "hr/positions.csv", person, Til="")

    run(domain)

    back = town.account(person)
    assert back is not None
    assert back == account
    assert groups_of(town, person) == groups


def test_what_hands_change_is_found_and_put_back(domain: Domain) -> None:
    """An attribute, a place, a name, a switch, a membership; every object found by its anchor."""
    people = all_joined(domain, [(given, "Endret", "1601") for given in ("Anne", "Berit", "Cecilie", "Dina", "Eva")])
    accounts = [account for _, account in people]
    elsewhere = domain.make_container(f"OU=Annensteds,{domain.base}")
    with domain.administrator() as admin:
        dns = [domain.entry(account, "cn")[0] for account in accounts]
        assert admin.modify(dns[0], {"title": [("MODIFY_REPLACE", ["Sjef"])], "mail": [("MODIFY_REPLACE", [])]})
        assert admin.modify_dn(dns[1], dns[1].partition(",")[0], new_superior=elsewhere)
        assert admin.modify_dn(dns[2], "CN=By Hand")
        assert admin.modify(dns[3], {"userAccountControl": [("MODIFY_REPLACE", ["514"])]})
        group = next(one for one in domain.entry(accounts[4], "memberOf")[1]["memberOf"] if "ENHET-" in one)
        assert admin.modify(group, {"member": [("MODIFY_DELETE", [dns[4]])]}), admin.result

    found = drifts(domain)

    assert found.counts == {
        "account.attributes": 2,
        "account.container": 1,
        "account.disabled": 1,
        "membership.missing": 1,
    }
    assert {one.object for one in found.drifts} >= {f"account:{person}" for person, _ in people[:2]}
    run(domain)
    domain.assert_known_is_true()
    assert domain.entry(accounts[2], "cn")[1]["cn"] == ["By Hand"]  # no rule says how it is called there
    assert drifts(domain).counts == {}


def test_what_hands_delete_is_made_again(domain: Domain) -> None:
    """An account and a group: with new anchors, and with all that they had."""
    person, account = joined(domain, "Synne", "Slettet")
    before = groups_of(domain.town, person)
    with domain.administrator() as admin:
        assert admin.delete(domain.entry(account, "cn")[0])

    assert drifts(domain).counts["account.missing"] == 1
    run(domain)

    made = domain.town.account(person)
    assert made is not None
    assert made.anchor != account.anchor
    assert groups_of(domain.town, person) == before
    assert drifts(domain).counts == {}


def test_somebody_who_was_moved_by_hand_is_still_changed(domain: Domain) -> None:
    """Between two runs, before anybody has compared: the change reaches the object by its anchor."""
    person, account = joined(domain, "Hanne", "Håndflyttet")
    elsewhere = domain.make_container(f"OU=Gjemt,{domain.base}")
    with domain.administrator() as admin:
        dn = domain.entry(account, "cn")[0]
        assert admin.modify_dn(dn, "CN=Skjult", new_superior=elsewhere)
    change(domain.town, "hr/persons.csv", person, Etternavn="Gift")

    run(domain)

    assert domain.entry(account, "sn")[1]["sn"] == ["Gift"]
    drifts(domain)
    run(domain)
    here = domain.town.account(person)
    assert here is not None
    assert here.container == account.container


def test_groups_are_nested(domain: Domain) -> None:
    """One group in another, and out of it again; both stay."""
    rules = domain.town.folder / "rulesets" / "zz-nested.yaml"
    rules.write_text(NESTED, encoding="utf-8")
    all_joined(domain, [("Inge", "Indre", "1601"), ("Yngve", "Ytre", "1301")])

    assert domain.town.content("ad")["nestings"] == {("group:ytre", "group:indre"): True}
    rules.write_text(NESTED.replace("    member_of: ytre\n", ""), encoding="utf-8")
    run(domain)
    assert domain.town.content("ad")["nestings"] == {}
    domain.assert_known_is_true()


def test_a_check_names_the_right_that_is_missing(domain: Domain) -> None:
    """Of an installation whose own user may read and nothing else; the administrator may all."""
    config = domain.town.folder / "config.yaml"
    assert next(one for one in check(config, domain.town.clock).parts if one.name == "ad").fault is None
    _, account = joined(domain, "Tore", "Tjeneste")
    name, password = str(account.attributes["sAMAccountName"]), "Bare-lese-7291"
    with domain.administrator() as admin:
        assert admin.extend.microsoft.modify_password(domain.entry(account, "cn")[0], password)
    (domain.town.folder / "reader.password").write_text(password, encoding="utf-8")
    (domain.town.folder / "reader.password").chmod(0o600)

    domain.set(user=f"{name}@eadm.test", password="${file:reader.password}")
    try:
        fault = next(one for one in check(config, domain.town.clock).parts if one.name == "ad").fault
    finally:
        domain.set()

    assert fault is not None
    assert f"the right to create user objects in {domain.base} is missing" in fault
    assert "the right to write userAccountControl of accounts" in fault
    assert password not in fault


def test_a_check_names_the_rule_whose_attribute_the_domain_lacks(domain: Domain) -> None:
    """Before anything is written: Exchange's attributes are known to us, and not to this domain."""
    config = domain.town.folder / "config.yaml"
    rules = domain.town.folder / "rulesets" / "employees.yaml"
    text = rules.read_text(encoding="utf-8")
    first = '      employeeID: "{{ person.employee_number }}"\n'
    rules.write_text(text.replace(first, f"{first}      extensionAttribute1: eadm\n", 1), encoding="utf-8")
    try:
        report = check(config, domain.town.clock)
    finally:
        rules.write_text(text, encoding="utf-8")

    (problem,) = report.problems
    assert problem.message == "sets extensionAttribute1, which target 'ad' does not have"
    assert Path(problem.file).name == "employees.yaml"
    assert text.splitlines()[problem.line - 1].strip() == "- rule: employee-ad"


def test_a_check_warns_of_national_ids_in_clear(domain: Domain) -> None:
    """Everybody can read nearly every attribute of a domain."""
    config = domain.town.folder / "config.yaml"
    rules = domain.town.folder / "rulesets" / "employees.yaml"
    text = rules.read_text(encoding="utf-8")

    def told(rule: str) -> str:
        first = '      employeeID: "{{ person.employee_number }}"\n'
        rules.write_text(text.replace(first, first + rule, 1), encoding="utf-8")
        return next(
            one for one in check(config, domain.town.clock, offline=True).parts if one.kind == "rulesets"
        ).detail

    try:
        assert "ad.employeeNumber" in told('      employeeNumber: "{{ person.national_id }}"\n')
        assert "WARNING" not in told("")
    finally:
        rules.write_text(text, encoding="utf-8")


def test_no_password_can_be_read_in_any_file_or_line(
    domain: Domain, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not of new accounts and not of a reset; neither in the state, nor in a plan, a log, or what is printed."""
    caplog.set_level(logging.DEBUG)
    get_logger(__name__).warning("probe.of.this.test")
    people = [hired(domain.town, given, "Hemmelig") for given in ("Siv", "Sol")]
    plan = domain.town.later(hours=1).save("secret-plan.jsonl")
    domain.town.sync(deliver=False)
    queued = {path: path.read_bytes() for path in domain.town.folder.rglob("*") if path.is_file()}
    run(domain)
    words = [show(domain.town.context, person, "at the desk").secret.value for person in people]
    reset(domain.town.context, people[0], "forgotten")
    words.append(show(domain.town.context, people[0], "at the desk").secret.value)

    files = {path: path.read_bytes() for path in domain.town.folder.rglob("*") if path.is_file()}
    printed = capsys.readouterr()
    told = f"{printed.out}{printed.err}{caplog.text}{domain.town.rows(tables.audit)}{domain.town.rows(tables.runs)}"

    assert len(set(words)) == 3
    assert plan in files
    assert "probe.of.this.test" in told
    for word in words:
        assert word not in told
        for form in (word.encode(), word.encode("utf-16-le")):
            assert not [path for path, content in (*queued.items(), *files.items()) if form in content]
