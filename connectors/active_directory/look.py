"""What some operations are about, looked at in as few searches as can be before any of them is carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.active_directory import names, protection
from connectors.active_directory.ber import Entry, Search, any_of, equals
from connectors.active_directory.pipeline import Chain, entries_of
from connectors.active_directory.protection import Guard
from connectors.active_directory.schema import ACCOUNT_NAME, Syntax
from connectors.active_directory.settings import Rules, mark_of
from connectors.active_directory.values import DISABLED, anchor_of, guid
from connectors.contract import Action, Kind, Operation, Value

# [MS-SAMR] 2.2.1.9: people, and groups of security and of distribution, global or universal, and domain-local. What
# is left are machines and trusts.
_KINDS = {
    0x30000000: Kind.ACCOUNT,
    0x10000000: Kind.GROUP,
    0x10000001: Kind.GROUP,
    0x20000000: Kind.GROUP,
    0x20000001: Kind.GROUP,
}
_FILTERS = 50  # a server compares each object with every filter: more make a search dearer than two
_DOING = "look at what is to be changed"


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was before it was changed.

    Attributes:
        anchor: Of it.
        dn: Where it is, as the server writes it.
        kind: ACCOUNT, GROUP, or None for what is neither.
        name: Its sAMAccountName.
        control: userAccountControl, 0 where there is none.
        group_type: groupType, 0 where there is none.
        mark: Whose it is, or which operation made it; None where it was not made here.
        display_name: Its displayName, or "".
        locked: Whether it was locked after too many wrong passwords.
        protected: Why it may not be changed, or None.
        passwordless: Whether it is a disabled account that may never have had a password.
    """

    anchor: str
    dn: str
    kind: Kind | None
    name: str
    control: int
    group_type: int
    mark: str | None
    display_name: str
    locked: bool
    protected: str | None
    passwordless: bool = False


@dataclass(frozen=True)
class Look:
    """What there is of what some operations name.

    Attributes:
        anchors: Objects by their anchors.
        marks: Accounts by the mark that they bear; more than one where an administrator copied one.
        names: Objects by sAMAccountName, case-folded.
        values: Objects by a unique attribute and its value, case-folded.
    """

    anchors: Mapping[str, Seen]
    marks: Mapping[str, Sequence[Seen]]
    names: Mapping[str, Seen]
    values: Mapping[tuple[str, str], Sequence[Seen]]

    def live(self, kind: Kind, anchor: str | None) -> Seen | None:
        """The object of a kind with this anchor."""
        found = guid(anchor)
        seen = self.anchors.get(str(found)) if found else None
        return seen if seen is not None and seen.kind is kind else None

    def reference(self, value: str) -> Seen | None:
        """The object that is meant by an anchor, an account's name, what it signs in with, or whose it is."""
        found, folded = guid(value), value.casefold()
        known = self.anchors.get(str(found)) or self.names.get(folded)
        known = known or next(iter(self.values.get(("userPrincipalName", folded), ())), None)
        owned = self.marks.get(value, ())
        return known or (owned[0] if len(owned) == 1 else None)


@dataclass
class Survey:
    """Collects what is to be looked at, and looks.

    Attributes:
        rules: By kind.
        guard: What is protected.
    """

    rules: Mapping[Kind, Rules]
    guard: Guard
    _filters: dict[bytes, None] = field(default_factory=dict)
    _principals: list[str] = field(default_factory=list)

    def add(self, operation: Operation) -> None:
        """Notes what has to be known for one operation."""
        for anchor in self._anchors(operation):
            found = guid(anchor)
            if found:
                self._want("objectGUID", found.bytes_le)
        rules = self.rules.get(operation.kind)
        if rules is None:
            return
        if operation.action is Action.CREATE:
            self._want_made(operation, rules)
        for name, value in operation.attributes.items():
            self._want_attribute(rules, name, value)

    def look(self, base_dn: str) -> Chain[Look]:
        """Looks; nothing where there is nothing to look at.

        Raises:
            Unavailable, AuthenticationFailed: The domain cannot be read.
        """
        for principal in self._principals:
            self._want(ACCOUNT_NAME, names.signs_in_as(principal, base_dn))
        filters, entries = list(self._filters), list[Entry]()
        for start in range(0, len(filters), _FILTERS):
            answer = yield Search(base_dn, any_of(filters[start : start + _FILTERS]), self._attributes())
            entries += entries_of(answer, _DOING)
        return self._look(entries)

    def _anchors(self, operation: Operation) -> Iterator[str | None]:
        """Members are looked at only where something is wrong with them: there are many."""
        yield operation.anchor
        yield operation.member

    def _want_made(self, operation: Operation, rules: Rules) -> None:
        if rules.kind is Kind.ACCOUNT:
            self._want(rules.mark, mark_of(operation))
        else:  # a group's mark need not be indexed: its name is
            for name in (operation.attributes.get(ACCOUNT_NAME), *operation.earlier_names):
                self._want(ACCOUNT_NAME, name)

    def _want_attribute(self, rules: Rules, name: str, value: Value) -> None:
        attribute = rules.attributes.get(name)
        if attribute is None:
            return
        if attribute.syntax is Syntax.ACCOUNT and isinstance(value, str):
            found = guid(value)
            if found:
                self._want("objectGUID", found.bytes_le)
            for meant_by in (ACCOUNT_NAME, "userPrincipalName", self.rules[Kind.ACCOUNT].mark):
                self._want(meant_by, value)
        if name == "userPrincipalName" and isinstance(value, str):
            self._principals.append(value)
        if name in self._searched(rules):
            for one in value if isinstance(value, list) else [value]:
                self._want(name, one)

    def _searched(self, rules: Rules) -> tuple[str, ...]:
        """Unique attributes that the domain does not itself keep unique."""
        return tuple(name for name in rules.unique if name not in (ACCOUNT_NAME, "userPrincipalName"))

    def _want(self, attribute: str, value: object) -> None:
        if isinstance(value, bytes) or (isinstance(value, str) and value and _is_text(value)):
            self._filters[equals(attribute, value)] = None

    def _attributes(self) -> list[str]:
        own = ("objectGUID", "sAMAccountType", "groupType", "displayName", "lockoutTime", "pwdLastSet")
        marks = (rules.mark for rules in self.rules.values())
        unique = (name for rules in self.rules.values() for name in rules.unique)
        return list(dict.fromkeys((*own, *protection.ATTRIBUTES, *marks, *unique)))

    def _look(self, entries: Iterable[Entry]) -> Look:
        anchors: dict[str, Seen] = {}
        marks: dict[str, list[Seen]] = {}
        names: dict[str, Seen] = {}
        values: dict[tuple[str, str], list[Seen]] = {}
        for entry in entries:
            seen = self._seen(entry)
            if seen.anchor in anchors:  # it fits filters of two searches
                continue
            anchors[seen.anchor] = seen
            if seen.name:
                names[seen.name.casefold()] = seen
            if seen.mark is not None and seen.kind is Kind.ACCOUNT:
                marks.setdefault(seen.mark, []).append(seen)
            for name in dict.fromkeys(("userPrincipalName", *self.rules[Kind.ACCOUNT].unique)):
                for value in entry.attributes.get(name, ()):
                    values.setdefault((name, value.decode(errors="replace").casefold()), []).append(seen)
        return Look(anchors, marks, names, values)

    def _seen(self, entry: Entry) -> Seen:
        kind = _KINDS.get(int(entry.text("sAMAccountType") or 0))
        rules = self.rules.get(kind) if kind else None
        return Seen(
            anchor=anchor_of(entry.attributes["objectGUID"][0]),
            dn=entry.dn,
            kind=kind,
            name=entry.text(ACCOUNT_NAME),
            control=int(entry.text("userAccountControl") or 0),
            group_type=int(entry.text("groupType") or 0),
            mark=(entry.text(rules.mark) or None) if rules else None,
            display_name=entry.text("displayName"),
            locked=int(entry.text("lockoutTime") or 0) > 0,
            protected=self.guard.reason(entry) or _hidden(entry, kind),
            passwordless=_is_passwordless(entry),
        )


def _is_passwordless(entry: Entry) -> bool:
    """Whether an account is as the first of the two requests that make one leaves it."""
    return bool(int(entry.text("userAccountControl") or 0) & DISABLED) and entry.text("pwdLastSet") == "0"


def _hidden(entry: Entry, kind: Kind | None) -> str | None:
    """Why an account is left alone of which nobody can tell whether it is enabled."""
    hidden = kind is Kind.ACCOUNT and "userAccountControl" not in entry.attributes
    return "we may not read its userAccountControl" if hidden else None


def _is_text(value: str) -> bool:
    """Whether the value has a form in UTF-8; half a surrogate pair has none, and no object has it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
