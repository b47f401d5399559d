"""The `drift` sections: what becomes of hand edits in each target, and in what each rule sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import asdict, replace

from eadm_sync.config.problems import did_you_mean
from eadm_sync.config.yaml import Document
from eadm_sync.errors import Problem
from eadm_sync.ruleset.document import RulesetFile
from eadm_sync.ruleset.files import ReadFile
from eadm_sync.ruleset.rules import (
    CONTAINER,
    INITIAL_ONLY,
    MEMBERS,
    OVERWRITE,
    AccountRule,
    DriftSettings,
    GroupRule,
)
from eadm_sync.ruleset.vocabulary import TargetWords

Files = Sequence[tuple[Document, RulesetFile]]
"""All files, each with what it says."""

_Rule = TypeVar("_Rule", AccountRule, GroupRule)


def drift_settings(
    files: Files, targets: Mapping[str, TargetWords], problems: list[Problem]
) -> dict[str, DriftSettings]:
    """What the files say of each target; what is wrong goes to `problems`."""
    found: dict[str, DriftSettings] = {}
    for document, content in files:
        for target, given in content.drift.items():
            path = ("drift", target)
            if target not in targets:
                hint = did_you_mean(target, targets)
                problems.append(document.problem(path, f"unknown target '{target}'", hint=hint, key=True))
            elif target in found:
                problems.append(document.problem(path, f"drift of '{target}' stands in two files", key=True))
            else:
                found[target] = DriftSettings(**given.model_dump())
    return found


def with_policies(rules: Iterable[_Rule], drift: Mapping[str, DriftSettings]) -> list[_Rule]:
    """The rules, each with what the target's section says where it says nothing itself."""
    return [replace(rule, policies=_policies(rule, drift.get(rule.target, DriftSettings()))) for rule in rules]


def _policies(rule: AccountRule | GroupRule, settings: DriftSettings) -> dict[str, str]:
    general = asdict(settings)
    said = {
        **dict.fromkeys(rule.attributes, settings.attributes),
        **{word: general[word] for word in (CONTAINER, MEMBERS)},
        **rule.policies,
    }
    return {word: policy for word, policy in said.items() if policy != OVERWRITE}


def refuse_unknowable(files: Sequence[ReadFile], problems: list[Problem]) -> None:
    """What must be unique, or has aliases, has to be known, so that it cannot be left to the target."""
    needed = dict(_needed(files))
    for file in files:
        rules = file.content.accounts
        for position, rule in zip(file.positions.get("accounts", range(len(rules))), rules, strict=True):
            for word, policy in rule.drift.items():
                why = needed.get(f"{rule.target}.{word}")
                if policy == INITIAL_ONLY and why is not None:
                    path = ("accounts", position, "drift", word)
                    problems.append(file.document.problem(path, f"'{word}' cannot be initial-only: {why}"))


def _needed(files: Sequence[ReadFile]) -> Iterator[tuple[str, str]]:
    """("target.attribute", why it has to be known)."""
    for file in files:
        for word, identifier in file.content.identifiers.items():
            yield from ((place, f"the identifier '{word}' must be unique in it") for place in identifier.unique_in)
        lifecycle = file.content.lifecycle
        for target, aliases in lifecycle.aliases.items() if lifecycle else ():
            for alias in aliases:
                yield from ((f"{target}.{name}", "aliases need it") for name in (alias.of, alias.attribute))
