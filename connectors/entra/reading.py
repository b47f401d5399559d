"""What a tenant holds: all of it, or what changed since a token.

A full read takes the token first and then the lists, so that what changes meanwhile comes with the next incremental
read; lists never tell an object twice, as the first round of a delta may.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import Kind, RemoteObject, ResumeToken, Value
from connectors.entra import searching
from connectors.entra.accounts import BIN, owner_of
from connectors.entra.batching import Request
from connectors.entra.connection import Connection
from connectors.entra.licences import SKUS, Product, held_by, products_of
from connectors.entra.members import OWNER
from connectors.entra.protection import Administrators
from connectors.entra.refusals import as_a_whole, refusal
from connectors.entra.schema import GROUP_TABLE, GROUP_TYPE, MANAGER, TEAM, TEMPLATE, Table
from connectors.entra.teams import SHAPE, is_team, template_of, type_of
from connectors.errors import Rejected, Stale

_PAGE = "$top=999"
_GROUPS_AT_ONCE = 160
"""Groups whose first pages are held at the same time: eight batches, and 160 000 members at the most.

Measured: 72 MB where all of those pages are full; 3 MB for a single group of 100 000, held page by page.
"""
_PATHS = {
    Kind.ACCOUNT: "/users",
    Kind.GROUP: "/groups",
    Kind.MEMBERSHIP: "/groups",
    Kind.NESTING: "/groups",
    Kind.LICENCE: "/users",
}
_TYPES = {Kind.MEMBERSHIP: "#microsoft.graph.user", Kind.NESTING: "#microsoft.graph.group"}
_WITH_MANAGER = "$expand=manager($select=id)"
_GROUP_EXTRA = f",isAssignableToRole,securityEnabled,{SHAPE}"
Item = RemoteObject | ResumeToken


class Reader:
    """Reads one tenant."""

    def __init__(self, connection: Connection, table: Table) -> None:
        """`table` says what accounts have."""
        self._connection = connection
        self._tables = {Kind.ACCOUNT: table, Kind.GROUP: GROUP_TABLE}
        self._administrators = Administrators(connection)

    def products(self) -> dict[str, Product]:
        """What the tenant has bought, by folded part number.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        return products_of(self._connection.get(SKUS))

    def read(self, kind: Kind, since: ResumeToken | None, attributes: Collection[str] | None) -> Iterator[Item]:
        """As `connectors.contract.Target.read`.

        Raises:
            Stale: The token is no longer good, or something ended of which Graph does not tell what went with it.
            ConnectorError: As `Connection.get`.
        """
        if since is not None:
            yield from self._since(kind, since, attributes)
            return
        token = self._latest(kind)
        if kind in self._tables:
            yield from self._objects(kind, attributes)
        elif kind is Kind.LICENCE:
            yield from self._licences()
        else:
            yield from self._links(kind)
        yield token

    def find(self, kind: Kind, wanted: Mapping[str, Value]) -> list[RemoteObject]:
        """As `connectors.contract.Target.find`.

        Raises:
            Rejected: An attribute is unknown or cannot be searched for.
            ConnectorError: As `Connection.get`.
        """
        table = self._tables.get(kind)
        if table is None:
            raise Rejected(f"a {kind} cannot be searched for here")
        search = searching.search(table, _PATHS[kind], wanted, self._select(kind, None))
        if search is None:
            return []
        url, headers = search
        expand = "" if headers else self._expand(kind, None)  # in the index there is nothing to expand
        told = [one for page in self._connection.pages(url + expand, headers) for one in page["value"]]
        if headers:
            self._add_managers(kind, told, None)
        self._add_templates(kind, told, None)
        found = [self._object(kind, one, None) for one in told]
        return [one for one in found if searching.has_all(one.attributes, wanted)]

    # ------------------------------------------------------------ tokens

    def _latest(self, kind: Kind) -> ResumeToken:
        url = f"{_PATHS[kind]}/delta()?$select={self._tracked(kind)}&$deltatoken=latest"
        *_, last = self._connection.pages(url)
        return _token(kind, last)

    def _tracked(self, kind: Kind) -> str:
        if kind in self._tables:
            return self._select(kind, None) + (f",{MANAGER}" if self._tables[kind].tells(MANAGER, None) else "")
        return "assignedLicenses" if kind is Kind.LICENCE else "displayName,members"

    def _since(self, kind: Kind, since: ResumeToken, attributes: Collection[str] | None) -> Iterator[Item]:
        name, _, query = since.value.partition("?")
        if name != kind or "token=" not in query:
            raise Stale("the token is none of this target's")
        changed: dict[str, dict[str, Any]] = {}
        members: dict[tuple[str, str], dict[str, Any]] = {}
        page: dict[str, Any] = {}
        try:
            for page in self._connection.pages(f"{_PATHS[kind]}/delta()?{query}"):
                for one in page["value"]:  # may come twice: the last word counts
                    changed[one["id"]] = one
                    for member in one.get("members@delta") or ():
                        members[one["id"], member["id"]] = member
        except Rejected as error:
            raise Stale(f"Graph does not take the token: {error.reason}") from error
        if kind in self._tables:
            there = [one for one in changed.values() if "@removed" not in one]
            self._add_managers(kind, there, attributes)
            self._add_templates(kind, there, attributes)
            yield from (self._object(kind, one, attributes) for one in changed.values())
        elif kind is Kind.LICENCE:
            if changed:
                raise Stale("licences of users changed, and Graph does not tell which of them ended")
        else:
            yield from self._changed_links(kind, changed, members)
        yield _token(kind, page)

    def _changed_links(
        self,
        kind: Kind,
        changed: Mapping[str, Mapping[str, Any]],
        members: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> Iterator[RemoteObject]:
        if any("@removed" in one for one in changed.values()):
            raise Stale("a group was deleted, and Graph does not tell who was in it")
        of_kind = {pair: one for pair, one in members.items() if one.get("@odata.type") == _TYPES[kind]}
        joined = dict.fromkeys(group for (group, _), one in of_kind.items() if "@removed" not in one)
        owners = self._others(list(joined), "owners") if kind is Kind.MEMBERSHIP else {}
        for (group, key), one in of_kind.items():
            yield _link(kind, group, key, owners.get(group, ()), deleted="@removed" in one)

    # ------------------------------------------------------------ lists

    def _objects(self, kind: Kind, attributes: Collection[str] | None) -> Iterator[RemoteObject]:
        select = self._select(kind, attributes)
        for page in self._connection.pages(f"{_PATHS[kind]}?$select={select}{self._expand(kind, attributes)}&{_PAGE}"):
            self._add_templates(kind, page["value"], attributes)
            yield from (self._object(kind, one, attributes) for one in page["value"])
        if kind is Kind.ACCOUNT:
            for page in self._connection.pages(f"{BIN}/microsoft.graph.user?$select={select}&{_PAGE}"):
                yield from (self._object(kind, one, attributes, deleted=True) for one in page["value"])

    def _select(self, kind: Kind, attributes: Collection[str] | None) -> str:
        return self._tables[kind].select(attributes) + (_GROUP_EXTRA if kind is Kind.GROUP else "")

    def _expand(self, kind: Kind, attributes: Collection[str] | None) -> str:
        return f"&{_WITH_MANAGER}" if self._tables[kind].tells(MANAGER, attributes) else ""

    def _add_managers(self, kind: Kind, told: Sequence[dict[str, Any]], attributes: Collection[str] | None) -> None:
        """Completes accounts that came without their managers: a delta names a manager only where that changed."""
        if not self._tables[kind].tells(MANAGER, attributes):
            return
        requests = [Request(one["id"], "GET", f"/users/{one['id']}?$select=id&{_WITH_MANAGER}") for one in told]
        answers = self._connection.read(requests) if requests else {}
        for one in told:
            if (answer := answers[one["id"]]).ok:
                one[MANAGER] = answer.body.get(MANAGER)
            elif answer.status != HTTPStatus.NOT_FOUND:
                raise as_a_whole(refusal(answer, kind, one["id"]))

    def _add_templates(self, kind: Kind, told: Sequence[dict[str, Any]], attributes: Collection[str] | None) -> None:
        """Completes teams by what they were made by, which only Teams tells."""
        if not self._tables[kind].tells(TEMPLATE, attributes):
            return
        teams = [one for one in told if is_team(one)]
        requests = [Request(one["id"], "GET", f"/teams/{one['id']}?$select=id,specialization") for one in teams]
        answers = self._connection.read(requests) if requests else {}
        for one in teams:
            if (answer := answers[one["id"]]).ok:
                one[TEMPLATE] = template_of(answer.body)
            elif answer.status != HTTPStatus.NOT_FOUND:
                raise as_a_whole(refusal(answer, kind, one["id"]))

    def _object(
        self, kind: Kind, told: Mapping[str, Any], attributes: Collection[str] | None, *, deleted: bool = False
    ) -> RemoteObject:
        table = self._tables[kind]
        if "@removed" in told:
            return RemoteObject(kind, str(told["id"]), deleted=True)
        return RemoteObject(
            kind,
            str(told["id"]),
            {**table.attributes_of(told, attributes), **_apart(kind, told, attributes)},
            enabled=bool(told.get("accountEnabled")) if kind is Kind.ACCOUNT else None,
            deleted=deleted,
            owner=owner_of(table.mark_of(told)),
            protected=bool(told.get("isAssignableToRole")) or self._is_administrators(kind, told, deleted=deleted),
        )

    def _is_administrators(self, kind: Kind, told: Mapping[str, Any], *, deleted: bool) -> bool:
        return kind is Kind.ACCOUNT and not deleted and told["id"] in self._administrators.ids()

    def _licences(self) -> Iterator[RemoteObject]:
        names = {one.sku_id: one.part_number for one in self.products().values()}
        for page in self._connection.pages(f"/users?$select=id,assignedLicenses&{_PAGE}"):
            for user in page["value"]:
                for sku in sorted(names.get(one, one) for one in held_by(user)):
                    yield RemoteObject(Kind.LICENCE, f"{user['id']}/{sku}", account=str(user["id"]), sku=sku)

    def _links(self, kind: Kind) -> Iterator[RemoteObject]:
        for page in self._connection.pages(f"/groups?$select=id&{_PAGE}"):
            groups = [str(one["id"]) for one in page["value"]]
            for start in range(0, len(groups), _GROUPS_AT_ONCE):
                yield from self._links_of(kind, groups[start : start + _GROUPS_AT_ONCE])

    def _links_of(self, kind: Kind, groups: Sequence[str]) -> Iterator[RemoteObject]:
        owners = self._others(groups, "owners") if kind is Kind.MEMBERSHIP else {}
        for group, first in self._firsts(groups, "members").items():
            for members in self._following(first):
                for one in members:
                    if one.get("@odata.type") == _TYPES[kind]:
                        yield _link(kind, group, str(one["id"]), owners.get(group, ()))

    def _others(self, groups: Sequence[str], relation: str) -> dict[str, set[str]]:
        firsts = self._firsts(groups, relation)
        return {
            group: {str(one["id"]) for some in self._following(first) for one in some}
            for group, first in firsts.items()
        }

    def _firsts(self, groups: Sequence[str], relation: str) -> dict[str, dict[str, Any]]:
        """The first page of each group that is still there."""
        requests = [Request(one, "GET", f"/groups/{one}/{relation}?$select=id&{_PAGE}") for one in groups]
        told = self._connection.read(requests)
        found: dict[str, dict[str, Any]] = {}
        for group in groups:
            response = told[group]
            if response.ok:
                found[group] = response.body
            elif response.status != HTTPStatus.NOT_FOUND:
                raise as_a_whole(refusal(response, Kind.GROUP, group))
        return found

    def _following(self, first: Mapping[str, Any]) -> Iterator[Sequence[Mapping[str, Any]]]:
        yield first["value"]
        if link := first.get("@odata.nextLink"):
            for page in self._connection.pages(link):
                yield page["value"]


def _apart(kind: Kind, told: Mapping[str, Any], wanted: Collection[str] | None) -> dict[str, Value]:
    """Attributes that are no properties, of those asked for that are set."""
    if kind is Kind.ACCOUNT:
        manager = told.get(MANAGER)
        return {MANAGER: str(manager["id"])} if manager else {}
    found = {GROUP_TYPE: type_of(told), TEAM: is_team(told), TEMPLATE: told.get(TEMPLATE)}
    return {name: value for name, value in found.items() if value and (wanted is None or name in wanted)}


def _link(kind: Kind, group: str, key: str, owners: Collection[str], *, deleted: bool = False) -> RemoteObject:
    anchor = f"{group}/{key}"
    if kind is Kind.NESTING:
        return RemoteObject(kind, anchor, group=group, member=key, deleted=deleted)
    role = OWNER if key in owners else "member"
    return RemoteObject(kind, anchor, group=group, account=key, role=role, deleted=deleted)


def _token(kind: Kind, page: Mapping[str, Any]) -> ResumeToken:
    return ResumeToken(f"{kind}?{urlsplit(str(page['@odata.deltaLink'])).query}")
