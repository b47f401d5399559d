"""Usernames and the like: given once, kept for good, never shared and never given again to somebody else.

An identifier is free when nobody has it or had it, nothing reserves it, and no other person's account holds, in the
attributes of `unique_in`, what it would become there; all compared as directories do (`alike`). What a run allocates is
taken for the rest of that run, and stored in the transaction that accepts its plan; the run lock keeps two runs from
allocating at once. Of accounts that we do not manage, those count that whoever plans has read (`strangers`: targets
with correlation); where they are not asked for, a target that has one of the name refuses the account.

A person can have had several values of one identifier (`on_rename: follow`). All stay the person's own; the one that
was allocated last is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, select

from eadm_sync.errors import EadmError
from eadm_sync.fingerprints import Fingerprints, fingerprint
from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset import Form, IdentifierRule, Organisation, candidates, fits
from eadm_sync.ruleset.naming import Reached, alike
from eadm_sync.state import bulk, tables
from eadm_sync.state.known import account_attributes

_CHUNK = 500
"""People asked for in one query."""

_PORTION = 5_000
"""Names that are written down together."""

_TAKEN = 1
_SEVERAL = fingerprint("")
"""Whose a value is that several people's accounts hold, or somebody's who is none of ours."""

Holds = str | bool | int | list[str] | Sealed | None
"""What an attribute holds."""


class NoFreeCandidate(EadmError):
    """Every candidate of an identifier is taken: `name` of the identifier, `tried` how many."""

    def __init__(self, name: str, tried: int) -> None:
        super().__init__(f"no free {name}: all {tried} candidates are taken or empty")
        self.name = name
        self.tried = tried


class NameTaken(EadmError):
    """The name that somebody's account already has is another's: `name` of the identifier."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} that the account has is taken by somebody else, or was: rename the account")
        self.name = name


Strangers = Callable[[str], Iterable[tuple[str, Mapping[str, Holds]]]]
"""Target → (id of who is to get the account, "" for nobody; attributes) of every account there that is not ours."""


def no_strangers(_target: str) -> Iterable[tuple[str, Mapping[str, Holds]]]:
    """Where accounts that are not ours are not asked for."""
    return ()


class Identifiers:
    """Looks up and allocates identifiers during one run. Reads only; `allocated` says what is to be stored.

    Attributes:
        allocated: (person id, name, value) in the order of allocation, of the people who were loaded last.
    """

    def __init__(
        self,
        connection: Connection,
        digest: Callable[[str, str], bytes],
        rules: Mapping[str, IdentifierRule] | None = None,
        today: date | None = None,
        strangers: Strangers = no_strangers,
    ) -> None:
        """Args: the state; the vault's keyed hash, by which reservations are found; the identifiers by name; the day.

        Reservations count to their last day; without a day, all of them do. `strangers` is asked at most once for each
        target, when the first name is allocated that has to be free there.
        """
        self._today = today
        self._connection = connection
        self._digest = digest
        self._forms = {name: rule.forms for name, rule in (rules or {}).items()}
        self._following = frozenset(name for name, rule in (rules or {}).items() if rule.follows)
        self._taken: dict[str, Fingerprints] = {}
        self._accounts = AccountValues(connection, self._forms, self._taken, strangers)
        self._held: dict[tuple[str, str], list[str]] = {}
        self._settled: set[tuple[str, str]] = set()
        self._reserved: dict[str, set[bytes]] = {}
        self.allocated: list[tuple[str, str, str]] = []

    def load(self, person_ids: Sequence[str]) -> None:
        """Fetches what these people hold, so that `of` need not ask for each; forgets those loaded before."""
        columns = tables.identifiers.c
        self._held = {}
        self._settled = set()
        self.allocated = []
        rows = self._connection.execute(
            select(columns.person_id, columns.name, columns.value)
            .where(columns.person_id.in_(person_ids))
            .order_by(columns.allocated_at.desc(), columns.folded)
        )
        for person_id, name, value in rows:
            self._held.setdefault((person_id, name), []).append(value)

    def held(self, person_id: str, name: str) -> str | None:
        """The identifier that a loaded person has and keeps; None where it is to be asked for with `name` or `of`."""
        key = person_id, name
        held = self._held.get(key)
        if not held or (name in self._following and key not in self._settled):
            return None
        return held[0]

    def name(
        self,
        rule: IdentifierRule,
        person: Person,
        affiliation: Affiliation,
        organisation: Organisation,
        reached: Reached | None = None,
    ) -> str:
        """The person's identifier as its rule says; `reached` as for `ruleset.candidates`.

        Raises:
            NoFreeCandidate: None was free.
        """
        return self.of(
            person.id,
            rule.name,
            lambda: candidates(rule, person, affiliation, organisation, reached),
            (lambda value: fits(rule, person, affiliation, organisation, value)) if rule.follows else None,
        )

    def of(
        self,
        person_id: str,
        name: str,
        candidates: Callable[[], Iterable[str]],
        fits: Callable[[str], bool] | None = None,
    ) -> str:
        """The person's identifier: the one it has, or else the first free candidate, allocated.

        With `fits`, one that does not fit is replaced: by the newest that the person had and that fits, or by the first
        free candidate. What was said once is said again for as long as the person is loaded.

        Raises:
            NoFreeCandidate: None was free.
        """
        key = person_id, name
        held = self._held.setdefault(key, [])
        if held and (fits is None or key in self._settled):
            return held[0]
        value = next(filter(fits, held), None)
        if value is None:
            value = self._first_free(person_id, name, candidates())
        if value not in held[:1]:
            held.insert(0, value)
            self.allocated.append((person_id, name, value))
        self._settled.add(key)
        return value

    def has_any(self, person_id: str, name: str) -> bool:
        """Whether a loaded person has, or had, an identifier."""
        return bool(self._held.get((person_id, name)))

    def take(self, person_id: str, name: str, value: str) -> str:
        """Allocates the very name that an account of the person has already; the person has none yet.

        Raises:
            NameTaken: It is not free.
        """
        if not self.is_free(name, value, person_id):
            raise NameTaken(name)
        self._taken[name][alike(value)] = _TAKEN
        self._held[person_id, name] = [value]
        self._settled.add((person_id, name))
        self.allocated.append((person_id, name, value))
        return value

    def note(self, person_id: str, target: str, attributes: Mapping[str, Holds]) -> None:
        """Keeps in mind what a person's account will hold, so that nobody else is given the same in this run."""
        self._accounts.note(person_id, target, attributes)

    def is_free(self, name: str, value: str, person_id: str = "") -> bool:
        """Whether nobody has or had it, nothing reserves it, and nobody else's account holds what it would become."""
        if name not in self._taken:
            self._taken[name] = self._all_taken(name)
            self._reserved[name] = set(self._all_reserved(name))
        if self._taken[name].get(alike(value)):
            return False
        reserved = self._reserved[name]
        if reserved and any(digest in reserved for digest in reservations_of(name, value, self._digest)):
            return False
        return all(self._accounts.is_free(form, value, person_id) for form in self._forms.get(name, ()))

    def _first_free(self, person_id: str, name: str, offered: Iterable[str]) -> str:
        tried = 0
        for candidate in offered:
            tried += 1
            if candidate and self.is_free(name, candidate, person_id):
                self._taken[name][alike(candidate)] = _TAKEN
                return candidate
        raise NoFreeCandidate(name, tried)

    def _all_taken(self, name: str) -> Fingerprints:
        columns = tables.identifiers.c
        taken = Fingerprints(8)
        for folded in self._connection.scalars(select(columns.folded).where(columns.name == name)):
            taken[alike(folded)] = _TAKEN
        return taken

    def _all_reserved(self, name: str) -> Iterator[bytes]:
        columns = tables.reservations.c
        query = select(columns.digest).where(columns.name == name)
        yield from self._connection.scalars(query.where(_still_reserves(self._today)))


def reservations_of(name: str, value: str, digest: Callable[[str, str], bytes]) -> frozenset[bytes]:
    """The keyed hashes that reserve a name: of itself, and of what it is taken for."""
    return frozenset(digest(name, text) for text in (value.casefold(), alike(value)))


def _still_reserves(today: date | None) -> ColumnElement[bool]:
    """The condition on reservations that their last day is not over."""
    until = tables.reservations.c.until
    return until.is_(None) | (until >= (today or date.min).isoformat())


class Outcome(StrEnum):
    """What becomes of one candidate."""

    OWN = "own"  # the person has it, or had it
    FREE = "free"
    TAKEN = "taken"  # another person has or had it
    RESERVED = "reserved"  # a person who was forgotten had it
    IN_USE = "in use"  # another person's account holds what it would become


class Fate(NamedTuple):
    """Why a name is free or is not.

    Attributes:
        outcome: In a word.
        person: Id of who has it, or whose account holds it; None where nobody does or that is not known.
        place: "<target>.<attribute>" where an account holds it, or None.
        since: When it was given, ISO text in UTC, or None.
        until: Last day of a reservation; None: for ever, or there is none.
    """

    outcome: Outcome
    person: str | None = None
    place: str | None = None
    since: str | None = None
    until: str | None = None


class Fates:
    """Asks of single names what `Identifiers.is_free` asks of all: for explanations, without reading every name."""

    def __init__(
        self,
        connection: Connection,
        digest: Callable[[str, str], bytes],
        rules: Mapping[str, IdentifierRule],
        today: date | None = None,
    ) -> None:
        """Args: as `Identifiers`."""
        self._today = today
        self._connection = connection
        self._digest = digest
        self._forms = {name: rule.forms for name, rule in rules.items()}
        self._accounts = AccountValues(connection, self._forms)

    def of(self, name: str, value: str, person_id: str) -> Fate:
        """What becomes of one candidate of an identifier for a person."""
        kept = tables.reservations.c
        row = self._given(name, value)
        if row is not None:
            outcome = Outcome.OWN if row.person_id == person_id else Outcome.TAKEN
            return Fate(outcome, row.person_id, since=row.allocated_at)
        is_it = kept.digest.in_(reservations_of(name, value, self._digest))
        query = select(kept.until).where(kept.name == name, is_it, _still_reserves(self._today))
        reserved = self._connection.execute(query).first()
        if reserved is not None:
            return Fate(Outcome.RESERVED, until=reserved.until)
        for form in self._forms.get(name, ()):
            holder = self._accounts.holder(form, value, person_id)
            if holder is not None:
                return Fate(Outcome.IN_USE, holder or None, f"{form.target}.{form.attribute}")
        return Fate(Outcome.FREE)

    def _given(self, name: str, value: str) -> Row[Any, Any, Any] | None:
        """To whom the name, or one that is taken for it, was given, and when."""
        given = tables.identifiers.c
        query = select(given.person_id, given.allocated_at, given.folded).where(given.name == name)
        row = self._connection.execute(query.where(given.folded == value.casefold())).first()
        if row is not None:
            return row
        wanted = alike(value)
        return next((one for one in self._connection.execute(query) if alike(one.folded) == wanted), None)


class AccountValues:
    """Whose accounts hold which values, in the attributes that names have to be free in.

    Known accounts are read once, when the first name is allocated; the run's own are noted as they are planned. Sealed
    values are passed over: no name is made of a sensitive field. So is what a name that is taken anyhow becomes there,
    which is what nearly all accounts hold.
    """

    def __init__(
        self,
        connection: Connection,
        forms: Mapping[str, Iterable[Form]],
        taken: Mapping[str, Fingerprints] | None = None,
        strangers: Strangers = no_strangers,
    ) -> None:
        """Args: the state; identifier → its forms; identifier → taken names, as `alike` has them; as `Identifiers`."""
        self._connection = connection
        self._taken = {} if taken is None else taken
        self._strangers = strangers
        self._watched: dict[str, dict[str, _Watched]] = {}
        """Target → attribute → what accounts hold in it."""
        for name, each in forms.items():
            for form in each:
                self._watched.setdefault(form.target, {}).setdefault(form.attribute, _Watched()).add(name, form)
        self._loaded: set[str] = set()

    def note(self, person_id: str, target: str, attributes: Mapping[str, Holds]) -> None:
        """Keeps what one account holds. Several people with one value are nobody in particular: it is not free."""
        for attribute, watched in self._watched.get(target, {}).items():
            for value in _texts(attributes.get(attribute)):
                watched.note(person_id, alike(value), self._taken)

    def is_free(self, form: Form, name: str, person_id: str) -> bool:
        """Whether nobody else's account holds what a name, which is not taken, would become."""
        if form.target not in self._loaded:
            for somebody, held in self._strangers(form.target):
                self.note(somebody, form.target, held)
            for owner, attributes in account_attributes(self._connection, form.target):
                self.note(owner, form.target, attributes)
            self._loaded.add(form.target)
        owners = self._watched[form.target][form.attribute].owners
        for value in _texts(form.render(name)):
            whose = owners.get(alike(value))
            if whose and whose != fingerprint(person_id):
                return False
        return True

    def holder(self, form: Form, name: str, person_id: str) -> str | None:
        """Who else's account holds what a name would become; "" where several people's do, None where nobody's."""
        if self.is_free(form, name, person_id):
            return None
        wanted = set(map(alike, _texts(form.render(name))))
        holders = {
            owner
            for owner, attributes in account_attributes(self._connection, form.target)
            if owner != person_id and not wanted.isdisjoint(map(alike, _texts(attributes.get(form.attribute))))
        }
        return holders.pop() if len(holders) == 1 else ""


class _Watched:
    """One attribute of one target.

    Attributes:
        owners: What accounts hold, as `alike` has it → fingerprint of the person's id, or `_SEVERAL`.
    """

    def __init__(self) -> None:
        self.owners = Fingerprints()
        self._around: list[tuple[str, str, str]] | None = []
        """(identifier, text before, text behind) for each form; None where one of them is more than that."""

    def add(self, name: str, form: Form) -> None:
        """Adds what an identifier becomes here."""
        if self._around is None or form.around is None or not "".join(form.around).isascii():
            self._around = None
        else:
            before, behind = form.around
            self._around.append((name, alike(before), alike(behind)))

    def note(self, person_id: str, value: str, taken: Mapping[str, Fingerprints]) -> None:
        """Keeps what an account holds, unless it is in nobody's way: what would become it is taken."""
        if not self._is_covered(value, taken):
            somebody = fingerprint(person_id)
            if self.owners.setdefault(value, somebody) != somebody:
                self.owners[value] = _SEVERAL

    def _is_covered(self, value: str, taken: Mapping[str, Fingerprints]) -> bool:
        """Whether every name is taken that would become a value in any form."""
        if self._around is None or not value.isascii():
            return False
        for name, before, behind in self._around:
            if value.startswith(before) and value.endswith(behind):
                within = value[len(before) : len(value) - len(behind)]
                if name not in taken or not taken[name].get(within):
                    return False
        return True


def _texts(value: Holds) -> Sequence[str]:
    """The texts that an attribute holds."""
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, list) else ()


def store(connection: Connection, allocated: Iterable[tuple[str, str, str]], now: str) -> None:
    """Writes down what a run allocated; the primary key refuses a second owner whatever happened in between.

    What a person gets back after having had another counts from now on again. Streams: a first run names everybody.
    """
    rows, columns = iter(allocated), ("name", "folded", "value", "person_id", "allocated_at")
    while portion := list(islice(rows, _PORTION)):
        had = _had(connection, sorted({person_id for person_id, _, _ in portion}))
        given = [(name, value.casefold(), value, person_id, now) for person_id, name, value in portion]
        new = [row for row in given if (row[3], row[0], row[1]) not in had]
        again = ((value, now, name, folded) for name, folded, value, owner, _ in given if (owner, name, folded) in had)
        bulk.insert(connection, tables.identifiers, columns, new)
        bulk.update(connection, tables.identifiers, ("value", "allocated_at"), ("name", "folded"), again)


def _had(connection: Connection, person_ids: Sequence[str]) -> set[tuple[str, str, str]]:
    """(person id, name, folded value) of all that these people have or had."""
    columns = tables.identifiers.c
    found: set[tuple[str, str, str]] = set()
    for start in range(0, len(person_ids), _CHUNK):
        chosen = columns.person_id.in_(person_ids[start : start + _CHUNK])
        rows = connection.execute(select(columns.person_id, columns.name, columns.folded).where(chosen))
        found.update((row.person_id, row.name, row.folded) for row in rows)
    return found
