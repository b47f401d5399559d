"""Why a person is called so: each candidate of an identifier in order, with what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.clock import today
from eadm_sync.identifiers import Fates, Identifiers, NoFreeCandidate, Outcome
from eadm_sync.model import Affiliation, Person
from eadm_sync.ruleset import IdentifierRule, Organisation
from eadm_sync.ruleset.naming import Offer, offers
from eadm_sync.state import tables

MOST = 8
"""Candidates told of one by one; the hundredth number says no more than the eighth."""


class Tried(msgspec.Struct, frozen=True):
    """One candidate.

    Attributes:
        name: The name; "" where the pattern makes none of this person.
        pattern: The pattern it is made by.
        outcome: `own`, `free`, `taken`, `reserved`, `in use`, `forbidden` or `empty`.
        person: Id of who has it, or None.
        person_name: What they are called; None of the person themselves, or where nothing is known of them any more.
        place: "<target>.<attribute>" where only an account holds it, or None.
        is_pending: Whether the one who has it waits in the export queue for the account.
        until: Last day of a reservation; None: for ever, or there is none.
        whole: The name before it was cut, or None where it was not.
    """

    name: str
    pattern: str
    outcome: str
    person: str | None = None
    person_name: str | None = None
    place: str | None = None
    is_pending: bool = False
    until: str | None = None
    whole: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """How one identifier of a person comes about.

    Attributes:
        name: The identifier's.
        file: Where it is written.
        line: 1-based.
        value: What the person has, or would be given by the next run; None where nothing is free.
        since: When it was given, ISO text in UTC; None where it is not given yet.
        follows: Whether it changes with the person's name (`on_rename: follow`).
        is_candidate: Whether the value is one of today's candidates; a kept one need not be.
        tried: The first candidates up to the value, at most `MOST` and the value itself.
        more: How many others lie before the value, or are taken as well.
        max_length: Longest name in characters, or None.
        limited_by: What sets that length: "ad.sAMAccountName", or `max_length` of the ruleset; None without.
    """

    name: str
    file: str
    line: int
    value: str | None
    since: str | None
    follows: bool
    is_candidate: bool
    tried: tuple[Tried, ...]
    more: int
    max_length: int | None
    limited_by: str | None


class Decisions:
    """A person's identifiers as rules ask for them; one that is not given yet is the one the next plan would give."""

    def __init__(self, context: Context, connection: Connection, organisation: Organisation, person: Person) -> None:
        self._context = context
        self._connection = connection
        self._organisation = organisation
        self._person = person
        rules = context.ruleset.identifiers
        day = today(context.clock, context.loaded.settings.organisation.zone)
        self._fates = Fates(connection, context.vault.digest, rules, day)
        self._identifiers = Identifiers(connection, context.vault.digest, rules, day)
        self._identifiers.load([person.id])
        self._asked: dict[str, Affiliation] = {}
        self.values: dict[str, str | None] = {}

    def of(self, name: str, person: Person, affiliation: Affiliation) -> str | None:
        """The person's identifier, or None where every candidate is taken."""
        if name not in self._asked:
            self._asked[name] = affiliation
            rule = self._context.ruleset.identifiers[name]
            try:
                self.values[name] = self._identifiers.name(rule, person, affiliation, self._organisation)
            except NoFreeCandidate:
                self.values[name] = None
        return self.values[name]

    def made(self) -> Iterator[Decision]:
        """Every identifier that the person has or that a rule asked for, by name."""
        given = self._given()
        rules = self._context.ruleset.identifiers
        for name in sorted(rules.keys() & (given.keys() | self._asked.keys())):
            value = self.values[name] if name in self._asked else next(iter(given[name]))
            yield self._decision(rules[name], value, given.get(name, {}))

    def _given(self) -> dict[str, dict[str, str]]:
        """Identifier → value → when it was given, the latest first."""
        columns = tables.identifiers.c
        query = select(columns.name, columns.value, columns.allocated_at)
        query = query.where(columns.person_id == self._person.id)
        found: dict[str, dict[str, str]] = {}
        for name, value, since in self._connection.execute(query.order_by(columns.allocated_at.desc(), columns.folded)):
            found.setdefault(name, {})[value] = since
        return found

    def _decision(self, rule: IdentifierRule, value: str | None, given: Mapping[str, str]) -> Decision:
        tried, more, is_candidate = self._tried(rule, value)
        length, limited_by = _limit(self._context, rule)
        return Decision(
            name=rule.name,
            file=rule.file,
            line=rule.line,
            value=value,
            since=None if value is None else given.get(value),
            follows=rule.follows,
            is_candidate=is_candidate,
            tried=tried,
            more=more,
            max_length=length,
            limited_by=limited_by,
        )

    def _tried(self, rule: IdentifierRule, value: str | None) -> tuple[tuple[Tried, ...], int, bool]:
        """The candidates that are told, how many are not, and whether the value is among all of them."""
        affiliation = self._asked.get(rule.name) or next(iter(self._person.affiliations), None)
        if affiliation is None:
            return (), 0, False
        offered = offers(rule, self._person, affiliation, self._organisation)
        before: list[Offer] = []
        for offer in offered:
            if value is not None and offer.name.casefold() == value.casefold():
                told = (*before[:MOST], offer)
                return tuple(self._outcome(rule, one) for one in told), len(before) - len(before[:MOST]), True
            before.append(offer)
        told = (*islice(before, MOST if value is None else 1),)
        more = len(before) - len(told) if value is None else 0
        return tuple(self._outcome(rule, one) for one in told), more, False

    def _outcome(self, rule: IdentifierRule, offer: Offer) -> Tried:
        whole = None if offer.whole == offer.name else offer.whole
        if not offer.name or offer.is_forbidden:
            return Tried(offer.name, offer.pattern, "forbidden" if offer.name else "empty", whole=whole)
        fate = self._fates.of(rule.name, offer.name, self._person.id)
        return Tried(
            offer.name,
            offer.pattern,
            fate.outcome,
            person=fate.person,
            person_name=self._name_of(fate.person),
            place=fate.place,
            is_pending=fate.outcome is Outcome.TAKEN and self._is_pending(fate.person),
            until=fate.until,
            whole=whole,
        )

    def _name_of(self, person_id: str | None) -> str | None:
        """What somebody else is called."""
        if person_id in {None, self._person.id}:
            return None
        columns = tables.people.c
        found: str | None = self._connection.scalar(select(columns.name).where(columns.id == person_id))
        return found

    def _is_pending(self, person_id: str | None) -> bool:
        """Whether the account that the name was given for is not there yet, but on its way."""
        accounts = tables.known_accounts.c
        if person_id is None or self._connection.scalar(
            select(accounts.person_id).where(accounts.person_id == person_id).limit(1)
        ):
            return False
        return any(self._context.queue.unfinished(self._connection, [person_id]))


def _limit(context: Context, rule: IdentifierRule) -> tuple[int | None, str | None]:
    """The longest name there can be, and what sets it."""
    if rule.max_length is None:
        return None, None
    for form in rule.forms:
        longest = context.vocabulary.targets[form.target].max_lengths.get(form.attribute)
        rendered = form.render("x")
        if longest is not None and isinstance(rendered, str) and longest - len(rendered) + 1 == rule.max_length:
            return rule.max_length, f"{form.target}.{form.attribute}"
    return rule.max_length, "max_length"
