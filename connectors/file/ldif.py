"""LDIF (RFC 2849): the directory as entries, or what changed as change records.

The receiving server keeps referential integrity: when an account is renamed or deleted there, it corrects the groups
itself, as Active Directory does, and OpenLDAP with its refint overlay. Licences have no form here.
"""

from __future__ import annotations

import re
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence

from connectors.contract import Action, Kind, RemoteObject, Value
from connectors.directory import rows
from connectors.directory.batch import Effect
from connectors.file.options import FileOptions

ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*(;[A-Za-z0-9-]+)*", re.ASCII)
"""An attribute description with options (RFC 2849, AttributeDescription)."""

_LINE_BYTES = 76  # RFC 2849 section 2, note 2, leaves the length open; OpenLDAP folds here
_SAFE = re.compile(r"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )", re.ASCII)
_ROLE_ATTRIBUTES = {"owner": "owner"}  # every other role is membership to an LDAP server
_ESCAPED = re.compile(r'[,+"\\<>;=\x00]|^[ #]| $')


class Ldif:
    """`connectors.file.rendering.Rendering` in LDIF."""

    suffix = ".ldif"
    encoding = "utf-8"

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self._naming = {Kind.ACCOUNT: options.account_name, Kind.GROUP: options.group_name}
        self._classes = {Kind.ACCOUNT: options.account_classes, Kind.GROUP: options.group_classes}

    def names(self) -> Sequence[str]:
        """One file: accounts first, then the groups that refer to them."""
        return ("directory",)

    def snapshot(self, connection: sqlite3.Connection, _: str) -> Iterator[str]:
        """Every account and group as an entry."""
        yield "version: 1\n"
        for account in rows.live(connection, Kind.ACCOUNT):
            yield self._record(self.dn(account), self._entry(account))
        for group in rows.live(connection, Kind.GROUP):
            members = [
                (_ROLE_ATTRIBUTES.get(role, "member"), self.dn(account))
                for account, role in rows.members(connection, group.anchor)
            ]
            members += [("member", self.dn(inner)) for inner in rows.member_groups(connection, group.anchor)]
            yield self._record(self.dn(group), [*self._entry(group), *members])

    def changes(self, connection: sqlite3.Connection, effects: Iterable[Effect]) -> Iterator[str]:
        """A change record for each effect; two for an object that was both moved and changed."""
        yield "version: 1\n"
        for effect in effects:
            item = effect.after or effect.before
            if item and item.kind in (Kind.MEMBERSHIP, Kind.NESTING):
                yield self._membership(connection, item, effect.action)
            elif effect.before and effect.after:
                yield from self._modification(effect.before, effect.after)
            elif effect.after:
                yield self._record(self.dn(effect.after), [("changetype", "add"), *self._entry(effect.after)])
            elif effect.before:
                yield self._record(self.dn(effect.before), [("changetype", "delete")])

    def dn(self, item: RemoteObject) -> str:
        """The distinguished name: the naming attribute in its container (RFC 4514)."""
        return f"{self._rdn(item)},{item.container or self._options.base_dn}"

    def _rdn(self, item: RemoteObject) -> str:
        naming = self._naming[item.kind]
        value = str(item.attributes[naming])
        return f"{naming}={_ESCAPED.sub(_escape, value)}"

    def _entry(self, item: RemoteObject) -> list[tuple[str, Value]]:
        """An entry's lines, objectClass first; a list has a line for each value."""
        lines: list[tuple[str, Value]] = [("objectClass", name) for name in self._classes[item.kind]]
        for name, value in sorted(self._attributes(item).items()):
            lines += [(name, each) for each in _each(value)]
        return lines

    def _attributes(self, item: RemoteObject) -> dict[str, Value]:
        enabled = {} if item.enabled is None else {self._options.enabled_attribute: item.enabled}
        return {**item.attributes, **enabled}

    def _modification(self, before: RemoteObject, after: RemoteObject) -> Iterator[str]:
        if self.dn(before) != self.dn(after):
            superior = [] if before.container == after.container else [("newsuperior", after.container)]
            yield self._record(
                self.dn(before),
                [("changetype", "modrdn"), ("newrdn", self._rdn(after)), ("deleteoldrdn", 1), *superior],
            )
        old, new = self._attributes(before), self._attributes(after)
        changed = sorted(name for name in {*old, *new} - {self._naming[after.kind]} if old.get(name) != new.get(name))
        if changed:
            lines: list[tuple[str, Value]] = [("changetype", "modify")]
            for name in changed:
                lines += [("replace", name), *((name, each) for each in _each(new.get(name))), ("-", None)]
            yield self._record(self.dn(after), lines)

    def _membership(self, connection: sqlite3.Connection, item: RemoteObject, action: Action) -> str:
        group, member = (rows.one(connection, anchor or "") for anchor in (item.group, item.account or item.member))
        if not (group and member):
            return ""  # one of the two was deleted in the same batch, and the membership with it
        name = _ROLE_ATTRIBUTES.get(item.role, "member")
        verb = "add" if action is Action.CREATE else "delete"
        lines = [("changetype", "modify"), (verb, name), (name, self.dn(member)), ("-", None)]
        return self._record(self.dn(group), lines)

    def _record(self, dn: str, lines: Iterable[tuple[str, Value]]) -> str:
        return "\n" + "".join(_line(name, value) for name, value in [("dn", dn), *lines])


def _each(value: Value) -> Iterable[Value]:
    if value is None or value == "":
        return ()  # LDAP knows no empty values
    return value if isinstance(value, list) else (value,)


def _line(name: str, value: Value) -> str:
    if value is None:
        return f"{name}\n"
    text = str(value).upper() if isinstance(value, bool) else str(value)
    if _SAFE.fullmatch(text):
        return _fold(f"{name}: {text}")
    return _fold(f"{name}:: {b64encode(text.encode()).decode()}")


def _fold(line: str) -> str:
    """The line in pieces of at most 76 characters, each but the first begun by a space."""
    pieces = [line[:_LINE_BYTES]]
    pieces += [f" {line[at : at + _LINE_BYTES - 1]}" for at in range(_LINE_BYTES, len(line), _LINE_BYTES - 1)]
    return "\n".join(pieces) + "\n"


def _escape(match: re.Match[str]) -> str:
    return "\\00" if match[0] == "\0" else f"\\{match[0]}"
