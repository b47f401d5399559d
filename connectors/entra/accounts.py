"""Users: created, changed, switched on and off, deleted and restored."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from connectors.contract import Action, Kind, Operation, Outcome, PasswordRules
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, object_id
from connectors.entra.managers import Managers
from connectors.entra.regaining import regained
from connectors.entra.schema import ACCOUNT_NAME, CLOUD_MASTERED, EXTENSIONS, Table
from connectors.entra.searching import EVENTUAL, address, any_of, chunks, equals, has_address
from connectors.errors import AlreadyExists, ConnectorError, Protected, Rejected, Transient
from connectors.memory import Memory

BIN = "/directory/deletedItems"
RULES = PasswordRules(min_length=8, max_length=256, min_classes=3)
"""https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy#password-policies-that-only-apply-to-cloud-user-accounts"""
AS_IT_WAS = "the account was there, and keeps its password: this application may not give it another"
MAY_NOT = "User-PasswordProfile.ReadWrite.All, or a role, is needed to give an account another password"
"""https://learn.microsoft.com/graph/api/user-update#permissions-for-specific-scenarios"""
ROLES = "/users/{}/transitiveMemberOf/microsoft.graph.directoryRole?$count=true&$select=id"
_OPERATION = "operation:"


def mark_of(operation: Operation) -> str:
    """What a new account is marked with: whose it is, or else which operation made it."""
    return operation.owner or f"{_OPERATION}{operation.id}"


def owner_of(mark: str | None) -> str | None:
    """The owner that a mark names, if it does."""
    return None if mark is None or mark.startswith(_OPERATION) else mark


def nobodys_password() -> str:
    """A password that nobody gets to know: Entra makes no account without one."""
    return f"aZ7-{secrets.token_urlsafe(48)}"


@dataclass(frozen=True)
class Accounts:
    """Makes the chains of changes to accounts.

    Attributes:
        table: Their attributes.
        memory: What was made not long ago.
        password: Makes one that nobody knows.
        owned: Ids of accounts by their marks, as a search for the marks of new ones found them.
        managers: Gives accounts their managers.
    """

    table: Table
    memory: Memory
    password: Callable[[], str]
    owned: Mapping[str, str]
    managers: Managers

    def chain(self, operation: Operation) -> Chain[Outcome]:
        """Carries one operation out; what goes wrong with it is its outcome."""
        try:
            if operation.password and (fault := RULES.fault(operation.password.value)):
                raise Rejected(fault, "password")
            return (yield from self._chain(operation))
        except ConnectorError as error:
            return Outcome(operation.id, error)

    def _chain(self, operation: Operation) -> Chain[Outcome]:
        match operation.action:
            case Action.CREATE:
                return (yield from self._create(operation))
            case Action.UPDATE:
                return (yield from self._update(operation, object_id(Kind.ACCOUNT, operation.anchor)))
            case Action.ENABLE | Action.DISABLE:
                return (yield from self._switch(operation, object_id(Kind.ACCOUNT, operation.anchor)))
            case Action.DELETE:
                return (yield from self._delete(operation))
            case Action.RESTORE:
                return (yield from self._restore(operation, object_id(Kind.ACCOUNT, operation.anchor)))
        raise Rejected(f"an account cannot be subject to {operation.action} here")

    # ------------------------------------------------------------ create

    def _create(self, operation: Operation) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=True)
        mark = mark_of(operation)
        known = self.owned.get(mark) or self.memory.made_for(mark)
        if known is not None:
            return (yield from self._take(operation, known))
        (response,) = yield [Ask("POST", "/users", self._new(operation, mark))]
        if response.ok:
            anchor = str(response.body["id"])
            self.memory.note(anchor, mark)
            self.managers.note(operation, anchor)
            stored = self._stored(operation, response)
            return (yield from self.managers.give(operation, anchor, stored, new=True))
        if refusals.is_conflict(response):
            return (yield from self._taken(operation, mark, response))
        raise refusals.refusal(response, Kind.ACCOUNT, None)

    def _new(self, operation: Operation, mark: str) -> dict[str, Any]:
        given = {name: value for name, value in operation.attributes.items() if value not in (None, "", [])}
        body = self.table.body(given)
        body.setdefault("mailNickname", _nickname(str(given[ACCOUNT_NAME])))
        body[EXTENSIONS] = {**body.get(EXTENSIONS, {}), self.table.mark: mark}
        body["accountEnabled"] = bool(operation.enabled)
        if operation.password is not None:
            body["passwordProfile"] = _profile(operation.password.value, must_change=operation.password.must_change)
        elif "onPremisesImmutableId" not in body:
            body["passwordProfile"] = _profile(self.password(), must_change=True)
        return body

    def _stored(self, operation: Operation, response: Response) -> dict[str, Any]:
        """Attributes that were stored otherwise than asked, of those that the answer tells of."""
        told = self.table.attributes_of(response.body)
        asked = {name: value for name, value in operation.attributes.items() if name in told and value}
        return {name: told[name] for name, value in asked.items() if _sorted(value) != told[name]}

    def _take(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        """The owner's account is there already: it is given what the operation asks for."""
        body = {**self._changes(operation), "accountEnabled": bool(operation.enabled)}
        (response,) = yield [Ask("PATCH", f"/users/{anchor}", body)]
        keeps_password = refusals.is_forbidden(response) and body.pop("passwordProfile", None) is not None
        if keeps_password:  # to make an account with a password takes less than to give it another
            (response,) = yield [Ask("PATCH", f"/users/{anchor}", body)]
        if response.status == HTTPStatus.NOT_FOUND:
            raise Transient("the account that was found is not there any more, or not seen everywhere yet")
        if not response.ok:
            raise (yield from self._explained(response, anchor))
        outcome = yield from self.managers.give(operation, anchor, {}, new=True)
        if keeps_password:
            outcome = msgspec.structs.replace(outcome, warning="; ".join(filter(None, (AS_IT_WAS, outcome.warning))))
        # It may have come out of the recycle bin by an attempt whose answer was lost.
        return msgspec.structs.replace(outcome, regained=(yield from regained(anchor)))

    def _taken(self, operation: Operation, mark: str, refused: Response) -> Chain[Outcome]:
        """A unique value is held by somebody: by an account of ours whose creation was not confirmed, or not."""
        held = {name: operation.attributes.get(name) for name in (ACCOUNT_NAME, "mail", "onPremisesImmutableId")}
        addresses = dict.fromkeys(str(held[name]) for name in (ACCOUNT_NAME, "mail") if held[name])
        aliases = [has_address(one) for one in addresses]  # an address that was given up stays behind as one
        filter_ = " or ".join([*(equals(name, value) for name, value in held.items() if value), *aliases])
        groups = " or ".join(aliases)
        select = f"id,{EXTENSIONS}"
        live, deleted, group = yield [
            Ask("GET", address("/users", filter_, select)),
            Ask("GET", address(f"{BIN}/microsoft.graph.user", filter_, select)),
            Ask("GET", address("/groups", groups, "id")),
        ]
        for response in (live, deleted, group):
            if not response.ok:
                raise refusals.refusal(response, Kind.ACCOUNT, None)
        for one in live.body["value"]:
            if self.table.mark_of(one) == mark:
                return (yield from self._take(operation, str(one["id"])))
        for one in deleted.body["value"]:
            if self.table.mark_of(one) == mark:
                return (yield from self._take_back(operation, str(one["id"])))
        error = refusals.refusal(refused, Kind.ACCOUNT, None)
        if live.body["value"] or group.body["value"]:
            raise error
        if deleted.body["value"]:
            attribute = error.attribute if isinstance(error, AlreadyExists) else None
            raise AlreadyExists("an account in the recycle bin has this value", attribute)
        raise Transient("a name is taken by what Graph does not show yet")

    def _take_back(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        (response,) = yield [Ask("POST", f"{BIN}/{anchor}/restore")]
        if not response.ok:
            raise (yield from self._explained(response, anchor))
        self.memory.note(anchor, mark_of(operation))
        return (yield from self._take(operation, anchor))

    # ------------------------------------------------------------ change

    def _changes(self, operation: Operation) -> dict[str, Any]:
        body = self.table.body(operation.attributes)
        if operation.password is not None:
            body["passwordProfile"] = _profile(operation.password.value, must_change=operation.password.must_change)
        return body

    def _update(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=False)
        body = self._changes(operation)
        if not body:
            (response,) = yield [Ask("GET", f"/users/{anchor}?$select=id")]
        else:
            (response,) = yield [Ask("PATCH", f"/users/{anchor}", body)]
        if response.ok:
            return (yield from self.managers.give(operation, anchor, {}, new=False))
        if refusals.is_synchronised(response):
            return (yield from self._update_in_the_cloud(operation, anchor, body))
        error = yield from self._explained(response, anchor)
        is_ours = isinstance(error, Rejected) and not isinstance(error, Protected)
        if operation.password is not None and refusals.is_forbidden(response) and is_ours:
            raise Rejected(MAY_NOT, "password")
        raise error

    def _update_in_the_cloud(self, operation: Operation, anchor: str, body: Mapping[str, Any]) -> Chain[Outcome]:
        """Writes of a synchronised account what may be written, and names the rest."""
        ours = {name: value for name, value in body.items() if name in CLOUD_MASTERED}
        if ours:
            (response,) = yield [Ask("PATCH", f"/users/{anchor}", ours)]
            if not response.ok:
                raise (yield from self._explained(response, anchor))
        rest = sorted(operation.attributes.keys() - CLOUD_MASTERED) or ["password"]
        named = ", ".join(f"'{name}'" for name in rest)
        raise Rejected(f"the account {refusals.SYNCHRONISED} ({named})", rest[0] if len(rest) == 1 else None)

    def _switch(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        asks = [Ask("PATCH", f"/users/{anchor}", {"accountEnabled": operation.action is Action.ENABLE})]
        if operation.revoke_sessions and operation.action is Action.DISABLE:
            asks.append(Ask("POST", f"/users/{anchor}/revokeSignInSessions", after=0))
        responses = yield asks
        for response in responses:  # the cause comes before what failed with it
            if not response.ok:
                raise (yield from self._explained(response, anchor))
        return Outcome(operation.id, None, anchor)

    # ------------------------------------------------------------ delete, restore

    def _delete(self, operation: Operation) -> Chain[Outcome]:
        try:
            anchor = object_id(Kind.ACCOUNT, operation.anchor)
        except ConnectorError:
            return Outcome(operation.id, None, operation.anchor)
        (response,) = yield [Ask("DELETE", f"/users/{anchor}")]
        gone = response.status == HTTPStatus.NOT_FOUND and not self.memory.is_settling(anchor)
        if not response.ok and not gone:
            raise (yield from self._explained(response, anchor))
        self.memory.forget(anchor)
        if operation.permanent:
            (purged,) = yield [Ask("DELETE", f"{BIN}/{anchor}")]
            if purged.status == HTTPStatus.NOT_FOUND and response.ok:
                raise Transient("the account was deleted a moment ago, and is not in the recycle bin yet")
            if not purged.ok and purged.status != HTTPStatus.NOT_FOUND:
                raise (yield from self._explained(purged, anchor))
        return Outcome(operation.id, None, anchor)

    def _restore(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        """Takes an account out of the recycle bin, and disables it: it may have been deleted by hand, and enabled."""
        (restored,) = yield [Ask("POST", f"{BIN}/{anchor}/restore")]
        if not restored.ok and restored.status != HTTPStatus.NOT_FOUND:
            raise (yield from self._explained(restored, anchor))
        (response,) = yield [Ask("PATCH", f"/users/{anchor}", {"accountEnabled": False})]
        if not response.ok:
            raise refusals.refusal(response, Kind.ACCOUNT, anchor, settling=restored.ok)
        return Outcome(operation.id, None, anchor, regained=(yield from regained(anchor)))

    def _explained(self, response: Response, anchor: str) -> Chain[ConnectorError]:
        """Why a change was refused; asks whether it is an administrator's account, where that could be why."""
        if refusals.is_forbidden(response):
            (roles,) = yield [Ask("GET", ROLES.format(anchor), None, EVENTUAL)]
            if error := refusals.in_vain(roles, Kind.ACCOUNT, anchor):
                return error
            if roles.ok and roles.body["value"]:
                return Protected(refusals.PROTECTED)
        return refusals.refusal(response, Kind.ACCOUNT, anchor, settling=self.memory.is_settling(anchor))


def find_owned(table: Table, marks: Iterable[str]) -> Chain[dict[str, str]]:
    """Ids of accounts with these marks.

    Raises:
        ConnectorError: It cannot be found out.
    """
    select = f"id,{EXTENSIONS}"
    asks = [
        Ask("GET", address("/users", any_of(str(table.mark), some), select, eventual=True), None, EVENTUAL)
        for some in chunks(list(marks))
    ]
    responses: Sequence[Response] = (yield asks) if asks else ()
    found: dict[str, str] = {}
    for response in responses:
        if not response.ok:
            raise refusals.refusal(response, Kind.ACCOUNT, None)
        for one in response.body["value"]:
            found.setdefault(str(table.mark_of(one)), str(one["id"]))
    return found


def _profile(password: str, *, must_change: bool) -> dict[str, Any]:
    return {"password": password, "forceChangePasswordNextSignIn": must_change}


def _nickname(name: str) -> str:
    return name.partition("@")[0][:64]


def _sorted(value: object) -> object:
    return sorted(set(value)) if isinstance(value, list) else value
