"""Users: https://developers.google.com/workspace/admin/directory/reference/rest/v1/users."""

from __future__ import annotations

from typing import Any

from . import licences, search, units
from .addresses import check_address, readdressed, refuse_taken
from .contract import USER_LISTS
from .errors import Refused, duplicate, forbidden, invalid, not_found, precondition, required
from .paging import page
from .schemas import merged
from .service import ROOT_UNIT, Answer, Call, Service, resource
from .store import ALIASES, CREATED, DELETED, PASSWORD, RENAMED, SIGN_OUTS, UNIT, Row
from .writing import check_name, check_password, refuse_unready

NEVER = "1970-01-01T00:00:00.000Z"
OWN = {"id", "primaryEmail", "name", "password", "hashFunction", "orgUnitPath", "customSchemas", "emails"}
"""Properties of a body that are not simply kept."""
SORTED_BY = {"email": None, "givenName": "givenName", "familyName": "familyName"}


def insert(service: Service, call: Call) -> Answer:
    """POST /users."""
    body = call.body
    if not body.get("primaryEmail"):
        raise required("primaryEmail")
    address = check_address(service, body["primaryEmail"], "primary_user_email")
    check_name(service, body.get("name") or {})
    check_password(body.get("password"), body.get("hashFunction"))
    refuse_taken(service, address)
    row = {"primaryEmail": address, "name": {}, UNIT: ROOT_UNIT, CREATED: service.now()}
    key = service.new_id()
    row = service.store.put("user", key, _changed(service, key, row, {**body, "primaryEmail": None}))
    licences.give_automatic(service, key)
    return Answer(200, view(service, key, row, "full"))


def get(service: Service, call: Call) -> Answer:
    """GET /users/{key}: by id, primary address or alias; a deleted one is not found."""
    key, row = service.get("user", call.path["userKey"])
    return Answer(200, view(service, key, row, _projection(call), call.query.get("customFieldMask")))


def list_users(service: Service, call: Call) -> Answer:
    """GET /users: of a customer or a domain; `showDeleted` gives the deleted ones, and none else."""
    query = call.query
    if "customer" not in query and "domain" not in query:
        raise Refused(400, "badRequest", "Bad Request")
    if "customer" in query:
        service.check_customer(query["customer"])
    elif query["domain"].lower() not in service.config.domains:
        raise forbidden()
    deleted = query.get("showDeleted", "false") == "true"
    test = search.parse(query.get("query", ""))
    part = SORTED_BY.get(query.get("orderBy", ""))
    rows = []
    for key, row in service.store.rows["user"].items():
        if (DELETED in row) != deleted or not service.visible(row):
            continue
        if "domain" in query and not row["primaryEmail"].endswith("@" + query["domain"].lower()):
            continue
        if query.get("query") and not test(row, units.path(service, row[UNIT])):
            continue
        first = row["name"].get(part, "").lower() if part else row["primaryEmail"]
        rows.append(((first, key), (key, row)))
    projection, mask = _projection(call), query.get("customFieldMask")
    body = page(
        "admin#directory#users", "users", rows, query,
        lambda item: view(service, item[0], item[1], projection, mask),
        default=100, most=500, descending=query.get("sortOrder") == "DESCENDING",
    )  # fmt: skip
    return Answer(200, body)


def update(service: Service, call: Call) -> Answer:
    """PUT /users/{key}: what is not named stays, null clears, lists are replaced."""
    return _change(service, call, call.body)


def patch(service: Service, call: Call) -> Answer:
    """PATCH /users/{key}: likewise, but lists of objects cannot be cleared."""
    body = {name: value for name, value in call.body.items() if value or name not in USER_LISTS}
    return _change(service, call, body)


def _change(service: Service, call: Call, body: dict[str, Any]) -> Answer:
    key, row = service.get("user", call.path["userKey"])
    refuse_unready(service, row)
    after = _changed(service, key, row, body)
    if after.get("archived") and not row.get("archived"):
        used = sum(bool(one.get("archived")) for one in service.store.rows["user"].values())
        if used >= service.config.archive_seats:
            raise precondition("There aren't enough available licenses to archive the user.")
    after = service.store.put("user", key, after)
    if after[UNIT] != row[UNIT]:
        licences.give_automatic(service, key)
    return Answer(200, view(service, key, after, "full"))


def _changed(service: Service, key: str, before: Row, body: dict[str, Any]) -> Row:
    """The row after a change, all of it or nothing."""
    row = {**before, **{name: value for name, value in body.items() if name not in OWN}}
    if body.get("primaryEmail") and body["primaryEmail"].lower() != before["primaryEmail"]:
        row = {**readdressed(service, "user", key, row, "primaryEmail", body["primaryEmail"]), RENAMED: service.now()}
    if "name" in body:
        row["name"] = {name: one for name, one in {**before["name"], **(body["name"] or {})}.items() if one is not None}
        row["name"].pop("fullName", None)
        check_name(service, row["name"])
    if body.get("password") is not None:
        check_password(body["password"], body.get("hashFunction"))
        row[PASSWORD] = body["password"]
    elif body.get("hashFunction") is not None:
        raise invalid("Invalid Password")
    if body.get("orgUnitPath") is not None:
        row[UNIT] = _unit(service, body["orgUnitPath"])
    if "customSchemas" in body:
        row["customSchemas"] = merged(service, before.get("customSchemas", {}), body["customSchemas"]) or None
    if "emails" in body:
        own = {before["primaryEmail"], *before.get(ALIASES, ())}
        row["emails"] = [one for one in body["emails"] or () if one.get("address", "").lower() not in own]
    return row


def delete(service: Service, call: Call) -> Answer:
    """DELETE /users/{key}: for 20 days it can be undeleted; its groups and licences have lost it."""
    key, row = service.get("user", call.path["userKey"])
    refuse_unready(service, row)
    licences.take_all(service, key)
    service.store.leave_all(key)
    service.store.put("user", key, {**row, DELETED: service.now()})
    return Answer(204)


def undelete(service: Service, call: Call) -> Answer:
    """POST /users/{id}/undelete: by its id only; its addresses must be free."""
    key = call.path["userKey"]
    row = service.store.get("user", key)
    if row is None:
        raise not_found("userKey")
    if DELETED not in row:
        raise precondition("The user is not deleted: there is nothing to undelete.")
    after = {name: value for name, value in row.items() if name != DELETED}
    if call.body.get("orgUnitPath"):
        after[UNIT] = _unit(service, call.body["orgUnitPath"])
    elif after[UNIT] not in service.store.rows["unit"]:
        after[UNIT] = ROOT_UNIT
    if service.store.holders.get(after["primaryEmail"].lower()):
        raise duplicate()
    after[ALIASES] = [one for one in after.get(ALIASES, ()) if one not in service.store.holders]
    service.store.put("user", key, after)
    licences.give_automatic(service, key)
    return Answer(204)


def sign_out(service: Service, call: Call) -> Answer:
    """POST /users/{key}/signOut."""
    key, row = service.get("user", call.path["userKey"])
    service.store.put("user", key, {**row, SIGN_OUTS: row.get(SIGN_OUTS, 0) + 1})
    return Answer(204)


def make_admin(_service: Service, _call: Call) -> Answer:
    """POST /users/{key}/makeAdmin: refused, whoever asks; nothing here has to make super administrators."""
    raise forbidden()


def view(service: Service, key: str, row: Row, projection: str, mask: str | None = None) -> dict[str, Any]:
    """A user as it is sent."""
    given = {name: value for name, value in row.items() if not name.startswith("_") and name != "customSchemas"}
    custom = row.get("customSchemas")
    if projection == "custom" and custom:
        custom = {name: fields for name, fields in custom.items() if name in (mask or "").split(",")}
    own = [{"address": row["primaryEmail"], "primary": True}, *({"address": one} for one in row.get(ALIASES, ()))]
    return resource(
        "admin#directory#user",
        **{
            "id": key,
            "isAdmin": False,
            "isDelegatedAdmin": False,
            "agreedToTerms": True,
            "suspended": False,
            "archived": False,
            "changePasswordAtNextLogin": False,
            "ipWhitelisted": False,
            "includeInGlobalAddressList": True,
            "isMailboxSetup": True,
            "isEnrolledIn2Sv": False,
            "isEnforcedIn2Sv": False,
            **given,
            "name": {**row["name"], "fullName": f"{row['name'].get('givenName')} {row['name'].get('familyName')}"},
            "suspensionReason": "ADMIN" if row.get("suspended") else None,
            "emails": [*own, *row.get("emails", ())],
            "aliases": row.get(ALIASES),
            "customerId": service.config.customer_id,
            "orgUnitPath": units.path(service, row[UNIT]),
            "creationTime": service.moment(row[CREATED]),
            "deletionTime": service.moment(row[DELETED]) if DELETED in row else None,
            "lastLoginTime": NEVER,
            "customSchemas": custom if projection != "basic" and custom else None,
        },
    )


def _projection(call: Call) -> str:
    if call.query.get("viewType", "admin_view") != "admin_view":
        raise Refused(501, "notImplemented", "The local Google service plays the administrators' view only.")
    projection = call.query.get("projection", "basic")
    if projection == "custom" and not call.query.get("customFieldMask"):
        raise invalid("Invalid Input: customFieldMask")
    return projection


def _unit(service: Service, place: str) -> str:
    key = units.find(service, place) if place.startswith("/") else None
    if key is None:
        raise invalid("Invalid Input: INVALID_OU_ID")
    return key
