"""Who is in a group, and which groups: each is put in, taken out or given another role by a call of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import ConnectorError, NotFound, Rejected, Transient
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain
from connectors.memory import Memory

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

ROLES = {"member": "MEMBER", "manager": "MANAGER", "owner": "OWNER"}
"""Roles as operations and as Google name them: https://support.google.com/a/answer/167094"""


@dataclass(frozen=True)
class Members:
    """Makes the chains of changes to who is in a group.

    Attributes:
        apis: The calls there are.
        memory: What was made not long ago.
    """

    apis: Apis
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
        strangers = yield from self._strangers([one for one in sound if one.kind is Kind.NESTING])
        done += [_outcome(one, strangers[one.id]) for one in sound if one.id in strangers]
        done += yield from self._change(group, [one for one in sound if one.id not in strangers])
        return done

    def _strangers(self, nestings: Sequence[Operation]) -> Chain[dict[str, ConnectorError]]:
        """Why those that shall become groups within the group are no groups; Google would put a user in, too."""
        adding = [one for one in nestings if one.action is Action.CREATE]
        if not adding:
            return {}
        replies = yield [self.apis.groups.get(groupKey=_other(one), fields="id") for one in adding]
        return {
            one.id: self._missing(reply, Kind.GROUP, _other(one))
            for one, reply in zip(adding, replies, strict=True)
            if not reply.ok
        }

    def _change(self, group: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        # Twice the same member at the same time: the last word counts, for all who ask for it.
        asked: dict[str, list[Operation]] = {}
        for one in operations:
            asked.setdefault(_other(one), []).append(one)
        if not asked:
            return []
        replies = yield [self._call(group, every[-1]) for every in asked.values()]
        errors: dict[str, ConnectorError | None] = {}
        unclear: list[tuple[str, Reply]] = []
        present: list[str] = []
        for key, reply in zip(asked, replies, strict=True):
            if reply.ok:
                errors[key] = None
            elif refusals.is_duplicate(reply):
                present.append(key)
            elif reply.is_missing:
                unclear.append((key, reply))
            else:
                errors[key] = refusals.refusal(reply, asked[key][-1].kind, group)
        errors |= yield from self._given_roles(group, [asked[key][-1] for key in present])
        errors |= yield from self._looked_for(group, [asked[key][-1] for key, _ in unclear], unclear)
        return [_outcome(one, errors[key]) for key, every in asked.items() for one in every]

    def _call(self, group: str, operation: Operation) -> HttpRequest:
        if operation.action is Action.DELETE:
            return self.apis.members.delete(groupKey=group, memberKey=_other(operation))
        return self.apis.members.insert(groupKey=group, body=_body(operation), fields="id")

    def _given_roles(self, group: str, operations: Sequence[Operation]) -> Chain[dict[str, ConnectorError | None]]:
        """Those that are in the group already have the role from now on that they shall have."""
        if not operations:
            return {}
        replies = yield [
            self.apis.members.patch(
                groupKey=group, memberKey=_other(one), body={"role": ROLES[one.role]}, fields="id,role"
            )
            for one in operations
        ]
        errors: dict[str, ConnectorError | None] = {}
        for one, reply in zip(operations, replies, strict=True):
            error = None if reply.ok else refusals.refusal(reply, one.kind, group)
            # It was there a moment ago: taken out meanwhile, or not seen everywhere.
            errors[_other(one)] = Transient("the member comes and goes") if isinstance(error, NotFound) else error
        return errors

    def _looked_for(
        self, group: str, operations: Sequence[Operation], unclear: Sequence[tuple[str, Reply]]
    ) -> Chain[dict[str, ConnectorError | None]]:
        """Which end is not there, where Google did not find one of them."""
        errors: dict[str, ConnectorError | None] = {}
        looking: list[Operation] = []
        for one, (key, _) in zip(operations, unclear, strict=True):
            if one.action is Action.DELETE and not self._is_settling(group, one):
                errors[key] = None
            else:
                looking.append(one)
        if not looking:
            return errors
        (its, *others) = yield [self.apis.groups.get(groupKey=group, fields="id"), *map(self._look, looking)]
        for one, other in zip(looking, others, strict=True):
            if not its.ok:
                errors[_other(one)] = self._missing(its, Kind.GROUP, group)
            elif not other.ok:
                errors[_other(one)] = self._missing(other, _kind(one), _other(one))
            elif one.action is Action.DELETE:
                errors[_other(one)] = None
            else:
                errors[_other(one)] = Transient("Google does not see the group or its new member everywhere yet")
        return errors

    def _look(self, operation: Operation) -> HttpRequest:
        if operation.kind is Kind.MEMBERSHIP:
            return self.apis.users.get(userKey=_other(operation), fields="id")
        return self.apis.groups.get(groupKey=_other(operation), fields="id")

    def _is_settling(self, group: str, operation: Operation) -> bool:
        return self.memory.is_settling(group) or self.memory.is_settling(_other(operation))

    def _missing(self, reply: Reply, kind: Kind, key: str) -> ConnectorError:
        return refusals.refusal(reply, kind, key, settling=self.memory.is_settling(key))


def _fault(operation: Operation, group: str) -> ConnectorError | None:
    """Why an operation cannot be sent; a removal by an id that is none has nothing to remove."""
    if operation.action not in (Action.CREATE, Action.DELETE):
        return Rejected(f"a {operation.kind} cannot be subject to {operation.action} here")
    if operation.kind is Kind.MEMBERSHIP and operation.role not in ROLES:
        return Rejected(f"a group here has {', '.join(ROLES)}, and nobody with the role '{operation.role}'")
    try:
        refusals.key(Kind.GROUP, group)
        other = refusals.key(_kind(operation), _other(operation))
    except NotFound as error:
        return error
    if operation.kind is Kind.MEMBERSHIP and not other.isdecimal():
        return NotFound(Kind.ACCOUNT, other)  # a group's id, by which the group would be put in
    if other == group and operation.action is Action.CREATE:
        return Rejected("a group cannot be in itself")
    return None


def _kind(operation: Operation) -> Kind:
    """What the other end is."""
    return Kind.ACCOUNT if operation.kind is Kind.MEMBERSHIP else Kind.GROUP


def _other(operation: Operation) -> str:
    return (operation.account if operation.kind is Kind.MEMBERSHIP else operation.member) or ""


def _body(operation: Operation) -> dict[str, Any]:
    role = ROLES[operation.role] if operation.kind is Kind.MEMBERSHIP else ROLES["member"]
    return {"id": _other(operation), "role": role}


def _outcome(operation: Operation, error: ConnectorError | None) -> Outcome:
    if isinstance(error, NotFound) and operation.action is Action.DELETE:
        error = None
    anchor = f"{operation.anchor}/{_other(operation)}"
    return Outcome(operation.id, error, anchor if error is None else None)
