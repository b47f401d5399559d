"""The words of the domain as frozen values: people, their affiliations, units and class groups. No I/O.

Values are msgspec Structs because a hundred thousand of them are made in one import: a Struct converts and
validates in a fifth of the time of a Pydantic model.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """A sensitive value at rest: ciphertext, and a keyed hash to find and compare it by. Its repr shows neither.

    Attributes:
        ciphertext: AES-256-GCM with its key id and nonce (`eadm_sync.state.crypto`).
        digest: Keyed hash of the normalised plain text; equal values have equal digests.
    """

    ciphertext: bytes
    digest: bytes

    def __repr__(self) -> str:
        return "Sealed(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class ClassMembership(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, array_like=True):
    """A person's place in one class group.

    Attributes:
        code: The class group's code.
        role: `pupil` or `teacher`.
        start: First day, or None for "always".
        end: Last day, included, or None for "until further notice".
    """

    code: str
    role: str
    start: date | None = None
    end: date | None = None


OnLeave = Literal["keep", "disable", "strip"]
"""What is done while an affiliation has a leave code: nothing; accounts are disabled; or it earns accounts only."""


class Affiliation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tie of a person to a unit: an employment position or a school enrolment.

    Attributes:
        id: Unique among the person's affiliations: `<source>:<key of the source's own>`.
        source: Name of the source it came from.
        kind: A lower-case word: `employee`, `substitute`, `pupil`, `teacher`, `external`, …
        unit: Code of the unit, or None where the source names none.
        title: Job title or the like.
        fraction: Share of a full position, 0–1 (above 1 where the source says so), or None.
        start: First day, or None for "always".
        end: Last day, included, or None for "until further notice".
        primary: Whether the source calls it the main one.
        leave: Leave-of-absence code while on leave, or None.
        classes: The class groups attended or taught within this affiliation.
        extra: Further mapped fields, by their configured names.
    """

    id: str
    source: str
    kind: str
    unit: str | None = None
    title: str | None = None
    fraction: float | None = None
    start: date | None = None
    end: date | None = None
    primary: bool = False
    leave: str | None = None
    classes: tuple[ClassMembership, ...] = ()
    extra: dict[str, str] = {}


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """One human being, whatever the number of source records.

    Attributes:
        id: `<source>:<key>` of the first record that brought the person; never changes. Where that key is a
            national id, its keyed hash stands in its place.
        given_name: All given names.
        family_name: Family name.
        birth_date: Date of birth.
        national_id: Norwegian national id or D-number, sealed.
        employee_number: Number in the HR system.
        email: Address known to the source (often a private one).
        mobile: Mobile number.
        username: A username the source insists on.
        affiliations: Sorted by id.
        extra: Further mapped fields, by their configured names.
        deceased: Whether a source says that the person has died: the lifecycle ends at once.
    """

    id: str
    given_name: str = ""
    family_name: str = ""
    birth_date: date | None = None
    national_id: Sealed | None = None
    employee_number: str | None = None
    email: str | None = None
    mobile: str | None = None
    username: str | None = None
    affiliations: tuple[Affiliation, ...] = ()
    extra: dict[str, str] = {}
    deceased: bool = False


class Orders(msgspec.Struct, frozen=True):
    """What somebody ordered from the shell about one person, besides what sources and rules say.

    Attributes:
        stopped: All accounts are to be disabled until the order is taken back.
        extended_until: Access is kept up to this day, included, though nothing counts any more; or None.
    """

    stopped: bool = False
    extended_until: date | None = None


class Unit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node of the organisation tree.

    Attributes:
        code: Unique in the installation. A string always: '0301' is not 301.
        name: As people call it.
        kind: `school`, `department`, … or None.
        parent: Code of the parent unit; None at a root.
        manager: Id of the person who manages it, or None.
        source: Name of the source it came from.
        extra: Further mapped fields.
    """

    code: str
    name: str = ""
    kind: str | None = None
    parent: str | None = None
    manager: str | None = None
    source: str = ""
    extra: dict[str, str] = {}


class ClassGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A school class or teaching group.

    Attributes:
        code: Unique in the installation.
        name: As people call it ("5A").
        unit: Code of the school.
        kind: `class` (no: basisgruppe) or `teaching` (no: undervisningsgruppe), or None.
        grade: School year as the source writes it, or None.
        subject: Subject, or None.
        source: Name of the source it came from.
    """

    code: str
    name: str = ""
    unit: str | None = None
    kind: str | None = None
    grade: str | None = None
    subject: str | None = None
    source: str = ""
