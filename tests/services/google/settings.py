"""Settings of groups: https://developers.google.com/workspace/admin/groups-settings/v1/reference/groups.

All values are text, "true" and "false" among them; which ones there are stands in the discovery document's prose.
"""

from __future__ import annotations

import re
from typing import Any

from .errors import Refused, invalid
from .service import Answer, Call, Service
from .store import SETTINGS

DEFAULTS = {
    "whoCanJoin": "CAN_REQUEST_TO_JOIN", "whoCanViewMembership": "ALL_MEMBERS_CAN_VIEW",
    "whoCanViewGroup": "ALL_MEMBERS_CAN_VIEW", "whoCanPostMessage": "ANYONE_CAN_POST",
    "allowExternalMembers": "false", "whoCanLeaveGroup": "ALL_MEMBERS_CAN_LEAVE",
    "whoCanContactOwner": "ANYONE_CAN_CONTACT", "whoCanModerateMembers": "OWNERS_AND_MANAGERS",
    "whoCanModerateContent": "OWNERS_AND_MANAGERS", "whoCanDiscoverGroup": "ALL_IN_DOMAIN_CAN_DISCOVER",
    "messageModerationLevel": "MODERATE_NONE", "spamModerationLevel": "MODERATE", "replyTo": "REPLY_TO_IGNORE",
    "includeInGlobalAddressList": "true", "isArchived": "false", "archiveOnly": "false",
    "membersCanPostAsTheGroup": "false", "enableCollaborativeInbox": "false", "allowWebPosting": "true",
}  # fmt: skip
"""What a new group has."""
READ_ONLY = {"email", "name", "description", "maxMessageBytes", "primaryLanguage"}
"""Of these, name and description are changed as properties of the group."""


def get(service: Service, call: Call) -> Answer:
    """GET /groups/v1/groups/{address}."""
    return Answer(200, _view(service, _found(service, call)))


def change(service: Service, call: Call) -> Answer:
    """PATCH and PUT /groups/v1/groups/{address}; PUT begins from the defaults."""
    key = _found(service, call)
    row = service.store.rows["group"][key]
    assert call.method is not None
    known = call.method.schemas["Groups"]["properties"]
    for name, value in call.body.items():
        _check(name, value, known[name]["description"])
    before = row.get(SETTINGS, {}) if call.verb == "PATCH" else {}
    given = {name: value for name, value in call.body.items() if name not in READ_ONLY and value is not None}
    named = {name: call.body[name] for name in ("name", "description") if call.body.get(name) is not None}
    service.store.put("group", key, {**row, **named, SETTINGS: {**before, **given}})
    return Answer(200, _view(service, key))


def _check(name: str, value: object, description: str) -> None:
    words = re.findall(r"^- ([A-Z][A-Z_]+|true|false)\b", description, re.MULTILINE)
    if value is not None and len(words) > 1 and value not in words:
        raise invalid(f"Invalid value for {name}: {value}")


def _found(service: Service, call: Call) -> str:
    place = call.path["groupUniqueId"]
    key = service.find("group", place) if "@" in place else None
    if key is None:
        raise Refused(404, "notFound", "Not Found")
    return key


def _view(service: Service, key: str) -> dict[str, Any]:
    row = service.store.rows["group"][key]
    own = {"email": row["email"], "name": row["name"], "description": row["description"]}
    return {"kind": "groupsSettings#groups", **own, **DEFAULTS, **row.get(SETTINGS, {})}
