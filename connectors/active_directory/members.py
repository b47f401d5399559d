"""Memberships and nestings: all changes to one group in one request, and no failure of one touching another.

Permissive modify (1.2.840.113556.1.4.1413) does not work for `member` on Samba: a member that is there already, or not
there any more, fails the whole request. So a request that failed is followed by a look at who is in the group, then by
one with those that are left, and only then by ever smaller ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.active_directory import names
from connectors.active_directory.ber import Answer, Change, How, Search, any_of, equals
from connectors.active_directory.errors import Code
from connectors.active_directory.look import Seen
from connectors.active_directory.objects import Situation, sent
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.values import anchor_of, by_guid, guid
from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import ConnectorError, NotFound, Protected, Rejected

_FILTERS = 200
_Verdicts = dict[str, ConnectorError | None]  # by the member's anchor


@dataclass(frozen=True)
class Members:
    """Changes who is in a group."""

    situation: Situation

    def chain(self, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        """All that a batch wants of one group: first those who leave, then those who join.

        Raises:
            Unavailable: The server is at fault.
        """
        first = operations[0]
        seen = self.situation.look.live(Kind.GROUP, first.anchor)
        outcomes = []
        for action, how in ((Action.DELETE, How.DELETE), (Action.CREATE, How.ADD)):
            some = [one for one in operations if one.action is action]
            if some:
                verdicts = yield from self._changed(seen, how, some)
                outcomes += [_outcome(one, verdicts[_key(one)]) for one in some]
        return outcomes

    def _changed(self, seen: Seen | None, how: How, operations: Sequence[Operation]) -> Chain[_Verdicts]:
        """What became of each member; each is sent once, though several operations may name it."""
        verdicts: _Verdicts = {}
        for operation in operations:
            error = self._refusal(seen, how, operation)
            if error is not None or seen is None or operation.role != "member":
                verdicts[_key(operation)] = error
        left = {key: one for one in operations if (key := _key(one)) not in verdicts}
        if seen is not None and left:
            verdicts.update((yield from self._sent(seen, how, left, informed=False)))
        return verdicts

    def _refusal(self, seen: Seen | None, how: How, operation: Operation) -> ConnectorError | None:
        """Why an operation is not sent at all; None also where a member of nothing leaves it."""
        joins = how is How.ADD
        if operation.role != "member":
            return Rejected("members have no other role here", "role") if joins else None
        if seen is None:
            return NotFound(Kind.GROUP, operation.anchor or "") if joins else None
        if seen.protected:
            return Protected(f"the group is protected and never changed: {seen.protected}")
        return self._no_member(seen, operation) if joins else None

    def _no_member(self, seen: Seen, operation: Operation) -> ConnectorError | None:
        """Why somebody cannot be put into any group, or a group not into this one."""
        member = guid(_member(operation))
        nesting = operation.kind is Kind.NESTING
        if member is None or (nesting and self.situation.look.live(Kind.GROUP, operation.member) is None):
            return NotFound(_kind(operation), _member(operation))
        return Rejected("a group cannot be in itself", "member") if nesting and str(member) == seen.anchor else None

    def _sent(self, seen: Seen, how: How, left: Mapping[str, Operation], *, informed: bool) -> Chain[_Verdicts]:
        """Sends the changes as one request; smaller ones where it fails."""
        members = {key: found for key, one in left.items() if (found := guid(_member(one))) is not None}
        values = [by_guid(member).encode() for member in members.values()]
        if not values:
            return dict.fromkeys(left)
        answer = yield from sent(seen, [Change(how, "member", values)])
        if answer.code == Code.SUCCESS:
            return dict.fromkeys(left)
        if not informed:
            settled = yield from self._settled(seen, how, left)
            rest = {key: one for key, one in left.items() if key not in settled}
            return {**settled, **(yield from self._sent(seen, how, rest, informed=True))} if rest else settled
        if len(left) == 1:
            return {key: self._verdict(how, one, answer) for key, one in left.items()}
        keys, verdicts = list(left), {}
        for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            verdicts.update((yield from self._sent(seen, how, {key: left[key] for key in half}, informed=True)))
        return verdicts

    def _settled(self, seen: Seen, how: How, left: Mapping[str, Operation]) -> Chain[_Verdicts]:
        """Those that need no request: in the group already, out of it already, or not there at all."""
        inside: dict[str, bool] = {}
        members = [found for one in left.values() if (found := guid(_member(one))) is not None]
        for start in range(0, len(members), _FILTERS):
            chunk = members[start : start + _FILTERS]
            filters = any_of(equals("objectGUID", one.bytes_le) for one in chunk)
            answer = yield Search(self.situation.base_dn, filters, ["objectGUID", "memberOf"])
            for entry in entries_of(answer, "look who is in a group"):
                groups = {names.canonical(one.decode()) for one in entry.attributes.get("memberOf", ())}
                inside[anchor_of(entry.attributes["objectGUID"][0])] = names.canonical(seen.dn) in groups
        verdicts: _Verdicts = {}
        for key, one in left.items():
            is_in = inside.get(str(guid(_member(one))))
            if is_in is None:
                verdicts[key] = NotFound(_kind(one), _member(one)) if how is How.ADD else None
            elif is_in is (how is How.ADD):
                verdicts[key] = None
        return verdicts

    def _verdict(self, how: How, operation: Operation, answer: Answer) -> ConnectorError | None:
        """What a refusal means that only one member can have caused."""
        if how is How.ADD and answer.code in (Code.ALREADY_EXISTS, Code.VALUE_EXISTS):
            return None  # its primary group, or somebody was quicker
        if answer.code == Code.NO_SUCH_OBJECT:
            return NotFound(_kind(operation), _member(operation)) if how is How.ADD else None
        if how is How.DELETE and answer.code == Code.NO_SUCH_ATTRIBUTE:
            return None
        doing = "put a member into a group" if how is How.ADD else "take a member out of a group"
        return self.situation.failed(answer, operation, ["member"], doing)


def _member(operation: Operation) -> str:
    return (operation.member if operation.kind is Kind.NESTING else operation.account) or ""


def _kind(operation: Operation) -> Kind:
    return Kind.GROUP if operation.kind is Kind.NESTING else Kind.ACCOUNT


def _key(operation: Operation) -> str:
    """What makes two operations of one group the same."""
    return f"{operation.kind}/{operation.role}/{_member(operation).casefold()}"


def _outcome(operation: Operation, error: ConnectorError | None) -> Outcome:
    anchor = f"{operation.anchor}/{_member(operation)}" if error is None else None
    return Outcome(operation.id, error, anchor)
