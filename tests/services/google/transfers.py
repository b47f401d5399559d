"""Data transfers: https://developers.google.com/workspace/admin/data-transfer/reference/rest/v1/transfers."""

from __future__ import annotations

from typing import Any

from .errors import invalid, not_found, required
from .paging import page
from .service import Answer, Call, Service, resource
from .store import Row

APPLICATIONS = {
    "55656082996": ("Drive and Docs", {"PRIVACY_LEVEL": ["PRIVATE", "SHARED"]}),
    "435070579839": ("Calendar", {"RELEASE_RESOURCES": ["TRUE", "FALSE"]}),
}
"""Ids of what can be handed over, the same for every customer, with names and parameters."""
AT = "_at"


def list_applications(_service: Service, call: Call) -> Answer:
    """GET /applications."""
    rows = [((key,), key) for key in APPLICATIONS]
    body = page(
        "admin#datatransfer#applicationsList", "applications", rows, call.query, _application, default=100, most=500
    )
    return Answer(200, body)


def get_application(_service: Service, call: Call) -> Answer:
    """GET /applications/{id}."""
    if call.path["applicationId"] not in APPLICATIONS:
        raise not_found("applicationId")
    return Answer(200, _application(call.path["applicationId"]))


def insert(service: Service, call: Call) -> Answer:
    """POST /transfers: between two users by their ids, in the background."""
    body = call.body
    for name in ("oldOwnerUserId", "newOwnerUserId", "applicationDataTransfers"):
        if not body.get(name):
            raise required(name)
    if body["oldOwnerUserId"] == body["newOwnerUserId"]:
        raise invalid("Invalid Input: newOwnerUserId")
    for name in ("oldOwnerUserId", "newOwnerUserId"):
        if body[name] not in service.store.rows["user"] or service.find("user", body[name]) is None:
            raise not_found(name)
    for one in body["applicationDataTransfers"]:
        _check(one)
    key = service.new_name("transfer", "A", 24)
    row = {name: body[name] for name in ("oldOwnerUserId", "newOwnerUserId", "applicationDataTransfers")}
    service.store.put("transfer", key, {**row, AT: service.now()})
    return Answer(200, _view(service, key))


def get(service: Service, call: Call) -> Answer:
    """GET /transfers/{id}."""
    key = call.path["dataTransferId"]
    if key not in service.store.rows["transfer"]:
        raise not_found("dataTransferId")
    return Answer(200, _view(service, key))


def list_transfers(service: Service, call: Call) -> Answer:
    """GET /transfers."""
    query = call.query
    rows = [
        ((key,), key)
        for key, row in service.store.rows["transfer"].items()
        if query.get("oldOwnerUserId", row["oldOwnerUserId"]) == row["oldOwnerUserId"]
        and query.get("newOwnerUserId", row["newOwnerUserId"]) == row["newOwnerUserId"]
        and query.get("status", _status(service, row)) == _status(service, row)
    ]
    body = page(
        "admin#datatransfer#dataTransfersList", "dataTransfers", rows, query, lambda key: _view(service, key),
        default=100, most=500,
    )  # fmt: skip
    return Answer(200, body)


def _check(one: dict[str, Any]) -> None:
    application = APPLICATIONS.get(str(one.get("applicationId")))
    if application is None:
        raise invalid("Invalid Input: applicationId")
    for parameter in one.get("applicationTransferParams") or ():
        allowed = application[1].get(parameter.get("key", ""))
        if allowed is None or not set(parameter.get("value") or ()) <= set(allowed):
            raise invalid("Invalid Input: applicationTransferParams")


def _status(service: Service, row: Row) -> str:
    return "completed" if row[AT] + service.config.transfer_seconds <= service.now() else "inProgress"


def _application(key: str) -> dict[str, Any]:
    name, parameters = APPLICATIONS[key]
    pairs = [{"key": one, "value": values} for one, values in parameters.items()]
    return resource("admin#datatransfer#ApplicationResource", id=key, name=name, transferParams=pairs)


def _view(service: Service, key: str) -> dict[str, Any]:
    row = service.store.rows["transfer"][key]
    status = _status(service, row)
    return resource(
        "admin#datatransfer#DataTransfer",
        id=key,
        oldOwnerUserId=row["oldOwnerUserId"],
        newOwnerUserId=row["newOwnerUserId"],
        requestTime=service.moment(row[AT]),
        overallTransferStatusCode=status,
        applicationDataTransfers=[
            {**one, "applicationId": str(one["applicationId"]), "applicationTransferStatus": status}
            for one in row["applicationDataTransfers"]
        ],
    )
