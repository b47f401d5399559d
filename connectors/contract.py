"""What the engine asks of a source and of a target. `connectors.contract_suite` tests all of it.

The contract is synchronous; a connector that needs asyncio keeps its loop inside.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import msgspec
from pydantic import BaseModel

from connectors.errors import ConnectorError

Value = str | bool | int | list[str] | None
"""What an attribute can hold. None clears it. A list is an unordered set of distinct strings, kept sorted."""


# ---------------------------------------------------------------- sources


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row of one table of a source, as text.

    Attributes:
        table: Name of the table, one of `Source.tables`.
        values: One string per column of `Source.columns(table)`; empty where the source has nothing.
        file: The file, as an administrator would type it, or "" for sources that are not files.
        line: 1-based line the record begins at (for sources without lines, its 1-based number).
    """

    table: str
    values: tuple[str, ...]
    file: str
    line: int


class BadRecord(msgspec.Struct, frozen=True):
    """A row that could not be read; reading goes on behind it.

    Attributes:
        table: Name of the table.
        file: As in Record.
        line: As in Record.
        column: Name of the column at fault, or None when it is the row as a whole.
        reason: What is wrong. Never holds the value.
        values: What could be read, by column, so that the record's owner can be told; may be empty.
        truncated: True where the file seems to have been cut off here: what is absent proves nothing.
    """

    table: str
    file: str
    line: int
    column: str | None
    reason: str
    values: dict[str, str] = {}
    truncated: bool = False


class Source(Protocol):
    """A system that is authoritative for people, read as tables of text."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables there are, after `open`. Optional ones that are missing are left out."""
        ...

    def columns(self, table: str) -> tuple[str, ...]:
        """Column names of one table, in the order of `Record.values`; read once, on first use.

        Raises:
            Unreadable: The table has no header, or its file is missing, empty, or wrongly encoded.
            Unavailable: The system cannot be reached.
        """
        ...

    def read(self, table: str) -> Iterator[Record | BadRecord]:
        """All rows of one table, streaming: memory does not grow with the number of rows.

        Raises:
            Unreadable: The table cannot be read at all, or not to its end (wrong encoding half-way).
            Unavailable: The system cannot be reached.
            AuthenticationFailed: It can, but not by us.
        """
        ...

    def check(self) -> None:
        """Opens everything that `read` will need, reads the headers, changes nothing.

        Raises:
            ConnectorError: As for `read`.
        """
        ...


# ---------------------------------------------------------------- targets


class Kind(StrEnum):
    """What a target holds. A MEMBERSHIP is an account in a group, a NESTING a group in a group.

    A target has those that `Capabilities.kinds` names; whoever has NESTING has GROUP too. SCRIPT, a program that is run
    after a change to an account, is the engine's own: no target has it, and none is ever asked for it.
    """

    ACCOUNT = "account"
    GROUP = "group"
    MEMBERSHIP = "membership"
    NESTING = "nesting"
    LICENCE = "licence"
    SCRIPT = "script"


class Action(StrEnum):
    """What can be done to it. For memberships, nestings and licences only CREATE and DELETE exist.

    ADOPT, to take under management what is there already, is the engine's own: no target is ever asked for it.
    """

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    RESTORE = "restore"
    ADOPT = "adopt"


class Password(msgspec.Struct, frozen=True):
    """A password on its way to a target; never shown, never stored by the target's connector.

    Attributes:
        value: In clear.
        must_change: Whether its owner has to choose another when signing in for the first time.
    """

    value: str
    must_change: bool = True

    def __repr__(self) -> str:
        return "Password(***)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Shows as little where Rich prints it: msgspec would show all."""
        return [("value", "***")]


class PasswordRules(msgspec.Struct, frozen=True):
    """What a target asks of passwords, as far as it is known without a connection.

    Attributes:
        min_length: Fewest characters.
        max_length: Most characters, or None.
        min_classes: Of lower-case letters, upper-case letters, digits and all else, so many have to be in it (0-4).
        avoids_names: Whether it may not hold, in whatever case, the account's name as a whole, or a part of the owner's
            names of three or more characters; Active Directory's rule
            (https://learn.microsoft.com/windows/security/threat-protection/security-policy-settings/password-must-meet-complexity-requirements).
    """

    min_length: int = 1
    max_length: int | None = None
    min_classes: int = 0
    avoids_names: bool = False

    def fault(self, value: str, names: Collection[str] = (), account: str = "") -> str | None:
        """Why a password will not do for somebody of these names, in words that tell nothing of it; None: it does."""
        if len(value) < self.min_length:
            return f"it has fewer than {self.min_length} characters"
        if self.max_length is not None and len(value) > self.max_length:
            return f"it has more than {self.max_length} characters"
        found = {_class_of(character) for character in value}
        if len(found) < self.min_classes:
            return f"it has fewer than {self.min_classes} of lower case, upper case, digits and other characters"
        if self.avoids_names and any(part in value.casefold() for part in name_parts(names)):
            return "it holds a part of its owner's name"
        if self.avoids_names and len(account) >= _SHORTEST_NAME_PART and account.casefold() in value.casefold():
            return "it holds the account's name"
        return None


def name_parts(names: Collection[str]) -> frozenset[str]:
    """What may not stand in a password of somebody of these names: their parts of three or more characters, folded."""
    parts = (part for name in names for part in re.split(r"[\s,.\-_#@'’]+", name.casefold()))
    return frozenset(part for part in parts if len(part) >= _SHORTEST_NAME_PART)


_SHORTEST_NAME_PART = 3


def _class_of(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "lower" if character.islower() else "upper" if character.isupper() else "other"


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change to one object.

    Attributes:
        id: The same for every attempt at the same change. A target stores it with what it creates where it can, so
            that a create whose answer was lost is recognised.
        kind: What the object is.
        action: What to do.
        owner: Whose it is, as an opaque word the target stores with the object where it can (for accounts), so that
            an account made by an earlier, unconfirmed create is found again. Never a name or a national id.
        earlier_names: CREATE of a group: other names (`Capabilities.group_name`) that earlier creates for the same
            owner, whose answers were lost, asked for. A group of this owner that is there by one of them is taken.
        anchor: The target's own immutable id of the object (account or group); for a MEMBERSHIP, the group's; for a
            NESTING, that of the group which has the other as a member. None for CREATE of account and group, and for a
            LICENCE.
        attributes: CREATE: all of them. UPDATE: those that change; None clears. Otherwise empty.
        container: CREATE: where to put it. UPDATE: where to move it. None: unspecified or unchanged.
        enabled: CREATE of an account: whether it is enabled at once. Otherwise None.
        account: Anchor of the account that a MEMBERSHIP or LICENCE is for.
        member: Anchor of the group that a NESTING makes a member of another.
        role: Role within the group, for MEMBERSHIP: "member" (default), "owner", "manager".
        sku: Licence product, for LICENCE.
        permanent: DELETE of an account: past any recycle bin.
        revoke_sessions: DISABLE: whoever is signed in with the account is signed out, where the target has sessions;
            also where the account is disabled already. A target without sessions passes it over.
        password: For CREATE and UPDATE of an account: the password it shall have. A target without passwords passes it
            over; one that finds it too weak answers Rejected with the attribute "password".
    """

    id: str
    kind: Kind
    action: Action
    owner: str | None = None
    anchor: str | None = None
    attributes: dict[str, Value] = {}
    container: str | None = None
    enabled: bool | None = None
    account: str | None = None
    role: str = "member"
    sku: str | None = None
    permanent: bool = False
    member: str | None = None
    revoke_sessions: bool = False
    password: Password | None = None
    earlier_names: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What became of one operation.

    Attributes:
        operation_id: `Operation.id`.
        error: None when the target now is as asked (also if it already was).
        anchor: The object's anchor; always set for a CREATE that succeeded.
        attributes: Attributes that the target stored otherwise than asked (it folded case, cut a name): as stored.
        warning: For the operator, or None.
        regained: Of an account that came back out of a recycle bin: the memberships and licences that it has now, as
            `read` tells of them. What is left out here is found by the next full comparison only.
    """

    operation_id: str
    error: ConnectorError | None = None
    anchor: str | None = None
    attributes: dict[str, Value] = {}
    warning: str | None = None
    regained: tuple[RemoteObject, ...] = ()


class RemoteObject(msgspec.Struct, frozen=True):
    """An object as the target holds it.

    Attributes:
        kind: What it is.
        anchor: Its immutable id. A membership's is "<group anchor>/<account anchor>", a nesting's
            "<group anchor>/<member's anchor>", a licence's "<account anchor>/<sku>".
        attributes: Attributes that are set; unset ones are left out.
        container: Where it is, or None where the target has no containers.
        enabled: For accounts.
        deleted: It is in the recycle bin, or (incremental reads) gone.
        owner: `Operation.owner` it was created with, or None.
        group: For memberships and nestings, the group's anchor.
        account: For memberships and licences, the account's anchor.
        role: For memberships.
        sku: For licences.
        member: For nestings, the anchor of the group that is a member.
        protected: The target itself says that nobody but its administrators may change it: an administrator's
            account, an administrators' group.
        password_used: For accounts: the owner has signed in with, or replaced, the password that it was last given by
            an operation. False where the target cannot tell.
    """

    kind: Kind
    anchor: str
    attributes: dict[str, Value] = {}
    container: str | None = None
    enabled: bool | None = None
    deleted: bool = False
    owner: str | None = None
    group: str | None = None
    account: str | None = None
    role: str = "member"
    sku: str | None = None
    member: str | None = None
    protected: bool = False
    password_used: bool = False


class ResumeToken(msgspec.Struct, frozen=True):
    """The last thing a `read` yields where the target can read incrementally: hand it to the next `read`."""

    value: str


class LicenceStock(msgspec.Struct, frozen=True):
    """Seats of one product: `total` is None where unlimited."""

    sku: str
    total: int | None
    used: int


class Capabilities(msgspec.Struct, frozen=True):
    """What a target can do; constant while it is open.

    Attributes:
        kinds: Kinds it has.
        batch_size: Most operations in one `apply` (at least 1).
        containers: Accounts and groups are placed in containers.
        soft_delete: DELETE without `permanent` can be undone by RESTORE. The account comes back disabled, however it
            was deleted: whoever may use it is enabled by an operation of its own.
        purges: DELETE with `permanent` goes past the recycle bin. If not, the account lies there like any other, until
            the target empties it by itself; the outcome says so.
        incremental: `read(since=…)` yields only what changed.
        account_name: The attribute that names an account uniquely ("sAMAccountName").
        group_name: Likewise for groups.
        unique: Account attributes whose values no two accounts may share, compared without case.
        required: Account attributes a CREATE needs.
        attributes: Its account attributes with their types (`str`, `bool`, `int`, `list`); empty: any name, any type.
        group_attributes: Likewise for groups.
        max_lengths: Longest value in characters, by account attribute.
        concurrency: How many may write it at the same time, each with a target of its own. 1 for whatever owes work
            when it is closed: another would have it left undone.
        passwords: Accounts can be given a password (`Operation.password`).
        password_rules: What it asks of them.
        world_readable: Account attributes that everybody who can sign in can read, as far as that is known.
        refuses_national_ids: Nobody may put a national id into it in clear, into whatever attribute.
    """

    kinds: frozenset[Kind]
    batch_size: int
    containers: bool = False
    soft_delete: bool = False
    purges: bool = True
    incremental: bool = False
    account_name: str = "username"
    group_name: str = "name"
    unique: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    attributes: Mapping[str, str] = {}
    group_attributes: Mapping[str, str] = {}
    max_lengths: Mapping[str, int] = {}
    concurrency: int = 1
    passwords: bool = False
    password_rules: PasswordRules = PasswordRules()
    world_readable: frozenset[str] = frozenset()
    refuses_national_ids: bool = False


@runtime_checkable
class HasSchema(Protocol):
    """A target whose administrators decide which attributes there are; `capabilities` name those that may be."""

    def lacks(self, kind: Kind, attributes: Collection[str]) -> Sequence[str]:
        """Those of some attributes of accounts or groups that it does not have, in their order.

        Raises:
            ConnectorError: As `Target.check`.
        """
        ...


class Target(Protocol):
    """A system that accounts are pushed to. A context manager; one thread at a time."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known without a connection."""
        ...

    def check(self) -> str | None:
        """Connects and proves the rights that `read` and `apply` need, changing nothing that stays.

        Returns:
            What an operator should know: what could not be proved, or is wrong in the target by itself; or None.

        Raises:
            ConnectorError: Unavailable, AuthenticationFailed (names the right) or Rejected.
        """
        ...

    def read(
        self, kind: Kind, since: ResumeToken | None = None, attributes: Collection[str] | None = None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """Every object of one kind, streaming; with `since`, those that changed. Ends with a token where it can.

        With `attributes`, no other attributes are told of: to ask for few is quicker. What names an object, its
        container, whether it is enabled, deleted or protected, is told of always.

        Raises:
            Stale: The token is no longer good, or the target does not know what ended since; read fully.
            ConnectorError: Unavailable, Throttled, AuthenticationFailed.
        """
        ...

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """Objects in which every named attribute equals the value, without case; deleted ones left out.

        They are told of as fully as `read` does, and as they are now: what is protected, moved or switched is found out
        here before something is destroyed or adopted.

        Raises:
            ConnectorError: Unavailable, Throttled, AuthenticationFailed, Rejected (attribute cannot be searched).
        """
        ...

    def licences(self) -> Sequence[LicenceStock]:
        """Seats by product; empty where the target has no licences."""
        ...

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """Carries out up to `batch_size` operations that do not depend on one another, in any order.

        Exactly one outcome per operation, in any order. What the target already has is a success: a create whose
        `id` or `owner` it knows, a membership that stands, a disabled account to disable, a missing one to delete.
        With a group go its memberships and its nestings, as member and as the one that has members. That no group is
        in itself, by whatever way, is the engine's care; a target may refuse such a nesting as Rejected.
        A failure of one never touches another. Nothing is retried or slept on here: that is the queue's. Save for what
        a published rate of some calls asks for, which the queue's pace for all of them cannot keep: it is waited for,
        some seconds at most, and what has no room in them is PutOff. Who comes back then finds the work advanced.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: The batch as a whole; outcomes already yielded stand, the
                others are unknown and will be repeated.
        """
        ...

    def close(self) -> None:
        """Lets go of connections and files; safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


# ---------------------------------------------------------------- plug-ins


class Connector(msgspec.Struct, frozen=True):
    """What a module offers under an entry point of the group `eadm_sync.connectors`.

    Attributes:
        type: The word used in configuration (`type: embedded`); the entry point's name.
        options: Model of the settings beside `type`; unknown keys are refused, every field has a description.
        open_source: Makes a source from its options, or None. Relative paths are relative to the second argument.
            Touches nothing yet: `check` and `read` do.
        open_target: Likewise for a target.
        mapping: For sources: a ready-made `map:` (YAML text) for those that have a fixed format, or None.
    """

    type: str
    options: builtins.type[BaseModel]
    open_source: Callable[[Any, Path], Source] | None = None
    open_target: Callable[[Any, Path], Target] | None = None
    mapping: str | None = None
