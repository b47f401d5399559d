"""A batch of operations, carried out with many requests under way at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from connectors.active_directory import names
from connectors.active_directory.accounts import Accounts
from connectors.active_directory.ber import Search, any_of, equals
from connectors.active_directory.connection import Session
from connectors.active_directory.containers import Containers
from connectors.active_directory.groups import Groups
from connectors.active_directory.look import Look, Survey
from connectors.active_directory.members import Members
from connectors.active_directory.namesakes import Claims
from connectors.active_directory.objects import Made, Situation, check_operation
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.pipeline import Chain, Pipeline
from connectors.active_directory.protection import Guard, read_guard
from connectors.active_directory.schema import ACCOUNT_NAME
from connectors.active_directory.settings import Rules, password_rules_of, rules_of
from connectors.active_directory.values import anchor_of
from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    Rejected,
    Throttled,
    Transient,
    Unavailable,
)

_OBJECTS = (Kind.ACCOUNT, Kind.GROUP)
_LINKS = (Kind.MEMBERSHIP, Kind.NESTING)
_ACTIONS: Mapping[Kind, frozenset[Action]] = {
    Kind.ACCOUNT: frozenset(Action) - {Action.ADOPT},
    Kind.GROUP: frozenset({Action.CREATE, Action.UPDATE, Action.DELETE}),
    Kind.MEMBERSHIP: frozenset({Action.CREATE, Action.DELETE}),
    Kind.NESTING: frozenset({Action.CREATE, Action.DELETE}),
}
_AT_ONCE = 50  # a server compares each object with every filter: more make a search dearer than two


class Writer:
    """Writes to the domain of one session."""

    def __init__(self, session: Session, options: ActiveDirectoryOptions) -> None:
        self._session = session
        self._options = options

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As `connectors.contract.Target.apply`.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: The batch as a whole.
        """
        if not operations:
            return
        pipeline, base_dn = Pipeline(self._session.connection), self._session.domain.base_dn
        rules = rules_of(self._options, base_dn)
        good: list[Operation] = []
        for operation in operations:
            error = _refusal(operation, rules, base_dn)
            if error is None:
                good.append(_as_sent(operation))
            else:
                yield Outcome(operation.id, error)
        if good:
            yield from _Batch(pipeline, self._session, self._options, rules, good).run()


class _Batch:
    """The operations of one batch that are sound.

    They are looked at in parts: while the first are written, the server is asked about the next.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        session: Session,
        options: ActiveDirectoryOptions,
        rules: Mapping[Kind, Rules],
        operations: Sequence[Operation],
    ) -> None:
        self._pipeline = pipeline
        self._options = options
        self._rules = rules
        self._operations = operations
        self._domain = session.domain
        self._base_dn = session.domain.base_dn
        self._policy = session.password_policy if any(one.password for one in operations) else None
        self._claims = Claims()
        self._containers = Containers(self._base_dn, options.create_containers)
        self._left: dict[str, str] = {}
        self._work: deque[Chain[Sequence[Outcome | Made]]] = deque()

    def run(self) -> Iterator[Outcome]:
        guard = read_guard(self._pipeline, self._domain, self._options.user)
        self._work.extend(self._part(guard, part) for part in _parts(self._operations))
        made: list[Made] = []
        for results in self._pipeline.run(self._work):
            made += [one for one in results if isinstance(one, Made)]
            yield from (one for one in results if isinstance(one, Outcome))
            if len(made) >= _AT_ONCE:
                self._work.appendleft(self._named(made))
                made = []
        if made:
            self._work.append(self._named(made))
        if self._options.remove_empty_containers:
            self._work.extend(map(self._tidied, self._left.values()))
        for results in self._pipeline.run(self._work):
            yield from (one for one in results if isinstance(one, Outcome))

    def _part(self, guard: Guard, operations: Sequence[Operation]) -> Chain[Sequence[Outcome | Made]]:
        """Looks at what some operations are about, and adds them to the work."""
        survey = Survey(self._rules, guard)
        for operation in operations:
            survey.add(operation)
        look = yield from survey.look(self._base_dn)
        no_container = yield from self._containers.ensure(self._wanted(operations, look))
        self._left.update((names.canonical(one), one) for one in _leaving(operations, look))
        accounts = Situation(
            self._rules[Kind.ACCOUNT],
            self._base_dn,
            look,
            no_container,
            self._policy,
            password_rules_of(self._options),
            self._options.random_password,
            self._claims,
        )
        self._work.extend(self._chains(operations, accounts, replace(accounts, rules=self._rules[Kind.GROUP])))
        return ()

    def _wanted(self, operations: Sequence[Operation], look: Look) -> list[str]:
        """Where something is created or moved to; what stays where it is needs no look."""
        wanted: dict[str, None] = {}
        for operation in operations:
            if operation.kind not in _OBJECTS:
                continue
            container = operation.container
            if operation.action is Action.CREATE:
                wanted[container or self._rules[operation.kind].default] = None
            elif container is not None and look.live(operation.kind, operation.anchor) is not None:
                wanted[container] = None
        return list(wanted)

    def _chains(
        self, operations: Sequence[Operation], accounts: Situation, groups: Situation
    ) -> Iterator[Chain[Sequence[Outcome | Made]]]:
        on_accounts, on_groups = Accounts(accounts, self._options.recycle_bin), Groups(groups)
        for operation in operations:
            if operation.kind is Kind.ACCOUNT:
                yield _guarded(operation, on_accounts.chain(operation))
            elif operation.kind is Kind.GROUP:
                yield _guarded(operation, on_groups.chain(operation))
        members = Members(groups)
        for each in _by_group(operations).values():
            yield members.chain(each)

    def _named(self, made: Sequence[Made]) -> Chain[list[Outcome]]:
        """The outcomes of creations: many anchors come by one search. Accounts and groups share their names."""
        names_ = any_of(equals(ACCOUNT_NAME, one.name) for one in made)
        answer = yield Search(self._base_dn, names_, ["objectGUID", ACCOUNT_NAME])
        anchors = {
            entry.attributes[ACCOUNT_NAME][0].decode().casefold(): anchor_of(entry.attributes["objectGUID"][0])
            for entry in answer.entries
        }
        return [_made(one, anchors.get(one.name.casefold())) for one in made]

    def _tidied(self, container: str) -> Chain[Sequence[Outcome | Made]]:
        yield from self._containers.tidy(container)
        return ()


def _by_group(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Who joins and leaves each group."""
    links: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.kind in _LINKS:
            links.setdefault((operation.anchor or "").casefold(), []).append(operation)
    return links


def _parts(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The operations in parts that one search can look at; those on the members of one group together."""
    apart = [[one] for one in operations if one.kind in _OBJECTS] + list(_by_group(operations).values())
    for start in range(0, len(apart), _AT_ONCE):
        yield [one for some in apart[start : start + _AT_ONCE] for one in some]


def _leaving(operations: Iterable[Operation], look: Look) -> Iterator[str]:
    """The containers that objects are in that are to be moved or deleted."""
    for one in operations:
        if one.kind in _OBJECTS and (one.container or one.action is Action.DELETE):
            seen = look.live(one.kind, one.anchor)
            if seen is not None:
                yield names.parent(seen.dn)


def _refusal(operation: Operation, rules: Mapping[Kind, Rules], base_dn: str) -> Rejected | None:
    """Why an operation is refused whatever the domain holds, or None."""
    if operation.action not in _ACTIONS.get(operation.kind, ()):
        return Rejected(f"a {operation.kind} cannot be subject to {operation.action} here")
    if operation.kind not in rules:
        return None
    try:
        check_operation(operation, rules[operation.kind], base_dn)
    except Rejected as error:
        return error
    return None


def _as_sent(operation: Operation) -> Operation:
    """The operation with its container as domain controllers take it."""
    if operation.container is None or operation.kind not in _OBJECTS:
        return operation
    return msgspec.structs.replace(operation, container=names.written(operation.container))


def _guarded(operation: Operation, chain: Chain[Outcome | Made]) -> Chain[Sequence[Outcome | Made]]:
    """A chain whose own failure is an outcome, so that it touches no other."""
    try:
        return [(yield from chain)]
    except (Unavailable, Throttled, AuthenticationFailed):
        raise
    except ConnectorError as error:
        return [Outcome(operation.id, error)]


def _made(made: Made, anchor: str | None) -> Outcome:
    if anchor is None:  # somebody renamed or deleted it within this moment: the next attempt finds out
        return Outcome(made.operation.id, Transient("was created, and is not there any more under its name"))
    return Outcome(made.operation.id, None, anchor, made.stored, made.warning)
