"""Attributes that are sent as a keyed hash or encrypted: what targets hold, and that it stays so."""

from __future__ import annotations

from datetime import date
from typing import Any, Protocol

import pytest
import yaml
from sqlalchemy import select

from connectors.contract import Kind
from eadm_sync.app.checking import check
from eadm_sync.app.context import open_context
from eadm_sync.app.disclosing import disclose
from eadm_sync.app.linting import lint
from eadm_sync.app.rekeying import rotate
from eadm_sync.errors import ConfigError, StateError
from eadm_sync.sample.national_ids import with_check_digits
from eadm_sync.state import tables
from eadm_sync.state.sending import decrypted, keyed_hash

NUMBER = next(filter(None, (with_check_digits(f"178580{digits}") for digits in range(100, 200))))
"""Of nobody: 80 is added to the month."""
LATER = date(2026, 8, 18)

RULES = """
accounts:
  - rule: staff
    target: ad
    attributes: {{name: "{{{{ person.given_name | slug }}}}", number: "{{{{ person.national_id }}}}"}}
    {send}
"""


class Office(Protocol):
    """What these tests need of the fixture of that name."""

    folder: Any
    clock: Any
    lines: list[tuple[str, ...]]
    problems: dict[str, str]

    def configure(self, target: str, **options: Any) -> Office: ...
    def people(self, *rows: str) -> Office: ...
    def rules(self, text: str) -> Office: ...
    def on(self, day: date) -> Office: ...
    def sync(self, **options: Any) -> Any: ...
    def objects(self, kind: Kind, target: str = "ad") -> list[Any]: ...


@pytest.fixture
def town(office: Office) -> Office:
    """One employee, whose number in the source is a national id."""
    config = office.folder / "config.yaml"
    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    data["sources"]["hr"]["map"]["people"]["national_id"] = "{{ row.end }}"
    del data["sources"]["hr"]["map"]["affiliations"]["end"]
    config.write_text(yaml.safe_dump(data), encoding="utf-8")
    return office.people(f"1;Kari;Li;employee;11;;{NUMBER}").rules(rules())


def sent(office: Office) -> str:
    """What the target holds."""
    return str(office.objects(Kind.ACCOUNT)[0].attributes["number"])


def rules(send: str = "") -> str:
    """The rules with what they say of sending."""
    return RULES.format(send=send)


def vault(office: Office) -> Any:
    """The installation's keys."""
    return open_context(office.folder / "config.yaml", office.clock).vault


def test_hash_is_the_same_by_any_key(town: Office):
    """It can be looked up, says nothing, and outlives the key that seals."""
    town.rules(rules("send: {number: hash}")).sync()
    first = sent(town)
    rotate(open_context(town.folder / "config.yaml", town.clock))
    town.people(f"1;Kari;By;employee;11;;{NUMBER}").on(LATER).sync()

    assert town.lines == []
    assert first == sent(town) == keyed_hash(vault(town), NUMBER)
    assert NUMBER not in first
    assert len(first) == 26


def test_short_attribute_takes_a_shorter_hash(town: Office):
    """As `employeeID`, which takes 16 characters."""
    town.configure("ad", max_lengths={"number": 16}).rules(rules("send: {number: hash}")).sync()

    assert sent(town) == keyed_hash(vault(town), NUMBER)[:16]


def test_encrypted_value_is_stable_and_can_be_read(town: Office):
    """Nothing is sent anew for nothing; under a new key everybody's is, by the next run."""
    town.rules(rules("send: {number: encrypted}")).sync()
    first = sent(town)
    town.people(f"1;Kari;By;employee;11;;{NUMBER}").on(LATER).sync()
    assert (town.lines, sent(town)) == ([], first)
    assert decrypted(vault(town), first) == NUMBER

    rotate(open_context(town.folder / "config.yaml", town.clock))
    town.on(date(2026, 8, 19)).sync()

    assert town.lines == [("hr:1", "ad", "account", "update")]
    assert decrypted(vault(town), sent(town)) == NUMBER
    assert sent(town) != first


def test_other_way_of_sending_is_a_change(town: Office):
    """From clear to a hash, and nothing in clear is left in the target."""
    town.rules(rules()).sync()
    assert sent(town) == NUMBER

    town.rules(rules("send: {number: hash}")).on(LATER).sync()

    assert town.lines == [("hr:1", "ad", "account", "update")]
    assert sent(town) == keyed_hash(vault(town), NUMBER)


@pytest.mark.parametrize("text", ["", "eadm1.", "eadm1.!!", "eadm1.AAAA", NUMBER])
def test_what_was_not_encrypted_cannot_be_read(town: Office, text: str):
    """It is refused, and not shown."""
    with pytest.raises(StateError):
        decrypted(vault(town), text)


def test_altered_value_cannot_be_read(town: Office):
    """Somebody may have written into the directory."""
    town.rules(rules("send: {number: encrypted}")).sync()

    with pytest.raises(StateError):
        decrypted(vault(town), sent(town)[:-4] + "AAAA")


@pytest.mark.parametrize(
    ("options", "send", "message"),
    [
        ({"refuses_national_ids": True}, "", "a national id goes into 'number' in clear"),
        ({}, "send: {other: hash}", "the rule does not set 'other'"),
        ({}, "send: {name: hash}", "accounts are called by"),
        ({"max_lengths": {"number": 64}}, "send: {number: encrypted}", "takes 64 characters, this needs 128"),
        ({"max_lengths": {"number": 15}}, "send: {number: hash}", "takes 15 characters, this needs 16"),
    ],
)
def test_what_cannot_be_sent_so_is_refused(town: Office, options: dict[str, Any], send: str, message: str):
    """When the rules are loaded, with the place."""
    town.configure("ad", **options).rules(rules(send))

    with pytest.raises(ConfigError, match=message):
        town.sync()


def test_two_ways_of_sending_one_attribute_are_refused(town: Office):
    """Who has two positions would have it in clear by one of them."""
    text = rules("send: {number: hash}") + (
        "  - rule: more\n    target: ad\n    when: affiliation.kind == 'employee'\n"
        '    attributes: {number: "{{ person.national_id }}"}\n'
    )

    with pytest.raises(ConfigError, match="sent otherwise by the rule 'r/staff'"):
        town.rules(text).sync()


def test_national_id_that_everybody_can_read_is_told_of(town: Office):
    """By `check` and by `ruleset lint`, until it is sent otherwise."""
    town.configure("ad", world_readable=["Number"])

    def told() -> tuple[list[str], list[str]]:
        path = town.folder / "config.yaml"
        parts = check(path, town.clock, offline=True).parts
        found = lint(open_context(path, town.clock))
        return [part.detail for part in parts if "WARNING" in part.detail], [
            str(one.also) for one in found if one.kind == "disclosed"
        ]

    in_clear = told()
    town.rules(rules("send: {number: hash}"))

    assert in_clear[0][0].endswith(f"ad.number ({town.folder / 'rules.yaml'}:4)")
    assert in_clear[1] == ["ad.number"]
    assert told() == ([], [])


def test_reading_a_value_is_audited(town: Office):
    """Who had it decrypted, not what it was."""
    town.rules(rules("send: {number: encrypted}")).sync()
    context = open_context(town.folder / "config.yaml", town.clock)

    assert disclose(context, sent(town)) == NUMBER
    with context.reading() as database, database.read() as connection:
        audit = tables.audit.c
        assert list(connection.scalars(select(audit.object).where(audit.action == "open"))) == ["sent value"]
