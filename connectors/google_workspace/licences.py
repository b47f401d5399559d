"""Licences: of each product everybody has one SKU at most; another one takes its place by an update.

What a unit gives its users by itself cannot be taken away or changed by anybody: it stays, and that is no error.
https://developers.google.com/workspace/admin/licensing/v1/how-tos/using
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from connectors.contract import Action, Kind, LicenceStock, Operation, Outcome
from connectors.errors import ConnectorError, NotFound, Rejected, Transient
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain
from connectors.google_workspace.options import LicenceOptions
from connectors.memory import Memory

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

AUTOMATIC = "the licence is given by the account's organisational unit: it goes when the account leaves the unit"
_FIELDS = "skuId"


@dataclass(frozen=True)
class Licences:
    """Makes the chains of changes to users' licences.

    Attributes:
        apis: The calls there are.
        memory: What was made not long ago.
        products: By the names that rulesets use.
    """

    apis: Apis
    memory: Memory
    products: Mapping[str, LicenceOptions]

    def chain(self, account: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        """Carries out all operations on one user's licences, product by product."""
        done: list[Outcome] = []
        by_product: dict[str, list[Operation]] = {}
        for operation in operations:
            error = self._fault(operation)
            if error is None:
                by_product.setdefault(self.products[str(operation.sku)].product, []).append(operation)
            else:
                done.append(_outcome(operation, error))
        if not by_product:
            return done
        try:
            address = yield from self._address(account)
        except ConnectorError as error:
            return [*done, *(_outcome(one, error) for every in by_product.values() for one in every)]
        for every in by_product.values():
            done += yield from self._of_product(address, every)
        return done

    def _fault(self, operation: Operation) -> ConnectorError | None:
        if operation.action not in (Action.CREATE, Action.DELETE):
            return Rejected(f"a licence cannot be subject to {operation.action} here")
        try:
            refusals.key(Kind.ACCOUNT, operation.account)
        except NotFound as error:
            return error
        if operation.sku not in self.products:
            known = ", ".join(sorted(self.products)) or "none"
            return Rejected(f"the target's settings name no licence '{operation.sku}'; they name: {known}")
        return None

    def _address(self, account: str) -> Chain[str]:
        """The primary address, by which alone licences can be given.

        Raises:
            ConnectorError: There is no such user, or it cannot be found out.
        """
        (reply,) = yield [self.apis.users.get(userKey=account, fields="primaryEmail")]
        if not reply.ok:
            settling = self.memory.is_settling(account)
            raise refusals.refusal(reply, Kind.ACCOUNT, account, settling=settling)
        return str(reply.body["primaryEmail"])

    def _of_product(self, address: str, operations: Sequence[Operation]) -> Chain[list[Outcome]]:
        giving = [one for one in operations if one.action is Action.CREATE]
        taking = [one for one in operations if one.action is Action.DELETE]
        if len(giving) == len(taking) == 1:
            (reply,) = yield [self._switch(address, taking[0].sku, giving[0].sku)]
            if reply.ok:
                return [_outcome(one, None) for one in operations]
            if not reply.is_missing and not isinstance(self._refusal(giving[0], reply), Rejected):
                return [_outcome(one, self._refusal(one, reply)) for one in operations]
        done: list[Outcome] = []
        for one in [*taking, *giving]:
            outcome = yield from (self._take if one.action is Action.DELETE else self._give)(address, one)
            done.append(outcome)
        return done

    def _give(self, address: str, operation: Operation) -> Chain[Outcome]:
        product = self.products[str(operation.sku)]
        (reply,) = yield [
            self.apis.licences.insert(
                productId=product.product, skuId=product.sku, body={"userId": address}, fields=_FIELDS
            )
        ]
        if reply.ok:
            return _outcome(operation, None)
        if reply.status != HTTPStatus.PRECONDITION_FAILED or refusals.is_busy(reply):
            return _outcome(operation, self._refusal(operation, reply))
        return (yield from self._beside(address, operation, reply))

    def _beside(self, address: str, operation: Operation, refused: Reply) -> Chain[Outcome]:
        """Gives a licence in place of what the user has of its product.

        Google has one status for all that can stand in the way; what is held says which of them it was.
        """
        try:
            held = yield from self._held(address, operation)
        except ConnectorError as error:
            return _outcome(operation, error)
        if held == operation.sku:
            return _outcome(operation, None)
        if held is None:
            return _outcome(operation, self._refusal(operation, refused))
        (switched,) = yield [self._switch(address, held, operation.sku)]
        if switched.is_missing:  # as where it was exchanged already, and the answer got lost: the next one finds out
            return _outcome(operation, Transient("what the user has of the product changed a moment ago"))
        if not switched.ok:
            return _outcome(operation, self._refusal(operation, switched))
        return _outcome(operation, None, f"it took the place of '{held}', since both are of one product")

    def _take(self, address: str, operation: Operation) -> Chain[Outcome]:
        product = self.products[str(operation.sku)]
        (reply,) = yield [self.apis.licences.delete(productId=product.product, skuId=product.sku, userId=address)]
        if reply.ok or reply.is_missing:
            return _outcome(operation, None)
        if reply.status == HTTPStatus.PRECONDITION_FAILED and "auto" in reply.message.lower():
            return _outcome(operation, None, AUTOMATIC)
        return _outcome(operation, self._refusal(operation, reply))

    def _held(self, address: str, operation: Operation) -> Chain[str | None]:
        """The name of what a user has of the licence's product, of all that the settings name; None: none of them.

        Raises:
            ConnectorError: It cannot be found out.
        """
        first = str(operation.sku)
        product = self.products[first].product
        names = [first, *(name for name, one in self.products.items() if one.product == product and name != first)]
        replies = yield [
            self.apis.licences.get(productId=product, skuId=self.products[name].sku, userId=address, fields=_FIELDS)
            for name in names
        ]
        for name, reply in zip(names, replies, strict=True):
            if reply.ok:
                return name
        for reply in replies:
            if not reply.is_missing:
                raise self._refusal(operation, reply)
        return None

    def _switch(self, address: str, old: str | None, new: str | None) -> HttpRequest:
        before, after = self.products[str(old)], self.products[str(new)]
        body = {"userId": address, "productId": after.product, "skuId": after.sku}
        return self.apis.licences.update(
            productId=before.product, skuId=before.sku, userId=address, body=body, fields=_FIELDS
        )

    def _refusal(self, operation: Operation, reply: Reply) -> ConnectorError:
        settling = self.memory.is_settling(operation.account)
        if settling and reply.status == HTTPStatus.BAD_REQUEST:  # "Invalid userId"
            return Transient("the account was made a moment ago, and licensing does not know it yet")
        return refusals.refusal(reply, Kind.ACCOUNT, operation.account, settling=settling)


def stocks(products: Mapping[str, LicenceOptions], held: Iterable[tuple[str, str]]) -> list[LicenceStock]:
    """Seats by name, from the products and SKUs of all licences that there are."""
    used = Counter(held)
    return [LicenceStock(name, one.seats, used[one.product, one.sku]) for name, one in products.items()]


def name_of(products: Mapping[str, LicenceOptions], product: str, sku: str) -> str:
    """What rulesets call a SKU; one that the settings do not name is "product/SKU"."""
    return next(
        (name for name, one in products.items() if (one.product, one.sku) == (product, sku)), f"{product}/{sku}"
    )


def _outcome(operation: Operation, error: ConnectorError | None, warning: str | None = None) -> Outcome:
    if isinstance(error, NotFound) and operation.action is Action.DELETE:
        error = None
    anchor = f"{operation.account}/{operation.sku}"
    return Outcome(operation.id, error, anchor if error is None else None, {}, warning)
