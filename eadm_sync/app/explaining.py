"""Why a person has what they have, and why not: rules with every clause, identifiers, queue. Reads only the state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.population import stored_organisation
from eadm_sync.clock import today
from eadm_sync.desired import Explanation, RuleExplanation, explain, winning_order
from eadm_sync.identifiers import Identifiers, NoFreeCandidate
from eadm_sync.lifecycle import Standing, standing
from eadm_sync.model import Affiliation, Person
from eadm_sync.ruleset import Organisation
from eadm_sync.state import tables
from eadm_sync.state.known import Known, load_known
from exportqueue import Item, State

_decode_person = msgspec.msgpack.Decoder(Person).decode


@dataclass(frozen=True)
class Explained:
    """All that is known of why one person has what they have.

    Attributes:
        person: As the last accepted import left them.
        standing: Where they stand in the lifecycle today.
        identifiers: Name → value that they hold.
        unnamed: Identifiers of which every candidate is taken.
        explanation: Every rule with every clause, and what it comes to.
        known: What they are known to have.
        items: Their changes in the queue that are not done.
        pending: Whether they wait to be looked at again by the next run.
    """

    person: Person
    standing: Standing
    identifiers: dict[str, str]
    unnamed: tuple[str, ...]
    explanation: Explanation
    known: Known
    items: tuple[Item, ...]
    pending: bool


@dataclass(frozen=True)
class WhyNot:
    """Why a person does not have one thing; or that they have it.

    Attributes:
        explained: The person.
        kind: `account`, `group` or `licence`.
        name: The target, the group's key or the sku.
        has: Whether they are known to have it.
        shall_have: Whether the rules give it.
        rules: The rules that could give it, with every clause.
    """

    explained: Explained
    kind: str
    name: str
    has: bool
    shall_have: bool
    rules: tuple[RuleExplanation, ...]


def explained(context: Context, name: str) -> Explained:
    """Explains a person, named by id, source key or an identifier.

    Raises:
        NotFound, AmbiguousName: Nobody, or several, are called that.
        ConfigError: The rules are wrong.
    """
    with context.reading() as database, database.read() as connection:
        return _explained(context, connection, find_person(connection, name))


def why_not(context: Context, person: str, what: str) -> WhyNot:
    """Says why a person does not have an account in a target, a group, or a licence.

    Args:
        context: The installation.
        person: As for `explained`.
        what: A target, a sku, or a group by its key or name.

    Raises:
        NotFound, AmbiguousName: The person as above; or `what` is no target, no known group and no sku of any rule.
        ConfigError: The rules are wrong.
    """
    ruleset, targets = context.ruleset, context.loaded.settings.targets
    with context.reading() as database, database.read() as connection:
        why = _explained(context, connection, find_person(connection, person))
        groups = _makers_of_groups(connection, why)
    skus = {rule.sku for rule in ruleset.licences}
    key = what if what in {*targets, *skus, *groups} else what.casefold()
    if key not in groups:
        known_name("target, group or licence", what, {*targets, *skus, *groups})
    desired, known = why.explanation.desired, why.known
    if what in targets:
        of_target = {rule.id for rule in ruleset.accounts if rule.target == what}
        shall = any(account.target == what for account in desired.accounts)
        return WhyNot(why, "account", what, what in known.accounts, shall, _among(why, of_target))
    if what in skus:
        of_sku = {rule.id for rule in ruleset.licences if rule.sku == what}
        shall = any(licence.sku == what for licence in desired.licences)
        return WhyNot(why, "licence", what, any(sku == what for _, sku in known.licences), shall, _among(why, of_sku))
    shall = any(row.group == key for row in desired.memberships)
    has = any(group == key for _, group in known.memberships)
    return WhyNot(why, "group", key, has, shall, _among(why, groups[key]))


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


def _explained(context: Context, connection: Connection, person_id: str) -> Explained:
    row = connection.execute(
        select(tables.people.c.data, tables.people.c.pending).where(tables.people.c.id == person_id)
    ).one()
    person = _decode_person(row.data)
    day = today(context.clock, context.loaded.settings.organisation.zone)
    stand = standing(person, context.ruleset.lifecycle, day)
    organisation = stored_organisation(context, connection)
    names = _Names(context, connection, organisation, person)
    order = winning_order(stand.counting, context.ruleset.affiliation_order)
    explanation = explain(
        context.ruleset,
        person,
        order,
        organisation,
        names.of,
        lambda sealed: context.vault.open(sealed, "national_id"),
        day,
    )
    items = context.queue.list(connection, subject=person_id, limit=_MOST_ITEMS)
    return Explained(
        person=person,
        standing=stand,
        identifiers=names.held,
        unnamed=tuple(names.unnamed),
        explanation=explanation,
        known=load_known(connection, [person_id]).get(person_id) or Known(),
        items=tuple(item for item in items if item.state not in {State.DONE, State.DROPPED}),
        pending=bool(row.pending),
    )


_MOST_ITEMS = 1_000


class _Names:
    """The person's identifiers; one that is not given yet is the one that the next plan would give."""

    def __init__(self, context: Context, connection: Connection, organisation: Organisation, person: Person) -> None:
        self._context = context
        self._organisation = organisation
        self._identifiers = Identifiers(connection, context.vault.digest, context.ruleset.identifiers)
        self._identifiers.load([person.id])
        self.held: dict[str, str] = {}
        self.unnamed: list[str] = []

    def of(self, name: str, person: Person, affiliation: Affiliation) -> str | None:
        """The person's identifier, or None where every candidate is taken."""
        rule = self._context.ruleset.identifiers[name]
        try:
            self.held[name] = self._identifiers.name(rule, person, affiliation, self._organisation)
        except NoFreeCandidate:
            if name not in self.unnamed:
                self.unnamed.append(name)
            return None
        return self.held[name]
