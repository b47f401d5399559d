"""What a plan is made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from connectors.contract import Kind
from eadm_sync.correlation import Protection
from eadm_sync.model import Orders, Person, Sealed
from eadm_sync.plan.adopting import Existing
from eadm_sync.plan.approval import Approvals
from eadm_sync.plan.brakes import Limit
from eadm_sync.plan.change import Change, GroupFrame
from eadm_sync.plan.plan import Basis
from eadm_sync.plan.seats import Product, Stock
from eadm_sync.ruleset import Organisation, Ruleset, TargetWords
from eadm_sync.state.doubts import Doubt
from eadm_sync.state.releases import Releases
from eadm_sync.texts import SortedTexts


class Population(Protocol):
    """The people as the import left them (`eadm_sync.importing.Imported`)."""

    @property
    def changed(self) -> SortedTexts:
        """Ids of people whose data may differ from what is stored."""
        ...

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        """These people, in this order; those that do not exist are left out."""
        ...


class Sealer(Protocol):
    """What seals sensitive values (`eadm_sync.state.crypto.Vault`)."""

    def seal(self, value: str, kind: str) -> Sealed:
        """A sensitive value for storage."""
        ...

    def open(self, sealed: Sealed, kind: str) -> str:
        """The plain value."""
        ...

    def digest(self, kind: str, value: str) -> bytes:
        """Keyed hash of a value."""
        ...


@dataclass(frozen=True)
class Given:
    """Changes to plan in place of those that the rules ask for; whoever they are for is looked at by the next run.

    Attributes:
        people: By the person's id; whoever has none is only looked at again, and what is queued for them is dropped.
        groups: Those to groups.
        overtaken: (target, key) of groups for which what is queued is dropped.
    """

    people: Mapping[str, tuple[Change, ...]]
    groups: tuple[GroupFrame, ...] = ()
    overtaken: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What a plan is made from.

    Attributes:
        basis: What it stands on.
        population: The people.
        organisation: Units, class groups and managers, resolved.
        ruleset: The rules.
        vault: Seals sensitive values.
        everybody: Evaluate all people, not only those that changed or are due (the rules changed).
        touched: Units and class groups whose record changed: whoever belongs to one is evaluated.
        being_made: (target, key) of groups with changes in the queue: a creation is not planned a second time.
        being_filled: (target, key) of groups with memberships, or places of other groups, in the queue: not empty.
        being_licensed: (target, sku) → people with changes of this licence in the queue.
        running: Subjects with changes that are being delivered right now; they are postponed.
        waiting: How many changes of former runs are in the queue.
        words: What each target's accounts must and can hold.
        stock: Seats of each product that a target has; asked only when somebody shall get a licence.
        limit_of: The brake of a slice, or None.
        releases: Holds that somebody let go.
        approvals: Counts what a second person has to approve.
        orders: What was ordered about people, by id.
        existing: What targets with correlation hold that is not ours.
        protections: What is never changed, by target.
        only: Ids of the people to look at; None: everybody for whom something can be different.
        given: Changes in place of those that the rules ask for; None: the rules are asked.
        doubts: What the targets may hold otherwise than known, by person.
        progress: Called with (people done, people in all).
    """

    basis: Basis
    population: Population
    organisation: Organisation
    ruleset: Ruleset
    vault: Sealer
    everybody: bool
    touched: frozenset[str]
    being_made: frozenset[tuple[str, str]]
    being_filled: frozenset[tuple[str, str]]
    being_licensed: Mapping[Product, frozenset[str]]
    running: frozenset[str]
    waiting: int
    words: Mapping[str, TargetWords]
    stock: Stock
    limit_of: Callable[[str, Kind, str], Limit | None]
    releases: Releases = field(default_factory=Releases)
    approvals: Approvals = field(default_factory=Approvals)
    orders: Mapping[str, Orders] = field(default_factory=dict)
    existing: Mapping[str, Existing] = field(default_factory=dict)
    protections: Mapping[str, Protection] = field(default_factory=dict)
    only: Collection[str] | None = None
    given: Given | None = None
    doubts: Mapping[str, Collection[Doubt]] = field(default_factory=dict)
    progress: Callable[[int, int], None] = field(default=lambda _done, _all: None)
