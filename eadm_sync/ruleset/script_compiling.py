"""Programs that are run after changes to accounts: names and argument templates checked and compiled."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from msgspec.structs import replace

from eadm_sync.config.problems import did_you_mean
from eadm_sync.expression import Field, Scope, Type, Typed, Variable
from eadm_sync.expression.scope import TEXT, key, parameter
from eadm_sync.ruleset.code import text_code
from eadm_sync.ruleset.document import AccountEntry, AfterEntry
from eadm_sync.ruleset.entries import Entry
from eadm_sync.ruleset.parts import Parts
from eadm_sync.ruleset.rules import After
from eadm_sync.ruleset.scopes import BASE
from eadm_sync.ruleset.vocabulary import TargetWords

_PARAMETERS = (*BASE, "account", "event")
_ENDING = ("disable", "delete")
"""Events behind which nothing may give the account any more, so that there is no affiliation to render with."""


class ScriptCompiler(Parts):
    """Compiles what follows changes to the accounts of a rule."""

    def _after(
        self, entry: Entry, scope: Scope, target: TargetWords, given: AccountEntry, attributes: Mapping[str, Typed]
    ) -> tuple[After, ...]:
        """What follows; entries that are wrong are left out, with their problems noted."""
        if given.after and target.account_name and target.account_name not in given.attributes:
            hint = "put it into a rule that does: this one only adds attributes to its accounts"
            self._note(entry, f"a rule that does not set '{target.account_name}' gives no account", "after", hint=hint)
        names: set[str] = set()
        found: list[After] = []
        wider = _with_account(scope, target, attributes)
        for position, one in enumerate(given.after):
            name = one.name or one.script
            if name in names:
                hint = "give one of them another 'name'"
                self._note(entry, f"'{name}' stands there twice", "after", position, hint=hint)
            names.add(name)
            found += filter(None, [self._script(entry, wider, name, one, position)])
        return tuple(found)

    def _script(self, entry: Entry, scope: Scope, name: str, given: AfterEntry, position: int) -> After | None:
        before = len(self.problems)
        place = ("after", position)
        scripts = self.words.vocabulary.scripts
        if given.script not in scripts:
            hint = did_you_mean(given.script, scripts) or "programs are named under 'scripts' in the configuration"
            self._note(entry, f"the configuration has no script '{given.script}'", *place, "script", hint=hint)
        if given.existing == "run" and "create" not in given.on:
            message = "what is run for existing accounts has to follow 'create', too"
            self._note(entry, message, *place, "existing")
        typed = [self._argument(entry, scope, given, position, number) for number in range(len(given.arguments))]
        made = [one for one in typed if one is not None]
        if len(self.problems) > before:
            return None
        codes = [text_code(one, self.namespace) for one in made]
        return After(
            name=name,
            script=given.script,
            on=frozenset(given.on),
            existing=given.existing == "run",
            guarded=tuple(text.lstrip().startswith("{") for text in given.arguments),
            reads=frozenset(path for one in made for path in one.reads),
            make=self._function(entry, _PARAMETERS, ast.Tuple(codes, ast.Load()), made),
        )

    def _argument(self, entry: Entry, scope: Scope, given: AfterEntry, position: int, number: int) -> Typed | None:
        """One argument, None after noting what is wrong with it."""
        text, place = given.arguments[number], ("after", position, "arguments", number)
        typed = self._template(entry, scope, text, *place)
        if typed is None:
            return None
        if typed.sensitive:
            message = "no sensitive field may go into an argument: everybody on the machine can read it"
            self._note(entry, message, *place)
        if not text.lstrip().partition("{{")[0].strip("-") and text.lstrip().startswith("-") and "{{" in text:
            message = "a record could make another option of this"
            self._note(entry, message, *place, hint="write the whole option, as in --user={{ username }}")
        ending = [event for event in _ENDING if event in given.on]
        names = {"affiliation", *self.words.identifiers}
        for path in typed.reads if ending else ():
            if path.partition(".")[0] in names:
                message = f"after '{ending[0]}', '{path}' may not be there any more"
                hint = "read what the account holds, as account.<attribute>"
                self._note(entry, message, *place, hint=hint)
        return typed


def _with_account(scope: Scope, target: TargetWords, attributes: Mapping[str, Typed]) -> Scope:
    """What arguments can read: besides what the rule can, what the account holds, and what happened to it."""
    declared = {word: kind for word, kind in target.attributes.items() if kind == "str"}
    sensitive = {word for word, typed in attributes.items() if typed.sensitive}
    names = {*declared, *(word for word in attributes if word in declared or not target.attributes)}
    fields = {word: Field(TEXT, key(word), sensitive=word in sensitive) for word in sorted(names)}
    account = Variable(Type("an account", fields), parameter("account"))
    event = Variable(TEXT, parameter("event"))
    return replace(scope, parameters=_PARAMETERS, variables={**scope.variables, "account": account, "event": event})
