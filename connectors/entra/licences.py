"""Licences: products by part number, seats, and what a user is given directly. All of a user's changes are one request.

https://learn.microsoft.com/graph/api/user-assignlicense
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from connectors.contract import Action, Kind, LicenceStock, Operation, Outcome
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, is_object_id, object_id
from connectors.errors import ConnectorError, NotFound, Rejected
from connectors.memory import Memory

_HELD = ("Active", "ActiveWithError")
_FAILED = "Error"
SKUS = "/subscribedSkus?$select=skuId,skuPartNumber,consumedUnits,prepaidUnits,capabilityStatus,servicePlans"


@dataclass(frozen=True)
class Product:
    """A product that the tenant has bought.

    Attributes:
        part_number: As rulesets name it: "M365EDU_A3_FACULTY".
        sku_id: As Graph names it.
        plans: Ids of its service plans by their folded names.
        total: Seats that may be used.
        used: Seats that are.
    """

    part_number: str
    sku_id: str
    plans: Mapping[str, str]
    total: int
    used: int


def products_of(told: Mapping[str, Any]) -> dict[str, Product]:
    """Products by folded part number, from Graph's answer to SKUS."""
    return {str(one["skuPartNumber"]).casefold(): _product(one) for one in told["value"]}


def _product(told: Mapping[str, Any]) -> Product:
    units = told.get("prepaidUnits") or {}
    # "warning": the subscription has run out, and still works for a while.
    usable = int(units.get("enabled") or 0) + int(units.get("warning") or 0)
    plans = {
        str(one["servicePlanName"]).casefold(): str(one["servicePlanId"]) for one in told.get("servicePlans") or ()
    }
    return Product(str(told["skuPartNumber"]), str(told["skuId"]), plans, usable, int(told.get("consumedUnits") or 0))


def stocks(products: Mapping[str, Product]) -> list[LicenceStock]:
    """Seats by product."""
    return [LicenceStock(one.part_number, one.total, one.used) for one in products.values()]


class Inherited(NamedTuple):
    """What a user has by way of groups.

    Attributes:
        held: Ids of products.
        failed: Ids of products that a group should give and could not, with Graph's word for why.
    """

    held: Collection[str] = ()
    failed: Mapping[str, str] = {}


@dataclass(frozen=True)
class Licences:
    """Makes the chains of changes to users' licences.

    Attributes:
        products: By folded part number.
        disabled_plans: Names of service plans that are left off, by folded part number.
        memory: What was made not long ago.
        by_groups: Ids of products that groups give to their members.
    """

    products: Mapping[str, Product]
    disabled_plans: Mapping[str, Sequence[str]]
    memory: Memory
    by_groups: Collection[str] = ()

    def chain(self, account: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        """Carries out all operations on one user's licences: together, so that one product takes the other's place."""
        done: list[Outcome] = []
        bodies: list[tuple[Operation, dict[str, Any]]] = []
        try:
            inherited = yield from self._inherited(account, operations)
        except ConnectorError as error:
            return [_outcome(one, error) for one in operations]
        for operation in operations:
            if operation.action is Action.CREATE and self._sku_id(operation) in inherited.held:
                warning = f"{operation.sku} comes with a group already: it is not given a second time"
                done.append(msgspec.structs.replace(_outcome(operation, None), warning=warning))
                continue
            try:
                bodies.append((operation, self._body(operation, account)))
            except ConnectorError as error:
                done.append(_outcome(operation, error))
        if len(bodies) > 1:
            together = {
                name: [one for _, body in bodies for one in body[name]] for name in ("addLicenses", "removeLicenses")
            }
            (response,) = yield [_ask(account, together)]
            if response.ok:
                return [*done, *(self._given(operation, inherited) for operation, _ in bodies)]
            if not _is_about_one(response):
                return [*done, *(_outcome(one, self._refusal(one, response)) for one, _ in bodies)]
        # One of them will not do: each for itself, what is given before what is taken away.
        for operation, body in sorted(bodies, key=lambda one: one[0].action is Action.DELETE):
            (response,) = yield [_ask(account, body)]
            if response.ok:
                done.append(self._given(operation, inherited))
            else:
                done.append(_outcome(operation, self._refusal(operation, response)))
        return done

    def _given(self, operation: Operation, inherited: Inherited) -> Outcome:
        """That it was done, with what should have made it needless."""
        error = inherited.failed.get(self._sku_id(operation)) if operation.action is Action.CREATE else None
        if error is None:
            return _outcome(operation, None)
        warning = f"a group that gives {operation.sku} could not ({error}): it is given directly"
        return msgspec.structs.replace(_outcome(operation, None), warning=warning)

    def _inherited(self, account: str, operations: Sequence[Operation]) -> Chain[Inherited]:
        """What the user has by way of groups; asked for only where a group gives one of these products.

        Raises:
            ConnectorError: It cannot be found out.
        """
        asked = {self._sku_id(one) for one in operations if one.action is Action.CREATE}
        if asked.isdisjoint(self.by_groups) or not is_object_id(account):
            return Inherited()
        (user,) = yield [Ask("GET", f"/users/{account}?$select=id,licenseAssignmentStates")]
        if not user.ok:
            raise refusals.refusal(user, Kind.ACCOUNT, account, settling=self.memory.is_settling(account))
        states = user.body.get("licenseAssignmentStates") or ()
        held = {str(one["skuId"]) for one in states if one.get("assignedByGroup") and one.get("state") in _HELD}
        return Inherited(held, {str(one["skuId"]): error_of(one) for one in failed_of(states)})

    def _sku_id(self, operation: Operation) -> str:
        product = self.products.get((operation.sku or "").casefold())
        return product.sku_id if product is not None else ""

    def _body(self, operation: Operation, account: str) -> dict[str, Any]:
        """What is asked for one operation.

        Raises:
            Rejected: The tenant has no such product, or no such plan in it.
            NotFound: The account cannot be one; or a product to take away is none of the tenant's.
        """
        if operation.action not in (Action.CREATE, Action.DELETE):
            raise Rejected(f"a licence cannot be subject to {operation.action} here")
        object_id(Kind.ACCOUNT, account)
        product = self.products.get((operation.sku or "").casefold())
        if product is None and operation.action is Action.DELETE:
            raise NotFound(Kind.LICENCE, str(operation.sku))
        if product is None:
            known = ", ".join(sorted(one.part_number for one in self.products.values())) or "none"
            raise Rejected(f"the tenant has no product '{operation.sku}'; it has: {known}")
        if operation.action is Action.DELETE:
            return {"addLicenses": [], "removeLicenses": [product.sku_id]}
        added = {"skuId": product.sku_id, "disabledPlans": self._plans(product)}
        return {"addLicenses": [added], "removeLicenses": []}

    def _plans(self, product: Product) -> list[str]:
        off = self.disabled_plans.get(product.part_number.casefold(), ())
        if missing := [name for name in off if name.casefold() not in product.plans]:
            raise Rejected(f"{product.part_number} has no service plan {' and no '.join(missing)}")
        return [product.plans[name.casefold()] for name in off]

    def _refusal(self, operation: Operation, response: Response) -> ConnectorError | None:
        if operation.action is Action.DELETE and refusals.is_licence_missing(response):
            return None
        if refusals.is_licence_inherited(response):
            return Rejected(f"{operation.sku} comes with a group: it goes when the account leaves the group")
        settling = self.memory.is_settling(operation.account)
        return refusals.refusal(response, Kind.ACCOUNT, operation.account, settling=settling)


def find_given_by_groups(skus: Sequence[str]) -> Chain[set[str]]:
    """Those of some products, by id, that groups give to their members.

    Raises:
        ConnectorError: It cannot be found out.
    """
    responses = yield [
        Ask("GET", f"/groups?$filter={quote(f'assignedLicenses/any(x:x/skuId eq {sku})', safe='')}&$select=id&$top=1")
        for sku in skus
    ]
    for response in responses:
        if not response.ok:
            raise refusals.refusal(response, Kind.GROUP, None)
    return {sku for sku, response in zip(skus, responses, strict=True) if response.body["value"]}


def held_by(user: Mapping[str, Any]) -> set[str]:
    """Ids of the products that a user has, from whatever source."""
    return {str(one["skuId"]) for one in user.get("assignedLicenses") or ()}


def failed_of(states: Iterable[Mapping[str, Any]], group: str | None = None) -> list[Mapping[str, Any]]:
    """Those of a user's assignments that a group, or this one, should have made and could not."""
    by_groups = (one for one in states if one.get("assignedByGroup") and one.get("state") == _FAILED)
    return [one for one in by_groups if group is None or one["assignedByGroup"] == group]


def error_of(state: Mapping[str, Any]) -> str:
    """Graph's word for why an assignment failed: "CountViolation"."""
    return str(state.get("error") or "of a reason that Graph does not tell")


def _is_about_one(response: Response) -> bool:
    return response.status == HTTPStatus.BAD_REQUEST


def _ask(account: str, body: Mapping[str, Any]) -> Ask:
    return Ask("POST", f"/users/{account}/assignLicense", body)


def _outcome(operation: Operation, error: ConnectorError | None) -> Outcome:
    if isinstance(error, NotFound) and operation.action is Action.DELETE:
        error = None
    anchor = f"{operation.account}/{operation.sku}"
    return Outcome(operation.id, error, anchor if error is None else None)
