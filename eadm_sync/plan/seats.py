"""Licences of which there are not enough seats: who has one keeps it, who comes later waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from connectors.contract import Action, Kind, LicenceStock
from eadm_sync.plan.brakes import Hold
from eadm_sync.state import tables
from eadm_sync.state.releases import Releases

Stock = Callable[[str], Sequence[LicenceStock]]
"""Target → its stock of licences; empty where it has none or cannot be asked."""

Product = tuple[str, str]
"""(target, sku)"""


def shortages(
    connection: Connection,
    wanted: Mapping[Product, int],
    stock: Stock,
    queued: Mapping[Product, frozenset[str]],
    releases: Releases,
) -> Iterator[Hold]:
    """A hold for each product that more people shall get than there are free seats.

    Seats are taken by whoever has one in the target, managed by us or not, and by whoever will get one from the queue.
    Those that this plan would free are not free yet. A product of unknown stock is never held: the target decides.

    Args:
        connection: The state.
        wanted: How many people shall get each product in this plan; those who are known to have it are not among them.
        stock: Asked once for each target in which somebody shall get something.
        queued: People with changes of a product in the queue that this plan does not replace.
        releases: Holds that somebody let go.
    """
    for target in sorted({target for target, _ in wanted}):
        for one in stock(target):
            product = target, one.sku
            name = f"{target}.{Kind.LICENCE}.{one.sku}"
            if one.total is None or product not in wanted:
                continue
            holders = _holders(connection, product)
            taken = max(one.used, len(holders)) + len(queued.get(product, frozenset()) - holders)
            free = max(one.total - taken, 0)
            if wanted[product] > free and not releases.lets(name, wanted[product]):
                yield Hold(
                    name=name,
                    target=target,
                    kind=Kind.LICENCE,
                    action=Action.CREATE,
                    count=wanted[product],
                    population=one.total,
                    limit=free,
                    sku=one.sku,
                    reason=f"{one.total} seats, {taken + wanted[product]} needed",
                )


def _holders(connection: Connection, product: Product) -> frozenset[str]:
    """Those who are known to have a product."""
    columns = tables.known_licences.c
    of_product = (columns.target == product[0], columns.sku == product[1])
    return frozenset(connection.scalars(select(columns.person_id).where(*of_product)))
