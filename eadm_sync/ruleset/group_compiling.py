"""Group rules compiled: what a group is called, who is in it, and which groups it is in itself."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from eadm_sync.expression import Condition, Scope, Typed, all_of
from eadm_sync.expression.typed import method
from eadm_sync.ruleset.code import mapping, names_in, text_code, value_code, whole_text_code
from eadm_sync.ruleset.document import GroupEntry
from eadm_sync.ruleset.entries import Entry, value_at
from eadm_sync.ruleset.parts import Parts
from eadm_sync.ruleset.rules import CONTAINER, MEMBERS, GroupRule
from eadm_sync.ruleset.scopes import GROUP, IDENTIFIER_LOCAL, Words
from eadm_sync.ruleset.vocabulary import TargetWords

_EACH_ONLY = frozenset({"unit", "class_group", "role"})
"""Parameters that stand still while all rules are matched, and vary while one group rule is carried out."""

_PERSONAL = frozenset({"person", "affiliation", "role", "reveal"})

_ALLOWED_BY_EACH = {"affiliation": "affiliation.unit.", "class": "class_group.", "unit_path": "unit.", "person": "\0"}
"""What a group's attributes may read besides what its key reads: what all members of the group share."""


Steps = tuple[str | int, ...]
"""A place within a rule."""

Called = tuple[str, bool]
"""What a group is called as far as it is known before, in lower case: how it begins, and whether that is all."""


class GroupCompiler(Parts):
    """Compiles the group rules of all files."""

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self._calls: list[tuple[str, str, Called]] = []
        self._asked: list[tuple[Entry, Steps, str, str, Called]] = []

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
        member_of = self._member_of(entry, given, scope, target, key or name)
        if given.nested and given.for_each != "unit_path":
            self._note(entry, "only rules with 'for_each: unit_path' can be nested", "nested")
        self._calls.append((entry.id, given.target, _called(key or name)))
        places = (CONTAINER,) if given.container is not None else ()
        self._policies(entry, given, (*given.attributes, target.group_name, *places, MEMBERS), None)
        if target.group_name in attributes:
            self._note(entry, f"'{target.group_name}' is what 'name' sets", "attributes", target.group_name)
        if any(part.sensitive for part in (name, key, *attributes.values()) if part):
            self._note(entry, "a group cannot be encrypted, so no sensitive field may go into it", "name")
        if name is None or when is None or len(self.problems) > before:
            return None
        attributes = {target.group_name: name, **attributes}
        shown: dict[Steps, Typed] = {
            ("attributes", word) if word in given.attributes else ("name",): typed for word, typed in attributes.items()
        }
        shown |= {("container",): container} if container else {}
        shown |= dict(member_of)
        self._refuse_personal(entry, given, key or name, shown)
        parts = [*attributes.values(), *(part for part in (key, container) if part), *(typed for _, typed in member_of)]
        pre, each = _split(when)
        if given.nested:
            self._refuse_tellers(entry, parts, each)
        condition = all_of(pre, scope, self.namespace)
        return GroupRule(
            **self._common(entry, given, condition, [*(part.typed for part in when), *parts], attributes),
            for_each=given.for_each,
            each_when=all_of(each, scope, self.namespace) if each else None,
            each_content=self._content(given, [part.source for part in each]),
            role=given.role,
            keeps=given.mode == "add-only",
            ends_empty=given.when_empty == "delete",
            shared=_shared(parts),
            attributes=tuple(attributes),
            nested=given.nested,
            nests=given.nested or bool(member_of),
            prefix=_beginning(key or name).casefold(),
            make=self._function(entry, GROUP, self._group_code(target, key, container, attributes, member_of), parts),
            policies=given.drift,
        )

    def _member_of(
        self, entry: Entry, given: GroupEntry, scope: Scope, target: TargetWords, key: Typed | None
    ) -> list[tuple[Steps, Typed]]:
        """What the groups are called that these groups are in, each with its place."""
        if (given.member_of or given.nested) and not target.has_nestings:
            step = "member_of" if given.member_of else "nested"
            self._note(entry, f"the target '{given.target}' cannot have groups in groups", step)
        made: list[tuple[Steps, Typed]] = []
        single = isinstance(value_at(entry.document.data, entry.at("member_of")), str)
        for position, text in enumerate(given.member_of or ()):
            steps: Steps = ("member_of",) if single else ("member_of", position)
            typed = self._template(entry, scope, text, *steps)
            if typed is None:
                continue
            if typed.sensitive:
                self._note(entry, "a group cannot be encrypted, so no sensitive field may go into it", *steps)
            if text == (given.key or given.name):
                self._note(entry, "a group cannot be in itself", *steps)
            elif key is not None:
                self._asked.append((entry, steps, given.target, text, _called(typed)))
            made.append((steps, typed))
        return made

    def refuse_unknown_groups(self) -> None:
        """What a group is in must be a group that some rule of the target can give; call it when all are compiled."""
        for entry, steps, target, text, called in self._asked:
            fitting = [(rule, where) for rule, where, other in self._calls if _may_be_same(called, other)]
            if any(where == target for _, where in fitting):
                continue
            hint = f"'{fitting[0][0]}' gives one in the target '{fitting[0][1]}'" if fitting else None
            self._note(entry, f"no rule of the target '{target}' gives a group '{text}'", *steps, hint=hint)

    def _refuse_tellers(self, entry: Entry, parts: Sequence[Typed], each: Sequence[Condition]) -> None:
        """Of a nested rule, the unit alone says which groups there are, and which is in which."""
        if _shared(parts) != "unit":
            self._note(entry, "the unit alone must say what a nested group is", "name")
        for part in each:
            if names_in(part.typed.code) & (_PERSONAL | {"home"}):
                message = f"'{part.source}' says of one unit what differs between people: a nested rule cannot"
                self._note(entry, message, "when")

    def _refuse_personal(self, entry: Entry, given: GroupEntry, key: Typed, parts: Mapping[Steps, Typed]) -> None:
        """A group is one thing for all its members: what differs between them may only decide which group it is."""
        shared = _ALLOWED_BY_EACH[given.for_each]
        for steps, typed in parts.items():
            for path in sorted(typed.reads):
                decided = path in key.reads or path.startswith(("target.", shared)) or "[" in path
                if decided and path != "class_group.role":
                    continue
                self._note(entry, f"'{path}' can differ between members of one group", *steps)

    def _group_code(
        self,
        target: TargetWords,
        key: Typed | None,
        container: Typed | None,
        attributes: Mapping[str, Typed],
        member_of: Sequence[tuple[Steps, Typed]],
    ) -> ast.expr:
        codes = {
            word: value_code(typed, target.group_attributes.get(word), self.namespace)
            for word, typed in attributes.items()
        }
        known_by = text_code(key or attributes[target.group_name], self.namespace)
        if key is None:  # names are compared without case by every directory
            known_by = method("casefold")(ast.BoolOp(ast.Or(), [known_by, ast.Constant("")]))
        names = ast.Tuple([whole_text_code(typed, self.namespace) for _, typed in member_of], ast.Load())
        return ast.Tuple([known_by, self._or_none(container), mapping(codes), names], ast.Load())


def _split(when: Sequence[Condition]) -> tuple[list[Condition], list[Condition]]:
    """Clauses that speak of the affiliation alone, and those that speak of one unit or class group."""
    each = [part for part in when if names_in(part.typed.code) & _EACH_ONLY]
    return [part for part in when if part not in each], each


def _called(typed: Typed | None) -> Called:
    """What is known before of what a group is called; anything, where it could not be compiled."""
    return (_beginning(typed).casefold(), isinstance(typed.code, ast.Constant)) if typed else ("", False)


def _may_be_same(one: Called, other: Called) -> bool:
    (beginning, is_whole), (other_beginning, is_other_whole) = one, other
    if is_whole and is_other_whole:
        return beginning == other_beginning
    if is_whole or is_other_whole:
        whole, start = (beginning, other_beginning) if is_whole else (other_beginning, beginning)
        return whole.startswith(start)
    return beginning.startswith(other_beginning) or other_beginning.startswith(beginning)


def _beginning(typed: Typed) -> str:
    """The constant that a text begins with, as far as it is sure to stay when blanks at its ends are taken off."""
    code = typed.code
    first = code.values[0] if isinstance(code, ast.JoinedStr) else code
    return first.value.strip() if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _shared(parts: Sequence[Typed]) -> str | None:
    """The one parameter that decides what a group is, "" where none does, None where it is not so simple."""
    names = {word for typed in parts for word in names_in(typed.code)}
    used = names & {"home", "unit", "class_group"}
    if names & _PERSONAL or any(word.startswith(IDENTIFIER_LOCAL) for word in names) or len(used) > 1:
        return None
    return next(iter(used), "")
