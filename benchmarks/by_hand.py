"""The rules of rulesets/*.yaml written by hand as Python: what evaluating them is measured against.

The same accounts with the same attributes, the same groups and licences, in the same order of precedence; and nothing
that tells why. `benchmarks.agreement` holds it to the engine's result, person by person.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import msgspec
from anyascii import anyascii

from benchmarks.records import Group, Human, Position, Unit

AD_BASE, DOMAIN = "DC=eksempel,DC=kommune,DC=example", "eksempel.kommune.example"
GOOGLE = f"skole.{DOMAIN}"
RANKS = {"employee": 0, "teacher": 1, "substitute": 2, "pupil": 3, "external": 4}
FORBIDDEN = frozenset({"admin", "administrator", "root", "guest", "gjest", "postmaster", "abuse"})
CREATE, ENABLE = timedelta(days=14), timedelta(days=1)
_CODES = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "Æ": "Ae", "Ø": "O", "Å": "A"})

AD_GROUPS = f"OU=Grupper,{AD_BASE}"
WORKING = frozenset({"employee", "substitute", "teacher"})
REGULAR = 0.2

Attributes = dict[str, str]
Roles = dict[tuple[str, str], str]
Made = tuple[str | None, Attributes]
Make = Callable[[Human, Position, str, str], Made]


class Account(msgspec.Struct):
    """One account."""

    target: str
    container: str | None
    attributes: Attributes
    enabled: bool


class Given(msgspec.Struct):
    """What one person shall have: memberships are (target, group) → role."""

    accounts: list[Account]
    memberships: Roles
    licence: str


@cache
def slug(text: str) -> str:
    """Plain small letters with hyphens between words."""
    folded = text if text.isascii() else anyascii(text.translate(_CODES))
    return re.sub(r"[^a-z0-9]+", "-", folded.lower()).strip("-")


@cache
def dn(text: str) -> str:
    """Escaped for a distinguished name."""
    return re.sub(r'([,+"\\<>;=])', r"\\\1", text)


class Names:
    """Gives names that nobody has yet."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: set[str] = set(FORBIDDEN)
        self._next: dict[str, int] = {}

    def give(self, stem: str) -> str:
        """The stem, or the stem with the first free number from 2 on."""
        name = stem[: self._limit]
        number = self._next.get(stem, 2)
        while name in self._taken:
            name = f"{stem[: self._limit - len(str(number))]}{number}"
            number += 1
        self._next[stem] = number
        self._taken.add(name)
        return name


class Rules:
    """Applies the rules to one human after the other.

    Attributes:
        groups: (target, key) → (container, attributes) of every group that somebody is in.
    """

    def __init__(self, units: dict[str, Unit], classes: dict[str, Group], jobs: Path, today: date) -> None:
        with jobs.open(newline="", encoding="utf-8") as file:
            table = csv.reader(file, delimiter=";")
            next(table)
            self._jobs = {title: (field, licence) for title, field, licence in table}
        self._units = units
        self._classes = classes
        self._today = today
        self._usernames = Names(20)
        self._mail_names = Names(64)
        self.groups: dict[tuple[str, str], tuple[str | None, Attributes]] = {}

    def apply(self, human: Human) -> Given | None:
        """What the human shall have, None where nothing is given."""
        today = self._today
        latest, soon = today + CREATE, today + ENABLE
        counting = [
            each
            for each in human.positions
            if (each.end is None or each.end >= today) and (each.start is None or each.start <= latest)
        ]
        if not any(each.kind != "external" or each.end for each in counting):
            return None
        counting.sort(key=lambda each: (not each.primary, RANKS[each.kind], each.start or date.min, each.id))
        enabled = any(each.start is None or each.start <= soon for each in counting)
        accounts = self._accounts(human, counting, enabled)
        return Given(
            accounts, self._memberships(human, counting, {each.target for each in accounts}), self._licence(counting)
        )

    def _at_school(self, each: Position) -> bool:
        return each.kind == "teacher" or (each.kind in WORKING and self._units[each.unit].kind == "school")

    def _leads(self, human: Human, each: Position) -> bool:
        return each.kind in WORKING and self._units[each.unit].manager == human.id

    # ------------------------------------------------------------ accounts

    def _accounts(self, human: Human, counting: list[Position], enabled: bool) -> list[Account]:
        """One account in each target that some position gives one in."""
        given, family = slug(human.given_name), slug(human.family_name)
        username = self._usernames.give(f"{given.replace('-', '')[:3]}{family.replace('-', '')[:3]}")
        mail_name = self._mail_names.give(f"{given.replace('-', '.')}.{family.replace('-', '.')}")
        accounts = []
        for target, rule_of in (("ad", self._ad_rule), ("entra", self._entra_rule), ("google", self._google_rule)):
            seen: list[Make] = []
            container, attributes = None, None
            for each in counting:
                make = rule_of(each)
                if make is None or make in seen:
                    continue
                seen.append(make)
                where, made = make(human, each, username, mail_name)
                if attributes is None:
                    container, attributes = where, made
                else:
                    attributes = made | attributes
            if attributes is None:
                continue
            if target == "ad":
                leads = next((each for each in counting if self._leads(human, each)), None)
                if leads is not None:
                    attributes |= {"extensionAttribute1": "leder", "extensionAttribute2": leads.unit}
            accounts.append(Account(target, container, attributes, enabled))
        return accounts

    def _ad_rule(self, each: Position) -> Make | None:
        match each.kind:
            case "employee":
                return self._employee_ad
            case "substitute":
                return self._substitute_ad
            case "teacher":
                return self._teacher_ad
            case "external" if each.end:
                return self._external_ad
        return None

    def _entra_rule(self, each: Position) -> Make | None:
        match each.kind:
            case "employee" | "substitute":
                return self._employee_entra
            case "teacher":
                return self._teacher_entra
            case "pupil":
                return self._pupil_entra
            case "external" if each.end:
                return self._external_entra
        return None

    def _google_rule(self, each: Position) -> Make | None:
        if each.kind == "pupil":
            return self._pupil_google
        return self._staff_google if self._at_school(each) else None

    def _employee_ad(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        unit = self._units[each.unit]
        return f"OU={dn(unit.name)},OU=Ansatte,{AD_BASE}", {
            "sAMAccountName": username,
            "userPrincipalName": f"{username}@{DOMAIN}",
            "mail": f"{mail_name}@{DOMAIN}",
            "displayName": f"{human.given_name} {human.family_name}",
            "givenName": human.given_name,
            "sn": human.family_name,
            "title": each.title or "Ansatt",
            "department": unit.name,
            "company": unit.path,
            "employeeID": human.employee_number,
            "mobile": human.mobile,
            "physicalDeliveryOfficeName": unit.name,
            "description": f"{each.title}, {unit.name}",
            "info": self._jobs.get(each.title, ("", ""))[0],
        }

    def _substitute_ad(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        return f"OU=Vikarer,OU=Ansatte,{AD_BASE}", {
            "sAMAccountName": username,
            "userPrincipalName": f"{username}@{DOMAIN}",
            "mail": f"{mail_name}@{DOMAIN}",
            "displayName": f"{human.given_name} {human.family_name} (vikar)",
            "givenName": human.given_name,
            "sn": human.family_name,
            "title": each.title or "Vikar",
            "department": self._units[each.unit].name,
            "employeeID": human.employee_number,
            "description": f"Vikar til {each.end:%d.%m.%Y}" if each.end else "Vikar",
        }

    def _teacher_ad(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        unit = self._units[each.unit]
        title = each.title or "Lærer"
        return f"OU={dn(unit.name)},OU=Skole,{AD_BASE}", {
            "sAMAccountName": username,
            "userPrincipalName": f"{username}@{DOMAIN}",
            "mail": f"{mail_name}@{DOMAIN}",
            "displayName": f"{human.given_name} {human.family_name}",
            "givenName": human.given_name,
            "sn": human.family_name,
            "title": title,
            "department": unit.name,
            "company": self._above(unit),
            "employeeID": human.employee_number,
            "physicalDeliveryOfficeName": unit.name,
            "description": f"{title}, {unit.name}",
        }

    def _external_ad(self, human: Human, each: Position, username: str, _mail_name: str) -> Made:
        return f"OU=Eksterne,{AD_BASE}", {
            "sAMAccountName": username,
            "userPrincipalName": f"{username}@{DOMAIN}",
            "displayName": f"{human.given_name} {human.family_name} (ekstern)",
            "givenName": human.given_name,
            "sn": human.family_name,
            "title": each.title or "Ekstern",
            "department": self._units[each.unit].name,
            "description": f"Ekstern til {each.end:%d.%m.%Y}",
        }

    def _employee_entra(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        unit = self._units[each.unit]
        return None, {
            "userPrincipalName": f"{username}@{DOMAIN}",
            "mailNickname": mail_name,
            "displayName": f"{human.given_name} {human.family_name}",
            "givenName": human.given_name,
            "surname": human.family_name,
            "jobTitle": each.title or "Ansatt",
            "department": unit.name,
            "officeLocation": self._above(unit),
            "employeeId": human.employee_number,
            "mobilePhone": human.mobile,
            "usageLocation": "NO",
        }

    def _teacher_entra(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        return None, {
            "userPrincipalName": f"{username}@{DOMAIN}",
            "mailNickname": mail_name,
            "displayName": f"{human.given_name} {human.family_name}",
            "givenName": human.given_name,
            "surname": human.family_name,
            "jobTitle": each.title or "Lærer",
            "department": self._units[each.unit].name,
            "employeeId": human.employee_number,
            "usageLocation": "NO",
        }

    def _pupil_entra(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        return None, {
            "userPrincipalName": f"{username}@elev.{DOMAIN}",
            "mailNickname": mail_name,
            "displayName": f"{human.given_name} {human.family_name}",
            "givenName": human.given_name,
            "surname": human.family_name,
            "jobTitle": "Elev",
            "department": self._units[each.unit].name,
            "usageLocation": "NO",
        }

    def _external_entra(self, human: Human, each: Position, username: str, mail_name: str) -> Made:
        return None, {
            "userPrincipalName": f"{username}@ekstern.{DOMAIN}",
            "mailNickname": mail_name,
            "displayName": f"{human.given_name} {human.family_name} (ekstern)",
            "givenName": human.given_name,
            "surname": human.family_name,
            "jobTitle": each.title or "Ekstern",
            "usageLocation": "NO",
        }

    def _pupil_google(self, human: Human, each: Position, _username: str, mail_name: str) -> Made:
        unit = self._units[each.unit]
        return f"/Elever/{unit.name.replace('/', '-')}", {
            "primaryEmail": f"{mail_name}@elev.{GOOGLE}",
            "givenName": human.given_name,
            "familyName": human.family_name[:1] or "-",
            "organizations.title": "Elev",
            "organizations.department": unit.name,
        }

    def _staff_google(self, human: Human, each: Position, _username: str, mail_name: str) -> Made:
        unit = self._units[each.unit]
        return f"/Ansatte/{unit.name.replace('/', '-')}", {
            "primaryEmail": f"{mail_name}@{GOOGLE}",
            "givenName": human.given_name,
            "familyName": human.family_name,
            "organizations.title": each.title or "Lærer",
            "organizations.department": unit.name,
            "externalIds.organization": human.employee_number,
        }

    def _above(self, unit: Unit) -> str:
        return self._units[unit.parent].name if unit.parent else ""

    # ------------------------------------------------------------ groups and licences

    def _memberships(self, human: Human, counting: list[Position], targets: set[str]) -> Roles:
        """Groups the human is in; each is described the first time that somebody is."""
        found: Roles = {}
        for each in counting:
            if each.kind in WORKING:
                self._working(each, found)
                self._leading(human, each, found)
                if self._leads(human, each):
                    self._join(found, "ad", "LEDERE", AD_GROUPS, {"displayName": "Alle ledere"})
                    found["entra", f"unit-{each.unit}"] = "owner"
            elif each.kind == "external" and each.end:
                self._join(found, "ad", "EKSTERNE", AD_GROUPS, {})
            if "google" in targets:
                self._schooling(each, found)
        return found

    def _leading(self, human: Human, each: Position, found: Roles) -> None:
        for code in self._units[each.unit].line:
            if self._units[code].manager == human.id:
                self._join(found, "ad", f"LEDERE-{code}", AD_GROUPS, {"description": "Ledere av enheten"})

    def _working(self, each: Position, found: Roles) -> None:
        unit = self._units[each.unit]
        self._join(
            found,
            "ad",
            f"ENHET-{unit.code}",
            AD_GROUPS,
            {"displayName": unit.name, "description": f"Alle i {unit.name}"},
        )
        for code in unit.line:
            above = self._units[code]
            self._join(found, "ad", f"ENHETER-{code}", AD_GROUPS, {"displayName": f"{above.name} med underenheter"})
        self._join(found, "entra", f"unit-{unit.code}", None, {"displayName": unit.name})

    def _schooling(self, each: Position, found: Roles) -> None:
        unit = self._units[each.unit]
        if each.kind == "pupil":
            name = f"elever.{unit.code}@{GOOGLE}"
            self._join(found, "google", name, None, {"email": name, "name": f"Elever ved {unit.name}"})
        elif self._at_school(each):
            name = f"ansatte.{unit.code}@{GOOGLE}"
            self._join(found, "google", name, None, {"email": name, "name": f"Ansatte ved {unit.name}"})
        for place in each.places:
            if (place.start and place.start > self._today) or (place.end and place.end < self._today):
                continue
            group = self._classes[place.code]
            name = f"{slug(group.code)}@{GOOGLE}"
            title = f"{group.name} {self._units[group.unit].name}"
            self._join(found, "google", name, None, {"email": name, "name": title})
            if place.role == "teacher":
                found["google", name] = "owner"

    def _join(self, found: Roles, target: str, name: str, container: str | None, attributes: Attributes) -> None:
        place = target, name.casefold()
        if place not in found:
            found[place] = "member"
            if place not in self.groups:
                self.groups[place] = container, ({"name": name} if target == "ad" else {}) | attributes

    def _licence(self, counting: list[Position]) -> str:
        """The first of the exclusive licences that any position earns, or ""."""
        working = [each for each in counting if each.kind in WORKING]
        if any(self._at_school(each) for each in working):
            return "STANDARDWOFFPACK_FACULTY"
        if any(self._jobs.get(each.title, ("", ""))[1] == "frontline" for each in working):
            return "SPE_F1"
        if any((each.fraction or 0) >= REGULAR for each in working):
            return "SPE_E3"
        if working:
            return "SPE_F1"
        return "STANDARDWOFFPACK_STUDENT" if any(each.kind == "pupil" for each in counting) else ""
