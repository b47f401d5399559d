"""Whoever writes into an HR file changes nobody else's account: values are values, whatever letters they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import Action, Kind, Operation, Value
from connectors.errors import Protected
from connectors.google_workspace.target import GoogleTarget
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.control import GoogleService

DELETES = "x\r\n--eadm_sync_batch\r\nContent-ID: <0>\r\n\r\nDELETE /admin/directory/v1/users/victim@kommune.example"


# Rows: another part of a batch; another clause of a search; half an escape; any beginning; other addresses, one of an
# account; letters.
@pytest.mark.parametrize(
    "value",
    [
        DELETES,
        "' isAdmin=true '",
        "a\\",
        "*",
        "../../users/victim",
        "victim@kommune.example",
        "a?b#c&d=e",
        "%0d%0a",
        "x\x00y",
        "😀" * 30,
    ],
)
def test_no_value_leads_anywhere_else(settings: Settings, google: GoogleService, value: str):
    """In names, marks, addresses, anchors and units, of accounts and groups: others stay to the letter as they are."""
    mark = [{"type": "custom", "customType": "eadm-sync", "value": "hr:1"}]
    name = {"givenName": "A", "familyName": "B"}
    google.put("user", primaryEmail="victim@kommune.example", name=name)
    google.put("user", primaryEmail="boss@kommune.example", name=name, isAdmin=True, externalIds=mark)
    google.put("group", email="boss-group@kommune.example", name="G", description="")
    before = google.contents()
    names: dict[str, Value] = {"givenName": value[:40], "familyName": value[:40], "organizations.title": value}
    new: dict[str, Value] = {**names, "primaryEmail": "ola@kommune.example", "externalIds.organization": value}
    group: dict[str, Value] = {"email": value, "name": value[:70], "description": value}
    owned: dict[str, Value] = {"givenName": "A", "familyName": "B", "primaryEmail": "new@kommune.example"}
    operations = [
        Operation("new", Kind.ACCOUNT, Action.CREATE, owner=value, container=f"/{value}", attributes=new),
        Operation("change", Kind.ACCOUNT, Action.UPDATE, anchor=value, attributes=names),
        Operation("delete", Kind.ACCOUNT, Action.DELETE, anchor=value),
        Operation("restore", Kind.ACCOUNT, Action.RESTORE, anchor=value),
        Operation("group", Kind.GROUP, Action.CREATE, owner=value, attributes=group),
        Operation("no group", Kind.GROUP, Action.DELETE, anchor=value),
        Operation("join", Kind.MEMBERSHIP, Action.CREATE, anchor=value, account=value),
        Operation("boss", Kind.ACCOUNT, Action.CREATE, owner="hr:1", attributes=owned),
    ]

    with GoogleTarget(settings(), Path()) as target:
        told = {one.operation_id: one.error for one in target.apply(operations)}
        found = [one for name in ("givenName", "primaryEmail") for one in target.find(Kind.ACCOUNT, {name: value})]

    after = google.contents()
    assert len(told) == len(operations)
    assert isinstance(told["boss"], Protected)
    for kind in ("users", "groups"):
        assert {key: after[kind].get(key) for key in before[kind]} == before[kind]
    assert all(value in (one.attributes["givenName"], one.attributes["primaryEmail"]) for one in found)
