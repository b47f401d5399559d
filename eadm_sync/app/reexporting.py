"""Sends one attribute of accounts again as the rules say, though known state says that it is there already.

It is a plan like any other: shown, braked, and delivered through the queue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.planning import Planned, Progress, planned, silent, stored_inputs
from eadm_sync.app.syncing import Confirm, SyncReport, carry_out
from eadm_sync.clock import today
from eadm_sync.desired import DesiredAccount
from eadm_sync.importing.store import chunks
from eadm_sync.model import Person
from eadm_sync.plan.build import Maker
from eadm_sync.plan.change import Change
from eadm_sync.plan.differences import initial_only, left_alone
from eadm_sync.plan.inputs import Given, Inputs
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from eadm_sync.state.known import Known, KnownAccount, load_known

COMMAND = "reexport"
"""As the book of runs has it."""

REASON = "sent again"

_AT_ONCE = 500


@dataclass(frozen=True)
class Choice:
    """What is sent again, and of whom; exactly one of `person`, `rule` and `unit` is given.

    Attributes:
        attribute: Name of an account attribute.
        target: Name of a target; None: every target whose accounts have the attribute.
        person: Any name of one person.
        rule: Id of an account rule: everybody for whom it holds.
        unit: Code of a unit: everybody who belongs to it, or to one below.
    """

    attribute: str
    target: str | None = None
    person: str | None = None
    rule: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Reexport(Planned):
    """The plan that sends an attribute again.

    Attributes:
        own: Accounts of which it is not sent, since it is the target's own there (`initial-only`).
        left: Accounts of which it is not sent, since somebody changed it by hand and it is left alone.
    """

    own: int = 0
    left: int = 0


def reexport(
    context: Context,
    choice: Choice,
    confirm: Confirm,
    *,
    deliver: bool = True,
    released: frozenset[str] = frozenset(),
    reason: str | None = None,
    progress: Progress = silent,
) -> SyncReport:
    """Sends an attribute again; a run of its own, like any other.

    Args:
        context: The installation.
        choice: What, and of whom.
        confirm: Asked once with a `Reexport`, before anything is written.
        deliver: Whether to deliver what is queued, or leave it to a worker.
        released: Names of holds to let go.
        reason: Why, for the audit.
        progress: Told how it gets on.

    Raises:
        NotFound, AmbiguousName: There is no such attribute, target, person, rule, unit or hold.
        StateBusy: Another run is at work.
        ConfigError, StateError: As planning.
    """
    return carry_out(
        context,
        confirm,
        lambda database: reexported(context, database, choice, released=released, progress=progress),
        command=COMMAND,
        deliver=deliver,
        released=released,
        reason=reason,
        progress=progress,
    )


@contextlib.contextmanager
def reexported(
    context: Context,
    database: Database,
    choice: Choice,
    *,
    released: frozenset[str] = frozenset(),
    progress: Progress = silent,
) -> Iterator[Reexport]:
    """What would send an attribute again, valid inside the `with` block; writes nothing.

    Raises:
        NotFound, AmbiguousName: As `reexport`.
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    _require_attribute(context, choice)
    passed_over = {"own": 0, "left": 0}

    def chosen(connection: Connection) -> Given:
        work = _Work(context, connection, choice, passed_over)
        return Given(dict(work.people()))

    with planned(context, database, released=released, progress=progress, read_sources=False, instead=chosen) as made:
        plan = {field.name: getattr(made, field.name) for field in fields(Planned)}
        yield Reexport(**plan, own=passed_over["own"], left=passed_over["left"])


def _require_attribute(context: Context, choice: Choice) -> None:
    """Raises NotFound where no rule fills the attribute, or what is chosen by is not there."""
    targets = context.loaded.settings.targets
    if choice.target is not None:
        known_name("target", choice.target, targets)
    rules = [rule for rule in context.ruleset.accounts if choice.target in {None, rule.target}]
    known_name("attribute", choice.attribute, {name for rule in rules for name in rule.attributes})
    if choice.rule is not None:
        known_name("account rule", choice.rule, {rule.id for rule in rules})


class _Work:
    """Finds whose attribute is sent again."""

    def __init__(self, context: Context, connection: Connection, choice: Choice, passed_over: dict[str, int]) -> None:
        day = today(context.clock, context.loaded.settings.organisation.zone)
        self._context = context
        self._connection = connection
        self._choice = choice
        self._passed_over = passed_over
        self._inputs: Inputs = stored_inputs(context, connection, day)
        self._maker = Maker(self._inputs, connection)
        self._maker.close()  # no plan comes of it
        self._rule = next((rule for rule in context.ruleset.accounts if rule.id == choice.rule), None)
        self._units: Collection[str] = ()
        if choice.unit is not None:
            known_name("unit", choice.unit, self._inputs.organisation.units)
            self._units = self._inputs.organisation.with_everything_below([choice.unit])

    def people(self) -> Iterator[tuple[str, tuple[Change, ...]]]:
        """Everybody of whom something is sent, by id, with the changes."""
        for ids in chunks(self._ids(), _AT_ONCE):
            wanted = [person_id for person_id in ids if person_id not in self._inputs.running]
            known = load_known(self._connection, wanted)
            self._maker.naming.identifiers.load(wanted)
            for person in self._inputs.population.people(wanted):
                changes = tuple(self._changes(person, known.get(person.id) or Known()))
                if changes:
                    yield person.id, changes

    def _ids(self) -> list[str]:
        """Those who have an account that may be chosen."""
        if self._choice.person is not None:
            return [find_person(self._connection, self._choice.person)]
        accounts = tables.known_accounts.c
        query = select(accounts.person_id).distinct().order_by(accounts.person_id)
        target = self._rule.target if self._rule is not None else self._choice.target
        return list(self._connection.scalars(query if target is None else query.where(accounts.target == target)))

    def _changes(self, person: Person, known: Known) -> Iterator[Change]:
        if not self._is_chosen(person):
            return
        name = self._choice.attribute
        for account in self._maker.wanted(person, known).accounts:
            held = known.accounts.get(account.target)
            if held is None or name not in account.attributes or not self._is_target(account.target):
                continue
            if self._is_passed_over(account, known):
                continue
            yield self._change(person, account, held)

    def _is_target(self, target: str) -> bool:
        wanted = self._rule.target if self._rule is not None else self._choice.target
        return wanted in {None, target}

    def _is_chosen(self, person: Person) -> bool:
        if self._units:
            return any(affiliation.unit in self._units for affiliation in person.affiliations)
        return self._rule is None or self._maker.holds(self._rule, person)

    def _is_passed_over(self, account: DesiredAccount, known: Known) -> bool:
        names = [self._choice.attribute]
        if initial_only(account.policies, names):
            self._passed_over["own"] += 1
            return True
        if left_alone(known.left.get((account.target, Kind.ACCOUNT, ""), frozenset()), names):
            self._passed_over["left"] += 1
            return True
        return False

    def _change(self, person: Person, account: DesiredAccount, held: KnownAccount) -> Change:
        name = self._choice.attribute
        sealed: Mapping[str, object] = self._maker.seal(account.target, {name: account.attributes[name]})
        return Change(
            account.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person.id,
            attributes={name: (held.attributes.get(name), sealed[name])},  # type: ignore[dict-item]
            rule=account.rule,
            reason=REASON,
        )
