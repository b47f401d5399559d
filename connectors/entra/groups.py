"""Security and Microsoft 365 groups: created, changed and deleted; which of the others are left alone, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, object_id
from connectors.entra.schema import GROUP_NAME, GROUP_TABLE, SECURITY
from connectors.entra.searching import address, any_of, chunks
from connectors.entra.teams import SHAPE, SHAPED_BY, UNIFIED, Teams, wanted_type
from connectors.errors import AlreadyExists, ConnectorError, Protected, Rejected
from connectors.memory import Memory

WHY = "groupTypes,mailEnabled,onPremisesSyncEnabled,isAssignableToRole"
"""What `explained` looks at."""
OWNED = "a group of this name bears our mark, and an owner who may have made it: look whose it is, then rename it"


def mark_of(operation: Operation) -> str:
    """Says whose a new group is, or which operation made it.

    It stands in the mail nickname of security groups, which have no mail, and in the unique name of the others.
    """
    return f"eadm-{hashlib.sha256((operation.owner or operation.id).encode()).hexdigest()[:40]}"


def reason_of(group: Mapping[str, Any]) -> str | None:
    """Why a group's members, or the group, cannot be changed here; None where they can."""
    types = group.get("groupTypes") or ()
    if group.get("onPremisesSyncEnabled"):
        return f"the group {refusals.SYNCHRONISED}"
    if "DynamicMembership" in types:
        return "the group is dynamic: its rule says who is in it"
    if group.get("mailEnabled") and UNIFIED not in types:
        return "the group is a distribution list or mail-enabled: Exchange changes it, Graph does not"
    return None


@dataclass(frozen=True)
class Groups:
    """Makes the chains of changes to groups.

    Attributes:
        memory: What was made not long ago.
        named: Groups by their folded names, each as id and mark, as a search for names found them.
        teams: Turns groups into teams.
        claimed: Folded names that operations of this batch take.
    """

    memory: Memory
    named: Mapping[str, Sequence[tuple[str, str]]]
    teams: Teams
    claimed: set[str] = field(default_factory=set)

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
                return (yield from self._update(operation, object_id(Kind.GROUP, operation.anchor)))
            case Action.DELETE:
                return (yield from self._delete(operation))
        raise Rejected(f"a group cannot be subject to {operation.action} here")

    def _create(self, operation: Operation) -> Chain[Outcome]:
        GROUP_TABLE.check(operation.attributes, whole=True)
        type_ = wanted_type(operation.attributes)
        mark, name = mark_of(operation), str(operation.attributes[GROUP_NAME])
        made = self.memory.made_for(mark)
        known = made or self._marked(mark, (name, *operation.earlier_names))
        if known is not None:  # what an earlier plan asked for may have been something else
            if made is None:
                yield from _refuse_owned(known)
            if all(known != key for key, _ in self.named.get(name.casefold(), ())):  # it has another name yet
                self._claim(name, known)
            (response,) = yield [Ask("PATCH", f"/groups/{known}", GROUP_TABLE.body(operation.attributes))]
            if not response.ok:
                raise (yield from explained(response, known, self.memory))
            return self.teams.put_off(operation, known)
        self._claim(name, None)
        given = {key: value for key, value in operation.attributes.items() if value not in (None, "", [])}
        make = self._make_security if type_ == SECURITY else self._make_microsoft_365
        anchor = yield from make(GROUP_TABLE.body(given), mark)
        self.memory.note(anchor, mark)
        return self.teams.put_off(operation, anchor)

    def _marked(self, mark: str, names: Iterable[str]) -> str | None:
        """The group with this mark among those of some names."""
        named = (one for name in names for one in self.named.get(name.casefold(), ()))
        return next((key for key, other in named if other == mark), None)

    def _make_security(self, body: Mapping[str, Any], mark: str) -> Chain[str]:
        whole = {**body, "mailNickname": mark, "mailEnabled": False, "securityEnabled": True}
        (response,) = yield [Ask("POST", "/groups", whole)]
        if not response.ok:
            raise refusals.refusal(response, Kind.GROUP, None)
        return str(response.body["id"])

    def _make_microsoft_365(self, body: Mapping[str, Any], mark: str) -> Chain[str]:
        """Once, whatever becomes of the answer: https://learn.microsoft.com/graph/api/group-upsert."""
        url = f"/groups(uniqueName='{mark}')"
        whole = {**body, "groupTypes": [UNIFIED], "mailEnabled": True, "securityEnabled": True}
        (response,) = yield [Ask("PATCH", url, whole, {"Prefer": "create-if-missing"})]
        if response.ok and not response.body:  # it was there
            (response,) = yield [Ask("GET", f"{url}?$select=id")]
            if response.ok:
                yield from _refuse_owned(str(response.body["id"]))
        if not response.ok:
            raise refusals.refusal(response, Kind.GROUP, None, settling=True)
        return str(response.body["id"])

    def _claim(self, name: str, anchor: str | None) -> None:
        """Graph takes several groups of one name; rulesets could not tell them apart."""
        folded = name.casefold()
        if folded in self.claimed or any(key != anchor for key, _ in self.named.get(folded, ())):
            raise AlreadyExists("another group has this name", GROUP_NAME)
        self.claimed.add(folded)

    def _update(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        GROUP_TABLE.check(operation.attributes, whole=False)
        if name := operation.attributes.get(GROUP_NAME):
            self._claim(str(name), anchor)
        body = GROUP_TABLE.body(operation.attributes)
        shaping = not SHAPED_BY.isdisjoint(operation.attributes)
        group: Mapping[str, Any] = {}
        if shaping or not body:
            (response,) = yield [Ask("GET", f"/groups/{anchor}?$select={SHAPE}")]
            if not response.ok:
                raise refusals.refusal(response, Kind.GROUP, anchor, settling=self.memory.is_settling(anchor))
            group = response.body
        if shaping:
            self.teams.check(operation, group)
        if body:
            (response,) = yield [Ask("PATCH", f"/groups/{anchor}", body)]
            if not response.ok:
                raise (yield from explained(response, anchor, self.memory))
        return (yield from self.teams.give(operation, anchor, group))

    def _delete(self, operation: Operation) -> Chain[Outcome]:
        try:
            anchor = object_id(Kind.GROUP, operation.anchor)
        except ConnectorError:
            return Outcome(operation.id, None, operation.anchor)
        (response,) = yield [Ask("DELETE", f"/groups/{anchor}")]
        gone = response.status == HTTPStatus.NOT_FOUND and not self.memory.is_settling(anchor)
        if not response.ok and not gone:
            raise (yield from explained(response, anchor, self.memory))
        self.memory.forget(anchor)
        return Outcome(operation.id, None, anchor)


def _refuse_owned(group: str) -> Chain[None]:
    """Refuses a group that bears our mark and has an owner: what we make has none at first.

    Everybody in a tenant may make groups unless that is forbidden, and anybody can compute a mark: who laid one out for
    us would own what we fill. https://learn.microsoft.com/entra/fundamentals/users-default-permissions
    """
    (owners,) = yield [Ask("GET", f"/groups/{group}/owners?$select=id&$top=1")]
    if not owners.ok:
        raise refusals.refusal(owners, Kind.GROUP, group, settling=True)
    if owners.body["value"]:
        raise AlreadyExists(OWNED, GROUP_NAME)


def explained(response: Response, group: str, memory: Memory) -> Chain[ConnectorError]:
    """Why a change to a group was refused; asks what kind of group it is, where that could be why."""
    error = refusals.refusal(response, Kind.GROUP, group, settling=memory.is_settling(group))
    if isinstance(error, Rejected) and not isinstance(error, AlreadyExists):
        return (yield from by_its_kind(response, group)) or error
    return error


def by_its_kind(response: Response, group: str) -> Chain[ConnectorError | None]:
    """Why a refused change would be refused whatever it is, by what kind of group it is; None: not by that."""
    (told,) = yield [Ask("GET", f"/groups/{group}?$select={WHY}")]
    if failure := refusals.in_vain(told, Kind.GROUP, group):
        return failure
    if told.ok and (reason := reason_of(told.body)):
        return Rejected(reason)
    if told.ok and told.body.get("isAssignableToRole") and refusals.is_forbidden(response):
        return Protected(refusals.PROTECTED)
    return None


def find_named(names: Iterable[str]) -> Chain[dict[str, list[tuple[str, str]]]]:
    """Groups with these names, by folded name, each as id and what may be its mark.

    Raises:
        ConnectorError: It cannot be found out.
    """
    select = f"id,{GROUP_NAME},mailNickname,uniqueName"
    asks = [
        Ask("GET", address("/groups", any_of(GROUP_NAME, some), select) + "&$top=999") for some in chunks(list(names))
    ]
    responses: Sequence[Response] = (yield asks) if asks else ()
    found: dict[str, list[tuple[str, str]]] = {}
    for response in responses:
        if not response.ok:
            raise refusals.refusal(response, Kind.GROUP, None)
        for one in response.body["value"]:
            named = found.setdefault(str(one[GROUP_NAME]).casefold(), [])
            named.append((str(one["id"]), str(one.get("uniqueName") or one.get("mailNickname"))))
    return found
