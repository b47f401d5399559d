"""Objects as Graph shows them: which properties, in which pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .contract import COLLECTIONS, GROUP, PROPERTIES, READ_ONLY, USER, check_select
from .errors import Refused
from .query import MOST_PER_PAGE, Options, next_token
from .service import BASE, Answer, Call, Service
from .store import MANAGER, Item

TYPES = {"user": USER, "group": GROUP}
DEFAULTS = {
    "user": (
        "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
        "preferredLanguage", "surname", "userPrincipalName",
    ),
    "group": (
        "deletedDateTime", "classification", "createdDateTime", "description", "displayName", "expirationDateTime",
        "groupTypes", "isAssignableToRole", "mail", "mailEnabled", "mailNickname", "membershipRule",
        "membershipRuleProcessingState", "onPremisesDomainName", "onPremisesLastSyncDateTime",
        "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "onPremisesSyncEnabled", "preferredDataLocation",
        "preferredLanguage", "proxyAddresses", "renewedDateTime", "resourceBehaviorOptions",
        "resourceProvisioningOptions", "securityEnabled", "theme", "uniqueName", "visibility",
    ),
}  # fmt: skip
"""What is shown where nothing is selected."""
EXPANDED_AT_MOST = 20
FAILING = "hasMembersWithLicenseErrors"
"""Only filtered by, never shown: https://learn.microsoft.com/graph/api/resources/group"""


def value_of(service: Service, item: Item, name: str) -> Any:
    """One property as it is shown; null or an empty list where it is not set."""
    made = {
        "id": lambda: item.id,
        "createdDateTime": lambda: service.moment(item.created),
        "deletedDateTime": lambda: None if item.deleted is None else service.moment(item.deleted),
        "passwordProfile": lambda: None,
    }
    if name in made:
        return made[name]()
    if name == "assignedLicenses" and item.kind == "user":
        return assigned(item)
    value = item.data.get(name)
    if value is None and PROPERTIES[TYPES[item.kind]][name].rstrip(READ_ONLY) in COLLECTIONS:
        return []
    return value


def assigned(item: Item) -> list[dict[str, Any]]:
    """The licences that a user really has, from whatever source."""
    found: dict[str, list[str]] = {}
    for state in item.data.get("licenseAssignmentStates", ()):
        if state["state"] == "Active":
            plans = found.get(state["skuId"])
            disabled = state["disabledPlans"]
            found[state["skuId"]] = disabled if plans is None else [one for one in plans if one in disabled]
    return [{"disabledPlans": plans, "skuId": sku} for sku, plans in found.items()]


def fails_by(user: Item, group: str) -> bool:
    """Whether a group could not give a user one of its licences."""
    states = user.data.get("licenseAssignmentStates", ())
    return any(one["state"] == "Error" and one["assignedByGroup"] == group for one in states)


def show(service: Service, item: Item, options: Options, *, typed: bool = False) -> dict[str, Any]:
    """An object with the properties asked for.

    Raises:
        Refused: 400 for a property that it cannot have.
    """
    kind = TYPES[item.kind]
    if options.select and not typed:
        check_select(kind, list(options.select))
    shown: dict[str, Any] = {"@odata.type": "#" + kind} if typed else {}
    shown["id"] = item.id
    for name in options.select or DEFAULTS[item.kind]:
        if name in PROPERTIES[kind]:
            shown[name] = value_of(service, item, name)
    for name, wanted in options.expand.items():
        found = _expanded(service, item, name, Options(select=wanted, expand={}))
        if found is not None:
            shown[name] = found
    return shown


def _expanded(service: Service, item: Item, name: str, options: Options) -> Any:
    directory = service.directory
    if name == "manager" and item.kind == "user":
        manager = directory.find("user", item.data.get(MANAGER, ""))
        return show(service, manager, options, typed=True) if manager else None
    keys = {
        "members": lambda: directory.members(item.id),
        "owners": lambda: directory.members(item.id, "owners"),
        "memberOf": lambda: directory.groups_of(item.id),
    }.get(name)
    if keys is None:
        raise Refused(400, "BadRequest", f"Parsing OData Select and Expand failed: no property '{name}' to expand.")
    return [show(service, directory.items[key], options, typed=True) for key in keys()[:EXPANDED_AT_MOST]]


def page(
    service: Service,
    call: Call,
    items: Iterable[Item],
    context: str,
    *,
    typed: bool = False,
    shown: Callable[[Item], Mapping[str, Any]] | None = None,
) -> Answer:
    """One page of a collection, with a link to the next; pages begin behind the last id of the one before.

    Raises:
        Refused: 400 for an advanced query without what it needs.
    """
    options = call.options
    eventual = call.headers.get("consistencylevel", "").lower() == "eventual"
    if options.advanced and not (eventual and options.count):
        raise Refused(
            400,
            "Request_UnsupportedQuery",
            "Operator not supported because the 'ConsistencyLevel:eventual' header or $count=true is missing.",
        )
    if not typed:
        check_select(GROUP if context.endswith("groups") else USER, list(options.select))
    found = [one for one in items if service.visible(one) and _passes(service, one, options)]
    found.sort(key=lambda one: one.id)
    total = len(found)
    if options.after is not None:
        found = [one for one in found if one.id > options.after]
    size = min(options.top or service.config.page_size, MOST_PER_PAGE)
    render = shown or (lambda one: show(service, one, options, typed=typed))
    body: dict[str, Any] = {"@odata.context": f"{BASE}/$metadata#{context}"}
    if options.count and eventual:
        body["@odata.count"] = total
    if len(found) > size:
        body["@odata.nextLink"] = _link(call, next_token(found[size - 1].id))
    body["value"] = [render(one) for one in found[:size]]
    return Answer(200, body)


def _passes(service: Service, item: Item, options: Options) -> bool:
    if options.test is None:
        return True
    data = {**item.data, "id": item.id, "createdDateTime": service.moment(item.created)}
    if item.kind == "user":
        data["assignedLicenses"] = assigned(item)
    elif options.equal and options.equal[0] == FAILING:
        members = (service.directory.items[key] for key in service.directory.members(item.id))
        data[FAILING] = any(fails_by(one, item.id) for one in members)
    return options.test(data)


def _link(call: Call, token: str) -> str:
    kept = {name: value for name, value in call.query.items() if name.lower() not in {"$skiptoken", "skiptoken"}}
    pairs = [f"{name}={quote(value, safe='')}" for name, value in {**kept, "$skiptoken": token}.items()]
    path = urlsplit(call.url).path
    return f"{call.base}/{path.removeprefix('/v1.0').lstrip('/')}?{'&'.join(pairs)}"
