"""What an account has that came back out of the recycle bin: Entra gives back what it was in and had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.contract import Kind, RemoteObject
from connectors.entra import refusals
from connectors.entra.chains import Ask, Chain
from connectors.entra.members import OWNER

_GROUP = "#microsoft.graph.group"
_PAGE = "$select=id&$top=999"


def regained(anchor: str) -> Chain[tuple[RemoteObject, ...]]:
    """Memberships and licences of an account that was restored a moment ago, as reading tells of them.

    Of the first 999 groups: nobody is in more but by mistake, and comparing the tenant tells of those.

    Raises:
        ConnectorError: Graph does not tell; it is passing where the account is not seen everywhere yet.
    """
    answers = yield [
        Ask("GET", f"/users/{anchor}/memberOf?{_PAGE}"),
        Ask("GET", f"/users/{anchor}/ownedObjects?{_PAGE}"),
        Ask("GET", f"/users/{anchor}/licenseDetails?$select=skuPartNumber"),
    ]
    for answer in answers:
        if not answer.ok:
            raise refusals.refusal(answer, Kind.ACCOUNT, anchor, settling=True)
    member_of, owned, details = (answer.body for answer in answers)
    owns = set(_groups(owned))
    memberships = (
        RemoteObject(
            Kind.MEMBERSHIP,
            f"{group}/{anchor}",
            group=group,
            account=anchor,
            role=OWNER if group in owns else "member",
        )
        for group in _groups(member_of)
    )
    skus = sorted(str(one["skuPartNumber"]) for one in details["value"])
    licences = (RemoteObject(Kind.LICENCE, f"{anchor}/{sku}", account=anchor, sku=sku) for sku in skus)
    return (*memberships, *licences)


def _groups(told: Mapping[str, Any]) -> list[str]:
    return [str(one["id"]) for one in told["value"] if one.get("@odata.type") == _GROUP]
