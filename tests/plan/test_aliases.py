"""Whoever is renamed keeps the old address as an alias, for as long as the rules say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from connectors.contract import Kind

RULES = """
lifecycle:
  aliases:
    ad:
      - {attribute: proxies, of: mail, form: "smtp:{{ former }}"KEEP}
identifiers:
  mail_name:
    candidates: ["{{ person.family_name | slug }}", "{{ person.family_name | slug }}{{ n }}"]
    on_rename: follow
accounts:
  - rule: a
    target: ad
    attributes: {name: "{{ person.id }}", mail: "{{ mail_name }}@x.no", proxies: "{{ 'smtp:all@x.no' | split(',') }}"}
"""
LI, BERG, DAHL, OLA = (f"{line};employee;11" for line in ("1;Kari;Li", "1;Kari;Berg", "1;Kari;Dahl", "2;Ola;By"))
MARRIED = date(2026, 9, 1)


@pytest.fixture
def wed(office: Any) -> Any:
    """An office in which Kari Li is called Berg from the first of September; aliases stay for ever."""
    office.rules(RULES.replace("KEEP", "")).people(LI, OLA).sync()
    assert aliases(office) == ("li@x.no", ["smtp:all@x.no"])
    office.on(MARRIED).people(BERG, OLA).sync()
    return office


def aliases(office: Any, person: str = "hr:1") -> tuple[object, object]:
    """A person's address, and the aliases beside it."""
    (found,) = [one.attributes for one in office.objects(Kind.ACCOUNT) if one.owner == person]
    return found["mail"], found["proxies"]


def again(office: Any) -> None:
    """Everybody is looked at once more."""
    text = (office.folder / "rules.yaml").read_text(encoding="utf-8")
    (office.folder / "rules.yaml").write_text(f"{text}# another version\n", encoding="utf-8")
    office.sync()


def test_the_old_address_becomes_an_alias_in_the_same_change(wed: Any):
    """There is no moment in which mail to it is lost, and nothing is left to do."""
    assert aliases(wed) == ("berg@x.no", ["smtp:all@x.no", "smtp:li@x.no"])
    assert wed.lines == [("hr:1", "ad", "account", "update")]
    again(wed)
    assert wed.lines == []


def test_every_former_address_is_kept_and_none_twice(wed: Any):
    """Whoever takes an old name back has it as the address, and not as an alias of itself."""
    wed.on(MARRIED + timedelta(days=1)).people(DAHL, OLA).sync()
    assert aliases(wed) == ("dahl@x.no", ["smtp:all@x.no", "smtp:berg@x.no", "smtp:li@x.no"])
    wed.on(MARRIED + timedelta(days=2)).people(LI, OLA).sync()
    assert aliases(wed) == ("li@x.no", ["smtp:all@x.no", "smtp:berg@x.no", "smtp:dahl@x.no"])


def test_nobody_else_is_given_the_old_address(wed: Any):
    """It still takes her mail."""
    wed.people(BERG, OLA, "3;Per;Li;employee;11").sync()
    assert aliases(wed, "hr:3")[0] == "li2@x.no"


def test_an_alias_ends_on_its_day(office: Any):
    """After `keep_days` it is taken away, without anything else having to happen; the name stays hers."""
    office.rules(RULES.replace("KEEP", ", keep_days: 30")).people(LI, OLA).sync()
    office.on(MARRIED).people(BERG, OLA).sync()
    office.on(MARRIED + timedelta(days=29)).sync()
    assert aliases(office)[1] == ["smtp:all@x.no", "smtp:li@x.no"]

    office.on(MARRIED + timedelta(days=30)).sync()
    assert aliases(office) == ("berg@x.no", ["smtp:all@x.no"])
    office.people(BERG, OLA, "3;Per;Li;employee;11").sync()
    assert aliases(office, "hr:3")[0] == "li2@x.no"


def test_a_rename_that_is_held_is_remembered_until_it_is_made(office: Any):
    """A brake keeps the address and the alias; both come when it lets go."""
    office.rules(RULES.replace("KEEP", "")).people(LI, OLA).sync()
    office.configure("ad", brake={"account": {"update": {"max": 0}}})
    office.on(MARRIED).people(BERG, OLA).sync()
    assert aliases(office) == ("li@x.no", ["smtp:all@x.no"])
    office.configure("ad", brake={})
    office.on(MARRIED + timedelta(days=1)).sync()
    assert aliases(office) == ("berg@x.no", ["smtp:all@x.no", "smtp:li@x.no"])


def test_aliases_come_back_with_whoever_returns(wed: Any):
    """While disabled the account keeps them, and after a return, too."""
    wed.on(MARRIED + timedelta(days=10)).people(OLA).sync()
    assert aliases(wed)[1] == ["smtp:all@x.no", "smtp:li@x.no"]
    wed.on(MARRIED + timedelta(days=20)).people(BERG, OLA).sync()
    assert aliases(wed) == ("berg@x.no", ["smtp:all@x.no", "smtp:li@x.no"])
