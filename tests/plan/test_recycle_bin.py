"""Whoever returns after the deletion gets the same name, and the account from the recycle bin where it still is."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contract import Kind, RemoteObject

RULES = """
lifecycle: {retention_days: 30}
identifiers:
  username:
    candidates: ["{{ person.given_name | lower }}", "{{ person.given_name | lower }}{{ n }}"]
accounts:
  - {rule: a, target: ad, attributes: {name: "{{ username }}", title: "{{ person.family_name }}"}}
groups:
  - {rule: g, target: ad, name: staff}
"""
KARI, OLA = "1;Kari;Li;employee;11", "2;Ola;By;employee;12"
LEFT = date(2026, 9, 1)
DELETED = LEFT + timedelta(days=30)
RETURNS = DELETED + timedelta(days=5)


@pytest.fixture
def emptied(office: Any) -> Any:
    """An office whose Kari left and was deleted."""
    return deleted(office)


def deleted(office: Any) -> Any:
    """Kari comes, goes, and is deleted."""
    office.rules(RULES).people(KARI, OLA).sync()
    office.on(LEFT).people(OLA).sync()
    office.on(DELETED).sync()
    assert office.names() == {"hr:2": "ola"}
    return office


def kari(office: Any) -> RemoteObject:
    """Her account."""
    found: RemoteObject = next(one for one in office.objects(Kind.ACCOUNT) if one.owner == "hr:1")
    return found


def in_the_bin(office: Any) -> list[str]:
    """Anchors of what the target has in its recycle bin."""
    connection = sqlite3.connect(office.folder / "ad.db")
    found = [anchor for (anchor,) in connection.execute("SELECT anchor FROM object WHERE state = 1")]
    connection.close()
    return found


def test_the_account_comes_back_with_its_anchor(emptied: Any):
    """What was deleted is restored, brought up to date and enabled, in this order; nothing new is made."""
    (before,) = in_the_bin(emptied)
    emptied.on(RETURNS).people("1;Kari;Dahl;employee;11", OLA).sync()

    account = kari(emptied)
    assert (account.anchor, account.enabled, account.attributes) == (before, True, {"name": "kari", "title": "Dahl"})
    assert [line for line in emptied.lines if line[0] == "hr:1"] == [
        ("hr:1", "ad", "account", "restore"),
        ("hr:1", "ad", "account", "update"),
        ("hr:1", "ad", "account", "enable"),
        ("hr:1", "ad", "membership", "create", "staff"),
    ]
    assert ("staff", "hr:1") in emptied.members()
    emptied.rules(f"{RULES}# looked at again\n").sync()
    assert emptied.lines == []


def test_whoever_leaves_again_is_kept_for_a_whole_retention(emptied: Any):
    """The days before the first deletion do not count a second time."""
    emptied.on(RETURNS).people(KARI, OLA).sync()
    again = RETURNS + timedelta(days=3)
    emptied.on(again).people(OLA).sync()
    emptied.on(again + timedelta(days=29)).sync()
    assert kari(emptied).enabled is False
    emptied.on(again + timedelta(days=30)).sync()
    assert emptied.names() == {"hr:2": "ola"}
    assert len(in_the_bin(emptied)) == 1


def test_an_emptied_bin_costs_one_run(emptied: Any):
    """Where the target has thrown the account away, a new one of the same name is made by the next run."""
    connection = sqlite3.connect(emptied.folder / "ad.db")
    with connection:
        connection.execute("UPDATE object SET state = 2, attributes = '{}' WHERE state = 1")
    connection.close()
    emptied.on(RETURNS).people(KARI, OLA).sync()
    assert emptied.names() == {"hr:2": "ola"}

    emptied.sync()

    account = kari(emptied)
    assert (account.enabled, account.attributes["name"]) == (True, "kari")
    assert ("staff", "hr:1") in emptied.members()
    emptied.sync()
    assert emptied.lines == []


def test_a_target_without_a_bin_gets_a_new_account_of_the_same_name(office: Any):
    """The name is still hers."""
    office.configure("ad", soft_delete=False)
    deleted(office)
    office.on(RETURNS).people(KARI, OLA).sync()

    assert kari(office).attributes["name"] == "kari"
    assert ("hr:1", "ad", "account", "create") in office.lines


def test_somebody_else_never_gets_it(emptied: Any):
    """Neither the account in the bin nor the name."""
    emptied.on(RETURNS).people("3;Kari;Berg;employee;11", OLA).sync()
    assert emptied.names() == {"hr:2": "ola", "hr:3": "kari2"}
    assert len(in_the_bin(emptied)) == 1
