"""Ruleset files to one compiled `Ruleset`: found, read, checked each by itself and all together.

Every problem of every file is told at once. Conditions, tables and identifiers of all files share one set of names,
so they are gathered first; rules are compiled after them, in order of file name and position.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from eadm_sync.config.problems import did_you_mean
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import names_of
from eadm_sync.ruleset.code import build_function
from eadm_sync.ruleset.compiling import Compiler
from eadm_sync.ruleset.drift_loading import drift_settings, refuse_unknowable, with_policies
from eadm_sync.ruleset.entries import Entry
from eadm_sync.ruleset.files import ReadFile, in_order, read_file, ruleset_files, shown
from eadm_sync.ruleset.lifecycle_loading import lifecycle_settings
from eadm_sync.ruleset.password_loading import password_policies, refuse_unfit_passwords
from eadm_sync.ruleset.rules import (
    AccountRule,
    IdentifierRule,
    LicenceRule,
    Rule,
    Ruleset,
    RulesetSource,
)
from eadm_sync.ruleset.scopes import BASE, Words
from eadm_sync.ruleset.sending import Sending
from eadm_sync.ruleset.tables import Table, read_table
from eadm_sync.ruleset.vocabulary import Vocabulary

_Rule = TypeVar("_Rule", bound=Rule)
_SHARED = ("conditions", "tables", "identifiers")


def load_ruleset(paths: Sequence[Path], vocabulary: Vocabulary) -> Ruleset:
    """Reads, checks and compiles ruleset files.

    Args:
        paths: Files, and folders of which each `*.yaml` and `*.yml` is read (not their subfolders).
        vocabulary: What the configuration lets rulesets speak of.

    Raises:
        ConfigError: With every problem of all files.
    """
    problems: list[Problem] = []
    files = [read_file(path, problems) for path in ruleset_files(paths, problems)]
    loader = _Loader([file for file in files if file], vocabulary, problems, is_whole=None not in files)
    ruleset = loader.ruleset()
    if ruleset is None or problems:
        raise ConfigError(in_order(problems))
    return ruleset


class _Loader:
    """Puts files together; `problems` grows as they are found."""

    def __init__(
        self, files: Sequence[ReadFile], vocabulary: Vocabulary, problems: list[Problem], *, is_whole: bool
    ) -> None:
        self._has_all_groups = is_whole and not any(file.lacks_groups for file in files)
        self._files = files
        self._vocabulary = vocabulary
        self._problems = problems

    def ruleset(self) -> Ruleset | None:
        """The compiled ruleset, None where something is wrong."""
        self._refuse_twice()
        self._refuse_shared_words()
        tables = self._tables()
        fold = {letter: text for file in self._files for letter, text in file.content.fold.items()}
        identifiers = tuple(word for file in self._files for word in (*file.content.identifiers, *sorted(file.unmade)))
        compiler = Compiler(Words(self._vocabulary, tables, identifiers, fold))
        compiler.problems = self._problems
        self._conditions(compiler)
        found = self._identifiers(compiler)
        compiled = self._rules("accounts", compiler.account)
        self._refuse_two_sendings(compiled)
        accounts = _as_sensitive(compiled)
        groups = self._rules("groups", compiler.group)
        if self._has_all_groups:
            compiler.refuse_unknown_groups()
        licences = self._rules("licences", compiler.licence)
        self._refuse_unreachable(licences)
        self._refuse_unset(accounts)
        self._refuse_unplaced(accounts)
        found = {word: compiler.placed(rule) for word, rule in found.items()}
        passwords, lists = password_policies(self._files, self._problems)
        refuse_unfit_passwords(self._files, passwords, self._vocabulary.targets, self._problems)
        said = [(file.document, file.content) for file in self._files]
        lifecycle = lifecycle_settings(said, compiler)
        drift = drift_settings(said, self._vocabulary.targets, self._problems)
        refuse_unknowable(self._files, self._problems)
        accounts, groups = with_policies(accounts, drift), with_policies(groups, drift)
        order = self._order()
        if self._problems:
            return None
        rules: list[Rule] = [*accounts, *groups, *licences]
        codes = [rule.when.typed.code for rule in rules]
        match = build_function("match", BASE, ast.Tuple(codes, ast.Load()), (), compiler.namespace)
        return Ruleset(
            version=self._version(tables, lists),
            files=tuple(RulesetSource(file.document.file, file.document.text, _digest(file)) for file in self._files),
            tables=(*(RulesetSource(one.file, one.text, one.digest) for _, one in sorted(tables.items())), *lists),
            accounts=tuple(accounts),
            groups=tuple(groups),
            licences=tuple(licences),
            identifiers=found,
            conditions=compiler.conditions,
            lifecycle=lifecycle,
            affiliation_order=order,
            match=match,
            reveals=any("person.national_id" in rule.reads for rule in rules),
            passwords=passwords,
            drift=drift,
        )

    # ------------------------------------------------------------ what files share

    def _refuse_twice(self) -> None:
        """Names that two files give."""
        seen: dict[tuple[str, str], str] = {}
        for file in self._files:
            content = file.content
            words = [
                ("ruleset", content.ruleset),
                *((section, word) for section in (*_SHARED, "passwords") for word in getattr(content, section)),
            ]
            for section, word in words:
                if other := seen.get((section, word)):
                    path = (section,) if section == "ruleset" else (section, word)
                    self._note(
                        file, path, f"'{word}' stands in two files", hint=f"the other is {other}", key=len(path) > 1
                    )
                seen.setdefault((section, word), file.document.file)

    def _refuse_shared_words(self) -> None:
        """A condition, a table and an identifier are told apart by name alone."""
        sections: dict[str, str] = {}
        for section in _SHARED:
            for file in self._files:
                for word in getattr(file.content, section):
                    if sections.setdefault(word, section) != section:
                        self._note(file, (section, word), f"'{word}' stands under '{sections[word]}' too", key=True)

    def _tables(self) -> dict[str, Table]:
        tables: dict[str, Table] = {}
        for file in self._files:
            folder = file.path.parent.resolve()
            for word, name in file.content.tables.items():
                path = (folder / name).resolve()
                if not path.is_relative_to(folder):
                    self._note(file, ("tables", word), "a table must stand below its ruleset's folder")
                    continue
                try:
                    tables[word] = read_table(path, shown(path))
                except ConfigError as error:
                    self._note(file, ("tables", word), f"the table '{name}' cannot be used")
                    self._problems += error.problems
        return tables

    def _conditions(self, compiler: Compiler) -> None:
        """Compiles named conditions, each after those that it names."""
        waiting = {word: (file, texts) for file in self._files for word, texts in file.content.conditions.items()}
        for word in (word for file in self._files for word in file.excused):
            compiler.excuse(word)
        names = {word: _named_in(texts) for word, (_, texts) in waiting.items()}
        while waiting:
            ready = [word for word in waiting if not names[word] & waiting.keys()]
            for word in ready or list(waiting):
                file, texts = waiting.pop(word)
                if ready:
                    compiler.name_condition(word, file.document, texts)
                else:
                    compiler.excuse(word)
                    self._note(
                        file, ("conditions", word), f"the condition '{word}' names itself, or conditions that do"
                    )

    def _identifiers(self, compiler: Compiler) -> dict[str, IdentifierRule]:
        found: dict[str, IdentifierRule] = {}
        for file in self._files:
            for word, given in file.content.identifiers.items():
                entry = Entry(file.document, ("identifiers", word), f"{file.content.ruleset}/{word}")
                if identifier := compiler.identifier(word, entry, given):
                    found[word] = identifier
        return found

    # ------------------------------------------------------------ rules

    def _rules(self, section: str, compile_rule: Callable[[Entry, Any], _Rule | None]) -> list[_Rule]:
        rules: list[_Rule] = []
        for file in self._files:
            names: set[str] = set()
            entries = getattr(file.content, section)
            for position, given in zip(file.positions.get(section, range(len(entries))), entries, strict=True):
                entry = Entry(file.document, (section, position), f"{file.content.ruleset}/{given.rule}")
                if given.rule in names:
                    self._note(file, (section, position, "rule"), f"the rule '{given.rule}' stands there twice")
                names.add(given.rule)
                if rule := compile_rule(entry, given):
                    rules.append(rule)
        return rules

    def _refuse_unreachable(self, licences: Sequence[LicenceRule]) -> None:
        """Behind a rule of an exclusive set that always holds, no other can."""
        taken: dict[str, str] = {}
        for rule in licences:
            if rule.exclusive is None:
                continue
            if rule.exclusive in taken:
                message = f"the rule '{rule.id}' can never hold: '{taken[rule.exclusive]}' always comes first"
                self._note_rule(rule, message, f"move it before '{taken[rule.exclusive]}', or give that one a 'when'")
            elif rule.when.constant is True and not rule.has_dates:
                taken[rule.exclusive] = rule.id

    def _refuse_unset(self, accounts: Sequence[AccountRule]) -> None:
        """What a target requires must be set by one of its account rules."""
        for target, words in self._vocabulary.targets.items():
            rules = [rule for rule in accounts if rule.target == target]
            required = words.required | ({words.account_name} if words.account_name else set())
            missing = sorted(required - {word for rule in rules for word in rule.attributes})
            if rules and missing:
                message = f"no rule sets '{', '.join(missing)}', which the target '{target}' requires"
                self._note_rule(rules[0], message, "set it under 'attributes'")

    def _refuse_two_sendings(self, accounts: Sequence[AccountRule]) -> None:
        """What one rule sends in clear, and another does not, could not be compared, and would be read after all."""
        first: dict[tuple[str, str], AccountRule] = {}
        for rule in accounts:
            for name in rule.attributes:
                other = first.setdefault((rule.target, name), rule)
                if other.sends.get(name) != rule.sends.get(name):
                    message = f"'{name}' is sent otherwise by the rule '{other.id}'"
                    self._note_rule(rule, message, "give both the same 'send' for it")

    def _refuse_unplaced(self, accounts: Sequence[AccountRule]) -> None:
        """A name cannot be kept unique in an attribute that no rule sets: where any attribute will do, a slip."""
        if self._problems:
            return  # a rule that is wrong is missing here, and with it what it sets
        for file in self._files:
            for word, given in file.content.identifiers.items():
                for position, text in enumerate(given.unique_in):
                    target, _, attribute = text.partition(".")
                    known = {name for rule in accounts if rule.target == target for name in rule.attributes}
                    if known and attribute not in known:
                        message = f"no account rule of '{target}' sets '{attribute}'"
                        place = ("identifiers", word, "unique_in", position)
                        self._note(file, place, message, hint=did_you_mean(attribute, sorted(known)))

    def _order(self) -> tuple[str, ...]:
        given = [file for file in self._files if file.content.affiliation_order]
        for file in given[1:]:
            self._note(file, ("affiliation_order",), "affiliation_order stands in two files", key=True)
        kinds = self._vocabulary.kinds
        for file in given:
            for position, kind in enumerate(file.content.affiliation_order):
                if kinds and kind not in kinds:
                    hint = f"there are {', '.join(sorted(kinds))}"
                    self._note(file, ("affiliation_order", position), f"no affiliation is of kind '{kind}'", hint=hint)
        return tuple(given[0].content.affiliation_order) if given else ()

    # ------------------------------------------------------------ helpers

    def _version(self, tables: dict[str, Table], lists: Sequence[RulesetSource]) -> str:
        """Hash of names and contents; where the folder stands does not matter."""
        hashed = blake2b(digest_size=16)
        for file in self._files:
            hashed.update(f"{file.path.name}\0{_digest(file)}\0".encode())
        for word in sorted(tables):
            hashed.update(f"{word}\0{tables[word].digest}\0".encode())
        for one in lists:
            hashed.update(f"{one.digest}\0".encode())
        return hashed.hexdigest()

    def _note(
        self, file: ReadFile, path: tuple[str | int, ...], message: str, *, hint: str | None = None, key: bool = False
    ) -> None:
        self._problems.append(file.document.problem(path, message, hint=hint, key=key))

    def _note_rule(self, rule: Rule, message: str, hint: str) -> None:
        """Notes a problem at the line where a rule begins."""
        document = next(file.document for file in self._files if file.document.file == rule.file)
        line = document.line_text(rule.line)
        column = len(line) - len(line.lstrip()) + 1
        excerpt, width = document.excerpt(rule.line), max(len(line.strip()), 1)
        self._problems.append(Problem(rule.file, rule.line, column, message, hint, excerpt=excerpt, width=width))


def _as_sensitive(rules: Sequence[AccountRule]) -> list[AccountRule]:
    """An account can be filled by several rules, so an attribute sensitive in one is so in all of the target."""
    sensitive: dict[str, frozenset[str]] = {}
    sends: dict[str, dict[str, Sending]] = {}
    for rule in rules:
        sensitive[rule.target] = sensitive.get(rule.target, frozenset()) | rule.sensitive
        sends.setdefault(rule.target, {}).update(rule.sends)
    return [
        replace(rule, sensitive=sensitive[rule.target].difference(sends[rule.target]), sends=sends[rule.target])
        for rule in rules
    ]


def _named_in(texts: Sequence[str]) -> frozenset[str]:
    """Every name in conditions."""
    return frozenset(word for text in texts for word in names_of(text))


def _digest(file: ReadFile) -> str:
    return blake2b(file.document.text.encode(), digest_size=16).hexdigest()
