"""How a source's tables become people: a template for every field, one entry for every table that is read.

Templates are in the expression language, with the columns of the table as `row.<column>`; text without `{{` is a
constant. `where:` is a condition; rows that do not meet it are passed over. A field without a template stays empty:
what no rule needs is best not mapped, since only mapped fields are stored.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from eadm_sync.model import Affiliation, Person, Unit


def _as_text(value: Any) -> Any:
    """`primary: true` and `fraction: 1` are constants; they are kept as the text they stand for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


Template = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | bool | int | float)]
ExtraName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

# An extra field of such a name would hide the field itself from rulesets.
_PERSON_WORDS = frozenset(Person.__struct_fields__)
_AFFILIATION_WORDS = frozenset(Affiliation.__struct_fields__)
_UNIT_WORDS = frozenset({*Unit.__struct_fields__, "path"})


class Entry(BaseModel):
    """What every entry of a mapping has.

    Attributes:
        from_: Name of the table (`from:` in the file).
        where: Condition that a row must meet, or None for all rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    from_: str = Field(alias="from", min_length=1, description="The source's table that is read.")
    where: str | None = Field(
        None, description="Condition in the expression language; rows that do not meet it are passed over."
    )

    def templates(self) -> dict[str, str]:
        """The templates that were given, by field; those of `extra` as `extra.<name>`. `from` and `where` left out."""
        out: dict[str, str] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name == "extra":
                out |= {f"extra.{key}": text for key, text in value.items()}
            elif value is not None and name not in {"from_", "where"}:
                out[name] = value
        return out


def _field(description: str) -> Any:
    return Field(None, description=description)


def _extra(words: frozenset[str]) -> Any:
    def refuse_taken(value: Any) -> Any:
        taken = sorted(words & set(value)) if isinstance(value, dict) else []
        if taken:
            raise ValueError(f"'{taken[0]}' is a field of its own, and cannot be an extra one")
        return value

    return BeforeValidator(refuse_taken, json_schema_input_type=dict[ExtraName, Template])


class PeopleMap(Entry):
    """A table with one row for each person."""

    key: Template = Field(description="What tells one person from another in this source; never empty, never reused.")
    given_name: Template | None = _field("All given names.")
    family_name: Template | None = _field("Family name.")
    birth_date: Template | None = _field("Date of birth, in one of the source's date formats.")
    national_id: Template | None = _field("Norwegian national id or D-number; checked, and stored encrypted.")
    former_key: Template | None = _field(
        "The key that this source had for the same human being before, where it tells: the accounts are kept."
    )
    former_national_id: Template | None = _field(
        "The D-number or national id that the person had before, where the source tells; used for the same."
    )
    employee_number: Template | None = _field("Number in the HR system.")
    email: Template | None = _field("Address known to the source.")
    mobile: Template | None = _field("Mobile number.")
    username: Template | None = _field("A username that the source insists on.")
    deceased: Template | None = _field(
        "Whether the person has died, as `primary`: accounts are then disabled at once, without grace."
    )
    extra: Annotated[dict[ExtraName, Template], _extra(_PERSON_WORDS)] = Field(
        {}, description="Further fields, which rulesets read as `person.extra.<name>`."
    )


class AffiliationsMap(Entry):
    """A table with one row for each tie of a person to a unit."""

    person: Template = Field(description="The person's key, as in `people`.")
    key: Template = Field(description="What tells one affiliation of the person from another.")
    kind: Template = Field(description="A lower-case word: employee, substitute, pupil, teacher, external, …")
    unit: Template | None = _field("Code of the unit.")
    title: Template | None = _field("Job title or the like.")
    fraction: Template | None = _field("Share of a full position: 0.8, 0,8, 80 or 80%.")
    start: Template | None = _field("First day; empty for always.")
    end: Template | None = _field("Last day, included; empty for until further notice.")
    primary: Template | None = _field("Whether it is the main one: true or false, 1 or 0, yes or no, ja or nei.")
    leave: Template | None = _field("Leave-of-absence code while on leave.")
    extra: Annotated[dict[ExtraName, Template], _extra(_AFFILIATION_WORDS)] = Field(
        {}, description="Further fields, which rulesets read as `affiliation.extra.<name>`."
    )


class UnitsMap(Entry):
    """A table with one row for each unit of the organisation tree."""

    code: Template = Field(description="The unit's code, unique in the installation.")
    name: Template | None = _field("As people call it.")
    kind: Template | None = _field("school, department, …")
    parent: Template | None = _field("Code of the unit above; empty at the top.")
    manager: Template | None = _field("Key of the person who manages it, as in `people`.")
    extra: Annotated[dict[ExtraName, Template], _extra(_UNIT_WORDS)] = Field(
        {}, description="Further fields, which rulesets read as `affiliation.unit.extra.<name>`."
    )


class ClassGroupsMap(Entry):
    """A table with one row for each school class or teaching group."""

    code: Template = Field(description="The class group's code, unique in the installation.")
    name: Template | None = _field("As people call it: 5A.")
    unit: Template | None = _field("Code of the school.")
    kind: Template | None = _field("class or teaching.")
    grade: Template | None = _field("School year.")
    subject: Template | None = _field("Subject.")


class ClassMembershipsMap(Entry):
    """A table with one row for each person in a class group."""

    person: Template = Field(description="The person's key, as in `people`.")
    class_group: Template = Field(description="The class group's code, as in `class_groups`.")
    role: Template = Field(description="pupil or teacher.")
    unit: Template | None = _field("Code of the unit whose affiliation it belongs to; empty: the class group's unit.")
    start: Template | None = _field("First day; empty for always.")
    end: Template | None = _field("Last day, included; empty for until further notice.")


def _listed(value: Any) -> Any:
    """One entry may stand for a list of one."""
    return [value] if isinstance(value, (dict, Entry)) else value


class MapSettings(BaseModel):
    """How a source's tables become people. Each part is one entry or a list of entries."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: Annotated[
        tuple[PeopleMap, ...], BeforeValidator(_listed, json_schema_input_type=PeopleMap | list[PeopleMap])
    ] = Field((), description="Tables of people.")
    affiliations: Annotated[
        tuple[AffiliationsMap, ...],
        BeforeValidator(_listed, json_schema_input_type=AffiliationsMap | list[AffiliationsMap]),
    ] = Field((), description="Tables of affiliations: employment positions, school enrolments.")
    units: Annotated[
        tuple[UnitsMap, ...], BeforeValidator(_listed, json_schema_input_type=UnitsMap | list[UnitsMap])
    ] = Field((), description="Tables of units.")
    class_groups: Annotated[
        tuple[ClassGroupsMap, ...],
        BeforeValidator(_listed, json_schema_input_type=ClassGroupsMap | list[ClassGroupsMap]),
    ] = Field((), description="Tables of class groups.")
    class_memberships: Annotated[
        tuple[ClassMembershipsMap, ...],
        BeforeValidator(_listed, json_schema_input_type=ClassMembershipsMap | list[ClassMembershipsMap]),
    ] = Field((), description="Tables of people in class groups.")
