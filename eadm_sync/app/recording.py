"""A ruleset test made from a live person, with everything that tells who it is replaced by inventions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import msgspec
import yaml
from sqlalchemy import Connection

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person
from eadm_sync.app.population import stored_person, stored_units
from eadm_sync.app.ruleset_tests import evaluate_case
from eadm_sync.clock import today
from eadm_sync.config.yaml import load_yaml
from eadm_sync.model import Affiliation, ClassGroup, Person, Unit
from eadm_sync.ruleset.cases import CaseFile
from eadm_sync.ruleset.cases_loading import PERSON, Case
from eadm_sync.sample.dice import Dice
from eadm_sync.sample.names import FOREIGN, NORWEGIAN, mailbox
from eadm_sync.sample.names import Name as InventedName

_HEADER = "# yaml-language-server: $schema=../../schema/cases.schema.json\n"


def record_case(context: Context, name: str, title: str | None = None) -> str:
    """A file of one ruleset test, as YAML: a live person today under invented names, and what the rules give them.

    Units, class groups, titles and dates are kept; names, numbers, addresses, phones, days of birth and further fields
    of the person are replaced, always by the same for the same person. National ids are left out.

    Args:
        context: The installation.
        name: As for `find_person`.
        title: What the case is called; None: a plain description.

    Raises:
        NotFound, AmbiguousName: Nobody, or several people, are called that.
        ConfigError: The rules are wrong.
    """
    with context.reading() as database, database.read() as connection:
        person = stored_person(connection, find_person(connection, name))
        day = today(context.clock, context.loaded.settings.organisation.zone)
        written = _without_expectation(context, connection, person, day, title)
    content = CaseFile.model_validate({**written, "cases": [{**written["cases"][0], "expect": {"exactly": True}}]})
    document = load_yaml(_dumped(written), "recorded.yaml")
    units = {unit.code: unit for unit in content.units}
    groups = {group.code: group for group in content.class_groups}
    case = Case(content.cases[0], document, ("cases", 0), units, groups, content.people)
    written["cases"][0]["expect"] = _expected(case, context)
    return _HEADER + _dumped(written)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader of YAML takes for a number: a phone number, a code with zeros in front."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "'" if re.match(r"[-+.]?[0-9]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def _dumped(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


def _without_expectation(
    context: Context, connection: Connection, person: Person, day: date, title: str | None
) -> dict[str, Any]:
    all_units, all_groups, managers = stored_units(context, connection)
    places = [row.code for one in person.affiliations for row in one.classes]
    groups = {code: all_groups[code] for code in dict.fromkeys(places) if code in all_groups}
    codes = [*(one.unit for one in person.affiliations), *(group.unit for group in groups.values())]
    units = {unit.code: unit for code in codes for unit in _line(code, all_units)}
    ids = sorted({unit.manager for unit in units.values() if unit.manager in managers and unit.manager != person.id})
    called = {person.id: PERSON, **{manager: f"manager-{number}" for number, manager in enumerate(ids, 1)}}
    return {
        "units": [_unit(unit, units, called) for unit in units.values()],
        "class_groups": [_class_group(group) for group in groups.values()],
        "people": {called[one]: _invented(context, managers[one]) for one in ids},
        "cases": [
            {
                "case": title or "recorded from a live person, with invented names",
                "on": day.isoformat(),
                "person": _invented(context, person),
                "affiliations": [_affiliation(one, units, groups) for one in person.affiliations],
            }
        ],
    }


def _line(code: str | None, units: Mapping[str, Unit]) -> Iterator[Unit]:
    """A unit and those above it; each once, whatever the tree is like."""
    seen: set[str] = set()
    while code is not None and code in units and code not in seen:
        seen.add(code)
        yield units[code]
        code = units[code].parent


def _unit(unit: Unit, known: Mapping[str, Unit], called: Mapping[str, str]) -> dict[str, Any]:
    fields = _filled(unit, {"code", "name", "kind", "extra"})
    if unit.parent in known:
        fields["parent"] = unit.parent
    if unit.manager is not None and unit.manager in called:
        fields["manager"] = called[unit.manager]
    return fields


def _class_group(group: ClassGroup) -> dict[str, Any]:
    fields = _filled(group, {"code", "name", "unit", "grade", "subject"})
    return fields | ({"kind": group.kind} if group.kind in {"class", "teaching"} else {})


def _affiliation(one: Affiliation, units: Mapping[str, Unit], groups: Mapping[str, ClassGroup]) -> dict[str, Any]:
    fields = _filled(one, {"source", "kind", "title", "fraction", "start", "end", "primary", "leave", "extra"})
    if one.unit in units:
        fields["unit"] = one.unit
    classes = [_filled(row, {"code", "role", "start", "end"}) for row in one.classes if row.code in groups]
    return fields | ({"classes": classes} if classes else {})


def _filled(value: msgspec.Struct, names: Iterable[str]) -> dict[str, Any]:
    """Fields that are there, in the model's order, as YAML has them."""
    pairs = ((name, getattr(value, name)) for name in value.__struct_fields__ if name in names)
    return {
        name: held.isoformat() if isinstance(held, date) else dict(held) if isinstance(held, Mapping) else held
        for name, held in pairs
        if held not in (None, "", {}, False)
    }


# ---------------------------------------------------------------- inventions


def _invented(context: Context, person: Person) -> dict[str, Any]:
    """The person's fields under another name: the same shape, so that rules take the same way."""
    dice = Dice(
        context.vault.digest("recorded case", person.id).hex()
    )  # keyed: who has the test cannot find the person
    name = InventedName(_words(dice, person.given_name), _words(dice, person.family_name, family=True), "K", False)
    fields: dict[str, Any] = {"given_name": name.given, "family_name": name.family}
    if person.birth_date is not None:
        fields["birth_date"] = date(person.birth_date.year, 1, 1).isoformat()
    if person.email:
        fields["email"] = mailbox(name, dice.below(1000))
    for word in ("employee_number", "mobile", "username"):
        if held := getattr(person, word):
            fields[word] = _alike(dice, held)
    if "mobile" in fields:  # no Norwegian number begins with 0, so that nobody's phone stands in a test
        fields["mobile"] = re.sub(r"\d", "0", fields["mobile"], count=1)
    if person.extra:
        fields["extra"] = {word: _alike(dice, text) for word, text in person.extra.items()}
    return {word: held for word, held in fields.items() if held}


def _words(dice: Dice, text: str, *, family: bool = False) -> str:
    """As many invented names as there are in the text, joined in the same way."""
    origin = dice.pick([NORWEGIAN, *FOREIGN.values])
    names = origin.families if family else origin.women + origin.men
    return re.sub(r"[^\s-]+", lambda _: dice.pick(names), text)


def _alike(dice: Dice, text: str) -> str:
    """Other digits for digits and other letters for letters; what stands between them is kept."""
    letters = "abcdefghijklmnopqrstuvwxyz"

    def other(sign: str) -> str:
        if sign.isdigit():
            return str(dice.below(10))
        if sign.isalpha():
            letter = dice.pick(letters)
            return letter.upper() if sign.isupper() else letter
        return sign

    return "".join(map(other, text))


# ---------------------------------------------------------------- what the rules come to


def _expected(case: Case, context: Context) -> dict[str, Any]:
    """Everything the rules give, as a test expects it."""
    outcome = evaluate_case(case, context.ruleset)
    stand, desired = outcome.standing, outcome.desired
    groups: dict[str, dict[str, str]] = {}
    for row in desired.memberships:
        groups.setdefault(row.target, {})[row.group] = row.role
    member_of: dict[str, dict[str, list[str]]] = {}
    for group in desired.groups:
        if group.member_of:
            member_of.setdefault(group.target, {})[group.key] = sorted(group.member_of)
    licences: dict[str, list[str]] = {}
    for licence in desired.licences:
        licences.setdefault(licence.target, []).append(licence.sku)
    accounts = {
        account.target: {
            "rule": account.rule,
            **({"container": account.container} if account.container else {}),
            "attributes": {name: value for name, value in account.attributes.items() if value not in (None, "", [])},
        }
        for account in desired.accounts
    }
    expected: dict[str, Any] = {"exactly": True, "stage": stand.stage.value, "enabled": stand.enabled}
    parts = {"accounts": accounts, "groups": groups, "member_of": member_of, "licences": licences}
    return expected | {word: part for word, part in parts.items() if part}
