"""What a person shall have, as values."""

from __future__ import annotations

from collections.abc import Container

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
    """

    target: str
    rule: str
    container: str | None
    attributes: dict[str, Value]
    affiliation: str


class DesiredGroup(msgspec.Struct, frozen=True):
    """A group that shall exist.

    Attributes:
        target: Name of the target.
        key: Identifies the group within the target; its folded name unless the rule says otherwise.
        rule: Id of the rule that gives it.
        container: Where it shall be, or None.
        attributes: What it shall hold, its name among them.
    """

    target: str
    key: str
    rule: str
    container: str | None
    attributes: dict[str, Value]


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
    """All that one person shall have today; at most one account per target."""

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
