"""What the rules give some people and groups today, and what they are known to have, looked up by object."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Protocol

from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.app.planning import stored_inputs
from eadm_sync.clock import today
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup
from eadm_sync.importing.store import chunks
from eadm_sync.lifecycle import NO_ORDERS, standing
from eadm_sync.plan.build import Maker
from eadm_sync.plan.inputs import Inputs
from eadm_sync.state import tables
from eadm_sync.state.drift import ATTRIBUTES, CONTAINER, DISABLED, ENABLED, ROLE, Value
from eadm_sync.state.known import Known, KnownGroup, load_groups, load_known

_AT_ONCE = 500


class About(Protocol):
    """What was found, or is left alone."""

    @property
    def kind(self) -> str:
        """Account, group, membership, nesting or licence."""
        ...

    @property
    def object(self) -> str:
        """Object key."""
        ...

    @property
    def what(self) -> str:
        """As `state.drift` has it."""
        ...

    @property
    def name(self) -> str:
        """The attribute, or ""."""
        ...

    @property
    def person(self) -> str | None:
        """Id of whose it is."""
        ...

    @property
    def group(self) -> str | None:
        """Key of the group."""
        ...


class Wishes:
    """What the rules give, and what is known, of those that were loaded.

    Attributes:
        desired: By person id; nothing for people who are not there.
        enabled: Ids of people whose accounts shall be enabled.
        known: By person id.
        groups: By (target, key), as known.
        wanted_groups: By (target, key), as far as somebody in the group tells.
    """

    def __init__(self, context: Context, connection: Connection) -> None:
        self._context = context
        self._connection = connection
        self._sensitive = {rule.target: rule.sensitive for rule in context.ruleset.accounts if rule.sensitive}
        self._loaded: tuple[list[str], list[str]] = ([], [])
        self.desired: dict[str, Desired] = {}
        self.enabled: set[str] = set()
        self.known: dict[str, Known] = {}
        self.groups: dict[tuple[str, str], KnownGroup] = {}
        self.wanted_groups: dict[tuple[str, str], DesiredGroup] = {}

    @cached_property
    def inputs(self) -> Inputs:
        """What a plan of today would be made from."""
        day = today(self._context.clock, self._context.loaded.settings.organisation.zone)
        return stored_inputs(self._context, self._connection, day)

    def load(self, people: Collection[str], groups: Collection[str]) -> None:
        """Evaluates some people, and somebody of each of some groups."""
        if not people and not groups:
            return
        everybody = sorted({*people, *self._members(groups)})
        self._loaded = everybody, sorted(groups)
        self.refresh(self._connection)
        maker = Maker(self.inputs, self._connection)
        maker.close()  # no plan comes of it
        for ids in chunks(everybody, _AT_ONCE):
            maker.naming.identifiers.load(ids)
            for person in self.inputs.population.people(ids):
                desired = self.desired[person.id] = maker.wanted(person, self.known.get(person.id) or Known())
                orders = self.inputs.orders.get(person.id, NO_ORDERS)
                if standing(person, maker.settings, maker.today, orders).enabled:
                    self.enabled.add(person.id)
                for group in desired.groups:
                    self.wanted_groups.setdefault((group.target, group.key), group)

    def refresh(self, connection: Connection) -> None:
        """Looks up again what is known of those that were loaded; what the rules give is taken to be the same."""
        people, groups = self._loaded
        self.known = {}
        for ids in chunks(people, _AT_ONCE):
            self.known |= load_known(connection, ids)
        self.groups = load_groups(connection, [("", key) for key in groups]) if groups else {}  # in every target

    def _members(self, groups: Collection[str]) -> Iterator[str]:
        """One person of each group in each target."""
        columns = tables.known_memberships.c
        for keys in chunks(sorted(groups), _AT_ONCE):
            query = select(columns.target, columns.group_key, columns.person_id).where(columns.group_key.in_(keys))
            first = {(target, key): person for target, key, person in self._connection.execute(query)}
            yield from first.values()

    # ------------------------------------------------------------ of one object

    def account(self, target: str, person: str | None) -> DesiredAccount | None:
        """The account that the rules give somebody in a target."""
        desired = self.desired.get(person or "", Desired())
        return next((account for account in desired.accounts if account.target == target), None)

    def value(self, target: str, about: About) -> Value:
        """What the rules give in place of what was found: a value, a container, or whether it is there."""
        match about.kind:
            case Kind.ACCOUNT:
                return self._of_account(about, self.account(target, about.person))
            case Kind.GROUP:
                return _of_object(about, self.wanted_groups.get((target, about.group or "")))
            case Kind.MEMBERSHIP:
                return self._of_membership(target, about)
            case Kind.LICENCE:
                licences = self.desired.get(about.person or "", Desired()).licences
                return any(
                    f"licence:{about.person}:{one.sku}" == about.object for one in licences if one.target == target
                )
            case _:
                return self._of_nesting(target, about)

    def _of_account(self, about: About, account: DesiredAccount | None) -> Value:
        if about.what in {ENABLED, DISABLED}:
            return account is not None and about.person in self.enabled
        value = _of_object(about, account)
        sensitive = account is not None and about.name in self._sensitive.get(account.target, frozenset())
        return self._context.vault.seal(value, about.name) if sensitive and isinstance(value, str) else value

    def _of_membership(self, target: str, about: About) -> Value:
        memberships = self.desired.get(about.person or "", Desired()).memberships
        for one in memberships:
            if one.target == target and f"membership:{about.person}:{one.group}" == about.object:
                return one.role if about.what == ROLE else True
        return None if about.what == ROLE else False

    def _of_nesting(self, target: str, about: About) -> Value:
        group = self.wanted_groups.get((target, about.group or ""))
        outer = about.object.removeprefix(f"nesting:{about.group}:")
        return group is not None and outer.casefold() in {name.casefold() for name in group.member_of}


def _of_object(about: About, wanted: DesiredAccount | DesiredGroup | None) -> Value:
    if about.what == ATTRIBUTES:
        return None if wanted is None else wanted.attributes.get(about.name)
    if about.what == CONTAINER:
        return None if wanted is None else wanted.container
    return wanted is not None
