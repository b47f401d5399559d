"""Who and what is in which group: links, and accounts whose primary group it is, who are not listed in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from connectors.active_directory.ber import Entry
from connectors.active_directory.changes import EXTENDED_NAMES, Changes
from connectors.active_directory.reading import Reader, is_moved
from connectors.active_directory.values import by_guid
from connectors.contract import Kind, RemoteObject, ResumeToken
from connectors.errors import Stale

_GROUP_OR_PERSON = "(|(objectClass=group)(&(objectClass=user)(!(objectClass=computer))))"
_RANGE = re.compile(r"member;range=(\d+)-(\d+|\*)", re.IGNORECASE)
_CAME, _WENT = "member;range=1-1", "member;range=0-0"  # [MS-ADTS] 3.1.1.3.4.1.3: incremental values of DirSync
_EXTENDED = len("<GUID=")
_HEX_DIGITS = 32


@dataclass(frozen=True)
class _Ends:
    """What can be at either end of a link.

    Attributes:
        primary: Primary group of each account, as its RID, by objectGUID.
        groups: objectGUID of each group, by RID.
    """

    primary: dict[UUID, int]
    groups: dict[int, UUID]


class Links:
    """Memberships and nestings of one domain."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._session = reader.session

    def read(self, kind: Kind, since: ResumeToken | None) -> Iterator[RemoteObject | ResumeToken]:
        """As the contract's `read`, for memberships and nestings.

        Raises:
            Stale: The token is no good, or what was in groups was deleted or left what is read: a domain does not
                tell which groups it was in.
            ConnectorError: As the contract says.
        """
        scopes = [self._reader.scope(each).containers for each in (Kind.ACCOUNT, Kind.GROUP)]
        changes = Changes(self._session, f"{kind} {scopes}")
        token = changes.token() if since is None else None
        if since is not None:
            delta, token = changes.since(since, _GROUP_OR_PERSON, _ASKED)
            yield from self._changed(kind, delta)
        else:
            yield from self._all(kind)
        if token is not None:
            yield token

    def _all(self, kind: Kind) -> Iterator[RemoteObject]:
        ends = self._ends(kind)
        known = set(ends.primary) if kind is Kind.MEMBERSHIP else set(ends.groups.values())
        for container in self._reader.scope(Kind.GROUP).containers:
            for entry in self._reader.entries(Kind.GROUP, container, ("objectGUID", "member"), "(member=*)", _NAMES):
                group = UUID(bytes_le=entry.attributes["objectGUID"][0])
                for member in known.intersection(self._members(entry)):
                    yield _link(kind, group, member)
        for account, rid in ends.primary.items():
            if (primary := ends.groups.get(rid)) is not None and kind is Kind.MEMBERSHIP:
                yield _link(kind, primary, account)

    def _ends(self, kind: Kind) -> _Ends:
        """Groups that are read, and accounts too where memberships are asked for."""
        groups = {
            _rid(entry): UUID(bytes_le=entry.attributes["objectGUID"][0])
            for container in self._reader.scope(Kind.GROUP).containers
            for entry in self._reader.entries(Kind.GROUP, container, ("objectGUID", "objectSid"))
        }
        if kind is Kind.NESTING:
            return _Ends({}, groups)
        accounts = {
            UUID(bytes_le=entry.attributes["objectGUID"][0]): int(entry.attributes.get("primaryGroupID", [b"0"])[0])
            for container in self._reader.scope(Kind.ACCOUNT).containers
            for entry in self._reader.entries(Kind.ACCOUNT, container, ("objectGUID", "primaryGroupID"))
        }
        return _Ends(accounts, groups)

    def _members(self, entry: Entry) -> Iterator[UUID]:
        """All members of a group, of which a domain controller tells 1500 at a time."""
        yield from map(_guid, entry.attributes.get("member", ()))
        found = _ranged(entry)
        while found is not None:
            values, last = found
            yield from map(_guid, values)
            if last is None:
                return
            anchor = UUID(bytes_le=entry.attributes["objectGUID"][0])
            wanted = [f"member;range={last + 1}-*"]
            found = _ranged(self._session.entry(by_guid(anchor), wanted, [EXTENDED_NAMES]))

    def _changed(self, kind: Kind, delta: Sequence[Entry]) -> Iterator[RemoteObject]:
        """What became of links; the last word on each."""
        links: dict[tuple[UUID, UUID], bool] = {}
        primary_changed: set[UUID] = set()
        touched: set[UUID] = set()
        for entry in delta:
            guid = UUID(bytes_le=entry.attributes["objectGUID"][0])
            self._require_told(entry)
            if "primaryGroupID" in entry.attributes:
                primary_changed.add(guid)
            for name, stands in ((_WENT, False), (_CAME, True)):
                for member in map(_guid, entry.attributes.get(name, ())):
                    links[guid, member] = stands
                    touched.update((guid, member))
        yield from self._told(kind, links, primary_changed, touched | primary_changed)

    def _told(
        self, kind: Kind, links: dict[tuple[UUID, UUID], bool], primary_changed: set[UUID], touched: Iterable[UUID]
    ) -> Iterator[RemoteObject]:
        asked = ("objectGUID", "objectSid", "primaryGroupID", "objectClass")
        entries = {
            UUID(bytes_le=one.attributes["objectGUID"][0]): one for one in self._reader.by_anchors(set(touched), asked)
        }
        groups = {guid for guid, entry in entries.items() if self._is(Kind.GROUP, entry)}
        accounts = {guid: entry for guid, entry in entries.items() if self._is(Kind.ACCOUNT, entry)}
        members = groups if kind is Kind.NESTING else accounts.keys()
        by_rid = self._ends(Kind.NESTING).groups if kind is Kind.MEMBERSHIP and accounts else {}
        primary = {
            (by_rid[rid], guid)
            for guid, entry in accounts.items()
            if (rid := int(entry.attributes.get("primaryGroupID", [b"0"])[0])) in by_rid
        }
        for (group, member), stands in links.items():
            if group in groups and member in members and (group, member) not in primary:
                yield _link(kind, group, member, deleted=not stands)
        if kind is Kind.MEMBERSHIP:
            for group, account in primary:
                if account in primary_changed or (group, account) in links:
                    yield _link(kind, group, account)

    def _require_told(self, entry: Entry) -> None:
        """Refuses changes that take links along without telling of them.

        Raises:
            Stale: An account or a group that is read was deleted, or was renamed or moved where containers are set.
        """
        everywhere = all(
            self._reader.scope(kind).containers == (self._session.domain.base_dn,)
            for kind in (Kind.ACCOUNT, Kind.GROUP)
        )
        if "isDeleted" in entry.attributes:
            last = entry.attributes.get("lastKnownParent")
            where = _plain_dn(last[0].decode()) if last else self._session.domain.base_dn
            if last is None or any(self._reader.scope(kind).holds(where) for kind in (Kind.ACCOUNT, Kind.GROUP)):
                raise Stale("an account or a group was deleted: a domain does not tell which groups it was in")
        elif is_moved(entry) and not everywhere:
            raise Stale("an account or a group was moved, perhaps into or out of the containers that are read")

    def _is(self, kind: Kind, entry: Entry) -> bool:
        classes = entry.attributes["objectClass"]
        fits = b"group" in classes if kind is Kind.GROUP else b"user" in classes and b"computer" not in classes
        return fits and self._reader.scope(kind).holds(entry.dn)


_ASKED = ("member", "primaryGroupID", "name", "isDeleted", "whenCreated", "lastKnownParent")
_NAMES = (EXTENDED_NAMES,)


def _ranged(entry: Entry) -> tuple[Sequence[bytes], int | None] | None:
    """The values of a part of the members and the number of the last, None if these are the last; None if no part."""
    for name, values in entry.attributes.items():
        if (found := _RANGE.fullmatch(name)) is not None:
            return values, None if found[2] == "*" else int(found[2])
    return None


def _guid(extended: bytes) -> UUID:
    """Whom an extended DN names."""
    return UUID(bytes_le=bytes.fromhex(extended[_EXTENDED : _EXTENDED + _HEX_DIGITS].decode()))


def _plain_dn(extended: str) -> str:
    """An extended DN without what it was extended by."""
    return extended.rpartition(">;")[2]


def _rid(entry: Entry) -> int:
    """The last number of an object's SID, unique in its domain."""
    return int.from_bytes(entry.attributes["objectSid"][0][-4:], "little")


def _link(kind: Kind, group: UUID, member: UUID, *, deleted: bool = False) -> RemoteObject:
    anchors = (str(group), str(member))
    if kind is Kind.NESTING:
        return RemoteObject(kind, "/".join(anchors), group=anchors[0], member=anchors[1], deleted=deleted)
    return RemoteObject(kind, "/".join(anchors), group=anchors[0], account=anchors[1], deleted=deleted)
