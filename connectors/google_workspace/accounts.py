"""Users: created, changed, switched on and off, deleted and undeleted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.contract import Action, Kind, Operation, Outcome, Password, PasswordRules, Value
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Protected, Rejected, Transient
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain
from connectors.google_workspace.former import MAY_BE_FORMER, Former
from connectors.google_workspace.hashing import sha512_crypt
from connectors.google_workspace.schema import ACCOUNT_NAME, ALIASES, NAME_LENGTH, Table, cut
from connectors.google_workspace.searching import with_external_id
from connectors.memory import Memory

if TYPE_CHECKING:  # as in `connection`
    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

RULES = PasswordRules(min_length=8, max_length=100)
"""https://developers.google.com/workspace/admin/directory/v1/limits"""
PROTECTED = "an administrator's account: administrators change it by hand"
ALIAS_STAYS = "the former address stays as an alias"
_OPERATION = "operation:"
_NO_UNIT = "INVALID_OU_ID"
_BLAMED = {
    "primary_user_email": ACCOUNT_NAME,
    "primaryEmail": ACCOUNT_NAME,
    "GivenName": "givenName",
    "FamilyName": "familyName",
    "Invalid Password": "password",
}
"""What Google blames in its sentences, by the attribute or field of an operation that brought it."""


def mark_of(operation: Operation) -> str:
    """What a new account is marked with: whose it is, or else which operation made it."""
    return operation.owner or f"{_OPERATION}{operation.id}"


def owner_of(mark: str | None) -> str | None:
    """The owner that a mark names, if it does."""
    return None if mark is None or mark.startswith(_OPERATION) else mark


def nobodys_password() -> str:
    """A password that nobody gets to know: Google makes no account without one."""
    return secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Policy:
    """What the settings say about users.

    Attributes:
        archives: Who is disabled is archived too, as far as there are seats for it.
        keeps_former_address: The address from before a rename stays as an alias.
        hand_over: Does what comes before the deletion of a user of that id; ends with why it is not done yet, or None.
        hashes_passwords: Passwords are sent as hashes.
    """

    archives: bool = False
    keeps_former_address: bool = True
    hand_over: Callable[[str], Chain[ConnectorError | None]] | None = None
    hashes_passwords: bool = False


@dataclass(frozen=True)
class Accounts:
    """Makes the chains of changes to accounts.

    Attributes:
        apis: The calls there are.
        table: Attributes of accounts.
        policy: What the settings say.
        memory: What was made not long ago.
        password: Makes one that nobody knows.
        owned: Ids of accounts by their marks, as a search for the marks of new ones found them.
        administrators: Ids of those who are never changed.
        unplaced: Why a container could not be made, by its path.
        forget_unit: Told of a container that is not there after all.
        former: Addresses from before a rename that have to go yet.
    """

    apis: Apis
    table: Table
    policy: Policy
    memory: Memory
    password: Callable[[], str]
    owned: Mapping[str, str]
    administrators: Collection[str]
    unplaced: Mapping[str, ConnectorError] = field(default_factory=dict)
    forget_unit: Callable[[str], None] = lambda _: None
    former: Former = field(default_factory=Former)

    def chain(self, operation: Operation) -> Chain[Outcome]:
        """Carries one operation out; what goes wrong with it is its outcome."""
        try:
            _check_password(operation.password)
            if operation.anchor in self.administrators:
                raise Protected(PROTECTED)
            if operation.container is not None and operation.container in self.unplaced:
                raise self.unplaced[operation.container]
            return (yield from self._chain(operation))
        except ConnectorError as error:
            return Outcome(operation.id, error)

    def _chain(self, operation: Operation) -> Chain[Outcome]:
        match operation.action:
            case Action.CREATE:
                return (yield from self._create(operation))
            case Action.UPDATE:
                return (yield from self._update(operation, refusals.key(Kind.ACCOUNT, operation.anchor)))
            case Action.ENABLE | Action.DISABLE:
                return (yield from self._switch(operation, refusals.key(Kind.ACCOUNT, operation.anchor)))
            case Action.DELETE:
                return (yield from self._delete(operation))
            case Action.RESTORE:
                return (yield from self._restore(operation, refusals.key(Kind.ACCOUNT, operation.anchor)))
        raise Rejected(f"an account cannot be subject to {operation.action} here")

    # ------------------------------------------------------------ create

    def _create(self, operation: Operation) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=True)
        mark = mark_of(operation)
        known = self.owned.get(mark) or self.memory.made_for(mark)
        if known is not None:
            return (yield from self._take(operation, known))
        given, _ = cut({name: value for name, value in operation.attributes.items() if value not in (None, "", [])})
        body = {**self.table.body(given, {}, mark), "suspended": not operation.enabled}
        body |= self._secret(operation.password or Password(self.password()))
        if operation.container is not None:
            body["orgUnitPath"] = operation.container
        (reply,) = yield [self.apis.users.insert(body=body, fields="id,primaryEmail")]
        if not reply.ok:
            return (yield from self._not_made(operation, mark, reply))
        anchor = str(reply.body["id"])
        self.memory.note(anchor, mark)
        for alias in _listed(given.get(ALIASES)):
            yield from self._add_alias(anchor, alias)
        return self._done(operation, anchor, reply)

    def _not_made(self, operation: Operation, mark: str, refused: Reply) -> Chain[Outcome]:
        """The address is held by somebody: by an account of ours whose creation was not confirmed, or not."""
        if not refusals.is_duplicate(refused):
            raise self._refusal_of(operation, refused, None)
        wanted = str(operation.attributes[ACCOUNT_NAME])
        held = yield from self._holder(wanted, "id,externalIds,isAdmin,isDelegatedAdmin")
        if self.table.mark_of(held) != mark:
            raise AlreadyExists(f"another object has this value of '{ACCOUNT_NAME}'", ACCOUNT_NAME)
        if is_administrator(held):
            raise Protected(PROTECTED)
        return (yield from self._take(operation, str(held["id"])))

    def _holder(self, address: str, fields: str) -> Chain[Mapping[str, Any]]:
        """The user that has an address which is taken; empty where a group has it.

        Raises:
            ConnectorError: It cannot be found out, or not yet.
        """
        user, group = yield [
            self.apis.users.get(userKey=address, fields=fields),
            self.apis.groups.get(groupKey=address, fields="id"),
        ]
        if user.ok:
            return dict(user.body)
        for reply in (user, group):
            if not reply.ok and not reply.is_missing:
                raise self._refusal(reply, None)
        if group.ok:
            return {}
        raise Transient("the address is taken by what Google does not show yet")

    def _take(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        """The owner's account is there already: it is given what the operation asks for."""
        if anchor in self.administrators:
            raise Protected(PROTECTED)
        try:
            return (yield from self._write(operation, anchor, {"suspended": not operation.enabled}))
        except NotFound:
            raise Transient("the account that was found is not there any more, or not seen everywhere yet") from None

    # ------------------------------------------------------------ change

    def _update(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        self.table.check(operation.attributes, whole=False)
        return (yield from self._write(operation, anchor, {}))

    def _write(self, operation: Operation, anchor: str, more: Mapping[str, Any]) -> Chain[Outcome]:
        present = yield from self._present(operation, anchor)
        self.former.renaming(anchor, *_renaming(operation, present))
        given, _ = cut(operation.attributes)
        body = {**self.table.body(given, present), **more}
        if operation.password is not None:
            body |= self._secret(operation.password)
        if operation.container is not None:
            body["orgUnitPath"] = operation.container
        if body:
            call = self.apis.users.update(userKey=anchor, body=body, fields="id,primaryEmail")
        else:
            call = self.apis.users.get(userKey=anchor, fields="id,primaryEmail")
        (reply,) = yield [call]
        if not reply.ok:
            raise self._refusal_of(operation, reply, anchor)
        outcome = self._done(operation, anchor, reply)
        return (yield from self._readdress(operation, anchor, present, outcome))

    def _present(self, operation: Operation, anchor: str) -> Chain[Mapping[str, Any]]:
        """The user as it is, as far as the change has to know it; one that has to know nothing costs no call."""
        properties = self.table.needs_present(operation.attributes)
        if operation.attributes.keys() & {ACCOUNT_NAME, ALIASES}:
            properties += [ACCOUNT_NAME, ALIASES]
        if not properties:
            return {}
        fields = ",".join(["id,isAdmin,isDelegatedAdmin", *properties])
        (reply,) = yield [self.apis.users.get(userKey=anchor, fields=fields)]
        if not reply.ok:
            raise self._refusal(reply, anchor)
        if is_administrator(reply.body):  # since a moment: lists lag behind
            raise Protected(PROTECTED)
        return dict(reply.body)

    def _readdress(
        self, operation: Operation, anchor: str, present: Mapping[str, Any], outcome: Outcome
    ) -> Chain[Outcome]:
        """Aliases as the operation asks for them; the former address, which Google keeps as one, goes or is told of."""
        before, after = _renaming(operation, present)
        aliases = {str(one).casefold() for one in present.get(ALIASES) or ()}
        if before != after:
            aliases = (aliases | {before}) - {after}
        if ALIASES in operation.attributes:
            wanted = {one.casefold() for one in _listed(operation.attributes[ALIASES])}
            for alias in sorted(wanted - aliases - {after}):
                yield from self._add_alias(anchor, alias)
            for alias in sorted(aliases - wanted):
                yield from self._remove_alias(anchor, alias)
            self.former.pop(anchor, None)
            return outcome
        if ACCOUNT_NAME not in operation.attributes:
            return outcome
        former = self.former.get(anchor)
        if former is None:  # it was renamed already; if by a process that ended since, nobody knows what it was called
            doubtful = aliases and not self.policy.keeps_former_address
            return _warned(outcome, MAY_BE_FORMER) if doubtful else outcome
        if not self.policy.keeps_former_address:
            yield from self._remove_alias(anchor, former)
        del self.former[anchor]
        return _warned(outcome, ALIAS_STAYS) if self.policy.keeps_former_address else outcome

    def _add_alias(self, anchor: str, alias: str) -> Chain[None]:
        (reply,) = yield [self.apis.aliases.insert(userKey=anchor, body={"alias": alias})]
        if refusals.is_duplicate(reply):
            held = yield from self._holder(alias, "id")
            if held.get("id") == anchor:
                return
        if not reply.ok:
            raise self._refusal(reply, anchor, ALIASES)

    def _remove_alias(self, anchor: str, alias: str) -> Chain[None]:
        (reply,) = yield [self.apis.aliases.delete(userKey=anchor, alias=alias)]
        if reply.ok or reply.is_missing or reply.status == HTTPStatus.BAD_REQUEST:  # 400: it has no such alias
            return
        raise self._refusal(reply, anchor, ALIASES)

    # ------------------------------------------------------------ enable, disable

    def _switch(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        disables = operation.action is Action.DISABLE
        state = {"suspended": disables}
        if self.policy.archives or not disables:
            state["archived"] = disables
        (reply,) = yield [self.apis.users.update(userKey=anchor, body=state, fields="id")]
        warning = None
        if reply.status == HTTPStatus.PRECONDITION_FAILED and state.get("archived") and not refusals.is_busy(reply):
            warning = f"suspended, but not archived: {reply.message}"
            (reply,) = yield [self.apis.users.update(userKey=anchor, body={"suspended": True}, fields="id")]
        if not reply.ok:
            raise self._refusal(reply, anchor)
        if disables and operation.revoke_sessions:
            (out,) = yield [self.apis.users.signOut(userKey=anchor)]
            if not out.ok:
                raise self._refusal(out, anchor)
        return Outcome(operation.id, None, anchor, warning=warning)

    # ------------------------------------------------------------ delete, undelete

    def _delete(self, operation: Operation) -> Chain[Outcome]:
        try:
            anchor = refusals.key(Kind.ACCOUNT, operation.anchor)
        except ConnectorError:
            return Outcome(operation.id, None, operation.anchor)
        if self.policy.hand_over is not None:
            unfinished = yield from self.policy.hand_over(anchor)
            if unfinished is not None:
                raise unfinished
        (reply,) = yield [self.apis.users.delete(userKey=anchor)]
        gone = reply.is_missing and not self.memory.is_settling(anchor)
        if not reply.ok and not gone:
            raise self._refusal(reply, anchor)
        self.memory.forget(anchor)
        warning = "Google keeps a deleted account for 20 days, whoever deletes it" if operation.permanent else None
        return Outcome(operation.id, None, anchor, warning=warning)

    def _restore(self, operation: Operation, anchor: str) -> Chain[Outcome]:
        """Takes an account out of the recycle bin, and disables it: it may have been deleted by hand, and enabled."""
        body = {} if operation.container is None else {"orgUnitPath": operation.container}
        (restored,) = yield [self.apis.users.undelete(userKey=anchor, body=body)]
        if not restored.ok and not restored.is_missing:
            error = self._refusal_of(operation, restored, anchor)
            if type(error) is not Rejected:
                raise error
        # What is refused for good, or not found, is not deleted, or gone for ever: the next call tells.
        (reply,) = yield [self.apis.users.update(userKey=anchor, body={"suspended": True}, fields="id")]
        if not reply.ok:
            settling = restored.ok or self.memory.is_settling(anchor)
            raise refusals.refusal(reply, Kind.ACCOUNT, anchor, settling=settling)
        return Outcome(operation.id, None, anchor)

    # ------------------------------------------------------------ outcomes

    def _secret(self, password: Password) -> dict[str, Any]:
        must_change = {"changePasswordAtNextLogin": password.must_change}
        if self.policy.hashes_passwords:
            hashed = sha512_crypt(password.value, secrets.token_hex(8))
            return {"password": hashed, "hashFunction": "crypt", **must_change}
        return {"password": password.value, **must_change}

    def _done(self, operation: Operation, anchor: str, reply: Reply) -> Outcome:
        """A success, with what was stored otherwise than asked."""
        given, short = cut(operation.attributes)
        stored: dict[str, Value] = {name: given[name] for name in short}
        told = reply.body.get(ACCOUNT_NAME)
        if ACCOUNT_NAME in given and told and told != given[ACCOUNT_NAME]:
            stored[ACCOUNT_NAME] = str(told)
        warning = f"{' and '.join(short)} cut at {NAME_LENGTH} characters" if short else None
        return Outcome(operation.id, None, anchor, stored, warning)

    def _refusal_of(self, operation: Operation, reply: Reply, anchor: str | None) -> ConnectorError:
        if operation.container is not None and _NO_UNIT in reply.message:
            self.forget_unit(operation.container)
            return Transient("the organisational unit is not there, or not yet")
        if ACCOUNT_NAME in operation.attributes and reply.reason == "forbidden":
            return Rejected(
                "Google refuses it (403): is the domain of the address one of the customer's?", ACCOUNT_NAME
            )
        return self._refusal(reply, anchor)

    def _refusal(self, reply: Reply, anchor: str | None, attribute: str | None = None) -> ConnectorError:
        if attribute is None:
            attribute = next((name for words, name in _BLAMED.items() if words in reply.message), None)
        if attribute is None and refusals.is_duplicate(reply):
            attribute = ACCOUNT_NAME
        if attribute == "password":  # Google's words about it could hold it
            return Rejected("Google's rules refuse the password", attribute)
        settling = self.memory.is_settling(anchor)
        return refusals.refusal(reply, Kind.ACCOUNT, anchor, settling=settling, attribute=attribute)


def is_administrator(told: Mapping[str, Any]) -> bool:
    """Whether a user as Google tells it is a super administrator, or one with delegated rights."""
    return bool(told.get("isAdmin") or told.get("isDelegatedAdmin"))


def find_owned(apis: Apis, table: Table, customer: str, marks: Sequence[str]) -> Chain[dict[str, str]]:
    """Ids of accounts with these marks.

    Raises:
        ConnectorError: It cannot be found out.
    """
    if not marks:
        return {}
    fields = "users(id,externalIds)"
    replies = yield [apis.users.list(customer=customer, query=with_external_id(one), fields=fields) for one in marks]
    found: dict[str, str] = {}
    for mark, reply in zip(marks, replies, strict=True):
        if not reply.ok:
            raise refusals.refusal(reply, Kind.ACCOUNT, None)
        for one in reply.body.get("users", ()):
            if table.mark_of(one) == mark:
                found.setdefault(mark, str(one["id"]))
    return found


def _renaming(operation: Operation, present: Mapping[str, Any]) -> tuple[str, str]:
    """Address before and after the operation, folded."""
    before = str(present.get(ACCOUNT_NAME, "")).casefold()
    return before, str(operation.attributes.get(ACCOUNT_NAME) or before).casefold()


def _warned(outcome: Outcome, warning: str) -> Outcome:
    every = warning if outcome.warning is None else f"{outcome.warning}; {warning}"
    return msgspec.structs.replace(outcome, warning=every)


def _listed(value: Value) -> list[str]:
    return value if isinstance(value, list) else []


def _check_password(password: Password | None) -> None:
    if password is None:
        return
    fault = RULES.fault(password.value)
    if fault is None and not password.value.isascii():
        fault = "it has characters beyond ASCII"
    if fault is not None:
        raise Rejected(fault, "password")
