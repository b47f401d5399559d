"""Files of ruleset tests: found, read, and checked against the ruleset; every problem of every file at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from eadm_sync.config.problems import ProblemCollector, did_you_mean
from eadm_sync.config.yaml import Document, load_yaml_file
from eadm_sync.config.yaml import Path as Place
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.ruleset.cases import (
    AffiliationEntry,
    CaseEntry,
    CaseFile,
    ClassGroupEntry,
    PersonEntry,
    Refused,
    UnitEntry,
)
from eadm_sync.ruleset.rules import Ruleset
from eadm_sync.ruleset.vocabulary import Vocabulary

PERSON = "person"
"""What a unit calls the person of the case when they manage it."""


@dataclass(frozen=True)
class Case:
    """One test, with all it stands on.

    Attributes:
        entry: As it was written.
        document: The file.
        place: Where it stands in the file.
        units: By code: the file's, those of its organisation, and its own.
        class_groups: As `units`.
        people: Managers by the name units call them.
    """

    entry: CaseEntry
    document: Document = field(repr=False)
    place: Place
    units: Mapping[str, UnitEntry] = field(repr=False)
    class_groups: Mapping[str, ClassGroupEntry] = field(repr=False)
    people: Mapping[str, PersonEntry] = field(repr=False)

    def line(self, *steps: str | int) -> int:
        """The 1-based line of something within the case, or of what comes nearest to it."""
        return self.document.position((*self.place, *steps), key=True).line


def load_cases(paths: Sequence[Path], ruleset: Ruleset, vocabulary: Vocabulary) -> tuple[Case, ...]:
    """Reads and checks files of ruleset tests.

    Args:
        paths: Files, and folders of which each `*.yaml` and `*.yml` is read.
        ruleset: What the tests are about: what they name must be in it.
        vocabulary: As the ruleset was loaded with.

    Raises:
        ConfigError: With every problem of all files.
    """
    problems: list[Problem] = []
    files = _Files(problems)
    cases: list[Case] = []
    for path in files.found(paths):
        if (read := files.read(path)) is not None:
            cases += files.cases(path, *read)
    checker = _Checker(ruleset, vocabulary, problems)
    for case in cases:
        checker.check(case)
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return tuple(cases)


class _Files:
    """Reads each file once."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._known: dict[Path, tuple[Document, CaseFile] | None] = {}

    def found(self, paths: Iterable[Path]) -> Iterator[Path]:
        """The files in order; a folder's by name."""
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            files = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
            if not files:
                self._problems.append(Problem(_shown(path), 0, 0, "the folder holds no ruleset tests"))
            yield from files

    def read(self, path: Path) -> tuple[Document, CaseFile] | None:
        """A file, None after noting what is wrong with it."""
        path = path.resolve()
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: Path) -> tuple[Document, CaseFile] | None:
        try:
            document = load_yaml_file(path, _shown(path))
        except ConfigError as error:
            self._problems += error.problems
            return None
        data = {} if document.data is None else document.data
        try:
            return document, CaseFile.model_validate(data)
        except ValidationError as error:
            collector = ProblemCollector(document)
            collector.add_invalid(error, CaseFile, data)
            self._problems += sorted(collector.problems, key=lambda problem: (problem.line, problem.column))
            return None

    def cases(self, path: Path, document: Document, content: CaseFile) -> Iterator[Case]:
        """The file's cases with the organisation they stand in."""
        shared = self._organisation(path, document, content)
        names: set[str] = set()
        for number, entry in enumerate(content.cases):
            place = ("cases", number)
            if entry.case in names:
                self._problems.append(document.problem((*place, "case"), f"the case '{entry.case}' stands there twice"))
            names.add(entry.case)
            parts: tuple[CaseFile | CaseEntry, ...] = (*shared, content, entry)
            units = {one.code: one for part in parts for one in part.units}
            class_groups = {one.code: one for part in parts for one in part.class_groups}
            people = {name: person for part in (*shared, content) for name, person in part.people.items()}
            yield Case(entry, document, place, units, class_groups, people)

    def _organisation(self, path: Path, document: Document, content: CaseFile) -> tuple[CaseFile, ...]:
        if content.organisation is None:
            return ()
        other = path.parent / content.organisation
        if other.resolve().parent != path.parent.resolve() or not other.is_file():
            message = f"there is no file '{content.organisation}' in this folder"
            self._problems.append(document.problem(("organisation",), message))
            return ()
        read = self.read(other)
        return () if read is None else (read[1],)


class _Checker:
    """Refuses what a case names and nobody knows: such a test would pass, or fail, for a slip of the pen."""

    def __init__(self, ruleset: Ruleset, vocabulary: Vocabulary, problems: list[Problem]) -> None:
        self._vocabulary = vocabulary
        self._problems = problems
        self._rules = {rule.id for rule in ruleset.accounts}
        self._identifiers = ruleset.identifiers
        self._attributes: dict[str, set[str]] = {}
        for rule in ruleset.accounts:
            self._attributes.setdefault(rule.target, set()).update(rule.attributes)
        self._scripts: dict[str, set[str]] = {}
        for rule in ruleset.accounts:
            self._scripts.setdefault(rule.target, set()).update(after.name for after in rule.after)
        self._skus: dict[str, set[str]] = {}
        for licence in ruleset.licences:
            self._skus.setdefault(licence.target, set()).add(licence.sku)

    def check(self, case: Case) -> None:
        """Notes every unknown word of a case."""
        for number, affiliation in enumerate(case.entry.affiliations):
            self._affiliation(case, ("affiliations", number), affiliation)
        self._known(case, ("person", "extra"), case.entry.person.extra, self._vocabulary.person_extra, "field")
        self._known(case, ("identifiers",), case.entry.identifiers, self._identifiers, "identifier")
        self._known(case, ("taken",), case.entry.taken, self._identifiers, "identifier")
        for unit in case.units.values():
            if unit.manager not in {None, PERSON, *case.people}:
                self._unknown(case, (), "manager", str(unit.manager), case.people, f" of unit '{unit.code}'")
        self._expected(case)

    def _affiliation(self, case: Case, place: Place, given: AffiliationEntry) -> None:
        kinds = self._vocabulary.kinds
        if kinds and given.kind not in kinds:
            self._unknown(case, (*place, "kind"), "kind of affiliation", given.kind, kinds)
        if given.unit is not None and given.unit not in case.units:
            self._unknown(case, (*place, "unit"), "unit", given.unit, case.units)
        for number, one in enumerate(given.classes):
            if one.code not in case.class_groups:
                self._unknown(case, (*place, "classes", number, "code"), "class group", one.code, case.class_groups)
        self._known(case, (*place, "extra"), given.extra, self._vocabulary.affiliation_extra, "field")

    def _expected(self, case: Case) -> None:
        expect, targets = case.entry.expect, self._vocabulary.targets
        self._known(case, ("expect", "accounts"), expect.accounts, self._attributes, "target with accounts")
        for target, account in expect.accounts.items():
            place = ("expect", "accounts", target)
            if account and account.rule is not None and account.rule not in self._rules:
                self._unknown(case, (*place, "rule"), "account rule", account.rule, self._rules)
            if account and target in self._attributes:
                self._known(case, (*place, "attributes"), account.attributes, self._attributes[target], "attribute")
            if account and account.scripts:
                known = self._scripts.get(target, set())
                self._listed(case, (*place, "scripts"), account.scripts, known, "script of any rule")
        self._known(case, ("expect", "groups"), expect.groups, targets, "target")
        self._known(case, ("expect", "member_of"), expect.member_of, targets, "target")
        self._licences(case, ("expect", "licences"), expect.licences)
        self._refused(case, expect.refused)

    def _refused(self, case: Case, refused: Refused) -> None:
        targets, place = self._vocabulary.targets, ("expect", "not")
        self._listed(case, (*place, "accounts"), refused.accounts, targets, "target")
        self._known(case, (*place, "attributes"), refused.attributes, self._attributes, "target with accounts")
        for target, names in refused.attributes.items():
            if target in self._attributes:
                self._listed(case, (*place, "attributes", target), names, self._attributes[target], "attribute")
        self._known(case, (*place, "groups"), refused.groups, targets, "target")
        self._licences(case, (*place, "licences"), refused.licences)

    def _licences(self, case: Case, place: Place, licences: Mapping[str, Sequence[str]]) -> None:
        self._known(case, place, licences, self._vocabulary.targets, "target")
        for target, skus in licences.items():
            if target in self._vocabulary.targets:
                self._listed(case, (*place, target), skus, self._skus.get(target, set()), "licence of any rule")

    def _known(self, case: Case, place: Place, words: Iterable[str], known: Iterable[str], what: str) -> None:
        for word in words:
            if word not in known:
                self._unknown(case, (*place, word), what, word, known, key=True)

    def _listed(self, case: Case, place: Place, words: Sequence[str], known: Iterable[str], what: str) -> None:
        for number, word in enumerate(words):
            if word not in known:
                self._unknown(case, (*place, number), what, word, known)

    def _unknown(
        self, case: Case, place: Place, what: str, word: str, known: Iterable[str], more: str = "", *, key: bool = False
    ) -> None:
        message = f"there is no {what} '{word}'{more}"
        hint = did_you_mean(word, sorted(known))
        self._problems.append(case.document.problem((*case.place, *place), message, hint=hint, key=key))


def _shown(path: Path) -> str:
    """A path as the administrator would type it: relative to where they stand, if below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
