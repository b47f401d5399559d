"""The `lifecycle` section, which one of the files may have: days, deactivated accounts, aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eadm_sync.config.problems import did_you_mean
from eadm_sync.config.yaml import Document, Path
from eadm_sync.ruleset.compiling import Compiler
from eadm_sync.ruleset.document import AliasEntry, DeactivationEntry, RulesetFile
from eadm_sync.ruleset.entries import Entry
from eadm_sync.ruleset.rules import Alias, Deactivation, LifecycleSettings

Files = Sequence[tuple[Document, RulesetFile]]
"""All files, each with what it says."""


def lifecycle_settings(files: Files, compiler: Compiler) -> LifecycleSettings:
    """What the files say of the lifecycle, or the defaults; what is wrong goes to the compiler's problems."""
    given = [(document, content) for document, content in files if content.lifecycle is not None]
    for document, _ in given[1:]:
        compiler.problems.append(document.problem(("lifecycle",), "lifecycle stands in two files", key=True))
    if not given or given[0][1].lifecycle is None:
        return LifecycleSettings()
    loader = _Loader(files, compiler, *given[0])
    settings = given[0][1].lifecycle
    return LifecycleSettings(
        **settings.model_dump(exclude={"deactivation", "aliases"}),
        deactivation=loader.deactivation(settings.deactivation),
        aliases=loader.aliases(settings.aliases),
    )


class _Loader:
    """Compiles the parts of the section that speak of targets; `document` is the file that has it."""

    def __init__(self, files: Files, compiler: Compiler, document: Document, content: RulesetFile) -> None:
        self._files = files
        self._compiler = compiler
        self._targets = compiler.words.vocabulary.targets
        self._document = document
        self._ruleset = content.ruleset

    def deactivation(self, given: Mapping[str, DeactivationEntry]) -> dict[str, Deactivation]:
        """What becomes of deactivated accounts, by target."""
        found: dict[str, Deactivation] = {}
        for target, recipe in given.items():
            path = ("lifecycle", "deactivation", target)
            if not self._is_target(path, target):
                continue
            entry = Entry(self._document, path, f"{self._ruleset}/deactivation of {target}")
            if compiled := self._compiler.deactivation(entry, target, recipe):
                found[target] = compiled
            if recipe.container is not None:
                self._refuse_unreturnable(target)
        return found

    def aliases(self, given: Mapping[str, Sequence[AliasEntry]]) -> dict[str, tuple[Alias, ...]]:
        """Which former values accounts keep, by target."""
        found: dict[str, tuple[Alias, ...]] = {}
        for target, entries in given.items():
            if not self._is_target(("lifecycle", "aliases", target), target):
                continue
            compiled = []
            for position, one in enumerate(entries):
                path = ("lifecycle", "aliases", target, position)
                entry = Entry(self._document, path, f"{self._ruleset}/aliases of {target}")
                compiled.append(self._compiler.alias(entry, target, one))
            found[target] = tuple(alias for alias in compiled if alias is not None)
        return found

    def _is_target(self, path: Path, target: str) -> bool:
        if target in self._targets:
            return True
        self._note(path, f"unknown target '{target}'", hint=did_you_mean(target, self._targets), key=True)
        return False

    def _refuse_unreturnable(self, target: str) -> None:
        """Who is moved away at deactivation is moved back at return: every account needs a place of its own."""
        name = self._targets[target].account_name
        for _, content in self._files:
            for rule in content.accounts:
                shapes = rule.target == target and (name is None or name in rule.attributes)
                if shapes and rule.container is None:
                    message = f"the rule '{content.ruleset}/{rule.rule}' gives no container to return to"
                    self._note(("lifecycle", "deactivation", target, "container"), message)

    def _note(self, path: Path, message: str, *, hint: str | None = None, key: bool = False) -> None:
        self._compiler.problems.append(self._document.problem(path, message, hint=hint, key=key))
