"""The dry run: import, evaluate, compare, judge. Reads everything, writes nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, LicenceStock
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.correlating import Directory, directories, protections
from eadm_sync.app.naming import known_name
from eadm_sync.app.releasing import for_run
from eadm_sync.app.resolving import naming_words
from eadm_sync.clock import today
from eadm_sync.delivery.doubting import all_doubts
from eadm_sync.errors import SourceError
from eadm_sync.importing import Hold as ImportHold
from eadm_sync.importing import Imported, read_import
from eadm_sync.model import Person
from eadm_sync.plan.approval import Approvals
from eadm_sync.plan.brakes import PARTS, Limit
from eadm_sync.plan.build import build
from eadm_sync.plan.change import group_key, licence_key, membership_key, nesting_key
from eadm_sync.plan.inputs import Given, Inputs
from eadm_sync.plan.plan import Basis, Plan
from eadm_sync.ruleset import Organisation
from eadm_sync.ruleset.sending import ENCRYPTED
from eadm_sync.state import tables
from eadm_sync.state.database import Database
from eadm_sync.state.orders import load_orders
from eadm_sync.state.outcomes import known_marks, known_versions
from eadm_sync.state.releases import Releases, Use
from eadm_sync.state.sealing import check_key
from exportqueue import State

EVALUATED_WITH = "evaluated_with"
"""Name in the state's `meta` of the hash of everything, beside people and units, that the last evaluation read."""


Progress = Callable[[str, int, int | None], None]
"""Told how long work gets on: the step in a few words, done, and of how many (None: unknown)."""


def silent(_step: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Planned:
    """A plan with the import that it stands on.

    Attributes:
        plan: What would be done.
        imported: What the sources held; `reports` tells of each.
        evaluated_with: Hash for `EVALUATED_WITH`.
        marks: The audit's id behind what each target had confirmed when the plan was made.
        preview_of: A day to come that it was made for, so that it can only be looked at; None: today.
        releases: What was let go, and which of it was needed.
        directories: What targets with correlation hold that is not ours.
    """

    plan: Plan
    imported: Imported
    evaluated_with: str
    marks: Mapping[str, int]
    preview_of: date | None = None
    releases: Releases = field(default_factory=Releases)
    directories: Mapping[str, Directory] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[SourceError, ...]:
        """Sources that could not be read; their people stay as they were."""
        return tuple(report.error for report in self.imported.reports if report.error is not None)

    @property
    def import_holds(self) -> tuple[ImportHold, ...]:
        """Absences that are not believed."""
        return tuple(hold for report in self.imported.reports for hold in report.holds)

    @property
    def import_uses(self) -> tuple[Use, ...]:
        """How far the limits of the import brakes were used."""
        return tuple(use for report in self.imported.reports for use in report.uses)

    @property
    def is_held(self) -> bool:
        """Whether a brake holds any of it."""
        return bool(self.import_holds or self.plan.holds)


@contextlib.contextmanager
def planned(
    context: Context,
    database: Database,
    *,
    released: frozenset[str] = frozenset(),
    progress: Progress = silent,
    read_sources: bool = True,
    only: Collection[str] | None = None,
    as_of: date | None = None,
    instead: Callable[[Connection], Given] | None = None,
) -> Iterator[Planned]:
    """A plan for today, valid inside the `with` block.

    Args:
        context: The installation.
        database: The state.
        released: Names of holds to let go.
        progress: Told how it gets on.
        read_sources: False: people and units are as the last accepted import left them; only what time, the rules, or
            a former run's leftovers ask for is planned.
        only: Ids of the people to look at; None: everybody for whom something can be different.
        as_of: Plan for this day to come instead, with what is known today; to be looked at only, never accepted.
        instead: Says what to plan in place of what the rules ask for, from the same state; `only` is not looked at.

    Raises:
        NotFound: A hold that is to be released cannot be, by any name of a source or target.
        ConfigError: The rules are wrong.
        StateError: The state cannot be read.
    """
    for name in sorted(released):
        known_name("hold", name, possible_holds(context, name))
    day = today(context.clock, context.loaded.settings.organisation.zone)
    with database.read() as connection:
        check_key(connection, context.vault)
        releases = for_run(context, connection, released)
        imported = read_import(
            context.loaded.settings,
            context.make_sources() if read_sources else {},
            connection,
            context.vault,
            now=context.clock.now(),
            today=day,
            releases=releases,
            progress=lambda source, rows: progress(f"reading {source}", rows, None),
            locate=context.origin,
        )
        planned_for = as_of or day
        given = None if instead is None else instead(connection)
        only = only if given is None else given.people.keys()
        inputs = _inputs(context, connection, imported, planned_for, releases, progress, only, given)
        existing = directories(context, connection, imported) if given is None else {}
        plan = build(replace(inputs, existing=existing), connection)
        with plan.groups, plan.people:
            marks = known_marks(connection, tuple(context.loaded.settings.targets))
            evaluated_with = _evaluated_with(context, planned_for)
            yield Planned(plan, imported, evaluated_with, marks, as_of, releases, existing)


def stored_inputs(context: Context, connection: Connection, day: date) -> Inputs:
    """What a plan of a day would be made from if no source were read: people are as the last import left them."""
    imported = read_import(
        context.loaded.settings,
        {},
        connection,
        context.vault,
        now=context.clock.now(),
        today=day,
        releases=Releases(),
        progress=lambda _source, _rows: None,
        locate=context.origin,
    )
    return _inputs(context, connection, imported, day, Releases(), silent, None, None)


def days_of_rules(context: Context, connection: Connection, first: date, last: date) -> Iterator[date]:
    """The days of a time on which everybody is evaluated, since other rules are in force than before."""
    before = _meta(connection, EVALUATED_WITH)
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        now = _evaluated_with(context, day)
        if now != before:
            yield day
        before = now


def _inputs(
    context: Context,
    connection: Connection,
    imported: Imported,
    day: date,
    releases: Releases,
    progress: Progress,
    only: Collection[str] | None,
    given: Given | None,
) -> Inputs:
    settings = context.loaded.settings
    queued = _queued(context, connection)
    managers = _managers(imported)
    return Inputs(
        basis=Basis(
            today=day,
            sources={report.source: report.snapshot for report in imported.reports},
            ruleset=context.ruleset.version,
            targets=context.target_fingerprints(),
            known=known_versions(connection, tuple(settings.targets)),
            released=tuple(sorted(releases.named)),
            granted=dict(sorted(releases.granted.items())),
        ),
        population=imported,
        organisation=Organisation(imported.units.values(), imported.class_groups.values(), managers),
        ruleset=context.ruleset,
        vault=context.vault,
        everybody=_meta(connection, EVALUATED_WITH) != _evaluated_with(context, day),
        touched=imported.organisation_changed | _units_with_changed_managers(connection, imported, managers),
        being_made=queued.being_made,
        being_filled=queued.being_filled,
        being_licensed=queued.being_licensed,
        running=queued.running,
        waiting=queued.waiting,
        words=context.vocabulary.targets,
        stock=lambda target: _stock(context, target),
        limit_of=lambda target, kind, action: _limit(context, target, kind, action),
        releases=releases,
        approvals=Approvals(settings.plans.approval.deletions, settings.plans.approval.groups),
        orders=load_orders(connection),
        protections=protections(context),
        only=only,
        given=given,
        doubts=all_doubts(connection, context.queue, context.vault, naming_words(context)),
        progress=lambda done, total: progress("evaluating people", done, total),
    )


def possible_holds(context: Context, wanted: str = "") -> frozenset[str]:
    """The name of every hold that there can be in this installation.

    Of the parts of a slice ("ad.account.disable[unit 32]") only the one that is wanted: units come and go.
    """
    settings = context.loaded.settings
    imports = [f"{source}.{brake}" for source in settings.sources for brake in _IMPORT_BRAKES]
    slices = [f"{target}.{kind}.{action}" for target in settings.targets for kind in Kind for action in Action]
    skus = [f"{rule.target}.licence.{rule.sku}" for rule in context.ruleset.licences]
    whole, _, part = wanted.partition("[")
    parted = (*slices, *(f"{source}.vanished" for source in settings.sources))
    is_part = whole in parted and part.endswith("]") and part.partition(" ")[0] in PARTS and len(part.split()) > 1
    return frozenset((*imports, *slices, *skus, *([wanted] if is_part else [])))


_IMPORT_BRAKES = ("vanished", "incomplete", "units", "new", "changed", "anomalous", "reused")


def _limit(context: Context, target: str, kind: Kind, action: str) -> Limit | None:
    settings = context.loaded.settings
    return settings.limit(target, kind, action) if target in settings.targets else None


def _stock(context: Context, target: str) -> Sequence[LicenceStock]:
    """The licences a target has; none known where it cannot be asked now, since its lane will wait anyway."""
    try:
        with context.make_target(target) as opened:
            return opened.licences()
    except ConnectorError:
        return ()


@dataclass
class _Queued:
    """What planning has to know of the export queue; as `plan.inputs.Inputs` says."""

    being_made: frozenset[tuple[str, str]]
    being_filled: frozenset[tuple[str, str]]
    being_licensed: dict[tuple[str, str], frozenset[str]]
    running: frozenset[str]
    waiting: int


def _queued(context: Context, connection: Connection) -> _Queued:
    """Everything unfinished in the queue, dead letters included, sorted by what it is about."""
    made: set[tuple[str, str]] = set()
    filled: set[tuple[str, str]] = set()
    licensed: dict[tuple[str, str], set[str]] = {}
    running: set[str] = set()
    waiting = 0
    for item in context.queue.unfinished(connection):
        waiting += 1
        if item.state is State.RUNNING:
            running.add(item.subject)
        if item.subject == item.object_key:
            if item.state is not State.DEAD:
                made.add((item.target, item.object_key.removeprefix(group_key(""))))
        elif item.object_key.startswith(nested_in := nesting_key(item.subject.removeprefix(group_key("")), "")):
            filled.add((item.target, item.object_key.removeprefix(nested_in)))
        elif item.object_key.startswith(member_of := membership_key(item.subject, "")):
            filled.add((item.target, item.object_key.removeprefix(member_of)))
        elif item.object_key.startswith(licensed_with := licence_key(item.subject, "")):
            licensed.setdefault((item.target, item.object_key.removeprefix(licensed_with)), set()).add(item.subject)
    by_product = {product: frozenset(people) for product, people in licensed.items()}
    return _Queued(frozenset(made), frozenset(filled), by_product, frozenset(running), waiting)


def _managers(imported: Imported) -> dict[str, Person]:
    ids = sorted({unit.manager for unit in imported.units.values() if unit.manager})
    return {person.id: person for person in imported.people(ids)}


def _units_with_changed_managers(
    connection: Connection, imported: Imported, managers: dict[str, Person]
) -> frozenset[str]:
    """Units whose manager is called otherwise than before: rules may print the manager's name on everybody there."""
    changed = [person_id for person_id in imported.changed if person_id in managers]
    if not changed:
        return frozenset()
    rows = connection.execute(select(tables.people.c.id, tables.people.c.data).where(tables.people.c.id.in_(changed)))
    before = {person_id: _as_manager(_decode_person(data)) for person_id, data in rows}
    different = {person_id for person_id in changed if before.get(person_id) != _as_manager(managers[person_id])}
    return frozenset(unit.code for unit in imported.units.values() if unit.manager in different)


_decode_person = msgspec.msgpack.Decoder(Person).decode


def _as_manager(person: Person) -> tuple[str | None, ...]:
    """What a rule can read of somebody's manager."""
    return person.given_name, person.family_name, person.email, person.employee_number


def _evaluated_with(context: Context, day: date) -> str:
    """Hash over what evaluation reads beside people and units: when it differs, everybody is evaluated anew.

    The rules in force are part of it, so that the first run on or behind a rule's first or last day sees to everybody.
    """
    in_force = sorted(context.ruleset.in_force(day))
    variables = {name: target.variables for name, target in context.loaded.settings.targets.items()}
    encrypts = any(one.mode == ENCRYPTED for rule in context.ruleset.accounts for one in rule.sends.values())
    key = [context.vault.current] if encrypts else []  # what targets hold is sent anew under a new key
    parts = msgspec.json.encode([context.ruleset.version, in_force, variables, *key], order="deterministic")
    return hashlib.blake2b(parts, digest_size=16).hexdigest()


def _meta(connection: Connection, name: str) -> str | None:
    value: str | None = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == name))
    return value
