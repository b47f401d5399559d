"""What a person shall have, as values."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import msgspec

Value = str | bool | int | list[str] | None
"""As `connectors.contract.Value`: what an attribute can hold; a list is a sorted set of strings."""


class DesiredAccount(msgspec.Struct, frozen=True):
    """An account that a person shall have in one target.

    Attributes:
        target: Name of the target.
        rule: Id of the rule that shapes it (the first that holds).
        container: Where it shall be, or None.
        attributes: What it shall hold. None: shall be empty.
        affiliation: Id of the winning affiliation, that the attributes are rendered with.
        policies: What becomes of hand edits to it, as the rules that set it say (`ruleset.rules.Policies`).
    """

    target: str
    rule: str
    container: str | None
    attributes: dict[str, Value]
    affiliation: str
    policies: Mapping[str, str] = {}


class DesiredGroup(msgspec.Struct, frozen=True):
    """A group that shall exist.

    Attributes:
        target: Name of the target.
        key: Identifies the group within the target; its folded name unless the rule says otherwise.
        rule: Id of the rule that gives it.
        container: Where it shall be, or None.
        attributes: What it shall hold, its name among them.
        member_of: The groups of the same target that it shall be in, by key, or by name in whatever case where their
            rule gives no key.
        further: Ids of further rules that gave it too, and whose word is in it.
        policies: As for accounts.
        nested_by: Of `member_of`, those that a further rule says: → its id.
    """

    target: str
    key: str
    rule: str
    container: str | None
    attributes: dict[str, Value]
    member_of: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    policies: Mapping[str, str] = {}
    nested_by: Mapping[str, str] = {}

    def says(self, other: DesiredGroup) -> bool:
        """Whether what another rule, or the same, says of the group is in it already."""
        return other.rule in {self.rule, *self.further} and set(other.further) <= {self.rule, *self.further}

    def puts_into(self, group: str) -> str:
        """Id of the rule that puts it into another group."""
        return self.nested_by.get(group, self.rule)

    def in_groups(self, keys: Iterable[str], nested_by: Mapping[str, str] | None = None) -> DesiredGroup:
        """The group as a member of other ones than it was; without `nested_by` each is said by whoever said it."""
        said_by = self.nested_by if nested_by is None else nested_by
        return msgspec.structs.replace(self, member_of=tuple(keys), nested_by=said_by)

    def with_further(self, other: DesiredGroup) -> DesiredGroup:
        """The group with what a further rule, which gives the same one, says of it and its first rule does not."""
        return msgspec.structs.replace(
            self,
            container=self.container if self.container is not None else other.container,
            attributes={**other.attributes, **self.attributes},
            member_of=tuple(dict.fromkeys((*self.member_of, *other.member_of))),
            further=tuple(dict.fromkeys((*self.further, other.rule, *other.further))),
            nested_by={
                **{name: other.puts_into(name) for name in other.member_of if name not in self.member_of},
                **self.nested_by,
            },
            policies={
                **{name: policy for name, policy in other.policies.items() if name not in self.attributes},
                **self.policies,
            },
        )


class DesiredMembership(msgspec.Struct, frozen=True):
    """A person's account in a group of the same target."""

    target: str
    group: str
    rule: str
    role: str = "member"


class DesiredLicence(msgspec.Struct, frozen=True):
    """A product that a person's account in this target shall have."""

    target: str
    sku: str
    rule: str


class Desired(msgspec.Struct, frozen=True):
    """All that one person shall have today; at most one account per target.

    Attributes:
        accounts: By the order of the rules.
        groups: Those the person is in, and those that these are in by the rules (`nested`).
        memberships: The person's own place in groups.
        licences: By the order of the rules.
    """

    accounts: tuple[DesiredAccount, ...] = ()
    groups: tuple[DesiredGroup, ...] = ()
    memberships: tuple[DesiredMembership, ...] = ()
    licences: tuple[DesiredLicence, ...] = ()

    def without(self, targets: Container[str]) -> Desired:
        """The same, but for some targets."""
        return Desired(
            tuple(account for account in self.accounts if account.target not in targets),
            tuple(group for group in self.groups if group.target not in targets),
            tuple(membership for membership in self.memberships if membership.target not in targets),
            tuple(licence for licence in self.licences if licence.target not in targets),
        )
