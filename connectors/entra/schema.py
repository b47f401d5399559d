"""Attributes of users and groups as rulesets name them, and as Graph has them. No I/O.

Names are Graph's own; the fifteen extension attributes, which Graph keeps within `onPremisesExtensionAttributes`, stand
beside them. https://learn.microsoft.com/graph/api/resources/user and .../group
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from connectors.contract import Kind, Value
from connectors.errors import Rejected


class Attribute(NamedTuple):
    """What an attribute holds.

    Attributes:
        type: "str", "bool" or "list".
        max_length: In characters, or None.
        apart: Whether it is no property of the object: it is neither selected nor written with the others.
    """

    type: str
    max_length: int | None = None
    apart: bool = False


ACCOUNT_NAME, GROUP_NAME = "userPrincipalName", "displayName"
MANAGER, IMMUTABLE_ID, EMPLOYEE_ID = "manager", "onPremisesImmutableId", "employeeId"
GROUP_TYPE, TEAM, TEMPLATE, NICKNAME = "groupType", "team", "teamTemplate", "mailNickname"
SECURITY, MICROSOFT_365 = "security", "microsoft365"
EXTENSIONS = "onPremisesExtensionAttributes"
EXTENSION_NAMES = tuple(f"extensionAttribute{number}" for number in range(1, 16))
USER: Mapping[str, Attribute] = {
    "userPrincipalName": Attribute("str", 113),
    "displayName": Attribute("str", 256),
    "mailNickname": Attribute("str", 64),
    "givenName": Attribute("str", 64),
    "surname": Attribute("str", 64),
    "mail": Attribute("str", 320),
    "otherMails": Attribute("list"),
    "businessPhones": Attribute("list"),
    "mobilePhone": Attribute("str", 64),
    "faxNumber": Attribute("str", 64),
    "jobTitle": Attribute("str", 128),
    "department": Attribute("str", 64),
    "companyName": Attribute("str", 64),
    "officeLocation": Attribute("str", 128),
    EMPLOYEE_ID: Attribute("str", 16),
    "employeeType": Attribute("str", 64),
    "streetAddress": Attribute("str", 1024),
    "postalCode": Attribute("str", 40),
    "city": Attribute("str", 128),
    "state": Attribute("str", 128),
    "country": Attribute("str", 128),
    "preferredLanguage": Attribute("str", 64),
    "usageLocation": Attribute("str", 2),
    "ageGroup": Attribute("str", 64),
    "consentProvidedForMinor": Attribute("str", 64),
    "passwordPolicies": Attribute("str", 128),
    IMMUTABLE_ID: Attribute("str", 256),
    "showInAddressList": Attribute("bool"),
    MANAGER: Attribute("str", apart=True),
    **dict.fromkeys(EXTENSION_NAMES, Attribute("str", 1024)),
}
GROUP: Mapping[str, Attribute] = {
    "displayName": Attribute("str", 256),
    "description": Attribute("str", 1024),
    NICKNAME: Attribute("str", 64),
    "visibility": Attribute("str", 64),
    GROUP_TYPE: Attribute("str", apart=True),
    TEAM: Attribute("bool", apart=True),
    TEMPLATE: Attribute("str", apart=True),
}
CLOUD_MASTERED = frozenset(
    {"usageLocation", "otherMails", "ageGroup", "consentProvidedForMinor", "passwordPolicies", "showInAddressList"}
)
"""What may be written of a user that comes from Active Directory by synchronisation; all else is mastered there."""
STRONG = frozenset({"userPrincipalName", "mail", "displayName", "mailNickname", EMPLOYEE_ID})
"""What can be searched at once; all else only in an index that lags behind (`ConsistencyLevel: eventual`)."""


class Table(NamedTuple):
    """What holds for one kind of object.

    Attributes:
        kind: ACCOUNT or GROUP.
        attributes: By name.
        required: Those that may be neither missing nor empty.
        mark: The extension attribute that says whose an account is, or None.
    """

    kind: Kind
    attributes: Mapping[str, Attribute]
    required: tuple[str, ...]
    mark: str | None = None

    def check(self, given: Mapping[str, Value], *, whole: bool) -> None:
        """Refuses what no tenant would take.

        Raises:
            Rejected: Names the attribute.
        """
        for name, value in given.items():
            known = self.attributes.get(name)
            if known is None:
                raise Rejected(f"'{name}' is no attribute of this target's {self.kind}s", name)
            _check_value(name, known, value)
        for name in self.required:
            if (whole or name in given) and not given.get(name):
                raise Rejected(f"there is no {self.kind} without '{name}'", name)

    def select(self, wanted: Collection[str] | None) -> str:
        """The names for a $select, with all that a `RemoteObject` needs."""
        named = (name for name, one in self.attributes.items() if not one.apart)
        names = [name for name in named if wanted is None or name in wanted]
        plain = [name for name in names if name not in EXTENSION_NAMES]
        always = ["id", "accountEnabled", ACCOUNT_NAME, EXTENSIONS] if self.mark else ["id", GROUP_NAME]
        return ",".join(dict.fromkeys([*always, *plain]))

    def tells(self, name: str, wanted: Collection[str] | None) -> bool:
        """Whether an attribute is asked for, of those that there are."""
        return name in self.attributes and (wanted is None or name in wanted)

    def body(self, given: Mapping[str, Value]) -> dict[str, Any]:
        """Attributes as Graph wants them: null clears a text, an empty list a list. Those that stand apart are not."""
        body: dict[str, Any] = {}
        extensions: dict[str, Any] = {}
        for name, value in given.items():
            if self.attributes[name].apart:
                continue
            into = extensions if name in EXTENSION_NAMES else body
            if self.attributes[name].type == "list":
                into[name] = sorted(set(value)) if isinstance(value, list) else []
            else:
                into[name] = None if value == "" else value
        return {**body, **({EXTENSIONS: extensions} if extensions else {})}

    def attributes_of(self, told: Mapping[str, Any], wanted: Collection[str] | None = None) -> dict[str, Value]:
        """Attributes that are set, of an object as Graph tells it."""
        flat = {**told, **(told.get(EXTENSIONS) or {})}
        name_ = ACCOUNT_NAME if self.mark else GROUP_NAME
        found: dict[str, Value] = {}
        for name, attribute in self.attributes.items():
            value = flat.get(name)
            unwanted = wanted is not None and name not in wanted and name != name_
            if attribute.apart or unwanted or value is None or value in ("", []):
                continue
            found[name] = sorted(set(value)) if attribute.type == "list" else value
        return found

    def mark_of(self, told: Mapping[str, Any]) -> str | None:
        """What an account as Graph tells it is marked with."""
        return (told.get(EXTENSIONS) or {}).get(self.mark) if self.mark else None


def _check_value(name: str, attribute: Attribute, value: Value) -> None:
    if value is None:
        return
    wanted = {"str": str, "bool": bool, "list": list}[attribute.type]
    if not isinstance(value, wanted):
        raise Rejected(f"'{name}' holds a {attribute.type}, not a {type(value).__name__}", name)
    if attribute.max_length is not None and isinstance(value, str) and len(value) > attribute.max_length:
        raise Rejected(f"'{name}' holds at most {attribute.max_length} characters, not {len(value)}", name)


def user_table(mark: str, required: Collection[str] = (), *, synchronised: bool = False) -> Table:
    """Accounts, marked in that extension attribute; of synchronised ones, what names them and what is the cloud's."""
    attributes = {name: one for name, one in USER.items() if name != mark}
    if synchronised:
        ours = CLOUD_MASTERED | {ACCOUNT_NAME, IMMUTABLE_ID, EMPLOYEE_ID}
        attributes = {name: one for name, one in attributes.items() if name in ours}
        needed = [name for name in required if name in ours]
        return Table(Kind.ACCOUNT, attributes, tuple(dict.fromkeys((ACCOUNT_NAME, *needed))), mark)
    return Table(Kind.ACCOUNT, attributes, tuple(dict.fromkeys((ACCOUNT_NAME, "displayName", *required))), mark)


GROUP_TABLE = Table(Kind.GROUP, GROUP, (GROUP_NAME,))
