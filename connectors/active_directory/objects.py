"""What accounts and groups have in common: their attributes, their names, their places. Chains of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.active_directory import names
from connectors.active_directory.ber import (
    Add,
    Answer,
    Change,
    Delete,
    How,
    Modify,
    Move,
    Search,
    equals,
)
from connectors.active_directory.containers import check, outright
from connectors.active_directory.errors import Attempt, Code, PasswordPolicy, error_of
from connectors.active_directory.look import Look, Seen
from connectors.active_directory.namesakes import Claims, check_cn, free_cn, is_namesake
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.schema import ACCOUNT_NAME, CN, CN_LENGTH, Attribute, Syntax, refusal
from connectors.active_directory.settings import Rules
from connectors.active_directory.values import (
    anchor_of,
    check_account_name,
    decode,
    encode,
    group_type,
)
from connectors.contract import Kind, Operation, Outcome, PasswordRules, Value
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Protected, Rejected

_UNIQUE_CODES = (Code.ALREADY_EXISTS, Code.CONSTRAINT_VIOLATION)


@dataclass(frozen=True, slots=True)
class Made:
    """An object that was created; its anchor is looked up together with those of the others."""

    operation: Operation
    name: str
    stored: dict[str, Value]
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The attributes of an operation, ready to be sent.

    Attributes:
        values: By name as the server knows it; no values: cleared.
        stored: Those that will be there otherwise than asked.
        warning: What could not be done as asked, or None.
        cn: The name asked for, or None.
    """

    values: dict[str, list[bytes]] = field(default_factory=dict)
    stored: dict[str, Value] = field(default_factory=dict)
    warning: str | None = None
    cn: str | None = None


@dataclass(frozen=True)
class Situation:
    """What the operations of one batch stand on.

    Attributes:
        rules: For the kind of object.
        base_dn: Of the domain.
        look: What was there before the batch.
        no_container: Why a container cannot be had, by canonical name.
        policy: The domain's password policy, or None.
        password_rules: What the settings say of it.
        random_password: As in the settings.
        claims: Of the whole batch.
    """

    rules: Rules
    base_dn: str
    look: Look
    no_container: Mapping[str, ConnectorError]
    policy: PasswordPolicy | None
    password_rules: PasswordRules
    random_password: bool
    claims: Claims

    def require_container(self, container: str) -> None:
        """Raises what stands in the way of putting something there.

        Raises:
            ConnectorError: It could not be made, or is not there.
        """
        error = self.no_container.get(names.canonical(container))
        if error is not None:
            raise error

    def live(self, operation: Operation) -> Seen:
        """The object that an operation changes.

        Raises:
            NotFound: It is not there.
            Protected: It is protected.
        """
        seen = self.look.live(operation.kind, operation.anchor)
        if seen is None:
            raise NotFound(operation.kind, operation.anchor or "")
        if seen.protected:
            raise Protected(f"is protected and never changed: {seen.protected}")
        return seen

    def failed(self, answer: Answer, operation: Operation, sent: Sequence[str], doing: str) -> ConnectorError:
        """An answer that is no success, in the contract's words.

        Raises:
            Unavailable, Throttled: The server is at fault, not the operation.
        """
        attempt = Attempt(doing, operation.kind, operation.anchor or "", operation.container, tuple(sent), self.policy)
        return outright(error_of(answer.code, answer.text, attempt), answer.code)


# ---------------------------------------------------------------- attributes


def check_operation(operation: Operation, rules: Rules, base_dn: str) -> None:
    """Refuses what is wrong whatever the domain holds.

    Raises:
        Rejected: Names the attribute.
    """
    _check_text(f"{operation.id}{operation.owner or ''}", None)
    _check_text(operation.password.value if operation.password else "", "password")
    for name, value in operation.attributes.items():
        error = refusal(name, rules.attributes)
        if error is not None:
            raise error
        if name in rules.required and value in (None, "", []):
            raise Rejected("is required", name)
        _check_value(rules.attributes[name], value, rules)
    if operation.container is not None:
        check(operation.container, rules, base_dn)


def _check_text(text: str, attribute: str | None) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Rejected("holds text that is not valid Unicode, or ends within it", attribute)


def check_complete(operation: Operation, rules: Rules) -> None:
    """Refuses a new object that lacks what it cannot be without.

    Raises:
        Rejected: Names the attribute.
    """
    for name in rules.required:
        if operation.attributes.get(name) in (None, "", []):
            raise Rejected("is required", name)


def _check_value(attribute: Attribute, value: Value, rules: Rules) -> None:
    if attribute.syntax in (Syntax.SCOPE, Syntax.CATEGORY):
        group_type({attribute.name: value})
        return
    encode(attribute, value)
    if attribute.name == ACCOUNT_NAME and isinstance(value, str):
        check_account_name(attribute.name, value)
    if attribute.name == CN and isinstance(value, str):
        check_cn(value)
    if attribute.name == CN and value in (None, ""):
        raise Rejected("cannot be cleared: an object has a name", CN)
    if rules.kind is Kind.ACCOUNT and attribute.name == "userPrincipalName" and isinstance(value, str):
        _check_principal(value)


def _check_principal(value: str) -> None:
    if not value.isprintable() or " " in value:
        raise Rejected("holds a space or a control character", "userPrincipalName")


def wanted(operation: Operation, rules: Rules, look: Look) -> Wanted:
    """The attributes of an operation that was checked, as they are sent and as they will be stored."""
    result = Wanted()
    warning = None
    for name, value in operation.attributes.items():
        attribute = rules.attributes[name]
        if attribute.syntax in (Syntax.SCOPE, Syntax.CATEGORY):
            continue
        if attribute.syntax is Syntax.ACCOUNT and isinstance(value, str) and value:
            seen = look.reference(value)
            stored: Value = seen.name if seen else None  # as it is read
            result.values[name] = [f"<GUID={seen.anchor}>".encode()] if seen else []
            warning = warning if seen else f"{name} was left empty: there is no such account yet"
        else:
            result.values[name] = encode(attribute, value)
            stored = decode(attribute, result.values[name])
        if stored != value:
            result.stored[name] = stored
    cn = result.values.pop(CN, None)
    return Wanted(result.values, result.stored, warning, cn[0].decode() if cn else None)


def changes_of(values: Mapping[str, Sequence[bytes]]) -> list[Change]:
    """Puts these values in place of whatever there is."""
    return [Change(How.REPLACE, name, each) for name, each in values.items()]


# ---------------------------------------------------------------- unique values


def conflict(
    situation: Situation, values: Mapping[str, Sequence[bytes]], own: str | None
) -> Chain[AlreadyExists | None]:
    """Whose unique value is in the way of what was just refused, or None where it is no unique value of the domain's.

    `own` is the anchor of the object itself. The words of servers differ; what there is does not.
    """
    names_ = [name for name in (ACCOUNT_NAME, "userPrincipalName") if values.get(name)]
    for name in names_:
        filters = equals(name, values[name][0])
        answer = yield Search(situation.base_dn, filters, ["objectGUID", situation.rules.mark, ACCOUNT_NAME])
        found = entries_of(answer, "look whose a name is")
        if any(anchor_of(entry.attributes["objectGUID"][0]) != own for entry in found):
            return AlreadyExists("another object has this value", name)
    return None


def taken_value(situation: Situation, operation: Operation, own: str | None) -> AlreadyExists | None:
    """A value that the domain would take though another object has it.

    The settings call the attribute unique and the domain does not; or an administrator signs in by it, though it stands
    in no attribute.
    """
    principal = str(operation.attributes.get("userPrincipalName") or "")
    there = situation.look.names.get(names.signs_in_as(principal, situation.base_dn) or "")
    if there and there.protected and there.anchor != own:
        return AlreadyExists("an administrator signs in by this name", "userPrincipalName")
    for name in situation.rules.unique:
        if name in (ACCOUNT_NAME, "userPrincipalName"):
            continue
        value = operation.attributes.get(name)
        for one in value if isinstance(value, list) else [value]:
            found = situation.look.values.get((name, str(one).casefold()), ()) if one else ()
            if any(seen.anchor != own and seen.kind is situation.rules.kind for seen in found):
                return AlreadyExists(f"another {operation.kind} has this value", name)
    return None


# ---------------------------------------------------------------- requests


def add(situation: Situation, operation: Operation, want: Wanted, fixed: Mapping[str, list[bytes]]) -> Chain[str]:
    """Creates an object under the first CN that is free; its CN.

    Raises:
        ConnectorError: It was refused.
    """
    rules = situation.rules
    container = operation.container or rules.default
    situation.require_container(container)
    taken = taken_value(situation, operation, None)
    if taken is not None:
        raise taken
    asked = want.cn or _default_cn(operation)
    held = {name: values for name, values in want.values.items() if values}
    attributes = {"objectClass": [rules.object_class], **held, **fixed}
    cn = situation.claims.claim(container, asked)
    for _ in range(3):  # two workers may find the same name free
        answer = yield Add(names.join("CN", cn, container), attributes)
        if answer.code == Code.SUCCESS:
            return cn
        if answer.code not in _UNIQUE_CODES:
            break
        error = yield from conflict(situation, want.values, None)
        if error is not None:
            raise error
        if answer.code != Code.ALREADY_EXISTS:
            break
        cn = yield from free_cn(situation.claims, container, asked)
    raise situation.failed(answer, operation, [*held], f"create the {operation.kind}")


def modify(situation: Situation, operation: Operation, seen: Seen, changes: Sequence[Change]) -> Chain[None]:
    """Changes attributes, all or none.

    Raises:
        ConnectorError: It was refused.
    """
    if not changes:
        return
    taken = taken_value(situation, operation, seen.anchor)
    if taken is not None:
        raise taken
    answer = yield from sent(seen, changes)
    if answer.code == Code.SUCCESS:
        return
    if answer.code in _UNIQUE_CODES:
        values = {change.attribute: change.values for change in changes}
        error = yield from conflict(situation, values, seen.anchor)
        if error is not None:
            raise error
    sent_names = ["password" if one.attribute == "unicodePwd" else one.attribute for one in changes]
    raise situation.failed(answer, operation, sent_names, f"change the {operation.kind}")


def sent(seen: Seen, changes: Sequence[Change]) -> Chain[Answer]:
    """The answer to a modify: by the name the object had a moment ago, since a GUID costs the server a search more."""
    answer = yield Modify(seen.dn, changes)
    if answer.code == Code.NO_SUCH_OBJECT:  # somebody moved it meanwhile
        answer = yield Modify(_where(seen), changes)
    return answer


def relocate(situation: Situation, operation: Operation, seen: Seen, cn: str | None) -> Chain[str | None]:
    """Renames and moves as one request, if either is needed; the new CN where it is another than asked.

    Raises:
        ConnectorError: It was refused.
    """
    here, now = names.parent(seen.dn), names.own_name(seen.dn)
    there = operation.container
    moving = there is not None and names.canonical(there) != names.canonical(here)
    if there is not None and moving:
        situation.require_container(there)
    if not moving and (cn is None or cn == now or is_namesake(cn, now)):
        return now if cn not in (None, now) else None
    asked = cn or now
    target = there if there is not None and moving else here
    name = situation.claims.claim(target, asked)
    for _ in range(3):
        rdn = f"CN={names.escape(name)}"
        answer = yield Move(seen.dn, rdn, target if moving else None)
        if answer.code == Code.NO_SUCH_OBJECT:  # somebody moved it meanwhile
            answer = yield Move(_where(seen), rdn, target)
        if answer.code == Code.SUCCESS:
            return name if name != asked else None
        if answer.code != Code.ALREADY_EXISTS:
            break
        name = yield from free_cn(situation.claims, target, asked)
    raise situation.failed(answer, operation, [CN], f"rename or move the {operation.kind}")


def delete(situation: Situation, operation: Operation, seen: Seen) -> Chain[ConnectorError | None]:
    """Deletes an object that has none below it; None where it is gone."""
    answer = yield Delete(_where(seen))
    if answer.code in (Code.SUCCESS, Code.NO_SUCH_OBJECT):
        return None
    if answer.code == Code.NOT_ON_NON_LEAF:
        return Rejected("there are objects below it (such as a telephone's): they are not deleted with it")
    return situation.failed(answer, operation, [], f"delete the {operation.kind}")


def named_after(operation: Operation, seen: Seen, want: Wanted) -> str | None:
    """The CN that an update asks for: the one it names, or the new account name where the CN was the former one."""
    name = operation.attributes.get(ACCOUNT_NAME)
    follows = isinstance(name, str) and names.own_name(seen.dn).casefold() == seen.name[:CN_LENGTH].casefold()
    return want.cn or (_default_cn(operation) if follows else None)


def done(operation: Operation, seen: Seen, want: Wanted, cn: str | None) -> Outcome:
    """The outcome of a change."""
    stored = {**want.stored, CN: cn} if cn is not None and want.cn is not None else want.stored
    return Outcome(operation.id, None, seen.anchor, stored, want.warning)


def _default_cn(operation: Operation) -> str:
    return str(operation.attributes[ACCOUNT_NAME])[:CN_LENGTH].rstrip()


def _where(seen: Seen) -> str:
    """By GUID: somebody may move it while we work."""
    return f"<GUID={seen.anchor}>"
