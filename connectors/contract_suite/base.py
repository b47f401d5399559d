"""What a connector says about itself to be tested, and the hand that the tests work with."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from connectors.contract import (
    Action,
    Capabilities,
    Kind,
    Operation,
    Outcome,
    Password,
    RemoteObject,
    ResumeToken,
    Target,
    Value,
)
from connectors.errors import Stale

OpenTarget = Callable[[], Target]
"""Opens the target under test, the same one every time within a test."""


class Hand:
    """Does one thing after another to a target, each as an operation of its own.

    Attributes:
        target: The target under test.
        able: Its capabilities.
    """

    def __init__(self, target: Target, suite: TargetFixtures) -> None:
        self.target = target
        self.able: Capabilities = target.capabilities
        self._suite = suite

    def unused_name(self) -> str:
        """A name that nothing in the target has, with the suffix that names have there."""
        return unused_name() + self._suite.name_suffix

    def do(self, operation: Operation) -> Outcome:
        """The one outcome of one operation."""
        outcomes = list(self.target.apply([operation]))
        assert [outcome.operation_id for outcome in outcomes] == [operation.id]
        return outcomes[0]

    def succeed(self, operation: Operation) -> Outcome:
        """Likewise; it must succeed."""
        outcome = self.do(operation)
        assert outcome.error is None, f"{operation.kind} {operation.action}: {outcome.error!r}"
        return outcome

    def account(self, name: str | None = None, **fields: Any) -> str:
        """The anchor of a new account."""
        outcome = self.succeed(self.create_account(name, **fields))
        assert outcome.anchor
        return outcome.anchor

    def group(self, name: str | None = None, **fields: Any) -> str:
        """The anchor of a new group."""
        outcome = self.succeed(self.create_group(name, **fields))
        assert outcome.anchor
        return outcome.anchor

    def create_account(
        self, name: str | None = None, attributes: Mapping[str, Value] | None = None, **fields: Any
    ) -> Operation:
        """A CREATE of an account with a new owner; `attributes` go on top of the least a target asks for."""
        every = {**self._suite.account_attributes(name or self.unused_name(), self.able), **(attributes or {})}
        defaults = {"owner": uuid4().hex, "enabled": True}
        return operation(Kind.ACCOUNT, Action.CREATE, **{**defaults, **fields}, attributes=every)

    def create_group(
        self, name: str | None = None, attributes: Mapping[str, Value] | None = None, **fields: Any
    ) -> Operation:
        """Likewise for a group; skips the test where there are none."""
        need(Kind.GROUP in self.able.kinds, "groups")
        every = {**self._suite.group_attributes(name or self.unused_name(), self.able), **(attributes or {})}
        return operation(Kind.GROUP, Action.CREATE, **fields, attributes=every)

    def membership(self, action: Action, group: str, account: str, role: str = "member") -> Operation:
        """An operation on one membership; skips the test where there are none."""
        need(Kind.MEMBERSHIP in self.able.kinds, "memberships")
        return operation(Kind.MEMBERSHIP, action, anchor=group, account=account, role=role)

    def nesting(self, action: Action, group: str, member: str) -> Operation:
        """An operation on the second group's place in the first; skips the test where there are none."""
        need(Kind.NESTING in self.able.kinds, "groups in groups")
        return operation(Kind.NESTING, action, anchor=group, member=member)

    def objects(self, kind: Kind) -> dict[str, RemoteObject]:
        """Everything of one kind that is not deleted, by anchor; each anchor is told once."""
        found = [item for item in self.target.read(kind) if isinstance(item, RemoteObject)]
        assert len({item.anchor for item in found}) == len(found)
        return {item.anchor: item for item in found if not item.deleted}

    def token(self, kind: Kind) -> ResumeToken:
        """Where a full read ends."""
        *_, last = self.target.read(kind)
        assert isinstance(last, ResumeToken)
        return last

    def changed(self, kind: Kind, token: ResumeToken) -> dict[str, bool] | None:
        """Whether each object that changed was deleted, by anchor; None where everything has to be read again."""
        try:
            return {one.anchor: one.deleted for one in self.target.read(kind, token) if isinstance(one, RemoteObject)}
        except Stale:
            return None


class TargetFixtures:
    """What a connector's own test class overrides.

    Attributes:
        text_attribute: A free text of accounts, neither unique nor required.
        group_text_attribute: Likewise of groups.
        list_attribute: An attribute of accounts of type list, or None.
        long_text_length: How many characters `text_attribute` takes at least.
        containers: Two containers that accounts and groups may be placed in; empty: the target has none.
        sku: A product that the target can license, or None.
        unknown_attribute: An attribute that the target refuses, or None where it takes any.
        name_suffix: What names of accounts end with where not every text is one: "@kommune.example".
    """

    text_attribute: ClassVar[str] = "displayName"
    group_text_attribute: ClassVar[str] = "description"
    list_attribute: ClassVar[str | None] = None
    long_text_length: ClassVar[int] = 60
    containers: ClassVar[tuple[str, ...]] = ()
    sku: ClassVar[str | None] = None
    unknown_attribute: ClassVar[str | None] = "eadmNoSuchAttribute"
    name_suffix: ClassVar[str] = ""

    @pytest.fixture
    def open_target(self) -> OpenTarget:
        """Opens the target under test; the one fixture that must be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def hand(self, open_target: OpenTarget) -> Iterator[Hand]:
        """The target, opened for one test."""
        with open_target() as target:
            yield Hand(target, self)

    def account_attributes(self, name: str, able: Capabilities) -> dict[str, Value]:
        """The least that a new account of that name needs; override where a name will not do for every attribute."""
        return dict.fromkeys((able.account_name, *able.required, *able.unique), name)

    def ended_sessions(self, _target: Target, _anchor: str) -> int | None:
        """How often the target ended an account's sessions, None where it has none or nobody can tell; override it."""
        return None

    def has_password(self, _target: Target, _anchor: str, _password: Password) -> bool | None:
        """Whether one can sign in to the account with that password, None where nobody can tell; override it."""
        return None

    def group_attributes(self, name: str, able: Capabilities) -> dict[str, Value]:
        """The least that a new group of that name needs."""
        return {able.group_name: name}


def operation(kind: Kind, action: Action, **fields: Any) -> Operation:
    """An operation with an id of its own."""
    return Operation(**{"id": uuid4().hex, **fields}, kind=kind, action=action)


def unused_name() -> str:
    """A name that nothing in the target has, short enough for every target (20 characters in Active Directory)."""
    return f"t{uuid4().hex[:14]}"


def outcomes_by_id(target: Target, operations: Sequence[Operation]) -> dict[str, Outcome]:
    """One outcome for each operation of a batch, by the operation's id."""
    outcomes = list(target.apply(operations))
    assert sorted(outcome.operation_id for outcome in outcomes) == sorted(item.id for item in operations)
    return {outcome.operation_id: outcome for outcome in outcomes}


def need(condition: object, what: str) -> None:
    """Skips a test about something that the target does not have."""
    if not condition:
        pytest.skip(f"the target has no {what}")
