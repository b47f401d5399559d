"""The effect of an edit: two rulesets over the same stored population, and who gains and loses what by which rule.

Only what the edit can touch is evaluated: for people for whom an edited rule holds, or holds on one side only; the
edited rules alone, with those that they share an account, a group or a licence with; and once for all people of whom
these rules see the same. Where accounts come or go, or another affiliation counts, all rules are evaluated.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.effects import Comparison, Effect, as_known, effect_of, regrouped
from eadm_sync.app.halving import Half, Summary
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.population import (
    count_people,
    middle_person,
    people_named,
    stored_organisation,
    stored_people,
    stored_person,
)
from eadm_sync.app.sides import NeedsName, Side
from eadm_sync.clock import today
from eadm_sync.desired import Desired
from eadm_sync.desired import Value as PlainValue
from eadm_sync.identifiers import NoFreeCandidate
from eadm_sync.lifecycle import Standing
from eadm_sync.model import Affiliation, Person
from eadm_sync.plan.change import Change, GroupFrame, PersonFrame, Value
from eadm_sync.plan.deactivated import all_deactivated
from eadm_sync.plan.diff import diff_person
from eadm_sync.plan.plan import Problem
from eadm_sync.plan.spool import Spool
from eadm_sync.ruleset import Ruleset, load_ruleset
from eadm_sync.ruleset.narrowing import Edits, edits_between, looking
from eadm_sync.ruleset.rules import AccountRule

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
    old, new = context.ruleset, context.sending(load_ruleset(tuple(rulesets), context.vocabulary))
    edits = edits_between(old, new)
    with context.reading() as database, database.read() as connection:
        made = Comparison(old.version, new.version, edits.edits, count_people(connection))
        with contextlib.closing(made.frames):
            if edits.touched or edits.spreads:
                comparer = _Comparer(context, connection, old, new, edits)
                many = processes or _worthwhile(edits, old, new, made.people)
                _compare(comparer, made, progress, middle_person(connection) if many > 1 else None)
            yield made


def _worthwhile(edits: Edits, old: Ruleset, new: Ruleset, people: int) -> int:
    rules = max(len(old.rules), len(new.rules))
    much = 2 * len(edits.touched) > rules
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


class _Case(NamedTuple):
    """A person for whom the edits can make a difference, as either side sees them.

    Attributes:
        person: The person.
        stand_before: By the old lifecycle.
        stand: By the new one.
        order_before: The affiliations that count by the old rules, the winning one first.
        order: As before, by the new rules.
        whole: Whether they are not the same, or a name may be given otherwise, so that all rules are to be evaluated.
    """

    person: Person
    stand_before: Standing
    stand: Standing
    order_before: Sequence[Affiliation]
    order: Sequence[Affiliation]
    whole: bool


class _Outcome(NamedTuple):
    """What an edit does to one person, and to all of whom the rules see the same.

    Attributes:
        before: What the old rules give, as far as it was looked at.
        after: What the new ones give.
        changes: What differs, as changes to the first such person.
        effects: The changes as they are counted.
        groups: What differs of the groups themselves, by target and key.
    """

    before: Desired
    after: Desired
    changes: tuple[Change, ...] = ()
    effects: tuple[Effect, ...] = ()
    groups: tuple[tuple[tuple[str, str], GroupFrame], ...] = ()


class _Comparer:
    def __init__(self, context: Context, connection: Connection, old: Ruleset, new: Ruleset, edits: Edits) -> None:
        self.context = context
        self.connection = connection
        self.day = today(context.clock, context.loaded.settings.organisation.zone)
        self.groups: dict[tuple[str, str], GroupFrame] = {}
        self._edits = edits
        self._organisation = stored_organisation(context, connection)
        self._old = Side(context, old, edits, self._organisation, is_new=False)
        self._new = Side(context, new, edits, self._organisation, is_new=True)
        self._words = context.vocabulary.targets
        touched = [rule for side in (old, new) for rule in side.rules if rule.id in edits.touched]
        # Classes that do not run today are left out of an affiliation by `standing`, so that a condition on them is
        # only true to the day behind it.
        other_days = edits.lifecycle or edits.order
        self._touch_first = not other_days and all("affiliation.classes" not in rule.when.fields for rule in touched)
        self._look = looking(self._old.narrow, self._new.narrow)
        self._outcomes: dict[Hashable, _Outcome] = {}
        names = edits.identifiers
        self._named = people_named(connection, names) if names else None
        self._setters = {
            (rule.target, name): rule.id
            for rule in touched
            if isinstance(rule, AccountRule)
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
        self._old.begin(connection, may_name=unnamed is None)
        self._new.begin(connection, may_name=unnamed is None)
        done = 0
        for portion in stored_people(connection, after, until):
            for case in self._cases(portion):
                try:
                    frame = self._frame(case, made)
                except NeedsName:
                    assert unnamed is not None  # noqa: S101 - raised only there
                    unnamed.append(case.person.id)
                    continue
                made.evaluated += 1
                if frame is not None:
                    yield frame
            done += len(portion)
            progress("comparing", done, made.people)

    def one(self, person_id: str, made: Comparison) -> Iterator[PersonFrame]:
        """The changes of one person."""
        for case in self._cases([stored_person(self.connection, person_id)]):
            made.evaluated += 1
            if (frame := self._frame(case, made)) is not None:
                yield frame

    def apart(self, middle: str) -> tuple[Summary, Spool[PersonFrame]]:
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

    def _cases(self, people: Iterable[Person]) -> list[_Case]:
        """Those of them for whom the edits can make a difference."""
        cases = [case for person in people if (case := self._case(person)) is not None]
        ids = [case.person.id for case in cases]
        self._old.expect(ids)
        self._new.expect(ids)
        return cases

    def _case(self, person: Person) -> _Case | None:
        named = self._is_named(person)
        if self._touch_first and named and not self._is_touched(person, person.affiliations):
            return None
        stand_before = self._old.stand(person, self.day)
        stand = self._new.stand(person, self.day) if self._edits.lifecycle else stand_before
        if not stand.counting and not stand_before.counting:
            return None
        order_before = self._old.order(stand_before)
        order = self._new.order(stand) if self._edits.lifecycle or self._edits.order else order_before
        leaves = self._edits.lifecycle and any(one.leave is not None for one in order)
        whole = order != order_before or stand.enabled != stand_before.enabled or leaves or not named
        if whole or self._touch_first or self._is_touched(person, order):
            return _Case(person, stand_before, stand, order_before, order, whole)
        return None

    def _is_named(self, person: Person) -> bool:
        """Whether the person has every name whose patterns differ."""
        return self._named is None or person.id in self._named

    def _is_touched(self, person: Person, affiliations: Sequence[Affiliation]) -> bool:
        """Whether an edited rule holds for some affiliation, or on one side only where only that differs."""
        for affiliation in affiliations:
            home = self._organisation.unit(affiliation.unit)
            before, after = self._old.held(person, affiliation, home), self._new.held(person, affiliation, home)
            if before[0] or after[0] or before[1:] != after[1:]:
                return True
        return False

    def _frame(self, case: _Case, made: Comparison) -> PersonFrame | None:
        """What changes for one person, counted; None where nothing does."""
        try:
            outcome = self._wholly(case) if case.whole else self._narrowly(case)
            if outcome.changes and (faults := self._faults(case, outcome, made)):
                outcome = self._outcome(case, outcome.before.without(faults), outcome.after.without(faults))
        except NoFreeCandidate as error:
            made.problems.append(Problem(case.person.id, str(error)))
            return None
        for key, group in outcome.groups:
            self.groups.setdefault(key, group)
        if not outcome.changes:
            return None
        for effect in outcome.effects:
            made.effects[effect] += 1
        person, changes = case.person, outcome.changes
        if changes[0].person != person.id:
            changes = tuple([msgspec.structs.replace(change, person=person.id) for change in changes])
        return PersonFrame(
            person.id, f"{person.given_name} {person.family_name}".strip(), case.stand.stage, (), changes
        )

    # ------------------------------------------------------------ what one person gets

    def _narrowly(self, case: _Case) -> _Outcome:
        """What the edited rules come to; worked out once for all of whom they see the same."""
        if self._look is None:
            return self._narrow_outcome(case)
        stripped = tuple(map(self._new.ruleset.lifecycle.is_stripped, case.order))
        key = case.stand.stage, case.stand.enabled, stripped, self._new.look(self._look, case.person, case.order)
        outcome = self._outcomes.get(key)
        if outcome is None:
            outcome = self._outcomes[key] = self._narrow_outcome(case)
        return outcome

    def _narrow_outcome(self, case: _Case) -> _Outcome:
        before = self._old.narrowly(case.person, case.order)
        after = self._new.narrowly(case.person, case.order)
        if self._edits.moves_accounts and _targets(before) != _targets(after):
            return self._wholly(case)
        return self._outcome(case, before, after)

    def _wholly(self, case: _Case) -> _Outcome:
        before = self._old.wholly(case.person, case.order_before)
        return self._outcome(case, before, self._new.wholly(case.person, case.order))

    def _outcome(self, case: _Case, before: Desired, after: Desired) -> _Outcome:
        if before == after and case.stand.enabled == case.stand_before.enabled:
            return _Outcome(before, after)
        known = as_known(before, case.stand_before, self._sealed)
        lifecycle = self._new.ruleset.lifecycle
        changes = diff_person(
            case.person.id,
            after,
            known,
            case.stand,
            seal=self._sealed,
            settings=lifecycle,
            today=self.day,
            keeping=self._new.keeping,
            deactivated=all_deactivated(lifecycle, self._words, case.person, after, known, self.day),
        )
        caused = tuple([self._caused(change) for change in changes])
        return _Outcome(before, after, caused, tuple(map(effect_of, caused)), tuple(regrouped(before, after)))

    def _faults(self, case: _Case, outcome: _Outcome, made: Comparison) -> frozenset[str]:
        """Targets in which the new rules make an account that cannot be: nothing would change there."""
        accounts = {account.target: account.attributes for account in outcome.after.accounts if account.attributes}
        if not accounts:
            return frozenset()
        rest = {} if case.whole else self._new.unchanged(case.person, case.order)
        was = {account.target: account.attributes for account in outcome.before.accounts}
        faulty = set()
        for target, attributes in accounts.items():
            words, more = self._words[target], rest.get(target, {})
            if (fault := words.fault({**more, **attributes})) is not None:
                faulty.add(target)
                if target not in was or words.fault({**more, **was[target]}) is None:
                    made.problems.append(Problem(case.person.id, f"{target}: {fault}"))
        return frozenset(faulty)

    # ------------------------------------------------------------ parts of a change

    def _caused(self, change: Change) -> Change:
        """The change, with the edited rule that it comes from where the account's own rule is another."""
        if change.kind is not Kind.ACCOUNT or change.action is not Action.UPDATE or change.rule in self._edits.touched:
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
