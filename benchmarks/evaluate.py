"""How fast the example rulesets are evaluated, against the same rules written by hand, in the same run.

`python benchmarks/evaluate.py [PEOPLE]` makes PEOPLE (default 20 000) people with 1.3 affiliations each and measures,
on one core, medians of five rounds:

- floor: the rules of `rulesets/` as plain Python functions, giving the same values in the same shapes;
- evaluate: `Evaluator.evaluate`;
- load: reading, checking and compiling `rulesets/`, and a ruleset of 2 000 lines;
- explain: `explain` of one person.

Both sides are first checked to give the same.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from random import Random

from anyascii import anyascii

from eadm_sync.desired import (
    Desired,
    DesiredAccount,
    DesiredGroup,
    DesiredLicence,
    DesiredMembership,
    Evaluator,
    explain,
    winning_order,
)
from eadm_sync.model import Affiliation, ClassGroup, ClassMembership, Person, Unit
from eadm_sync.ruleset import Organisation, Ruleset, TargetWords, Vocabulary, load_ruleset
from eadm_sync.ruleset.organisation import NO_UNIT, UnitNode

RULESETS = Path(__file__).parents[1] / "rulesets"
ROUNDS = 5
BASE_DN, SUFFIX, DOMAIN, SCHOOL = "DC=x,DC=no", "x.no", "x.no", "skole.x.no"
VOCABULARY = Vocabulary(
    {
        "ad": TargetWords({"base_dn": BASE_DN, "upn_suffix": SUFFIX}, account_name="sAMAccountName"),
        "entra": TargetWords(
            {"domain": DOMAIN}, account_name="userPrincipalName", group_name="displayName", has_containers=False
        ),
        "google": TargetWords({"domain": SCHOOL}, account_name="primaryEmail", group_name="email"),
    }
)
GIVEN = ("Kari", "Ola", "Åse Marie", "Bjørn", "Zoë", "Ælfrid", "Jan Erik", "Łucja")
FAMILY = ("Hansen", "Ødegård", "Næss", "Li", "Müller", "Østby", "Hagen Lund", "Berg")
TITLES = ("Sykepleier", "Helsefagarbeider", "Rådgiver", "Renholder", "Rektor")

Names = dict[str, str]


# ---------------------------------------------------------------- people


def town(people: int) -> tuple[Organisation, list[tuple[Person, list[Affiliation]]]]:
    """People with their affiliations: 45 % employees, 10 % teachers, 40 % pupils, 5 % externals."""
    random = Random(1)
    units = [Unit("1000", "Eksempel kommune", "municipality", None, "hr:0")]
    for sector in range(1, 6):
        units.append(Unit(f"1{sector}00", f"Sektor {sector}", "sector", "1000", f"hr:{sector}"))
        units += [
            Unit(f"1{sector}{n:02}", f"Enhet {sector}, {n}", "school" if sector == 2 else "department", f"1{sector}00")  # noqa: PLR2004
            for n in range(1, 40)
        ]
    schools = [unit.code for unit in units if unit.kind == "school"]
    workplaces = [unit.code for unit in units if unit.kind == "department"]
    classes = [
        ClassGroup(f"{school}-{grade}A", f"{grade}A", school, "class") for school in schools for grade in range(1, 8)
    ]
    codes = [group.code for group in classes]
    found = []
    for number in range(people):
        person_id = f"hr:{number}"
        person = Person(
            person_id, random.choice(GIVEN), random.choice(FAMILY), employee_number=str(number), mobile="+4799999999"
        )
        kind = random.choices(("employee", "teacher", "pupil", "external"), (45, 10, 40, 5))[0]
        unit = random.choice(schools if kind in {"teacher", "pupil"} else workplaces)
        role = "teacher" if kind == "teacher" else "pupil"
        places = (
            tuple(ClassMembership(code, role) for code in random.sample(codes, 2))
            if kind in {"teacher", "pupil"}
            else ()
        )
        end = date(2027, 1, 1) if kind == "external" else None
        title = random.choice(TITLES)
        rows = [Affiliation(f"{person_id}-1", "hr", kind, unit, title, 1.0, None, end, primary=True, classes=places)]
        if random.random() < 0.3:  # noqa: PLR2004 - a third has a second, smaller position
            rows.append(Affiliation(f"{person_id}-2", "hr", "substitute", random.choice(workplaces), title, 0.1))
        found.append((person, rows))
    managers = {f"hr:{n}": Person(f"hr:{n}", "Leder", str(n)) for n in range(6)}
    return Organisation(units, classes, managers), found


# ---------------------------------------------------------------- the floor: the same rules by hand


@lru_cache(maxsize=65_536)
def dn(text: str) -> str:
    """As the `dn` filter, for names without blanks at their ends."""
    return re.sub(r'([,+"\\<>;=])', r"\\\1", text)


@lru_cache(maxsize=65_536)
def slug(text: str) -> str:
    """As the `slug` filter."""
    return re.sub(r"[^a-z0-9]+", "-", anyascii(text).lower()).strip("-")


JOBS = {
    line.split(";")[0]: (line.split(";")[1], line.split(";")[2])
    for line in (RULESETS / "tables" / "jobs.csv").read_text(encoding="utf-8").splitlines()[1:]
}
NO_JOB = (None, None)
WORKING = frozenset({"employee", "substitute", "teacher"})


class ByHand:
    """The example rulesets as somebody would write them in Python for this one purpose.

    Attributes:
        working: Kinds of affiliation that the municipality pays.
    """

    working = WORKING

    def __init__(self, organisation: Organisation, names: Names) -> None:
        self.units = organisation.units
        self.classes = organisation.class_groups
        self.names = names

    def evaluate(self, person: Person, affiliations: Sequence[Affiliation]) -> Desired:
        """As `Evaluator.evaluate`."""
        seen = [(one, self.units.get(one.unit or "", NO_UNIT)) for one in affiliations]
        accounts = [
            account
            for account in (self.ad(person, seen), self.entra(person, seen), self.google(person, seen))
            if account is not None
        ]
        if not accounts:
            return Desired()
        targets = {account.target for account in accounts}
        groups: dict[tuple[str, str], tuple[DesiredGroup, DesiredMembership]] = {}
        if "ad" in targets:
            self.ad_groups(person, seen, groups)
        if "entra" in targets:
            self.entra_groups(person, seen, groups)
        if "google" in targets:
            self.google_groups(seen, groups)
        licences = self.licences(seen) if "entra" in targets else ()
        pairs = groups.values()
        return Desired(tuple(accounts), tuple([one for one, _ in pairs]), tuple([one for _, one in pairs]), licences)

    def ad(self, person: Person, seen: list[tuple[Affiliation, UnitNode]]) -> DesiredAccount | None:
        """The account in ad."""
        user, mail = self.names["username"], self.names["mail_name"]
        account = None
        extra: dict[str, object] = {}
        full = f"{person.given_name} {person.family_name}".strip() or None
        for one, unit in seen:
            kind, title = one.kind, one.title
            if kind in self.working and unit.manager.id is not None and unit.manager.id == person.id and not extra:
                extra = {"extensionAttribute1": "leder", "extensionAttribute2": unit.code}
            values: dict[str, object] = {
                "sAMAccountName": user,
                "userPrincipalName": f"{user}@{SUFFIX}",
            }
            if kind == "employee":
                values |= {
                    "mail": f"{mail}@{SUFFIX}",
                    "displayName": full,
                    "givenName": person.given_name or None,
                    "sn": person.family_name or None,
                    "title": title or "Ansatt",
                    "department": unit.name,
                    "company": " / ".join(unit.path) or None,
                    "employeeID": person.employee_number,
                    "mobile": person.mobile,
                    "physicalDeliveryOfficeName": unit.name,
                    "description": f"{title or ''}, {unit.name or ''}".strip(),
                    "info": JOBS.get(title or "", NO_JOB)[0],
                }
                rule, container = "employees/employee-ad", f"OU={dn(unit.name or '')},OU=Ansatte,{BASE_DN}"
            elif kind == "substitute":
                end = f"Vikar til {one.end:%d.%m.%Y}" if one.end else "Vikar"
                values |= {
                    "mail": f"{mail}@{SUFFIX}",
                    "displayName": f"{full} (vikar)",
                    "givenName": person.given_name or None,
                    "sn": person.family_name or None,
                    "title": title or "Vikar",
                    "department": unit.name,
                    "employeeID": person.employee_number,
                    "description": end,
                }
                rule, container = "employees/substitute-ad", f"OU=Vikarer,OU=Ansatte,{BASE_DN}"
            elif kind == "external" and one.end is not None:
                values |= {
                    "displayName": f"{full} (ekstern)",
                    "givenName": person.given_name or None,
                    "sn": person.family_name or None,
                    "title": title or "Ekstern",
                    "department": unit.name,
                    "description": f"Ekstern til {one.end:%d.%m.%Y}",
                }
                rule, container = "externals/external-ad", f"OU=Eksterne,{BASE_DN}"
            elif kind == "teacher":
                values |= {
                    "mail": f"{mail}@{SUFFIX}",
                    "displayName": full,
                    "givenName": person.given_name or None,
                    "sn": person.family_name or None,
                    "title": title or "Lærer",
                    "department": unit.name,
                    "company": unit.parent.name,
                    "employeeID": person.employee_number,
                    "physicalDeliveryOfficeName": unit.name,
                    "description": f"{title or 'Lærer'}, {unit.name or ''}".strip(),
                }
                rule, container = "teachers/teacher-ad", f"OU={dn(unit.name or '')},OU=Skole,{BASE_DN}"
            else:
                continue
            if account is None:
                account = rule, container, values, one.id
            else:
                account[2].update({word: value for word, value in values.items() if word not in account[2]})
        if account is None:
            return None
        return DesiredAccount("ad", account[0], account[1], {**extra, **account[2]}, account[3])  # type: ignore[dict-item]

    def entra(self, person: Person, seen: list[tuple[Affiliation, UnitNode]]) -> DesiredAccount | None:
        """The account in entra."""
        user = self.names["username"]
        made: dict[str, tuple[str, dict[str, object], str]] = {}
        full = f"{person.given_name} {person.family_name}".strip() or None
        for one, unit in seen:
            kind = one.kind
            values: dict[str, object] = {
                "mailNickname": self.names["mail_name"],
                "givenName": person.given_name or None,
                "surname": person.family_name or None,
                "usageLocation": "NO",
            }
            if kind in {"employee", "substitute"}:
                rule = "employees/employee-entra"
                values |= {
                    "userPrincipalName": f"{user}@{DOMAIN}",
                    "displayName": full,
                    "jobTitle": one.title or "Ansatt",
                    "department": unit.name,
                    "officeLocation": unit.parent.name,
                    "employeeId": person.employee_number,
                    "mobilePhone": person.mobile,
                }
            elif kind == "external" and one.end is not None:
                rule = "externals/external-entra"
                values |= {
                    "userPrincipalName": f"{user}@ekstern.{DOMAIN}",
                    "displayName": f"{full} (ekstern)",
                    "jobTitle": one.title or "Ekstern",
                }
            elif kind == "pupil":
                rule = "pupils/pupil-entra"
                values |= {
                    "userPrincipalName": f"{user}@elev.{DOMAIN}",
                    "displayName": full,
                    "jobTitle": "Elev",
                    "department": unit.name,
                }
            elif kind == "teacher":
                rule = "teachers/teacher-entra"
                values |= {
                    "userPrincipalName": f"{user}@{DOMAIN}",
                    "displayName": full,
                    "jobTitle": one.title or "Lærer",
                    "department": unit.name,
                    "employeeId": person.employee_number,
                }
            else:
                continue
            made.setdefault(rule, (rule, values, one.id))
        return _merged("entra", [(rule, None, values, one) for rule, values, one in made.values()])

    def google(self, person: Person, seen: list[tuple[Affiliation, UnitNode]]) -> DesiredAccount | None:
        """The account in google."""
        mail = self.names["mail_name"]
        made: dict[str, tuple[str, str | None, dict[str, object], str]] = {}
        for one, unit in seen:
            kind = one.kind
            place = (unit.name or "").replace("/", "-")
            if kind == "pupil":
                values: dict[str, object] = {
                    "primaryEmail": f"{mail}@elev.{SCHOOL}",
                    "givenName": person.given_name or None,
                    "familyName": person.family_name[:1] or "-",
                    "organizations.title": "Elev",
                    "organizations.department": unit.name,
                }
                made.setdefault("pupils/pupil-google", ("pupils/pupil-google", f"/Elever/{place}", values, one.id))
            elif kind in self.working and (kind == "teacher" or unit.kind == "school"):
                values = {
                    "primaryEmail": f"{mail}@{SCHOOL}",
                    "givenName": person.given_name or None,
                    "familyName": person.family_name or None,
                    "organizations.title": one.title or "Lærer",
                    "organizations.department": unit.name,
                    "externalIds.organization": person.employee_number,
                }
                rule = "teachers/school-staff-google"
                made.setdefault(rule, (rule, f"/Ansatte/{place}", values, one.id))
        return _merged("google", list(made.values()))

    def ad_groups(self, person: Person, seen: list[tuple[Affiliation, UnitNode]], groups: Groups) -> None:
        """Groups in ad."""
        working = [(one, unit) for one, unit in seen if one.kind in self.working]
        place = f"OU=Grupper,{BASE_DN}"
        for _, unit in working:
            name = f"ENHET-{unit.code or ''}"
            note = {"displayName": unit.name, "description": f"Alle i {unit.name or ''}".strip()}
            _join(groups, "ad", "groups/unit-ad", name, name.casefold(), place, note)
        for _, unit in working:
            for above in unit.line:
                name = f"ENHETER-{above.code}"
                note = {"displayName": f"{above.name or ''} med underenheter"}
                _join(groups, "ad", "groups/unit-with-below-ad", name, name.casefold(), place, note)
        if any(unit.manager.id is not None and unit.manager.id == person.id for _, unit in working):
            _join(groups, "ad", "groups/managers-ad", "LEDERE", "ledere", place, {"displayName": "Alle ledere"})
        if any(one.kind == "external" and one.end for one, _ in seen):
            _join(groups, "ad", "groups/externals-ad", "EKSTERNE", "eksterne", place, {})

    def entra_groups(self, person: Person, seen: list[tuple[Affiliation, UnitNode]], groups: Groups) -> None:
        """Groups in entra, and the last one in ad."""
        working = [unit for one, unit in seen if one.kind in self.working]
        for unit in working:
            if unit.manager.id is not None and unit.manager.id == person.id:
                key = f"unit-{unit.code or ''}"
                _join(groups, "entra", "groups/unit-manager-entra", unit.name, key, None, {}, "owner", "displayName")
        for unit in working:
            key = f"unit-{unit.code or ''}"
            _join(groups, "entra", "groups/unit-entra", unit.name, key, None, {}, "member", "displayName")
        for unit in working:
            for above in unit.line:
                if above.manager.id is not None and above.manager.id == person.id:
                    name, note = f"LEDERE-{above.code}", {"description": "Ledere av enheten"}
                    place = f"OU=Grupper,{BASE_DN}"
                    _join(groups, "ad", "groups/unit-managers-ad", name, name.casefold(), place, note)

    def google_groups(self, seen: list[tuple[Affiliation, UnitNode]], groups: Groups) -> None:
        """Groups in google."""
        for one, unit in seen:
            if one.kind == "pupil":
                name = f"elever.{unit.code or ''}@{SCHOOL}"
                note = {"name": f"Elever ved {unit.name or ''}".strip()}
                _join(groups, "google", "groups/school-pupils-google", name, name.casefold(), None, note, word="email")
        for one, unit in seen:
            if one.kind in self.working and (one.kind == "teacher" or unit.kind == "school"):
                name = f"ansatte.{unit.code or ''}@{SCHOOL}"
                note = {"name": f"Ansatte ved {unit.name or ''}".strip()}
                _join(groups, "google", "groups/school-staff-google", name, name.casefold(), None, note, word="email")
        for role, rule, member in (("teacher", "teachers", "owner"), ("pupil", "pupils", "member")):
            for one, _ in seen:
                for place in one.classes:
                    group = self.classes.get(place.code)
                    if group is None or place.role != role:
                        continue
                    name = f"{slug(group.code)}@{SCHOOL}"
                    note = {"name": f"{group.name or ''} {group.unit.name or ''}".strip()}
                    rule_id = f"groups/class-{rule}-google"
                    school = group.unit.code if role == "pupil" else None
                    outer = (f"elever.{school}@{SCHOOL}",) if school else ()
                    _join(groups, "google", rule_id, name, name.casefold(), None, note, member, "email", outer)

    def licences(self, seen: list[tuple[Affiliation, UnitNode]]) -> tuple[DesiredLicence, ...]:
        """The one licence of the exclusive set."""
        working = [(one, unit) for one, unit in seen if one.kind in self.working]
        if any(one.kind == "teacher" or unit.kind == "school" for one, unit in working):
            sku, rule = "STANDARDWOFFPACK_FACULTY", "licences/a3-faculty"
        elif any(JOBS.get(one.title or "", NO_JOB)[1] == "frontline" for one, _ in working):
            sku, rule = "SPE_F1", "licences/f1-frontline"
        elif any(one.fraction is not None and one.fraction >= 0.2 for one, _ in working):  # noqa: PLR2004 - the rule's
            sku, rule = "SPE_E3", "licences/e3-office"
        elif working:
            sku, rule = "SPE_F1", "licences/f1-on-call"
        elif any(one.kind == "pupil" for one, _ in seen):
            sku, rule = "STANDARDWOFFPACK_STUDENT", "licences/a1-pupil"
        else:
            return ()
        return (DesiredLicence("entra", sku, rule),)


Groups = dict[tuple[str, str], tuple[DesiredGroup, DesiredMembership]]


def _merged(target: str, made: list[tuple[str, str | None, dict[str, object], str]]) -> DesiredAccount | None:
    if not made:
        return None
    rule, container, values, affiliation = made[0]
    for _, _, more, _ in made[1:]:
        values = {**more, **values}
    return DesiredAccount(target, rule, container, values, affiliation)  # type: ignore[arg-type]


def _join(  # noqa: PLR0913, PLR0917 - what a group is
    groups: Groups,
    target: str,
    rule: str,
    name: str | None,
    key: str,
    container: str | None,
    attributes: dict[str, str | None],
    role: str = "member",
    word: str = "name",
    member_of: tuple[str, ...] = (),
) -> None:
    found = groups.get((target, key))
    if found is None:
        group = DesiredGroup(target, key, rule, container, {word: name, **attributes}, member_of)
        groups[target, key] = group, DesiredMembership(target, key, rule, role)
    elif rule != found[0].rule and rule not in found[0].further:
        group = DesiredGroup(target, key, rule, container, {word: name, **attributes}, member_of)
        groups[target, key] = found[0].with_further(group), found[1]


# ---------------------------------------------------------------- measuring


def median_seconds(work: Callable[[], object]) -> float:
    """Median time of the rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def large_ruleset(folder: Path) -> Path:
    """A ruleset of two thousand lines."""
    lines = ["ruleset: large", "accounts:"]
    number = 0
    while len(lines) < 2_000:  # noqa: PLR2004 - as the issue asks
        lines += [
            f"  - rule: r{number}",
            "    target: ad",
            "    when:",
            f"      - affiliation.kind == 'employee' and affiliation.unit is under('{1000 + number}')",
            "      - affiliation.fraction >= 0.5 or affiliation.title is defined",
            '    container: "OU={{ affiliation.unit.name | dn }},{{ target.base_dn }}"',
            "    attributes:",
            '      sAMAccountName: "{{ person.given_name | slug | first(3) }}"',
            '      displayName: "{{ person.given_name }} {{ person.family_name }}"',
            "      title: \"{{ affiliation.title | default('Ansatt') }}\"",
        ]
        number += 1
    path = folder / "large.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def same(ruleset: Ruleset, evaluator: Evaluator, floor: ByHand, people: list[tuple[Person, list[Affiliation]]]) -> None:
    """Stops where the two sides differ: a floor that does less would be no floor."""
    del ruleset
    for person, affiliations in people:
        ours, theirs = evaluator.evaluate(person, affiliations), floor.evaluate(person, affiliations)
        if ours != theirs:
            sys.exit(f"the floor differs for {person.id}:\n{ours}\n{theirs}")


def main() -> None:
    """Measures and prints."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    load = median_seconds(lambda: load_ruleset([RULESETS], VOCABULARY))
    ruleset = load_ruleset([RULESETS], VOCABULARY)
    organisation, people = town(count)
    people = [(person, winning_order(rows, ruleset.affiliation_order)) for person, rows in people]
    names = {"username": "karhan", "mail_name": "kari.hansen"}
    evaluator = Evaluator(ruleset, organisation, lambda name, _person, _affiliation: names[name])
    floor = ByHand(organisation, names)
    same(ruleset, evaluator, floor, people[:2_000])
    theirs = median_seconds(lambda: [floor.evaluate(person, rows) for person, rows in people])
    ours = median_seconds(lambda: [evaluator.evaluate(person, rows) for person, rows in people])
    person, rows = people[0]
    why = median_seconds(lambda: explain(ruleset, person, rows, organisation, lambda *_: "karhan"))
    with tempfile.TemporaryDirectory() as folder:
        path = large_ruleset(Path(folder))
        large = median_seconds(lambda: load_ruleset([path], VOCABULARY))
    templates = sum(len(rule.attributes) for rule in ruleset.accounts)
    print(f"{len(ruleset.rules)} rules, {templates} attribute templates, {count} people")
    print(f"floor, by hand   {count / theirs:10,.0f} people/s")
    print(f"evaluate         {count / ours:10,.0f} people/s   {ours / theirs:.2f} x the floor")
    print(f"explain          {why * 1000:10.1f} ms a person")
    print(f"load rulesets/   {load * 1000:10.1f} ms")
    print(f"load 2 000 lines {large * 1000:10.1f} ms")


if __name__ == "__main__":
    main()
