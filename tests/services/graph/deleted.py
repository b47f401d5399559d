"""The recycle bin: https://learn.microsoft.com/graph/api/resources/directory.

Users and Microsoft 365 groups come here and stay for 30 days; security groups are gone at once.
"""

from __future__ import annotations

from . import users
from .contract import check_body
from .errors import not_found
from .service import BASE, Answer, Call, Service
from .store import Item
from .views import page, show


def _item(service: Service, call: Call) -> Item:
    service.expire()
    item = service.directory.items.get(call.keys[0].lower())
    if item is None or item.deleted is None:
        raise not_found(call.keys[0])
    return item


def list_deleted(service: Service, call: Call) -> Answer:
    """GET /directory/deletedItems/microsoft.graph.user or .group."""
    service.expire()
    kind = "group" if call.route.endswith("group") else "user"
    return page(service, call, service.directory.of_kind(kind, deleted=True), f"directory/deletedItems/{kind}s")


def get_deleted(service: Service, call: Call) -> Answer:
    """GET /directory/deletedItems/{id}."""
    return Answer(200, show(service, _item(service, call), call.options, typed=True))


def restore(service: Service, call: Call) -> Answer:
    """POST /directory/deletedItems/{id}/restore."""
    if call.body:
        check_body("restore", "POST", call.body)
    item = _item(service, call)
    if item.kind == "user":
        item = users.restore(service, item)
    else:
        users.refuse_taken(service, item, item.data)
        item = service.directory.put(item, item.data)
    shown = show(service, item, call.options, typed=True)
    return Answer(200, {"@odata.context": f"{BASE}/$metadata#directoryObjects/$entity", **shown})


def purge(service: Service, call: Call) -> Answer:
    """DELETE /directory/deletedItems/{id}: for good."""
    service.directory.purge(_item(service, call).id)
    return Answer(204)
