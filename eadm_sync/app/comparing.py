"""The effect of an edit: two rulesets over the same stored population, and who gains and loses what by which rule.

Only what the edit can touch is evaluated, in three steps: does an edited rule hold for the person at all; do the edited
rules come to the same for them; and only where they do not, what all rules together come to.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.effects import Comparison, Effect, effect_of
from eadm_sync.app.halving import Half, Summary
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.population import count_people, middle_person, stored_organisation, stored_people, stored_person
from eadm_sync.clock import today
from eadm_sync.desired import Desired, DesiredGroup, Evaluator, winning_order
from eadm_sync.desired import Value as PlainValue
from eadm_sync.identifiers import Identifiers, NoFreeCandidate
from eadm_sync.lifecycle import Standing, standing
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.plan.change import Change, GroupFrame, PersonFrame, Value
from eadm_sync.plan.diff import Seal, diff_group, diff_person
from eadm_sync.plan.plan import Problem
from eadm_sync.plan.spool import Spool
from eadm_sync.ruleset import Organisation, Ruleset, load_ruleset
from eadm_sync.ruleset.narrowing import Edits, Question, edits_between, narrowed, question, touching
from eadm_sync.ruleset.organisation import UnitNode
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

_WORTH_A_PROCESS = 10_000
"""People; for fewer, a second process takes longer to start than it saves."""


@contextlib.contextmanager
def compared(
    context: Context, rulesets: Sequence[Path], *, progress: Progress = silent, processes: int | None = None
) -> Iterator[Comparison]:
    """Compares the installation's ruleset with another, over the people of the last accepted import. Writes nothing.

    Names that people have are kept; new ones are worked out for either side and not stored.

    Args:
        context: The installation.
        rulesets: Files and folders of the other ruleset.
        progress: Told how it gets on.
        processes: 1 or 2; None: as many as are worth it.

    Raises:
        ConfigError: One of the rulesets is wrong.
        StateError: The state cannot be read.
    """
    old, new = context.ruleset, load_ruleset(tuple(rulesets), context.vocabulary)
    edits = edits_between(old, new)
    with context.reading() as database, database.read() as connection:
        made = Comparison(old.version, new.version, edits.edits, count_people(connection))
        with contextlib.closing(made.frames):
            if edits.rules or edits.everything:
                comparer = _Comparer(context, connection, old, new, edits)
                many = processes or _worthwhile(edits, old, new, made.people)
                _compare(comparer, made, progress, middle_person(connection) if many > 1 else None)
            yield made


def _worthwhile(edits: Edits, old: Ruleset, new: Ruleset, people: int) -> int:
    rules = max(len(old.rules), len(new.rules))
    much = edits.everything or 2 * len(edits.rules) > rules
    return 2 if much and people >= _WORTH_A_PROCESS and hasattr(os, "fork") and (os.cpu_count() or 1) > 1 else 1


def _compare(comparer: _Comparer, made: Comparison, progress: Progress, middle: str | None) -> None:
    """Fills the comparison; with a middle, the people behind it in a process of their own."""
    half = Half(lambda: comparer.apart(middle)) if middle is not None else None
    with half or contextlib.nullcontext():
        for frame in comparer.frames(comparer.connection, until=middle, made=made, progress=progress):
            made.frames.append(frame)
        if half is not None:
            told = half.summary()
            frames = [frame for person_id in told.unnamed for frame in comparer.one(person_id, made)]
            for frame in heapq.merge(half.frames(), frames, key=lambda frame: frame.person):
                made.frames.append(frame)
            made.evaluated += told.evaluated
            made.effects += Counter({Effect(*effect): number for effect, number in told.effects})
            made.problems += told.problems
            comparer.groups = {
                **{(frame.changes[0].target, frame.key): frame for frame in told.groups},
                **comparer.groups,
            }
    made.groups = tuple(frame for _, frame in sorted(comparer.groups.items()))
    made.problems.sort(key=lambda problem: problem.person)


class _NeedsName(Exception):
    """A person has no name yet, and names are given out in one place only."""


class _Side:
    """One of the two rulesets, with the names it would give."""

    def __init__(
        self, context: Context, ruleset: Ruleset, edits: Edits, asked: Question, organisation: Organisation
    ) -> None:
        self.ruleset = ruleset
        self.keeping = frozenset(rule.id for rule in ruleset.groups if rule.keeps)
        self._today = today(context.clock, context.loaded.settings.organisation.zone)
        rules = {rule.id for rule in ruleset.rules} if edits.everything else edits.rules
        self._touches = touching(ruleset, rules)
        self.reads = {path for rule in ruleset.rules if rule.id in rules for path in rule.reads}
        self._context = context
        self._organisation = organisation
        self._reached: dict[tuple[str, str, str], int] = {}
        self.identifiers: Identifiers | None = None
        self.may_name = True
        if edits.everything:
            wide = ruleset
            self.narrow = self.wide = self._evaluator(wide)
        else:
            wide = narrowed(ruleset, asked, with_neighbours=True)
            self.narrow = self._evaluator(narrowed(ruleset, asked))
            self.wide = self._evaluator(wide)
        self.names = bool(ruleset.identifiers.keys() & {path for rule in wide.rules for path in rule.reads})
        self.sensitive = {rule.target: rule.sensitive for rule in ruleset.accounts if rule.sensitive}

    def _evaluator(self, ruleset: Ruleset) -> Evaluator:
        return Evaluator(ruleset, self._organisation, self._identify, self._reveal, self._today)

    def _reveal(self, sealed: Sealed) -> str:
        return self._context.vault.open(sealed, "national_id")

    def touched(self, person: Person, affiliation: Affiliation, home: UnitNode) -> bool:
        """Whether an edited rule holds for an affiliation."""
        return self._touches(person, affiliation, home, self._identify, self._reveal)

    def _identify(self, name: str, person: Person, affiliation: Affiliation) -> str:
        assert self.identifiers is not None  # noqa: S101 - set before anybody is evaluated
        held = self.identifiers.held(person.id, name)
        if held is not None:
            return held
        if not self.may_name:
            raise _NeedsName
        rule = self.ruleset.identifiers[name]
        return self.identifiers.name(rule, person, affiliation, self._organisation, self._reached)

    def stand(self, person: Person, day: date) -> Standing:
        """Where the person stands by this side's lifecycle."""
        return standing(person, self.ruleset.lifecycle, day)

    def desired(self, evaluator: Evaluator, person: Person, stand: Standing) -> Desired:
        """What an evaluator of this side gives."""
        if not stand.counting:
            return Desired()
        return evaluator.evaluate(person, winning_order(stand.counting, self.ruleset.affiliation_order))


class _Comparer:
    def __init__(self, context: Context, connection: Connection, old: Ruleset, new: Ruleset, edits: Edits) -> None:
        self.context = context
        self.connection = connection
        self.day = today(context.clock, context.loaded.settings.organisation.zone)
        self.groups: dict[tuple[str, str], GroupFrame] = {}
        self._organisation = stored_organisation(context, connection)
        self._edits = edits
        asked = question(edits.rules, old, new)
        self._old = _Side(context, old, edits, asked, self._organisation)
        self._new = _Side(context, new, edits, asked, self._organisation)
        self._words = context.vocabulary.targets
        # Classes that do not run today are left out of an affiliation by `standing`, so that a condition on them is
        # only true to the day behind it.
        self._touch_first = not edits.everything and "affiliation.classes" not in self._old.reads | self._new.reads
        self._setters = {
            (rule.target, name): rule.id
            for side in (old, new)
            for rule in side.accounts
            if rule.id in edits.rules
            for name in rule.attributes
        }

    # ------------------------------------------------------------ people

    def frames(
        self,
        connection: Connection,
        *,
        made: Comparison,
        progress: Progress,
        after: str | None = None,
        until: str | None = None,
        unnamed: list[str] | None = None,
    ) -> Iterator[PersonFrame]:
        """The changes of everybody in a range of ids; with `unnamed`, who needs a name is put there instead."""
        self._begin(connection, may_name=unnamed is None)
        done = 0
        for portion in stored_people(connection, after, until):
            chosen = [person for person in portion if not self._touch_first or self._is_touched(person)]
            self._load(chosen)
            for person in chosen:
                try:
                    frame = self._frame(person, made)
                except _NeedsName:
                    assert unnamed is not None  # noqa: S101 - raised only there
                    unnamed.append(person.id)
                    continue
                if frame is not None:
                    yield frame
            done += len(portion)
            progress("comparing", done, made.people)

    def one(self, person_id: str, made: Comparison) -> Iterator[PersonFrame]:
        """The changes of one person."""
        person = stored_person(self.connection, person_id)
        self._load([person])
        if (frame := self._frame(person, made)) is not None:
            yield frame

    def apart(self, middle: str) -> tuple[Summary, Spool]:
        """The people behind the middle, on a connection of its own."""
        made = Comparison("", "", (), 0)
        unnamed: list[str] = []
        with self.context.reading() as database, database.read() as connection:
            for frame in self.frames(connection, made=made, progress=silent, after=middle, unnamed=unnamed):
                made.frames.append(frame)
        summary = Summary(
            tuple(unnamed),
            made.evaluated,
            tuple((msgspec.structs.astuple(effect), number) for effect, number in made.effects.items()),
            tuple(self.groups.values()),
            tuple(made.problems),
        )
        return summary, made.frames

    def _begin(self, connection: Connection, *, may_name: bool) -> None:
        for side in (self._old, self._new):
            side.identifiers = Identifiers(connection, self.context.vault.digest, side.ruleset.identifiers)
            side.may_name = may_name

    def _load(self, people: Sequence[Person]) -> None:
        ids = [person.id for person in people]
        for side in (self._old, self._new):
            if ids and side.names and side.identifiers is not None:
                side.identifiers.load(ids)

    def _is_touched(self, person: Person) -> bool:
        """Whether an edited rule of either side holds for some affiliation, whenever it counts."""
        for affiliation in person.affiliations:
            home = self._organisation.unit(affiliation.unit)
            if self._old.touched(person, affiliation, home) or self._new.touched(person, affiliation, home):
                return True
        return False

    def _frame(self, person: Person, made: Comparison) -> PersonFrame | None:
        """What changes for one person, counted; None where nothing does."""
        stand_before = self._old.stand(person, self.day)
        same_lifecycle = self._old.ruleset.lifecycle == self._new.ruleset.lifecycle
        stand = stand_before if same_lifecycle else self._new.stand(person, self.day)
        if not stand.counting and not stand_before.counting:
            return None
        try:
            before, after = self._sides(person, stand_before, stand)
            made.evaluated += 1
        except NoFreeCandidate as error:
            made.evaluated += 1
            made.problems.append(Problem(person.id, str(error)))
            return None
        if before == after and stand.enabled == stand_before.enabled:
            return None
        before, after = self._possible(person, before, after, made)
        self._compare_groups(before, after)
        known = _as_known(before, stand_before, self._sealed)
        settings = self._new.ruleset.lifecycle
        changes = diff_person(
            person.id,
            after,
            known,
            stand,
            seal=self._sealed,
            settings=settings,
            today=self.day,
            keeping=self._new.keeping,
        )
        if not changes:
            return None
        changes = tuple(self._caused(change) for change in changes)
        made.effects.update(map(effect_of, changes))
        return PersonFrame(person.id, f"{person.given_name} {person.family_name}".strip(), stand.stage, (), changes)

    def _sides(self, person: Person, stand_before: Standing, stand: Standing) -> tuple[Desired, Desired]:
        """What the person shall have on either side: everything that the edit can touch, where it does."""
        old, new = self._old, self._new
        before = old.desired(old.narrow, person, stand_before)
        after = new.desired(new.narrow, person, stand)
        same_groups = before.memberships == after.memberships and before.groups == after.groups
        if old.wide is old.narrow or (same_groups and _targets(before) == _targets(after)):
            return before, after
        return old.desired(old.wide, person, stand_before), new.desired(new.wide, person, stand)

    def _possible(self, person: Person, before: Desired, after: Desired, made: Comparison) -> tuple[Desired, Desired]:
        """Both without targets in which the new rules make an account that cannot be: nothing would change there."""
        faults = {
            account.target: fault
            for account in after.accounts
            if account.attributes and (fault := self._words[account.target].fault(account.attributes)) is not None
        }
        if not faults:
            return before, after
        was = {account.target: account.attributes for account in before.accounts}
        made.problems += [
            Problem(person.id, f"{target}: {fault}")
            for target, fault in sorted(faults.items())
            if target not in was or self._words[target].fault(was[target]) is None
        ]
        return before.without(faults), after.without(faults)

    # ------------------------------------------------------------ parts of a change

    def _compare_groups(self, before: Desired, after: Desired) -> None:
        """Notes what changes of the groups themselves."""
        was = {(group.target, group.key): group for group in before.groups}
        for group in after.groups:
            key = (group.target, group.key)
            if key in was and key not in self.groups and group != was[key]:
                changes = diff_group(group, _as_known_group(was[key]))
                if changes:
                    self.groups[key] = GroupFrame(group.key, changes)

    def _caused(self, change: Change) -> Change:
        """The change, with the edited rule that it comes from where the account's own rule is another."""
        if change.kind is not Kind.ACCOUNT or change.action is not Action.UPDATE or change.rule in self._edits.rules:
            return change
        causes = (self._setters.get((change.target, name)) for name in change.attributes)
        cause = next((rule for rule in causes if rule is not None), change.rule)
        return msgspec.structs.replace(change, rule=cause)

    def _sealed(self, target: str, attributes: dict[str, PlainValue]) -> Mapping[str, Value]:
        """Sensitive on one side is sensitive on both, or the other side would show it."""
        sensitive = self._old.sensitive.get(target, frozenset()) | self._new.sensitive.get(target, frozenset())
        if not sensitive:
            return attributes
        seal = self.context.vault.seal
        return {
            name: seal(value, name) if name in sensitive and isinstance(value, str) else value
            for name, value in attributes.items()
        }


def _targets(desired: Desired) -> list[str]:
    return [account.target for account in desired.accounts]


def _as_known(desired: Desired, stand: Standing, seal: Seal) -> Known:
    """What the old rules give, as if the targets held it."""
    return Known(
        accounts={
            account.target: KnownAccount(
                account.target,
                "",
                account.container,
                stand.enabled,
                dict(seal(account.target, account.attributes)),
                account.rule,
                None,
            )
            for account in desired.accounts
        },
        memberships={(row.target, row.group): (row.role, row.rule) for row in desired.memberships},
        licences={(row.target, row.sku): row.rule for row in desired.licences},
    )


def _as_known_group(group: DesiredGroup) -> KnownGroup:
    return KnownGroup(group.target, group.key, "", group.container, dict(group.attributes), group.rule)
