"""Licences and data transfers of the local Google service, asked by Google's own client."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.google.client import Google, refusal
from tests.services.google.config import Config

PLUS, STUDENT = "1010310008", "1010310009"
KARI = "kari@kommune.example"


def _assign(google: Google, sku: str = PLUS, user: str = KARI, product: str = "101031") -> Any:
    return google.licences.insert(productId=product, skuId=sku, body={"userId": user})


def _place(sku: str = PLUS) -> dict[str, str]:
    return {"productId": "101031", "skuId": sku, "userId": KARI}


def test_a_user_has_one_sku_of_a_product(google: Google):
    """Another one by way of an update; the sentences are those of Google's page."""
    google.make_user("kari")
    _assign(google).execute()
    same, other = refusal(_assign(google)), refusal(_assign(google, STUDENT))
    google.licences.patch(**_place(), body={"skuId": STUDENT}).execute()
    held = google.licences.listForProduct(productId="101031", customerId="my_customer").execute()["items"]

    assert same[::2] == (412, "User already has a license for the specified product and SKU")
    assert other[0] == 412
    assert "different SKU" in other[2]
    assert [(one["userId"], one["skuId"]) for one in held] == [(KARI, STUDENT)]
    assert refusal(google.licences.delete(**_place()))[:2] == (404, "notFound")
    assert google.licences.delete(**_place(STUDENT)).execute() == {}
    assert google.service.contents()["licences"] == {}


@pytest.mark.parametrize(
    ("product", "sku", "user"),
    [("101031", PLUS, "nobody@kommune.example"), ("101031", "1", KARI), ("1", PLUS, KARI), ("101031", PLUS, "")],
)
def test_what_is_not_there_is_a_bad_request(google: Google, product: str, sku: str, user: str):
    """User, SKU or product."""
    google.make_user("kari")

    assert refusal(_assign(google, sku, user, product))[:2] == (400, "invalid")


def test_seats_are_counted_and_freed(google: Google):
    """Also by deleting the user; an undeleted one does not have it back."""
    google.service.empty(Config(products={"101031": {PLUS: 1}}))
    key = google.make_user("kari")["id"]
    google.make_user("ola")
    _assign(google).execute()
    full = refusal(_assign(google, user="ola@kommune.example"))
    google.users.delete(userKey=key).execute()
    _assign(google, user="ola@kommune.example").execute()
    google.users.undelete(userKey=key, body={}).execute()

    assert full[::2] == (412, "There aren't enough available licenses for the specified product-SKU pair")
    assert list(google.service.contents()["licences"].values()) == [PLUS]
    assert refusal(_assign(google))[0] == 412


def test_units_give_licences_by_themselves(google: Google):
    """Which then cannot be taken or switched by hand, and go when the user leaves the unit."""
    google.service.empty(Config(automatic={"/Skole": f"101031/{STUDENT}"}))
    google.service.unit("/Skole/Elever")
    key = google.make_user("kari", orgUnitPath="/Skole/Elever")["id"]

    again = refusal(_assign(google, STUDENT))
    taken = refusal(google.licences.delete(**_place(STUDENT)))
    switched = refusal(google.licences.update(**_place(STUDENT), body={"skuId": PLUS}))
    before = google.service.contents()["licences"]
    google.users.update(userKey=key, body={"orgUnitPath": "/"}).execute()

    assert again[0] == 412
    assert taken[::2] == (412, "Auto License un-assignment is not allowed.")
    assert switched[::2] == (412, "Auto License switching is not allowed.")
    assert before == {f"101031/{key}": STUDENT}
    assert google.service.contents()["licences"] == {}


def test_archiving_needs_a_seat(google: Google):
    """Of those that archived users have."""
    google.service.empty(Config(archive_seats=1))
    google.make_user("kari", archived=False)
    google.make_user("ola")

    def archive(name: str, archived: bool) -> tuple[int, str, str]:
        return refusal(google.users.update(userKey=f"{name}@kommune.example", body={"archived": archived}))

    assert archive("kari", True)[0] == 200
    assert archive("ola", True)[:2] == (412, "conditionNotMet")
    assert archive("kari", False)[0] == 200
    assert archive("ola", True)[0] == 200


def test_data_is_handed_over_in_the_background(google: Google):
    """Between two that are there, by their ids; in progress at first."""
    google.service.change(transfer_seconds=60)
    old, new = google.make_user("kari")["id"], google.make_user("ola")["id"]
    drive = next(
        one["id"]
        for one in google.transfer.applications().list().execute()["applications"]
        if one["name"] == "Drive and Docs"
    )
    parts = [
        {
            "applicationId": drive,
            "applicationTransferParams": [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}],
        }
    ]
    transfers = google.transfer.transfers()

    def ask(giver: str, taker: str) -> Any:
        body = {"oldOwnerUserId": giver, "newOwnerUserId": taker, "applicationDataTransfers": parts}
        return transfers.insert(body=body)

    key = ask(old, new).execute()["id"]
    early = transfers.get(dataTransferId=key).execute()["overallTransferStatusCode"]
    google.service.forward(seconds=61)
    late = transfers.list(oldOwnerUserId=old).execute()["dataTransfers"]

    assert (early, [one["overallTransferStatusCode"] for one in late]) == ("inProgress", ["completed"])
    assert refusal(ask(old, "1"))[0] == 404
    assert refusal(ask(KARI, new))[0] == 404  # an address is no id
    assert refusal(ask(old, old))[0] == 400
