"""What rules can name: `person`, `affiliation`, `unit`, `class_group`, `target`, tables, identifiers and conditions.

Compiled code takes the parameters of `BASE`, rules of groups those of `GROUP`. `affiliation.unit` is the parameter
`home`, since an affiliation only holds its unit's code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

import msgspec

from eadm_sync.expression import Field, Scope, Type, Variable
from eadm_sync.expression.scope import (
    BOOL,
    DATE,
    LIST,
    NUMBER,
    TEXT,
    Access,
    attribute,
    computed,
    key,
    name,
    parameter,
    row_type,
)
from eadm_sync.model import Affiliation
from eadm_sync.ruleset.tables import Table
from eadm_sync.ruleset.vocabulary import TargetWords, Vocabulary

BASE = ("person", "affiliation", "home", "identify", "reveal")
"""Parameters of compiled conditions and templates: a Person, an Affiliation, its UnitNode, and two functions."""

GROUP = (*BASE, "unit", "class_group", "role")
"""Parameters of what belongs to a group rule: further a UnitNode, a ClassNode, and the person's role in the class."""


IDENTIFIER_LOCAL = "identifier_"
"""What variables of compiled code that hold an identifier begin with."""


class Words(msgspec.Struct, frozen=True):
    """What the files of one ruleset name.

    Attributes:
        vocabulary: The configuration's words.
        tables: By name.
        identifiers: Names of the identifiers.
        fold: The fold table.
    """

    vocabulary: Vocabulary
    tables: Mapping[str, Table] = {}
    identifiers: tuple[str, ...] = ()
    fold: Mapping[str, str] = {}


def condition_scope(words: Words) -> Scope:
    """What a named condition can read; such a condition serves every kind of rule."""
    return Scope(BASE, _common(words), fold=words.fold)


def rule_scope(words: Words, target: TargetWords, conditions: Scope, *, each: str | None = None) -> Scope:
    """What a rule's templates and its `when` can read.

    Args:
        words: What the files name.
        target: The rule's target.
        conditions: A scope that holds the named conditions.
        each: A group rule's `for_each`, or None for accounts and licences.
    """
    variables = {**_common(words), **_identifiers(words), "target": _target(target)}
    if each == "unit_path":
        variables["unit"] = Variable(_unit_type(words.vocabulary.unit_extra), parameter("unit"))
    if each == "class":
        variables["class_group"] = Variable(_class_type(words.vocabulary.unit_extra), parameter("class_group"))
    return Scope(GROUP if each else BASE, variables, conditions.conditions, words.fold)


def candidate_scope(words: Words) -> Scope:
    """What a candidate of an identifier can read: besides person and affiliation the counter `n`."""
    return Scope((*BASE, "n"), {**_common(words), "n": Variable(TEXT, parameter("n"))}, fold=words.fold)


def deactivation_scope(words: Words, target: TargetWords) -> Scope:
    """What the templates of a deactivated account can read: no affiliation counts any more, and names stay."""
    days = {word: Variable(DATE, parameter(word)) for word in ("deactivated_on", "delete_on")}
    common = {word: variable for word, variable in _common(words).items() if word != "affiliation"}
    return Scope(("person", *days), {**common, **days, "target": _target(target)}, fold=words.fold)


def alias_scope(target: TargetWords, fold: Mapping[str, str]) -> Scope:
    """What the template of an alias can read."""
    variables = {"former": Variable(TEXT, parameter("former")), "target": _target(target)}
    return Scope(("former",), variables, fold=fold)


def correlation_scope(person_extra: frozenset[str]) -> Scope:
    """What a target's match rules can read: the person, whoever they are and wherever they work."""
    return Scope(("person", "reveal"), {"person": Variable(_person_type(person_extra), parameter("person"))})


def _common(words: Words) -> dict[str, Variable]:
    vocabulary = words.vocabulary
    unit = _unit_type(vocabulary.unit_extra)
    variables = {
        "person": Variable(_person_type(vocabulary.person_extra), parameter("person")),
        "affiliation": Variable(
            _affiliation_type(vocabulary.affiliation_extra, unit, vocabulary.kinds), parameter("affiliation")
        ),
    }
    for word, table in words.tables.items():
        row = row_type(table.columns, nullable=True, type_name=f"a row of {word}")
        variables[word] = Variable(Type("a table", row=row), _bound(word, table.rows))
    return variables


def _bound(stem: str, value: object) -> Access:
    return lambda _base, bind: bind(stem, value)


def _constant(text: str) -> Access:
    return lambda _base, _bind: ast.Constant(text)


def _target(target: TargetWords) -> Variable:
    fields = {word: Field(TEXT, _constant(text), nullable=False) for word, text in target.variables.items()}
    return Variable(Type("a target", fields), _constant(""))


def identifier_local(word: str) -> str:
    """The variable of compiled code that holds an identifier; the code's maker fills it before."""
    return f"{IDENTIFIER_LOCAL}{word}"


def _identifiers(words: Words) -> dict[str, Variable]:
    return {word: Variable(TEXT, parameter(identifier_local(word)), nullable=True) for word in words.identifiers}


def _extra(names: frozenset[str]) -> Field:
    fields = {word: Field(TEXT, key(word), doc="As mapped in the configuration.") for word in sorted(names)}
    return Field(Type("further fields", fields), attribute("extra"), nullable=False)


def _plain(word: str, doc: str, kind: Type = TEXT, *, nullable: bool = True) -> Field:
    return Field(kind, attribute(word), nullable=nullable, doc=doc)


def _revealed(base: ast.expr, _bind: object) -> ast.expr:
    """Deciphers a sealed field: `base.national_id and reveal(base.national_id)`."""
    sealed = ast.Attribute(base, "national_id", ast.Load())
    return ast.BoolOp(ast.And(), [sealed, ast.Call(name("reveal"), [sealed], [])])


def _person_type(extra: frozenset[str]) -> Type:
    return Type(
        "a person",
        {
            "given_name": _plain("given_name", "All given names.", nullable=False),
            "family_name": _plain("family_name", "Family name.", nullable=False),
            "birth_date": _plain("birth_date", "Date of birth.", DATE),
            "national_id": Field(TEXT, _revealed, sensitive=True, doc="National id; what it goes into is encrypted."),
            "employee_number": _plain("employee_number", "Number in the HR system."),
            "email": _plain("email", "Address known to the source."),
            "mobile": _plain("mobile", "Mobile number."),
            "username": _plain("username", "A username the source insists on."),
            "id": _plain("id", "What the person is known by here; never changes.", nullable=False),
            "extra": _extra(extra),
        },
    )


def _class_codes(affiliation: object) -> list[str]:
    return [place.code for place in affiliation.classes] if isinstance(affiliation, Affiliation) else []


def _affiliation_type(extra: frozenset[str], unit: Type, kinds: frozenset[str]) -> Type:
    return Type(
        "an affiliation",
        {
            "kind": Field(
                TEXT, attribute("kind"), nullable=False, doc="employee, pupil, teacher, …", values=kinds or None
            ),
            "unit": Field(unit, parameter("home"), nullable=False, doc="Where it is."),
            "title": _plain("title", "Job title or the like."),
            "fraction": _plain("fraction", "Share of a full position, 0-1.", NUMBER),
            "start": _plain("start", "First day.", DATE),
            "end": _plain("end", "Last day.", DATE),
            "primary": _plain("primary", "Whether the source calls it the main one.", BOOL, nullable=False),
            "leave": _plain("leave", "Leave code while on leave of absence."),
            "classes": Field(LIST, computed("class_codes", _class_codes), nullable=False, doc="Codes of its classes."),
            "source": _plain("source", "Name of the source it came from.", nullable=False),
            "id": _plain("id", "Unique among the person's affiliations.", nullable=False),
            "extra": _extra(extra),
        },
    )


def _unit_type(extra: frozenset[str]) -> Type:
    unit = Type("a unit", unit=True)
    manager = Type(
        "a manager",
        {
            "given_name": _plain("given_name", "The manager's given names."),
            "family_name": _plain("family_name", "The manager's family name."),
            "employee_number": _plain("employee_number", "The manager's number in the HR system."),
            "email": _plain("email", "The manager's address."),
            "id": _plain("id", "The manager's id: compare with person.id."),
        },
    )
    unit.fields.update(
        {
            "code": _plain("code", "The unit's code."),
            "name": _plain("name", "The unit's name."),
            "kind": _plain("kind", "school, department, …"),
            "parent": Field(unit, attribute("parent"), nullable=False, doc="The unit above."),
            "manager": Field(manager, attribute("manager"), nullable=False, doc="Who manages it."),
            "path": _plain("path", "Names from the root down to the unit.", LIST, nullable=False),
            "codes": _plain("codes", "Codes from the root down to the unit.", LIST, nullable=False),
            "extra": _extra(extra),
        }
    )
    return unit


def _class_type(unit_extra: frozenset[str]) -> Type:
    return Type(
        "a class group",
        {
            "code": _plain("code", "The class group's code.", nullable=False),
            "name": _plain("name", "As people call it."),
            "kind": _plain("kind", "class or teaching."),
            "grade": _plain("grade", "School year, as the source writes it."),
            "subject": _plain("subject", "Subject."),
            "unit": Field(_unit_type(unit_extra), attribute("unit"), nullable=False, doc="The school."),
            "role": Field(
                TEXT,
                parameter("role"),
                nullable=False,
                doc="The person's role in it: pupil or teacher.",
                values=frozenset({"pupil", "teacher"}),
            ),
        },
    )
