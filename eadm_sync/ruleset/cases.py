"""What a file of ruleset tests may say: invented people on a day, and what they shall and shall not get.

The JSON Schema is made from these models, as that of rulesets is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
)

from eadm_sync.ruleset.document import AttributeValue, Day, Text


def _something(expected: Expected) -> Expected:
    if not expected.model_fields_set - {"exactly"} and not expected.exactly:
        raise ValueError("expects nothing: name what is given, or write 'exactly: true' for nothing at all")
    return expected


Number = Annotated[float, Field(ge=0, le=10)]
Role = Literal["member", "owner", "manager"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UnitEntry(_Entry):
    """A unit of the organisation tree."""

    code: Text = Field(description="Its code.")
    name: StrictStr = Field("", description="As people call it.")
    kind: Text | None = Field(None, description="school, department, …")
    parent: Text | None = Field(None, description="Code of the unit above.")
    manager: Text | None = Field(
        None, description="Who manages it: a name under `people`, or `person` for the person of the case."
    )
    extra: dict[StrictStr, StrictStr] = Field({}, description="Further mapped fields.")


class ClassGroupEntry(_Entry):
    """A school class or teaching group."""

    code: Text = Field(description="Its code.")
    name: StrictStr = Field("", description="As people call it.")
    unit: Text | None = Field(None, description="Code of the school.")
    kind: Literal["class", "teaching"] | None = Field(None, description="class or teaching.")
    grade: Text | None = Field(None, description="School year.")
    subject: Text | None = Field(None, description="Subject.")


class PersonEntry(_Entry):
    """An invented person; what is left out is missing."""

    given_name: StrictStr = Field("", description="All given names.")
    family_name: StrictStr = Field("", description="Family name.")
    birth_date: Day | None = Field(None, description="Date of birth.")
    national_id: Text | None = Field(None, description="An invented national id; plain text here.")
    employee_number: Text | None = Field(None, description="Number in the HR system.")
    email: Text | None = Field(None, description="Address known to the source.")
    mobile: Text | None = Field(None, description="Mobile number.")
    username: Text | None = Field(None, description="A username the source insists on.")
    deceased: StrictBool = Field(False, description="Whether the person has died.")
    extra: dict[StrictStr, StrictStr] = Field({}, description="Further mapped fields.")


class ClassEntry(_Entry):
    """A place in one class group."""

    code: Text = Field(description="The class group's code.")
    role: Literal["pupil", "teacher"] = Field(description="pupil or teacher.")
    start: Day | None = Field(None, description="First day; always where left out.")
    end: Day | None = Field(None, description="Last day, included; until further notice where left out.")


class AffiliationEntry(_Entry):
    """An employment position or a school enrolment."""

    kind: Text = Field(description="employee, pupil, teacher, …")
    unit: Text | None = Field(None, description="Code of its unit.")
    title: Text | None = Field(None, description="Job title.")
    fraction: Number | None = Field(None, description="Share of a full position, 0-1.")
    start: Day | None = Field(None, description="First day; always where left out.")
    end: Day | None = Field(None, description="Last day, included; until further notice where left out.")
    primary: StrictBool = Field(False, description="Whether the source calls it the main one.")
    leave: Text | None = Field(None, description="Leave code while on leave of absence.")
    source: Text = Field("test", description="Name of the source.")
    classes: list[ClassEntry] = Field([], description="Class groups attended or taught.")
    extra: dict[StrictStr, StrictStr] = Field({}, description="Further mapped fields.")


class ExpectedAccount(_Entry):
    """An account that is given; only what is named is compared."""

    rule: Text | None = Field(None, description="The rule that shapes it: `ruleset/rule`.")
    container: Text | None = Field(None, description="Where it stands.")
    attributes: dict[StrictStr, AttributeValue] = Field({}, description="Values of attributes.")
    scripts: list[Text] | None = Field(
        None, description="All programs that follow its creation (`after`), by name; `[]` for none."
    )


class Refused(_Entry):
    """What the person must not get."""

    accounts: list[Text] = Field([], description="Targets without an account.")
    attributes: dict[Text, list[Text]] = Field({}, description="By target: attributes that stay empty.")
    groups: dict[Text, list[Text]] = Field({}, description="By target: groups, by key or name.")
    licences: dict[Text, list[Text]] = Field({}, description="By target: products.")


class Expected(_Entry):
    """What the rules shall come to; only what is named is compared, unless `exactly`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    stage: Literal["future", "pre-hire", "active", "leave", "grace", "ended"] | None = Field(
        None, description="Stage of the lifecycle."
    )
    enabled: StrictBool | None = Field(None, description="Whether the accounts are enabled.")
    accounts: dict[Text, ExpectedAccount | None] = Field(
        {}, description="By target; without anything behind it, any account will do."
    )
    groups: dict[Text, list[Text] | dict[Text, Role]] = Field(
        {}, description="By target: groups by key or name, as a list or with the role in each."
    )
    member_of: dict[Text, dict[Text, list[Text]]] = Field(
        {},
        description="By target: of the person's groups, by key or name, all groups that each is in itself.",
    )
    licences: dict[Text, list[Text]] = Field({}, description="By target: products.")
    refused: Refused = Field(Refused(), alias="not", description="What must not be there.")
    exactly: StrictBool = Field(False, description="Nothing but what is named may be there, attributes included.")


class CaseEntry(_Entry):
    """One person on one day."""

    case: Text = Field(description="What it shows, in a few words; unique in the file.")
    on: Day = Field(description="The day.")
    person: PersonEntry = Field(description="The person.")
    affiliations: list[AffiliationEntry] = Field([], description="Positions and enrolments.")
    units: list[UnitEntry] = Field([], description="Further units, or others of the same code, for this case.")
    class_groups: list[ClassGroupEntry] = Field([], description="As `units`, for class groups.")
    identifiers: dict[Text, Text] = Field({}, description="Names that the person has already.")
    taken: dict[Text, list[Text]] = Field({}, description="Names that other people have.")
    expect: Annotated[Expected, AfterValidator(_something)] = Field(description="What the rules shall come to.")


class CaseFile(_Entry):
    """Ruleset tests. Read the ruleset reference for what the rules can say."""

    organisation: Text | None = Field(
        None, description="Another file of this folder, whose units, class groups and people are used here too."
    )
    units: list[UnitEntry] = Field([], description="The organisation tree.")
    class_groups: list[ClassGroupEntry] = Field([], description="Classes and teaching groups.")
    people: dict[Text, PersonEntry] = Field({}, description="Managers of units, by the name that units call them.")
    cases: list[CaseEntry] = Field([], description="The tests.")


def cases_schema() -> dict[str, Any]:
    """JSON Schema (draft 7, as editors know it) of one file of ruleset tests, with a description of every key."""
    schema = CaseFile.model_json_schema()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **schema,
        "title": "eadm-sync ruleset tests",
        "description": "Invented people on a day, and what the rules shall and shall not give them.",
    }
