"""The compiled ruleset as frozen values: what evaluation runs, and what explanations and plans refer to."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from eadm_sync.expression import Condition
from eadm_sync.model import Affiliation, OnLeave, Person, Sealed
from eadm_sync.passwords import Policy
from eadm_sync.ruleset.organisation import ClassNode, UnitNode
from eadm_sync.ruleset.sending import Send, Sending, in_clear

Value = str | bool | int | list[str] | None
"""As `connectors.contract.Value`."""

Identify = Callable[[str, Person, Affiliation], str | None]
"""(name of an identifier, person, affiliation) -> the name the person has or gets, or None when there is none."""

Reveal = Callable[[Sealed], str]
"""Deciphers a sealed value."""

Matcher = Callable[[Person, Affiliation, UnitNode, Identify, Reveal], tuple[bool, ...]]
"""(person, affiliation, its unit, …) -> whether each rule holds, in the order of `Ruleset.rules`."""

AccountMaker = Callable[[Person, Affiliation, UnitNode, Identify, Reveal], tuple[str | None, dict[str, Value]]]
"""-> container and attributes."""

GroupMaker = Callable[
    [Person, Affiliation, UnitNode, Identify, Reveal, UnitNode, ClassNode | None, str],
    tuple[str, str | None, dict[str, Value], tuple[str | None, ...]],
]
"""-> key, container, attributes, and what the groups are called that it is in; the key is empty where the group has no
name, and None stands for a group that it is not in."""


Policies = Mapping[str, str]
"""Attribute, `container`, or `members` of a group → `report` or `initial-only`; what is left out is overwritten."""

OVERWRITE = "overwrite"
REPORT = "report"
INITIAL_ONLY = "initial-only"
"""What becomes of a value that was changed in a target by hand, as rulesets write it."""

CONTAINER = "container"
MEMBERS = "members"
"""What policies call besides attributes."""


class DriftSettings(msgspec.Struct, frozen=True):
    """What becomes of what somebody changed in one target by hand; see `document.DriftEntry`."""

    attributes: str = OVERWRITE
    container: str = OVERWRITE
    disabled: str = REPORT
    enabled: str = OVERWRITE
    deleted: str = OVERWRITE
    members: str = OVERWRITE
    licences: str = OVERWRITE


ArgumentsMaker = Callable[
    [Person, Affiliation | None, UnitNode, Identify, Reveal, Mapping[str, str], str], tuple[str | None, ...]
]
"""(person, …, what the account holds, event) -> arguments."""

_DASHES = frozenset("-\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}\N{MINUS SIGN}")
"""What an option can begin with; PowerShell takes longer dashes for the plain one."""


class After(msgspec.Struct, frozen=True):
    """A program that is run after changes to accounts of a rule.

    Attributes:
        name: What it is called in the rule.
        script: Name of the program in the configuration.
        on: The events that it follows.
        existing: Whether it is run once for accounts that were there before the rule asked for it.
        guarded: For each argument, whether what it begins with comes from a record and so must be no option.
        reads: Every field that the arguments read.
        make: Renders the arguments.
    """

    name: str
    script: str
    on: frozenset[str]
    existing: bool
    guarded: tuple[bool, ...]
    reads: frozenset[str]
    make: ArgumentsMaker

    def fault(self, arguments: Sequence[str | None]) -> str | None:
        """Why the program cannot be run with these arguments, in words that hold none of them; or None."""
        for number, (argument, guarded) in enumerate(zip(arguments, self.guarded, strict=True), 1):
            if not argument:
                return f"argument {number} would be empty"
            if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in argument):
                return f"argument {number} would hold a line break or another control character"
            if guarded and argument[0] in _DASHES:
                return f"argument {number} would begin with a dash, which programs take for an option"
        return None


class Part(msgspec.Struct, frozen=True):
    """What a rule says in one place.

    Attributes:
        content: The text with all that it names, to be compared: equal content gives equal results for equal people
            of equal names.
        reads: Every field it reads.
        code: Code of its value, for building it into other functions of the same namespace.
    """

    content: object
    reads: frozenset[str]
    code: ast.expr


class Rule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What every rule has.

    Attributes:
        id: "<ruleset>/<rule>", unique.
        file: Path as the administrator would type it.
        line: 1-based line of the rule's name.
        target: Name of the target.
        when: When it holds for an affiliation.
        reads: Every field it reads, in its condition and its templates.
        sensitive: Attributes that a sensitive field goes into; of account rules, in any rule of the target.
        condition: What `when` says, as `Part.content`.
        content: All else that it says, as `Part.content`; of account rules without the attributes.
        first_day: The first day on which it is in force; None: always.
        last_day: The last one, included; None: until further notice.
        overlap_days: How long what it gave is kept for somebody who has moved; None: as the lifecycle says.
    """

    id: str
    file: str
    line: int
    target: str
    when: Condition
    reads: frozenset[str]
    sensitive: frozenset[str] = frozenset()
    condition: object
    content: object
    first_day: date | None = None
    last_day: date | None = None
    overlap_days: int | None = None

    @property
    def has_dates(self) -> bool:
        """Whether it begins or ends."""
        return self.first_day is not None or self.last_day is not None

    def is_in_force(self, today: date) -> bool:
        """Whether it counts on a day; a rule that does not gives nothing, as if it were not there."""
        return (self.first_day or date.min) <= today <= (self.last_day or date.max)


class AccountRule(Rule, frozen=True, kw_only=True, eq=False):
    """A rule that gives an account.

    Attributes:
        attributes: The attributes it sets, by name.
        password: Name of the policy that first passwords are made by; "" where accounts are given none.
        shapes: Whether it gives an account by itself, since it sets the attribute accounts are called by. Other rules
            only add attributes to an account that a shaping rule gives.
        after: Programs that are run after changes to its accounts.
        sends: Attributes that are not sent in clear, in any rule of the target.
        make: Renders container and attributes.
        policies: What becomes of hand edits to what it sets.
    """

    attributes: Mapping[str, Part]
    shapes: bool
    make: AccountMaker
    after: tuple[After, ...] = ()
    sends: Mapping[str, Sending] = {}
    password: str = ""
    policies: Policies = {}


class GroupRule(Rule, frozen=True, kw_only=True, eq=False):
    """A rule that gives groups and memberships.

    Attributes:
        for_each: `affiliation`, `class`, `person` or `unit_path`.
        each_when: What else must hold for one unit or class group; `when` has what can be said before.
        each_content: What `each_when` says, as `Part.content`.
        role: Role of the members.
        keeps: Whether who is a member stays one, for as long as the rules give the account (`mode: add-only`).
        ends_empty: Whether a group that nobody is in any more is deleted (`when_empty: delete`).
        shared: What decides the group where the person does not, so that it is rendered once: "" (nothing),
            `home`, `unit` or `class_group`; None where something of the person goes into it.
        attributes: Names of the attributes it sets.
        nested: Whether only the first unit's group has the person, and each is in the group of the next (`nested`).
        nests: Whether it puts its groups into others.
        prefix: What the key of each of its groups begins with, in lower case; "" where that is not known.
        make: Renders key, container and attributes.
        policies: What becomes of hand edits to what it sets, and to who is in its groups.
    """

    for_each: str
    each_when: Condition | None
    each_content: object
    role: str
    keeps: bool
    ends_empty: bool
    shared: str | None
    attributes: tuple[str, ...]
    nested: bool
    nests: bool
    prefix: str
    make: GroupMaker
    policies: Policies = {}

    def may_give_same(self, other: GroupRule) -> bool:
        """Whether the two may give the same group, as far as the beginnings of their keys tell."""
        begin_alike = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        return self.target == other.target and begin_alike


class LicenceRule(Rule, frozen=True, kw_only=True, eq=False):
    """A rule that gives a licence.

    Attributes:
        sku: The product.
        exclusive: Of the rules with this word, the first that holds counts; None: it always counts.
    """

    sku: str
    exclusive: str | None


class Candidate(msgspec.Struct, frozen=True):
    """One candidate pattern of an identifier.

    Attributes:
        source: As it was written.
        counted: Whether it reads `n`.
        render: (person, affiliation, unit, identify, reveal, n as text) -> text.
    """

    source: str
    counted: bool
    render: Callable[..., str]


class Form(msgspec.Struct, frozen=True):
    """What an account attribute holds where a rule fills it with a name and nothing else of the person.

    Attributes:
        target: Name of the target.
        attribute: The account attribute.
        render: Name -> value of the attribute.
        around: The texts before and behind the name, where nothing else becomes of it; None where something may.
    """

    target: str
    attribute: str
    render: Callable[[str], Value]
    around: tuple[str, str] | None = None


class IdentifierRule(msgspec.Struct, frozen=True):
    """How one kind of name is made.

    Attributes:
        name: What templates call it.
        file: Path as the administrator would type it.
        line: 1-based.
        candidates: In the order they are tried; one of them counts.
        unique_in: Pairs of target and attribute in which the name must be free.
        max_length: Longest name in characters, or None.
        forbidden: Names never given, case folded.
        reads: Every field the candidates read.
        content: As for rules.
        follows: Whether who is called otherwise gets another name (`on_rename: follow`).
        forms: What a name becomes in the attributes of `unique_in`; the name itself where no rule tells.
    """

    name: str
    file: str
    line: int
    candidates: tuple[Candidate, ...]
    unique_in: tuple[tuple[str, str], ...]
    max_length: int | None
    forbidden: frozenset[str]
    reads: frozenset[str]
    content: object
    follows: bool = False
    forms: tuple[Form, ...] = ()


DeactivationMaker = Callable[[Person, date, date], tuple[str | None, dict[str, Value]]]
"""(person, day of the deactivation, day of the deletion) -> container and attributes."""


@dataclass(frozen=True, slots=True)
class Deactivation:
    """What becomes of accounts of one target that nothing gives any more, besides being disabled.

    Attributes:
        removes_groups: Whether they are taken out of groups.
        removes_licences: Whether licences are taken away.
        revokes_sessions: Whether who is signed in is signed out.
        content: All that it says, as `Part.content`.
        make: Renders container and attributes.
    """

    removes_groups: bool = True
    removes_licences: bool = True
    revokes_sessions: bool = True
    content: object = field(default=None, repr=False)
    make: DeactivationMaker = field(default=lambda _person, _deactivated_on, _delete_on: (None, {}), compare=False)


@dataclass(frozen=True, slots=True)
class Alias:
    """That former values of one account attribute stand in another one.

    Attributes:
        attribute: The one they stand in, a list.
        of: The one they are of.
        keep_days: For how long after they were replaced; None: for ever.
        content: All that it says, as `Part.content`.
        render: Makes of a former value what is to stand there.
    """

    attribute: str
    of: str
    keep_days: int | None = None
    content: object = field(default=None, repr=False)
    render: Callable[[str], str] = field(default=str, compare=False)


class LifecycleSettings(msgspec.Struct, frozen=True):
    """How long accounts live around an affiliation; all in days.

    Attributes:
        create_days_before_start: Accounts are made, disabled, so long before the first day.
        enable_days_before_start: Accounts are enabled so long before the first day.
        grace_days: Accounts stay enabled so long after the last day.
        retention_days: A disabled account is deleted after so long.
        purge_days: Personal data goes so long after the last deletion, or the last day in a source.
        reserve_days: Names of whom that befell are given to nobody else for so long; None: for ever.
        overlap_days: Who has moved keeps what was lost by it so long, where its rule says nothing else.
        leave: What is done while an affiliation has a leave code, by code.
        leave_default: The same for all other codes.
        deactivation: What becomes of deactivated accounts, by target; in others they are disabled and stripped.
        aliases: Which former values accounts keep, by target.
    """

    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365
    purge_days: int = 365
    reserve_days: int | None = None
    overlap_days: int = 0
    leave: Mapping[str, OnLeave] = {}
    leave_default: OnLeave = "keep"
    deactivation: Mapping[str, Deactivation] = {}
    aliases: Mapping[str, Sequence[Alias]] = {}

    @property
    def strips(self) -> bool:
        """Whether any leave takes groups and licences away."""
        return "strip" in {self.leave_default, *self.leave.values()}

    def on_leave(self, code: str) -> OnLeave:
        """What is done while an affiliation has a leave code."""
        return self.leave.get(code, self.leave_default)

    def is_stripped(self, affiliation: Affiliation) -> bool:
        """Whether an affiliation earns accounts only, since it is on such a leave."""
        return affiliation.leave is not None and self.on_leave(affiliation.leave) == "strip"


class RulesetSource(msgspec.Struct, frozen=True):
    """One file a ruleset was read from: its shown path, its text and the text's hash."""

    path: str
    text: str
    digest: str


class Ruleset(msgspec.Struct, frozen=True, eq=False):
    """Everything the ruleset files say, checked and compiled.

    Attributes:
        version: Hash of all files and tables.
        files: The YAML files, in order.
        tables: The lookup tables' files, in order of the words they are read by.
        accounts: In order of file name and position.
        groups: As `accounts`.
        licences: As `accounts`.
        identifiers: By name.
        conditions: Named conditions.
        lifecycle: As set, or the defaults.
        affiliation_order: Kinds from the strongest to the weakest.
        drift: What becomes of hand edits, by target; `drift_in` tells of every target.
        match: Tests all rules for one affiliation at once.
        reveals: Whether some template reads a sensitive field, so that evaluation needs to decipher.
        send: Makes what is sent of attributes that are not sent in clear.
        passwords: Policies for first passwords, by name.
    """

    version: str
    files: tuple[RulesetSource, ...]
    tables: tuple[RulesetSource, ...]
    accounts: tuple[AccountRule, ...]
    groups: tuple[GroupRule, ...]
    licences: tuple[LicenceRule, ...]
    identifiers: Mapping[str, IdentifierRule]
    conditions: Mapping[str, Condition]
    lifecycle: LifecycleSettings
    affiliation_order: tuple[str, ...]
    match: Matcher
    reveals: bool
    send: Send = in_clear
    passwords: Mapping[str, Policy] = {}
    drift: Mapping[str, DriftSettings] = {}

    def drift_in(self, target: str) -> DriftSettings:
        """What becomes of hand edits in a target."""
        return self.drift.get(target, _DRIFT)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules: accounts, groups, licences."""
        return (*self.accounts, *self.groups, *self.licences)

    def password_policies(self) -> dict[str, str]:
        """Id of an account rule → name of the policy that its accounts get their first password by."""
        return {rule.id: rule.password for rule in self.accounts if rule.password}

    def in_force(self, today: date) -> frozenset[str]:
        """Ids of the rules that count on a day."""
        return frozenset(rule.id for rule in self.rules if rule.is_in_force(today))


_DRIFT = DriftSettings()
