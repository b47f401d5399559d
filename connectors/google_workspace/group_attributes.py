"""Attributes of groups as rulesets name them: a group's own, and its settings, which are an API of their own. No I/O.

https://developers.google.com/workspace/admin/directory/reference/rest/v1/groups and
https://developers.google.com/workspace/admin/groups-settings/v1/reference/groups; of the settings those that are not
deprecated. There all values are text; yes and no are truth values here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from connectors.contract import Kind, RemoteObject, Value
from connectors.errors import Rejected

GROUP_NAME = "email"
OPERATION = "operation:"


class Attribute(NamedTuple):
    """What an attribute holds.

    Attributes:
        type: "str" or "bool".
        max_length: In characters, or None.
        words: The only values there are; empty: any.
    """

    type: str
    max_length: int | None = None
    words: tuple[str, ...] = ()


_YES_OR_NO = Attribute("bool")


def _one_of(*words: str) -> Attribute:
    return Attribute("str", None, words)


OWN: Mapping[str, Attribute] = {
    "email": Attribute("str", 320),
    "name": Attribute("str", 75),
    "description": Attribute("str", 4096),
}
TEXTS: Mapping[str, Attribute] = {
    "customFooterText": Attribute("str", 1000),
    "customReplyTo": Attribute("str", 320),
    "defaultMessageDenyNotificationText": Attribute("str", 10_000),
}
"""Settings that can be empty; all others always have a value."""
SETTINGS: Mapping[str, Attribute] = {
    **TEXTS,
    "allowExternalMembers": _YES_OR_NO,
    "allowWebPosting": _YES_OR_NO,
    "archiveOnly": _YES_OR_NO,
    "enableCollaborativeInbox": _YES_OR_NO,
    "includeCustomFooter": _YES_OR_NO,
    "includeInGlobalAddressList": _YES_OR_NO,
    "isArchived": _YES_OR_NO,
    "membersCanPostAsTheGroup": _YES_OR_NO,
    "sendMessageDenyNotification": _YES_OR_NO,
    "messageModerationLevel": _one_of(
        "MODERATE_ALL_MESSAGES", "MODERATE_NON_MEMBERS", "MODERATE_NEW_MEMBERS", "MODERATE_NONE"
    ),
    "replyTo": _one_of(
        "REPLY_TO_CUSTOM",
        "REPLY_TO_SENDER",
        "REPLY_TO_LIST",
        "REPLY_TO_OWNER",
        "REPLY_TO_IGNORE",
        "REPLY_TO_MANAGERS",
    ),
    "spamModerationLevel": _one_of("ALLOW", "MODERATE", "SILENTLY_MODERATE", "REJECT"),
    "whoCanAssistContent": _one_of("ALL_MEMBERS", "OWNERS_AND_MANAGERS", "MANAGERS_ONLY", "OWNERS_ONLY", "NONE"),
    "whoCanContactOwner": _one_of(
        "ALL_IN_DOMAIN_CAN_CONTACT",
        "ALL_MANAGERS_CAN_CONTACT",
        "ALL_MEMBERS_CAN_CONTACT",
        "ANYONE_CAN_CONTACT",
        "ALL_OWNERS_CAN_CONTACT",
    ),
    "whoCanDiscoverGroup": _one_of("ANYONE_CAN_DISCOVER", "ALL_IN_DOMAIN_CAN_DISCOVER", "ALL_MEMBERS_CAN_DISCOVER"),
    "whoCanJoin": _one_of("ANYONE_CAN_JOIN", "ALL_IN_DOMAIN_CAN_JOIN", "INVITED_CAN_JOIN", "CAN_REQUEST_TO_JOIN"),
    "whoCanLeaveGroup": _one_of("ALL_MANAGERS_CAN_LEAVE", "ALL_MEMBERS_CAN_LEAVE", "NONE_CAN_LEAVE"),
    "whoCanModerateContent": _one_of("ALL_MEMBERS", "OWNERS_AND_MANAGERS", "OWNERS_ONLY", "NONE"),
    "whoCanModerateMembers": _one_of("ALL_MEMBERS", "OWNERS_AND_MANAGERS", "OWNERS_ONLY", "NONE"),
    "whoCanPostMessage": _one_of(
        "NONE_CAN_POST",
        "ALL_MANAGERS_CAN_POST",
        "ALL_MEMBERS_CAN_POST",
        "ALL_OWNERS_CAN_POST",
        "ALL_IN_DOMAIN_CAN_POST",
        "ANYONE_CAN_POST",
    ),
    "whoCanViewGroup": _one_of(
        "ANYONE_CAN_VIEW", "ALL_IN_DOMAIN_CAN_VIEW", "ALL_MEMBERS_CAN_VIEW", "ALL_MANAGERS_CAN_VIEW"
    ),
    "whoCanViewMembership": _one_of("ALL_IN_DOMAIN_CAN_VIEW", "ALL_MEMBERS_CAN_VIEW", "ALL_MANAGERS_CAN_VIEW"),
}
GROUP: Mapping[str, Attribute] = {**OWN, **SETTINGS}
FIELDS = "id,email,name,description,aliases,externalIds"
"""What is asked for of a group itself."""
SETTING_FIELDS = ",".join(SETTINGS)
"""What is asked for of its settings."""


def check(given: Mapping[str, Value], *, whole: bool) -> None:
    """Refuses what no customer would take, before anything is made.

    Raises:
        Rejected: Names the attribute.
    """
    for name, value in given.items():
        known = GROUP.get(name)
        if known is None:
            raise Rejected(f"'{name}' is no attribute of this target's groups", name)
        if value is not None:
            _check_value(name, known, value)
    if (whole or GROUP_NAME in given) and not given.get(GROUP_NAME):
        raise Rejected(f"there is no group without '{GROUP_NAME}'", GROUP_NAME)


def _check_value(name: str, attribute: Attribute, value: Value) -> None:
    if not isinstance(value, {"str": str, "bool": bool}[attribute.type]):
        raise Rejected(f"'{name}' holds a {attribute.type}, not a {type(value).__name__}", name)
    if attribute.max_length is not None and isinstance(value, str) and len(value) > attribute.max_length:
        raise Rejected(f"'{name}' holds at most {attribute.max_length} characters, not {len(value)}", name)
    if attribute.words and value not in attribute.words:
        raise Rejected(f"'{name}' holds one of {', '.join(attribute.words)}", name)


def own_body(given: Mapping[str, Value], *, whole: bool) -> dict[str, Any]:
    """Attributes of the group itself as Google wants them; a name that is cleared falls back to the address."""
    body = {name: value or "" for name, value in given.items() if name in OWN}
    if not body.get("name") and (whole or "name" in body):
        body["name"] = str(body.get(GROUP_NAME) or "").partition("@")[0]
        if not body["name"]:
            raise Rejected("there is no group without 'name'", "name")
    return body


def settings_body(given: Mapping[str, Value]) -> dict[str, str]:
    """Settings as Google wants them; those that cannot be empty are left out where they shall be."""
    body: dict[str, str] = {}
    for name, value in given.items():
        if name in TEXTS:
            body[name] = str(value or "")
        elif name in SETTINGS and value is not None:
            body[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return body


def kept(given: Mapping[str, Value]) -> list[str]:
    """Settings that were to be cleared, and cannot be."""
    return [name for name, value in given.items() if value is None and name in SETTINGS and name not in TEXTS]


def mark_of(told: Mapping[str, Any], namespace: str) -> str | None:
    """What a group as Google tells it is marked with."""
    for one in told.get("externalIds") or ():
        if one.get("namespace") == namespace:
            return str(one.get("id"))
    return None


def remote(
    told: Mapping[str, Any], settings: Mapping[str, Any], namespace: str, wanted: Collection[str] | None
) -> RemoteObject:
    """A group as Google tells it."""
    mark = mark_of(told, namespace)
    return RemoteObject(
        Kind.GROUP,
        str(told["id"]),
        attributes_of(told, settings, wanted),
        owner=None if mark is None or mark.startswith(OPERATION) else mark,
    )


def attributes_of(
    told: Mapping[str, Any], settings: Mapping[str, Any], wanted: Collection[str] | None = None
) -> dict[str, Value]:
    """Attributes that are set, of a group and its settings as Google tells them."""
    found: dict[str, Value] = {}
    for name, attribute in GROUP.items():
        value = (told if name in OWN else settings).get(name)
        if value in (None, "") or (wanted is not None and name not in wanted and name != GROUP_NAME):
            continue
        found[name] = value == "true" if attribute.type == "bool" else str(value)
    return found


def wants_settings(wanted: Collection[str] | None) -> bool:
    """Whether any of these attributes is a setting: they cost a call for each group."""
    return wanted is None or not SETTINGS.keys().isdisjoint(wanted)
