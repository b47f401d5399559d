"""Groups: created, changed and deleted, with their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from connectors.contract import Action, Kind, Operation, Outcome, Value
from connectors.errors import AlreadyExists, ConnectorError, Rejected, Transient
from connectors.google_workspace import group_attributes as attributes
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain
from connectors.google_workspace.former import MAY_BE_FORMER, Former
from connectors.google_workspace.group_attributes import FIELDS, GROUP_NAME
from connectors.memory import Memory

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

ALIAS_STAYS = "the group's former address stays with it as an alias"
ALIAS_WOULD_NOT_GO = "the group's former address stays with it as an alias, since Google did not take it away"


def mark_of(operation: Operation) -> str:
    """What a new group is marked with: whose it is, or else which operation made it."""
    return operation.owner or f"{attributes.OPERATION}{operation.id}"


@dataclass(frozen=True)
class Groups:
    """Makes the chains of changes to groups.

    Attributes:
        apis: The calls there are.
        memory: What was made not long ago.
        namespace: Of the external id that marks groups.
        keeps_former_address: The address from before a rename stays as an alias.
        former: Addresses from before a rename that have to go or be told of yet.
    """

    apis: Apis
    memory: Memory
    namespace: str
    keeps_former_address: bool = True
    former: Former = field(default_factory=Former)

    def chain(self, operation: Operation) -> Chain[Outcome]:
        """Carries one operation out; what goes wrong with it is its outcome."""
        try:
            return (yield from self._chain(operation))
        except ConnectorError as error:
            return Outcome(operation.id, error)

    def _chain(self, operation: Operation) -> Chain[Outcome]:
        match operation.action:
            case Action.CREATE:
                return (yield from self._create(operation))
            case Action.UPDATE:
                return (yield from self._update(operation, refusals.key(Kind.GROUP, operation.anchor)))
            case Action.DELETE:
                return (yield from self._delete(operation))
        raise Rejected(f"a group cannot be subject to {operation.action} here")

    # ------------------------------------------------------------ create

    def _create(self, operation: Operation) -> Chain[Outcome]:
        attributes.check(operation.attributes, whole=True)
        mark = mark_of(operation)
        known = self.memory.made_for(mark)
        known = known or (yield from self._made_unheard(operation, mark))
        if known is not None:
            return (yield from self._take(operation, known))
        body = {name: value for name, value in self._own(operation, whole=True).items() if value != ""}
        body["externalIds"] = [{"namespace": self.namespace, "id": mark}]
        (reply,) = yield [self.apis.groups.insert(body=body, fields=FIELDS)]
        if refusals.is_duplicate(reply):
            return (yield from self._taken(operation, mark, reply))
        if not reply.ok:
            raise self._refusal(reply, None)
        anchor = str(reply.body["id"])
        self.memory.note(anchor, mark)
        return (yield from self._finish(operation, anchor, reply.body))

    def _made_unheard(self, operation: Operation, mark: str) -> Chain[str | None]:
        """The owner's group by one of the addresses that it may have been made with before; None where there is none.

        That it stands under the address that is asked for now, Google's refusal tells.
        """
        if not operation.earlier_names:
            return None
        for held in (yield [self.apis.groups.get(groupKey=one, fields=FIELDS) for one in operation.earlier_names]):
            if not held.ok and not held.is_missing:
                raise self._refusal(held, None)
            if held.ok and attributes.mark_of(held.body, self.namespace) == mark:
                return str(held.body["id"])
        return None

    def _taken(self, operation: Operation, mark: str, refused: Reply) -> Chain[Outcome]:
        """The address is held by somebody: by a group of ours whose creation was not confirmed, or not."""
        wanted = str(operation.attributes[GROUP_NAME])
        held, user = yield [
            self.apis.groups.get(groupKey=wanted, fields=FIELDS),
            self.apis.users.get(userKey=wanted, fields="id"),
        ]
        if held.ok and attributes.mark_of(held.body, self.namespace) == mark:
            return (yield from self._take(operation, str(held.body["id"])))
        for reply in (held, user):
            if not reply.ok and not reply.is_missing:
                raise self._refusal(reply, None)
        if held.ok or user.ok:
            raise self._refusal(refused, None)
        raise Transient("the address is taken by what Google does not show yet")

    def _take(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        """The owner's group is there already: what an earlier plan asked for may have been something else."""
        return (yield from self._change(operation, anchor, self._own(operation, whole=True)))

    # ------------------------------------------------------------ change

    def _update(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        attributes.check(operation.attributes, whole=False)
        return (yield from self._change(operation, anchor, self._own(operation, whole=False)))

    def _change(self, operation: Operation, anchor: str, body: Mapping[str, Any]) -> Chain[Outcome]:
        if GROUP_NAME in body:
            before = yield from self._asked(self.apis.groups.get(groupKey=anchor, fields=GROUP_NAME), anchor)
            self.former.renaming(anchor, str(before[GROUP_NAME]).casefold(), str(body[GROUP_NAME]).casefold())
        if body:
            call = self.apis.groups.patch(groupKey=anchor, body=body, fields=FIELDS)
        else:
            call = self.apis.groups.get(groupKey=anchor, fields=FIELDS)
        told = yield from self._asked(call, anchor)
        outcome = yield from self._finish(operation, anchor, told)
        if GROUP_NAME not in body:
            return outcome
        return _warned(outcome, (yield from self._readdressed(anchor, told)))

    def _asked(self, call: HttpRequest, anchor: str) -> Chain[Mapping[str, Any]]:
        (reply,) = yield [call]
        if not reply.ok:
            raise self._refusal(reply, anchor)
        told: Mapping[str, Any] = reply.body
        return told

    def _readdressed(self, anchor: str, told: Mapping[str, Any]) -> Chain[str]:
        """What is to be told of a former address, which goes where the settings say so."""
        former = self.former.get(anchor)
        if former is None:  # it was renamed already, by a process that ended since
            return MAY_BE_FORMER if told.get("aliases") and not self.keeps_former_address else ""
        warning = ALIAS_STAYS if self.keeps_former_address else (yield from self._remove_alias(anchor, former))
        del self.former[anchor]
        return warning

    def _remove_alias(self, anchor: str, alias: str) -> Chain[str]:
        (reply,) = yield [self.apis.group_aliases.delete(groupKey=anchor, alias=alias)]
        if reply.ok or reply.is_missing or reply.status == HTTPStatus.BAD_REQUEST:  # 400: it has no such alias
            return ""
        error = self._refusal(reply, anchor)
        if not isinstance(error, Rejected):
            raise error
        return ALIAS_WOULD_NOT_GO

    def _own(self, operation: Operation, *, whole: bool) -> dict[str, Any]:
        return attributes.own_body(operation.attributes, whole=whole)

    def _finish(self, operation: Operation, anchor: str, group: Mapping[str, Any]) -> Chain[Outcome]:
        """The group itself is as asked: so are its settings now."""
        address = str(group[GROUP_NAME])
        if body := attributes.settings_body(operation.attributes):
            (told,) = yield [self.apis.settings.patch(groupUniqueId=address, body=body, fields=",".join(body))]
            if not told.ok:
                raise self._unset(told, anchor)
        return Outcome(operation.id, None, anchor, _stored(operation, group), _warning(operation))

    def _unset(self, reply: Reply, anchor: str) -> ConnectorError:
        """Settings are kept elsewhere, where a group that has just been made or renamed is known a little later."""
        if reply.is_missing:
            return Transient("the group's settings cannot be found yet")
        return self._refusal(reply, anchor)

    def _delete(self, operation: Operation) -> Chain[Outcome]:
        try:
            anchor = refusals.key(Kind.GROUP, operation.anchor)
        except ConnectorError:
            return Outcome(operation.id, None, operation.anchor)
        (reply,) = yield [self.apis.groups.delete(groupKey=anchor)]
        gone = reply.status == HTTPStatus.NOT_FOUND and not self.memory.is_settling(anchor)
        if not reply.ok and not gone:
            raise self._refusal(reply, anchor)
        self.memory.forget(anchor)
        return Outcome(operation.id, None, anchor)

    def _refusal(self, reply: Reply, anchor: str | None) -> ConnectorError:
        error = refusals.refusal(
            reply, Kind.GROUP, anchor, settling=self.memory.is_settling(anchor), attribute=GROUP_NAME
        )
        if isinstance(error, Rejected) and not isinstance(error, AlreadyExists):
            return Rejected(error.reason)  # which of the attributes it was is not told
        return error


def _stored(operation: Operation, told: Mapping[str, Any]) -> dict[str, Value]:
    """What was stored otherwise than asked: Google folds addresses."""
    held = attributes.attributes_of(told, {})
    asked = {name: value for name, value in operation.attributes.items() if value and name in held}
    return {name: held[name] for name, value in asked.items() if held[name] != value}


def _warning(operation: Operation) -> str | None:
    kept = attributes.kept(operation.attributes)
    return "; ".join(f"'{name}' cannot be empty, and keeps its value" for name in kept) or None


def _warned(outcome: Outcome, warning: str) -> Outcome:
    told = "; ".join(one for one in (outcome.warning, warning) if one)
    return replace(outcome, warning=told or None)
