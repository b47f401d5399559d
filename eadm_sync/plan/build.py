"""Makes a plan: for whoever changed or is due, desired state against known state. Reads the state, writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Action
from eadm_sync.desired import Desired, Evaluator, winning_order
from eadm_sync.desired import Value as PlainValue
from eadm_sync.identifiers import NameTaken, NoFreeCandidate
from eadm_sync.lifecycle import NO_ORDERS, Standing, first_after, standing
from eadm_sync.model import Affiliation, Person
from eadm_sync.plan.adopting import Adopting, Undecided
from eadm_sync.plan.aliases import Former, alias_days, with_aliases
from eadm_sync.plan.brakes import Cell, Slice, cell_of, judge
from eadm_sync.plan.change import NOWHERE, Change, GroupFrame, PersonFrame, Place, Value
from eadm_sync.plan.deactivated import Deactivated, all_deactivated
from eadm_sync.plan.diff import Seal, diff_person, note_renamed, retirement_days, stop_person
from eadm_sync.plan.doubting import doubted, perhaps_enabled, with_seats
from eadm_sync.plan.due import DueDays
from eadm_sync.plan.groups import Busy, Groups
from eadm_sync.plan.hand_made import without_hand_made
from eadm_sync.plan.inputs import Inputs
from eadm_sync.plan.naming import Naming
from eadm_sync.plan.overlap import Terms, overlapped
from eadm_sync.plan.passwords import policy_of, with_passwords
from eadm_sync.plan.places import KnownPopulations, place_of, placed
from eadm_sync.plan.plan import Plan, Problem, count
from eadm_sync.plan.protecting import Protecting
from eadm_sync.plan.rendering import Arguments
from eadm_sync.plan.scripts import KnownScripts, with_scripts
from eadm_sync.plan.seats import Product, shortages
from eadm_sync.plan.spool import Spool
from eadm_sync.ruleset.rules import Rule
from eadm_sync.state import tables
from eadm_sync.state.doubts import Doubt
from eadm_sync.state.drift import ENABLED
from eadm_sync.state.known import Known, load_known
from eadm_sync.state.outcomes import Lost, Renamed
from eadm_sync.state.protection import protected_groups
from eadm_sync.state.scripts import load_scripts
from eadm_sync.texts import SortedTexts

_CHUNK = 500
"""People looked at together: one query each for identifiers, accounts, memberships and licences."""


def build(inputs: Inputs, connection: Connection) -> Plan:
    """The plan for one day, judged by the brakes."""
    ids, postponed = _to_evaluate(inputs, connection)
    maker = Maker(inputs, connection, ids)
    for start in range(0, len(ids), _CHUNK):
        maker.add(ids[start : start + _CHUNK])
        inputs.progress(min(start + _CHUNK, len(ids)), len(ids))
    groups = maker.groups
    busy = Busy(inputs.being_made, inputs.being_filled, inputs.running)
    if inputs.given is None:
        maker.add_groups(groups.frames(connection, busy, may_end=not postponed and inputs.only is None))
    else:
        maker.add_groups(inputs.given.groups)
        groups.overtaken += inputs.given.overtaken
    for person_id, reason in groups.problems:
        maker.report(person_id, reason)
    maker.due.update(dict.fromkeys(groups.postponed, inputs.basis.today))
    populations = KnownPopulations(connection, maker.place)
    braked = judge(maker.cells, populations, inputs.limit_of, inputs.releases)
    queued = {product: people - maker.due.keys() for product, people in inputs.being_licensed.items()}
    return Plan(
        basis=inputs.basis,
        counts=dict(maker.counts),
        holds=(
            *braked.holds,
            *shortages(connection, maker.licences, inputs.stock, queued, inputs.releases),
            *inputs.approvals.holds(populations),
        ),
        groups=maker.group_frames,
        people=maker.frames,
        problems=tuple(maker.problems),
        evaluated=len(ids),
        due=maker.due,
        postponed=(*postponed, *groups.postponed),
        waiting=inputs.waiting,
        overtaken=tuple(groups.overtaken),
        renamed=maker.renamed,
        lost=maker.lost,
        formers=tuple(maker.formers),
        orders=dict(inputs.orders),
        uses=braked.uses,
        is_whole=inputs.only is None,
    )


class Outlook(NamedTuple):
    """What is done to one person on a day.

    Attributes:
        frame: The changes; None where there are none.
        lost: Since when the person has what is kept though nothing gives it any more.
        due: The next day on which time alone can change something, or None.
    """

    frame: PersonFrame | None
    lost: Lost
    due: date | None


class Maker:
    """Evaluates people chunk by chunk and gathers the plan's parts."""

    def __init__(self, inputs: Inputs, connection: Connection, ids: SortedTexts | None = None) -> None:
        """Args: what is planned from; the state; whom it will be about, by id, where that is known."""
        self.inputs = inputs
        self.connection = connection
        self.today = inputs.basis.today
        self.settings = inputs.ruleset.lifecycle
        self.seal = _sealer(inputs)
        self._adopting = Adopting(inputs.existing, inputs.words, self.seal, inputs.vault.seal)
        self._protecting = Protecting(inputs.protections, inputs.words, protected_groups(connection))
        self.naming = Naming(inputs, connection, self._adopting)
        self.frames = Spool(PersonFrame)
        self.group_frames = Spool(GroupFrame)
        self.counts: Counter[Slice] = Counter()
        self.cells: Counter[Cell] = Counter()
        self.problems: list[Problem] = []
        self.due = DueDays(ids or SortedTexts())
        self.renamed = Renamed()
        self.lost = Lost()
        self.formers: list[Former] = []
        self.groups = Groups(inputs.ruleset, inputs.words, self.renamed, inputs.doubts, self._adopting.group)
        self.licences: Counter[Product] = Counter()
        self._made: list[tuple[Person, PersonFrame]] = []
        self._evaluator = Evaluator(
            inputs.ruleset, inputs.organisation, self.naming.identify, self.naming.reveal, self.today
        )
        self._attributes = {
            target: frozenset(words.attributes) for target, words in inputs.words.items() if words.attributes
        }
        self._terms = Terms.of(inputs.ruleset, self.today)
        self._passwords = inputs.ruleset.password_policies()
        self._followed = {rule.id: rule for rule in inputs.ruleset.accounts if rule.after}
        self._scripts: Mapping[str, KnownScripts] = {}

    def add(self, ids: Sequence[str]) -> None:
        """Evaluates some people."""
        known = load_known(self.connection, ids)
        self.naming.identifiers.load(ids)
        if self._followed:
            self._scripts = load_scripts(self.connection, self.inputs.vault, ids)
        for person in self.inputs.population.people(ids):
            self._add_person(person, known.get(person.id) or Known())
        self._place()

    def close(self) -> None:
        """Frees what was gathered, where no plan comes of it."""
        self.frames.close()
        self.group_frames.close()

    def one(self, person: Person, known: Known) -> Outlook:
        """What is done to one person, of whom some things are known; nothing of it is kept for a plan."""
        self._add_person(person, known)
        frame = self._made.pop()[1] if self._made else None
        lost, self.lost = self.lost, Lost()
        return Outlook(frame, lost, self.due.pop(person.id, None))

    def wanted(self, person: Person, known: Known) -> Desired:
        """What the rules give somebody, aliases among it; nothing where no name can be found for them.

        Names that it has to make on the way are kept for nobody.
        """
        stand = standing(person, self.settings, self.today, self.inputs.orders.get(person.id, NO_ORDERS))
        try:
            desired = self._desired(person, stand)
        except NoFreeCandidate:
            return Desired()
        return self._with_aliases(person.id, desired, known)[0]

    def _with_aliases(self, person_id: str, desired: Desired, known: Known) -> tuple[Desired, tuple[Former, ...]]:
        aliases = self.settings.aliases
        if aliases:
            known = without_hand_made(self.connection, person_id, desired, known, aliases)
        return with_aliases(person_id, desired, known, aliases, self.today)

    def holds(self, rule: Rule, person: Person) -> bool:
        """Whether a rule holds for one of the affiliations that count today, and is in force."""
        stand = standing(person, self.settings, self.today, self.inputs.orders.get(person.id, NO_ORDERS))
        unit = self.inputs.organisation.unit
        return rule.is_in_force(self.today) and any(
            rule.when.test(person, one, unit(one.unit), self.naming.identify, self.naming.reveal)
            for one in stand.counting
        )

    def place(self, person: Person) -> Place:
        """Where brakes count somebody; of the stored people and of the present ones alike."""
        return place_of(person, self.inputs.organisation, self.inputs.ruleset.affiliation_order, self.today)

    def _place(self) -> None:
        """Adds the frames that were made to the plan, each with the place where brakes count it."""
        places = placed(self.connection, (person for person, _ in self._made), self.place)
        for person, frame in self._made:
            place = places[person.id]
            self.frames.append(msgspec.structs.replace(frame, place=place))
            self.cells.update(cell_of(change, place) for change in frame.changes if not change.urgent)
            self.inputs.approvals.note(frame.changes)
        self._made.clear()

    def report(self, person_id: str, reason: str, *, waits: bool = False) -> None:
        """Notes a fault; the person is looked at, and it is told of, by every run until it is put right."""
        self.problems.append(Problem(person_id, reason, waits))
        self.due[person_id] = self.today

    def add_groups(self, frames: Iterable[GroupFrame]) -> None:
        """Adds what is to be done to groups, but for those that are protected, which are told of."""
        for frame in frames:
            why = self._protecting.groups(frame.changes)
            if why is None:
                self.group_frames.append(frame)
                count(self.counts, frame.changes)
                self.cells.update(cell_of(change, NOWHERE) for change in frame.changes)
                self.inputs.approvals.note(frame.changes)
                continue
            self.problems.append(Problem(frame.member, f"{frame.key} is left as it is: {why}"))
            if frame.member:
                self.due[frame.member] = self.today

    def _add_person(self, person: Person, known: Known) -> None:
        self.naming.known = known
        orders = self.inputs.orders.get(person.id, NO_ORDERS)
        stand = standing(person, self.settings, self.today, orders)
        if self.inputs.given is not None:
            self.due[person.id] = self.today
            self._add_frame(person, stand, self.inputs.given.people[person.id])
            return
        urgent: tuple[Change, ...] = ()
        if orders.stopped:
            doubts = self.inputs.doubts.get(person.id, ())
            urgent, known = stop_person(person.id, perhaps_enabled(known, doubts)), known.disabled()
        allocated_before = len(self.naming.identifiers.allocated)
        try:
            desired = self._desired(person, stand)
        except (NoFreeCandidate, NameTaken, Undecided) as error:
            self.report(person.id, str(error), waits=isinstance(error, Undecided) and error.waits)
            changes = urgent
        else:
            changes = (*urgent, *self._changes(person, stand, desired, known))
            changes = self._with_scripts(person, stand, changes, desired, known)
        allocated = tuple((name, value) for _, name, value in self.naming.identifiers.allocated[allocated_before:])
        self._add_frame(person, stand, changes, allocated)

    def _add_frame(
        self,
        person: Person,
        stand: Standing,
        changes: tuple[Change, ...],
        allocated: tuple[tuple[str, str], ...] = (),
    ) -> None:
        changes, left_out = self._protecting.sifted(changes, self.naming.known)
        for reason in left_out:
            self.report(person.id, reason)
        if changes or allocated:
            count(self.counts, changes)
            self._count_licences(changes)
            name = f"{person.given_name} {person.family_name}".strip()
            self._made.append((person, PersonFrame(person.id, name, stand.stage, allocated, changes)))

    def _changes(self, person: Person, stand: Standing, desired: Desired, known: Known) -> tuple[Change, ...]:
        """What brings a person to what the rules give, with all that follows from it noted."""
        for account in desired.accounts:
            self.naming.identifiers.note(person.id, account.target, account.attributes)
        desired, known, is_served = self._without_impossible(person.id, desired, known)
        matched = self._adopting.accounts(person.id, desired, known)
        desired, known = desired.without({*matched.waiting, *matched.left}), matched.known
        self.groups.add(desired.groups, person.id)
        note_renamed(person.id, desired, known, self.renamed)
        desired, formers = self._with_aliases(person.id, desired, known)
        self.formers += formers
        overlap = overlapped(desired, known, stand, self._terms, self.today)
        overlap.note(person.id, self.lost)
        turning_days = (
            *retirement_days(overlap.known, desired, self.settings),
            *overlap.turning_days(),
            *alias_days(desired, known, formers, self.settings.aliases, self.today),
        )
        due = first_after(self.today, (stand.next_change, *turning_days))
        self.due[person.id] = due if is_served else self.today
        for target, reason in sorted(matched.waiting.items()):
            self.report(person.id, f"{target}: {reason}", waits=target in matched.asked)
        wanted, held = doubted(desired, overlap.known, overlap.kept, self._doubts(person.id), enabled=stand.enabled)
        changes = diff_person(
            person.id,
            wanted,
            held.limited_to(self._attributes),
            stand,
            seal=self.seal,
            settings=self.settings,
            today=self.today,
            keeping=self._terms.keeping,
            deactivated=self._deactivated(person, desired, overlap.known),
        )
        rules = {account.rule for account in desired.accounts}
        policy = policy_of(rules, self._passwords, self.inputs.ruleset.passwords)
        return (*matched.changes, *with_passwords(with_seats(changes, known), self._passwords, policy))

    def _doubts(self, person_id: str) -> Collection[Doubt]:
        """What is in doubt of a person, but for what a stop has asked for already."""
        doubts = self.inputs.doubts.get(person_id, ())
        if doubts and self.inputs.orders.get(person_id, NO_ORDERS).stopped:
            return [doubt for doubt in doubts if doubt.aspect != ENABLED]
        return doubts

    def _with_scripts(
        self, person: Person, stand: Standing, changes: tuple[Change, ...], desired: Desired, known: Known
    ) -> tuple[Change, ...]:
        """The changes with the programs that follow them; what cannot be run is told of by every run."""
        if not self._followed:
            return changes
        arguments = Arguments(
            person, stand.counting, self.inputs.organisation, self.naming.identify, self.naming.reveal
        )
        asked = with_scripts(
            person.id,
            changes,
            desired,
            known,
            self._scripts.get(person.id, {}),
            rules=self._followed,
            names={target: words.account_name for target, words in self.inputs.words.items()},
            render=arguments.render,
        )
        for target, fault in asked.faults:
            self.report(person.id, f"{target}: {fault}")
        return asked.changes

    def _deactivated(self, person: Person, desired: Desired, known: Known) -> dict[str, Deactivated]:
        """What the person's accounts look like that nothing gives any more; what cannot be so is told of."""
        found = all_deactivated(self.settings, self.inputs.words, person, desired, known, self.today)
        self.problems += [
            Problem(person.id, f"{target}: of a deactivated account, {shape.fault}")
            for target, shape in sorted(found.items())
            if shape.fault
        ]
        return found

    def _count_licences(self, changes: Iterable[Change]) -> None:
        self.licences.update(
            (change.target, change.sku)
            for change in changes
            if change.sku is not None and change.action is Action.CREATE and not change.seated
        )

    def _without_impossible(self, person_id: str, desired: Desired, known: Known) -> tuple[Desired, Known, bool]:
        """Leaves out targets in which the person's account could not be made as the rules say, whatever is there now.

        What already stands in such a target is neither changed nor taken away.
        """
        faults = {
            account.target: fault
            for account in desired.accounts
            if (fault := self.inputs.words[account.target].fault(account.attributes)) is not None
        }
        if not faults:
            return desired, known, True
        self.problems += [Problem(person_id, f"{target}: {fault}") for target, fault in sorted(faults.items())]
        return desired.without(faults), known.without(faults), False

    def _desired(self, person: Person, stand: Standing) -> Desired:
        if not stand.counting:
            return Desired()
        order = winning_order(stand.counting, self.inputs.ruleset.affiliation_order)
        return self._evaluator.evaluate(person, order)


def _to_evaluate(inputs: Inputs, connection: Connection) -> tuple[SortedTexts, tuple[str, ...]]:
    """Ids of those for whom something can be different today, sorted; those of them apart who have to wait."""
    ids, changed = _all_to_evaluate(inputs, connection), inputs.population.changed
    postponed = ids & inputs.running
    if inputs.only is None and len(ids) == len(changed) and not postponed:  # those who changed, and nobody else
        return changed, ()
    ids -= postponed
    return SortedTexts(ids), tuple(sorted(postponed))


def _all_to_evaluate(inputs: Inputs, connection: Connection) -> set[str]:
    if inputs.only is not None:
        return set(inputs.only)
    people = tables.people.c
    ids = set(inputs.population.changed)
    if inputs.everybody:
        return ids.union(connection.scalars(select(people.id)))
    for condition in (people.due <= inputs.basis.today.isoformat(), tables.IS_PENDING):  # an index each
        ids.update(connection.scalars(select(people.id).where(condition)))
    if inputs.touched:
        others = sorted(set(connection.scalars(select(people.id))) - ids)
        ids.update(_belonging(inputs, others))
    return ids


def _belonging(inputs: Inputs, ids: Sequence[str]) -> Iterator[str]:
    """Those of some people who belong to a unit or class group that was touched, or to what is below such a unit."""
    units = inputs.organisation.with_everything_below(inputs.touched)
    theirs = (code for code, node in inputs.organisation.class_groups.items() if node.unit.code in units)
    class_groups = inputs.touched.union(theirs)
    for start in range(0, len(ids), _CHUNK):
        for person in inputs.population.people(ids[start : start + _CHUNK]):
            if any(_belongs(row, units, class_groups) for row in person.affiliations):
                yield person.id


def _belongs(affiliation: Affiliation, units: frozenset[str], class_groups: frozenset[str]) -> bool:
    return affiliation.unit in units or any(row.code in class_groups for row in affiliation.classes)


def _sealer(inputs: Inputs) -> Seal:
    """Seals sensitive values of accounts."""
    # AccountRule.sensitive is the union over all rules of a target.
    sensitive = {rule.target: rule.sensitive for rule in inputs.ruleset.accounts if rule.sensitive}
    seal = inputs.vault.seal

    def sealed(target: str, attributes: dict[str, PlainValue]) -> Mapping[str, Value]:
        names = sensitive.get(target)
        if names is None:
            return attributes
        return {
            name: seal(value, name) if name in names and isinstance(value, str) else value
            for name, value in attributes.items()
        }

    return sealed
