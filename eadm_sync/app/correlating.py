"""Reads what targets hold that is not ours, matches it with people, and keeps what somebody says about a match."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import msgspec
from sqlalchemy import Connection, Table, select

from connectors.contract import Kind, RemoteObject, Target, Value
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.population import stored_people
from eadm_sync.config.settings import CorrelationSettings
from eadm_sync.correlation import (
    Decision,
    Matching,
    MatchRule,
    Protection,
    Stranger,
    Verdict,
    compile_rules,
    is_within,
)
from eadm_sync.correlation.protection import BY_TARGET
from eadm_sync.delivery.protecting import Guarding, protected_members
from eadm_sync.events import get_logger
from eadm_sync.expression import Origin
from eadm_sync.model import Person, Sealed
from eadm_sync.plan.adopting import Undecided, described
from eadm_sync.plan.change import group_key
from eadm_sync.state import tables

log = get_logger(__name__)


class Population(Protocol):
    """The people as the import left them (`eadm_sync.importing.Imported`)."""

    @property
    def changed(self) -> Sequence[str]:
        """Ids of people whose data may differ from what is stored."""
        ...

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        """These people, in this order; those that do not exist are left out."""
        ...


def protections(context: Context) -> dict[str, Protection]:
    """What is never changed, by target."""
    return {name: Protection.of(one.protected) for name, one in context.loaded.settings.targets.items()}


def guarding_of(context: Context, target: str) -> Guarding:
    """What deliveries to a target look at again."""
    settings = context.loaded.settings.targets[target]
    scope = settings.correlation.containers if settings.correlation is not None else ()
    return Guarding(Protection.of(settings.protected), scope)


def directories(context: Context, connection: Connection, population: Population) -> dict[str, Directory]:
    """What the targets with correlation hold; nothing is read yet.

    Raises:
        ConfigError: Match rules are wrong.
    """
    return {
        name: Directory(context, name, settings.correlation, connection, population, match_rules(context, name))
        for name, settings in context.loaded.settings.targets.items()
        if settings.correlation is not None
    }


@dataclass(frozen=True)
class _Stored:
    """The people as the last accepted import left them."""

    connection: Connection
    changed: Sequence[str] = ()

    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        """All of them, whoever is asked for: that is everybody."""
        wanted = set(ids)
        for portion in stored_people(self.connection):
            yield from (person for person in portion if person.id in wanted)


def undecided_of(context: Context, connection: Connection, person_id: str, targets: Collection[str]) -> dict[str, str]:
    """Of some targets, those in which somebody may have an account already, and waits → why.

    A target with correlation is read for it.
    """
    found: dict[str, str] = {}
    if any(context.loaded.settings.targets[target].correlation for target in targets):
        for target, directory in directories(context, connection, _Stored(connection)).items():
            try:
                verdict = directory.verdict(person_id) if target in targets else None
            except Undecided as undecided:
                found[target] = undecided.reason
            else:
                if verdict is not None and verdict.theirs is None:
                    found[target] = described(verdict)
    return found


def match_rules(context: Context, target: str) -> tuple[MatchRule, ...]:
    """The compiled match rules of a target.

    Raises:
        ConfigError: With every problem there is.
    """
    settings = context.loaded.settings.targets[target].correlation
    rules = settings.rules if settings is not None else ()

    def locate(path: tuple[str | int, ...]) -> Origin:
        return context.origin(("targets", target, "correlation", "rules", *path))

    return compile_rules(rules, context.capabilities(target).attributes, context.vocabulary.person_extra, locate)


class _Read(msgspec.Struct):
    """What was found in one target.

    Attributes:
        verdicts: By person.
        strangers: Accounts in scope that nobody is known to have.
        holdings: (anchor, for whom it was made; "" for nobody, what it is called by) of accounts that are not known.
    """

    verdicts: dict[str, Verdict]
    strangers: list[Stranger]
    holdings: list[tuple[str, str, dict[str, Value]]]


@dataclass
class Directory:
    """What one target holds that is not ours; read once, when it is first asked for (`plan.adopting.Existing`).

    Attributes:
        context: The installation.
        name: Name of the target.
        settings: How its accounts are found.
        connection: The state.
        population: The people.
        rules: The match rules.
        error: Why the target could not be read, or None.
    """

    context: Context
    name: str
    settings: CorrelationSettings
    connection: Connection
    population: Population
    rules: tuple[MatchRule, ...]
    error: str | None = field(default=None, init=False)

    def verdict(self, person_id: str) -> Verdict | None:
        """What is to become of the account that somebody has there; raises Undecided."""
        return self._accounts.verdicts.get(person_id)

    def holdings(self) -> Iterator[tuple[str, Mapping[str, Value]]]:
        """Whose, or who is to get, every account that is not known, and what it is called by; raises Undecided."""
        found = self._accounts
        theirs = {
            one.remote.anchor: each.person for each in found.verdicts.values() if (one := each.theirs) is not None
        }
        for anchor, maker, attributes in found.holdings:
            yield theirs.get(anchor, maker), attributes

    def group(self, name: str) -> RemoteObject | None:
        """The group of that name, if groups are adopted and this one can be; raises Undecided, also where two are."""
        found = self._groups.get(name.casefold(), ()) if self.settings.groups else ()
        if len(found) > 1:
            raise Undecided(self.name, f"{len(found)} groups there are called {name}: rename all but the right one")
        return found[0] if found else None

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """What is to become of everybody's match; raises Undecided."""
        return self._accounts.verdicts

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Accounts in scope that nobody is known to have; raises Undecided."""
        return self._accounts.strangers

    # ------------------------------------------------------------ reading

    @cached_property
    def _accounts(self) -> _Read:
        with self._opened() as target:
            return self._matched(target)

    @cached_property
    def _groups(self) -> dict[str, list[RemoteObject]]:
        """Groups that can be adopted, by folded name; in some targets several can have one."""
        known = {anchor for anchor, _ in _known(self.connection, tables.known_groups, self.name)}
        rules = [rule for rule in self.context.ruleset.groups if rule.target == self.name]
        names = {name for rule in rules for name in rule.attributes}
        with self._opened() as target:
            word = target.capabilities.group_name
            found: dict[str, list[RemoteObject]] = {}
            for one in _objects(target, Kind.GROUP, names | {word}):
                if one.anchor not in known and not self._is_untouchable(one, word):
                    found.setdefault(str(one.attributes.get(word)).casefold(), []).append(one)
            return found

    def _is_untouchable(self, group: RemoteObject, word: str) -> bool:
        made = (group.owner or "").startswith(group_key(""))  # its creation finds it, though its answer was lost
        name = group.attributes.get(word)
        return made or group.protected or self._protection.group((name,), group.container) is not None

    def _matched(self, target: Target) -> _Read:
        """One pass through all people, and one through all accounts."""
        vault = self.context.vault
        known = dict(_known(self.connection, tables.known_accounts, self.name))
        matching = Matching(self.rules, known, decisions(self.connection, self.name), vault.digest)
        matching.add_people(self.population.people(self._everybody()), self._reveal)
        members = protected_members(target, self._protection)
        word, called = target.capabilities.account_name, self._called_by
        holdings: list[tuple[str, str, dict[str, Value]]] = []
        for one in _objects(target, Kind.ACCOUNT, self._attributes(target)):
            name = str(one.attributes.get(word, one.anchor))
            protected = BY_TARGET if one.protected else None
            protected = protected or self._protection.account(name, one.container, members.get(one.anchor, ()))
            matching.add_account(one, name, protected, in_scope=self._is_in_scope(one))
            if one.anchor not in known:
                held = {each: one.attributes[each] for each in called if each in one.attributes}
                holdings.append((one.anchor, matching.maker(one) or "", held))
        log.info("target.matched", target=self.name, accounts=len(holdings) + len(known))
        return _Read(matching.verdicts(), matching.strangers, holdings)

    def _opened(self) -> _Opened:
        if self.error is not None:
            raise Undecided(self.name, self.error)
        return _Opened(self)

    def _everybody(self) -> list[str]:
        stored = self.connection.scalars(select(tables.people.c.id))
        return sorted({*self.population.changed, *stored})

    def _attributes(self, target: Target) -> set[str]:
        """Those that rules set, that names are made for, and that matches are made by."""
        rules = [rule for rule in self.context.ruleset.accounts if rule.target == self.name]
        own = {name for rule in rules for name in rule.attributes} | {rule.attribute for rule in self.rules}
        return own | self._called_by | {target.capabilities.account_name}

    @cached_property
    def _called_by(self) -> frozenset[str]:
        """Attributes in which names have to be free."""
        forms = (form for rule in self.context.ruleset.identifiers.values() for form in rule.forms)
        return frozenset(form.attribute for form in forms if form.target == self.name)

    @cached_property
    def _protection(self) -> Protection:
        return Protection.of(self.context.loaded.settings.targets[self.name].protected)

    def _is_in_scope(self, one: RemoteObject) -> bool:
        scope = self.settings.containers
        return not scope or any(is_within(one.container, each) for each in scope)

    def _reveal(self, sealed: Sealed) -> str:
        return self.context.vault.open(sealed, "national_id")


class _Opened:
    """A target while it is read: what goes wrong is said once, and everybody who has to wait for it is told."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._target = directory.context.make_target(directory.name)

    def __enter__(self) -> Target:
        return self._target

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._target.close()
        if isinstance(error, ConnectorError):
            self._directory.error = f"what is there cannot be read: {error}"
            log.warning("target.failed", target=self._directory.name, error=str(error))
            raise Undecided(self._directory.name, self._directory.error) from error


def _objects(target: Target, kind: Kind, attributes: Collection[str]) -> Iterator[RemoteObject]:
    found = target.read(kind, None, attributes)
    return (one for one in found if isinstance(one, RemoteObject) and not one.deleted)


def _known(connection: Connection, table: Table, target: str) -> Iterable[tuple[str, str]]:
    """(anchor, whose it is) of what a target is known to hold of one kind; of groups the anchor alone counts."""
    whose = table.c.person_id if "person_id" in table.c else table.c.key
    rows = connection.execute(select(table.c.anchor, whose).where(table.c.target == target))
    return ((anchor, key) for anchor, key in rows)


def decisions(connection: Connection, target: str) -> dict[tuple[str, str], Decision]:
    """(person id, anchor) → what somebody said about it."""
    columns = tables.correlations.c
    query = select(columns.person_id, columns.anchor, columns.decision).where(columns.target == target)
    return {(person, anchor): Decision(said) for person, anchor, said in connection.execute(query)}
