"""What each operation on an account means to Active Directory. Chains of requests."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from connectors.active_directory import names, objects
from connectors.active_directory.ber import SHOW_DELETED, Change, Delete, Entry, How, Modify, Search, equals
from connectors.active_directory.containers import check
from connectors.active_directory.errors import Code
from connectors.active_directory.look import Seen
from connectors.active_directory.namesakes import free_cn
from connectors.active_directory.objects import Made, Situation
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.schema import ACCOUNT_NAME
from connectors.active_directory.settings import mark_of
from connectors.active_directory.values import (
    DISABLED,
    NORMAL_ACCOUNT,
    anchor_of,
    encode_password,
    guid,
)
from connectors.contract import Action, Kind, Operation, Outcome, Password, RemoteObject
from connectors.errors import AlreadyExists, NotFound, Protected, Rejected, Stale

_NEW = DISABLED | NORMAL_ACCOUNT
_RANDOM_LETTERS = string.ascii_letters + string.digits + "-_.!"
_RANDOM_LENGTH = 60  # 360 bits: beyond guessing, and within the 127 characters that old tools can handle
_COMPLEX = "#aA#1-"  # three of four classes are asked for; random letters alone lack one now and then


@dataclass(frozen=True)
class Accounts:
    """Carries out operations on accounts."""

    situation: Situation
    recycle_bin: bool

    def chain(self, operation: Operation) -> Chain[Outcome | Made]:
        """What is to be done, request by request.

        Raises:
            ConnectorError: It is refused.
        """
        return _MEANINGS[operation.action](self, operation)

    def _create(self, operation: Operation) -> Chain[Outcome | Made]:
        made = self.situation.look.marks.get(mark_of(operation), ())
        if len(made) > 1:
            raise Rejected(
                f"{len(made)} accounts bear the mark of this owner: one is a copy", self.situation.rules.mark
            )
        if made:
            return (yield from self._change(operation, _unprotected(made[0]), operation.enabled))
        objects.check_complete(operation, self.situation.rules)
        name = str(operation.attributes[ACCOUNT_NAME])
        self._check_password(operation, name, "")
        want = objects.wanted(operation, self.situation.rules, self.situation.look)
        fixed = {"userAccountControl": [b"%d" % _NEW], self.situation.rules.mark: [mark_of(operation).encode()]}
        cn = yield from objects.add(self.situation, operation, want, fixed)
        stored = {**want.stored, "cn": cn} if want.cn not in (None, cn) else want.stored
        yield from self._open(operation, names.join("CN", cn, operation.container or self.situation.rules.default))
        return Made(operation, name, stored, want.warning)

    def _open(self, operation: Operation, dn: str) -> Chain[None]:
        """Gives a new account its password and enables it, in one request."""
        changes = _password_changes(operation.password or self._unknown_password())
        if operation.enabled is not False:
            changes.append(Change(How.REPLACE, "userAccountControl", [b"%d" % NORMAL_ACCOUNT]))
        if not changes:
            return
        answer = yield Modify(dn, changes)
        if answer.code != Code.SUCCESS:
            raise self.situation.failed(answer, operation, ["password"], "set a first password")

    def _update(self, operation: Operation) -> Chain[Outcome | Made]:
        return (yield from self._change(operation, self.situation.live(operation), None))

    def _change(self, operation: Operation, seen: Seen, enabled: bool | None) -> Chain[Outcome | Made]:
        self._check_password(operation, seen.name, seen.display_name)
        want = objects.wanted(operation, self.situation.rules, self.situation.look)
        password = operation.password
        if password is None and operation.action is Action.CREATE and seen.passwordless:
            password = self._unknown_password()  # its creation was cut short before it got one
        changes = objects.changes_of(want.values) + _password_changes(password)
        if operation.password and seen.locked:
            changes.append(
                Change(How.REPLACE, "lockoutTime", [b"0"])
            )  # whoever gets a password shall be able to use it
        if enabled is not None:
            changes += _switch(seen, enabled=enabled)
        yield from objects.modify(self.situation, operation, seen, changes)
        cn = yield from objects.relocate(self.situation, operation, seen, objects.named_after(operation, seen, want))
        return objects.done(operation, seen, want, cn)

    def _unknown_password(self) -> Password | None:
        """One for an account that is given none, so that it can be enabled, now or later; None: as the settings say."""
        return _random_password() if self.situation.random_password else None

    def _enable(self, operation: Operation) -> Chain[Outcome | Made]:
        return (yield from self._switched(operation, enabled=True))

    def _disable(self, operation: Operation) -> Chain[Outcome]:
        return (yield from self._switched(operation, enabled=False))

    def _switched(self, operation: Operation, *, enabled: bool) -> Chain[Outcome]:
        seen = self.situation.live(operation)
        changes = _switch(seen, enabled=enabled)
        if changes:
            answer = yield from objects.sent(seen, changes)
            if answer.code == Code.NO_SUCH_ATTRIBUTE:
                raise Stale("somebody else changed userAccountControl at the same moment")
            if answer.code != Code.SUCCESS:
                sent = ["password"] if enabled else ["userAccountControl"]  # without one, Windows enables no account
                raise self.situation.failed(answer, operation, sent, f"{operation.action} an account")
        return Outcome(operation.id, None, seen.anchor)

    def _delete(self, operation: Operation) -> Chain[Outcome | Made]:
        seen = self.situation.look.live(operation.kind, operation.anchor)
        if seen is not None:
            error = yield from objects.delete(self.situation, operation, _unprotected(seen))
            if error is not None:
                return Outcome(operation.id, error)
        if operation.permanent and self.recycle_bin:
            yield from self._purge(operation)
        return Outcome(operation.id, None, operation.anchor)

    def _purge(self, operation: Operation) -> Chain[None]:
        """Deletes what is deleted: out of the recycle bin."""
        buried = yield from self._buried(operation)
        if buried is None or buried.attributes.get("isRecycled") == [b"TRUE"]:
            return
        answer = yield Delete(buried.dn, (SHOW_DELETED,))
        if answer.code not in (Code.SUCCESS, Code.NO_SUCH_OBJECT):
            raise self.situation.failed(answer, operation, [], "delete an account for good")

    def _restore(self, operation: Operation) -> Chain[Outcome | Made]:
        seen = self.situation.look.live(operation.kind, operation.anchor)
        if seen is not None:  # the answer was lost, perhaps that to the first of two requests
            outcome = yield from self._disable(operation)
            return msgspec.structs.replace(outcome, regained=(yield from self._regained(seen.dn, seen.anchor)))
        buried = yield from self._buried(operation)
        if buried is None or (self.recycle_bin and buried.attributes.get("isRecycled") == [b"TRUE"]):
            raise NotFound(operation.kind, operation.anchor or "")
        yield from self._require_free_owner(buried)
        dn = yield from self._dig_up(operation, buried)
        yield from self._make_harmless(operation, buried)
        if self.recycle_bin:
            regained = yield from self._regained(dn, operation.anchor or "")
            return Outcome(operation.id, None, operation.anchor, regained=regained)
        lost = "restored without the recycle bin: disabled, its attributes, memberships and password are lost"
        return Outcome(operation.id, None, operation.anchor, warning=lost)

    def _regained(self, dn: str, anchor: str) -> Chain[tuple[RemoteObject, ...]]:
        """The groups that a restored account is in: the recycle bin keeps its links."""
        if not self.recycle_bin:
            return ()
        answer = yield Search(self.situation.base_dn, equals("member", dn), ["objectGUID"])
        found = entries_of(answer, "look which groups a restored account is in")
        groups = [anchor_of(entry.attributes["objectGUID"][0]) for entry in found]
        return tuple(RemoteObject(Kind.MEMBERSHIP, f"{one}/{anchor}", group=one, account=anchor) for one in groups)

    def _require_free_owner(self, buried: Entry) -> Chain[None]:
        mark = buried.attributes.get(self.situation.rules.mark)
        if mark:
            answer = yield Search(self.situation.base_dn, equals(self.situation.rules.mark, mark[0]), ["1.1"])
            if entries_of(answer, "look whether its owner has another account"):
                raise AlreadyExists("its owner has another account by now")

    def _dig_up(self, operation: Operation, buried: Entry) -> Chain[str]:
        """[MS-ADTS] 3.1.1.5.3.7: a deleted object comes back by a modify that ends its deletion and names its place.

        Returns:
            Its distinguished name from now on.
        """
        container = operation.container or buried.text("lastKnownParent")
        if "\\0ADEL:" in container or not container:
            raise Rejected("the container that it was in is deleted too", "container")
        check(container, self.situation.rules, self.situation.base_dn)
        asked = buried.text("msDS-LastKnownRDN") or buried.text("cn").partition("\n")[0]
        cn = self.situation.claims.claim(container, asked)
        for _ in range(3):
            place = Change(How.REPLACE, "distinguishedName", [names.join("CN", cn, container).encode()])
            answer = yield Modify(buried.dn, [Change(How.DELETE, "isDeleted"), place], (SHOW_DELETED,))
            if answer.code == Code.SUCCESS:
                return names.join("CN", cn, container)
            if answer.code != Code.ALREADY_EXISTS:
                break
            cn = yield from free_cn(self.situation.claims, container, asked)
        raise self.situation.failed(answer, operation, [], "restore an account")

    def _make_harmless(self, operation: Operation, buried: Entry) -> Chain[None]:
        """Disables what comes back: it may have been deleted by hand, and enabled.

        A tombstone keeps userAccountControl and loses the password: enabled, it would let anybody in.
        """
        before = int(buried.text("userAccountControl") or NORMAL_ACCOUNT)
        if self.recycle_bin and before & DISABLED:
            return
        control = before | DISABLED
        changes = [Change(How.REPLACE, "userAccountControl", [b"%d" % control])]
        if operation.owner and not self.recycle_bin:
            changes.append(Change(How.REPLACE, self.situation.rules.mark, [operation.owner.encode()]))
        answer = yield Modify(f"<GUID={guid(operation.anchor)}>", changes)
        if answer.code != Code.SUCCESS:
            raise self.situation.failed(answer, operation, ["userAccountControl"], "disable a restored account")

    def _buried(self, operation: Operation) -> Chain[Entry | None]:
        """The deleted object with the operation's anchor.

        Raises:
            Protected: It was an administrator's, and would come back as one: the recycle bin keeps memberships.
        """
        anchor = guid(operation.anchor)
        if anchor is None:
            return None
        wanted = [
            "adminCount",
            "cn",
            "isDeleted",
            "isRecycled",
            "lastKnownParent",
            "msDS-LastKnownRDN",
            "userAccountControl",
        ]
        answer = yield Search(
            self.situation.base_dn,
            equals("objectGUID", anchor.bytes_le),
            [*wanted, self.situation.rules.mark],
            controls=(SHOW_DELETED,),
        )
        deleted = entries_of(answer, "look for a deleted account")
        found = [entry for entry in deleted if entry.attributes.get("isDeleted") == [b"TRUE"]]
        if found and found[0].attributes.get("adminCount") == [b"1"]:
            raise Protected("is protected and never changed: it was an administrator's (adminCount is 1)")
        return found[0] if found else None

    def _check_password(self, operation: Operation, name: str, display_name: str) -> None:
        """Refuses what Windows refuses because of the names, and Samba lets through."""
        if operation.password is None:
            return
        named = operation.attributes.get(ACCOUNT_NAME), operation.attributes.get("displayName")
        names_ = (str(named[0] or name), str(named[1] or display_name))
        fault = self.situation.password_rules.fault(operation.password.value, names_)
        if fault is not None:
            raise Rejected(fault, "password")


def _switch(seen: Seen, *, enabled: bool) -> list[Change]:
    """Sets or clears one bit of userAccountControl if nobody else changed another meanwhile; nothing if it is so."""
    control = seen.control & ~DISABLED if enabled else seen.control | DISABLED
    if control == seen.control:
        return []
    return [
        Change(How.DELETE, "userAccountControl", [b"%d" % seen.control]),
        Change(How.ADD, "userAccountControl", [b"%d" % control]),
    ]


def _password_changes(password: Password | None) -> list[Change]:
    if password is None:
        return []
    changes = [Change(How.REPLACE, "unicodePwd", [encode_password(password)])]
    if password.must_change:
        changes.append(Change(How.REPLACE, "pwdLastSet", [b"0"]))
    return changes


def _random_password() -> Password:
    """Pairs of letters apart from each other: no part of a name that Windows would look for can stand in it."""
    pairs = ("".join(secrets.choice(_RANDOM_LETTERS) for _ in range(2)) for _ in range(_RANDOM_LENGTH // 2))
    return Password("#".join(pairs) + _COMPLEX, must_change=False)


def _unprotected(seen: Seen) -> Seen:
    if seen.protected:
        raise Protected(f"is protected and never changed: {seen.protected}")
    return seen


# ruff: noqa: SLF001 - the table below is part of the class, which must exist first
_MEANINGS: Mapping[Action, Callable[[Accounts, Operation], Chain[Outcome | Made]]] = {
    Action.CREATE: Accounts._create,
    Action.UPDATE: Accounts._update,
    Action.ENABLE: Accounts._enable,
    Action.DISABLE: Accounts._disable,
    Action.DELETE: Accounts._delete,
    Action.RESTORE: Accounts._restore,
}
