"""What the next run would change for one person, what holds it, and what the coming days bring. From the state alone.

The sources are not read: what they say since the last import, the next run finds out. Whether a brake holds a change
depends on everybody's changes; what is told is what the latest plan held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.desired import Desired, Explanation
from eadm_sync.desired import Value as PlainValue
from eadm_sync.lifecycle import Standing, delete_on, standing
from eadm_sync.model import Orders, Person
from eadm_sync.plan.aliases import with_aliases
from eadm_sync.plan.change import Change, Place, Value
from eadm_sync.plan.deactivated import all_deactivated
from eadm_sync.plan.diff import diff_person, stop_person
from eadm_sync.plan.overlap import Overlap
from eadm_sync.state import tables
from eadm_sync.state.known import Known

_RUNS_LOOKED_AT = 20


class LastHold(msgspec.Struct, frozen=True):
    """Something that the latest plan held.

    Attributes:
        name: What `--release` names.
        run: The run that made the plan.
        target: Name of the target; "" for an import's.
        kind: Kind of its changes; "" for an import's.
        action: Action of its changes; "" for an import's.
        sku: The product that has too few seats, or None.
        reason: Why, where counts do not tell all.
        by: unit, affiliation or rule, where a part of the slice is held; "" for all of it.
        value: Which one.
    """

    name: str
    run: str
    target: str = ""
    kind: str = ""
    action: str = ""
    sku: str | None = None
    reason: str = ""
    by: str = ""
    value: str = ""

    def concerns(self, place: Place) -> bool:
        """Whether it can hold anything of a person whom brakes count there."""
        match self.by:
            case "unit":
                return self.value in place.units
            case "affiliation":
                return self.value == place.affiliation
        return True

    def holds(self, change: Change, others: Iterable[Change]) -> bool:
        """Whether it held a change of a person with these changes; what holds an account holds all in its target."""
        if self.sku is not None:
            return change.target == self.target and change.kind is Kind.LICENCE and change.sku in {self.sku, None}
        if self._is_of(change):
            return True
        return self.kind == Kind.ACCOUNT and any(self._is_of(one) for one in others if one.target == change.target)

    def _is_of(self, change: Change) -> bool:
        if (change.target, change.kind, change.action) != (self.target, self.kind, self.action):
            return False
        return self.by != "rule" or change.rule == self.value


class Prospect(msgspec.Struct, frozen=True):
    """A change that the next run would make.

    Attributes:
        change: What it does.
        holds: What held such a change the last time.
    """

    change: Change
    holds: tuple[LastHold, ...]


class Turn(msgspec.Struct, frozen=True):
    """A day on which something becomes different by itself.

    Attributes:
        day: The first day on which it is.
        kind: `stage`, `enabled`, `disabled`, `begins` and `ends` (an affiliation counts from then on, or no more),
            `deleted` (an account may be), `lost` (something is kept no more), `in force` and `out of force` (a rule).
        about: The new stage, the affiliation, the target, what is lost, or the rule.
    """

    day: date
    kind: str
    about: str


def prospects(
    context: Context,
    person: Person,
    stand: Standing,
    desired: Desired,
    known: Known,
    day: date,
    holds: Iterable[LastHold],
    stopped: bool = False,
) -> tuple[tuple[Prospect, ...], tuple[str, ...]]:
    """What the next run would change, and why nothing can be done in some target: "ad: 'mail' would be empty".

    Args:
        context: The installation.
        person: The person.
        stand: Where they stand in the lifecycle.
        desired: What the rules give.
        known: What they are known to have, without what is kept for an overlap.
        day: The local day.
        holds: What the latest plan held.
        stopped: Whether the person is stopped.
    """
    urgent = stop_person(person.id, known) if stopped else ()
    known = known.disabled() if stopped else known
    words = context.vocabulary.targets
    faults = {
        account.target: fault
        for account in desired.accounts
        if (fault := words[account.target].fault(account.attributes)) is not None
    }
    sensitive = {rule.target: rule.sensitive for rule in context.ruleset.accounts if rule.sensitive}

    def seal(target: str, attributes: dict[str, PlainValue]) -> Mapping[str, Value]:
        hidden = sensitive.get(target, frozenset())
        return {
            name: context.vault.seal(value, name) if name in hidden and isinstance(value, str) else value
            for name, value in attributes.items()
        }

    kept, _ = with_aliases(person.id, desired.without(faults), known, context.ruleset.lifecycle.aliases, day)
    others = diff_person(
        person.id,
        kept,
        known.without(faults),
        stand,
        seal=seal,
        settings=context.ruleset.lifecycle,
        today=day,
        keeping=frozenset(rule.id for rule in context.ruleset.groups if rule.keeps),
        deactivated=all_deactivated(context.ruleset.lifecycle, words, person, desired, known.without(faults), day),
    )
    told = tuple(Prospect(change, tuple(hold for hold in holds if hold.holds(change, others))) for change in others)
    ahead = tuple(Prospect(change, ()) for change in urgent)
    return (*ahead, *told), tuple(f"{target}: {fault}" for target, fault in sorted(faults.items()))


def last_holds(connection: Connection) -> tuple[LastHold, ...]:
    """What the latest plan held and nobody let go."""
    columns = tables.runs.c
    query = select(columns.id, columns.report).where(columns.command != "deliver", columns.report.is_not(None))
    for run_id, stored in connection.execute(query.order_by(columns.started_at.desc()).limit(_RUNS_LOOKED_AT)):
        report: dict[str, Any] = msgspec.json.decode(stored)
        if "plan" in report:
            return tuple(_last_hold(run_id, hold) for hold in report.get("holds", ()))
    return ()


def _last_hold(run_id: str, hold: Mapping[str, Any]) -> LastHold:
    if "brake" in hold:
        return LastHold(hold["brake"], run_id, reason=hold["reason"])
    return LastHold(
        hold["name"],
        run_id,
        hold["target"],
        hold["kind"],
        hold["action"],
        hold.get("sku"),
        hold.get("reason") or f"{hold['count']} changes, the limit lets {hold['limit']} through",
        hold.get("by", ""),
        hold.get("value", ""),
    )


def turns(
    context: Context, person: Person, stand: Standing, orders: Orders, made: Explanation, overlap: Overlap, day: date
) -> list[Turn]:
    """What the coming days bring, as far as dates alone tell; of the lifecycle only the next day is told."""
    found = [
        *_lifecycle_turns(context, person, stand, orders),
        *_deletions(context, made, overlap.known),
        *(Turn(one.last_day + timedelta(days=1), "lost", f"{one.target} {one.what}") for one in overlap.kept),
        *_rule_turns(made),
    ]
    return sorted((turn for turn in found if turn.day > day), key=lambda turn: (turn.day, turn.kind, turn.about))


def _lifecycle_turns(context: Context, person: Person, stand: Standing, orders: Orders) -> Iterator[Turn]:
    next_day = stand.next_change
    if next_day is None:
        return
    then = standing(person, context.ruleset.lifecycle, next_day, orders)
    if then.stage != stand.stage:
        yield Turn(next_day, "stage", then.stage)
    if then.counting and then.enabled != stand.enabled:
        yield Turn(next_day, "enabled" if then.enabled else "disabled", "")
    before, after = ({one.id for one in each.counting} for each in (stand, then))
    yield from (Turn(next_day, "begins", name) for name in after - before)
    yield from (Turn(next_day, "ends", name) for name in before - after)


def _deletions(context: Context, made: Explanation, known: Known) -> Iterator[Turn]:
    wanted = {account.target for account in made.desired.accounts}
    for target, account in known.accounts.items():
        if target not in wanted and account.deactivated_on is not None:
            yield Turn(delete_on(account.deactivated_on, context.ruleset.lifecycle), "deleted", target)


def _rule_turns(made: Explanation) -> Iterator[Turn]:
    """Of the rules that hold for the person."""
    for rule in made.rules:
        if rule.holds and rule.first_day is not None:
            yield Turn(rule.first_day, "in force", rule.rule)
        if rule.holds and rule.last_day is not None and rule.last_day < date.max:
            yield Turn(rule.last_day + timedelta(days=1), "out of force", rule.rule)
