"""Attributes of users as rulesets name them, and as Google has them. No I/O.

Google keeps most of a user in lists of items with types, which others write too: a phone of one's own beside that of
work. Such an attribute is named by list and type (`phones.work`), or, for the primary organisation, by list and field
(`organizations.title`); all other items are left as they are. Custom fields are named by schema and field.
https://developers.google.com/workspace/admin/directory/reference/rest/v1/users
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from connectors.contract import Kind, Value
from connectors.errors import Rejected

ACCOUNT_NAME = "primaryEmail"
ALIASES = "aliases"
NAME_LENGTH = 40
"""Characters of a given or family name: https://developers.google.com/workspace/admin/directory/v1/limits"""
CUT = ("givenName", "familyName")
ORGANISATIONS, EXTERNAL_IDS = "organizations", "externalIds"
_ALWAYS = ("id", ACCOUNT_NAME, "suspended", "archived", "orgUnitPath", "isAdmin", "isDelegatedAdmin", EXTERNAL_IDS)
Item = dict[str, Any]


class Attribute(NamedTuple):
    """Where an attribute is, and what it holds.

    Attributes:
        type: "str", "bool", "int" or "list".
        path: Property, and the one within it.
        item: For lists of items, the type of the item; "" for the primary one. None: the path is no list of items.
        custom: The type is one of ours, not of Google's.
        max_length: In characters, or None.
    """

    type: str
    path: tuple[str, ...]
    item: str | None = None
    custom: bool = False
    max_length: int | None = None

    def is_of(self, item: Mapping[str, Any]) -> bool:
        """Whether it stands in that item of its list."""
        if not self.item:
            return bool(item.get("primary"))
        if self.custom:
            return str(item.get("customType", "")).casefold() == self.item.casefold()
        return item.get("type") == self.item


def _typed(list_: str, field: str, types: Iterable[str]) -> dict[str, Attribute]:
    return {f"{list_}.{one}": Attribute("str", (list_, field), one) for one in types}


USER: Mapping[str, Attribute] = {
    ACCOUNT_NAME: Attribute("str", (ACCOUNT_NAME,)),
    "givenName": Attribute("str", ("name", "givenName")),
    "familyName": Attribute("str", ("name", "familyName")),
    "displayName": Attribute("str", ("name", "displayName"), max_length=256),
    ALIASES: Attribute("list", (ALIASES,)),
    "includeInGlobalAddressList": Attribute("bool", ("includeInGlobalAddressList",)),
    "recoveryEmail": Attribute("str", ("recoveryEmail",)),
    "recoveryPhone": Attribute("str", ("recoveryPhone",)),
    **{
        f"{ORGANISATIONS}.{field}": Attribute("str", (ORGANISATIONS, field), "")
        for field in ("name", "title", "department", "costCenter", "description", "location")
    },
    **_typed(EXTERNAL_IDS, "value", ("organization", "account", "customer", "login_id", "network")),
    **_typed("relations", "value", ("manager", "assistant")),
    **_typed("phones", "value", ("work", "mobile", "home", "work_mobile", "work_fax")),
    **_typed("addresses", "formatted", ("work", "home")),
}
REQUIRED = (ACCOUNT_NAME, *CUT)
RESERVED = frozenset(name.partition(".")[0] for name in USER)
"""What no custom schema can be called here: what begins so is Google's own."""


class Table:
    """What holds for the accounts of one customer."""

    kind = Kind.ACCOUNT

    def __init__(
        self, mark: str, custom_fields: Mapping[str, str], external_ids: Sequence[str], required: Sequence[str] = ()
    ) -> None:
        """`mark` is the custom type of the external id that says whose an account is."""
        self._mark = Attribute("str", (EXTERNAL_IDS, "value"), mark, custom=True)
        self.custom_fields = {
            name: Attribute(type_, ("customSchemas", *name.split(".", 1))) for name, type_ in custom_fields.items()
        }
        self.attributes: Mapping[str, Attribute] = {
            **USER,
            **{
                f"{EXTERNAL_IDS}.{one}": Attribute("str", (EXTERNAL_IDS, "value"), one, custom=True)
                for one in external_ids
            },
            **self.custom_fields,
        }
        self.required = tuple(dict.fromkeys((*REQUIRED, *required)))

    # ------------------------------------------------------------ what is asked for

    def check(self, given: Mapping[str, Value], *, whole: bool) -> None:
        """Refuses what no customer would take.

        Raises:
            Rejected: Names the attribute.
        """
        for name, value in given.items():
            known = self.attributes.get(name)
            if known is None:
                raise Rejected(f"'{name}' is no attribute of this target's {self.kind}s", name)
            _check_value(name, known, value)
        for name in self.required:
            if (whole or name in given) and given.get(name) in (None, "", []):
                raise Rejected(f"there is no {self.kind} without '{name}'", name)

    def needs_present(self, given: Collection[str]) -> list[str]:
        """Properties that have to be read before these attributes are written: lists that others write too."""
        return list(dict.fromkeys(self.attributes[name].path[0] for name in given if _is_shared(self.attributes[name])))

    def body(self, given: Mapping[str, Value], present: Mapping[str, Any], mark: str | None = None) -> Item:
        """What a call has to bring; null clears.

        Args:
            given: By attribute; what is no attribute of the user's own resource (aliases) is passed over.
            present: The user as it is; its `needs_present` suffice.
            mark: Whose the account is, for a new one.
        """
        body: Item = {} if mark is None else {EXTERNAL_IDS: with_item(present.get(EXTERNAL_IDS), self._mark, mark)}
        for name, value in given.items():
            attribute = self.attributes[name]
            top, *rest = attribute.path
            if attribute.item is not None:
                body[top] = with_item(body.get(top, present.get(top)), attribute, value)
            elif name != ALIASES:
                _put(body.setdefault(top, {}) if rest else body, rest or [top], _written(attribute, value))
        return body

    # ------------------------------------------------------------ what is told

    def fields(self, wanted: Collection[str] | None = None) -> str:
        """A field mask with these attributes, and all else that a `RemoteObject` needs; None: all attributes."""
        names = [one.path[0] for name, one in self.attributes.items() if wanted is None or name in wanted]
        return ",".join(dict.fromkeys([*_ALWAYS, *names]))

    def projection(self, wanted: Collection[str] | None = None) -> dict[str, str]:
        """The parameters by which custom fields come along, where these attributes need any."""
        schemas = {one.path[1]: None for name, one in self.custom_fields.items() if wanted is None or name in wanted}
        return {"projection": "custom", "customFieldMask": ",".join(schemas)} if schemas else {}

    def attributes_of(self, told: Mapping[str, Any], wanted: Collection[str] | None = None) -> dict[str, Value]:
        """Attributes that are set, of a user as Google tells it."""
        found: dict[str, Value] = {}
        for name, attribute in self.attributes.items():
            if wanted is not None and name not in wanted and name != ACCOUNT_NAME:
                continue
            value = _read(attribute, told)
            if value not in (None, "", []):
                found[name] = value
        return found

    def mark_of(self, told: Mapping[str, Any]) -> str | None:
        """What an account as Google tells it is marked with."""
        value = _read(self._mark, told)
        return value if isinstance(value, str) else None


def cut(given: Mapping[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """Attributes with names no longer than Google takes, and the names of those that were cut."""
    fitting = dict(given)
    for name in CUT:
        value = given.get(name)
        if isinstance(value, str) and len(value) > NAME_LENGTH:
            fitting[name] = value[:NAME_LENGTH].rstrip()
    return fitting, [name for name in given if fitting[name] != given[name]]


def with_item(present: Sequence[Item] | None, attribute: Attribute, value: Value) -> list[Item]:
    """A list of items in which the attribute has this value; the others stay as they are, in their order."""
    field = attribute.path[1]
    found = [dict(one) for one in present or ()]
    own = next((one for one in found if attribute.is_of(one)), None)
    if value in (None, ""):
        if own is not None:
            own.pop(field, None)
        return [one for one in found if one is not own or _says_anything(one)]
    if own is None:
        own = _new_item(attribute)
        found.append(own)
    own[field] = value
    return found


def _new_item(attribute: Attribute) -> Item:
    if not attribute.item:
        return {"primary": True, "type": "work"}
    return {"type": "custom", "customType": attribute.item} if attribute.custom else {"type": attribute.item}


def _says_anything(item: Mapping[str, Any]) -> bool:
    return any(value not in (None, "") for name, value in item.items() if name not in {"type", "customType", "primary"})


def _is_shared(attribute: Attribute) -> bool:
    return attribute.item is not None


def _put(into: Item, path: Sequence[str], value: object) -> None:
    *between, last = path
    for name in between:
        into = into.setdefault(name, {})
    into[last] = value


def _written(attribute: Attribute, value: Value) -> object:
    if attribute.type == "list":
        values = sorted(set(value)) if isinstance(value, list) else []
        return [{"value": one} for one in values]
    if attribute.type == "int" and value is not None:
        return str(value)  # whole numbers of custom fields are text in JSON
    if attribute.path == ("includeInGlobalAddressList",) and value is None:
        return True
    return None if value == "" else value


def _read(attribute: Attribute, told: Mapping[str, Any]) -> Value:
    top, *rest = attribute.path
    value: Any = told.get(top)
    if attribute.item is not None:
        item: Item = next((one for one in value or () if attribute.is_of(one)), {})
        return item.get(rest[0])
    for name in rest:
        value = (value or {}).get(name)
    if attribute.type == "list":
        return sorted({str(one.get("value")) if isinstance(one, dict) else str(one) for one in value or ()})
    if attribute.type == "int" and value is not None:
        return int(value)
    return value  # type: ignore[no-any-return]


def _check_value(name: str, attribute: Attribute, value: Value) -> None:
    if value is None:
        return
    wanted = {"str": str, "bool": bool, "list": list, "int": int}[attribute.type]
    if not isinstance(value, wanted) or (attribute.type == "int" and isinstance(value, bool)):
        raise Rejected(f"'{name}' holds a {attribute.type}, not a {type(value).__name__}", name)
    if attribute.max_length is not None and isinstance(value, str) and len(value) > attribute.max_length:
        raise Rejected(f"'{name}' holds at most {attribute.max_length} characters, not {len(value)}", name)
