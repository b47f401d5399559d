"""One change to one object of one target, and the frames that a plan is made of. Frozen, ordered, serialisable."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.model import Sealed

Value = str | bool | int | list[str] | Sealed | None
"""What an attribute holds in a plan: as the connectors', with sensitive values sealed."""


class Script(msgspec.Struct, frozen=True):
    """One run of a program after a change to an account.

    Attributes:
        name: What the account's rule calls it; unique for the account.
        program: Name of the program in the configuration.
        event: What it follows: `create`, `restore`, `enable`, `disable`, `rename`, `delete`, or `existing` where the
            account was there before the rule asked for it.
        arguments: As rendered; behind those of the configuration.
    """

    name: str
    program: str
    event: str
    arguments: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be done to one object.

    Attributes:
        target: Name of the target.
        kind: Account, group, membership, nesting, licence or script.
        action: What to do; for scripts, the change to the account that they follow.
        person: Id of the person it is for; None for groups and nestings.
        group: Key of the group, for groups and memberships; for nestings, of the one that the other is put into.
        sku: Product, for licences.
        seated: For CREATE of a licence, whether the person is known to have it, and it is only in doubt: it takes no
            seat.
        role: Role, for memberships.
        attributes: Name → (old, new), only those that differ.
        container: (old, new) where it is to be moved or made, or None.
        enabled: For CREATE of an account, whether it is enabled at once.
        deactivates: For DISABLE, whether retention begins with it: nothing gives the account any more.
        rule: Id of the rule that gives it; for what is taken away, of the rule that once gave it.
        reason: Why, in a few plain words for people.
        member: For nestings, key of the group that is a member of the other.
        urgent: Whether it goes ahead of everything else, and no brake holds it: the person was stopped.
        revokes: For DISABLE, whether who is signed in with the account is signed out.
        password: For CREATE and UPDATE of an account, name of the policy by which it gets a password; "" where it gets
            none. The password itself is in no change: it is put in when the change is delivered.
        script: For scripts, what is run.
        scripts: For accounts, what is owed once the change came through, whatever becomes of the plan it was in.
        anchor: For ADOPT, the target's own immutable id of what is taken under management.
        found_by: For ADOPT, what it is found again by when the change is delivered.
        earlier_names: For CREATE of a group, other names that it may have been made by, unheard.
        initial: For CREATE, attributes that are written once and are the target's own from then on: nobody here knows
            them afterwards.
    """

    target: str
    kind: Kind
    action: Action
    person: str | None = None
    group: str | None = None
    sku: str | None = None
    role: str = "member"
    attributes: dict[str, tuple[Value, Value]] = {}
    container: tuple[str | None, str | None] | None = None
    enabled: bool | None = None
    deactivates: bool = False
    rule: str = ""
    reason: str = ""
    member: str | None = None
    urgent: bool = False
    revokes: bool = False
    password: str = ""
    script: Script | None = None
    scripts: tuple[Script, ...] = ()
    initial: dict[str, Value] = {}
    anchor: str | None = None
    found_by: dict[str, Value] = {}
    seated: bool = False
    earlier_names: tuple[str, ...] = ()

    @property
    def object_key(self) -> str:
        """Names the object within its target: the unit of order in the export queue."""
        match self.kind:
            case Kind.ACCOUNT:
                return account_key(self.person or "")
            case Kind.GROUP:
                return group_key(self.group or "")
            case Kind.MEMBERSHIP:
                return membership_key(self.person or "", self.group or "")
            case Kind.NESTING:
                return nesting_key(self.member or "", self.group or "")
            case Kind.LICENCE:
                return licence_key(self.person or "", self.sku or "")
            case Kind.SCRIPT:
                return script_key(self.person or "", self.script.name if self.script else "")

    @property
    def subject(self) -> str:
        """What a re-plan replaces together: the person, or the group with its places in other groups.

        That a password is reset is by itself: no plan would ask for it again.
        """
        if self.password and self.action is Action.UPDATE:
            return password_subject(self.person or "")
        return self.person if self.person is not None else group_key(self.member or self.group or "")


class Place(NamedTuple):
    """Where a person is in the organisation, as brakes count it.

    Attributes:
        units: Codes of the units, from the root down to the person's own; empty where there is none.
        affiliation: Kind of the affiliation that puts the person there; "" where there is none.
    """

    units: tuple[str, ...] = ()
    affiliation: str = ""


NOWHERE = Place()


def account_key(person_id: str) -> str:
    """Object key of a person's account in any target."""
    return f"account:{person_id}"


def password_subject(person_id: str) -> str:
    """Subject of queued changes that give a person's accounts another password."""
    return f"{_PASSWORD}{person_id}"


def person_of(subject: str) -> str | None:
    """Id of the person that a queued change is about, by its subject; None for groups."""
    return None if subject.startswith(group_key("")) else subject.removeprefix(_PASSWORD)


_PASSWORD = "password:"  # noqa: S105 - a word


def group_key(key: str) -> str:
    """Object key of a group."""
    return f"group:{key}"


def membership_key(person_id: str, group: str) -> str:
    """Object key of a person's membership in a group."""
    return f"membership:{person_id}:{group}"


def nesting_key(member: str, group: str) -> str:
    """Object key of a group's place in another group."""
    return f"nesting:{member}:{group}"


def licence_key(person_id: str, sku: str) -> str:
    """Object key of a person's licence."""
    return f"licence:{person_id}:{sku}"


def script_key(person_id: str, name: str) -> str:
    """Object key of what is run after changes to a person's account."""
    return f"script:{person_id}:{name}"


class GroupFrame(msgspec.Struct, frozen=True, tag="group", omit_defaults=True):
    """The changes to one group as an object and to its places in other groups (not to its members).

    Attributes:
        key: "<target>:<key of the group>".
        changes: In the order they are made.
        member: Id of somebody who belongs there, with whom it is looked at again; "" where nobody does.
    """

    key: str
    changes: tuple[Change, ...]
    member: str = ""


class PersonFrame(msgspec.Struct, frozen=True, tag="person", omit_defaults=True):
    """All changes to one person's accounts, memberships and licences.

    Attributes:
        person: The person's id.
        name: For people to read.
        stage: The lifecycle stage that led to them.
        identifiers: Newly allocated ones: (name, value).
        changes: In the order account, membership, licence; by target within.
        place: Where brakes count them.
    """

    person: str
    name: str
    stage: str
    identifiers: tuple[tuple[str, str], ...] = ()
    changes: tuple[Change, ...] = ()
    place: Place = NOWHERE


Frame = GroupFrame | PersonFrame
