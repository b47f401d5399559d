"""Accounts and groups, read fully or as far as they changed, and found by what they hold."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from ldap3.utils.conv import escape_bytes, escape_filter_chars

from connectors.active_directory import names
from connectors.active_directory.ber import Entry
from connectors.active_directory.changes import Changes
from connectors.active_directory.connection import Session
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.pipeline import Pipeline
from connectors.active_directory.protection import ATTRIBUTES as GUARDED
from connectors.active_directory.protection import Guard, read_guard
from connectors.active_directory.schema import Attribute, Syntax, refusal
from connectors.active_directory.searching import Control
from connectors.active_directory.settings import Rules, owner_of, rules_of
from connectors.active_directory.values import DISABLED, anchor_of, decode, encode, group_words
from connectors.contract import Kind, RemoteObject, ResumeToken, Value
from connectors.errors import AuthenticationFailed, NotFound, Rejected, Stale

FILTERS = {
    Kind.ACCOUNT: "(sAMAccountType=805306368)",  # people; machines and trusts have numbers of their own ([MS-SAMR])
    Kind.GROUP: "(objectCategory=group)",
}
_DELETED = {
    Kind.ACCOUNT: "(&(objectClass=user)(!(objectClass=computer)))",  # sAMAccountType goes when an object is deleted
    Kind.GROUP: "(objectClass=group)",
}
_UNIT = "(objectClass=organizationalUnit)"
_NAMED = ("objectGUID", "sAMAccountName")
_MADE_OF_GROUP_TYPE = (Syntax.SCOPE, Syntax.CATEGORY)
_FATE = ("name", "isDeleted", "whenCreated")
_POINTS_BACK = {"manager": "directReports", "managedBy": "managedObjects"}
_PASSWORD_USE = ("pwdLastSet", "lastLogon", "lastLogonTimestamp")
_AT_ONCE = 100  # objects asked for by their GUIDs in one search


@dataclass(frozen=True)
class Scope:
    """Where objects of one kind are read; empty containers mean the whole domain.

    Attributes:
        containers: DNs; none is within another.
        base_dn: Of the domain.
    """

    containers: tuple[str, ...]
    base_dn: str

    @classmethod
    def of(cls, containers: Sequence[str], base_dn: str) -> Scope:
        """The scope of these containers, each of which may be within another."""
        distinct = {names.canonical(one): one for one in containers}
        outermost = [
            one
            for key, one in distinct.items()
            if not any(key != other and key.endswith(f",{other}") for other in distinct)
        ]
        return cls(tuple(outermost) or (base_dn,), base_dn)

    def holds(self, dn: str) -> bool:
        """Whether an object of that DN is read."""
        return any(names.is_within(dn, container) for container in self.containers)


class Reader:
    """Reads accounts and groups of one domain."""

    def __init__(self, session: Session, options: ActiveDirectoryOptions) -> None:
        self.session = session
        self._options = options

    def rules(self, kind: Kind) -> Rules:
        """What holds for accounts or for groups."""
        return rules_of(self._options, self.session.domain.base_dn)[kind]

    def scope(self, kind: Kind) -> Scope:
        """Where accounts or groups are read."""
        containers = {Kind.ACCOUNT: self._options.account_containers, Kind.GROUP: self._options.group_containers}
        return Scope.of(containers[kind], self.session.domain.base_dn)

    def read(
        self, kind: Kind, since: ResumeToken | None, attributes: Collection[str] | None
    ) -> Iterator[RemoteObject | ResumeToken]:
        """As the contract's `read`, for accounts and groups.

        Raises:
            Stale: The token is another domain controller's, or organisational units were renamed or moved since.
            ConnectorError: As the contract says.
        """
        wanted = self._wanted(kind, attributes)
        telling = self.telling(kind, wanted)
        changes = Changes(self.session, f"{kind} {self.scope(kind).containers}")
        if since is None:
            token = changes.token()
            for container in self.scope(kind).containers:
                yield from map(telling.object, self.entries(kind, container, telling.attributes))
        else:
            token = yield from self._changed(kind, changes, since, telling)
        if token is not None:
            yield token

    def entries(
        self,
        kind: Kind,
        container: str,
        attributes: Sequence[str],
        filter_: str = "",
        controls: Sequence[Control] = (),
    ) -> Iterator[Entry]:
        """Every object of one kind in a container and below, page by page.

        Raises:
            AuthenticationFailed: The container is not there, which looks like one that we may not see: silence would
                be taken for "there is nobody".
        """
        whole = f"(&{FILTERS[kind]}{filter_})" if filter_ else FILTERS[kind]
        try:
            yield from self.session.pages(container, whole, attributes, controls)
        except NotFound as error:
            raise AuthenticationFailed(f"{container} is not there, or we may not read it") from error

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> list[RemoteObject]:
        """As the contract's `find`, for accounts and groups."""
        rules = self.rules(kind)
        for name in attributes:
            if (refused := refusal(name, rules.attributes)) is not None:
                raise refused
        self.require_known(attributes)
        filter_ = "".join(self._test(rules.attributes[name], value) for name, value in attributes.items())
        telling = self._telling(kind, self._wanted(kind, None))
        found = [
            entry
            for container in self.scope(kind).containers
            for entry in self.entries(kind, container, telling.attributes, filter_)
        ]
        named = replace(telling, pointed_at=self._names_in(found, telling.pointing))
        objects = map(named.object, found)
        return [one for one in objects if _fits(one.attributes, attributes)]

    def by_anchors(self, anchors: Collection[UUID], attributes: Sequence[str]) -> Iterator[Entry]:
        """Those of many objects that are in the domain and not deleted, by objectGUID."""
        ordered = sorted(anchors)
        for start in range(0, len(ordered), _AT_ONCE):
            tests = "".join(f"(objectGUID={escape_bytes(one.bytes_le)})" for one in ordered[start : start + _AT_ONCE])
            yield from self.session.pages(self.session.domain.base_dn, f"(|{tests})", attributes)

    def require_known(self, attributes: Collection[str]) -> None:
        """Makes sure that the domain's schema has these attributes: a search for others finds nothing, in silence.

        Raises:
            Rejected: Names one that it has not.
        """
        for name in self.unknown(attributes):
            raise Rejected("the domain's schema has no such attribute", name)

    def lacks(self, kind: Kind, attributes: Collection[str]) -> list[str]:
        """Those of some attributes of accounts or groups that the domain's schema has not, in their order."""
        table = self.rules(kind).attributes
        return self.unknown(
            [name for name in attributes if name in table and table[name].syntax not in _MADE_OF_GROUP_TYPE]
        )

    def unknown(self, attributes: Collection[str]) -> list[str]:
        """Those of some attributes that the domain's schema has not, in their order."""
        if not attributes:
            return []
        tests = "".join(f"(lDAPDisplayName={escape_filter_chars(name)})" for name in attributes)
        schema = self.session.domain.schema_dn
        found = {
            entry.attributes["lDAPDisplayName"][0].decode().casefold()
            for entry in self.session.pages(schema, f"(|{tests})", ["lDAPDisplayName"])
        }
        return [name for name in attributes if name.casefold() not in found]

    def _changed(
        self, kind: Kind, changes: Changes, since: ResumeToken, telling: Telling
    ) -> Generator[RemoteObject, None, ResumeToken]:
        """Yields what changed; returns the next token."""
        moved: dict[UUID, bool] = {}
        delta, token = changes.since(since, f"(|{_DELETED[kind]}{_UNIT})", [*telling.attributes, *_FATE])
        for entry in delta:
            guid = UUID(bytes_le=entry.attributes["objectGUID"][0])
            if "isDeleted" in entry.attributes:
                moved.pop(guid, None)
                yield RemoteObject(kind, str(guid), deleted=True)
            else:
                moved[guid] = is_moved(entry) or moved.get(guid, False)
        scope = self.scope(kind)
        for entry in self.by_anchors(moved, [*telling.attributes, "objectClass"]):
            guid = UUID(bytes_le=entry.attributes["objectGUID"][0])
            if b"organizationalUnit" in entry.attributes["objectClass"]:
                if moved[guid]:
                    raise Stale("an organisational unit was renamed or moved: everything in it is elsewhere now")
            elif scope.holds(entry.dn):
                yield telling.object(entry)
            elif moved[guid]:  # perhaps out of our sight
                yield RemoteObject(kind, str(guid), deleted=True)
        return token

    def _wanted(self, kind: Kind, attributes: Collection[str] | None) -> list[Attribute]:
        known = self.rules(kind).attributes
        return list(known.values()) if attributes is None else [known[name] for name in attributes if name in known]

    def telling(self, kind: Kind, wanted: Sequence[Attribute]) -> Telling:
        """How objects of one kind are told of, with these attributes; looks up what they are told by.

        Raises:
            ConnectorError: As `Session.connection`.
        """
        telling = self._telling(kind, wanted)
        return replace(telling, pointed_at=self._names_pointed_at(telling.pointing))

    def _telling(self, kind: Kind, wanted: Sequence[Attribute]) -> Telling:
        """The same; whom objects point at is told by DN."""
        rules = self.rules(kind)
        with self.session.translated():
            guard = read_guard(Pipeline(self.session.connection), self.session.domain, self._options.user)
        named = rules.attributes["sAMAccountName"]
        every = {attribute.name: attribute for attribute in (named, *wanted)}
        return Telling(kind, every, rules.mark, guard)

    def _names_pointed_at(self, attributes: Sequence[str]) -> dict[str, str]:
        """Name of each account that one of these attributes points at, by canonical DN."""
        tests = "".join(f"({_POINTS_BACK[name]}=*)" for name in attributes if name in _POINTS_BACK)
        return self._names_found(tests)

    def _names_in(self, entries: Sequence[Entry], attributes: Sequence[str]) -> dict[str, str]:
        """Likewise, of those that some objects point at: of few objects, quicker than to look at all accounts."""
        dns = sorted({one for entry in entries for name in attributes for one in entry.attributes.get(name, ())})
        found: dict[str, str] = {}
        for start in range(0, len(dns), _AT_ONCE):
            tests = (f"(distinguishedName={escape_filter_chars(dn.decode())})" for dn in dns[start : start + _AT_ONCE])
            found |= self._names_found("".join(tests))
        return found

    def _names_found(self, tests: str) -> dict[str, str]:
        """Name of each account that one of the tests fits, by canonical DN; none without tests."""
        if not tests:
            return {}
        pages = self.session.pages(self.session.domain.base_dn, f"(|{tests})", ["sAMAccountName"])
        return {
            names.canonical(entry.dn): entry.attributes["sAMAccountName"][0].decode()
            for entry in pages
            if "sAMAccountName" in entry.attributes
        }

    def _test(self, attribute: Attribute, value: Value) -> str:
        """A part of a filter; what comes back is looked at again, since a domain takes å and a for the same."""
        if value in (None, "", []):
            return f"(!({attribute.name}=*))"
        if attribute.syntax in _MADE_OF_GROUP_TYPE:
            raise Rejected("cannot be searched for", attribute.name)
        if attribute.syntax is Syntax.ACCOUNT:
            return f"({attribute.name}={escape_filter_chars(self._dn_of(str(value)))})"
        raw = encode(attribute, value)
        return "".join(f"({attribute.name}={escape_filter_chars(one.decode())})" for one in raw)

    def _dn_of(self, name: str) -> str:
        """The DN of the account of that name; a DN that there is not where there is none."""
        filter_ = f"(sAMAccountName={escape_filter_chars(name)})"
        found = self.session.pages(self.session.domain.base_dn, filter_, ["sAMAccountName"])
        return next((entry.dn for entry in found), self.session.domain.schema_dn)


@dataclass(frozen=True)
class Telling:
    """Makes of what a domain controller answers what the contract asks for.

    Attributes:
        kind: Of the objects.
        wanted: Attributes to tell of, by name; with the one that names an object.
        mark: The attribute that says whose an object is.
        guard: What is protected.
        pointed_at: Names of accounts that others point at, by canonical DN.
    """

    kind: Kind
    wanted: Mapping[str, Attribute]
    mark: str
    guard: Guard
    pointed_at: Mapping[str, str] = field(default_factory=dict)

    @property
    def pointing(self) -> list[str]:
        """Attributes that point at accounts."""
        return [one.name for one in self.wanted.values() if one.syntax is Syntax.ACCOUNT]

    @property
    def attributes(self) -> list[str]:
        """What to ask for."""
        used = _PASSWORD_USE if self.kind is Kind.ACCOUNT else ()
        plain = [name for name, one in self.wanted.items() if one.syntax not in _MADE_OF_GROUP_TYPE]
        made = ["groupType"] if len(plain) < len(self.wanted) else []
        return list(dict.fromkeys((*_NAMED, *plain, *made, *GUARDED, *used, self.mark)))

    def object(self, entry: Entry) -> RemoteObject:
        """An object as the contract has it.

        Raises:
            AuthenticationFailed: We may not read whether an account is enabled.
            Rejected: An attribute of the settings holds what its type cannot.
        """
        raw = entry.attributes
        if self.kind is Kind.ACCOUNT and "userAccountControl" not in raw:
            where = names.parent(entry.dn)
            raise AuthenticationFailed(f"the right to read userAccountControl of accounts in {where} is missing")
        mark = raw.get(self.mark)
        return RemoteObject(
            self.kind,
            anchor_of(raw["objectGUID"][0]),
            self._values(raw),
            container=names.parent(entry.dn),
            enabled=not int(raw["userAccountControl"][0]) & DISABLED if self.kind is Kind.ACCOUNT else None,
            owner=owner_of(mark[0].decode() if mark else None),
            protected=self.guard.reason(entry) is not None,
            password_used=_is_password_used(raw),
        )

    def _values(self, raw: Mapping[str, Sequence[bytes]]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        made = group_words(int(raw["groupType"][0])) if "groupType" in raw else {}
        for name, attribute in self.wanted.items():
            value = made[name] if name in made else _decoded(attribute, raw.get(name, ()))
            if value is not None:
                values[name] = self._name_of(value) if attribute.syntax is Syntax.ACCOUNT else value
        return values

    def _name_of(self, dn: Value) -> Value:
        return self.pointed_at.get(names.canonical(str(dn)), dn)


def _decoded(attribute: Attribute, raw: Sequence[bytes]) -> Value:
    try:
        return decode(attribute, raw)
    except ValueError as error:  # a picture as text, a text as number
        raise Rejected(
            f"holds what is no {attribute.type}: its type in the settings is another's", attribute.name
        ) from error


def _is_password_used(raw: Mapping[str, Sequence[bytes]]) -> bool:
    """Whether somebody signed in after the password was set; never, as long as it has to be changed first.

    Each domain controller has a lastLogon of its own; lastLogonTimestamp is everybody's, up to 14 days late ([MS-ADA1]
    2.351, 2.352).
    """
    given, *used = (int(raw[name][0]) if raw.get(name) else 0 for name in _PASSWORD_USE)
    return 0 < given < max(used)


def is_moved(entry: Entry) -> bool:
    """Whether a change tells of an object that was there before and now has another name or is elsewhere."""
    return "name" in entry.attributes and "whenCreated" not in entry.attributes


def _fits(held: Mapping[str, Value], asked: Mapping[str, Value]) -> bool:
    return all(_folded(held.get(name)) == _folded(value) for name, value in asked.items())


def _folded(value: Value) -> object:
    if isinstance(value, list):
        return sorted(one.casefold() for one in value) or None
    return value.casefold() or None if isinstance(value, str) else value
