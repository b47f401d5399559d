"""Who is in a group, and which groups: twenty are added by one request, each is removed by its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, object_id
from connectors.entra.groups import by_its_kind, explained
from connectors.errors import ConnectorError, NotFound, Rejected, Transient
from connectors.memory import Memory

MOST_BOUND = 20
"""References in one request: https://learn.microsoft.com/graph/api/group-post-members"""
OWNER = "owner"
_ROLES = ("member", OWNER)


@dataclass(frozen=True)
class Members:
    """Makes the chains of changes to who is in a group.

    Attributes:
        graph_url: What references begin with.
        memory: What was made not long ago.
    """

    graph_url: str
    memory: Memory

    def chain(self, group: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        """Carries out all operations on who is in one group."""
        done: list[Outcome] = []
        sound: list[Operation] = []
        for operation in operations:
            error = _fault(operation, group)
            if error is None:
                sound.append(operation)
            else:
                done.append(_outcome(operation, error))
        adding = [one for one in sound if one.action is Action.CREATE]
        nested = [one for one in adding if one.kind is Kind.NESTING]
        # Twice the same member in one request would be refused: each is added once, for all who ask for it.
        ready: dict[str, list[Operation]] = {}
        for one in adding:
            if one.kind is Kind.MEMBERSHIP:
                ready.setdefault(_other(one), []).append(one)
        checked = yield from self._checked(nested)
        for operation, error in checked:
            if error is None:
                ready.setdefault(_other(operation), []).append(operation)
            else:
                done.append(_outcome(operation, error))
        leaving = [one for one in sound if one.action is Action.DELETE]
        done += yield from self._change(group, ready, leaving)
        return done

    def _checked(self, nested: Sequence[Operation]) -> Chain[list[tuple[Operation, ConnectorError | None]]]:
        """Whether those that shall become groups within the group are groups; a user would be taken, too."""
        if not nested:
            return []
        responses = yield [Ask("GET", f"/groups/{one.member}?$select=id") for one in nested]
        return [
            (one, None if response.ok else self._missing(response, Kind.GROUP, one.member))
            for one, response in zip(nested, responses, strict=True)
        ]

    def _change(
        self, group: str, adding: dict[str, list[Operation]], leaving: Sequence[Operation]
    ) -> Chain[list[Outcome]]:
        keys = list(adding)
        portions = [keys[start : start + MOST_BOUND] for start in range(0, len(keys), MOST_BOUND)]
        adds = [self._add(group, some) for some in portions]
        owned = [(one, relation) for one in leaving for relation in _relations(one)]
        removals = [Ask("DELETE", f"/groups/{group}/{relation}/{_other(one)}/$ref") for one, relation in owned]
        if not adds and not removals:
            return []
        responses = yield [*adds, *removals]
        done: list[Outcome] = []
        singly: list[str] = []
        added: list[str] = []
        for some, response in zip(portions, responses, strict=False):
            if response.ok:
                added += some
            elif len(some) == 1:
                error = yield from self._judged(group, adding[some[0]][0], response)
                if error is None:
                    added += some
                else:
                    done += [_outcome(one, error) for one in adding[some[0]]]
            elif refusals.is_member_already(response) or refusals.is_reference_missing(response):
                singly += some
            elif response.status == HTTPStatus.BAD_REQUEST:
                error = yield from by_its_kind(response, group)
                if error is None:
                    singly += some  # one of them may be what Graph does not take
                else:
                    done += [_outcome(one, error) for key in some for one in adding[key]]
            else:
                error = yield from explained(response, group, self.memory)
                done += [_outcome(one, error) for key in some for one in adding[key]]
        done += yield from self._removed(group, owned, responses[len(adds) :])
        more, failed = yield from self._add_singly(group, singly, adding)
        done += failed
        done += yield from self._own(group, [one for key in [*added, *more] for one in adding[key]])
        return done

    def _add(self, group: str, some: Sequence[str]) -> Ask:
        if len(some) == 1:
            return Ask("POST", f"/groups/{group}/members/$ref", {"@odata.id": self._reference(some[0])})
        return Ask("PATCH", f"/groups/{group}", {"members@odata.bind": [self._reference(key) for key in some]})

    def _reference(self, key: str) -> str:
        return f"{self.graph_url}/directoryObjects/{key}"

    def _add_singly(
        self, group: str, keys: Sequence[str], adding: dict[str, list[Operation]]
    ) -> Chain[tuple[list[str], list[Outcome]]]:
        """One request for each: those that are in the group now, and what became of the others."""
        if not keys:
            return [], []
        responses = yield [self._add(group, [key]) for key in keys]
        there: list[str] = []
        done: list[Outcome] = []
        for key, response in zip(keys, responses, strict=True):
            error = None if response.ok else (yield from self._judged(group, adding[key][0], response))
            if error is None:
                there.append(key)
            else:
                done += [_outcome(one, error) for one in adding[key]]
        return there, done

    def _own(self, group: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        """Makes owners of those members that shall be; the others are done."""
        done = [_outcome(one, None) for one in operations if one.role != OWNER]
        owners = [one for one in operations if one.role == OWNER]
        if not owners:
            return done
        responses = yield [
            Ask("POST", f"/groups/{group}/owners/$ref", {"@odata.id": self._reference(_other(one))}) for one in owners
        ]
        for one, response in zip(owners, responses, strict=True):
            error = None if response.ok else (yield from self._judged(group, one, response))
            done.append(_outcome(one, error))
        return done

    def _removed(
        self, group: str, owned: Sequence[tuple[Operation, str]], responses: Sequence[Response]
    ) -> Chain[list[Outcome]]:
        errors: dict[str, ConnectorError | None] = {}
        operations = {one.id: one for one, _ in owned}
        for (one, _), response in zip(owned, responses, strict=True):
            error: ConnectorError | None = None
            if not response.ok and not refusals.is_reference_missing(response):
                error = yield from explained(response, group, self.memory)
            elif response.status == HTTPStatus.NOT_FOUND and self._is_settling(group, one):
                error = yield from self._missing_end(group, one)
                error = None if isinstance(error, NotFound) else error
            errors[one.id] = errors.get(one.id) or error
        return [_outcome(operations[key], error) for key, error in errors.items()]

    def _is_settling(self, group: str, operation: Operation) -> bool:
        return self.memory.is_settling(group) or self.memory.is_settling(_other(operation))

    def _judged(self, group: str, operation: Operation, response: Response) -> Chain[ConnectorError | None]:
        """Why somebody could not be added; None: is in the group already."""
        if refusals.is_member_already(response):
            return None
        if not refusals.is_reference_missing(response):
            return (yield from explained(response, group, self.memory))
        missing = yield from self._missing_end(group, operation)
        return missing or Transient("Graph does not see the group or its new member everywhere yet")

    def _missing_end(self, group: str, operation: Operation) -> Chain[ConnectorError | None]:
        """What is said of the group, or else of the other end, if Graph does not find it."""
        kind = Kind.ACCOUNT if operation.kind is Kind.MEMBERSHIP else Kind.GROUP
        path = "users" if kind is Kind.ACCOUNT else "groups"
        ends = yield [
            Ask("GET", f"/groups/{group}?$select=id"),
            Ask("GET", f"/{path}/{_other(operation)}?$select=id"),
        ]
        for end, (what, key) in zip(ends, ((Kind.GROUP, group), (kind, _other(operation))), strict=True):
            if not end.ok:
                return self._missing(end, what, key)
        return None

    def _missing(self, response: Response, kind: Kind, key: str | None) -> ConnectorError:
        if response.status == HTTPStatus.NOT_FOUND and self.memory.is_settling(key):
            return Transient(f"the {kind} was made a moment ago, and Graph does not find it yet")
        return refusals.refusal(response, kind, key)


def _fault(operation: Operation, group: str) -> ConnectorError | None:
    """Why an operation cannot be sent; a removal by an id that is none has nothing to remove."""
    if operation.action not in (Action.CREATE, Action.DELETE):
        return Rejected(f"a {operation.kind} cannot be subject to {operation.action} here")
    if operation.kind is Kind.MEMBERSHIP and operation.role not in _ROLES:
        return Rejected(f"a group here has members and owners, and nobody with the role '{operation.role}'")
    try:
        object_id(Kind.GROUP, group)
        object_id(Kind.ACCOUNT if operation.kind is Kind.MEMBERSHIP else Kind.GROUP, _other(operation))
    except NotFound as error:
        return error
    if _other(operation).casefold() == group.casefold() and operation.action is Action.CREATE:
        return Rejected("a group cannot be in itself")
    return None


def _relations(operation: Operation) -> Iterator[str]:
    yield "members"
    if operation.role == OWNER:
        yield "owners"


def _other(operation: Operation) -> str:
    return (operation.account if operation.kind is Kind.MEMBERSHIP else operation.member) or ""


def _outcome(operation: Operation, error: ConnectorError | None) -> Outcome:
    if isinstance(error, NotFound) and operation.action is Action.DELETE:
        error = None
    anchor = f"{operation.anchor}/{_other(operation)}"
    return Outcome(operation.id, error, anchor if error is None else None)
