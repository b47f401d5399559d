"""Licences: https://developers.google.com/workspace/admin/licensing/reference/rest/v1/licenseAssignments.

Statuses and sentences: https://developers.google.com/workspace/admin/licensing/v1/how-tos/using#errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import units
from .errors import Refused, invalid, precondition
from .paging import page
from .service import Answer, Call, Service, etag_of
from .store import DELETED, UNIT, Row
from .writing import refuse_unready

SELF = "https://licensing.googleapis.com/apps/licensing/v1"
NO_SEATS = "There aren't enough available licenses for the specified product-SKU pair"


def insert(service: Service, call: Call) -> Answer:
    """POST .../user: one SKU of a product for each user."""
    product, _ = _product(service, call)
    sku = call.path["skuId"]
    key = _user(service, call.body.get("userId") or "")
    refuse_unready(service, service.store.rows["user"][key])
    held = service.store.get("licence", f"{product}/{key}")
    if held is not None and held["sku"] == sku:
        raise precondition("User already has a license for the specified product and SKU")
    if held is not None:
        raise precondition(
            "User already has a license of the product, but with a different SKU. To reassign a new SKU for this "
            'product, use the "update" operation.'
        )
    _refuse_full(service, product, sku)
    service.store.put("licence", f"{product}/{key}", {"sku": sku})
    return Answer(200, _view(service, product, key))


def get(service: Service, call: Call) -> Answer:
    """GET .../user/{userId}."""
    product, key = _held(service, call)
    return Answer(200, _view(service, product, key))


def change(service: Service, call: Call) -> Answer:
    """PUT and PATCH .../user/{userId}: from the SKU in the path to that in the body."""
    product, key = _held(service, call)
    held, sku = service.store.rows["licence"][f"{product}/{key}"], call.body.get("skuId")
    if call.body.get("productId", product) != product:
        raise precondition(
            f"Reassign operation can't be performed on different products: {product}, {call.body['productId']}"
        )
    if sku == held["sku"]:
        raise precondition(f"For reassign operations, the new SKU should be different from the old SKU: {sku}")
    if sku not in service.config.products[product]:
        raise invalid("Invalid skuId")
    if held.get("automatic"):
        raise precondition("Auto License switching is not allowed.")
    _refuse_full(service, product, sku)
    service.store.put("licence", f"{product}/{key}", {"sku": sku})
    return Answer(200, _view(service, product, key))


def delete(service: Service, call: Call) -> Answer:
    """DELETE .../user/{userId}."""
    product, key = _held(service, call)
    if service.store.rows["licence"][f"{product}/{key}"].get("automatic"):
        raise precondition("Auto License un-assignment is not allowed.")
    service.store.drop("licence", f"{product}/{key}")
    return Answer(200, {})


def list_assignments(service: Service, call: Call) -> Answer:
    """GET .../product/{productId}/users and .../sku/{skuId}/users."""
    product, sku = _product(service, call)
    if call.query["customerId"] not in {service.config.customer_id, "my_customer", *service.config.domains}:
        raise invalid("Invalid customerId")
    rows = []
    for name, row in service.store.rows["licence"].items():
        its, _, key = name.partition("/")
        if its == product and sku in (None, row["sku"]):
            rows.append(((key,), key))
    body = page(
        "licensing#licenseAssignmentList", "items", rows, call.query,
        lambda key: _view(service, product, key), default=100, most=1000,
    )  # fmt: skip
    return Answer(200, body)


# ------------------------------------------------------------ for others


def give_automatic(service: Service, key: str) -> None:
    """Gives and takes what a user's unit has licences assigned for automatically; without seats, none."""
    user = service.store.rows["user"][key]
    place = units.path(service, user[UNIT]).rstrip("/") + "/"
    wanted = {}
    for unit, pair in service.config.automatic.items():
        if place.startswith(unit.rstrip("/") + "/"):
            product, sku = pair.split("/")
            wanted[product] = sku
    for product in service.config.products:
        name = f"{product}/{key}"
        held: Mapping[str, Any] = service.store.get("licence", name) or {}
        if held.get("automatic") and held["sku"] != wanted.get(product):
            service.store.drop("licence", name)
            held = {}
        if product in wanted and not held and _free(service, product, wanted[product]):
            service.store.put("licence", name, {"sku": wanted[product], "automatic": True})


def take_all(service: Service, key: str) -> None:
    """Frees every seat that a user has."""
    for product in service.config.products:
        if service.store.get("licence", f"{product}/{key}") is not None:
            service.store.drop("licence", f"{product}/{key}")


def _free(service: Service, product: str, sku: str) -> bool:
    return service.store.seats[f"{product}/{sku}"] < service.config.products[product][sku]


def _refuse_full(service: Service, product: str, sku: str) -> None:
    if not _free(service, product, sku):
        raise precondition(NO_SEATS)


def _product(service: Service, call: Call) -> tuple[str, str | None]:
    product, sku = call.path["productId"], call.path.get("skuId")
    skus = service.config.products.get(product)
    if skus is None or (sku is not None and sku not in skus):
        raise invalid("Invalid productId" if skus is None else "Invalid skuId")
    return product, sku


def _user(service: Service, address: str) -> str:
    held = service.store.holders.get(address.lower())
    if held is None or held[0] != "user" or not service.visible(service.store.rows["user"][held[1]]):
        raise invalid("Invalid userId")
    return held[1]


def _held(service: Service, call: Call) -> tuple[str, str]:
    product, sku = _product(service, call)
    key = _user(service, call.path["userId"])
    held = service.store.get("licence", f"{product}/{key}")
    if held is None or held["sku"] != sku:
        raise Refused(404, "notFound", "User does not have a license of the specified product and SKU")
    return product, key


def _view(service: Service, product: str, key: str) -> dict[str, Any]:
    held: Row = service.store.rows["licence"][f"{product}/{key}"]
    user = service.store.rows["user"][key]
    address = user["primaryEmail"] if DELETED not in user else key
    sku = held["sku"]
    return {
        "kind": "licensing#licenseAssignment",
        "etags": etag_of([product, sku, key]),
        "selfLink": f"{SELF}/product/{product}/sku/{sku}/user/{address}",
        "userId": address,
        "productId": product,
        "skuId": sku,
        "skuName": f"SKU {sku}",
        "productName": f"Product {product}",
    }
