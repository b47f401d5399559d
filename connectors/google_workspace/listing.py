"""Groups, who is in them, and licences, as the customer has them: always all of it, since Google tells no changes.

Who is in a group and none of the customer's own users or groups (an external address, the whole customer) is not told:
it is nobody's account, and nothing here ever takes it out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.contract import Kind, LicenceStock, RemoteObject, Value
from connectors.errors import ConnectorError, Rejected
from connectors.google_workspace import group_attributes as attributes
from connectors.google_workspace import refusals
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.licences import name_of, stocks
from connectors.google_workspace.members import ROLES
from connectors.google_workspace.options import GoogleOptions

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.batching import Reply

_ROLES = {theirs: ours for ours, theirs in ROLES.items()}
_TYPES = {Kind.MEMBERSHIP: "USER", Kind.NESTING: "GROUP"}
_AT_ONCE = 200
"""Groups whose members, or settings, are asked for at a time: a few batches, side by side."""


class Listing:
    """Reads one customer."""

    def __init__(self, connection: Connection, options: GoogleOptions) -> None:
        """`options` name the customer, its licences, and what marks groups."""
        self._connection = connection
        self._options = options

    def read(self, kind: Kind, wanted: Collection[str] | None) -> Iterator[RemoteObject]:
        """Every object of one kind, but for accounts; of groups no other attributes than those wanted.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        match kind:
            case Kind.GROUP:
                return self._groups(wanted)
            case Kind.LICENCE:
                return self._licences()
        return self._links(kind)

    def find_groups(self, wanted: Mapping[str, Value]) -> list[RemoteObject]:
        """Groups in which every named attribute equals the value, without case.

        Raises:
            Rejected: There is no such attribute.
            ConnectorError: As `Connection.get`.
        """
        for name in wanted:
            if name not in attributes.GROUP:
                raise Rejected(f"'{name}' is no attribute of this target's groups", name)
        # Google's searches are by beginnings and words, and lag behind: an address is asked for, all else looked for.
        address = wanted.get(attributes.GROUP_NAME)
        told: Iterable[Mapping[str, Any]] = self._everything() if address is None else self._of_address(address)
        own = {name: value for name, value in wanted.items() if name in attributes.OWN}
        likely = [one for one in told if _has_all(attributes.attributes_of(one, {}), own)]
        return [one for one in self._completed(likely, None) if _has_all(one.attributes, wanted)]

    def stocks(self) -> list[LicenceStock]:
        """Seats by the names of licences, as they are now.

        Raises:
            ConnectorError: As `Connection.get`.
        """
        products = self._options.licences
        if not products:
            return []
        call = self._connection.apis.users.list(
            customer=self._options.customer, maxResults=1, fields="users(customerId)"
        )
        users: Sequence[Mapping[str, Any]] = self._connection.get(call).get("users") or ()
        customers = [str(one["customerId"]) for one in users if one.get("customerId")]
        held = self._assignments(*(customers or [self._options.customer]))
        return stocks(products, ((product, sku) for _, product, sku in held))

    # ------------------------------------------------------------ groups

    def _groups(self, wanted: Collection[str] | None) -> Iterator[RemoteObject]:
        for page in self._pages():
            yield from self._completed(page, wanted)

    def _pages(self, fields: str = attributes.FIELDS) -> Iterator[Sequence[Mapping[str, Any]]]:
        groups = self._connection.apis.groups
        call = groups.list(customer=self._options.customer, maxResults=200, fields=f"nextPageToken,groups({fields})")
        for page in self._connection.pages(call, groups.list_next):
            yield page.get("groups") or ()

    def _everything(self) -> Iterator[Mapping[str, Any]]:
        return (one for page in self._pages() for one in page)

    def _of_address(self, address: Value) -> list[Mapping[str, Any]]:
        if not isinstance(address, str) or "@" not in address:
            return []
        (reply,) = self._sent([self._connection.apis.groups.get(groupKey=address, fields=attributes.FIELDS)])
        if not reply.ok and not refusals.is_nobodys(reply):
            raise refusals.as_a_whole(refusals.refusal(reply, Kind.GROUP, None))
        return [reply.body] if reply.ok else []

    def _completed(self, told: Sequence[Mapping[str, Any]], wanted: Collection[str] | None) -> Iterator[RemoteObject]:
        """Groups with their settings, where they are wanted."""
        namespace = self._options.owner_type
        if not attributes.wants_settings(wanted):
            yield from (attributes.remote(one, {}, namespace, wanted) for one in told)
            return
        for some in _portions(told):
            calls = [
                self._connection.apis.settings.get(
                    groupUniqueId=one[attributes.GROUP_NAME], fields=attributes.SETTING_FIELDS
                )
                for one in some
            ]
            for one, reply in zip(some, self._sent(calls), strict=True):
                if not reply.ok and not reply.is_missing:  # made a moment ago, or gone
                    raise refusals.as_a_whole(refusals.refusal(reply, Kind.GROUP, str(one["id"])))
                yield attributes.remote(one, reply.body, namespace, wanted)

    # ------------------------------------------------------------ who is in them

    def _links(self, kind: Kind) -> Iterator[RemoteObject]:
        groups = [str(one["id"]) for page in self._pages("id") for one in page]
        ours = set(groups) if kind is Kind.NESTING else {key for key, _, _ in self._users()}
        for some in _portions(groups):
            for group, member in self._members(some):
                if member.get("type") == _TYPES[kind] and member.get("id") in ours:
                    yield _link(kind, group, member)

    def _members(self, groups: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Who is in these groups: the first pages of all of them, then the second pages, and so on."""
        members = self._connection.apis.members
        fields = "nextPageToken,members(id,role,type)"
        calls = {one: members.list(groupKey=one, maxResults=200, fields=fields) for one in groups}
        while calls:
            following: dict[str, HttpRequest] = {}
            for (group, call), reply in zip(calls.items(), self._sent(list(calls.values())), strict=True):
                if reply.is_missing:  # deleted meanwhile
                    continue
                if not reply.ok:
                    raise refusals.as_a_whole(refusals.refusal(reply, Kind.GROUP, group))
                for one in reply.body.get("members") or ():
                    yield group, one
                if (next_ := members.list_next(call, reply.body)) is not None:
                    following[group] = next_
            calls = following

    # ------------------------------------------------------------ licences

    def _licences(self) -> Iterator[RemoteObject]:
        products = self._options.licences
        if not products:
            return
        keys: dict[str, str] = {}
        customer = self._options.customer
        for key, address, its in self._users():
            keys[address.casefold()] = key
            customer = its or customer
        for address, product, sku in self._assignments(customer):
            account = keys.get(address.casefold())
            if account is not None:
                name = name_of(products, product, sku)
                yield RemoteObject(Kind.LICENCE, f"{account}/{name}", account=account, sku=name)

    def _users(self) -> Iterator[tuple[str, str, str]]:
        """Id, primary address and customer of every user that is not deleted."""
        users = self._connection.apis.users
        fields = "nextPageToken,users(id,primaryEmail,customerId)"
        call = users.list(customer=self._options.customer, maxResults=500, fields=fields)
        for page in self._connection.pages(call, users.list_next):
            for one in page.get("users") or ():
                yield str(one["id"]), str(one["primaryEmail"]), str(one.get("customerId") or "")

    def _assignments(self, customer: str) -> Iterator[tuple[str, str, str]]:
        """Address, product and SKU of every licence of the products that the settings name."""
        licences = self._connection.apis.licences
        for product in dict.fromkeys(one.product for one in self._options.licences.values()):
            call = licences.listForProduct(
                productId=product, customerId=customer, maxResults=1000, fields="nextPageToken,items(userId,skuId)"
            )
            for page in self._connection.pages(call, licences.listForProduct_next):
                for one in page.get("items") or ():
                    yield str(one["userId"]), product, str(one["skuId"])

    # ------------------------------------------------------------ calls

    def _sent(self, calls: Sequence[HttpRequest]) -> list[Reply]:
        """All replies.

        Raises:
            ConnectorError: One got lost.
        """
        replies, error = self._connection.send(calls)
        known = [reply for reply in replies if reply is not None]
        if error is not None or len(known) < len(replies):
            raise error or ConnectorError("an answer got lost")
        return known


def _portions(every: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


def _link(kind: Kind, group: str, member: Mapping[str, Any]) -> RemoteObject:
    key = str(member["id"])
    anchor = f"{group}/{key}"
    if kind is Kind.NESTING:
        return RemoteObject(kind, anchor, group=group, member=key)
    return RemoteObject(kind, anchor, group=group, account=key, role=_ROLES.get(str(member.get("role")), "member"))


def _has_all(found: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    """Whether an object has all these values, whatever the case."""
    return all(_folded(found.get(name)) == _folded(value) for name, value in wanted.items())


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
