"""What the rules of a ruleset are compiled from: conditions, templates, attributes. Problems are collected."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from msgspec.structs import replace
from pydantic import BaseModel

from eadm_sync.config.problems import did_you_mean
from eadm_sync.config.yaml import Document, Path
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import Condition, Namespace, Origin, Scope, Typed, all_of, check_template, compile_condition
from eadm_sync.expression.programs import first_offset
from eadm_sync.expression.scope import BOOL, LIST, NUMBER, TEXT
from eadm_sync.ruleset.code import build_function, text_code, wrong_constant, wrong_type
from eadm_sync.ruleset.containers import unescaped
from eadm_sync.ruleset.document import AccountEntry, GroupEntry, LicenceEntry
from eadm_sync.ruleset.entries import Entry, origin_of, texts_in, value_at
from eadm_sync.ruleset.rules import INITIAL_ONLY, MEMBERS
from eadm_sync.ruleset.scopes import Words, condition_scope, rule_scope
from eadm_sync.ruleset.vocabulary import TargetWords


class Parts:
    """Compiles what rules are made of, of all files into one namespace.

    Attributes:
        problems: What is wrong, in the order found.
        conditions: Named conditions compiled so far.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self.problems: list[Problem] = []
        self.namespace = Namespace()
        self.conditions: dict[str, Condition] = {}
        self._scopes: dict[tuple[str, str | None], Scope] = {}
        self._without_names: dict[int, Scope] = {}
        self.dependencies: dict[str, object] = {
            **{word: table.digest for word, table in words.tables.items()},
        }

    # ------------------------------------------------------------ conditions

    @cached_property
    def _named(self) -> Scope:
        """Holds the very dict that conditions are put into as they are compiled."""
        return replace(condition_scope(self.words), conditions=self.conditions)

    def _scope(self, word: str, target: TargetWords, each: str | None) -> Scope:
        """The scope of rules of one kind for one target, made once."""
        if (word, each) not in self._scopes:
            self._scopes[word, each] = rule_scope(self.words, target, self._named, each=each)
        return self._scopes[word, each]

    def _nameless(self, scope: Scope) -> Scope:
        """The scope without identifiers: whether somebody gets something cannot hang on a name given later."""
        if id(scope) not in self._without_names:
            kept = {word: it for word, it in scope.variables.items() if word not in self.words.identifiers}
            self._without_names[id(scope)] = replace(scope, variables=kept)
        return self._without_names[id(scope)]

    def name_condition(self, word: str, document: Document, texts: Sequence[str]) -> None:
        """Compiles a named condition; those it names must have been compiled before."""
        condition = self._all_of(self._named, document, ("conditions", word), texts)
        self.dependencies[word] = list(texts)
        if condition is not None:
            self.conditions[word] = condition
        else:
            self.excuse(word)

    def excuse(self, word: str) -> None:
        """Stands something in for a condition that is wrong, so that nobody who names it is blamed."""
        self.conditions[word] = compile_condition("person.id == ''", self._named, Origin(""), self.namespace)

    def _all_of(self, scope: Scope, document: Document, path: Path, texts: Sequence[str]) -> Condition | None:
        parts = self._clauses(scope, document, path, texts)
        return None if parts is None else all_of(parts, scope, self.namespace)

    def _clauses(self, scope: Scope, document: Document, path: Path, texts: Sequence[str]) -> list[Condition] | None:
        """The clauses of a condition, None where one is wrong."""
        parts: list[Condition] = []
        single = isinstance(value_at(document.data, path), str)
        for position, text in enumerate(texts):
            origin = origin_of(document, path if single else (*path, position))
            try:
                parts.append(compile_condition(text, scope, origin, self.namespace))
            except ConfigError as error:
                self.problems += error.problems
        return parts if len(parts) == len(texts) else None

    def _when(
        self, entry: Entry, scope: Scope, given: AccountEntry | GroupEntry | LicenceEntry
    ) -> list[Condition] | None:
        """The clauses of a rule, which names no identifier; its days are looked at too."""
        if given.first_day and given.last_day and given.last_day < given.first_day:
            self._note(entry, f"this rule never holds: it begins on {given.first_day}, after its last day", "until")
        parts = self._clauses(self._nameless(scope), entry.document, entry.at("when"), given.when or ())
        if parts and any(part.constant is False for part in parts):
            self._note(entry, "this rule never holds", "when")
        return parts

    # ------------------------------------------------------------ parts of rules

    def _target(self, entry: Entry, word: str) -> TargetWords:
        """The target's words; those of an unknown one are empty."""
        targets = self.words.vocabulary.targets
        if word in targets:
            return targets[word]
        self._note(entry, f"unknown target '{word}'", "target", hint=f"there are {', '.join(targets) or 'none'}")
        return TargetWords()

    def _container(self, entry: Entry, scope: Scope, target: TargetWords, text: str | None) -> Typed | None:
        if text is None:
            return None
        if not target.has_containers:
            self._note(entry, "this target has no containers", "container")
        container = self._template(entry, scope, text, "container")
        if container is not None and container.sensitive:
            self._note(entry, "a container cannot be encrypted, so no sensitive field may go into it", "container")
        for node in unescaped(text) if container is not None else ():
            message = "what a record says can hold a comma, which would make another container of it"
            hint = "put '| dn' behind it, as in OU={{ affiliation.unit.name | dn }}"
            self.problems.append(entry.origin("container").problem(first_offset(node), message, hint))
        return container

    def _attributes(
        self,
        entry: Entry,
        scope: Scope,
        types: Mapping[str, str],
        lengths: Mapping[str, int],
        given: Mapping[str, Any],
    ) -> dict[str, Typed]:
        found: dict[str, Typed] = {}
        for word, value in given.items():
            if types and word not in types:
                self._unknown_attribute(entry, word, types)
                continue
            typed = self._attribute(entry, scope, word, value, types.get(word))
            if typed is None:
                continue
            if isinstance(typed.constant, str) and len(typed.constant) > lengths.get(word, len(typed.constant)):
                self._note(entry, f"longer than the {lengths[word]} characters '{word}' takes", "attributes", word)
            found[word] = typed
        return found

    def _policies(
        self, entry: Entry, given: AccountEntry | GroupEntry, names: Iterable[str], named_by: str | None
    ) -> None:
        """Looks at what an entry says of hand edits; `names` can have a policy, the objects are called by `named_by`.

        What objects are called by has to be known, so that it cannot be left to the target.
        """
        known = tuple(names)
        for word, policy in given.drift.items():
            path = entry.at("drift", word)
            if word not in known:
                hint = did_you_mean(word, known) or f"there are {', '.join(known)}"
                message = f"the rule does not set '{word}'"
                self.problems.append(entry.document.problem(path, message, hint=hint, key=True))
            elif policy == INITIAL_ONLY and word in {named_by, MEMBERS}:
                why = "objects are called by it" if word == named_by else "they come and go"
                self._note(entry, f"'{word}' cannot be initial-only: {why}", "drift", word)

    def _unknown_attribute(self, entry: Entry, word: str, types: Mapping[str, str]) -> None:
        path = entry.at("attributes", word)
        self.problems.append(
            entry.document.problem(path, f"unknown attribute '{word}'", hint=did_you_mean(word, types), key=True)
        )

    def _attribute(self, entry: Entry, scope: Scope, word: str, value: Any, kind: str | None) -> Typed | None:
        """The checked form of an attribute's value: a template, a list of constants, or a constant."""
        if isinstance(value, str):
            typed = self._template(entry, scope, value, "attributes", word, typed=True)
            wrong = wrong_type(typed, kind) if typed else None
        else:
            typed = _constant_value(value)
            wrong = wrong_constant(value, kind)
            if isinstance(value, list) and any("{{" in item for item in value):
                wrong = "a list holds constant texts; write \"{{ … | split(',') }}\" for one that varies"
        if wrong:
            self._note(entry, f"'{word}' {wrong}", "attributes", word)
            return None
        return typed

    def _template(self, entry: Entry, scope: Scope, text: str, *steps: str | int, typed: bool = False) -> Typed | None:
        try:
            made = check_template(text, scope, entry.origin(*steps), self.namespace, typed=typed)
        except ConfigError as error:
            self.problems += error.problems
            return None
        if not typed and made.type is not TEXT:
            self._note(entry, f"must be text, this is {made.type.name}", *steps)
            return None
        return made

    def _or_none(self, container: Typed | None) -> ast.expr:
        return text_code(container, self.namespace) if container else ast.Constant(None)

    def _function(self, entry: Entry, parameters: Sequence[str], result: ast.expr, parts: Iterable[Typed]) -> Any:
        used = {path for typed in parts for path in typed.reads}
        identifiers = [word for word in self.words.identifiers if word in used]
        stem = "rule_" + re.sub(r"\W", "_", entry.id)
        return build_function(stem, parameters, result, identifiers, self.namespace)

    def _common(
        self,
        entry: Entry,
        given: AccountEntry | GroupEntry | LicenceEntry,
        condition: Condition,
        parts: Sequence[Typed],
        attributes: Mapping[str, Typed],
    ) -> dict[str, Any]:
        """What every rule has."""
        own = {"rule", "when", "attributes"} if isinstance(given, AccountEntry) else {"rule", "when"}
        return {
            "id": entry.id,
            "file": entry.document.file,
            "line": entry.document.position(entry.at("rule"), key=True).line,
            "target": given.target,
            "when": condition,
            "reads": frozenset(path for typed in [condition.typed, *parts] for path in typed.reads),
            "sensitive": frozenset(word for word, typed in attributes.items() if typed.sensitive),
            "condition": self._content(given, given.when),
            "content": self._content(given, given.model_dump(exclude=own)),
            "first_day": given.first_day,
            "last_day": given.last_day,
            "overlap_days": given.overlap_days,
        }

    def _content(self, given: BaseModel, said: object) -> object:
        """What an entry says, with all that its expressions name, as far as the words in them tell.

        Identifiers are left out: people keep the names they have, whatever becomes of the candidates.
        """
        used: dict[str, object] = {}
        waiting = texts_in(said) if self.dependencies else []
        while waiting:
            for word in re.findall(r"[a-z][a-z0-9_]*", waiting.pop()):
                if word in self.dependencies and word not in used:
                    used[word] = self.dependencies[word]
                    waiting += texts_in(used[word])
        target = self.words.vocabulary.targets.get(getattr(given, "target", ""), TargetWords())
        return repr(said), used, target, self.words.fold  # a text, since True == 1

    def _note(self, entry: Entry, message: str, *steps: str | int, hint: str | None = None) -> None:
        self.problems.append(entry.document.problem(entry.at(*steps), message, hint=hint))


def _constant_value(value: Any) -> Typed:
    """A YAML constant as a checked expression, its own value already."""
    if isinstance(value, list):
        return Typed(ast.List([ast.Constant(item) for item in value], ast.Load()), LIST, constant=tuple(value))
    kind = BOOL if isinstance(value, bool) else NUMBER
    return Typed(ast.Constant(value), kind, constant=value)
