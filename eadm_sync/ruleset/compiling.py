"""One ruleset file's entries to compiled rules. Problems are collected; one faulty rule hides no other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from eadm_sync.config.problems import did_you_mean
from eadm_sync.errors import Problem
from eadm_sync.expression import Typed, all_of
from eadm_sync.ruleset.code import build_function, mapping, texts_around, value_code
from eadm_sync.ruleset.document import AccountEntry, AliasEntry, DeactivationEntry, IdentifierEntry, LicenceEntry
from eadm_sync.ruleset.entries import Entry
from eadm_sync.ruleset.group_compiling import GroupCompiler
from eadm_sync.ruleset.naming import alike
from eadm_sync.ruleset.rules import (
    CONTAINER,
    AccountRule,
    Alias,
    Candidate,
    Deactivation,
    Form,
    IdentifierRule,
    LicenceRule,
    Part,
    Value,
)
from eadm_sync.ruleset.scopes import BASE, Words, alias_scope, candidate_scope, deactivation_scope, identifier_local
from eadm_sync.ruleset.script_compiling import ScriptCompiler
from eadm_sync.ruleset.send_checking import faults, sendings


class Compiler(GroupCompiler, ScriptCompiler):
    """Compiles rules of all files into one namespace."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self._forms: dict[tuple[str, str, str], dict[str, Form]] = {}

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
        places = (CONTAINER,) if given.container is not None else ()
        self._policies(entry, given, (*given.attributes, *places), target.account_name)
        after = self._after(entry, scope, target, given, attributes)
        for steps, wrong, advice in faults(given, target, attributes):
            self._note(entry, wrong, *steps, hint=advice)
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
            attributes={
                word: Part(self._content(given, given.attributes[word]), frozenset(typed.reads), codes[word])
                for word, typed in attributes.items()
            },
            shapes=target.account_name is None or target.account_name in attributes,
            password=given.password or "",
            make=self._function(entry, BASE, result, parts),
            after=after,
            sends=sendings(given, target),
            policies=given.drift,
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

    def deactivation(self, entry: Entry, word: str, given: DeactivationEntry) -> Deactivation | None:
        """Compiles what becomes of deactivated accounts of one target; None where something is wrong."""
        before = len(self.problems)
        target = self._target(entry, word)
        scope = deactivation_scope(self.words, target)
        container = self._container(entry, scope, target, given.container)
        attributes = self._attributes(entry, scope, target.attributes, target.max_lengths, given.attributes)
        for name, typed in attributes.items():
            if typed.sensitive:
                self._note(entry, "no sensitive field may go into a deactivated account", "attributes", name)
            if name == target.account_name:
                self._note(entry, f"'{name}' is what accounts are called by; it stays", "attributes", name)
        if len(self.problems) > before:
            return None
        codes = {
            name: value_code(typed, target.attributes.get(name), self.namespace) for name, typed in attributes.items()
        }
        result = ast.Tuple([self._or_none(container), mapping(codes)], ast.Load())
        return Deactivation(
            removes_groups=given.remove_groups,
            removes_licences=given.remove_licences,
            revokes_sessions=given.revoke_sessions,
            content=self._content(given, given.model_dump()),
            make=build_function("deactivation", scope.parameters, result, (), self.namespace),
        )

    def alias(self, entry: Entry, word: str, given: AliasEntry) -> Alias | None:
        """Compiles which former values accounts of one target keep; None where something is wrong."""
        before = len(self.problems)
        target = self._target(entry, word)
        for key, name in (("attribute", given.attribute), ("of", given.of)):
            if target.attributes and name not in target.attributes:
                hint = did_you_mean(name, target.attributes)
                self._note(entry, f"unknown attribute '{name}'", key, hint=hint)
        if target.attributes.get(given.attribute, "list") != "list":
            self._note(entry, f"'{given.attribute}' holds one value, and there can be many", "attribute")
        if target.attributes.get(given.of, "str") != "str":
            self._note(entry, f"'{given.of}' must hold one text", "of")
        form = self._template(entry, alias_scope(target, self.words.fold), given.form, "form")
        if form is not None and "former" not in form.reads:
            self._note(entry, "reads no 'former', so all former values would be one", "form")
        if form is None or len(self.problems) > before:
            return None
        return Alias(
            attribute=given.attribute,
            of=given.of,
            keep_days=given.keep_days,
            content=self._content(given, given.model_dump()),
            render=build_function("alias", ("former",), form.code, (), self.namespace),
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
        forbidden = frozenset(map(alike, given.forbidden))
        return IdentifierRule(
            name=word,
            file=entry.document.file,
            line=line,
            candidates=candidates,
            unique_in=places,
            max_length=given.max_length,
            forbidden=forbidden,
            reads=reads,
            content=self._content(given, given.model_dump()),
            follows=given.on_rename == "follow",
        )

    def placed(self, rule: IdentifierRule) -> IdentifierRule:
        """The identifier with what account rules, all of which are compiled by now, make of its names."""
        forms: list[Form] = []
        lengths = [] if rule.max_length is None else [rule.max_length]
        for target, attribute in rule.unique_in:
            as_it_is = Form(target, attribute, _as_it_is, ("", ""))
            found = [*self._forms.get((rule.name, target, attribute), {}).values()] or [as_it_is]
            forms += found
            longest = self.words.vocabulary.targets[target].max_lengths.get(attribute)
            if longest is not None:
                lengths += (longest - _added_length(form.render) for form in found)
        length = min(lengths, default=None)
        if length is not None and length < 1:
            message = f"no name is short enough: what rules add to '{rule.name}' fills the attribute already"
            self.problems.append(Problem(rule.file, rule.line, 1, message))
        return replace(rule, forms=tuple(forms), max_length=length)

    def _note_forms(self, given: AccountEntry, attributes: Mapping[str, Typed], codes: Mapping[str, ast.expr]) -> None:
        """Keeps what is made of an identifier alone, by its text: many rules make the same."""
        for attribute, typed in attributes.items():
            read = [path for path in typed.reads if not path.startswith("target.")]
            if len(read) != 1 or read[0] not in self.words.identifiers:
                continue
            forms = self._forms.setdefault((read[0], given.target, attribute), {})
            text = given.attributes[attribute]
            if text not in forms:
                local = identifier_local(read[0])
                render = build_function("form", (local,), codes[attribute], (), self.namespace)
                forms[text] = Form(given.target, attribute, render, texts_around(typed.code, local))

    def _place(self, entry: Entry, position: int, text: str) -> tuple[str, str]:
        target, _, attribute = text.partition(".")
        words = self.words.vocabulary.targets.get(target)
        if words is None or not attribute:
            targets = ", ".join(self.words.vocabulary.targets)
            self._note(entry, f"'{text}' is not target.attribute", "unique_in", position, hint=f"targets are {targets}")
        elif words.attributes and attribute not in words.attributes:
            self._note(entry, f"the target '{target}' has no attribute '{attribute}'", "unique_in", position)
        return target, attribute


def _as_it_is(name: str) -> Value:
    """What an attribute is taken to hold that no rule makes of the name alone."""
    return name


def _added_length(render: Callable[[str], Value]) -> int:
    """How many characters a form adds to a name."""
    value = render("x")
    return len(value) - 1 if isinstance(value, str) else 0
