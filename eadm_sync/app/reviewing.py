"""What would become of the accounts that targets hold already, for somebody to review; and what they say about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, delete

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.correlating import Directory, decisions
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.planning import Planned, Progress, planned, silent
from eadm_sync.correlation import Decision, Seen, Stranger, Verdict
from eadm_sync.delivery.looking_again import look_again
from eadm_sync.errors import EadmError, NotFound, SourceError
from eadm_sync.plan.adopting import Undecided
from eadm_sync.plan.change import Change, PersonFrame, Value, account_key
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit

AUDITED = "correlation"
"""Kind of the audit's lines about what somebody said of a match."""

UNMATCHED = "unmatched"
"""What becomes of an account that is nobody's: nothing."""

_encode = msgspec.msgpack.Encoder().encode


class NotDecided(EadmError):
    """What somebody said about a match cannot be: `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Line(msgspec.Struct, frozen=True):
    """What becomes of one account.

    Attributes:
        target: Name of the target.
        state: adopt, ambiguous, proposed, protected, left, or unmatched.
        person: Id of whose it is, or may be; "" for nobody.
        name: Theirs, for people to read.
        anchor: The account's.
        account: What it is called.
        container: Where it is, or None.
        rule: The attribute it was found by, or "".
        reason: Why it is so.
        actions: Of an adoption, what would be done to the account: update, enable, disable.
        changes: Of an adoption, attribute (or "container") → (as it is, as it would be).
    """

    target: str
    state: str
    person: str
    name: str
    anchor: str
    account: str
    container: str | None
    rule: str
    reason: str
    actions: tuple[str, ...] = ()
    changes: dict[str, tuple[Value, Value]] = {}


class Review(msgspec.Struct, frozen=True):
    """What becomes of all accounts in scope that nobody is known to have.

    Attributes:
        lines: By target and state, then by person and account.
        errors: Target → why it could not be read.
        problems: Sources that could not be read, and why.
    """

    lines: tuple[Line, ...]
    errors: dict[str, str] = {}
    problems: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Whether somebody's word is waited for."""
        return any(line.state in _WAITING for line in self.lines)


_STATES = ("adopt", "ambiguous", "proposed", "protected", "left", UNMATCHED)
_WAITING = frozenset({"ambiguous", "proposed"})


class Decided(msgspec.Struct, frozen=True):
    """What was said about one account.

    Attributes:
        target: Name of the target.
        person: Id.
        anchor: The account's.
        account: What it is called; "" where the target has it no more.
        decision: What was said; None where something was taken back.
        changed: Whether it had not been said before.
    """

    target: str
    person: str
    anchor: str
    account: str
    decision: Decision | None
    changed: bool = True


def review(context: Context, *, only: str | None = None, progress: Progress = silent) -> Review:
    """Plans as `sync` does and reads the targets with correlation; changes nothing.

    Args:
        context: The installation.
        only: Name of one target; None for all that have correlation.
        progress: Told how it gets on.

    Raises:
        NotFound: There is no such target, or it has no correlation.
        ConfigError, StateError: As planning.
    """
    if only is not None:
        _require_correlated(context, only)
    with context.reading() as database, planned(context, database, progress=progress) as made:
        adoptions = _adoptions(made)
        lines: list[Line] = []
        errors: dict[str, str] = {}
        for name, directory in made.directories.items():
            if only in {None, name}:
                try:
                    lines += _of_target(directory, adoptions, _named(made, directory.verdicts))
                except Undecided as error:
                    errors[name] = error.reason
        lines.sort(key=lambda line: (line.target, _STATES.index(line.state), line.person, line.account))
        return Review(tuple(lines), errors, tuple(map(_told, made.failures)))


def decide(
    context: Context, who: str, anchor: str, target: str, decision: Decision, reason: str, progress: Progress = silent
) -> Decided:
    """Keeps what somebody says about a person and an account of a target; the next run goes by it.

    Raises:
        NotFound, AmbiguousName: There is no such person, target, or account that could be theirs.
        NotDecided: It cannot be: the account is protected, or somebody else's.
        StateError: The state cannot be used.
    """
    _require_correlated(context, target)
    with context.writing() as database:
        with database.read() as connection, planned(context, database, progress=progress, only=()) as made:
            person = _person(connection, made, who)
            account = _account(made.directories[target], anchor)
        with database.write() as connection:
            said = decisions(connection, target)  # now, not before the target was read: others decide meanwhile
            _refuse_wrong(account, person, decision, said)
            now = context.clock.now().isoformat()
            row = (target, person, anchor, str(decision), reason, context.actor, now)
            columns = tuple(column.name for column in tables.correlations.columns)
            bulk.upsert(connection, tables.correlations, columns, [row])
            _note(context, connection, person, target, anchor, str(decision), reason)
    return Decided(target, person, anchor, account.name, decision, said.get((person, anchor)) is not decision)


def take_back(context: Context, who: str, anchor: str, target: str, reason: str) -> Decided:
    """Forgets what somebody said about a person and an account: the match rules count again. Raises as `decide`."""
    known_name("target", target, context.loaded.settings.targets)
    columns = tables.correlations.c
    with context.writing() as database, database.write() as connection:
        said = decisions(connection, target)
        person = who if (who, anchor) in said else find_person(connection, who)
        changed = (person, anchor) in said
        if changed:
            which = (columns.target == target, columns.person_id == person, columns.anchor == anchor)
            connection.execute(delete(tables.correlations).where(*which))
            _note(context, connection, person, target, anchor, "forget", reason)
    return Decided(target, person, anchor, "", None, changed)


# ---------------------------------------------------------------- what is shown


@dataclass
class _Adoption:
    """What would be done to an account that is adopted."""

    actions: tuple[str, ...]
    changes: dict[str, tuple[Value, Value]]


def _adoptions(made: Planned) -> dict[tuple[str, str], _Adoption]:
    """(person id, target) → what the plan does to the account that it adopts."""
    found: dict[tuple[str, str], _Adoption] = {}
    for frame in made.plan.people:
        for change in frame.changes if isinstance(frame, PersonFrame) else ():
            if change.kind is Kind.ACCOUNT and change.action is Action.ADOPT:
                further = [each for each in frame.changes if _is_about_same(each, change)]
                changes = {name: both for each in further for name, both in each.attributes.items()}
                moved = [each.container for each in further if each.container is not None]
                if moved:
                    changes["container"] = moved[0]
                found[frame.person, change.target] = _Adoption(tuple(str(each.action) for each in further), changes)
    return found


def _is_about_same(change: Change, adoption: Change) -> bool:
    return change is not adoption and change.kind is Kind.ACCOUNT and change.target == adoption.target


def _named(made: Planned, verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    people = made.imported.people(sorted(verdicts))
    return {person.id: f"{person.given_name} {person.family_name}".strip() for person in people}


def _of_target(
    directory: Directory, adoptions: Mapping[tuple[str, str], _Adoption], names: Mapping[str, str]
) -> Iterator[Line]:
    """Everything about one target; raises Undecided."""
    told: set[str] = set()
    unasked: dict[str, str] = {}
    for person, verdict in directory.verdicts.items():
        adoption = adoptions.get((person, directory.name))
        if verdict.adopted is not None and adoption is None:
            unasked[verdict.adopted.remote.anchor] = person
            continue
        for seen in verdict.accounts:
            told.add(seen.remote.anchor)
            line = _line(directory.name, verdict, seen, names.get(person, ""))
            if adoption is not None:
                line = msgspec.structs.replace(line, actions=adoption.actions, changes=adoption.changes)
            yield line
    for stranger in directory.strangers:
        if stranger.anchor not in told:
            yield _stranger(directory.name, stranger, unasked.get(stranger.anchor))


def _line(target: str, verdict: Verdict, seen: Seen, name: str) -> Line:
    remote = seen.remote
    return Line(
        target,
        str(verdict.kind),
        verdict.person,
        name,
        remote.anchor,
        seen.name,
        remote.container,
        verdict.rule,
        verdict.reason,
    )


def _stranger(target: str, one: Stranger, unasked: str | None) -> Line:
    state = UNMATCHED if one.protected is None else "protected"
    match = f"matches {unasked}, for whom nothing is planned now" if unasked else _nobody_is_given(one)
    reason = one.protected or match
    return Line(target, state, "", "", one.anchor, one.name, one.container, "", reason)


def _nobody_is_given(one: Stranger) -> str:
    if one.alike:
        return f"matches {', '.join(one.alike)}, for whom another account counts"
    return "nobody matches it"


def _told(error: SourceError) -> str:
    return f"source {error.source} could not be read: {error.reason}"


# ---------------------------------------------------------------- what is said


def _require_correlated(context: Context, target: str) -> None:
    settings = context.loaded.settings.targets
    known_name("target", target, settings)
    known_name("target with correlation", target, (name for name, one in settings.items() if one.correlation))


def _person(connection: Connection, made: Planned, who: str) -> str:
    """The person's id: of those that are stored, or of those that the sources have and no run has accepted yet."""
    try:
        return find_person(connection, who)
    except NotFound:
        if not any(True for _ in made.imported.people([who])):
            raise
        return who


def _account(directory: Directory, anchor: str) -> Stranger:
    """An account in scope that nobody is known to have; raises NotFound."""
    try:
        found: Iterable[Stranger] = directory.strangers
    except Undecided as error:
        raise NotDecided(str(error)) from error
    account = next((one for one in found if one.anchor == anchor), None)
    if account is None:
        raise NotFound("account in scope that nobody has", anchor, _near(directory.strangers, anchor))
    return account


def _near(strangers: Sequence[Stranger], text: str) -> tuple[str, ...]:
    """Anchors of accounts that are called so."""
    return tuple(one.anchor for one in strangers if one.name.casefold() == text.casefold())


def _refuse_wrong(account: Stranger, person: str, decision: Decision, said: Mapping[tuple[str, str], Decision]) -> None:
    if decision is Decision.REJECT:
        return
    if decision is Decision.ACCEPT and account.protected is not None:
        raise NotDecided(f"{account.name} is protected: {account.protected}; leave it alone with 'correlate leave'")
    for (other, anchor), word in said.items():
        if word is Decision.REJECT:
            continue
        if anchor == account.anchor and other != person:
            raise NotDecided(f"{account.name} was said to be {other}'s; take that back first")
        if other == person and anchor != account.anchor:
            raise NotDecided(f"another account was said to be {person}'s: {anchor}; take that back first")


def _note(
    context: Context, connection: Connection, person: str, target: str, anchor: str, action: str, reason: str
) -> None:
    """Audits it, and has the next run look at the person."""
    now = context.clock.now().isoformat()
    detail = _encode({"target": target, "anchor": anchor, "reason": reason})
    key = account_key(person)
    entry = AuditEntry(now, None, context.actor, None, AUDITED, action, key, person, detail)
    append_audit(connection, context.vault, [entry])
    look_again(connection, [person])
