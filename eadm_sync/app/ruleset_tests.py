"""Runs ruleset tests: invented people through the real rules, and every difference with the rule it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from eadm_sync.app.context import Context
from eadm_sync.app.planning import Progress, silent
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup, candidates, evaluate, winning_order
from eadm_sync.errors import NotFound
from eadm_sync.lifecycle import Standing, standing
from eadm_sync.model import Affiliation, ClassGroup, ClassMembership, Person, Sealed, Unit
from eadm_sync.ruleset import Organisation, Ruleset, fits, load_ruleset
from eadm_sync.ruleset.cases import AffiliationEntry, CaseEntry, ExpectedAccount, PersonEntry
from eadm_sync.ruleset.cases_loading import PERSON, Case, load_cases
from eadm_sync.ruleset.naming import alike
from eadm_sync.ruleset.sending import in_clear

FOLDER = "tests"
"""Where tests stand: beside the rules, in a folder that rules are not read from."""

NOTHING = "nothing"
"""Stands for what is not there, in differences."""


class Difference(msgspec.Struct, frozen=True):
    """One thing that is otherwise than expected.

    Attributes:
        what: As "ad.title", "ad group LEDERE" or "stage".
        expected: What the test says; "nothing" for what must not be there.
        got: What the rules give; "nothing" where they give none.
        rule: The rule that gave it, as "file:line ruleset/rule"; None where none did.
        line: 1-based line of the expectation in the test's file.
    """

    what: str
    expected: object
    got: object
    rule: str | None
    line: int


class CaseResult(msgspec.Struct, frozen=True):
    """What became of one test; it passed where there is no difference."""

    file: str
    line: int
    case: str
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences


def run_cases(
    context: Context,
    paths: Sequence[Path] = (),
    *,
    rulesets: Sequence[Path] = (),
    progress: Progress = silent,
) -> Iterator[CaseResult]:
    """Runs the tests, streaming; all files are read and checked before the first runs.

    Args:
        context: The installation; neither its sources nor its state are touched.
        paths: Files and folders of tests; none: the folder `tests` beside the rules.
        rulesets: Rules to test in place of the installation's own.
        progress: Told how it gets on.

    Raises:
        ConfigError: The rules or the tests are wrong.
        NotFound: There are no tests.
    """
    rules = tuple(rulesets) or context.ruleset_paths
    ruleset = load_ruleset(rules, context.vocabulary) if rulesets else context.ruleset
    found = tuple(paths) or _beside(rules)
    if not found:
        raise NotFound("folder of ruleset tests", str(rules[0] / FOLDER))
    cases = load_cases(found, ruleset, context.vocabulary)
    return _results(cases, replace(ruleset, send=in_clear), progress)


def _beside(rulesets: Sequence[Path]) -> tuple[Path, ...]:
    folders = ((path if path.is_dir() else path.parent) / FOLDER for path in rulesets)
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _results(cases: Sequence[Case], ruleset: Ruleset, progress: Progress) -> Iterator[CaseResult]:
    for number, case in enumerate(cases, 1):
        yield run_case(case, ruleset)
        progress("running tests", number, len(cases))


def run_case(case: Case, ruleset: Ruleset) -> CaseResult:
    """Runs one test. Pure."""
    outcome = evaluate_case(case, ruleset)
    differences = tuple(_Comparer(case, ruleset, outcome).differences())
    return CaseResult(case.document.file, case.line("case"), case.entry.case, differences)


@dataclass(frozen=True)
class Outcome:
    """What the rules come to for the person of a case."""

    standing: Standing
    desired: Desired


def evaluate_case(case: Case, ruleset: Ruleset) -> Outcome:
    """Applies the rules to the person of a case. Pure."""
    person = _person(PERSON, case.entry.person, case.entry.affiliations)
    stand = standing(person, ruleset.lifecycle, case.entry.on)
    people = {PERSON: person, **{name: _person(name, one) for name, one in case.people.items()}}
    organisation = Organisation(
        [Unit(**unit.model_dump()) for unit in case.units.values()],
        [ClassGroup(**group.model_dump()) for group in case.class_groups.values()],
        people,
    )
    order = winning_order(stand.counting, ruleset.affiliation_order)
    names = _Names(case.entry, ruleset, organisation)
    return Outcome(stand, evaluate(ruleset, person, order, organisation, names.of, _plain, case.entry.on))


def _person(name: str, given: PersonEntry, affiliations: Sequence[AffiliationEntry] = ()) -> Person:
    fields = given.model_dump()
    national_id = given.national_id
    fields["national_id"] = Sealed(national_id.encode(), national_id.encode()) if national_id else None
    ties = tuple(_affiliation(number, one) for number, one in enumerate(affiliations, 1))
    return Person(id=name, **fields, affiliations=ties)


def _affiliation(number: int, given: AffiliationEntry) -> Affiliation:
    fields = given.model_dump()
    fields["classes"] = tuple(ClassMembership(**one) for one in fields["classes"])
    return Affiliation(id=f"{given.source}:{number}", **fields)


def _plain(sealed: Sealed) -> str:
    """Values of invented people are sealed in name only."""
    return sealed.ciphertext.decode()


class _Names:
    """Identifiers of the person: those it has, or else the first candidate that nobody has taken."""

    def __init__(self, entry: CaseEntry, ruleset: Ruleset, organisation: Organisation) -> None:
        self._held = dict(entry.identifiers)
        self._taken = {name: set(map(alike, taken)) for name, taken in entry.taken.items()}
        self._ruleset = ruleset
        self._organisation = organisation

    def of(self, name: str, person: Person, affiliation: Affiliation) -> str | None:
        """One identifier, None where every candidate is taken."""
        rule = self._ruleset.identifiers[name]
        held = self._held.get(name)
        if held is None or (rule.follows and not fits(rule, person, affiliation, self._organisation, held)):
            taken = self._taken.get(name, set())
            offered = candidates(rule, person, affiliation, self._organisation)
            found = next((one for one in offered if alike(one) not in taken), None)
            if found is None:
                return None
            self._held[name] = found
        return self._held[name]


# ---------------------------------------------------------------- what differs


class _Comparer:
    """Compares what is expected with what the rules give."""

    def __init__(self, case: Case, ruleset: Ruleset, outcome: Outcome) -> None:
        self._case = case
        self._expect = case.entry.expect
        self._outcome = outcome
        self._rules = {rule.id: f"{rule.file}:{rule.line} {rule.id}" for rule in ruleset.rules}
        self._account_rules = ruleset.accounts
        desired = outcome.desired
        self._accounts = {account.target: account for account in desired.accounts}
        groups = {(group.target, group.key): group for group in desired.groups}
        self._groups_given = desired.groups
        self._memberships = [(row, groups[row.target, row.group]) for row in desired.memberships]

    def differences(self) -> Iterator[Difference]:
        """Every difference, in the order in which the expectations can be written."""
        yield from self._lifecycle()
        for target, expected in self._expect.accounts.items():
            yield from self._account(target, expected)
        for target, names in self._expect.groups.items():
            yield from self._groups(target, names)
        for target, groups in self._expect.member_of.items():
            for name, outer in groups.items():
                yield from self._nested(target, name, outer)
        for target, skus in self._expect.licences.items():
            yield from self._licences(target, skus)
        yield from self._refused()
        if self._expect.exactly:
            yield from self._unnamed()

    def _differs(
        self, what: str, expected: object, got: object, rule: str | None, *steps: str | int
    ) -> Iterator[Difference]:
        if expected != got:
            yield Difference(what, expected, got, self._rules.get(rule or ""), self._case.line("expect", *steps))

    def _lifecycle(self) -> Iterator[Difference]:
        stand = self._outcome.standing
        if self._expect.stage is not None:
            yield from self._differs("stage", self._expect.stage, stand.stage.value, None, "stage")
        if self._expect.enabled is not None:
            yield from self._differs("enabled", self._expect.enabled, stand.enabled, None, "enabled")

    def _account(self, target: str, expected: ExpectedAccount | None) -> Iterator[Difference]:
        account = self._accounts.get(target)
        place = ("accounts", target)
        if account is None:
            yield from self._differs(f"{target} account", "an account", NOTHING, None, *place)
            return
        if expected is None:
            return
        if expected.rule is not None:
            yield from self._differs(f"{target} rule", expected.rule, account.rule, account.rule, *place, "rule")
        if expected.container is not None:
            got = account.container or NOTHING
            what = f"{target} container"
            yield from self._differs(what, expected.container, got, account.rule, *place, "container")
        for name, value in expected.attributes.items():
            got_value = _shown(account.attributes.get(name))
            rule = self._setter(account, name)
            yield from self._differs(f"{target}.{name}", _shown(value), got_value, rule, *place, "attributes", name)
        if expected.scripts is not None:
            yield from self._scripts(account, expected.scripts)

    def _scripts(self, account: DesiredAccount, expected: Sequence[str]) -> Iterator[Difference]:
        """The programs that follow the account's creation."""
        rule = next(rule for rule in self._account_rules if rule.id == account.rule)
        wanted, got = sorted(expected), sorted(after.name for after in rule.after if "create" in after.on)
        place = ("accounts", account.target, "scripts")
        words = (", ".join(wanted) or NOTHING, ", ".join(got) or NOTHING)
        yield from self._differs(f"{account.target} scripts", *words, rule.id, *place)

    def _setter(self, account: DesiredAccount, name: str) -> str | None:
        """The rule an attribute comes from: the shaping one where it sets it, else the only one that does."""
        setters = [rule.id for rule in self._account_rules if rule.target == account.target and name in rule.attributes]
        if account.rule in setters:
            return account.rule
        adding = [rule.id for rule in self._account_rules if rule.id in setters and not rule.shapes]
        return adding[0] if len(adding) == 1 else None

    def _groups(self, target: str, names: Sequence[str] | Mapping[str, str]) -> Iterator[Difference]:
        for number, name in enumerate(names):
            step = name if isinstance(names, Mapping) else number
            found = self._membership(target, name)
            expected = names[name] if isinstance(names, Mapping) else "a member"
            if found is None:
                yield from self._differs(f"{target} group {name}", expected, NOTHING, None, "groups", target, step)
            elif isinstance(names, Mapping):
                role, rule = found
                yield from self._differs(f"{target} group {name}", expected, role, rule, "groups", target, step)

    def _nested(self, target: str, name: str, outer: Sequence[str]) -> Iterator[Difference]:
        """The groups that one of the person's groups is in itself."""
        place = ("member_of", target, name)
        given = [group for group in self._groups_given if group.target == target and _is_called(group, (name,))]
        if not given:
            yield from self._differs(f"{target} group {name}", "a group", NOTHING, None, *place)
            return
        expected, got = ({one.casefold() for one in names} for names in (outer, given[0].member_of))
        what = f"{target} group {name} is in"
        yield from self._differs(
            what, ", ".join(sorted(expected)) or NOTHING, ", ".join(sorted(got)) or NOTHING, given[0].rule, *place
        )

    def _membership(self, target: str, name: str) -> tuple[str, str] | None:
        """Role and rule of the membership in a group that is called so."""
        for row, group in self._memberships:
            if row.target == target and _is_called(group, (name,)):
                return row.role, row.rule
        return None

    def _licences(self, target: str, skus: Sequence[str]) -> Iterator[Difference]:
        given = {row.sku for row in self._outcome.desired.licences if row.target == target}
        for number, sku in enumerate(skus):
            if sku not in given:
                yield from self._differs(f"{target} licence {sku}", sku, NOTHING, None, "licences", target, number)

    def _refused(self) -> Iterator[Difference]:
        refused = self._expect.refused
        for number, target in enumerate(refused.accounts):
            if account := self._accounts.get(target):
                what = f"{target} account"
                yield from self._differs(what, NOTHING, "an account", account.rule, "not", "accounts", number)
        for target, names in refused.attributes.items():
            account = self._accounts.get(target)
            for number, name in enumerate(names if account else ()):
                assert account is not None  # noqa: S101 - the loop is empty without one
                got, rule = _shown(account.attributes.get(name)), self._setter(account, name)
                yield from self._differs(f"{target}.{name}", NOTHING, got, rule, "not", "attributes", target, number)
        for target, groups in refused.groups.items():
            for number, name in enumerate(groups):
                if found := self._membership(target, name):
                    what, place = f"{target} group {name}", ("not", "groups", target, number)
                    yield from self._differs(what, NOTHING, found[0], found[1], *place)
        for row in self._outcome.desired.licences:
            skus = refused.licences.get(row.target, [])
            if row.sku in skus:
                place = ("not", "licences", row.target, skus.index(row.sku))
                yield from self._differs(f"{row.target} licence {row.sku}", NOTHING, row.sku, row.rule, *place)

    def _unnamed(self) -> Iterator[Difference]:
        """What is there though the test, which names everything, does not name it."""
        expect = self._expect
        for target, account in self._accounts.items():
            if target not in expect.accounts:
                yield from self._differs(f"{target} account", NOTHING, "an account", account.rule, "exactly")
                continue
            named: Collection[str] = (expect.accounts[target] or ExpectedAccount()).attributes
            for name in sorted(set(account.attributes) - set(named)):
                got, rule = _shown(account.attributes[name]), self._setter(account, name)
                yield from self._differs(f"{target}.{name}", NOTHING, got, rule, "accounts", target)
        for row, group in self._memberships:
            if not _is_called(group, expect.groups.get(row.target, ())):
                what = f"{row.target} group {group.key}"
                yield from self._differs(what, NOTHING, row.role, row.rule, "exactly")
        for licence in self._outcome.desired.licences:
            if licence.sku not in expect.licences.get(licence.target, []):
                what = f"{licence.target} licence {licence.sku}"
                yield from self._differs(what, NOTHING, licence.sku, licence.rule, "exactly")


def _is_called(group: DesiredGroup, names: Collection[str]) -> bool:
    """Whether one of the names is the group's key, or its name, without case."""
    name = next(iter(group.attributes.values()), None)  # compiled rules put the name first
    own = {group.key.casefold(), str(name).casefold()}
    return any(name.casefold() in own for name in names)


def _shown(value: object) -> object:
    """An attribute's value; an empty one is nothing."""
    return NOTHING if value in (None, "", []) else value
