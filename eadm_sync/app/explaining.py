"""Why a person has what they have, and why not: from the sources' rows to what the targets said last.

Reads only the state, and the sources where the state does not answer (`tracing`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.app.context import Context
from eadm_sync.app.decisions import Decision, Decisions
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.nesting import ByWay, by_way
from eadm_sync.app.population import organisation_around, stored_organisation, stored_person
from eadm_sync.app.programs import Follower, followers
from eadm_sync.app.prospects import LastHold, Prospect, Turn, last_holds, prospects, turns
from eadm_sync.app.tracing import Found, QuarantineRow, RecordTrace, Stranger, quarantined, records
from eadm_sync.app.waits import Outcome, Wait, outcomes, waits
from eadm_sync.clock import today
from eadm_sync.desired import Desired, Explanation, RuleExplanation, explain, winning_order
from eadm_sync.desired.possible import possible_groups
from eadm_sync.errors import NotFound
from eadm_sync.lifecycle import NO_ORDERS, Standing, standing
from eadm_sync.model import Person
from eadm_sync.plan.change import account_key, licence_key, membership_key
from eadm_sync.plan.overlap import Kept, Terms, overlapped
from eadm_sync.plan.places import place_of
from eadm_sync.state import tables
from eadm_sync.state.doubts import Doubt, is_of_existence, load_doubts
from eadm_sync.state.known import Known, load_known
from eadm_sync.state.orders import Order, load_orders, standing_orders


class Explained(msgspec.Struct, frozen=True):
    """All that is known of why one person has what they have.

    Attributes:
        person: As the last accepted import left them.
        today: The local day it is all seen from.
        records: Their source records.
        quarantined: What imports left out of these, or of their units.
        found: Their rows as the sources read now; None where nobody looked.
        standing: Where they stand in the lifecycle today.
        turns: What the coming days bring.
        decisions: How they come to be called as they are.
        explanation: Every rule with every clause, and what it comes to.
        known: What they are known to have.
        prospects: What the next run would change; empty where it can do nothing for them.
        faults: Why it could do nothing, as a whole or in some target.
        holds: What the latest plan held, of everybody.
        waits: Their changes in the queue that are not done.
        outcomes: What was confirmed last, of each thing.
        by_way: Groups that they are in, or shall be, because a group of theirs is in them.
        orders: What was ordered about them.
        kept: What they keep for a while, though nothing gives it any more.
        followers: Programs that follow changes to their accounts.
        doubts: Accounts of theirs that a target may have made or deleted unheard: the next run looks there first.
        pending: Whether they wait to be looked at again by the next run.
    """

    person: Person
    today: date
    records: tuple[RecordTrace, ...]
    quarantined: tuple[QuarantineRow, ...]
    found: Found | None
    standing: Standing
    turns: tuple[Turn, ...]
    decisions: tuple[Decision, ...]
    explanation: Explanation
    known: Known
    prospects: tuple[Prospect, ...]
    faults: tuple[str, ...]
    holds: tuple[LastHold, ...]
    waits: tuple[Wait, ...]
    outcomes: tuple[Outcome, ...]
    by_way: tuple[ByWay, ...]
    orders: tuple[Order, ...]
    kept: tuple[Kept, ...]
    followers: tuple[Follower, ...]
    doubts: tuple[Doubt, ...]
    pending: bool

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Identifiers of which every candidate is taken."""
        return tuple(one.name for one in self.decisions if one.value is None)


class WhyNot(msgspec.Struct, frozen=True):
    """Why a person does not have one thing; or that they have it.

    Attributes:
        explained: The person.
        kind: Account, group or licence.
        name: The target, the group's key or the sku.
        has: Whether they are known to have it.
        shall_have: Whether the rules give it.
        rules: The rules that could give it, with every clause.
        is_known: Whether there is such a thing, or this person shall have it; False for a group that rules could give
            and that nobody is known to have.
    """

    explained: Explained
    kind: Kind
    name: str
    has: bool
    shall_have: bool
    rules: tuple[RuleExplanation, ...]
    is_known: bool = True

    @property
    def by_way(self) -> tuple[ByWay, ...]:
        """The same group by way of other groups; with one of each target that has it."""
        return tuple(one for one in self.explained.by_way if self.kind is Kind.GROUP and one.group == self.name)

    @property
    def object_key(self) -> str:
        """What the export queue and the audit call the thing."""
        person = self.explained.person.id
        match self.kind:
            case Kind.ACCOUNT:
                return account_key(person)
            case Kind.LICENCE:
                return licence_key(person, self.name)
            case _:
                return membership_key(person, self.name)

    @property
    def kept_until(self) -> date | None:
        """The last day on which the thing is kept for somebody who has moved; None where it is not."""
        kind = Kind.MEMBERSHIP if self.kind is Kind.GROUP else self.kind
        for one in self.explained.kept:
            if one.kind is kind and self.name == (one.target if kind is Kind.ACCOUNT else one.name):
                return one.last_day
        return None

    def is_account_in(self, target: str) -> bool:
        """Whether an account in a target was asked about."""
        return self.kind is Kind.ACCOUNT and self.name == target

    def concerns(self, target: str, object_key: str) -> bool:
        """Whether a change is of the thing itself."""
        return object_key == self.object_key and (self.kind is not Kind.ACCOUNT or target == self.name)


def explained(context: Context, name: str, *, look: bool = False) -> Explained | Stranger:
    """Explains a person, named by id, source key, an identifier or full name.

    Args:
        context: The installation.
        name: Whom.
        look: Whether to look into the sources even where the state answers.

    Returns:
        Of somebody whom the state does not know, what the sources and the quarantine say.

    Raises:
        NotFound, AmbiguousName: Nobody, or several, are called that.
        ConfigError: The rules are wrong.
    """
    with context.reading() as database, database.read() as connection:
        found = _person(context, connection, name)
        return found if isinstance(found, Stranger) else _explained(context, connection, found, look=look)


def why_not(context: Context, person: str, what: str, *, look: bool = False) -> WhyNot | Stranger:
    """Says why a person does not have an account in a target, a group, or a licence.

    Args:
        context: The installation.
        person: As for `explained`.
        what: A target, a sku, or a group by its key or name.
        look: As for `explained`.

    Returns:
        The answer; of somebody whom the state does not know, what the sources and the quarantine say.

    Raises:
        NotFound, AmbiguousName: The person as above; or `what` is no target, no sku of any rule, and no group that is
            known or that rules could make of the units and class groups that there are.
        ConfigError: The rules are wrong.
    """
    with context.reading() as database, database.read() as connection:
        found = _person(context, connection, person)
        if isinstance(found, Stranger):
            return found
        why = _explained(context, connection, found, look=look)
        groups = _makers_of_groups(connection, why)
        possible = possible_groups(context.ruleset, stored_organisation(context, connection))
    return _answer(context, why, groups, possible, what)


def _person(context: Context, connection: Connection, name: str) -> str | Stranger:
    """The id of a person, or what is known of somebody whom the state does not have."""
    try:
        return find_person(connection, name)
    except NotFound:
        from eadm_sync.app.finding import stranger  # noqa: PLC0415 - loads all of importing, which is seldom needed

        unknown = stranger(context, connection, name)
        if unknown is None:
            raise
        return unknown


def _answer(
    context: Context, why: Explained, groups: Mapping[str, set[str]], possible: Mapping[str, set[str]], what: str
) -> WhyNot:
    ruleset, targets = context.ruleset, context.loaded.settings.targets
    skus = {rule.sku for rule in ruleset.licences}
    key = _called(what, {*targets, *skus, *groups, *possible})
    desired, known = why.explanation.desired, why.known
    if key in targets:
        of_target = {rule.id for rule in ruleset.accounts if rule.target == key}
        shall = any(account.target == key for account in desired.accounts)
        return WhyNot(why, Kind.ACCOUNT, key, key in known.accounts, shall, _among(why, of_target))
    if key in skus:
        of_sku = {rule.id for rule in ruleset.licences if rule.sku == key}
        shall = any(licence.sku == key for licence in desired.licences)
        has = any(sku == key for _, sku in known.licences)
        return WhyNot(why, Kind.LICENCE, key, has, shall, _among(why, of_sku))
    shall = any(row.group == key for row in desired.memberships)
    has = any(group == key for _, group in known.memberships)
    makers = groups.get(key, set()) | possible.get(key, set())
    return WhyNot(why, Kind.GROUP, key, has, shall, _among(why, makers), is_known=key in groups)


def _called(what: str, known: Collection[str]) -> str:
    """The one of the known names that is meant, whatever the case of its letters."""
    if what in known:
        return what
    alike = [name for name in known if name.casefold() == what.casefold()]
    return alike[0] if len(alike) == 1 else known_name("target, group or licence", what, known)


def _among(why: Explained, ids: Collection[str]) -> tuple[RuleExplanation, ...]:
    return tuple(rule for rule in why.explanation.rules if rule.rule in ids)


def _makers_of_groups(connection: Connection, why: Explained) -> dict[str, set[str]]:
    """Key of every group, known or to come → ids of the rules that make it."""
    makers: dict[str, set[str]] = {}
    memberships = tables.known_memberships.c
    for key, rule in connection.execute(select(tables.known_groups.c.key, tables.known_groups.c.rule)):
        makers.setdefault(key, set()).add(rule)
    for key, rule in connection.execute(select(memberships.group_key, memberships.rule).distinct()):
        makers.setdefault(key, set()).add(rule)
    for row in why.explanation.desired.memberships:
        makers.setdefault(row.group, set()).add(row.rule)
    return makers


def _lacking(desired: Desired, known: Known) -> list[str]:
    """Targets in which somebody shall have an account, and has none."""
    targets = (account.target for account in desired.accounts)
    return [target for target in targets if target not in known.accounts and target not in known.recycled]


def _undecided(context: Context, connection: Connection, person_id: str, targets: Collection[str]) -> Mapping[str, str]:
    """Of targets in which somebody has no account, those in which one may be theirs, and waits → why."""
    if not any(context.loaded.settings.targets[target].correlation for target in targets):
        return {}
    from eadm_sync.app.correlating import undecided_of  # noqa: PLC0415 - loads what reads targets

    return undecided_of(context, connection, person_id, targets)


def _explained(context: Context, connection: Connection, person_id: str, *, look: bool) -> Explained:
    person = stored_person(connection, person_id)
    day = today(context.clock, context.loaded.settings.organisation.zone)
    orders = load_orders(connection, [person_id]).get(person_id, NO_ORDERS)
    stand = standing(person, context.ruleset.lifecycle, day, orders)
    organisation = organisation_around(context, connection, person)
    decisions = Decisions(context, connection, organisation, person)
    made = explain(
        context.ruleset,
        person,
        winning_order(stand.counting, context.ruleset.affiliation_order),
        organisation,
        decisions.of,
        lambda sealed: context.vault.open(sealed, "national_id"),
        day,
    )
    unnamed = tuple(f"every candidate of {name} is taken" for name, value in decisions.values.items() if value is None)
    known = load_known(connection, [person_id]).get(person_id) or Known()
    place = place_of(person, organisation, context.ruleset.affiliation_order, day)
    holds = tuple(hold for hold in last_holds(connection) if hold.concerns(place))
    overlap = overlapped(made.desired, known, stand, Terms.of(context.ruleset, day), day)
    undecided = _undecided(context, connection, person_id, _lacking(made.desired, known))
    desired = made.desired.without(undecided)
    changes, faults = prospects(context, person, stand, desired, overlap.known, day, holds, orders.stopped)
    rows = records(connection, person_id)
    return Explained(
        person=person,
        today=day,
        records=rows,
        quarantined=quarantined(connection, _places(person, rows)),
        found=_found(context, rows) if look or not _is_present(rows) else None,
        standing=stand,
        turns=tuple(turns(context, person, stand, orders, made, overlap, day)),
        decisions=tuple(decisions.made()),
        explanation=made,
        known=known,
        prospects=() if unnamed else changes,
        faults=(*unnamed, *faults, *(f"{target}: {why}" for target, why in undecided.items())),
        holds=holds,
        waits=tuple(waits(context, connection, person_id)),
        outcomes=tuple(outcomes(connection, person_id)),
        by_way=by_way(connection, known, made.desired),
        orders=standing_orders(connection, person_id),
        kept=tuple(overlap.kept),
        followers=tuple(followers(context, connection, person_id, made.desired, known)),
        doubts=tuple(filter(is_of_existence, sorted(load_doubts(connection, [person_id]).get(person_id, ())))),
        pending=bool(connection.scalar(select(tables.people.c.pending).where(tables.people.c.id == person_id))),
    )


def _is_present(rows: Collection[RecordTrace]) -> bool:
    return bool(rows) and all(row.absent_since is None for row in rows)


def _found(context: Context, rows: Collection[RecordTrace]) -> Found:
    from eadm_sync.app.finding import find  # noqa: PLC0415 - as in _person

    wanted: dict[str, set[str]] = {}
    for row in rows:
        wanted.setdefault(row.source, set()).add(row.key)
    return find(context, wanted)


def _places(person: Person, rows: Collection[RecordTrace]) -> list[tuple[str, str]]:
    """(source, key) of all that can be wrong about a person: their records, and their units."""
    units = {one.unit for one in person.affiliations if one.unit}
    return sorted({(row.source, key) for row in rows for key in (row.key, *units)})
