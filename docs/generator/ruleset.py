"""`docs/ruleset-reference.md`: keys, variables, operators, filters and tests, each with an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from connectors.contract import PasswordRules
from docs.generator.markdown import code, plain, section, table, yaml_block
from docs.generator.settings import Section, Sections
from eadm_sync.expression import FILTERS, TESTS, Scope, Type
from eadm_sync.expression.filters import DEFAULT_DOC, Filter
from eadm_sync.ruleset.schema import ruleset_schema
from eadm_sync.ruleset.scopes import (
    Words,
    alias_scope,
    candidate_scope,
    condition_scope,
    deactivation_scope,
    rule_scope,
)
from eadm_sync.ruleset.tables import Table
from eadm_sync.ruleset.vocabulary import TargetWords, Vocabulary

EXAMPLES = Path(__file__).parent / "examples"

UNITS = {
    "AccountEntry.attributes": "",
    "DeactivationEntry.attributes": "",
    "GroupEntry.attributes": "",
    "IdentifierEntry.max_length": "characters",
    "PasswordEntry.digits": "characters",
    "PasswordEntry.length": "characters",
    "PasswordEntry.word_count": "words",
}
"""As in `configuration`; attributes may be numbers that count nothing."""

VOCABULARY = Vocabulary(
    targets={
        "ad": TargetWords(
            variables={"base_dn": "DC=eksempel,DC=example"}, account_name="sAMAccountName", passwords=PasswordRules()
        ),
        "entra": TargetWords(
            variables={"domain": "eksempel.example"},
            account_name="userPrincipalName",
            group_name="displayName",
            has_containers=False,
        ),
        "google": TargetWords(
            variables={"domain": "skole.eksempel.example"},
            account_name="primaryEmail",
            group_name="email",
            has_licences=False,
            passwords=PasswordRules(),
        ),
    },
    person_extra=frozenset({"cost_centre"}),
    affiliation_extra=frozenset({"position_code"}),
    unit_extra=frozenset({"street"}),
    scripts=frozenset({"make-home", "mailbox"}),
)
"""The targets and the further mapped fields that the examples speak of."""

JOBS = Table(("title", "field", "licence"), {}, "", "tables/jobs.csv", "")
"""The lookup table of the examples: tables/jobs.csv."""


@dataclass(frozen=True)
class Readable:
    """Something that expressions can read.

    Attributes:
        path: As it is written.
        type: Name of its type.
        nullable: Whether it can be missing.
        meaning: One sentence.
    """

    path: str
    type: str
    nullable: bool
    meaning: str


def words() -> Words:
    """What the files of the examples name."""
    return Words(VOCABULARY, tables={"jobs": JOBS}, identifiers=("username",))


def scopes() -> dict[str, Scope]:
    """What can be read, by the place where an expression stands."""
    conditions = condition_scope(words())
    rules = {
        each or "account": rule_scope(words(), VOCABULARY.targets["ad"], conditions, each=each)
        for each in (None, "affiliation", "person", "unit_path", "class")
    }
    return {
        "condition": conditions,
        "candidate": candidate_scope(words()),
        "deactivation": deactivation_scope(words(), VOCABULARY.targets["ad"]),
        "alias": alias_scope(VOCABULARY.targets["ad"], {}),
        **rules,
    }


# ---------------------------------------------------------------- keys


def sections() -> tuple[Section, ...]:
    """Every section of a ruleset file."""
    return tuple(Sections(ruleset_schema(), UNITS).order)


def examples() -> dict[str, str]:
    """Example rulesets, by the title of the section that shows them."""
    found = sorted((EXAMPLES / "ruleset").glob("*.yaml"))
    return {_title(path): path.read_text(encoding="utf-8") for path in found}


def _title(path: Path) -> str:
    return "" if path.stem == "top" else path.stem.replace(".x", ".<name>")


def keys_reference() -> str:
    """All keys of a ruleset file."""
    shown = examples()
    return "\n\n".join(section(one, "###", yaml_block(shown[one.title])) for one in sections())


# ---------------------------------------------------------------- variables

ROOTS = ("person", "affiliation", "affiliation.unit", "affiliation.unit.manager", "class_group")
"""What has fields of its own, each with a table."""

PLACES = {
    "person": "everywhere",
    "affiliation": "everywhere but under `lifecycle.deactivation`: none counts any more",
    "affiliation.unit": "where `affiliation` can",
    "affiliation.unit.manager": "where `affiliation` can",
    "class_group": "in group rules with `for_each: class`",
}
"""Where each can be read."""

LOOSE = (
    Readable("unit", "a unit", False, "In group rules with `for_each: unit_path`: the unit that gives the group."),
    Readable("target", "a target", False, "In rules: the variables that the configuration gives the rule's target."),
    Readable("n", "text", False, "In candidates of identifiers: 2, 3, 4 …, as the candidate is tried again."),
    Readable("username", "text", True, "In rules: the identifier of that name, as any name under `identifiers`."),
    Readable("former", "text", False, "In the form of an alias: the former value."),
    Readable("deactivated_on", "a date", False, "Under `lifecycle.deactivation`: the day of the deactivation."),
    Readable("delete_on", "a date", False, "Under `lifecycle.deactivation`: the day from which it may be deleted."),
    Readable("jobs", "a table", False, "Everywhere: the lookup table of that name, as any name under `tables`."),
)
"""Names that are told in one line each."""


def readables() -> dict[str, tuple[Readable, ...]]:
    """Everything that can be read, by what it is a field of.

    Raises:
        LookupError: There is a name that this page does not know of.
    """
    known = {root.split(".")[0] for root in ROOTS} | {one.path for one in LOOSE}
    unknown = {name for scope in scopes().values() for name in scope.variables} - known
    if unknown:
        raise LookupError(f"what is {', '.join(sorted(unknown))}?")
    return {root: tuple(_fields(root, _type_at(root))) for root in ROOTS}


def _type_at(root: str) -> Type:
    first, *steps = root.split(".")
    type_ = next(scope.variables[first].type for scope in scopes().values() if first in scope.variables)
    for step in steps:
        type_ = type_.fields[step].type
    return type_


def _fields(root: str, type_: Type) -> Iterator[Readable]:
    for word, field in type_.fields.items():
        path = f"{root}.{word}"
        if word == "extra":
            inner, further = next(iter(field.type.fields.items()))
            yield Readable(
                f"{path}.{inner}",
                further.type.name,
                further.nullable,
                f"Any name under `extra` in the mapping; here `{inner}`.",
            )
        else:
            yield Readable(path, field.type.name, field.nullable, field.doc)


def variables_reference() -> str:
    """Tables of everything that can be read."""
    shown = field_examples()
    parts = []
    for root, fields in readables().items():
        rows = (
            (code(one.path), one.type, "yes" if one.nullable else "no", plain(one.meaning), code(shown[one.path]))
            for one in fields
        )
        parts += [f"### `{root}`", f"Can be read {PLACES[root]}.", table(_FIELD_HEADER, rows)]
    further = ((code(one.path), one.type, one.meaning, code(shown[one.path])) for one in LOOSE)
    parts += ["### Further names", table(("name", "type", "meaning", "example"), further)]
    return "\n\n".join(parts)


_FIELD_HEADER = ("field", "type", "can be missing", "meaning", "example")


def field_examples() -> dict[str, str]:
    """An expression for every field."""
    return TypeAdapter(dict[str, str]).validate_python(yaml.safe_load(_text("fields.yaml")))


# ---------------------------------------------------------------- operators, filters, tests


def operator_examples() -> list[dict[str, str]]:
    """Every operator with what it means."""
    return TypeAdapter(list[dict[str, str]]).validate_python(yaml.safe_load(_text("operators.yaml")))


def operators_reference() -> str:
    """The operators."""
    rows = ((code(one["example"]), one["meaning"]) for one in operator_examples())
    return table(("expression", "meaning"), rows)


def filters_reference() -> str:
    """The filters, `default` among them."""
    rows = [
        (code(_signature(name, known)), known.takes.name, known.gives.name, plain(known.doc), *map(code, known.example))
        for name, known in FILTERS.items()
    ]
    meaning, example = DEFAULT_DOC
    rows.append((code("default(value)"), "any", "the same", meaning, *map(code, example)))
    return table(("filter", "takes", "gives", "meaning", "example", "result"), sorted(rows))


def _signature(name: str, known: Filter) -> str:
    arguments = [one.name if one.default is None else f"{one.name}='{one.default}'" for one in known.parameters]
    return f"{name}({', '.join(arguments)})" if arguments else name


def tests_reference() -> str:
    """The tests."""
    rows = (
        (
            code(f"is {name}"),
            known.takes.name if known.takes else "any" if name == "defined" else "a unit",
            plain(known.doc),
            code(known.example[0]),
            known.example[1],
        )
        for name, known in TESTS.items()
    )
    return table(("test", "takes", "meaning", "example", "true when"), rows)


def _text(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")
