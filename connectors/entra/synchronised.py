"""Users that Entra Connect brings from an Active Directory, where they are made, changed, switched and deleted.

Here they are waited for, by name, and given what the cloud is the master of; nothing is ever made, so that nobody is
there twice. How long is waited is the queue's: an operation whose time has not come is Transient. A name alone proves
nothing: a joiner may have been given one that a stranger bears. What Active Directory says of the user has to agree.
https://learn.microsoft.com/entra/identity/hybrid/connect/reference-connect-sync-attributes-synchronized
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from connectors.contract import Action, Kind, Operation, Outcome
from connectors.entra import refusals
from connectors.entra.accounts import BIN, ROLES, owner_of
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, object_id
from connectors.entra.schema import ACCOUNT_NAME, CLOUD_MASTERED, EMPLOYEE_ID, EXTENSIONS, IMMUTABLE_ID, Table
from connectors.entra.searching import EVENTUAL, address, equals
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Protected, Rejected, Transient

_SEEN = f"id,accountEnabled,onPremisesSyncEnabled,{ACCOUNT_NAME},{IMMUTABLE_ID},{EMPLOYEE_ID},{EXTENSIONS}"
_NAMES = (IMMUTABLE_ID, ACCOUNT_NAME)
"""What a user is found by; the id first, since a name may have changed."""
_FROM_THERE = (IMMUTABLE_ID, ACCOUNT_NAME, EMPLOYEE_ID)
"""What rules may say of a user, and Active Directory is the master of."""
UNPROVED = "an account of this name is there, and nothing says that it is this person's: 'eadm-sync correlate'"


@dataclass(frozen=True)
class Synchronised:
    """Makes the chains of changes to accounts that come by synchronisation.

    Attributes:
        table: Their attributes.
    """

    table: Table

    def chain(self, operation: Operation) -> Chain[Outcome]:
        """Carries one operation out; what goes wrong with it, and what it waits for, is its outcome."""
        try:
            return (yield from self._chain(operation))
        except ConnectorError as error:
            return Outcome(operation.id, error)

    def _chain(self, operation: Operation) -> Chain[Outcome]:
        match operation.action:
            case Action.CREATE:
                return (yield from self._take(operation))
            case Action.UPDATE:
                return (yield from self._update(operation, object_id(Kind.ACCOUNT, operation.anchor)))
            case Action.ENABLE | Action.DISABLE:
                return (yield from self._switch(operation, object_id(Kind.ACCOUNT, operation.anchor)))
            case Action.DELETE:
                return (yield from self._delete(operation))
        raise Rejected(f"an account that is synchronised cannot be subject to {operation.action} here")

    def _take(self, operation: Operation) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=True)
        user = yield from self._find(operation)
        if user is None:
            raise Transient("Entra Connect has not brought the account up yet")
        anchor = str(user["id"])
        yield from self._write(operation, anchor)
        return Outcome(operation.id, None, anchor)

    def _find(self, operation: Operation) -> Chain[Mapping[str, Any] | None]:
        """The user that is meant, or None where it has not come yet.

        Raises:
            AlreadyExists: A user of the name is the cloud's own, or another one, or nothing says whose it is.
            Protected: It is an administrator's.
        """
        wanted = {name: str(operation.attributes[name]) for name in _NAMES if operation.attributes.get(name)}
        filter_ = " or ".join(equals(name, value) for name, value in wanted.items())
        (response,) = yield [Ask("GET", address("/users", filter_, _SEEN))]
        if not response.ok:
            raise refusals.refusal(response, Kind.ACCOUNT, None)
        by, value = next(iter(wanted.items()))
        for user in response.body["value"]:
            if _is(user, by, value) and user.get("onPremisesSyncEnabled"):
                yield from self._prove(operation, user)
                return dict(user)
            if _is(user, ACCOUNT_NAME, wanted[ACCOUNT_NAME]):
                what = "is another" if user.get("onPremisesSyncEnabled") else "does not come by synchronisation"
                raise AlreadyExists(f"an account of this name is there, and {what}", ACCOUNT_NAME)
        return None

    def _prove(self, operation: Operation, user: Mapping[str, Any]) -> Chain[None]:
        """Refuses a user who may be a stranger that is called the same.

        The mark is written by us only, so it is enough, and one of somebody else is enough to refuse. All else comes
        from a source, in which somebody could have written it to get an administrator's account.
        """
        owner = owner_of(self.table.mark_of(user))
        if owner is not None and owner == operation.owner:
            return
        proofs = [name for name in (IMMUTABLE_ID, EMPLOYEE_ID) if operation.attributes.get(name)]
        agreed = bool(proofs) and all(_is(user, name, str(operation.attributes[name])) for name in proofs)
        if owner is not None or not agreed:
            raise AlreadyExists(UNPROVED, ACCOUNT_NAME)
        (roles,) = yield [Ask("GET", ROLES.format(user["id"]), None, EVENTUAL)]
        if not roles.ok:
            raise refusals.refusal(roles, Kind.ACCOUNT, str(user["id"]))
        if roles.body["value"]:
            raise Protected(refusals.PROTECTED)

    def _write(self, operation: Operation, anchor: str) -> Chain[None]:
        """Writes what the cloud is the master of."""
        ours = {name: value for name, value in operation.attributes.items() if name in CLOUD_MASTERED}
        if not ours:
            return
        (response,) = yield [Ask("PATCH", f"/users/{anchor}", self.table.body(ours))]
        if not response.ok:
            raise _refused(response, anchor)

    def _update(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=False)
        yield from self._write(operation, anchor)
        named = {name: str(value) for name, value in operation.attributes.items() if name in _FROM_THERE and value}
        if named or not operation.attributes:
            user = yield from self._see(anchor)
            if late := [name for name, value in named.items() if not _is(user, name, value)]:
                raise Transient(f"Active Directory is the master of '{late[0]}', and it has not come from there yet")
        return Outcome(operation.id, None, anchor)

    def _switch(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        if operation.revoke_sessions and operation.action is Action.DISABLE:
            (response,) = yield [Ask("POST", f"/users/{anchor}/revokeSignInSessions")]
            if not response.ok:
                raise _refused(response, anchor)
        user = yield from self._see(anchor)
        if bool(user.get("accountEnabled")) is not (operation.action is Action.ENABLE):
            raise Transient(f"to {operation.action} it is Active Directory's, and has not come from there yet")
        return Outcome(operation.id, None, anchor)

    def _delete(self, operation: Operation) -> Chain[Outcome]:
        try:
            anchor = object_id(Kind.ACCOUNT, operation.anchor)
            user = yield from self._see(anchor)
        except NotFound:
            user = None
        if user is not None and not user.get("onPremisesSyncEnabled"):
            raise Rejected("the account does not come by synchronisation any more: whose it is now, has to be decided")
        if user is not None:
            raise Transient("the account is deleted in Active Directory, and that has not come from there yet")
        if operation.permanent:
            yield from self._purge(operation)
        return Outcome(operation.id, None, operation.anchor)

    def _purge(self, operation: Operation) -> Chain[None]:
        try:
            anchor = object_id(Kind.ACCOUNT, operation.anchor)
        except NotFound:
            return
        (purged,) = yield [Ask("DELETE", f"{BIN}/{anchor}")]
        if not purged.ok and purged.status != HTTPStatus.NOT_FOUND:
            raise _refused(purged, anchor)

    def _see(self, anchor: str) -> Chain[dict[str, Any]]:
        (response,) = yield [Ask("GET", f"/users/{anchor}?$select={_SEEN}")]
        if not response.ok:
            raise _refused(response, anchor)
        return dict(response.body)


def _is(user: Mapping[str, Any], name: str, value: str) -> bool:
    there = str(user.get(name) or "")
    return there == value if name == IMMUTABLE_ID else there.casefold() == value.casefold()


def _refused(response: Response, anchor: str) -> ConnectorError:
    return refusals.refusal(response, Kind.ACCOUNT, anchor)
