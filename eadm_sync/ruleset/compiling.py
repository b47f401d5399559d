"""One ruleset file's entries to compiled rules. Problems are collected; one faulty rule hides no other."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel

from eadm_sync.config.problems import did_you_mean
from eadm_sync.config.yaml import Document, Path
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import Condition, Namespace, Origin, Scope, Typed, all_of, check_template, compile_condition
from eadm_sync.expression.scope import BOOL, LIST, NUMBER, TEXT
from eadm_sync.expression.typed import method
from eadm_sync.ruleset.code import build_function, mapping, names_in, text_code, value_code, wrong_constant, wrong_type
from eadm_sync.ruleset.document import AccountEntry, GroupEntry, IdentifierEntry, LicenceEntry
from eadm_sync.ruleset.entries import Entry, origin_of, texts_in, value_at
from eadm_sync.ruleset.rules import AccountRule, Candidate, Form, GroupRule, IdentifierRule, LicenceRule, Value
from eadm_sync.ruleset.scopes import (
    BASE,
    GROUP,
    IDENTIFIER_LOCAL,
    Words,
    candidate_scope,
    condition_scope,
    identifier_local,
    rule_scope,
)
from eadm_sync.ruleset.vocabulary import TargetWords

_EACH_ONLY = frozenset({"unit", "class_group", "role"})
"""Parameters that stand still while all rules are matched, and vary while one group rule is carried out."""

_PERSONAL = frozenset({"person", "affiliation", "role", "reveal"})

_ALLOWED_BY_EACH = {"affiliation": "affiliation.unit.", "class": "class_group.", "unit_path": "unit.", "person": "\0"}
"""What a group's attributes may read besides what its key reads: what all members of the group share."""


class Compiler:
    """Compiles rules of all files into one namespace.

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
        self._forms: dict[tuple[str, str, str], dict[str, Callable[[str], Value]]] = {}
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

    # ------------------------------------------------------------ rules

    def account(self, entry: Entry, given: AccountEntry) -> AccountRule | None:
        """Compiles one account rule; None where something is wrong."""
        before = len(self.problems)
        target = self._target(entry, given.target)
        scope = self._scope(given.target, target, None)
        when = self._when(entry, scope, given)
        container = self._container(entry, scope, target, given.container)
        if container and target.account_name and target.account_name not in given.attributes:
            hint = "only a rule that does gives an account; this one adds attributes"
            self._note(
                entry, f"a rule that does not set '{target.account_name}' has no container", "container", hint=hint
            )
        attributes = self._attributes(entry, scope, target.attributes, target.max_lengths, given.attributes)
        if when is None or len(self.problems) > before:
            return None
        codes = {
            word: value_code(typed, target.attributes.get(word), self.namespace) for word, typed in attributes.items()
        }
        self._note_forms(given, attributes, codes)
        result = ast.Tuple([self._or_none(container), mapping(codes)], ast.Load())
        condition = all_of(when, scope, self.namespace)
        parts = [condition.typed, *attributes.values(), *([container] if container else [])]
        return AccountRule(
            **self._common(entry, given, condition, parts, attributes),
            attributes=tuple(attributes),
            shapes=target.account_name is None or target.account_name in attributes,
            make=self._function(entry, BASE, result, parts),
        )

    def group(self, entry: Entry, given: GroupEntry) -> GroupRule | None:
        """Compiles one group rule; None where something is wrong."""
        before = len(self.problems)
        target = self._target(entry, given.target)
        scope = self._scope(given.target, target, given.for_each)
        when = self._when(entry, scope, given)
        name = self._template(entry, scope, given.name, "name")
        key = self._template(entry, scope, given.key, "key") if given.key else None
        container = self._container(entry, scope, target, given.container)
        attributes = self._attributes(entry, scope, target.group_attributes, {}, given.attributes)
        if target.group_name in attributes:
            self._note(entry, f"'{target.group_name}' is what 'name' sets", "attributes", target.group_name)
        if any(part.sensitive for part in (name, key, *attributes.values()) if part):
            self._note(entry, "a group cannot be encrypted, so no sensitive field may go into it", "name")
        if name is None or when is None or len(self.problems) > before:
            return None
        attributes = {target.group_name: name, **attributes}
        self._refuse_personal(
            entry, given, key or name, {**attributes, **({"container": container} if container else {})}
        )
        parts = [*attributes.values(), *(part for part in (key, container) if part)]
        pre, each = _split(when)
        condition = all_of(pre, scope, self.namespace)
        return GroupRule(
            **self._common(entry, given, condition, [*(part.typed for part in when), *parts], attributes),
            for_each=given.for_each,
            each_when=all_of(each, scope, self.namespace) if each else None,
            role=given.role,
            keeps=given.mode == "add-only",
            ends_empty=given.when_empty == "delete",
            shared=_shared(parts),
            make=self._function(entry, GROUP, self._group_code(target, key, container, attributes), parts),
        )

    def licence(self, entry: Entry, given: LicenceEntry) -> LicenceRule | None:
        """Compiles one licence rule; None where something is wrong."""
        before = len(self.problems)
        target = self._target(entry, given.target)
        if not target.has_licences:
            self._note(entry, f"the target '{given.target}' has no licences", "target")
        scope = self._scope(given.target, target, None)
        when = self._when(entry, scope, given)
        if when is None or len(self.problems) > before:
            return None
        condition = all_of(when, scope, self.namespace)
        return LicenceRule(
            **self._common(entry, given, condition, [condition.typed], {}), sku=given.sku, exclusive=given.exclusive
        )

    def identifier(self, word: str, entry: Entry, given: IdentifierEntry) -> IdentifierRule | None:
        """Compiles one identifier; None where something is wrong."""
        before = len(self.problems)
        scope = replace(candidate_scope(self.words), conditions=self.conditions)
        checked = [
            self._template(entry, scope, text, "candidates", position) for position, text in enumerate(given.candidates)
        ]
        places = tuple(self._place(entry, position, text) for position, text in enumerate(given.unique_in))
        typed = [one for one in checked if one is not None]
        if len(typed) == len(checked) and not any("n" in one.reads for one in typed):
            self._note(
                entry, "no candidate reads 'n', so the names can run out", "candidates", hint="end one with {{ n }}"
            )
        if any(one.sensitive for one in typed):
            self._note(entry, "a name may not be made of a sensitive field", "candidates")
        if len(self.problems) > before:
            return None
        candidates = tuple(
            Candidate(
                text, "n" in one.reads, build_function("candidate", scope.parameters, one.code, (), self.namespace)
            )
            for text, one in zip(given.candidates, typed, strict=True)
        )
        line = entry.document.position(entry.path, key=True).line
        reads = frozenset(path for one in typed for path in one.reads) - {"n"}
        forbidden = frozenset(name.casefold() for name in given.forbidden)
        fingerprint = self.fingerprint("identifier", given, given.candidates)
        self.dependencies[word] = fingerprint
        return IdentifierRule(
            name=word,
            file=entry.document.file,
            line=line,
            candidates=candidates,
            unique_in=places,
            max_length=given.max_length,
            forbidden=forbidden,
            reads=reads,
            fingerprint=fingerprint,
            follows=given.on_rename == "follow",
        )

    def placed(self, rule: IdentifierRule) -> IdentifierRule:
        """The identifier with what account rules, all of which are compiled by now, make of its names."""
        forms: list[Form] = []
        lengths = [] if rule.max_length is None else [rule.max_length]
        for target, attribute in rule.unique_in:
            found = [*self._forms.get((rule.name, target, attribute), {}).values()] or [_as_it_is]
            forms += (Form(target, attribute, render) for render in found)
            longest = self.words.vocabulary.targets[target].max_lengths.get(attribute)
            if longest is not None:
                lengths += (longest - _added_length(render) for render in found)
        length = min(lengths, default=None)
        if length is not None and length < 1:
            message = f"no name is short enough: what rules add to '{rule.name}' fills the attribute already"
            self.problems.append(Problem(rule.file, rule.line, 1, message))
        return replace(rule, forms=tuple(forms), max_length=length)

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

    def _note_forms(self, given: AccountEntry, attributes: Mapping[str, Typed], codes: Mapping[str, ast.expr]) -> None:
        """Keeps what is made of an identifier alone, by its text: many rules make the same."""
        for attribute, typed in attributes.items():
            read = [path for path in typed.reads if not path.startswith("target.")]
            if len(read) != 1 or read[0] not in self.words.identifiers:
                continue
            forms = self._forms.setdefault((read[0], given.target, attribute), {})
            text = given.attributes[attribute]
            if text not in forms:
                parameters = (identifier_local(read[0]),)
                forms[text] = build_function("form", parameters, codes[attribute], (), self.namespace)

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

    def _place(self, entry: Entry, position: int, text: str) -> tuple[str, str]:
        target, _, attribute = text.partition(".")
        words = self.words.vocabulary.targets.get(target)
        if words is None or not attribute:
            targets = ", ".join(self.words.vocabulary.targets)
            self._note(entry, f"'{text}' is not target.attribute", "unique_in", position, hint=f"targets are {targets}")
        elif words.attributes and attribute not in words.attributes:
            self._note(entry, f"the target '{target}' has no attribute '{attribute}'", "unique_in", position)
        return target, attribute

    def _refuse_personal(self, entry: Entry, given: GroupEntry, key: Typed, parts: Mapping[str, Typed]) -> None:
        """A group is one thing for all its members: what differs between them may only decide which group it is."""
        shared = _ALLOWED_BY_EACH[given.for_each]
        for word, typed in parts.items():
            for path in sorted(typed.reads):
                decided = path in key.reads or path.startswith(("target.", shared)) or "[" in path
                if decided and path != "class_group.role":
                    continue
                steps = (
                    ("container",)
                    if word == "container"
                    else ("attributes", word)
                    if word in given.attributes
                    else ("name",)
                )
                self._note(entry, f"'{path}' can differ between members of one group", *steps)

    def _group_code(
        self, target: TargetWords, key: Typed | None, container: Typed | None, attributes: Mapping[str, Typed]
    ) -> ast.expr:
        codes = {
            word: value_code(typed, target.group_attributes.get(word), self.namespace)
            for word, typed in attributes.items()
        }
        known_by = text_code(key or attributes[target.group_name], self.namespace)
        if key is None:  # names are compared without case by every directory
            known_by = method("casefold")(ast.BoolOp(ast.Or(), [known_by, ast.Constant("")]))
        return ast.Tuple([known_by, self._or_none(container), mapping(codes)], ast.Load())

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
        texts = [text for text in texts_in(given.model_dump()) if text]
        return {
            "id": entry.id,
            "file": entry.document.file,
            "line": entry.document.position(entry.at("rule"), key=True).line,
            "target": given.target,
            "when": condition,
            "reads": frozenset(path for typed in [condition.typed, *parts] for path in typed.reads),
            "sensitive": frozenset(word for word, typed in attributes.items() if typed.sensitive),
            "fingerprint": self.fingerprint(type(given).__name__, given, texts),
            "first_day": given.first_day,
            "last_day": given.last_day,
        }

    def fingerprint(self, kind: str, given: BaseModel, texts: Sequence[str]) -> str:
        """Hash of an entry and of everything its expressions name, as far as the words in them tell."""
        used: dict[str, object] = {}
        waiting = list(texts)
        while waiting:
            for word in re.findall(r"[a-z][a-z0-9_]*", waiting.pop()):
                if word in self.dependencies and word not in used:
                    used[word] = self.dependencies[word]
                    waiting += texts_in(used[word])
        target = self.words.vocabulary.targets.get(getattr(given, "target", ""), TargetWords())
        content = [
            kind,
            given.model_dump(mode="json"),
            used,
            dict(target.variables),
            dict(self.words.fold),
            target.group_name,
        ]
        encoded = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
        return blake2b(encoded, digest_size=16).hexdigest()

    def _note(self, entry: Entry, message: str, *steps: str | int, hint: str | None = None) -> None:
        self.problems.append(entry.document.problem(entry.at(*steps), message, hint=hint))


def _as_it_is(name: str) -> Value:
    """What an attribute is taken to hold that no rule makes of the name alone."""
    return name


def _added_length(render: Callable[[str], Value]) -> int:
    """How many characters a form adds to a name."""
    value = render("x")
    return len(value) - 1 if isinstance(value, str) else 0


def _constant_value(value: Any) -> Typed:
    """A YAML constant as a checked expression, its own value already."""
    if isinstance(value, list):
        return Typed(ast.List([ast.Constant(item) for item in value], ast.Load()), LIST, constant=tuple(value))
    kind = BOOL if isinstance(value, bool) else NUMBER
    return Typed(ast.Constant(value), kind, constant=value)


def _split(when: Sequence[Condition]) -> tuple[list[Condition], list[Condition]]:
    """Clauses that speak of the affiliation alone, and those that speak of one unit or class group."""
    each = [part for part in when if names_in(part.typed.code) & _EACH_ONLY]
    return [part for part in when if part not in each], each


def _shared(parts: Sequence[Typed]) -> str | None:
    """The one parameter that decides what a group is, "" where none does, None where it is not so simple."""
    names = {word for typed in parts for word in names_in(typed.code)}
    used = names & {"home", "unit", "class_group"}
    if names & _PERSONAL or any(word.startswith(IDENTIFIER_LOCAL) for word in names) or len(used) > 1:
        return None
    return next(iter(used), "")
