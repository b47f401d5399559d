"""What a ruleset file may say: its keys, with a description of each. The JSON Schema is made from these models."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from eadm_sync.model import OnLeave

RESERVED = frozenset(
    [
        "person",
        "affiliation",
        "unit",
        "class_group",
        "target",
        "n",
        "row",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
    ]
)
"""Words of the language, which no condition, table or identifier can be called."""

_NAME = r"^[a-z][a-z0-9_]*$"
_RULE = r"^[a-z0-9][a-z0-9_-]*$"


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"'{name}' is a word of the language")
    return name


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _attribute(value: Any) -> Any:
    if value is None:
        raise ValueError('is empty: write "" for an attribute that shall be empty')
    good = isinstance(value, str | bool | int) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )
    if not good:
        raise ValueError("must be text, a whole number, true or false, or a list of texts")
    return value


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a date: YYYY-MM-DD")  # noqa: TRY004 - pydantic reports ValueError only
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date: YYYY-MM-DD") from None


Text = Annotated[StrictStr, Field(min_length=1)]
Texts = Annotated[
    list[Text],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}]}),
]
Name = Annotated[StrictStr, Field(pattern=_NAME), AfterValidator(_not_reserved)]
RuleName = Annotated[StrictStr, Field(pattern=_RULE, description="Name of the rule, unique in the file.")]
AttributeValue = Annotated[
    Any,
    BeforeValidator(_attribute),
    WithJsonSchema(
        {"anyOf": [{"type": ["string", "boolean", "integer"]}, {"type": "array", "items": {"type": "string"}}]}
    ),
]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Days = Annotated[StrictInt, Field(ge=0, le=36_500)]

When = Annotated[
    Texts | None, Field(description="Condition under which the rule holds; a list holds when all of it does.")
]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _RuleEntry(_Entry):
    """What every rule can say."""

    rule: RuleName
    target: Text = Field(description="Name of the target, as in the configuration.")
    first_day: Day | None = Field(
        None, alias="from", description="First day on which the rule is in force; always where left out."
    )
    last_day: Day | None = Field(
        None, alias="until", description="Last day on which it is, included; until further notice where left out."
    )
    when: When = None
    overlap_days: Days | None = Field(
        None,
        description="Somebody who has moved keeps what the rule gave so many days from the day on which it no longer "
        "holds; as `lifecycle` says where left out.",
    )


Policy = Literal["overwrite", "report", "initial-only"]
Reaction = Literal["overwrite", "report"]

RuleDrift = Annotated[
    dict[StrictStr, Policy],
    Field(
        description="What becomes of a value that somebody changed in the target by hand, by attribute, or `container`"
        " (of groups `members` too): `overwrite` puts it back, `report` tells of it and leaves it alone until somebody"
        " decides, `initial-only` is written at creation and is the target's own from then on. As `drift` of the"
        " target says where left out."
    ),
]


_Event = Literal["create", "restore", "enable", "disable", "rename", "delete"]
_ONE_EVENT = {"type": "string", "enum": list(get_args(_Event))}


class AfterEntry(_Entry):
    """A program that is run after changes to the accounts that the rule gives, as items of the export queue.

    It is run at least once for each change: it has to be safe to repeat.
    """

    script: Text = Field(description="Name of the program, as under `scripts` in the configuration.")
    name: RuleName | None = Field(
        None, description="What it is called here, unique in the rule; the name of the program where left out."
    )
    on: Annotated[
        list[_Event],
        BeforeValidator(_listed),
        Field(min_length=1),
        WithJsonSchema({"anyOf": [_ONE_EVENT, {"type": "array", "items": _ONE_EVENT, "minItems": 1}]}),
    ] = Field(
        description="The changes that it follows: an account was made, taken out of a recycle bin, enabled, disabled, "
        "called otherwise, or deleted. An account that is enabled when it is made is made only."
    )
    arguments: list[Text] = Field(
        [],
        description="Templates, one for each argument; there is no shell. Besides what attributes can read there are "
        "`account.<attribute>`, what the account holds, and `event`. After `disable` and `delete` no affiliation can "
        "be read. What would be empty, hold a line break, or begin with a dash that comes from a record, is refused.",
    )
    existing: Literal["skip", "run"] = Field(
        "skip",
        description="Whether it is run once for accounts that are there already when the rule comes to ask for it; "
        "needs `create` among the changes.",
    )


class AccountEntry(_RuleEntry):
    """An account for everybody who has an affiliation for which `when` holds."""

    container: Text | None = Field(None, description="Template of where the account stands.")
    attributes: dict[StrictStr, AttributeValue] = Field(
        {}, description="Template of each attribute. What renders to nothing leaves the attribute empty."
    )
    after: list[AfterEntry] = Field([], description="Programs that are run after changes to its accounts, in order.")
    password: Text | None = Field(
        None,
        description="Name of the policy, under `passwords`, that a new account's first password is made by; none is "
        "given where left out. There is one for all targets: where rules for one person name several policies, the one "
        "that stands first under `passwords` counts.",
    )
    drift: RuleDrift = {}
    send: dict[StrictStr, Literal["hash", "encrypted"]] = Field(
        {},
        description="Attributes that are not sent in clear: as a keyed hash, the same for the same value wherever it is"
        " sent, or encrypted, to be read with `key open`. All rules of a target say the same of an attribute.",
    )


class GroupEntry(_RuleEntry):
    """Groups, one for each name that the template gives, with those as members for whom `when` holds."""

    for_each: Literal["affiliation", "class", "person", "unit_path"] = Field(
        "affiliation",
        description="What gives a group: each affiliation, each class group, the person once, "
        "or the affiliation's unit and each unit above it.",
    )
    name: Text = Field(description="Template of the group's name.")
    key: Text | None = Field(
        None, description="Template of what the group is known by when its name changes; the name where left out."
    )
    container: Text | None = Field(None, description="Template of where the group stands.")
    attributes: dict[StrictStr, AttributeValue] = Field(
        {}, description="Template of each further attribute; only what is the same for all members can be read."
    )
    drift: RuleDrift = {}
    member_of: Texts | None = Field(
        None,
        description="Groups of the same target that each of these groups is in itself: templates of their keys, or of "
        "their names where their rule gives no key. One in which an expression renders to nothing is left out. What no "
        "rule asks for any more is ended.",
    )
    nested: StrictBool = Field(
        False,
        description="For `unit_path`: people are in the group of the nearest unit only, and each group is in that of "
        "the next unit above, instead of everybody being in all of them.",
    )
    role: Literal["member", "owner", "manager"] = Field("member", description="Role of the members in the group.")
    mode: Literal["exact", "add-only"] = Field(
        "exact",
        description="Whether members for whom `when` no longer holds are taken out (exact), or stay for as long as "
        "the rules give them an account (add-only).",
    )
    when_empty: Literal["keep", "delete"] = Field(
        "keep", description="What becomes of a group that this rule made and nobody is in any more, or shall be."
    )


class LicenceEntry(_RuleEntry):
    """A licence for everybody who has an account in the target and an affiliation for which `when` holds.

    Where there are fewer seats than people, those who have one keep it, and the others wait until there are more.
    """

    sku: Text = Field(description="The product, as the target calls it.")
    exclusive: Text | None = Field(
        None, description="Of the rules with this word, the first that holds gives its licence and the others do not."
    )


class IdentifierEntry(_Entry):
    """A name that is given to one person for good: the first candidate that is free."""

    candidates: Annotated[list[Text], Field(min_length=1)] = Field(
        description="Templates, tried in order; one that reads `n` is tried with 2, 3, 4 … and must be there."
    )
    unique_in: list[Text] = Field(
        [],
        description="Where the name must be free, each as `target.attribute`, besides all names given before: no other "
        "person's account that we manage may hold there what a rule would make of the name.",
    )
    max_length: Annotated[StrictInt, Field(ge=1, le=256)] | None = Field(
        None,
        description="Longest name, in characters; a longer one is cut before its number. What the attributes of "
        "`unique_in` can hold is a limit too.",
    )
    on_rename: Literal["keep", "follow"] = Field(
        "keep",
        description="What happens when the name is none that the patterns would give the person today: it is kept for "
        "good, or a new one is given (follow). The old one is never given to anybody else.",
    )
    forbidden: list[Text] = Field([], description="Names that are never given, whatever the case of the letters.")


class DeactivationEntry(_Entry):
    """What becomes of an account of one target, besides being disabled, from its deactivation to its deletion.

    Templates can read `person`, `target`, tables, and the dates `deactivated_on` and `delete_on`. Whoever returns gets
    back what the rules say then.
    """

    container: Text | None = Field(None, description="Template of where a deactivated account is moved to.")
    attributes: dict[StrictStr, AttributeValue] = Field(
        {},
        description="Template of each attribute that a deactivated account holds instead of what the rules said; what "
        "renders to nothing is emptied. All others stay as they were.",
    )
    remove_groups: StrictBool = Field(True, description="Whether it is taken out of the groups of this target.")
    remove_licences: StrictBool = Field(True, description="Whether its licences in this target are taken away.")
    revoke_sessions: StrictBool = Field(
        True, description="Whether who is signed in with it is signed out, where the target has sessions."
    )


class AliasEntry(_Entry):
    """An account attribute in which former values of another stay, so that old addresses still reach whoever had them.

    A former value stands there beside what rules put into the attribute. Whether anybody else could be given it is a
    matter of `identifiers`: a name that was given once is never given to another person.
    """

    attribute: StrictStr = Field(description="The attribute they stand in; one of many values.")
    of: StrictStr = Field(description="The attribute whose former values they are.")
    keep_days: Days | None = Field(
        None, description="For how many days after they were replaced; null, and where left out: for ever."
    )
    form: Text = Field(
        "{{ former }}", description="Template of what stands there; `former` is the former value, `target` can be read."
    )


class LifecycleEntry(_Entry):
    """How long before and after an affiliation accounts live, in days."""

    create_days_before_start: Days = Field(14, description="Accounts are made, disabled, so many days before start.")
    enable_days_before_start: Days = Field(1, description="Accounts are enabled so many days before start.")
    grace_days: Days = Field(0, description="Accounts stay enabled so many days after the last day.")
    retention_days: Days = Field(365, description="A disabled account is deleted after so many days.")
    purge_days: Days = Field(
        365,
        description="Personal data of whoever is missing from every source, and has no account left, is removed after "
        "so many days.",
    )
    reserve_days: Days | None = Field(
        None,
        description="After that, nobody else is given one of their names for so many days; null, and where left out: "
        "for ever.",
    )
    overlap_days: Days = Field(
        0,
        description="Somebody who has moved keeps accounts, groups and licences that rules no longer give so many days "
        "from the day on which a run first finds it; whoever leaves does not.",
    )
    leave: dict[Text, OnLeave] = Field(
        {},
        description="By leave code of an affiliation: `keep` changes nothing; `disable` disables accounts unless "
        "another affiliation keeps them enabled; `strip` lets the affiliation earn accounts only, without groups and "
        "licences.",
    )
    leave_default: OnLeave = Field("keep", description="The same for all other leave codes.")
    aliases: dict[Text, Annotated[list[AliasEntry], Field(min_length=1)]] = Field(
        {}, description="By target: which former values an account keeps when its person is renamed."
    )
    deactivation: dict[Text, DeactivationEntry] = Field(
        {},
        description="By target: what a deactivated account looks like. In a target left out it is disabled, and "
        "loses its groups and licences.",
    )


class DriftEntry(_Entry):
    """What becomes of what somebody changed in one target by hand, where no rule says otherwise.

    `overwrite` puts it back by the next plan, `report` tells of it and leaves it alone until somebody decides.
    """

    attributes: Reaction = Field("overwrite", description="Attributes of accounts and groups.")
    container: Policy = Field("overwrite", description="Accounts and groups that were moved.")
    disabled: Reaction = Field(
        "report",
        description="Accounts that were disabled though the rules give them: to enable them again could help an "
        "intruder who was just locked out.",
    )
    enabled: Reaction = Field("overwrite", description="Accounts that were enabled though the rules disable them.")
    deleted: Reaction = Field(
        "overwrite",
        description="Accounts that were deleted though the rules give them: made anew, or taken out of the recycle "
        "bin. Deleted groups are always made anew.",
    )
    members: Reaction = Field("overwrite", description="Accounts and groups of ours put into, or out of, our groups.")
    licences: Reaction = Field("overwrite", description="Licences that were given to, or taken from, our accounts.")


CharacterClass = Literal["lower", "upper", "digits", "symbols"]


class PasswordEntry(_Entry):
    """How first passwords of one kind are made: of characters, or, where `words` names a file, of words and digits.

    Characters that look alike (I l 1, O o 0) are left out. A password holds no part of its owner's names, does for
    every target that takes passwords, and is the same in all of them.
    """

    length: Annotated[StrictInt, Field(ge=6, le=128)] = Field(12, description="How many characters.")
    classes: Annotated[list[CharacterClass], Field(min_length=1)] = Field(
        ["lower", "upper", "digits"], description="Kinds of characters; each is in every password."
    )
    words: Text | None = Field(
        None, description="A text file below this file's folder, with one word in each line, that words are drawn from."
    )
    word_count: Annotated[StrictInt, Field(ge=1, le=12)] = Field(3, description="How many words; only with `words`.")
    separator: Annotated[StrictStr, Field(max_length=1, pattern=r"^[-._ ]?$")] = Field(
        "-", description="What stands between words, and before the digits: `-`, `.`, `_`, a blank or nothing."
    )
    digits: Annotated[StrictInt, Field(ge=0, le=12)] = Field(4, description="How many digits stand behind the words.")
    must_change: StrictBool = Field(
        True, description="Whether the owner has to choose another password when signing in for the first time."
    )


class RulesetFile(_Entry):
    """One ruleset file. Conditions, tables and identifiers are known in all files."""

    ruleset: Annotated[StrictStr, Field(pattern=_RULE)] = Field(description="Name of the ruleset, unique.")
    conditions: dict[Name, Texts] = Field({}, description="Conditions by name, for other conditions and `when`.")
    tables: dict[Name, Text] = Field(
        {}, description="CSV files by name, below this file's folder; the first column is the key: `name[key].column`."
    )
    fold: dict[Annotated[StrictStr, Field(min_length=1, max_length=1)], StrictStr] = Field(
        {}, description="Characters that `ascii` and `slug` write otherwise than usual, such as `ø: oe`."
    )
    affiliation_order: list[Text] = Field(
        [], description="Kinds of affiliation from the strongest to the weakest; decides between equally primary ones."
    )
    identifiers: dict[Name, IdentifierEntry] = Field({}, description="Names given to people, such as usernames.")
    passwords: dict[Name, PasswordEntry] = Field(
        {}, description="Policies for first passwords by name, for the `password` of account rules."
    )
    accounts: list[AccountEntry] = Field([], description="Rules that give accounts.")
    groups: list[GroupEntry] = Field([], description="Rules that give groups and memberships.")
    licences: list[LicenceEntry] = Field([], description="Rules that give licences.")
    drift: dict[Text, DriftEntry] = Field(
        {}, description="By target: what becomes of what somebody changed there by hand; each target in one file only."
    )
    lifecycle: LifecycleEntry | None = Field(None, description="How long accounts live; in one file only.")
